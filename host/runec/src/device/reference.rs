//! The reference of base images, in Markdown.

use std::fmt::{self, Write};

use rune_abi::{CapabilityKind, ParamSpec};
use rune_catalogue::{Bank, Image};

use super::{can, count};

/// A section for each image: what it has, and how much of it.
pub fn reference() -> String {
    let mut out = String::new();
    for image in rune_catalogue::images() {
        // Writing to a string does not fail.
        let _ = section(&mut out, image);
    }
    out
}

fn section(out: &mut String, image: &Image) -> fmt::Result {
    writeln!(
        out,
        "\n### {} {}\n\n{}\n",
        image.name, image.version, image.doc
    )?;
    writeln!(out, "| | |\n|---|---|")?;
    let clock = image
        .clock_hz
        .map(|hz| format!(", at {} MHz", hz / 1_000_000));
    let pages = match image.page_bytes {
        1 => String::new(),
        bytes => format!("; memory in pages of {} bytes", count(bytes)),
    };
    let clock = clock.unwrap_or_default();
    writeln!(out, "| engine | {}{clock}{pages} |", image.engine)?;
    writeln!(out, "| instructions | {} |", image.wasm.join(", "))?;
    for capability in &image.capabilities {
        let kind = CapabilityKind::from_name(&capability.kind);
        let specs = kind.map_or(&[][..], |k| k.spec().params);
        let unit = |name: &str| {
            let spec: Option<&ParamSpec> = specs.iter().find(|p| p.name == name);
            spec.map_or("", |p| p.unit)
        };
        let params = capability.params.iter();
        let params = params.map(|(name, range)| format!("{name} {}", can(range, unit(name))));
        let params: Vec<String> = params.collect();
        let params = if params.is_empty() {
            "any".to_owned()
        } else {
            params.join(", ")
        };
        writeln!(out, "| {} | {params} |", capability.kind)?;
    }
    writeln!(out, "| outputs | {} |", image.outputs.join(", "))?;
    if !image.radios.is_empty() {
        writeln!(
            out,
            "| radios | {}, which no rune can ask for yet |",
            image.radios.join(", ")
        )?;
    }
    banks(out, "Memory", &image.memory)?;
    banks(out, "Flash", &image.flash)
}

fn banks(out: &mut String, what: &str, banks: &[Bank]) -> fmt::Result {
    if banks.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| {what} | bytes | for | |\n|---|---|---|---|")?;
    for bank in banks {
        let used = match (bank.for_runes, bank.slots) {
            (false, _) => "the firmware".to_owned(),
            (true, 1) => "runes".to_owned(),
            (true, n) => format!("{n} runes of {} bytes", count(bank.share())),
        };
        writeln!(
            out,
            "| {} | {} | {used} | {} |",
            bank.name,
            count(bank.bytes),
            bank.doc
        )?;
    }
    Ok(())
}
