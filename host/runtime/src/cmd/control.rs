//! `rune ps`, `start`, `stop`, `logs` and all others of one rune: what is asked of the server of a folder.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use clap::Args;
use serde_json::Value;

use super::bench::shown;
use crate::{
    cli::{Failure, print},
    serve::{self, Entry, Request, Slot, Status},
};

/// How often new lines are asked for.
pub(super) const FOLLOW: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The folder that is served
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The name it is installed by, or its file without .rune
    name: String,

    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Ps {
    #[command(flatten)]
    place: Where,

    /// Print everything that is known, as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    one: One,

    /// Go on with what it says from now on
    #[arg(short, long)]
    follow: bool,

    /// Print lines of JSON
    #[arg(long)]
    json: bool,
}

impl One {
    /// Asks for something that is answered with nothing.
    pub(crate) fn ask(&self, request: impl FnOnce(String) -> Request) -> Result<(), Failure> {
        serve::ask(&self.place.dir, &request(self.name.clone()))?;
        Ok(())
    }
}

impl Where {
    /// How all runes are.
    pub(crate) fn status(&self) -> Result<Vec<Status>, Failure> {
        let answer = serve::ask(&self.dir, &Request::Ps)?;
        serde_json::from_value(answer).map_err(Failure::usage)
    }
}

pub(crate) fn ps(args: &Ps) -> Result<(), Failure> {
    let status = args.place.status()?;
    let text = if args.json {
        format!("{:#}\n", serde_json::json!(status))
    } else {
        table(&status)
    };
    print(&text)
}

/// A line for each rune.
fn table(status: &[Status]) -> String {
    let head = [
        "NAME",
        "VERSION",
        "PHASE",
        "CALLS",
        "FAILED",
        "P50",
        "P99",
        "MEMORY",
        "INSTALLED",
        "ERROR",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(status.iter().map(|s| {
        let count = |path| number(s, path).map_or_else(String::new, |n| n.to_string());
        let time = |path| number(s, path).map_or_else(String::new, shown);
        let memory = number(s, "/memory_peak_bytes");
        [
            s.name.clone(),
            s.version.clone(),
            format!("{:?}", s.phase).to_lowercase(),
            count("/total/calls"),
            count("/total/failed"),
            time("/latency_ns/p50"),
            time("/latency_ns/p99"),
            memory.map_or_else(String::new, |n| format!("{} KiB", n.div_ceil(1024))),
            s.installed
                .iter()
                .map(Slot::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            s.error.clone().unwrap_or_default(),
        ]
    }));
    let widths: Vec<usize> = (0..head.len())
        .map(|i| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; 10]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

pub(crate) fn logs(args: &Logs) -> Result<(), Failure> {
    let mut since = 0;
    loop {
        let request = Request::Logs {
            rune: args.one.name.clone(),
            since,
        };
        let answer = serve::ask(&args.one.place.dir, &request)?;
        let lines: Vec<Entry> = serde_json::from_value(answer).map_err(Failure::usage)?;
        let mut text = String::new();
        for line in &lines {
            since = line.number + 1;
            let shown = if args.json {
                serde_json::json!(line).to_string()
            } else {
                format!("{} {}", clock(line.unix_ms), named(line))
            };
            text.push_str(&shown);
            text.push('\n');
        }
        print(&text)?;
        if !args.follow {
            return Ok(());
        }
        thread::sleep(FOLLOW);
    }
}

fn named(line: &Entry) -> String {
    let name = ["error", "warning", "note", "debug", "trace"];
    let at = (line.level.max(1) as usize - 1).min(name.len() - 1);
    format!("{}: {}", name[at], line.text)
}

/// A time as `2026-03-01T12:00:00.250Z`; those after the year 9999 as its end.
fn clock(unix_ms: u64) -> String {
    let since = Duration::from_millis(unix_ms.min(253_402_300_799_999));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// A number of a status, such as `/total/calls`.
pub(crate) fn number(status: &Status, path: &str) -> Option<u64> {
    status
        .saga
        .as_ref()
        .and_then(|v: &Value| v.pointer(path)?.as_u64())
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn times_are_dates_of_the_calendar() {
        assert_eq!(clock(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(clock(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
