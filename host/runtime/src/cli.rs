//! The command line of `rune`.

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};
use rune_abi::{CapabilityKind, image::ImageView};
pub(crate) use rune_terminal::Console;
use runec::{
    Options,
    cli::{Color, MessageFormat},
    driver::{self, Request},
    report::{Reporter, json},
    world::Input,
};

use crate::{
    Cache, Call, CallError, Cause, Compiler, GrantError, Instance, Limits, Policy, Replay, Router,
    Rune, Runtime, SendError, SourceFlag, StartError,
    cmd::{bench, consent, control, install, registry, serve, top, trace},
    consent::Consent,
    grant::{Offer, grant},
    worker,
};

/// Runs runes: containers for machine learning.
#[derive(Debug, Parser)]
#[command(name = "rune", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile a Runefile to a rune, as `runec build` does
    #[command(disable_help_flag = true)]
    Build {
        /// What `runec build` takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run a rune and print what it writes, one line of JSON per call
    Run(Box<Run>),
    /// Measure how long the calls of a rune take, and its stages
    Bench(Box<bench::Bench>),
    /// Run a rune and write down when each stage of each call ran
    Trace(Box<trace::Trace>),
    /// What runes may always read, because somebody at the terminal said so
    #[command(subcommand)]
    Consent(consent::Consent),
    /// Serve the runes of a folder until stopped
    Serve(serve::Serve),
    /// Show how served runes are
    Ps(control::Ps),
    /// Watch served runes
    Top(control::Where),
    /// Start a served rune again
    Start(control::One),
    /// Stop a served rune, once its call has ended
    Stop(control::One),
    /// Read a served rune and its policy again and put it in the place of the one that runs
    Reload(control::One),
    /// Call a served rune once
    Trigger(control::One),
    /// Show what a served rune said
    Logs(control::Logs),
    /// Install a rune in a served folder, on trial
    Install(install::Install),
    /// End the trial of an installed rune: it stays
    Confirm(control::One),
    /// End the trial of an installed rune, or go back to the one that was confirmed before
    Rollback(control::One),
    /// Stop an installed rune and remove it
    Remove(control::One),
    /// Push a rune to a registry
    #[command(after_help = registry::PUSH)]
    Push(Box<registry::Push>),
    /// Pull a rune from a registry
    #[command(after_help = registry::PULL)]
    Pull(registry::Pull),
    /// Give a rune in a registry another tag
    Tag(registry::Tag),
    /// List the tags of a repository, or what is in the store
    Ls(registry::Ls),
    /// Turn a module into machine code: what this program starts itself for
    #[command(hide = true)]
    CompileWorker {
        /// Seconds of processor time
        cpu_seconds: u64,
        /// Bytes of address space
        memory_bytes: u64,
    },
}

const EXAMPLES: &str = "\
Examples:
  rune run sine.rune                      one call, random numbers from seed 0
  rune run examples/sine                  the same from its Runefile
  rune run sine.rune --rand 42 -n 10      ten calls from seed 42
  rune run gesture.rune --accel ring.csv  one call per window of the recording
  rune run digits.rune --image 3.png --image 7.png
  rune run pair.rune --sound left=a.wav --sound right=b.wav
  rune run gesture.rune --accel iio:lis3dh  a sensor: you are asked whether the rune may read it
  rune run door.rune --policy policy.toml  with what the policy binds, and no more
  rune run sine.rune --out file:out.jsonl  results go to the end of a file

Results go to standard output, everything else to standard error.
Exit status: 0 done, 1 the rune failed or was refused, 2 wrong usage, or an unreadable input or policy.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Run {
    /// A rune, a Runefile, or a folder with a Runefile
    rune: PathBuf,

    #[command(flatten)]
    sources: Sources,

    #[arg(long, help = OUT, value_name = "[NAME=]SINK", help_heading = SINKS)]
    out: Vec<String>,

    /// Store everything that the rune reads in this folder
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,

    /// Give the rune again what --record stored, bit for bit
    #[arg(long, value_name = "DIR", conflicts_with_all = ["accel", "sound", "image", "float_image", "raw", "temperature", "gpio", "rand"])]
    replay: Option<PathBuf>,

    /// Stop after this many calls; otherwise files run to their end and generators give one call
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    calls: Option<u64>,

    /// Stop a call that takes longer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86400))]
    time_limit: u64,

    /// Refuse a rune that needs more memory
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=4096))]
    memory_limit: u64,

    /// What the rune may use, in TOML; files given by flags are allowed too
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Compile the rune anew, and do not keep its machine code
    #[arg(long)]
    no_cache: bool,

    /// Say what goes to standard error as lines of JSON: {"level": "error", "message": "..."}
    #[arg(long)]
    json: bool,

    /// Show what the rune logs for debugging too
    #[arg(short, long)]
    verbose: bool,
}

const OUT: &str = "Where results go: stdout, discard, file:PATH, tty:DEVICE[,BAUD], mqtt://HOST[:PORT]/TOPIC or http://HOST/PATH";

const SINKS: &str =
    "Sinks (NAME= picks one of several outputs; by default all print to standard output)";

const SOURCES: &str = "Sources (NAME= picks one of several capabilities of a kind)";

/// What feeds a rune.
#[derive(Debug, Args)]
pub(crate) struct Sources {
    /// Readings for ACCEL: CSV with columns x,y,z; iio:DEVICE is a sensor
    #[arg(long, value_name = "[NAME=]FILE.csv", visible_alias = "accelerometer", help_heading = SOURCES)]
    accel: Vec<String>,

    /// Sound for SOUND: WAV; alsa:CARD is a sound card
    #[arg(long, value_name = "[NAME=]FILE.wav", visible_aliases = ["audio", "wav"], help_heading = SOURCES)]
    sound: Vec<String>,

    /// A picture for IMAGE: PNG or JPEG; several are given one per call. v4l2:DEVICE or /dev/videoN is a camera
    #[arg(long, value_name = "[NAME=]FILE.png", visible_alias = "img", help_heading = SOURCES)]
    image: Vec<String>,

    /// A picture in floats from 0 to 1, as --image
    #[arg(long, value_name = "[NAME=]FILE.png", help_heading = SOURCES)]
    float_image: Vec<String>,

    /// Bytes for RAW; `-` is standard input, serial:DEVICE a serial port
    #[arg(long, value_name = "[NAME=]FILE", help_heading = SOURCES)]
    raw: Vec<String>,

    /// Degrees Celsius for TEMPERATURE: CSV with one column; iio:DEVICE or sysfs:FILE is a sensor
    #[arg(long, value_name = "[NAME=]FILE.csv", help_heading = SOURCES)]
    temperature: Vec<String>,

    /// Levels for GPIO, 0 or 1: CSV with one column; sysfs:FILE is a pin
    #[arg(long, value_name = "[NAME=]FILE.csv", help_heading = SOURCES)]
    gpio: Vec<String>,

    /// Seed for RAND; 0 where not given
    #[arg(long, value_name = "[NAME=]SEED", visible_alias = "random", help_heading = SOURCES)]
    rand: Vec<String>,

    /// Let the rune read the sensor that a flag names for this capability, without asking
    #[arg(long, value_name = "NAME", help_heading = SOURCES)]
    pub(crate) allow: Vec<String>,
}

/// Reads the arguments of the process, does what they say, and gives the exit status.
pub fn main() -> ExitCode {
    let (result, console) = match Cli::parse().command {
        Command::Build { args } => {
            let command = ["runec", "build"].map(OsString::from);
            return runec::cli::main(command.into_iter().chain(args));
        }
        Command::CompileWorker {
            cpu_seconds,
            memory_bytes,
        } => return worker([cpu_seconds, memory_bytes]),
        Command::Run(args) => {
            let console = Console::new(args.json, args.verbose);
            (run(&args, console), console)
        }
        Command::Serve(args) => {
            let console = Console::new(args.json, args.verbose);
            (serve::serve(&args, console), console)
        }
        Command::Consent(args) => plain(consent::consent(&args)),
        Command::Ps(args) => plain(control::ps(&args)),
        Command::Top(args) => plain(top::top(&args)),
        Command::Start(args) => plain(args.ask(|rune| crate::serve::Request::Start { rune })),
        Command::Stop(args) => plain(args.ask(|rune| crate::serve::Request::Stop { rune })),
        Command::Reload(args) => plain(args.ask(|rune| crate::serve::Request::Reload { rune })),
        Command::Trigger(args) => plain(args.ask(|rune| crate::serve::Request::Trigger { rune })),
        Command::Logs(args) => plain(control::logs(&args)),
        Command::Install(args) => {
            let console = Console::new(false, false);
            (install::install(&args, console), console)
        }
        Command::Confirm(args) => plain(args.ask(|rune| crate::serve::Request::Confirm { rune })),
        Command::Rollback(args) => plain(args.ask(|rune| crate::serve::Request::Rollback { rune })),
        Command::Remove(args) => plain(args.ask(|rune| crate::serve::Request::Remove { rune })),
        Command::Push(args) => plain(registry::push(&args)),
        Command::Pull(args) => plain(registry::pull(&args)),
        Command::Tag(args) => plain(registry::tag(&args)),
        Command::Ls(args) => plain(registry::ls(&args)),
        Command::Bench(args) => {
            let console = Console::new(false, false);
            (bench::bench(&args, console), console)
        }
        Command::Trace(args) => {
            let console = Console::new(false, false);
            (trace::trace(&args, console), console)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for message in &failure.messages {
                console.say(1, message);
            }
            ExitCode::from(failure.status)
        }
    }
}

/// A result, and the console to say it on.
fn plain(result: Result<(), Failure>) -> (Result<(), Failure>, Console) {
    (result, Console::new(false, false))
}

/// Why the program ends without success.
pub(crate) struct Failure {
    pub(crate) status: u8,
    pub(crate) messages: Vec<String>,
}

impl Failure {
    /// The rune failed or was refused.
    pub(crate) fn rune(message: impl Display) -> Self {
        Self {
            status: 1,
            messages: vec![message.to_string()],
        }
    }

    /// The user or a file is at fault.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self {
            status: 2,
            messages: vec![message.to_string()],
        }
    }
}

impl From<GrantError> for Failure {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Refused(messages) => Self {
                status: 1,
                messages,
            },
            GrantError::Flags(_) | GrantError::Source(_) => Self::usage(error),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        if matches!(error.cause, Cause::Source(_)) {
            Self::usage(error)
        } else {
            Self::rune(error)
        }
    }
}

/// What the console shows of the compiler.
pub(crate) trait Show {
    /// Shows what the compiler found.
    fn show<T>(self, compiled: &runec::Compilation<T>);
}

impl Show for Console {
    fn show<T>(self, compiled: &runec::Compilation<T>) {
        let (sources, found) = (&compiled.sources, &compiled.diagnostics);
        if self.json {
            for diagnostic in found {
                let _ = writeln!(io::stderr(), "{}", json::diagnostic(sources, diagnostic));
            }
        } else {
            Reporter::new(MessageFormat::Human, Color::Auto).report(sources, found);
        }
    }
}

fn run(args: &Run, console: Console) -> Result<(), Failure> {
    let path = args.rune.display();
    let rune = Rune::load(rune_bytes(&args.rune, &Options::default(), console)?)
        .map_err(|e| Failure::rune(format_args!("{path}: {e}")))?;
    let limits = Limits {
        memory_bytes: args.memory_limit << 20,
        call_time: Duration::from_secs(args.time_limit),
    };
    let policy = args.policy.as_deref().map(Policy::load).transpose();
    let policy = policy.map_err(Failure::usage)?;
    let flags = args.sources.flags();
    let consent = Consent::new(&rune, &args.sources.allow, console);
    let replay = args.replay.as_deref().map(|f| Arc::new(Replay::new(f)));
    let offer = Offer {
        policy: policy.as_ref(),
        flags: &flags,
        outs: &args.out,
        limits,
        sources: vec![],
    };
    let grants = grant(&rune, offer, replay.as_ref(), Some(&consent))?;
    let grants = match &args.record {
        Some(folder) => rune.record(grants, folder).map_err(Failure::usage)?,
        None => grants,
    };
    let report = Arc::new(move |level, text: &str| console.say(level, text));
    let router = Router::open(rune.manifest(), grants.sinks(), grants.rates(), report);
    let mut router = router.map_err(Failure::usage)?;
    let listener = Box::new(move |level, text: &str| console.say(level, text));
    let runtime = runtime(args.no_cache, console).map_err(Failure::usage)?;
    let mut instance = runtime
        .start(&rune, grants, listener)
        .map_err(Failure::rune)?;
    let mut result = call(args, console, &mut instance, &mut router);
    for loss in router.finish() {
        if loss.counters.failed == 0 {
            console.say(2, &loss.to_string());
        } else if let Err(failure) = &mut result {
            failure.messages.push(loss.to_string());
        } else {
            result = Err(Failure::usage(loss));
        }
    }
    result
}

/// Calls an instance as often as the arguments say, or until its data ends.
fn call(
    args: &Run,
    console: Console,
    instance: &mut Instance,
    router: &mut Router,
) -> Result<(), Failure> {
    let calls = how_many(args.calls, instance);
    for done in 0..calls {
        let begin = Instant::now();
        let records = match instance.call()? {
            Call::Output(records) => records,
            Call::NoOutput => &[],
            Call::End => {
                if args.calls.is_some() {
                    console.say(3, &format!("the input ended after {done} of {calls} calls"));
                }
                break;
            }
        };
        match router.send(records) {
            Ok(interval) => pause(begin, interval),
            // Whoever read the results has seen enough.
            Err(SendError::Closed) => break,
            Err(error @ SendError::Failed(_)) => return Err(Failure::usage(error)),
        }
    }
    Ok(())
}

/// How often a rune is called where nobody says: until files end, and once where sources never do.
pub(crate) fn how_many(asked: Option<u64>, instance: &Instance) -> u64 {
    asked.unwrap_or(if instance.is_endless() { 1 } else { u64::MAX })
}

/// Writes results. Whoever reads no further has seen enough, and that ends the process.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Failure::usage(format_args!("standard output: {e}"))),
        Ok(()) => Ok(()),
    }
}

/// A runtime that compiles in processes of their own, with the cache of the user where it can be had.
pub(crate) fn runtime(no_cache: bool, console: Console) -> Result<Runtime, StartError> {
    let cache = if no_cache {
        None
    } else {
        Cache::of_user()
            .inspect_err(|e| console.say(4, &format!("machine code is not kept: {e}")))
            .ok()
    };
    Runtime::new(Compiler::this_program(), cache)
}

/// Waits until a time after a beginning.
fn pause(begin: Instant, interval: Duration) {
    if !interval.is_zero() {
        thread::sleep(interval.saturating_sub(begin.elapsed()));
    }
}

/// The bytes of the rune at a path, compiled first if there is a Runefile.
pub(crate) fn rune_bytes(
    path: &Path,
    options: &Options,
    console: Console,
) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    if !path.is_dir() {
        let bytes = Rune::read(path).map_err(|e| Failure::usage(format_args!("{shown}: {e}")))?;
        // That an image does not run here is said where runes are checked.
        let is_built = bytes.starts_with(b"\0asm") || ImageView::is_one(&bytes);
        if is_built || path.extension().is_some_and(|e| e == "rune") {
            return Ok(bytes);
        }
        if bytes.get(4..8) == Some(b"TFL3") {
            let what =
                "is a model, not a rune: name it in a Runefile, in a line `MODEL ./file name`";
            return Err(Failure::usage(format_args!("{shown} {what}")));
        }
    }
    let input = Input::open(path).map_err(Failure::usage)?;
    let request = Request {
        build: true,
        ..input.request()
    };
    let compiled = driver::generate(driver::analyse(&request), options);
    console.show(&compiled);
    match compiled.output {
        Some(output) => Ok(output.wasm),
        None => Err(Failure::rune(format_args!("{shown} does not compile"))),
    }
}

impl Sources {
    /// As flags.
    pub(crate) fn flags(&self) -> Vec<SourceFlag> {
        [
            (CapabilityKind::Accel, &self.accel),
            (CapabilityKind::Sound, &self.sound),
            (CapabilityKind::Image, &self.image),
            (CapabilityKind::FloatImage, &self.float_image),
            (CapabilityKind::Temperature, &self.temperature),
            (CapabilityKind::Gpio, &self.gpio),
            (CapabilityKind::Raw, &self.raw),
            (CapabilityKind::Rand, &self.rand),
        ]
        .into_iter()
        .flat_map(|(kind, values)| {
            values.iter().map(move |value| SourceFlag {
                kind,
                value: value.clone(),
            })
        })
        .collect()
    }
}
