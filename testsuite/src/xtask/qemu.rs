//! `cargo xtask qemu`: a rune on the emulated board, as `rune run` runs it on this machine.

use std::path::Path;

use rune_abi::{CAPABILITIES, CapabilityKind, image::Containment};
use rune_aot::Compiler;
use rune_link::{Reply, Request as Ask};
use rune_runtime::{Rune, SourceFlag};
use rune_testsuite::{
    engines,
    qemu::{Boot, Firmware, Machine, missing},
};
use runec::{
    Options, Simd,
    driver::{self, Request},
    world::Input,
};

/// What the arguments say.
struct Arguments<'a> {
    rune: &'a str,
    flags: Vec<SourceFlag>,
    calls: Option<u64>,
    simd: bool,
    /// As an image, contained in this way.
    aot: Option<Containment>,
}

/// Builds the rune and the firmware, boots it, plays the inputs and prints the lines. What the board says, and what it
/// takes, goes to standard error.
///
/// # Errors
/// One sentence: wrong arguments, something is missing or does not compile, or the rune fails.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let Arguments {
        rune: path,
        flags,
        calls,
        simd,
        aot,
    } = parse(args)?;
    if let Some(why) = missing() {
        return Err(why);
    }
    let bytes = bytes(Path::new(path), simd)?;
    let rune = Rune::load(bytes.clone()).map_err(|e| format!("{path}: {e}"))?;
    let inputs = rune.inputs(&flags).map_err(|e| e.to_string())?;
    let image = aot.map(|containment| image(path, &bytes, containment));
    let image = image.transpose()?;
    // Images that contain themselves run where a key is that signs them, as on the board of the tests.
    let is_native = aot.is_some_and(Containment::is_native);
    let firmware = Firmware::build(match (is_native, simd) {
        (true, _) => &["crash"],
        (false, true) => &["simd"],
        (false, false) => &[],
    })?;
    let sizes = firmware.sizes()?;
    eprintln!("firmware: {sizes}");
    if !is_native {
        sizes.check(simd)?;
    }
    let boot = Boot {
        shift: 1,
        verbose: true,
        ..Boot::default()
    };
    let mut machine = Machine::boot(&firmware, &boot)?;
    let installed = image.as_ref().unwrap_or(&bytes);
    machine.run(installed, &rune, inputs, calls, |lines| print!("{lines}"))?;
    let memory = machine.ask(&Ask::Status, |reply| {
        let Reply::Status(s) = reply else {
            return None;
        };
        Some(format!(
            "heap {} of {} bytes at most, stack {} of {}",
            s.heap_most_bytes, s.heap_all_bytes, s.stack_most_bytes, s.stack_all_bytes
        ))
    })?;
    eprintln!("memory: {memory}");
    Ok(())
}

fn parse<'a>(args: &[&'a str]) -> Result<Arguments<'a>, String> {
    let mut parsed = Arguments {
        rune: "",
        flags: vec![],
        calls: None,
        simd: false,
        aot: None,
    };
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.strip_prefix("--") {
            Some("simd") => parsed.simd = true,
            Some("aot") => {
                let name = value()?;
                let known = Containment::from_name(name);
                parsed.aot =
                    Some(known.ok_or(format!("--aot takes mpu, bounds or mask, not {name}"))?);
            }
            Some(name) => parsed.flags.push(SourceFlag {
                kind: kind(name).ok_or(format!("there is no flag {arg}"))?,
                value: (*value()?).to_owned(),
            }),
            None if arg == "-n" => {
                let number = value()?.parse().ok().filter(|n| *n > 0);
                parsed.calls = Some(number.ok_or("-n needs a number of calls")?);
            }
            None if parsed.rune.is_empty() && !arg.starts_with('-') => parsed.rune = arg,
            None => return Err(format!("`{arg}` is one argument too many")),
        }
    }
    if parsed.rune.is_empty() {
        return Err("no rune: a file, a Runefile, or a folder with one".to_owned());
    }
    Ok(parsed)
}

/// The kind of capability that the flag of this name feeds, as of `rune run`.
fn kind(flag: &str) -> Option<CapabilityKind> {
    let spelled = |name: &str| name.to_lowercase().replace('_', "-");
    let spec = CAPABILITIES.iter().find(|s| spelled(s.name) == flag)?;
    Some(spec.kind)
}

/// The image of a Runefile at a path, which is this rune.
fn image(path: &str, rune: &[u8], containment: Containment) -> Result<Vec<u8>, String> {
    let compiler = Compiler::find().map_err(|error| error.to_string())?;
    let code = compiled(Path::new(path), &engines::device())?;
    Ok(engines::image(rune, &code, containment, &compiler))
}

/// The rune at a path, compiled first if there is a Runefile.
fn bytes(path: &Path, simd: bool) -> Result<Vec<u8>, String> {
    if path.extension().is_some_and(|e| e == "rune") {
        return Rune::read(path).map_err(|e| format!("{}: {e}", path.display()));
    }
    let options = Options {
        simd: if simd { Simd::On } else { Simd::Off },
        ..Options::default()
    };
    compiled(path, &options)
}

/// What a Runefile is compiled to.
fn compiled(path: &Path, options: &Options) -> Result<Vec<u8>, String> {
    let input = Input::open(path)?;
    let request = Request {
        build: true,
        ..input.request()
    };
    let compiled = driver::generate(driver::analyse(&request), options);
    eprint!("{}", engines::rendered(&compiled));
    let output = compiled.output;
    Ok(output
        .ok_or_else(|| format!("{} does not compile", path.display()))?
        .wasm)
}
