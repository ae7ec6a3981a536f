//! A rune as people read it.

use std::fmt::{self, Write};

use rune_abi::{Manifest, Param, Value};
use rune_catalogue::Image;
use rune_codegen::{
    graph::Graph,
    report::{Cost, RegionKind, Report},
};

use super::{Part, Rune, hex, short};
use crate::device::{self, count};

/// Cells of the bar that shows the memory.
const BAR: u64 = 48;

/// What `runec inspect` prints.
pub(crate) fn text(rune: &Rune) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, rune);
    out
}

fn write(out: &mut String, rune: &Rune) -> fmt::Result {
    let manifest = &rune.manifest;
    writeln!(out, "{} {}", manifest.name, manifest.version)?;
    let bases: Vec<String> = manifest
        .bases
        .iter()
        .map(|b| format!("{} {}", b.name, b.version))
        .collect();
    let mut facts = vec![
        ("built on", bases.join(", ")),
        ("sha256", hex(&rune.digest)),
    ];
    if manifest.security_counter > 0 {
        facts.push((
            "counter",
            format!(
                "{}: a device that has run it takes none with a lower one",
                manifest.security_counter
            ),
        ));
    }
    if rune.has_source {
        facts.push((
            "sources",
            "inside; `FROM` this file builds on them".to_owned(),
        ));
    }
    let instructions: Vec<&str> = manifest.features.names().collect();
    let instructions = if instructions.is_empty() {
        "WebAssembly 1.0".to_owned()
    } else {
        instructions.join(", ")
    };
    facts.push(("uses", instructions));
    facts.push(("calls", rune.imports.join(", ")));
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {name:8}  {value}")?;
    }

    heading(out, "Interface", "")?;
    interface(out, manifest)?;

    heading(out, "Memory", &memory_heading(rune))?;
    match &rune.graph {
        Ok(graph) => memory(out, rune, &graph.report)?,
        Err(reason) => writeln!(
            out,
            "  stack      {}\n  what else there is, is not known: {reason}",
            count(manifest.stack_bytes.into())
        )?,
    }

    heading(out, "File", &format!("{} bytes", count(rune.file_bytes)))?;
    file(out, rune)?;

    if let Ok(graph) = &rune.graph {
        heading(
            out,
            "Stages",
            "in bytes; tensors are those alive when most are",
        )?;
        stages(out, graph)?;
    }

    heading(out, "Devices", "")?;
    devices(out, rune)
}

pub(super) fn heading(out: &mut String, name: &str, more: &str) -> fmt::Result {
    if more.is_empty() {
        writeln!(out, "\n{name}")
    } else {
        writeln!(out, "\n{name}: {more}")
    }
}

pub(super) fn interface(out: &mut String, manifest: &Manifest) -> fmt::Result {
    let mut rows: Vec<[String; 5]> = Vec::new();
    for capability in &manifest.capabilities {
        rows.push([
            "reads".to_owned(),
            capability.kind.spec().name.to_owned(),
            capability.name.clone(),
            capability.ty.to_string(),
            params(&capability.params),
        ]);
    }
    for output in &manifest.outputs {
        let tensors = output.tensors.iter().map(|t| t.ty.to_string());
        let from: Vec<&str> = output.tensors.iter().map(|t| t.from.as_str()).collect();
        rows.push([
            "writes".to_owned(),
            output.kind.spec().name.to_owned(),
            output.name.clone(),
            tensors.collect::<Vec<_>>().join(", "),
            format!("from {}", from.join(", ")),
        ]);
    }
    for model in &manifest.models {
        let types = |types: &[rune_abi::TensorType]| {
            types
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        rows.push([
            "model".to_owned(),
            String::new(),
            model.name.clone(),
            format!("{} -> {}", types(&model.inputs), types(&model.outputs)),
            format!("sha256:{}", short(&model.sha256)),
        ]);
    }
    columns(out, &rows, &[])
}

/// `hz 16000, hop 160`
pub(super) fn params(params: &[Param]) -> String {
    let shown = params
        .iter()
        .map(|p| format!("{} {}", p.name, value(&p.value)));
    shown.collect::<Vec<_>>().join(", ")
}

/// A parameter's value as a Runefile has it.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Text(text) => text.clone(),
    }
}

fn memory_heading(rune: &Rune) -> String {
    let pages = if rune.pages == 1 {
        "1 page".to_owned()
    } else {
        format!("{} pages", rune.pages)
    };
    format!(
        "{} bytes, in {pages} of 64 KiB",
        count(rune.manifest.memory_bytes.into())
    )
}

/// What a kind of memory is for, in words.
fn purpose(kind: RegionKind, report: &Report) -> String {
    match kind {
        RegionKind::Stack => "calls inside blocks".to_owned(),
        RegionKind::State => "what blocks remember from call to call".to_owned(),
        RegionKind::Arena if report.peak.stage.is_empty() => "tensors".to_owned(),
        RegionKind::Arena => format!("tensors; fullest in `{}`", clean(&report.peak.stage)),
        RegionKind::Constants => "weights of models, lists of tensors".to_owned(),
        RegionKind::Tables => "data of blocks".to_owned(),
        RegionKind::Rest => "manifest, names".to_owned(),
    }
}

fn memory(out: &mut String, rune: &Rune, report: &Report) -> fmt::Result {
    const SHADES: [char; 6] = ['S', 's', 'a', 'w', 't', '.'];
    let total = u64::from(rune.manifest.memory_bytes).max(1);
    let mut bar = String::new();
    let mut end = 0;
    for (region, shade) in report.memory.iter().zip(SHADES) {
        end += u64::from(region.bytes);
        let cells = usize::try_from(end * BAR / total).unwrap_or(0);
        bar.extend(std::iter::repeat_n(shade, cells.saturating_sub(bar.len())));
    }
    writeln!(out, "  [{bar}]")?;
    let rows: Vec<[String; 5]> = report
        .memory
        .iter()
        .zip(SHADES)
        .filter(|(region, _)| region.bytes > 0)
        .map(|(region, shade)| {
            [
                shade.to_string(),
                region.kind.name().to_owned(),
                count(region.bytes.into()),
                percent(region.bytes.into(), total),
                purpose(region.kind, report),
            ]
        })
        .collect();
    columns(out, &rows, &[2, 3])
}

/// `12 %`; what is there is at least `<1 %`.
fn percent(part: u64, whole: u64) -> String {
    let hundredths = part.saturating_mul(100) / whole.max(1);
    if hundredths == 0 && part > 0 {
        "<1 %".to_owned()
    } else {
        format!("{hundredths} %")
    }
}

fn file(out: &mut String, rune: &Rune) -> fmt::Result {
    let about = |name: &str| match name {
        "code" => format!("{} functions", rune.functions),
        "data" => "weights, tables, manifest; what is zero is left out".to_owned(),
        "frame" => "headers, types, imports, exports".to_owned(),
        "rune.manifest" => "what it needs, for its runtime".to_owned(),
        "rune.graph" => "its stages, for tools".to_owned(),
        "rune.source" => "what it was built from; devices do not need it".to_owned(),
        "rune.signature" => "who signed it".to_owned(),
        _ => String::new(),
    };
    let row = |part: &Part| [clean(&part.name), count(part.bytes), about(&part.name)];
    let rows: Vec<[String; 3]> = rune.parts.iter().map(row).collect();
    columns(out, &rows, &[1])
}

/// A name of a section, which may be any text.
pub(super) fn clean(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn stages(out: &mut String, graph: &Graph) -> fmt::Result {
    const HEADS: [&str; 6] = ["code", "constants", "tables", "state", "tensors", "stack"];
    let stages = graph.stages.iter().zip(&graph.report.stages);
    let mut all: Vec<(String, String, Cost)> = stages
        .map(|(stage, cost)| {
            let what = match stage.kind.as_str() {
                "model" => "model",
                _ => stage.what.split(' ').next().unwrap_or(""),
            };
            (stage.name.clone(), what.to_owned(), cost.cost)
        })
        .collect();
    for shared in &graph.report.shared {
        all.push((
            String::new(),
            format!("{}, shared", shared.name),
            shared.cost,
        ));
    }
    all.push((
        String::new(),
        "the calls between them".to_owned(),
        Cost {
            code: graph.report.entry,
            ..Cost::default()
        },
    ));
    let used: Vec<usize> = (0..HEADS.len())
        .filter(|i| all.iter().any(|(_, _, cost)| cost.parts()[*i] > 0))
        .collect();
    let mut rows = vec![heads(&used, &HEADS)];
    for (name, what, cost) in all {
        let mut row = vec![name, what];
        row.extend(used.iter().map(|i| match cost.parts()[*i] {
            0 => "-".to_owned(),
            bytes => count(bytes.into()),
        }));
        rows.push(row);
    }
    let right: Vec<usize> = (2..used.len() + 2).collect();
    columns(out, &rows, &right)
}

fn heads(used: &[usize], heads: &[&str; 6]) -> Vec<String> {
    let empty = [String::new(), String::new()];
    let heads = used.iter().map(|i| heads[*i].to_owned());
    empty.into_iter().chain(heads).collect()
}

fn devices(out: &mut String, rune: &Rune) -> fmt::Result {
    let rows: Vec<[String; 2]> = rune_catalogue::images()
        .map(|image| [image.name.clone(), fits(image, rune)])
        .collect();
    columns(out, &rows, &[])
}

/// Whether a rune fits a device and how well, or why not.
fn fits(image: &Image, rune: &Rune) -> String {
    let reasons = device::misfits(image, &rune.manifest, rune.deployed_bytes());
    if !reasons.is_empty() {
        return format!("no: {}", reasons.join("; "));
    }
    let needs = u64::from(rune.manifest.memory_bytes).next_multiple_of(image.page_bytes);
    // The first bank it fits in, as the image has them in the order they are filled.
    let bank = image
        .memory
        .iter()
        .find(|b| b.for_runes && b.share() >= needs);
    let memory = bank.map(|bank| format!("{} of {}", percent(needs, bank.share()), bank.name));
    let flash = image.largest_flash();
    let flash =
        flash.map(|b| format!("{} of its flash", percent(rune.deployed_bytes(), b.share())));
    let shares: Vec<String> = memory.into_iter().chain(flash).collect();
    if shares.is_empty() {
        "fits".to_owned()
    } else {
        format!("fits: {}", shares.join(", "))
    }
}

/// Rows with their cells under each other, two spaces in; the columns `right` end under each other.
pub(super) fn columns<R: AsRef<[String]>>(
    out: &mut String,
    rows: &[R],
    right: &[usize],
) -> fmt::Result {
    let columns = rows.iter().map(|r| r.as_ref().len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|i| {
            let cells = rows.iter().filter_map(|r| r.as_ref().get(i));
            cells.map(|c| c.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for row in rows {
        let mut line = String::new();
        for (i, cell) in row
            .as_ref()
            .iter()
            .enumerate()
            .filter(|(i, _)| widths[*i] > 0)
        {
            let width = widths[i];
            if right.contains(&i) {
                write!(line, "  {cell:>width$}")?;
            } else {
                write!(line, "  {cell:width$}")?;
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
