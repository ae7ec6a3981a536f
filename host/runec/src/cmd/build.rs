//! `runec build`: a Runefile in, a rune out.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use clap::ValueEnum;
use rune_abi::image::Containment;
use rune_catalogue::Image;
use rune_codegen::{Level, Options, Simd};

use crate::{
    cli::{self, Color, MessageFormat},
    cmd::{self, aot, c},
    device,
    driver::{self, Request},
    lock::Mode,
    machine::{self, Machine},
    report::{Reporter, Style},
    source::Recorder,
    write,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 built, 1 errors in the Runefile, 2 wrong usage or a file that cannot be read or written.

Examples:
  runec build                          the Runefile of this folder to NAME.rune
  runec build examples/sine -o s.rune
  runec build --for portenta-h7        refuse what does not fit the device
  runec build --simd off --emit wasm,ir
  runec build --simd off --emit c      NAME.c and NAME.h for firmware
  runec build --aot mpu --for portenta-h7   NAME.img, machine code for the device
  runec build --locked                 in CI: what FROM names in registries is what Runefile.lock says";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A Runefile, a folder with one, or `-` for standard input.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Where to write the rune; NAME.rune in this folder where not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How hard to optimise: 0 not at all, 1 the graphs of models.
    #[arg(short = 'O', value_name = "LEVEL", default_value = "1")]
    optimise: LevelArg,
    /// 128-bit vector instructions: on, off for engines without them, or relaxed for faster floats
    /// whose last bits depend on the machine.
    #[arg(long, value_name = "MODE", default_value = "on")]
    simd: SimdArg,
    /// What to write: the rune, and beside it its loop nests, or itself as C for firmware.
    #[arg(
        long,
        value_name = "KIND",
        value_delimiter = ',',
        default_value = "wasm"
    )]
    emit: Vec<Emit>,
    /// Put into the rune what it is built from, so that other Runefiles can begin with FROM NAME.rune.
    #[arg(long)]
    with_source: bool,
    /// A device the rune must fit, such as portenta-h7: its sensors, memory, flash and engine. C is made for its
    /// processor.
    #[arg(long = "for", value_name = "DEVICE", value_parser = device::find)]
    device: Option<&'static Image>,
    /// Write machine code for the device too, in `NAME.img`, kept within its memory by the device's protection unit, or
    /// by checks of bounds or masks in the code. Needs clang or arm-none-eabi-gcc; `RUNE_CC` names one.
    #[arg(long, value_name = "MODE", value_parser = aot::containment, requires = "device")]
    aot: Option<Containment>,
    /// Take of registries exactly what Runefile.lock names, and change nothing in it
    #[arg(long)]
    locked: bool,
    /// Ask registries anew what the tags stand for that FROM names
    #[arg(long, conflicts_with = "locked")]
    update: bool,
    #[command(flatten)]
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    #[value(name = "0")]
    O0,
    #[value(name = "1")]
    O1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SimdArg {
    On,
    Off,
    Relaxed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// The rune.
    Wasm,
    /// Steps and loop nests, as text in NAME.ir.
    Ir,
    /// C99 in NAME.c and NAME.h, and an example of how it is called in `NAME_main.c`.
    C,
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let mut reporter = Reporter::of(args.style, color);
    let built = build(args, &mut reporter);
    let status = match &built {
        Ok(Some(_)) => cli::OK,
        Ok(None) => cli::ERRORS,
        Err(reason) => {
            reporter.fault(reason);
            cli::USAGE
        }
    };
    let status = reporter.finish(status);
    if let (Ok(Some(built)), MessageFormat::Human, false) =
        (built, args.style.message_format, args.style.quiet)
    {
        let _ = writeln!(io::stderr(), "{built}");
    }
    status
}

/// A sentence on what was built, nothing where the Runefile has errors; or one sentence on what cannot be read
/// or written.
fn build(args: &Args, reporter: &mut Reporter<'_>) -> Result<Option<String>, String> {
    let machine = match (args.device, args.aot) {
        (Some(device), Some(containment)) => Some(Machine::new(device, containment)?),
        (None, Some(_)) => return Err("--aot needs --for and a microcontroller".to_owned()),
        (_, None) => None,
    };
    let mut input = cmd::open(&args.path)?;
    let fetched = input.world.of_registries().clone().with_mode(match args {
        Args { locked: true, .. } => Mode::Locked,
        Args { update: true, .. } => Mode::Update,
        _ => Mode::Fetch,
    });
    input.world = input.world.with_fetched(fetched.clone());
    let options = Options {
        level: match args.optimise {
            LevelArg::O0 => Level::O0,
            LevelArg::O1 => Level::O1,
        },
        simd: match args.simd {
            SimdArg::On => Simd::On,
            SimdArg::Off => Simd::Off,
            SimdArg::Relaxed => Simd::Relaxed,
        },
        text: args.emit.contains(&Emit::Ir),
        ..Options::default()
    };
    // C is made of a form of its own, which must fit the device where nothing else is asked for.
    let c_options = machine::form(args.device, &options);
    let wants = |kind: Emit| args.emit.contains(&kind);
    let main = if wants(Emit::C) && !wants(Emit::Wasm) {
        &c_options
    } else {
        &options
    };
    let recorder = args
        .with_source
        .then(|| Recorder::new(&input.path, &input.bytes, Arc::new(input.world.clone())));
    let request = input.request();
    let request = Request {
        env: recorder.as_ref().map_or(request.env, |recorder| recorder),
        build: true,
        device: args.device,
        fit: Some(if machine.is_some() { &c_options } else { main }.clone()),
        ..request
    };
    let checked = driver::analyse(&request);
    let for_c = match checked.verified() {
        Some(verified) if wants(Emit::C) && wants(Emit::Wasm) => {
            driver::build(verified, &c_options).ok()
        }
        _ => None,
    };
    // An image claims the graph of the rune, and is made of the form for C.
    let forms = match (checked.verified(), &machine) {
        (Some(verified), Some(_)) => {
            let build = |options| driver::build(verified, options).ok();
            build(&options).zip(build(&c_options))
        }
        _ => None,
    };
    let compiled = driver::generate(checked, main);
    reporter.report(&compiled.sources, &compiled.diagnostics);
    let Some(mut output) = compiled.output else {
        return Ok(None);
    };
    if let Some(recorder) = &recorder {
        recorder.attach(&mut output.wasm)?;
    }
    fetched.save()?;
    let rune = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.rune", output.manifest.name)));
    for emit in &args.emit {
        match emit {
            Emit::Wasm => write::whole(&rune, &output.wasm)?,
            Emit::Ir => write::whole(&rune.with_extension("ir"), output.text.as_bytes())?,
            Emit::C => c::write(&rune, for_c.as_ref().unwrap_or(&output))?,
        }
    }
    let mut said = Vec::new();
    if main.flash {
        said.push(c::summary(&rune, &output));
    } else {
        said.push(format!(
            "built {} ({} bytes, {} bytes of memory)",
            rune.display(),
            output.wasm.len(),
            output.manifest.memory_bytes
        ));
        said.extend(for_c.map(|output| c::summary(&rune, &output)));
    }
    if let (Some(machine), Some((rune_form, c_form))) = (machine, forms) {
        said.push(aot::write(&machine, &rune, &rune_form, &c_form)?);
    }
    Ok(Some(said.join("\n")))
}
