//! What a block's signature says: its variables bound, its expressions computed.

mod mismatch;

use std::sync::Arc;

use super::{
    End, Inference, Known, Why, is_open,
    report::one_of,
    shape::{fit, join},
};
use crate::{
    block::{Block, DimExpr, InitError, Instance, Port, PortDim, PortElement, Signature},
    check::{
        Loaded,
        instantiate::{Subject, values},
        integer_arg,
    },
    diag::{Code, Diagnostic, Span},
    pipeline::{StageId, StageKind},
    ty::{Dim, TensorType},
};

pub(super) use mismatch::show_port;
use mismatch::verb;

/// A dimension that a signature says, and the reason of the first variable in it.
type Said = (Dim, Option<Why>);

impl Inference<'_> {
    /// Binds the variables of a block's signature and fills in what follows.
    pub(super) fn block(&mut self, id: StageId, block: &Block, path: &str, span: Span) {
        let signature = &block.signature;
        for (end, index, port) in self.ports(id, signature) {
            let known = self.ends(id, end)[index].clone();
            self.bind_element(id, signature, port, end, index, &known, path, span);
            if self.silent[id] {
                return;
            }
            let Some(dims) = known.ty.dims.as_ref().filter(|d| !is_open(d)) else {
                continue;
            };
            let Some(dims) = fit(&port.dims, dims) else {
                return self.port_mismatch(id, signature, port, end, index, &known, span, None);
            };
            let why = known.why_dims.clone().unwrap_or_else(|| Why {
                span,
                text: "is what the block's signature says".to_owned(),
                through: Arc::default(),
            });
            self.bind_dims(id, signature, &port.dims, &dims, &why);
        }
        for (end, index, port) in self.ports(id, signature) {
            self.apply_port(id, signature, port, end, index, path, span);
            if self.silent[id] {
                return;
            }
        }
        self.ask_shape(id, block, path, span);
    }

    /// Runs the block's `shape`, once the inputs and the element types of the outputs are known.
    fn ask_shape(&mut self, id: StageId, block: &Block, path: &str, span: Span) {
        let signature = &block.signature;
        if !signature.tells_shape() || self.variables[id].told.is_some() {
            return;
        }
        let inputs = self.signature_types(id, End::Input);
        let elements = self.outputs[id].iter().map(|known| known.ty.element);
        let variables = self.variables[id].elements.iter();
        let (Some(elements), Some(variables)) = (
            elements.collect::<Option<Vec<_>>>(),
            variables
                .map(|v| v.as_ref().map(|(element, _)| *element))
                .collect::<Option<Vec<_>>>(),
        ) else {
            return;
        };
        if inputs.len() < self.inputs[id].len() || elements.is_empty() {
            return;
        }
        let question = Instance {
            export: signature.export(&variables),
            args: values(&self.args[id]),
            inputs,
            outputs: elements
                .into_iter()
                .map(|element| TensorType::new(element, &[]))
                .collect(),
        };
        match self.engine.shape(block, &question) {
            Ok(told) => {
                self.variables[id].told = Some(told);
                self.touch(id);
            }
            Err(InitError::Later) => {
                self.late = true;
                self.silent[id] = true;
            }
            Err(error) => {
                let stage = &self.pipeline.stages[id];
                let subject = Subject {
                    stage,
                    path,
                    span,
                    export: "shape",
                };
                self.found.push(subject.fault(error));
                self.silent[id] = true;
            }
        }
    }

    /// The ports of a signature that the stage has ends for.
    fn ports<'s>(&self, id: StageId, signature: &'s Signature) -> Vec<(End, usize, &'s Port)> {
        let of = |end| {
            (0..self.ends(id, end).len())
                .filter_map(|index| Some((end, index, port(signature, end, index)?)))
                .collect::<Vec<_>>()
        };
        [of(End::Input), of(End::Output)].concat()
    }

    /// Gives each element type that only outputs have and nothing decides its default, the first allowed;
    /// says whether there was one.
    pub(super) fn default_types(&mut self) -> bool {
        let mut any = false;
        for id in self.order.clone() {
            let (StageKind::Block(path), Loaded::Block(block)) =
                (&self.pipeline.stages[id].kind, &self.loaded[id])
            else {
                continue;
            };
            for (variable, (name, allowed)) in block.signature.types.iter().enumerate() {
                let element = PortElement::Variable(variable);
                let is_bound = self.variables[id].elements[variable].is_some();
                let from_input = block.signature.inputs.iter().any(|p| p.element == element);
                if let (false, false, false, Some(default)) =
                    (self.silent[id], is_bound, from_input, allowed.first())
                {
                    let why = Why {
                        span: path.span,
                        text: format!("is the default of its type `{name}`"),
                        through: Arc::default(),
                    };
                    self.variables[id].elements[variable] = Some((*default, why));
                    self.touch(id);
                    any = true;
                }
            }
        }
        any
    }

    /// The types of one end of a block as the block sees them: in the rank of its signature. Empty for what
    /// is no block or has open types.
    pub(super) fn signature_types(&self, id: StageId, end: End) -> Vec<TensorType> {
        let Loaded::Block(block) = &self.loaded[id] else {
            return Vec::new();
        };
        self.ports(id, &block.signature)
            .into_iter()
            .filter(|(e, ..)| *e == end)
            .filter_map(|(end, index, port)| {
                let said = self.says(id, &block.signature, port, end, index).ok()??;
                Some(TensorType {
                    element: self.ends(id, end)[index].ty.element?,
                    dims: said.into_iter().map(|(dim, _)| dim).collect(),
                })
            })
            .collect()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    fn bind_element(
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
            through: Arc::default(),
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
                    let wants = one_of(allowed);
                    return self.block_element(id, end, index, path, span, &wants, element, &why);
                }
                match self.variables[id].elements[variable].clone() {
                    None => {
                        self.variables[id].elements[variable] = Some((element, why));
                        self.touch(id);
                    }
                    Some((bound, _)) if bound == element => {}
                    Some((bound, first)) => {
                        let stage = &self.pipeline.stages[id];
                        self.found.push(
                            Diagnostic::new(Code::TypeMismatch, stage.name.span, format!("`{}` works on one element type, but is asked for {bound} and {element}", stage.name.value))
                                .at(format!("`{path}` has one `{name}` for all of these"))
                                .also(first.span, format!("{bound} {}", first.text))
                                .also(why.span, format!("{element} {}", why.text))
                                .hint(format!("make both {bound} or both {element}")),
                        );
                        self.silent[id] = true;
                    }
                }
            }
        }
    }

    fn bind_dims(
        &mut self,
        id: StageId,
        signature: &Signature,
        pattern: &[PortDim],
        dims: &[Option<Dim>],
        why: &Why,
    ) {
        let variables = &mut self.variables[id];
        let mut news = false;
        let run = run_length(pattern, dims.len());
        let mut left = dims;
        for item in pattern {
            let take = if item.is_run() { run } else { 1 };
            let Some((these, others)) = left.split_at_checked(take) else {
                break;
            };
            left = others;
            match item {
                PortDim::Rest(name) | PortDim::RestAtMost(name) => {
                    let Some(mut rest) = these.iter().copied().collect::<Option<Vec<Dim>>>() else {
                        continue;
                    };
                    if matches!(item, PortDim::Rest(_)) {
                        rest = rest.iter().map(|d| Dim::Exact(d.bound())).collect();
                    }
                    match variables.rests.iter_mut().find(|(n, ..)| n == name) {
                        None => {
                            variables.rests.push((name.clone(), rest, why.clone()));
                            news = true;
                        }
                        // Full and bounded together are bounded.
                        Some((_, bound, _)) if bound.len() == rest.len() => {
                            for (bound, dim) in bound.iter_mut().zip(rest) {
                                if *bound == Dim::Exact(dim.bound()) && *bound != dim {
                                    *bound = dim;
                                    news = true;
                                }
                            }
                        }
                        Some(_) => {}
                    }
                }
                PortDim::One(DimExpr::Name(name)) | PortDim::AtMost(DimExpr::Name(name)) => {
                    // The value of an argument is the argument's to say.
                    let is_new = !variables.dims.iter().any(|(n, ..)| n == name)
                        && !signature.args.iter().any(|a| a.name == *name);
                    if let (true, &[Some(dim)]) = (is_new, these) {
                        variables
                            .dims
                            .push((name.clone(), dim.bound(), why.clone()));
                        news = true;
                    }
                }
                PortDim::One(_) | PortDim::AtMost(_) | PortDim::Any | PortDim::Told => {}
            }
        }
        if news {
            self.touch(id);
        }
    }

    /// Computes what the bound variables say about one port and compares or writes it.
    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    fn apply_port(
        &mut self,
        id: StageId,
        signature: &Signature,
        port: &Port,
        end: End,
        index: usize,
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
                    text: format!("is what `{path}` {}", verb(end)),
                    through: Arc::default(),
                },
            )),
            PortElement::Variable(variable) => self.variables[id].elements[variable].clone(),
        };
        let name = &self.pipeline.stages[id].name;
        if let (None, Some((element, why))) = (known.ty.element, element) {
            next.ty.element = Some(element);
            next.why_element = Some(why.passed(&name.value));
        }
        match self.says(id, signature, port, end, index) {
            Err(reason) => {
                let mut diagnostic = Diagnostic::new(
                    Code::ShapeMismatch,
                    name.span,
                    format!("`{}` cannot work on this shape: {reason}", name.value),
                )
                .at(format!(
                    "`{path}` {} {}",
                    verb(end),
                    show_port(signature, port)
                ));
                for (name, dim, why) in &self.variables[id].dims {
                    diagnostic = diagnostic.also(why.span, format!("`{name}` is {dim} here"));
                }
                self.found
                    .push(diagnostic.hint("change the shape that feeds it, or an argument"));
                self.silent[id] = true;
                return;
            }
            Ok(None) => {}
            Ok(Some(said)) => {
                let dims: Vec<Option<Dim>> = said.iter().map(|(dim, _)| Some(*dim)).collect();
                match &known.ty.dims {
                    None => {
                        // A shape passed on unchanged is as the input's maker says; another is the block's.
                        let same = |k: &&Known| k.ty.dims.as_ref() == Some(&dims);
                        let passed = self.inputs[id].iter().find(same);
                        let why = match end {
                            End::Input => said.into_iter().find_map(|(_, why)| why),
                            End::Output => passed.and_then(|k| k.why_dims.clone()),
                        };
                        next.ty.dims = Some(dims);
                        next.why_dims = Some(why.map_or_else(
                            || Why {
                                span,
                                text: format!("is what `{path}` {}", verb(end)),
                                through: Arc::default(),
                            },
                            |w| w.passed(&name.value),
                        ));
                    }
                    Some(have) => match join(have, &dims) {
                        // A written shape stays; any other gives way to the signature's.
                        Some((joined, _)) if known.declared.is_some() => {
                            next.ty.dims = Some(joined);
                        }
                        Some(_) => next.ty.dims = Some(dims),
                        None => {
                            return self.port_mismatch(
                                id,
                                signature,
                                port,
                                end,
                                index,
                                &known,
                                span,
                                Some(said),
                            );
                        }
                    },
                }
            }
        }
        if next.ty != known.ty {
            self.ends_mut(id, end)[index] = next;
            self.touch(id);
        }
    }

    /// The dimensions of a port, once its variables are bound. An input takes what is within its bounds.
    ///
    /// # Errors
    /// A clause on why there is no such dimension.
    fn says(
        &self,
        id: StageId,
        signature: &Signature,
        port: &Port,
        end: End,
        index: usize,
    ) -> Result<Option<Vec<Said>>, String> {
        let variables = &self.variables[id];
        let known = self.ends(id, end)[index].ty.dims.as_ref();
        let fitted = known.and_then(|dims| fit(&port.dims, dims));
        let mut said: Vec<Said> = Vec::new();
        for item in &port.dims {
            let given = |at: usize| fitted.as_ref().and_then(|dims| *dims.get(at)?);
            let expr = match item {
                PortDim::One(expr) | PortDim::AtMost(expr) => expr,
                PortDim::Rest(name) | PortDim::RestAtMost(name) => {
                    let Some((_, rest, why)) = variables.rests.iter().find(|(n, ..)| n == name)
                    else {
                        return Ok(None);
                    };
                    for dim in rest {
                        let full = Dim::Exact(dim.bound());
                        let is_given = given(said.len()) == Some(full);
                        let keeps_bound = matches!(item, PortDim::RestAtMost(_));
                        let dim = if keeps_bound && !(end == End::Input && is_given) {
                            *dim
                        } else {
                            full
                        };
                        said.push((dim, Some(why.clone())));
                    }
                    continue;
                }
                PortDim::Any => {
                    let Some(dims) = &fitted else {
                        return Ok(None);
                    };
                    for _ in 0..run_length(&port.dims, dims.len()) {
                        let Some(dim) = given(said.len()) else {
                            return Ok(None);
                        };
                        said.push((Dim::Exact(dim.bound()), None));
                    }
                    continue;
                }
                PortDim::Told => {
                    let dims = variables.told.as_ref().and_then(|told| told.get(index));
                    let said = |dims: &Vec<Dim>| dims.iter().map(|d| (*d, None)).collect();
                    return Ok(dims.map(said));
                }
            };
            let mut why = None;
            let value = expr.value(&mut |name| {
                if let Some((_, dim, reason)) = variables.dims.iter().find(|(n, ..)| n == name) {
                    why.get_or_insert_with(|| reason.clone());
                    return Some(i64::from(*dim));
                }
                integer_arg(signature, &self.args[id], name)
            })?;
            let Some(value) = value else {
                return Ok(None);
            };
            let value = u32::try_from(value)
                .ok()
                .filter(|v| *v > 0)
                .ok_or_else(|| format!("a dimension would be {value}"))?;
            let dim = match (item, given(said.len())) {
                (PortDim::AtMost(_), Some(given))
                    if end == End::Input && given.bound() <= value =>
                {
                    given
                }
                (PortDim::AtMost(_), _) => Dim::AtMost(value),
                (_, _) => Dim::Exact(value),
            };
            said.push((dim, why));
        }
        Ok(Some(said))
    }

    pub(super) fn pattern(&self, id: StageId, end: End, index: usize) -> Option<&Port> {
        let Loaded::Block(block) = &self.loaded[id] else {
            return None;
        };
        port(&block.signature, end, index)
    }
}

/// The port of a signature that an end of a stage follows.
fn port(signature: &Signature, end: End, index: usize) -> Option<&Port> {
    match end {
        End::Input => signature.input(index),
        End::Output => signature.output(index),
    }
}

/// How many of `rank` dimensions the run in a pattern stands for.
fn run_length(pattern: &[PortDim], rank: usize) -> usize {
    let fixed = pattern.iter().filter(|p| !p.is_run()).count();
    rank.saturating_sub(fixed)
}
