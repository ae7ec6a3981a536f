//! `rune trace`: when each stage of each call ran, for Perfetto and the trace viewer of Chrome.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use clap::Args;
use rune_exporters::trace::TraceWriter;

use super::{granted, marked};
use crate::{
    Call, Span,
    cli::{Console, Failure, Sources, how_many, runtime},
};

const ABOUT: &str = "\
Open the file at https://ui.perfetto.dev or in chrome://tracing: one row is the rune, and a call has a span
for each of its stages. A Runefile is compiled with its stages marked; a rune that does not mark them shows
its calls alone.

Examples:
  rune trace examples/gesture --accel examples/gesture/ring.csv -o trace.json
  rune trace sine.rune -n 1000 -o trace.json";

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Trace {
    /// A rune, a Runefile, or a folder with a Runefile
    rune: PathBuf,

    /// Where to write the trace
    #[arg(short, long, value_name = "FILE", default_value = "trace.json")]
    output: PathBuf,

    /// Stop after this many calls; otherwise files run to their end and generators give one call
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    calls: Option<u64>,

    #[command(flatten)]
    sources: Sources,

    /// What feeds the rune, as for `rune run`
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// The trace being written, and what went wrong with it first.
type Shared = Arc<Mutex<io::Result<TraceWriter<BufWriter<File>>>>>;

pub(crate) fn trace(args: &Trace, console: Console) -> Result<(), Failure> {
    let shown = args.output.display();
    let unwritten = |e: io::Error| Failure::usage(format_args!("{shown}: {e}"));
    let real = |path: &Path| path.canonicalize().ok();
    if real(&args.output).is_some_and(|output| real(&args.rune) == Some(output)) {
        return Err(Failure::usage(format_args!(
            "{shown}: it is the rune, which the trace would overwrite"
        )));
    }
    let rune = marked(&args.rune, console)?;
    let grants = granted(&rune, &args.sources, args.policy.as_deref(), console)?;
    let listener = Box::new(move |level, text: &str| console.say(level, text));
    let mut instance = runtime(false, console)
        .and_then(|runtime| runtime.start(&rune, grants, listener))
        .map_err(Failure::rune)?;
    let file = File::create(&args.output).map_err(unwritten)?;
    let mut writer = TraceWriter::new(BufWriter::new(file)).map_err(unwritten)?;
    writer.row(1, &rune.manifest().name).map_err(unwritten)?;
    let shared: Shared = Arc::new(Mutex::new(Ok(writer)));
    let (spans, stages) = (shared.clone(), rune.manifest().stages.clone());
    // Of the call that runs: its own span comes last, and not at all where the data has ended.
    let mut parts: Vec<Span> = vec![];
    instance.set_tracer(Some(Box::new(move |span: Span| {
        if span.stage.is_some() {
            parts.push(span);
            return;
        }
        let mut shared = spans.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(writer) = &mut *shared else { return };
        let all = std::iter::once(span).chain(parts.drain(..));
        let written = { all }.try_for_each(|span| {
            let name = match span.stage {
                None => "call",
                Some(stage) => stages.get(stage).map_or("?", String::as_str),
            };
            writer.span(1, name, span.began_ns, span.took_ns)
        });
        if let Err(error) = written {
            *shared = Err(error);
        }
    })));
    let calls = how_many(args.calls, &instance);
    let mut done = 0;
    let mut result = Ok(());
    while done < calls {
        match instance.call() {
            Ok(Call::End) => break,
            Ok(Call::Output(_) | Call::NoOutput) => done += 1,
            // What ran until then is worth seeing all the more.
            Err(error) => {
                result = Err(error.into());
                break;
            }
        }
    }
    drop(instance);
    let writer = Arc::into_inner(shared).expect("the instance was the other owner");
    let writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
    writer.and_then(TraceWriter::finish).map_err(unwritten)?;
    console.say(3, &format!("{done} calls are in {shown}"));
    result
}
