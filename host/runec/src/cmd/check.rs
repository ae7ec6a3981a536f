//! `runec check`: everything but code generation.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use rune_catalogue::Image;
use rune_codegen::Options;

use crate::{
    cli::Color,
    device,
    driver::{self, Request},
    find::{Paths, Source},
    memo::Memo,
    parallel,
    report::{Reporter, Style},
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 no errors, 1 errors, 2 wrong usage or a file that cannot be read.

Examples:
  runec check                      every Runefile in this folder and below it
  runec check - < Runefile         standard input
  runec check --for portenta-h7    what does not fit the device, too
  runec check --message-format sarif > runec.sarif";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    paths: Paths,
    /// A device the rune must fit, such as portenta-h7: its sensors, memory, flash and engine.
    #[arg(long = "for", value_name = "DEVICE", value_parser = device::find)]
    device: Option<&'static Image>,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let mut reporter = Reporter::of(args.style, color);
    let found = args.paths.find();
    for fault in &found.faults {
        reporter.fault(fault);
    }
    let mut progress = Progress::new(found.sources.len(), args.style.quiet);
    let memo = Memo::new();
    let check = |source: &Source| check(source, args.device, &memo);
    parallel::in_order(&found.sources, check, |checked| {
        progress.clear();
        match checked {
            Ok(checked) => reporter.report(&checked.sources, &checked.diagnostics),
            Err(reason) => reporter.fault(&reason),
        }
        progress.step();
    });
    progress.clear();
    let status = reporter.status();
    reporter.finish(status)
}

/// Models and blocks that several Runefiles share are read once.
fn check(
    source: &Source,
    device: Option<&'static Image>,
    memo: &Memo,
) -> Result<driver::Checked, String> {
    let mut input = source.open()?;
    input.world = input.world.with_memo(memo.clone());
    Ok(driver::analyse(&Request {
        device,
        fit: Some(Options::default()),
        memo: memo.clone(),
        ..input.request()
    }))
}

/// How far a long check has come: a line in the terminal that is written over.
struct Progress {
    total: usize,
    done: usize,
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// How long to say nothing, and how often to speak.
    const PATIENCE: Duration = Duration::from_secs(1);
    const PACE: Duration = Duration::from_millis(100);

    fn new(total: usize, quiet: bool) -> Self {
        let spoken = !quiet && io::stderr().is_terminal();
        Self {
            total,
            done: 0,
            next: spoken.then(|| Instant::now() + Self::PATIENCE),
            shown: false,
        }
    }

    fn step(&mut self) {
        self.done += 1;
        let now = Instant::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + Self::PACE);
            self.shown = true;
            let _ = write!(io::stderr(), "checked {} of {}", self.done, self.total);
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
