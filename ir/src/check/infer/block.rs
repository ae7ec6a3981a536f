//! What a block's signature says: its variables bound, its expressions computed.

use super::{
    End, Inference, Known, Why,
    shape::{fit, join},
};
use crate::{
    args::{Bound, BoundArg},
    block::{DimExpr, Port, PortDim, PortElement, Signature},
    check::{Loaded, edge_name},
    diag::{Code, Diagnostic, Span},
    pipeline::StageId,
    ty::{Dim, ElementType, PartialType},
};

/// The dimensions of a port, and the reason of the first variable in them.
type Computed = (Vec<Dim>, Option<Why>);

impl Inference<'_> {
    /// Binds the variables of a block's signature and fills in what follows.
    pub(super) fn block(&mut self, id: StageId, signature: &Signature, path: &str, span: Span) {
        let integers = integer_args(signature, &self.args[id]);
        for end in [End::Input, End::Output] {
            let ports = if end == End::Input {
                &signature.inputs
            } else {
                &signature.outputs
            };
            for (index, port) in ports.iter().enumerate().take(self.ends(id, end).len()) {
                let known = self.ends(id, end)[index].clone();
                self.bind_element(id, signature, port, end, index, &known, path, span);
                if self.silent[id] {
                    return;
                }
                let Some(dims) = known
                    .ty
                    .dims
                    .as_ref()
                    .and_then(|d| d.iter().copied().collect::<Option<Vec<Dim>>>())
                else {
                    continue;
                };
                let why = known.why_dims.clone().unwrap_or_else(|| Why {
                    span,
                    text: "is what the block's signature says".to_owned(),
                    through: Vec::new(),
                });
                let dims: Vec<Option<Dim>> = dims.into_iter().map(Some).collect();
                let Some(dims) = fit(&port.dims, &dims) else {
                    return self.port_mismatch(id, port, end, index, &known, span, None);
                };
                self.bind_dims(id, &port.dims, &dims, &why);
            }
        }
        for end in [End::Input, End::Output] {
            let ports = if end == End::Input {
                &signature.inputs
            } else {
                &signature.outputs
            };
            for (index, port) in ports.iter().enumerate().take(self.ends(id, end).len()) {
                self.apply_port(id, signature, port, end, index, &integers, path, span);
                if self.silent[id] {
                    return;
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    pub(super) fn bind_element(
        &mut self,
        id: StageId,
        signature: &Signature,
        port: &Port,
        end: End,
        index: usize,
        known: &Known,
        path: &str,
        span: Span,
    ) {
        let Some(element) = known.ty.element else {
            return;
        };
        let why = known.why_element.clone().unwrap_or_else(|| Why {
            span,
            text: "is what the block's signature says".to_owned(),
            through: Vec::new(),
        });
        match port.element {
            PortElement::Fixed(fixed) if fixed == element => {}
            PortElement::Fixed(fixed) => self.block_element(
                id,
                end,
                index,
                path,
                span,
                &format!("{fixed}"),
                element,
                &why,
            ),
            PortElement::Variable(variable) => {
                let (name, allowed) = &signature.types[variable];
                if !allowed.contains(&element) {
                    let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
                    return self.block_element(
                        id,
                        end,
                        index,
                        path,
                        span,
                        &list.join(", "),
                        element,
                        &why,
                    );
                }
                match self.variables[id].elements[variable].clone() {
                    None => {
                        self.variables[id].elements[variable] = Some((element, why));
                        self.changed = true;
                    }
                    Some((bound, _)) if bound == element => {}
                    Some((bound, first)) => {
                        let stage = &self.pipeline.stages[id];
                        self.found.push(
                            Diagnostic::new(Code::TypeMismatch, stage.name.span, format!("`{}` gives the element type it is fed, but that is {bound} on one side and {element} on the other", stage.name.value))
                                .at(format!("`{path}` has one element type `{name}` on both sides"))
                                .also(first.span, format!("{bound} {}", first.text))
                                .also(why.span, format!("{element} {}", why.text))
                                .hint(format!("make both sides {bound} or both {element}")),
                        );
                        self.silent[id] = true;
                    }
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    pub(super) fn block_element(
        &mut self,
        id: StageId,
        end: End,
        index: usize,
        path: &str,
        span: Span,
        wants: &str,
        element: ElementType,
        why: &Why,
    ) {
        let stage = &self.pipeline.stages[id];
        let (verb, at) = match end {
            End::Input => (
                "takes",
                stage.inputs.get(index).map_or(stage.name.span, |e| e.span),
            ),
            End::Output => ("gives", stage.name.span),
        };
        let mut diagnostic = Diagnostic::new(
            Code::TypeMismatch,
            at,
            format!("`{}` {verb} {wants}, not {element}", stage.name.value),
        )
        .at(format!("this is {element}"))
        .also(span, format!("`{path}` {verb} {wants}"));
        if why.span != at {
            diagnostic = diagnostic.also(why.span, format!("{element} {}", why.text));
        }
        diagnostic = why.noted(diagnostic);
        self.found.push(diagnostic.hint(format!(
            "put a stage before it that gives {wants}, or use another block"
        )));
        self.silent[id] = true;
    }

    pub(super) fn bind_dims(
        &mut self,
        id: StageId,
        pattern: &[PortDim],
        dims: &[Option<Dim>],
        why: &Why,
    ) {
        let rest_at = pattern.iter().position(|p| matches!(p, PortDim::Rest(_)));
        let after = rest_at.map_or(0, |at| pattern.len() - at - 1);
        let variables = &mut self.variables[id];
        let mut next = 0;
        for item in pattern {
            match item {
                PortDim::Rest(name) => {
                    let end = dims.len() - after;
                    if !variables.rests.iter().any(|(n, ..)| n == name)
                        && let Some(rest) = dims[next..end]
                            .iter()
                            .copied()
                            .collect::<Option<Vec<Dim>>>()
                    {
                        variables.rests.push((name.clone(), rest, why.clone()));
                        self.changed = true;
                    }
                    next = end;
                }
                PortDim::One(DimExpr::Name(name)) | PortDim::AtMost(DimExpr::Name(name)) => {
                    if let Some(dim) = dims[next]
                        && !variables.dims.iter().any(|(n, ..)| n == name)
                    {
                        variables.dims.push((name.clone(), dim, why.clone()));
                        self.changed = true;
                    }
                    next += 1;
                }
                PortDim::One(_) | PortDim::AtMost(_) => next += 1,
            }
        }
    }

    /// Computes what the bound variables say about one port and compares or writes it.
    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    pub(super) fn apply_port(
        &mut self,
        id: StageId,
        signature: &Signature,
        port: &Port,
        end: End,
        index: usize,
        integers: &[(String, i64)],
        path: &str,
        span: Span,
    ) {
        let known = self.ends(id, end)[index].clone();
        let mut next = known.clone();
        let element = match port.element {
            PortElement::Fixed(element) => Some((
                element,
                Why {
                    span,
                    text: format!("is what `{path}` gives"),
                    through: Vec::new(),
                },
            )),
            PortElement::Variable(variable) => self.variables[id].elements[variable].clone(),
        };
        if let (None, Some((element, why))) = (known.ty.element, element) {
            next.ty.element = Some(element);
            next.why_element = Some(why.passed(&self.pipeline.stages[id].name.value));
            self.changed = true;
        }
        match self.dims_of(id, &port.dims, integers) {
            Err(reason) => {
                let stage = &self.pipeline.stages[id];
                self.found.push(
                    Diagnostic::new(
                        Code::ShapeMismatch,
                        stage.name.span,
                        format!("`{}` cannot work on this shape: {reason}", stage.name.value),
                    )
                    .at(format!("`{path}` wants {}", show_port(signature, port)))
                    .hint("change the shape that feeds it, or an argument"),
                );
                self.silent[id] = true;
                return;
            }
            Ok(None) => {}
            Ok(Some((dims, why))) => {
                let computed: Vec<Option<Dim>> = dims.into_iter().map(Some).collect();
                match &known.ty.dims {
                    None => {
                        next.ty.dims = Some(computed);
                        next.why_dims = Some(why.map_or_else(
                            || Why {
                                span,
                                text: format!("is what `{path}` gives"),
                                through: Vec::new(),
                            },
                            |w| w.passed(&self.pipeline.stages[id].name.value),
                        ));
                        self.changed = true;
                    }
                    Some(have) => {
                        let Some((joined, _)) = join(have, &computed) else {
                            let dims = Some(computed);
                            let says = PartialType {
                                element: next.ty.element,
                                dims,
                            };
                            return self.port_mismatch(
                                id,
                                port,
                                end,
                                index,
                                &known,
                                span,
                                Some(&says),
                            );
                        };
                        self.changed |= joined != *have;
                        next.ty.dims = Some(joined);
                    }
                }
            }
        }
        self.ends_mut(id, end)[index] = next;
    }

    /// The dimensions of a port if its variables are bound, with the reason of the first of them.
    pub(super) fn dims_of(
        &self,
        id: StageId,
        pattern: &[PortDim],
        integers: &[(String, i64)],
    ) -> Result<Option<Computed>, String> {
        let variables = &self.variables[id];
        let mut dims = Vec::new();
        let mut why = None;
        for item in pattern {
            match item {
                PortDim::Rest(name) => match variables.rests.iter().find(|(n, ..)| n == name) {
                    Some((_, rest, reason)) => {
                        dims.extend(rest.iter().copied());
                        why = why.or_else(|| Some(reason.clone()));
                    }
                    None => return Ok(None),
                },
                PortDim::One(expr) | PortDim::AtMost(expr) => {
                    let mut at_most = matches!(item, PortDim::AtMost(_));
                    let mut lookup = |name: &str| {
                        if let Some((_, dim, reason)) =
                            variables.dims.iter().find(|(n, ..)| n == name)
                        {
                            at_most |= matches!(dim, Dim::AtMost(_));
                            why = why.take().or_else(|| Some(reason.clone()));
                            return Some(i64::from(dim.bound()));
                        }
                        integers.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
                    };
                    let Some(value) = expr.value(&mut lookup)? else {
                        return Ok(None);
                    };
                    let value = u32::try_from(value)
                        .ok()
                        .filter(|v| *v > 0)
                        .ok_or_else(|| format!("a dimension would be {value}"))?;
                    dims.push(if at_most {
                        Dim::AtMost(value)
                    } else {
                        Dim::Exact(value)
                    });
                }
            }
        }
        Ok(Some((dims, why)))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    pub(super) fn port_mismatch(
        &mut self,
        id: StageId,
        port: &Port,
        end: End,
        index: usize,
        known: &Known,
        span: Span,
        computed: Option<&PartialType>,
    ) {
        let stage = &self.pipeline.stages[id];
        let Loaded::Block(block) = &self.loaded[id] else {
            return;
        };
        let says = computed.map_or_else(|| show_port(&block.signature, port), ToString::to_string);
        let name = &stage.name.value;
        let (message, at) = match (end, stage.inputs.get(index)) {
            (End::Input, Some(edge)) => (
                format!(
                    "`{name}` wants {says}, but `{}` gives {}",
                    edge_name(self.pipeline, edge),
                    known.ty
                ),
                edge.span,
            ),
            (_, _) => (
                format!(
                    "`{name}` gives {says} as `{}`, but {} is wanted",
                    port.name, known.ty
                ),
                stage.name.span,
            ),
        };
        let mut diagnostic = Diagnostic::new(Code::ShapeMismatch, at, message)
            .at(format!("{} is not {says}", known.ty))
            .also(
                span,
                format!(
                    "the block's signature says {}",
                    show_port(&block.signature, port)
                ),
            );
        if let Some(why) = &known.why_dims {
            if why.span != at {
                diagnostic = diagnostic.also(why.span, format!("{} {}", known.ty, why.text));
            }
            diagnostic = why.noted(diagnostic);
        }
        self.found
            .push(diagnostic.hint("change the type written here, or the arguments of the block"));
        self.silent[id] = true;
    }

    pub(super) fn pattern(&self, id: StageId, end: End, index: usize) -> Option<&Port> {
        let Loaded::Block(block) = &self.loaded[id] else {
            return None;
        };
        match end {
            End::Input => block.signature.inputs.get(index),
            End::Output => block.signature.outputs.get(index),
        }
    }
}

impl DimExpr {
    /// The value where `lookup` knows every name; an error where a quotient is not exact or overflows.
    pub fn value(
        &self,
        lookup: &mut dyn FnMut(&str) -> Option<i64>,
    ) -> Result<Option<i64>, String> {
        let (a, b) = match self {
            Self::Number(n) => return Ok(Some(*n)),
            Self::Name(name) => return Ok(lookup(name)),
            Self::Add(a, b)
            | Self::Sub(a, b)
            | Self::Mul(a, b)
            | Self::Div(a, b)
            | Self::FloorDiv(a, b)
            | Self::CeilDiv(a, b) => (a, b),
        };
        let (Some(a), Some(b)) = (a.value(lookup)?, b.value(lookup)?) else {
            return Ok(None);
        };
        let value = match self {
            Self::Number(_) | Self::Name(_) => None,
            Self::Add(..) => a.checked_add(b),
            Self::Sub(..) => a.checked_sub(b),
            Self::Mul(..) => a.checked_mul(b),
            Self::Div(..) if b == 0 || a.checked_rem(b) != Some(0) => {
                return Err(format!("{a} is not a multiple of {b}"));
            }
            Self::Div(..) => a.checked_div(b),
            Self::FloorDiv(..) => a.checked_div_euclid(b),
            Self::CeilDiv(..) if b > 0 => a.checked_add(b - 1).map(|n| n.div_euclid(b)),
            Self::CeilDiv(..) => None,
        };
        value
            .map(Some)
            .ok_or_else(|| format!("`{self}` cannot be computed for {a} and {b}"))
    }
}

/// Values of the integer arguments, by name, for dimension expressions.
fn integer_args(signature: &Signature, args: &[Option<BoundArg>]) -> Vec<(String, i64)> {
    signature
        .args
        .iter()
        .zip(args)
        .filter_map(|(spec, arg)| match arg {
            Some(BoundArg {
                value: Bound::Integer(n),
                ..
            }) => Some((spec.name.clone(), *n)),
            Some(_) | None => None,
        })
        .collect()
}

/// A port as its signature spells it.
pub(super) fn show_port(signature: &Signature, port: &Port) -> String {
    let element = match port.element {
        PortElement::Fixed(element) => element.to_string(),
        PortElement::Variable(index) => signature.types[index].0.clone(),
    };
    let dims: Vec<String> = port.dims.iter().map(ToString::to_string).collect();
    format!("{element}[{}]", dims.join(", "))
}
