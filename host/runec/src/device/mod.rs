//! Whether a rune fits a device: its sensors and outputs here, its size in [`room`].

mod reference;
mod room;

use rune_abi::{Manifest, Value, WasmFeatures};
use rune_catalogue::{Image, Range};
use rune_ir::{
    args::{Bound, BoundArg},
    check::Analysis,
    diag::{Code, Diagnostic, Fix, Safety, Span, did_you_mean},
    pipeline::{Pipeline, Stage, StageId, StageKind},
};

pub use reference::reference;
pub(crate) use room::size;

/// The image that `--for NAME` means: its whole name, or the last part of it.
///
/// # Errors
/// One sentence, where there is none.
pub fn find(name: &str) -> Result<&'static Image, String> {
    let short = || rune_catalogue::image(&format!("runicos/{name}"));
    rune_catalogue::image(name).or_else(short).ok_or_else(|| {
        let known: Vec<&str> = rune_catalogue::images().map(Image::short_name).collect();
        let near = did_you_mean(name, known.iter().copied());
        let hint = near.map_or_else(
            || format!("there are {}", known.join(", ")),
            |near| format!("did you mean {near}?"),
        );
        format!("there is no device {name}; {hint}")
    })
}

/// A device that a rune must fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    image: &'static Image,
    by: By,
    /// Where that is written; of an option, where the rune begins.
    span: Span,
}

/// What names a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    From,
    For,
    Option,
}

impl Target {
    /// The devices of a pipeline, each once: its base image, its FORs, and what the command line asks for.
    pub(crate) fn all(pipeline: &Pipeline, option: Option<&'static Image>) -> Vec<Self> {
        let base = pipeline.image.iter().map(|image| (By::From, image));
        let devices = pipeline.devices.iter().map(|image| (By::For, image));
        let written = base.chain(devices).filter_map(|(by, image)| {
            Some(Self {
                image: rune_catalogue::image(&image.value)?,
                by,
                span: image.span,
            })
        });
        let option = option.map(|image| Self {
            image,
            by: By::Option,
            span: pipeline.image.as_ref().map_or(pipeline.whole, |i| i.span),
        });
        let mut all: Vec<Self> = Vec::new();
        for target in written.chain(option) {
            if !all.iter().any(|t| t.image.name == target.image.name) {
                all.push(target);
            }
        }
        all
    }

    /// Whether only a finished rune tells that it fits.
    pub(crate) fn has_limits(&self) -> bool {
        self.image.has_limits()
    }

    /// A finding about this device, which says who asked for it.
    fn finding(&self, code: Code, span: Span, message: String, label: String) -> Diagnostic {
        let found = Diagnostic::new(code, span, message).at(label);
        match self.by {
            By::From => found.also(self.span, "the base image"),
            By::For => found.also(self.span, "the rune must fit this device"),
            By::Option => found.note(format!(
                "`--for {}` asks for a rune that fits this device.",
                self.image.short_name()
            )),
        }
    }
}

/// What of a pipeline's capabilities and outputs the devices do not have.
pub(crate) fn interface(analysis: &Analysis, targets: &[Target]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for target in targets {
        for (id, stage) in analysis.pipeline.stages.iter() {
            match &stage.kind {
                StageKind::Capability(kind) => {
                    let spec = kind.value.spec();
                    let Some(capability) = target.image.capability(spec.name) else {
                        found.push(lacks(target, spec.name, kind.span, |i| {
                            i.capability(spec.name).is_some()
                        }));
                        continue;
                    };
                    for (name, range) in &capability.params {
                        found.extend(outside(target, analysis, id, stage, name, range));
                    }
                }
                StageKind::Output(kind) => {
                    let name = kind.value.spec().name;
                    let has = |image: &Image| image.outputs.iter().any(|o| o == name);
                    if !has(target.image) {
                        found.push(lacks(target, name, kind.span, has));
                    }
                }
                StageKind::Block(_) | StageKind::Model { .. } => {}
            }
        }
    }
    found
}

/// That a device has nothing of a kind.
fn lacks(target: &Target, kind: &str, span: Span, has: impl Fn(&Image) -> bool) -> Diagnostic {
    let message = format!("`{}` has no {kind}", target.image.name);
    let others = rune_catalogue::images().filter(|i| has(i));
    let others: Vec<&str> = others.map(|i| i.name.as_str()).collect();
    target
        .finding(
            Code::DeviceLacks,
            span,
            message,
            "not on this device".to_owned(),
        )
        .note(format!("{kind} is on {}.", others.join(", ")))
}

/// That a parameter is not what the device can do, if so.
fn outside(
    target: &Target,
    analysis: &Analysis,
    id: StageId,
    stage: &Stage,
    name: &str,
    range: &Range,
) -> Option<Diagnostic> {
    let StageKind::Capability(kind) = &stage.kind else {
        return None;
    };
    let spec = kind.value.spec();
    let index = spec.params.iter().position(|p| p.name == name)?;
    let written = analysis.args[id].get(index)?.as_ref();
    let (value, span) = if let Some(BoundArg { value, span }) = written {
        (value.clone(), *span)
    } else {
        // The size of a picture may be told by its type alone.
        let axis = ["height", "width"].iter().position(|n| *n == name)?;
        let dims = analysis.outputs[id].first()?.dims.as_ref()?;
        let from_end = dims.len().checked_sub(3)? + axis;
        (Bound::Integer(i64::from(dims[from_end]?.bound())), None)
    };
    let (shown, instead) = match (&value, range) {
        (Bound::Integer(n), Range::Integers(least, most)) => {
            if (least..=most).contains(&n) {
                return None;
            }
            (n.to_string(), n.clamp(least, most).to_string())
        }
        (Bound::Text(text), Range::Words(words)) => {
            if words.iter().any(|w| w.eq_ignore_ascii_case(text)) {
                return None;
            }
            (text.clone(), words[0].clone())
        }
        _ => return None,
    };
    let unit = spec.params[index].unit;
    let message = format!(
        "{} of `{}` takes `--{name}` {}, not {shown}",
        spec.name,
        target.image.name,
        can(range, unit)
    );
    let declared = stage.declared_outputs.iter().flatten().next();
    Some(match (written, span) {
        (_, Some(span)) => {
            // The place of an argument begins after its dashes.
            let fix = format!("{name} {instead}");
            target
                .finding(
                    Code::DeviceParameter,
                    span,
                    message,
                    "not on this device".to_owned(),
                )
                .hint(format!("write `--{fix}`, the nearest it can do"))
                .fix(Fix::new(
                    Safety::Unsafe,
                    format!("write `--{fix}`"),
                    span,
                    fix,
                ))
        }
        (Some(_), None) => target
            .finding(
                Code::DeviceParameter,
                kind.span,
                message,
                format!("`--{name}` is {shown} where it is not given"),
            )
            .hint(format!("add `--{name} {instead}`")),
        (None, None) => target
            .finding(
                Code::DeviceParameter,
                declared.map_or(kind.span, |d| d.span),
                message,
                format!("from here, `--{name}` is {shown}"),
            )
            .hint(format!("ask for {instead}, the nearest it can do")),
    })
}

/// The values of a range in words: `8000 to 48000 Hz`.
fn can(range: &Range, unit: &str) -> String {
    match range {
        Range::Integers(least, most) => format!("{least} to {most} {unit}").trim_end().to_owned(),
        Range::Words(words) => words.join(" or "),
    }
}

/// The features of WebAssembly that an image's engine runs.
fn engine_features(image: &Image) -> WasmFeatures {
    let has = |name: &str| image.wasm.iter().any(|w| w == name);
    let known = WasmFeatures::NAMES.iter().filter(|(_, name)| has(name));
    known.fold(WasmFeatures::default(), |all, (feature, _)| {
        all.union(*feature)
    })
}

/// The names of features that are used and that the engine lacks.
fn missing_features(image: &Image, used: WasmFeatures) -> Vec<&'static str> {
    let has = engine_features(image);
    let names = WasmFeatures::NAMES.iter();
    names
        .filter(|(feature, _)| used.contains(*feature) && !has.contains(*feature))
        .map(|(_, name)| *name)
        .collect()
}

/// Why a finished rune does not fit an image, a few words each; none: it does.
pub(crate) fn misfits(image: &Image, manifest: &Manifest, file_bytes: u64) -> Vec<String> {
    let mut reasons = Vec::new();
    for capability in &manifest.capabilities {
        let spec = capability.kind.spec();
        let Some(has) = image.capability(spec.name) else {
            reasons.push(format!("no {}", spec.name));
            continue;
        };
        for (name, range) in &has.params {
            let dims = capability.ty.dims();
            let side = |from_end: usize| {
                let dim = dims.len().checked_sub(from_end).and_then(|i| dims.get(i));
                dim.map(|d| Value::Integer(d.bound().into()))
            };
            let given = capability.params.iter().find(|p| p.name == *name);
            let value = given
                .map(|p| p.value.clone())
                .or_else(|| match name.as_str() {
                    "height" => side(3),
                    "width" => side(2),
                    _ => None,
                });
            let fits = match (&value, range) {
                (Some(Value::Integer(n)), Range::Integers(least, most)) => {
                    (least..=most).contains(&n)
                }
                (Some(Value::Text(text)), Range::Words(words)) => {
                    words.iter().any(|w| w.eq_ignore_ascii_case(text.as_str()))
                }
                _ => true,
            };
            if !fits {
                let unit = spec
                    .params
                    .iter()
                    .find(|p| p.name == name)
                    .map_or("", |p| p.unit);
                reasons.push(format!("{} has {name} {}", spec.name, can(range, unit)));
            }
        }
    }
    for output in &manifest.outputs {
        let name = output.kind.spec().name;
        if !image.outputs.iter().any(|o| o == name) {
            reasons.push(format!("no {name}"));
        }
    }
    let missing = missing_features(image, manifest.features);
    if !missing.is_empty() {
        reasons.push(format!("no {}", missing.join(", ")));
    }
    let needs = u64::from(manifest.memory_bytes).next_multiple_of(image.page_bytes);
    let limits = [
        ("memory", needs, image.largest_memory()),
        ("flash", file_bytes, image.largest_flash()),
    ];
    for (what, needs, bank) in limits {
        if let Some(bank) = bank.filter(|b| needs > b.share()) {
            let has = count(bank.share());
            reasons.push(format!("{what}: {} of {has} bytes", count(needs)));
        }
    }
    reasons
}

/// A number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use rune_abi::{CapabilityKind, OutputKind, ParamType};

    use super::*;

    #[test]
    fn every_name_in_an_image_is_one_of_the_contract() {
        for image in rune_catalogue::images() {
            let of = &image.name;
            for capability in &image.capabilities {
                let kind = CapabilityKind::from_name(&capability.kind).unwrap();
                let spec = kind.spec();
                assert_eq!(spec.name, capability.kind, "{of}: the canonical name");
                for (name, range) in &capability.params {
                    let param = spec.params.iter().find(|p| p.name == name).unwrap();
                    match (range, param.ty) {
                        (Range::Integers(least, most), ParamType::Integer(low, high)) => {
                            assert!(low <= *least && *most <= high, "{of}: {name}");
                        }
                        (Range::Words(words), ParamType::Word(known)) => {
                            assert!(words.iter().all(|w| known.contains(&w.as_str())), "{of}");
                        }
                        _ => panic!("{of}: {name} of {} has no such range", spec.name),
                    }
                }
            }
            for output in &image.outputs {
                assert_eq!(OutputKind::from_name(output).unwrap().spec().name, output);
            }
            let known: Vec<&str> = WasmFeatures::NAMES.iter().map(|(_, name)| *name).collect();
            assert!(
                image.wasm.iter().all(|w| known.contains(&w.as_str())),
                "{of}"
            );
            // Whatever a rune is compiled to without vectors, every device runs.
            let scalar = WasmFeatures(WasmFeatures::ALL.0 & !0x60);
            assert!(engine_features(image).contains(scalar), "{of}");
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (65_536, "65,536"),
            (8_388_608, "8,388,608"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn a_device_is_found_by_either_name() {
        for name in ["portenta-h7", "runicos/portenta-h7", "portenta-h7@latest"] {
            assert_eq!(find(name).unwrap().name, "runicos/portenta-h7");
        }
        assert!(
            find("portenta-h")
                .unwrap_err()
                .ends_with("did you mean portenta-h7?")
        );
        assert!(find("esp32").unwrap_err().contains("mps2-an500"));
    }
}
