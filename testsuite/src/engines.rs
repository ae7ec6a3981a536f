//! One rune on every engine: the evaluator, wasmtime and the core of devices, at each optimisation level with and
//! without SIMD.

use std::{
    collections::VecDeque,
    fs, iter,
    path::Path,
    sync::{Arc, Mutex},
};

use crate::device::Device;
use ed25519_compact::{KeyPair, Seed};
use rune_abi::{
    Fault,
    image::{Containment, ImageView, Target},
};
use rune_blocks::Wasmi;
use rune_codegen::{Level, Options, Output, Simd};
use rune_core::{Failed, json};
use rune_ir::{
    check::Verified,
    env::Env,
    eval::{self, Data, Evaluator},
};
use rune_runtime::{
    Call, Cause, Elements, Grants, Limits, Read, Rune, Source, SourceError, Tensor,
};
use runec::{
    Compilation,
    config::Config,
    driver::{self, Request},
    world::{Input, World},
};
use sha2::{Digest, Sha512};

/// The samples of one call: the bytes for each capability, in the order of the Runefile.
pub type Feed = Vec<Vec<u8>>;

/// What one call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// For each output, what it was given.
    Outputs(Vec<Option<Vec<Data>>>),
    /// A fault.
    Fault(i32),
}

/// Every way of compiling that a rune runs under in tests.
pub fn variants() -> Vec<(&'static str, Options)> {
    let variant = |level, simd| Options {
        level,
        simd,
        ..Options::default()
    };
    vec![
        ("-O0 scalar", variant(Level::O0, Simd::Off)),
        ("-O0 simd", variant(Level::O0, Simd::On)),
        ("-O1 scalar", variant(Level::O1, Simd::Off)),
        ("-O1 simd", variant(Level::O1, Simd::On)),
    ]
}

/// The form of a rune that images are made of.
pub fn device() -> Options {
    Options {
        simd: Simd::Dsp,
        flash: true,
        ..Options::default()
    }
}

/// The image of a rune, of its form for images; signed by the key that firmware for tests has where it contains itself.
///
/// # Panics
/// Where the compiler cannot make it.
pub fn image(
    rune: &[u8],
    code: &[u8],
    containment: Containment,
    compiler: &rune_aot::Compiler,
) -> Vec<u8> {
    let built = rune_aot::image(rune, code, Target::CortexM7, containment, compiler);
    let mut image = built.unwrap_or_else(|why| panic!("{why}")).bytes;
    if containment.is_native() {
        sign(&mut image, 7);
    }
    image
}

/// Adds a signature to an image, by the key whose seed is 32 times this byte, of the class that its containment needs.
///
/// # Panics
/// Where it is no image.
pub fn sign(image: &mut Vec<u8>, seed: u8) {
    let view = ImageView::new(image).expect("it is an image");
    let is_native = view.containment().is_native();
    sign_as(image, if is_native { b"nati" } else { b"mpui" }, seed);
}

/// As [`sign`], of any class.
///
/// # Panics
/// Where it is no image.
pub fn sign_as(image: &mut Vec<u8>, class: &[u8; 4], seed: u8) {
    let view = ImageView::new(image).expect("it is an image");
    let message = [b"rune-sig-v1\0", &class[..], &Sha512::digest(view.signed())].concat();
    let pair = KeyPair::from_seed(Seed::new([seed; 32]));
    let signature = pair.sk.sign(message, None);
    image.extend_from_slice(&*pair.pk);
    image.extend_from_slice(&*signature);
}

/// Checks a Runefile that is no file.
pub fn check_text(text: &str, env: &dyn Env) -> Compilation<Verified> {
    runec::check("Runefile", "case", text.as_bytes(), env)
}

/// Compiles a Runefile that is no file.
pub fn compile_text(text: &str, env: &dyn Env, options: &Options) -> Compilation<Output> {
    runec::compile("Runefile", "case", text.as_bytes(), env, options)
}

/// Checks the Runefile at `path`.
pub fn check(path: &Path) -> Compilation<Verified> {
    let (bytes, world) = open(path);
    runec::check(&shown(path), "case", &bytes, &world)
}

/// Compiles the Runefile at `path`.
pub fn compile(path: &Path, options: &Options) -> Compilation<Output> {
    let input = Input::open(path).expect("the case can be read");
    let request = Request {
        path: &shown(path),
        name: "case",
        build: true,
        fit: Some(options.clone()),
        ..input.request()
    };
    driver::generate(driver::analyse(&request), options)
}

/// What there is to say of the Runefile at `path` under a configuration, lints too.
pub fn lint(path: &Path, config: Config) -> Compilation<Output> {
    let input = Input::open(path).expect("the case can be read");
    let checked = driver::analyse(&Request {
        path: &shown(path),
        name: "case",
        config: Arc::new(config),
        ..input.request()
    });
    Compilation {
        sources: checked.sources,
        diagnostics: checked.diagnostics,
        output: None,
    }
}

fn open(path: &Path) -> (Vec<u8>, World) {
    let bytes = fs::read(path).expect("the case can be read");
    (
        bytes,
        World::new(path.parent().expect("a file has a folder")),
    )
}

/// The path from the root of the repository, for messages that are the same everywhere.
fn shown(path: &Path) -> String {
    path.strip_prefix(crate::root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Every diagnostic of a compilation as text, without colour.
pub fn rendered<T>(compilation: &Compilation<T>) -> String {
    let root = format!("{}/", crate::root().display());
    runec::render::plain(&compilation.sources, &compilation.diagnostics).replace(&root, "")
}

/// Runs a pipeline on the evaluator.
pub fn evaluate(verified: &Verified, feeds: &[Feed]) -> Vec<Outcome> {
    let mut evaluator =
        Evaluator::new(verified, &Wasmi::default()).expect("blocks that were verified start");
    let mut outcomes = Vec::new();
    for feed in feeds {
        match evaluator.call(&mut |capability| feed.get(capability).cloned()) {
            Ok(eval::Call::Outputs(outputs)) => outcomes.push(Outcome::Outputs(outputs)),
            Ok(eval::Call::EndOfData) => break,
            Err(code) => {
                outcomes.push(Outcome::Fault(code));
                break;
            }
        }
    }
    outcomes
}

/// Runs a compiled rune on wasmtime.
pub fn run(output: &Output, feeds: &[Feed]) -> Vec<Outcome> {
    let mut rounds = rounds(output, feeds, 1);
    rounds.pop().expect("one round was asked for")
}

/// Runs a compiled rune on the core of devices.
pub fn run_on_device(output: &Output, feeds: &[Feed]) -> Vec<Outcome> {
    let written = Arc::new(Mutex::new(None));
    let (count, take) = (output.manifest.outputs.len(), written.clone());
    let mut device = Device::start(&output.wasm, sources(output, feeds, 1), move |written| {
        let mut outputs = vec![None; count];
        for record in written.records() {
            let data = |tensor: rune_core::Tensor<'_>| match tensor.elements {
                json::Elements::Numbers(bytes) => Data::Bytes(bytes.to_vec()),
                json::Elements::Texts(texts) => Data::Strings(texts.map(str::to_owned).collect()),
            };
            outputs[record.index()] = Some(record.tensors().map(data).collect());
        }
        *take.lock().expect("no other thread writes") = Some(outputs);
    });
    let mut outcomes = Vec::new();
    for _ in feeds {
        match device.call().map_err(|failed| *failed) {
            Ok(true) => {
                let outputs = written.lock().expect("no other thread writes").take();
                outcomes.push(Outcome::Outputs(outputs.unwrap_or(vec![None; count])));
            }
            Ok(false) => break,
            Err(Failed::Call(error)) => {
                outcomes.push(Outcome::Fault(match error.cause {
                    rune_core::Cause::Fault(code, _) => code,
                    // As below.
                    rune_core::Cause::Trap(..) => Fault::Block as i32,
                    rune_core::Cause::Deadline
                    | rune_core::Cause::Contract(_)
                    | rune_core::Cause::Source(..) => {
                        panic!("the rune failed in another way: {error}")
                    }
                }));
                break;
            }
            Err(failed) => panic!("{failed}"),
        }
    }
    outcomes
}

/// Runs the same calls so many times on one instance, with a reset between.
pub fn rounds(output: &Output, feeds: &[Feed], count: usize) -> Vec<Vec<Outcome>> {
    let rune = Rune::load(output.wasm.clone()).expect("a compiled rune keeps the contract");
    let mut instance = rune
        .start(
            Grants::new(sources(output, feeds, count), Limits::default()),
            Box::new(|_, _| {}),
        )
        .expect("a compiled rune starts");
    (0..count)
        .map(|round| {
            if round > 0 {
                instance.reset().expect("a rune can be reset");
            }
            calls(&mut instance, output.manifest.outputs.len(), feeds.len())
        })
        .collect()
}

/// One source per capability that gives its samples so many times.
pub fn sources(output: &Output, feeds: &[Feed], count: usize) -> Vec<Box<dyn Source>> {
    let capabilities = 0..output.manifest.capabilities.len();
    let queue = |i: usize| {
        let feeds = iter::repeat_n(feeds, count).flatten();
        Box::new(Queue(feeds.map(|feed| feed[i].clone()).collect())) as Box<dyn Source>
    };
    capabilities.map(queue).collect()
}

/// Up to so many calls, until the data end or one fails.
fn calls(instance: &mut rune_runtime::Instance, outputs: usize, most: usize) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for _ in 0..most {
        match instance.call() {
            Ok(Call::Output(records)) => {
                let mut outputs = vec![None; outputs];
                for record in records {
                    let data = |tensor: &Tensor| match &tensor.elements {
                        Elements::Numbers(bytes) => Data::Bytes(bytes.clone()),
                        Elements::Texts(texts) => Data::Strings(texts.clone()),
                    };
                    outputs[record.output] = Some(record.tensors.iter().map(data).collect());
                }
                outcomes.push(Outcome::Outputs(outputs));
            }
            Ok(Call::NoOutput) => {
                outcomes.push(Outcome::Outputs(vec![None; outputs]));
            }
            Ok(Call::End) => break,
            Err(error) => {
                outcomes.push(Outcome::Fault(match error.cause {
                    Cause::Fault(code, _) => code,
                    // The evaluator turns the traps of a block into this fault.
                    Cause::Trap(_) => Fault::Block as i32,
                    other @ (Cause::Deadline(_)
                    | Cause::Contract(_)
                    | Cause::Source(_)
                    | Cause::Stopped) => panic!("the rune failed in another way: {other:?}"),
                }));
                break;
            }
        }
    }
    outcomes
}

struct Queue(VecDeque<Vec<u8>>);

impl Source for Queue {
    fn read(&mut self, out: &mut [u8], _: std::time::Instant) -> Result<Read, SourceError> {
        Ok(match self.0.pop_front() {
            Some(sample) => {
                out.copy_from_slice(&sample);
                Read::Sample
            }
            None => Read::End { note: None },
        })
    }
}
