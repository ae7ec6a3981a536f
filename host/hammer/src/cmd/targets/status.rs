//! `hmr targets status`: what devices are, and how their runes do.

use std::fmt::Write as _;

use rune_terminal::Failure;
use serde_json::{Map, Value, json};

use super::{Which, connect, each, ls::table, told};
use crate::{client::RuneState, cmd::print, find::Target, hex};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Print an object of JSON for each device, a line each
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let targets = args.which.targets()?;
    each(&targets, |target| one(target, args.json))
}

fn one(target: &Target, is_json: bool) -> Result<(), Failure> {
    let wrong = |error| told(target, &error);
    let mut client = connect(target)?;
    let about = client.about().map_err(wrong)?;
    let mut runes = vec![];
    for rune in client.runes().map_err(wrong)? {
        let counters = client.counters(Some(&rune.name)).map_err(wrong)?;
        runes.push((rune, counters));
    }
    let mode = if about.lock.is_some() {
        "locked"
    } else {
        "open"
    };
    if is_json {
        let all: Vec<Value> = runes
            .iter()
            .map(|(rune, counters)| object(rune, counters))
            .collect();
        let status = json!({
            "target": target.id,
            "board": about.board,
            "version": about.version,
            "abi": about.abi,
            "mode": mode,
            "up_ms": about.up_ms,
            "slots": about.slots,
            "slot_bytes": about.slot_bytes,
            "memory_bytes": about.memory_bytes,
            "runes": all,
        });
        return print(&format!("{status}\n"));
    }
    let mut text = format!(
        "{}: {} with version {}, {mode}, up {} s, {} slots of {} bytes\n",
        target.id,
        about.board,
        about.version,
        about.up_ms / 1000,
        about.slots,
        about.slot_bytes
    );
    let mut rows = vec![
        [
            "Rune", "Version", "State", "Doing", "Calls", "Failed", "Starts",
        ]
        .map(str::to_owned),
    ];
    for (rune, counters) in &runes {
        let of = |wanted: &str| {
            let found = counters.iter().find(|(name, _)| name == wanted);
            found.map_or(0, |(_, value)| *value)
        };
        rows.push([
            rune.name.clone(),
            version(rune).unwrap_or_default(),
            rune.state.clone(),
            rune.doing.clone(),
            (of("with_output") + of("without_output")).to_string(),
            of("failed").to_string(),
            of("starts").to_string(),
        ]);
    }
    if runes.is_empty() {
        text.push_str("  no rune runs\n");
    } else {
        for line in table(&rows).lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    for (rune, _) in runes.iter().filter(|(rune, _)| !rune.error.is_empty()) {
        let _ = writeln!(text, "  {}: {}", rune.name, rune.error);
    }
    print(&text)
}

fn version(rune: &RuneState) -> Option<String> {
    let [major, minor, patch] = rune.version?;
    Some(format!("{major}.{minor}.{patch}"))
}

fn object(rune: &RuneState, counters: &[(String, u64)]) -> Value {
    let counters: Map<String, Value> = counters
        .iter()
        .map(|(name, value)| (name.clone(), (*value).into()))
        .collect();
    json!({
        "name": rune.name,
        "sha256": hex(&rune.sha256),
        "version": version(rune),
        "state": rune.state,
        "doing": rune.doing,
        "attempts": rune.attempts,
        "error": Some(&rune.error).filter(|error| !error.is_empty()),
        "counters": counters,
    })
}
