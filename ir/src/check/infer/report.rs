//! Findings of the inference: both ends, the reasons, the smallest repair.

use super::{End, Inference, Known, Why, block::show_port};
use crate::{
    check::{Loaded, edge_name},
    diag::{Code, Diagnostic},
    pipeline::{Edge, StageId, StageKind},
    ty::{Dim, ElementType, PartialType},
};
use rune_abi::CapabilityKind;

impl Inference<'_> {
    pub(super) fn element_mismatch(
        &mut self,
        reader: StageId,
        index: usize,
        maker: &Known,
        known: &Known,
    ) {
        let edge = self.pipeline.stages[reader].inputs[index];
        let wants = known.ty.element.map_or_else(String::new, |e| e.to_string());
        let gives = maker.ty.element.map_or_else(String::new, |e| e.to_string());
        let diagnostic = self.mismatch(
            Code::TypeMismatch,
            reader,
            &edge,
            maker,
            known,
            (&maker.why_element, &known.why_element),
        );
        let hint = match (maker.ty.element, known.ty.element) {
            (Some(ElementType::Utf8), _) | (_, Some(ElementType::Utf8)) => format!(
                "text and numbers do not mix: `{}` cannot feed `{}`",
                edge_name(self.pipeline, &edge),
                self.pipeline.stages[reader].name.value
            ),
            (_, _) => {
                let block = converter(maker.ty.element, known.ty.element);
                format!(
                    "put a block between them that turns {gives} into {wants}{block}, or change the type of one of them"
                )
            }
        };
        self.found.push(diagnostic.hint(hint));
        self.silent[reader] = true;
    }

    pub(super) fn shape_mismatch(
        &mut self,
        reader: StageId,
        index: usize,
        maker: &Known,
        known: &Known,
    ) {
        let edge = self.pipeline.stages[reader].inputs[index];
        let mut wanted = known.clone();
        let mut diagnostic =
            if let (None, Some(port)) = (&known.ty.dims, self.pattern(reader, End::Input, index)) {
                let Loaded::Block(block) = &self.loaded[reader] else {
                    return;
                };
                let wants = show_port(&block.signature, port);
                let stage = &self.pipeline.stages[reader];
                Diagnostic::new(
                    Code::ShapeMismatch,
                    edge.span,
                    format!(
                        "`{}` wants {wants}, but `{}` gives {}",
                        stage.name.value,
                        edge_name(self.pipeline, &edge),
                        maker.ty
                    ),
                )
                .at(format!("{} comes from here", maker.ty))
                .also(
                    stage.name.span,
                    format!("`{}` wants {wants}", stage.name.value),
                )
            } else {
                wanted.ty.element = wanted.ty.element.or(maker.ty.element);
                self.mismatch(
                    Code::ShapeMismatch,
                    reader,
                    &edge,
                    maker,
                    &wanted,
                    (&maker.why_dims, &known.why_dims),
                )
            };
        let count = |ty: &PartialType| ty.complete().map(|t| t.elements());
        let is_bounded = |ty: &PartialType| {
            let dims = ty.dims.iter().flatten();
            dims.flatten().any(|d| matches!(d, Dim::AtMost(_)))
        };
        diagnostic = match (count(&maker.ty), count(&wanted.ty)) {
            _ if is_bounded(&maker.ty) && !is_bounded(&wanted.ty) => diagnostic.hint(format!(
                "`{}` takes tensors that are always full; put a block between them that takes `<=` and fills up the rest",
                self.pipeline.stages[reader].name.value
            )),
            (Some(have), Some(want)) if have == want => diagnostic
                .note("Both have the same number of elements in other dimensions, which is never converted silently.")
                .hint(if is_permuted(&maker.ty, &wanted.ty) {
                    format!("give the data in the order {}; a reshape does not move them", wanted.ty)
                } else {
                    format!("if they are in this order already, put a `runicos/reshape` between them that makes {} of them", wanted.ty)
                }),
            (Some(have), Some(want)) => {
                let given = match have {
                    1 => "1 element is".to_owned(),
                    _ => format!("{have} elements are"),
                };
                let needed = match want {
                    1 => "1 is".to_owned(),
                    _ => format!("{want} are"),
                };
                diagnostic
                    .note(format!("{given} given and {needed} wanted."))
                    .hint(
                        self.other_picture(&edge, maker, &wanted)
                            .unwrap_or_else(|| self.repair(&edge, want, have)),
                    )
            }
            (_, _) => diagnostic.hint("change the type or the arguments of one of them"),
        };
        self.found.push(diagnostic);
        self.silent[reader] = true;
    }

    /// What makes the picture of a camera the one that is wanted.
    fn other_picture(&self, edge: &Edge, maker: &Known, wanted: &Known) -> Option<String> {
        let stage = &self.pipeline.stages[edge.from];
        let StageKind::Capability(kind) = &stage.kind else {
            return None;
        };
        let ([height, width, channels], wanted) = (picture(&maker.ty)?, picture(&wanted.ty)?);
        let is_image = [CapabilityKind::Image, CapabilityKind::FloatImage].contains(&kind.value);
        if !is_image || ![1, 3].contains(&wanted[2]) {
            return None;
        }
        let mut arguments = Vec::new();
        if width != wanted[1] {
            arguments.push(format!("--width {}", wanted[1]));
        }
        if height != wanted[0] {
            arguments.push(format!("--height {}", wanted[0]));
        }
        let size = arguments.join(" ");
        let block = match (channels == wanted[2], wanted[2]) {
            (true, _) => format!(", or put a `runicos/image-resize` with `{size}` between them"),
            (false, 1) if size.is_empty() => {
                ", or put a `runicos/grayscale` between them".to_owned()
            }
            (false, _) => String::new(),
        };
        if channels != wanted[2] {
            let format = if wanted[2] == 1 { "GrayScale" } else { "RGB" };
            arguments.push(format!("--pixel-format {format}"));
        }
        Some(format!(
            "let `{}` give what is wanted: `{}`{block}",
            stage.name.value,
            arguments.join(" ")
        ))
    }

    /// The smallest change that would make a maker give `want` elements.
    pub(super) fn repair(&self, edge: &Edge, want: u64, have: u64) -> String {
        // What only passes a shape on is not to blame for it.
        let mut origin = edge;
        while let [before] = &self.pipeline.stages[origin.from].inputs[..]
            && let Some(given) = self.outputs[before.from].get(before.port as usize)
            && given.ty.complete().is_some_and(|ty| ty.elements() == have)
        {
            origin = before;
        }
        let maker = &self.pipeline.stages[origin.from];
        match &maker.kind {
            StageKind::Capability(kind) => match kind.value {
                CapabilityKind::Accel if want.is_multiple_of(3) => format!(
                    "let `{}` give as many: `--samples {}`",
                    maker.name.value,
                    want / 3
                ),
                CapabilityKind::Image | CapabilityKind::FloatImage => {
                    format!("change `--width` and `--height` of `{}`", maker.name.value)
                }
                CapabilityKind::Rand
                | CapabilityKind::Sound
                | CapabilityKind::Temperature
                | CapabilityKind::Gpio => format!(
                    "let `{}` give as many: `--samples {want}`",
                    maker.name.value
                ),
                CapabilityKind::Raw | CapabilityKind::Accel => {
                    format!("change the type or the arguments of `{}`", maker.name.value)
                }
            },
            StageKind::Block(_) | StageKind::Model { .. } | StageKind::Output(_) => format!(
                "put a block between them that makes {want} elements of {have}, or change what feeds `{}`",
                maker.name.value
            ),
        }
    }

    pub(super) fn mismatch(
        &self,
        code: Code,
        reader: StageId,
        edge: &Edge,
        maker: &Known,
        known: &Known,
        whys: (&Option<Why>, &Option<Why>),
    ) -> Diagnostic {
        let stage = &self.pipeline.stages[reader];
        let from = edge_name(self.pipeline, edge);
        let mut diagnostic = Diagnostic::new(
            code,
            edge.span,
            format!(
                "`{}` wants {}, but `{from}` gives {}",
                stage.name.value, known.ty, maker.ty
            ),
        )
        .at(format!("{} comes from here", maker.ty));
        let mut shown = vec![edge.span];
        for (why, ty) in [(whys.0, &maker.ty), (whys.1, &known.ty)] {
            if let Some(why) = why
                && !shown.contains(&why.span)
            {
                shown.push(why.span);
                let what = match (code, ty.element) {
                    (Code::TypeMismatch, Some(element)) => element.to_string(),
                    (_, _) => ty.to_string(),
                };
                diagnostic = diagnostic.also(why.span, format!("{what} {}", why.text));
            }
        }
        for why in [whys.0, whys.1].into_iter().flatten() {
            diagnostic = why.noted(diagnostic);
        }
        diagnostic
    }

    /// Reports a type that nothing decides, once, at the first stage of the chain; stages after it follow.
    pub(super) fn open(&mut self, id: StageId, end: End, known: &Known) {
        let stage = &self.pipeline.stages[id];
        let upstream_open = stage.inputs.iter().any(|e| self.silent[e.from]);
        if self.silent[id] || upstream_open || end == End::Input {
            self.silent[id] = true;
            return;
        }
        let what = match (known.ty.element, &known.ty.dims) {
            (None, None) => "the type",
            (None, Some(_)) => "the element type",
            (Some(_), _) => "the shape",
        };
        let mut diagnostic = Diagnostic::new(
            Code::CannotInfer,
            stage.name.span,
            format!("cannot infer {what} of `{}`", stage.name.value),
        )
        .at(match (known.ty.element, &known.ty.dims) {
            (None, None) => "nothing says what this is".to_owned(),
            _ => format!("known so far: {}", known.ty),
        });
        diagnostic = match &stage.kind {
            StageKind::Capability(kind) => {
                let kind_name = kind.value.spec().name;
                let (example, arguments) = match kind.value {
                    CapabilityKind::Rand => ("F32[1]", "--samples 1"),
                    CapabilityKind::Raw => ("F32[1]", "--length 4"),
                    CapabilityKind::Sound => ("I16[16000]", "--samples 16000"),
                    CapabilityKind::Accel => ("F32[128, 3]", "--samples 128"),
                    CapabilityKind::Image => ("U8[96, 96, 3]", "--width 96 --height 96"),
                    CapabilityKind::FloatImage => ("F32[96, 96, 3]", "--width 96 --height 96"),
                    CapabilityKind::Temperature => ("F32[1]", "--samples 1"),
                    CapabilityKind::Gpio => ("U8[1]", "--samples 1"),
                };
                let name = &stage.name.value;
                let written = format!("such as `CAPABILITY<{example}> {kind_name} {name}`");
                diagnostic.hint(match known.ty.element {
                    Some(_) => format!("say how much one call reads, such as `{arguments}`, or write the type, {written}"),
                    None => format!("write the type here, {written}"),
                })
            }
            StageKind::Block(_) | StageKind::Model { .. } | StageKind::Output(_) => {
                diagnostic.hint("write its types after the keyword, `_` for what is known, such as `<_ -> F32[1]>`")
            }
        };
        self.found.push(diagnostic);
        self.silent[id] = true;
    }
}

impl Why {
    /// The same reason, one stage further.
    pub(super) fn passed(&self, stage: &str) -> Self {
        let mut why = self.clone();
        let through = &self.through;
        if through.last().is_none_or(|last| last != stage) && through.len() < 8 {
            why.through = through.iter().cloned().chain([stage.to_owned()]).collect();
        }
        why
    }

    /// Adds the way the fact came, where it came through other stages.
    pub(super) fn noted(&self, diagnostic: Diagnostic) -> Diagnostic {
        if self.through.len() < 2 {
            return diagnostic;
        }
        let names: Vec<String> = self.through.iter().map(|s| format!("`{s}`")).collect();
        diagnostic.note(format!("The type comes through {}.", names.join(", ")))
    }
}

/// The block of the catalogue that turns one element type into another, for a message: ", such as `...`".
fn converter(from: Option<ElementType>, to: Option<ElementType>) -> &'static str {
    use ElementType::{F32, I8, I16, U8};
    match (from, to) {
        (Some(F32), Some(I8 | U8)) => ", such as `runicos/quantize`",
        (Some(I8 | U8), Some(F32)) => {
            ", such as `runicos/dequantize`, or `runicos/image-normalization` for a picture"
        }
        (Some(I16), Some(F32)) => ", such as `runicos/audio-float-conversion`",
        (_, _) => ", such as `runicos/cast`",
    }
}

/// Height, width and channels, where a type may be that of one picture.
fn picture(ty: &PartialType) -> Option<[u32; 3]> {
    let ty = ty.complete()?;
    let dims: Vec<u32> = ty.dims.iter().map(|d| d.bound()).collect();
    match dims[..] {
        [height, width, channels] | [1, height, width, channels] => Some([height, width, channels]),
        _ => None,
    }
}

/// Whether two types have the same dimensions in another order, those of 1 left out.
fn is_permuted(a: &PartialType, b: &PartialType) -> bool {
    let dims = |ty: &PartialType| {
        let mut dims: Vec<u32> = ty.complete()?.dims.iter().map(|d| d.bound()).collect();
        dims.retain(|d| *d > 1);
        dims.sort_unstable();
        Some(dims)
    };
    dims(a).is_some() && dims(a) == dims(b)
}

/// Element types in a sentence: "F32", "F32 or F64", "U8, F32 or F64", "numbers of any type".
pub(super) fn one_of(elements: &[ElementType]) -> String {
    let is_number = |e: &ElementType| *e != ElementType::Utf8;
    if ElementType::ALL
        .iter()
        .all(|e| elements.contains(e) == is_number(e))
    {
        return "numbers of any type".to_owned();
    }
    let names: Vec<String> = elements.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}
