//! `hmr targets ls`: which devices there are.

use rune_terminal::Failure;
use serde_json::{Value, json};

use super::Which;
use crate::{cmd::print, find::Target, link::Address};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Print a JSON array, an object for each device
    #[arg(long)]
    json: bool,
}

/// Whether it wants requests signed.
fn mode(target: &Target) -> &'static str {
    match &target.about {
        Some(about) if about.lock.is_some() => "locked",
        Some(_) => "open",
        None => "",
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut found = args.which.found()?;
    if !args.which.target.is_empty() {
        found.retain(|target| {
            args.which
                .target
                .iter()
                .any(|begin| target.id.starts_with(&**begin))
        });
    }
    if args.json {
        let all: Vec<Value> = found.iter().map(object).collect();
        return print(&format!("{}\n", Value::from(all)));
    }
    let mut rows = vec![["Target", "Type", "Name", "Available", "Mode"].map(str::to_owned)];
    for target in &found {
        let kinds: Vec<&str> = target.addresses.iter().map(Address::kind).collect();
        let available = if target.about.is_some() {
            "True"
        } else {
            "False"
        };
        rows.push([
            target.id.clone(),
            kinds.join(","),
            target.name.clone(),
            available.to_owned(),
            mode(target).to_owned(),
        ]);
    }
    print(&table(&rows))?;
    if found.is_empty() {
        return Err(Failure::refused(
            "no device was found; is it on this network? `--timeout 10` looks longer, `--udp HOST` asks one address",
        ));
    }
    Ok(())
}

fn object(target: &Target) -> Value {
    let links: Vec<Value> = target
        .addresses
        .iter()
        .map(|address| json!({ "type": address.kind(), "address": address.to_string() }))
        .collect();
    let about = target.about.as_ref();
    json!({
        "target": target.id,
        "name": target.name,
        "available": about.is_some(),
        "mode": mode(target),
        "links": links,
        "version": about.map(|about| &*about.version),
        "abi": about.map(|about| about.abi),
        "slots": about.map(|about| about.slots),
        "slot_bytes": about.map(|about| about.slot_bytes),
        "memory_bytes": about.map(|about| about.memory_bytes),
    })
}

/// Rows in columns, two spaces apart.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let cells: Vec<String> = cells.collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
