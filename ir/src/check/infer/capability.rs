//! What a capability's kind and arguments say about its tensor.

use std::sync::Arc;

use super::{Inference, Known, Why, report::one_of, shape::join};
use crate::{
    args::{Bound, BoundArg},
    check::check_size,
    diag::{Code, Diagnostic, Span},
    pipeline::StageId,
    ty::{Dim, PartialType},
};
use rune_abi::CapabilityKind;

/// Dimensions that follow from arguments, and where those are written.
type Said = (Vec<Option<Dim>>, Option<Span>);

/// The pixel format of one channel.
const GREY: &str = "GrayScale";

impl Inference<'_> {
    /// Takes in what the kind and the arguments say, and checks that the kind can give what is wanted.
    pub(super) fn capability(&mut self, id: StageId, kind: CapabilityKind, span: Span) {
        let spec = kind.spec();
        let known = self.outputs[id][0].clone();
        let fault = self
            .wrong_element(id, kind, span, &known)
            .or_else(|| bounded(spec.name, span, &known));
        if let Some(fault) = fault {
            self.found.push(fault);
            self.silent[id] = true;
            return;
        }
        let mut next = known.clone();
        if next.ty.element.is_none() && spec.elements.len() == 1 {
            next.ty.element = Some(spec.elements[0]);
            next.why_element = Some(Why {
                span,
                text: format!("is what {} gives", spec.name),
                through: Arc::default(),
            });
        }
        let said = match self.arguments_say(id, kind, span, &next) {
            Ok(said) => said,
            Err(fault) => {
                self.found.push(*fault);
                self.silent[id] = true;
                return;
            }
        };
        if let Some((dims, place)) = said {
            let why = Why {
                span: place.unwrap_or(span),
                text: match place {
                    Some(_) => "follows from the arguments".to_owned(),
                    None => format!("is what {} gives", spec.name),
                },
                through: Arc::default(),
            };
            match &known.ty.dims {
                None => {
                    next.ty.dims = Some(dims);
                    next.why_dims = Some(why);
                }
                Some(written) => match join(written, &dims) {
                    Some((joined, _)) => next.ty.dims = Some(joined),
                    None => return self.arguments_disagree(id, kind, &next, dims, &why),
                },
            }
        }
        if next.ty != known.ty {
            if let Some(ty) = next.ty.complete() {
                let errors = self.found.len();
                let at = next.why_dims.as_ref().map_or(span, |w| w.span);
                check_size(&ty, at, self.found);
                self.silent[id] = self.found.len() > errors;
            }
            self.outputs[id][0] = next;
            self.touch(id);
        }
    }

    /// The value of an integer argument and where it is written, unless it has none.
    fn integer(
        &self,
        id: StageId,
        kind: CapabilityKind,
        name: &str,
    ) -> Option<(u32, Option<Span>)> {
        let index = kind.spec().params.iter().position(|p| p.name == name)?;
        match self.args[id].get(index)?.as_ref()? {
            BoundArg {
                value: Bound::Integer(n),
                span,
            } => Some((u32::try_from(*n).ok()?, *span)),
            BoundArg { .. } => None,
        }
    }

    /// The pixel format of a camera; `None` where what is written is none.
    fn pixel_format(&self, id: StageId, kind: CapabilityKind) -> Option<&str> {
        let params = kind.spec().params;
        let index = params.iter().position(|p| p.name == "pixel-format")?;
        match &self.args[id].get(index)?.as_ref()?.value {
            Bound::Text(format) => Some(format),
            Bound::Integer(_) | Bound::Float(_) | Bound::List(_) | Bound::Bytes(_) => None,
        }
    }

    /// The dimensions that the arguments say; `None` where they say nothing.
    fn arguments_say(
        &self,
        id: StageId,
        kind: CapabilityKind,
        span: Span,
        known: &Known,
    ) -> Result<Option<Said>, Box<Diagnostic>> {
        let integer = |name| self.integer(id, kind, name);
        let one = |(n, place): (u32, Option<Span>)| (vec![Some(Dim::Exact(n))], place);
        Ok(match kind {
            CapabilityKind::Rand | CapabilityKind::Temperature | CapabilityKind::Gpio => {
                integer("samples").map(one)
            }
            CapabilityKind::Sound => integer("samples")
                .or_else(|| {
                    let ((hz, _), (ms, place)) = (integer("hz")?, integer("sample-duration-ms")?);
                    let samples = u64::from(hz) * u64::from(ms) / 1000;
                    Some((samples.try_into().ok()?, place))
                })
                .map(one),
            CapabilityKind::Accel => {
                let samples = integer("samples");
                let dims = vec![samples.map(|(n, _)| Dim::Exact(n)), Some(Dim::Exact(3))];
                Some((dims, samples.and_then(|(_, place)| place)))
            }
            CapabilityKind::Image | CapabilityKind::FloatImage => {
                let side = |name| integer(name).map(|(n, _)| Dim::Exact(n));
                let channels = self
                    .pixel_format(id, kind)
                    .map(|format| Dim::Exact(if format == GREY { 1 } else { 3 }));
                let dims = vec![side("height"), side("width"), channels];
                let places = ["width", "height"].map(|name| integer(name).and_then(|(_, s)| s));
                Some((dims, places.into_iter().flatten().reduce(Span::to)))
            }
            CapabilityKind::Raw => {
                let (Some((bytes, place)), Some(element)) = (integer("length"), known.ty.element)
                else {
                    return Ok(None);
                };
                let size = element.size();
                if bytes % size != 0 {
                    let mut fault = Diagnostic::new(
                        Code::ArgumentRange,
                        place.unwrap_or(span),
                        format!(
                            "{bytes} bytes are not a whole number of {element} elements of {size} bytes"
                        ),
                    )
                    .at("the last bytes would be left over");
                    if let Some(why) = known
                        .why_element
                        .as_ref()
                        .filter(|_| known.declared.is_none())
                    {
                        fault = fault.also(why.span, format!("{element} {}", why.text));
                    }
                    return Err(Box::new(fault.hint(format!("give a multiple of {size}"))));
                }
                Some((vec![Some(Dim::Exact(bytes / size))], place))
            }
        })
    }

    /// Says that the shape that is written, or wanted by a reader, is not that of the arguments.
    fn arguments_disagree(
        &mut self,
        id: StageId,
        kind: CapabilityKind,
        known: &Known,
        dims: Vec<Option<Dim>>,
        why: &Why,
    ) {
        let name = kind.spec().name;
        let said = PartialType {
            element: known.ty.element,
            dims: Some(dims),
        };
        let at = known.why_dims.as_ref().map_or(why.span, |w| w.span);
        let ty = &known.ty;
        let wanted = known.ty.dims.as_deref().and_then(<[_]>::last);
        let hint = match (kind, wanted, known.declared) {
            (CapabilityKind::Image | CapabilityKind::FloatImage, Some(Some(Dim::Exact(1))), _) if self.pixel_format(id, kind) != Some(GREY) => {
                "for one channel, write `--pixel-format GrayScale`".to_owned()
            }
            (CapabilityKind::Image | CapabilityKind::FloatImage, _, _) => {
                "an image is [height, width, channels], with 1 channel by `--pixel-format GrayScale` and 3 otherwise".to_owned()
            }
            (_, _, Some(_)) if said.complete().is_some() => {
                format!("write {said}, or leave the type out")
            }
            (_, _, _) => "change the arguments, or the type".to_owned(),
        };
        self.found.push(
            Diagnostic::new(
                Code::ShapeMismatch,
                at,
                format!("{name} gives {said} here, but its type is {ty}"),
            )
            .at(match known.declared {
                Some(_) => format!("{ty} is written here"),
                None => format!("{ty} is wanted here"),
            })
            .also(why.span, format!("{said} {}", why.text))
            .hint(hint),
        );
        self.silent[id] = true;
    }

    /// An element type the kind cannot give, written or wanted by a reader.
    fn wrong_element(
        &self,
        id: StageId,
        kind: CapabilityKind,
        span: Span,
        known: &Known,
    ) -> Option<Diagnostic> {
        let spec = kind.spec();
        let element = known.ty.element.filter(|e| !spec.elements.contains(e))?;
        let why = known.why_element.as_ref()?;
        let stage = &self.pipeline.stages[id];
        let message = format!(
            "{} gives {}, not {element}",
            spec.name,
            one_of(spec.elements)
        );
        let is_written = stage
            .declared_outputs
            .iter()
            .flatten()
            .any(|d| d.span == why.span);
        Some(if is_written {
            Diagnostic::new(Code::TypeMismatch, why.span, message)
                .at(format!("{} cannot give this", spec.name))
                .also(span, "this capability")
                .hint(format!(
                    "write {} here, or leave the type out",
                    spec.elements[0]
                ))
        } else {
            let diagnostic = Diagnostic::new(Code::TypeMismatch, span, message)
                .at(format!("cannot give {element}"))
                .also(why.span, format!("{element} {}", why.text));
            why.noted(diagnostic).hint(format!(
                "put a block after `{}` that makes {element} of what it gives",
                stage.name.value
            ))
        })
    }

    /// Warns about arguments of SOUND that say another length than `--samples`, which counts.
    pub(super) fn contradictions(&mut self, id: StageId, kind: CapabilityKind) {
        if kind != CapabilityKind::Sound {
            return;
        }
        let integer = |name: &str| {
            let (n, place) = self.integer(id, kind, name)?;
            Some((u64::from(n), place))
        };
        let (Some((hz, _)), Some((samples, _))) = (integer("hz"), integer("samples")) else {
            return;
        };
        let others = ["sample-duration-ms", "sample-size"].map(|name| (name, integer(name)));
        for (name, said) in others {
            let Some((value, Some(span))) = said else {
                continue;
            };
            // Old Runefiles give `--sample-size` in samples or in milliseconds.
            let agrees =
                value * hz / 1000 == samples || (name == "sample-size" && value == samples);
            if !agrees {
                let milliseconds = samples as f64 * 1000.0 / hz as f64;
                self.found.push(
                    Diagnostic::new(
                        Code::ContradictingArguments,
                        span,
                        format!("`--{name} {value}` contradicts `--samples {samples}`"),
                    )
                    .at("this has no effect")
                    .note(format!(
                        "{samples} samples at {hz} Hz last {milliseconds} ms."
                    ))
                    .hint(format!("remove `--{name}`: one call reads `--samples`")),
                );
            }
        }
    }
}

/// A capability fills its tensor or has no data: nothing would say how much of a bound is there.
fn bounded(name: &str, span: Span, known: &Known) -> Option<Diagnostic> {
    let is_bounded = |d: &Option<Dim>| matches!(d, Some(Dim::AtMost(_)));
    let dims = known.ty.dims.as_ref()?;
    dims.iter().any(is_bounded).then(|| {
        let diagnostic = Diagnostic::new(
            Code::BadDimension,
            known.declared.unwrap_or(span),
            format!(
                "{} has a bounded dimension, but a capability always fills its tensor",
                known.ty
            ),
        );
        match (&known.why_dims, known.declared) {
            (Some(why), None) => diagnostic
                .at(format!("{name} does not know how much to give"))
                .also(why.span, format!("{} {}", known.ty, why.text))
                .hint("write the type here, with the exact number"),
            (_, _) => diagnostic
                .at("`<=` is for what a block makes")
                .hint("write the exact number"),
        }
    })
}
