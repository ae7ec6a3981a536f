//! `rune bench`: how long calls take, and stages, as percentiles; two runes in turns, for a ratio.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use rune_saga::Histogram;
use serde_json::{Value, json};

use super::{cycle::cycle, granted, marked};
use crate::{
    Call, Instance, Rune, Runtime,
    cli::{Console, Failure, Sources, print, runtime},
    health,
};

/// Turns that each rune has.
const TURNS: u32 = 20;
/// What the columns of the table are.
const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];

const ABOUT: &str = "\
Sources are read once and then given from memory again and again, so that the rune is measured and not its
input. A Runefile is compiled with its stages marked, which takes some tens of nanoseconds a stage; a rune that
does not mark them shows its calls alone.

Examples:
  rune bench examples/sine
  rune bench gesture.rune --accel ring.csv -n 100000
  rune bench new.rune --compare old.rune --json";

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Bench {
    /// A rune, a Runefile, or a folder with a Runefile
    rune: PathBuf,

    /// Calls to measure; otherwise as many as fit into the time
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    calls: Option<u64>,

    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600), conflicts_with = "calls")]
    time: u64,

    /// Calls before measuring begins
    #[arg(long, value_name = "N", default_value_t = 100)]
    warm_up: u64,

    /// Another rune, fed by the same sources, called in turns with the first
    #[arg(long, value_name = "RUNE")]
    compare: Option<PathBuf>,

    #[command(flatten)]
    sources: Sources,

    /// What feeds the rune, as for `rune run`
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Print the result as JSON, durations in nanoseconds
    #[arg(long)]
    json: bool,
}

/// A rune on the bench.
struct Subject {
    path: String,
    rune: Rune,
    instance: Instance,
    /// Of each turn, the mean time of a call.
    turns: Vec<f64>,
    calls: u64,
    time: Duration,
}

pub(crate) fn bench(args: &Bench, console: Console) -> Result<(), Failure> {
    let runtime = runtime(false, console).map_err(Failure::usage)?;
    let paths = [Some(&args.rune), args.compare.as_ref()];
    let mut subjects = paths
        .into_iter()
        .flatten()
        .map(|path| Subject::new(path, args, &runtime, console))
        .collect::<Result<Vec<_>, _>>()?;
    for turn in 0..TURNS {
        for subject in &mut subjects {
            subject.turn(turn, args)?;
        }
    }
    let text = if args.json {
        let runes: Vec<Value> = subjects.iter().map(Subject::json).collect();
        let mut result = json!({ "runes": runes });
        if let [first, second] = &subjects[..] {
            let [low, middle, high] = ratios(first, second);
            result["ratio"] = json!({ "p10": low, "p50": middle, "p90": high });
        }
        format!("{result:#}\n")
    } else {
        let mut text: String = subjects.iter().map(Subject::table).collect();
        if let [first, second] = &subjects[..] {
            let [low, middle, high] = ratios(first, second);
            writeln!(
                text,
                "{} takes {middle:.3} of the time of {} ({low:.3} to {high:.3} in 8 of 10 turns)",
                first.path, second.path
            )
            .expect("a string takes everything");
        }
        text
    };
    print(&text)
}

/// The times of the first rune over those of the second, turn by turn: the lower tenth, the median and the
/// upper tenth.
fn ratios(first: &Subject, second: &Subject) -> [f64; 3] {
    let pairs = first.turns.iter().zip(&second.turns);
    let mut ratios: Vec<f64> = pairs.map(|(a, b)| a / b).collect();
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios[(ratios.len() - 1) * part / 10];
    [at(1), at(5), at(9)]
}

impl Subject {
    fn new(
        path: &Path,
        args: &Bench,
        runtime: &Runtime,
        console: Console,
    ) -> Result<Self, Failure> {
        let rune = marked(path, console)?;
        let grants = cycle(granted(
            &rune,
            &args.sources,
            args.policy.as_deref(),
            console,
        )?);
        let listener = Box::new(move |level, text: &str| {
            if level < 3 {
                console.say(level, text);
            }
        });
        let mut instance = runtime
            .start(&rune, grants, listener)
            .map_err(Failure::rune)?;
        for _ in 0..args.warm_up {
            if instance.call()? == Call::End {
                break;
            }
        }
        *instance.health_mut() = health(rune.manifest());
        Ok(Self {
            path: path.display().to_string(),
            rune,
            instance,
            turns: vec![],
            calls: 0,
            time: Duration::ZERO,
        })
    }

    fn turn(&mut self, turn: u32, args: &Bench) -> Result<(), Failure> {
        // The last turn takes what division leaves over.
        let calls = args.calls.map(|n| {
            let each = n / u64::from(TURNS);
            if turn + 1 == TURNS {
                n - each * u64::from(TURNS - 1)
            } else {
                each
            }
        });
        let length = Duration::from_secs(args.time) / TURNS;
        let (begin, mut done) = (Instant::now(), 0);
        while calls.map_or_else(|| begin.elapsed() < length, |n| done < n) {
            if self.instance.call()? == Call::End {
                return Err(Failure::usage(format_args!(
                    "{}: its sources gave nothing",
                    self.path
                )));
            }
            done += 1;
        }
        let time = begin.elapsed();
        if done > 0 {
            self.turns.push(time.as_secs_f64() / done as f64);
        }
        self.calls += done;
        self.time += time;
        Ok(())
    }

    /// The calls, and the stages that were marked.
    fn rows(&self) -> Vec<(String, Histogram)> {
        let health = self.instance.health();
        let names = self.rune.manifest().stages.iter();
        let stages = names
            .zip(health.stages())
            .filter(|(_, stage)| stage.total().count() > 0)
            .map(|(name, stage)| (format!("  {name}"), stage.total().clone()));
        std::iter::once(("call".to_owned(), health.latency()))
            .chain(stages)
            .collect()
    }

    fn rate(&self) -> f64 {
        self.calls as f64 / self.time.as_secs_f64()
    }

    fn table(&self) -> String {
        let manifest = self.rune.manifest();
        let mut text = format!(
            "{}: {} {}, {} calls in {:.2} s, {:.0} a second, {} KiB of memory\n",
            self.path,
            manifest.name,
            manifest.version,
            self.calls,
            self.time.as_secs_f64(),
            self.rate(),
            manifest.memory_bytes.div_ceil(1024)
        );
        let rows = self.rows();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max();
        let width = width.unwrap_or(0).max(8);
        let mut line = |name: &str, cells: &mut dyn Iterator<Item = String>| {
            write!(text, "{name:<width$}").expect("a string takes everything");
            for cell in cells {
                write!(text, " {cell:>10}").expect("a string takes everything");
            }
            text.push('\n');
        };
        let heads = QUANTILES.iter().map(|(name, _)| (*name).to_owned());
        line("", &mut heads.chain(["mean".to_owned()]));
        for (name, times) in &rows {
            let cells = QUANTILES.iter().map(|(_, q)| times.quantile_ns(*q));
            let cells = cells.chain([times.summary().mean_ns()]);
            line(
                name,
                &mut cells.map(|ns| ns.map_or_else(String::new, shown)),
            );
        }
        text
    }

    fn json(&self) -> Value {
        let manifest = self.rune.manifest();
        let times = |times: &Histogram| {
            let mut object = json!({ "mean": times.summary().mean_ns(), "min": times.min_ns() });
            for (name, q) in QUANTILES {
                object[name] = json!(times.quantile_ns(q));
            }
            object
        };
        let rows = self.rows();
        let stages: Vec<Value> = rows[1..]
            .iter()
            .map(|(name, t)| json!({ "name": name.trim_start(), "ns": times(t) }))
            .collect();
        json!({
            "path": self.path,
            "name": manifest.name,
            "version": manifest.version.to_string(),
            "digest": self.rune.digest_hex(),
            "memory_bytes": manifest.memory_bytes,
            "calls": self.calls,
            "seconds": self.time.as_secs_f64(),
            "calls_per_second": self.rate(),
            "ns": times(&rows[0].1),
            "stages": stages,
        })
    }
}

/// A duration with three digits and its unit.
pub(crate) fn shown(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn durations_have_three_digits() {
        let given = [0, 999, 1_000, 12_340, 123_456, 7_000_000, 61_000_000_000];
        let want = [
            "0 ns", "999 ns", "1.00 us", "12.3 us", "123 us", "7.00 ms", "61.0 s",
        ];
        assert_eq!(given.map(shown), want);
    }
}
