//! Findings of the inference: both ends, the reasons, the smallest repair.

use super::{End, Inference, Known, Why, block::show_port};
use crate::{
    check::{Loaded, edge_name},
    diag::{Code, Diagnostic},
    pipeline::{Edge, StageId, StageKind},
    ty::{ElementType, PartialType},
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
            (_, _) => format!(
                "put a block between them that turns {gives} into {wants}, or change the type of one of them"
            ),
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
        diagnostic = match (count(&maker.ty), count(&wanted.ty)) {
            (Some(have), Some(want)) if have == want => diagnostic.hint("both have the same number of elements in another order of dimensions, which is never converted silently"),
            (Some(have), Some(want)) => diagnostic.note(format!("{have} elements are given and {} wanted.", if want == 1 { "1 is".to_owned() } else { format!("{want} are") })).hint(self.repair(&edge, want, have)),
            (_, _) => diagnostic.hint("change the type or the arguments of one of them"),
        };
        self.found.push(diagnostic);
        self.silent[reader] = true;
    }

    /// The smallest change that would make a maker give `want` elements.
    pub(super) fn repair(&self, edge: &Edge, want: u64, have: u64) -> String {
        let maker = &self.pipeline.stages[edge.from];
        match &maker.kind {
            StageKind::Capability(kind) => match kind.value {
                CapabilityKind::Accel if want.is_multiple_of(3) => format!(
                    "let `{}` give as many: `--samples {}`",
                    maker.name.value,
                    want / 3
                ),
                CapabilityKind::Image => {
                    format!("change `--width` and `--height` of `{}`", maker.name.value)
                }
                CapabilityKind::Rand | CapabilityKind::Sound => format!(
                    "let `{}` give as many: `--samples {want}`",
                    maker.name.value
                ),
                CapabilityKind::Raw | CapabilityKind::Accel => {
                    format!("change the type of `{}`", maker.name.value)
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
                diagnostic = diagnostic.also(why.span, format!("{ty} {}", why.text));
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
                let name = kind.value.spec().name;
                let example = match kind.value {
                    CapabilityKind::Rand | CapabilityKind::Raw => "F32[1]",
                    CapabilityKind::Sound => "I16[16000]",
                    CapabilityKind::Accel => "F32[128, 3]",
                    CapabilityKind::Image => "U8[96, 96, 3]",
                };
                diagnostic.hint(format!(
                    "write the type here, such as `CAPABILITY<{example}> {name} {}`",
                    stage.name.value
                ))
            }
            StageKind::Block(_) | StageKind::Model { .. } | StageKind::Output(_) => {
                diagnostic.hint("write its type here: `<input -> output>` after the keyword")
            }
        };
        self.found.push(diagnostic);
        self.silent[id] = true;
    }
}

impl Why {
    /// The same reason, one stage further.
    pub(super) fn passed(&self, stage: &str) -> Self {
        let mut through = self.through.clone();
        if through.last().is_none_or(|last| last != stage) && through.len() < 8 {
            through.push(stage.to_owned());
        }
        Self {
            through,
            ..self.clone()
        }
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
