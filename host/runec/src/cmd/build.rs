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
  runec build --aot mpu --for portenta-h7   NAME.img, machine code for the device";

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
    /// whose last bits depend on the machine. On where not given, and off with --aot.
    #[arg(long, value_name = "MODE")]
    simd: Option<SimdArg>,
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
    /// A device the rune must fit, such as portenta-h7: its sensors, memory, flash and engine.
    #[arg(long = "for", value_name = "DEVICE", value_parser = device::find)]
    device: Option<&'static Image>,
    /// Write machine code for the device too, in NAME.img, kept within its memory by the device's protection unit, or
    /// by checks of bounds or masks in the code. Needs clang or arm-none-eabi-gcc; RUNE_CC names one.
    #[arg(long, value_name = "MODE", value_parser = aot::containment, requires = "device")]
    aot: Option<Containment>,
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
    let machine = aot::Machine::new(args.device, args.aot)?;
    let input = cmd::open(&args.path)?;
    let options = Options {
        level: match args.optimise {
            LevelArg::O0 => Level::O0,
            LevelArg::O1 => Level::O1,
        },
        simd: match args.simd {
            None if args.aot.is_some() => Simd::Off,
            Some(SimdArg::On) | None => Simd::On,
            Some(SimdArg::Off) => Simd::Off,
            Some(SimdArg::Relaxed) => Simd::Relaxed,
        },
        text: args.emit.contains(&Emit::Ir),
        ..Options::default()
    };
    let recorder = args
        .with_source
        .then(|| Recorder::new(&input.path, &input.bytes, Arc::new(input.world.clone())));
    let request = input.request();
    let request = Request {
        env: recorder.as_ref().map_or(request.env, |recorder| recorder),
        build: true,
        device: args.device,
        fit: Some(options.clone()),
        ..request
    };
    let compiled = driver::generate(driver::analyse(&request), &options);
    reporter.report(&compiled.sources, &compiled.diagnostics);
    let Some(mut output) = compiled.output else {
        return Ok(None);
    };
    if let Some(recorder) = &recorder {
        recorder.attach(&mut output.wasm)?;
    }
    let rune = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.rune", output.manifest.name)));
    for emit in &args.emit {
        match emit {
            Emit::Wasm => write::whole(&rune, &output.wasm)?,
            Emit::Ir => write::whole(&rune.with_extension("ir"), output.text.as_bytes())?,
            Emit::C => c::write(&rune, &output)?,
        }
    }
    let mut built = format!(
        "built {} ({} bytes, {} bytes of memory)",
        rune.display(),
        output.wasm.len(),
        output.manifest.memory_bytes
    );
    if let Some(machine) = machine {
        built = format!("{built}\n{}", machine.write(&rune, &output)?);
    }
    Ok(Some(built))
}
