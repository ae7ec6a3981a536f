//! Whether a rune, once compiled, fits a device: its instructions, its memory, its flash; and where there is
//! too little, which stage costs what.

use rune_abi::{CapabilityKind, WasmFeatures};
use rune_codegen::{
    Output,
    report::{Cost, Report, StageCost},
};
use rune_ir::{
    diag::{Code, Diagnostic},
    pipeline::{Pipeline, Stage, StageKind},
};

use super::{By, Target, count, missing_features};

/// Hundredths of a limit from which a warning says that it is near.
const NEAR: u64 = 90;

/// How many stages a table of costs shows.
const MOST_ROWS: usize = 6;

/// What of a finished rune does not fit the devices, or only just.
pub(crate) fn size(pipeline: &Pipeline, output: &Output, targets: &[Target]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for target in targets {
        found.extend(features(target, output.manifest.features));
        let rune = Rune {
            pipeline,
            report: &output.report,
            target,
        };
        found.extend(rune.memory(output.manifest.memory_bytes));
        found.extend(rune.flash(output.wasm.len() as u64));
    }
    found
}

/// That the engine of a device would refuse the code, if so.
fn features(target: &Target, used: WasmFeatures) -> Option<Diagnostic> {
    let missing = missing_features(target.image, used);
    if missing.is_empty() {
        return None;
    }
    let image = target.image;
    let message = format!(
        "the rune uses {}, which {} on `{}` does not run",
        missing.join(" and "),
        image.engine,
        image.name
    );
    let mode = if missing.contains(&"simd128") {
        "off"
    } else {
        "on"
    };
    let found = Diagnostic::new(Code::DeviceFeatures, target.span, message);
    let found = match target.by {
        By::From | By::For => found.at("its engine would refuse this rune"),
        By::Option => found.at("asked for with `--for`"),
    };
    let only = missing.iter().all(|m| m.contains("simd"));
    Some(found.maybe_hint(only.then(|| format!("build with `--simd {mode}`"))))
}

/// What a device has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Memory,
    Flash,
}

impl Room {
    /// What a stage takes.
    fn of(self, cost: &Cost) -> u64 {
        match self {
            Self::Memory => cost.memory(),
            Self::Flash => cost.file(),
        }
    }

    /// What that is made of.
    fn parts(self, cost: &Cost) -> [(&'static str, u32); 4] {
        let (first, constants) = match self {
            Self::Memory => (
                [("tensors", cost.arena), ("state", cost.state)],
                cost.constants,
            ),
            Self::Flash => (
                [("code", cost.code), ("state", 0)],
                cost.constants + cost.flash,
            ),
        };
        let [a, b] = first;
        [a, b, ("constants", constants), ("tables", cost.tables)]
    }
}

/// A finished rune on its way to a device.
struct Rune<'a> {
    pipeline: &'a Pipeline,
    report: &'a Report,
    target: &'a Target,
}

impl Rune<'_> {
    /// That its memory is too much for the device, or nearly so.
    fn memory(&self, bytes: u32) -> Option<Diagnostic> {
        let image = self.target.image;
        let bank = image.largest_memory()?;
        let needs = u64::from(bytes).next_multiple_of(image.page_bytes);
        let message = format!(
            "the rune needs {} bytes of memory; `{}` gives it {}, its {}",
            count(needs),
            image.name,
            count(bank.share()),
            bank.name
        );
        let fault = (Code::DeviceMemory, message);
        let near = format!(
            "the rune takes {} of the {} bytes of memory that `{}` gives it",
            count(needs),
            count(bank.share()),
            image.name
        );
        let found = self.limit(needs, bank.share(), fault, near, Room::Memory)?;
        let found = if found.code == Code::DeviceMemory && image.memory.len() > 1 {
            found.note("A rune's memory is one piece, and banks do not join.")
        } else {
            found
        };
        Some(if needs == u64::from(bytes) {
            found
        } else {
            found.note(format!(
                "It uses {} bytes; {} gives memory in pages of {}.",
                count(bytes.into()),
                image.engine,
                count(image.page_bytes)
            ))
        })
    }

    /// That its file is too large for the device, or nearly so.
    fn flash(&self, bytes: u64) -> Option<Diagnostic> {
        let image = self.target.image;
        let bank = image.largest_flash()?;
        let fault = format!(
            "the rune is {} bytes long; `{}` has {} of flash for it",
            count(bytes),
            image.name,
            count(bank.share())
        );
        let near = format!(
            "the rune is {} bytes long, of {} of flash that `{}` has for it",
            count(bytes),
            count(bank.share()),
            image.name
        );
        let fault = (Code::DeviceFlash, fault);
        let found = self.limit(bytes, bank.share(), fault, near, Room::Flash)?;
        Some(if found.code == Code::DeviceFlash && bank.slots > 1 {
            found.note(format!(
                "{} of {} bytes is shared by {} runes: the one that runs, and one that arrives.",
                capital(&bank.name),
                count(bank.bytes),
                bank.slots
            ))
        } else {
            found
        })
    }

    /// An error where there is too little of something, a warning where there is nearly.
    fn limit(
        &self,
        needs: u64,
        has: u64,
        (code, fault): (Code, String),
        near: String,
        room: Room,
    ) -> Option<Diagnostic> {
        let part = |cost: &Cost| room.of(cost);
        let (code, message) = if needs > has {
            (code, fault)
        } else if needs * 100 > has * NEAR {
            (Code::DeviceNearlyFull, near)
        } else {
            return None;
        };
        let mut stages: Vec<&StageCost> = self.report.stages.iter().collect();
        let greatest = stages.iter().map(|s| part(&s.cost)).max()?;
        // Of those that take nearly the same, the first: the others have their size from it.
        let most = *stages
            .iter()
            .find(|s| part(&s.cost) >= greatest - greatest / 10)?;
        stages.sort_by_key(|s| std::cmp::Reverse(part(&s.cost)));
        let stage = self
            .pipeline
            .stages
            .iter()
            .find(|(_, s)| s.name.value == most.name)
            .map(|(_, s)| s)?;
        let label = format!("takes {} of them", count(part(&most.cost)));
        let found = self
            .target
            .finding(code, stage.name.span, message, label)
            .note(table(&stages, room));
        Some(if needs > has {
            found.hint(format!(
                "{} bytes must go: {}",
                count(needs - has),
                self.advice(stage, &most.cost)
            ))
        } else {
            found
        })
    }
}

impl Rune<'_> {
    /// What would make a stage smaller.
    fn advice(&self, stage: &Stage, cost: &Cost) -> String {
        let name = &stage.name.value;
        match &stage.kind {
            StageKind::Capability(kind)
                if [CapabilityKind::Image, CapabilityKind::FloatImage].contains(&kind.value) =>
            {
                format!("let `{name}` give a smaller picture")
            }
            StageKind::Capability(_) => format!("let `{name}` read less per call"),
            StageKind::Model { .. } if cost.arena > cost.constants => {
                format!("give the model of `{name}` a smaller input, or quantise it to 8 bits")
            }
            StageKind::Model { .. } => {
                format!("quantise the model of `{name}` to 8 bits, or prune its weights")
            }
            StageKind::Block(_) if cost.tables > cost.arena => {
                format!("let `{name}` need smaller tables, by its arguments or a shorter input")
            }
            // What it works on is as large as what it is given.
            StageKind::Block(_) | StageKind::Output(_) => match stage.inputs.first() {
                Some(edge) => self.advice(&self.pipeline.stages[edge.from], &Cost::default()),
                None => format!("let `{name}` work on less at once"),
            },
        }
    }
}

/// The stages that cost the most, the greatest first, a line each.
fn table(stages: &[&StageCost], room: Room) -> String {
    let part = |cost: &Cost| room.of(cost);
    let rows: Vec<&&StageCost> = stages.iter().filter(|s| part(&s.cost) > 0).collect();
    let shown = &rows[..rows.len().min(MOST_ROWS)];
    let width = shown.iter().map(|s| s.name.chars().count()).max();
    let digits = shown.first().map_or(0, |s| count(part(&s.cost)).len());
    let mut lines = vec!["What each stage takes, in bytes:".to_owned()];
    lines.extend(shown.iter().map(|stage| {
        let name = format!("{:1$}", stage.name, width.unwrap_or(0));
        let bytes = format!("{:>digits$}", count(part(&stage.cost)));
        format!("  {name}  {bytes}  {}", parts(&room.parts(&stage.cost)))
            .trim_end()
            .to_owned()
    }));
    if rows.len() > MOST_ROWS {
        let rest: u64 = rows[MOST_ROWS..].iter().map(|s| part(&s.cost)).sum();
        lines.push(format!(
            "  {} others take {}",
            rows.len() - MOST_ROWS,
            count(rest)
        ));
    }
    lines.join("\n")
}

/// What a stage's part of something is made of, in words: `tensors 64, constants 1,284`.
fn parts(parts: &[(&str, u32)]) -> String {
    let mut parts: Vec<_> = parts.iter().filter(|(_, bytes)| *bytes > 0).collect();
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let shown = parts
        .iter()
        .map(|(name, bytes)| format!("{name} {}", count(u64::from(*bytes))));
    shown.collect::<Vec<_>>().join(", ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
