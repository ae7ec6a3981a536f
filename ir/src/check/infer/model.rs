//! Models in inference: what their files say of their ends, and how the pipeline fixes what they leave open.

use std::sync::Arc;

use super::{End, Inference, Known, Why, is_open, shape::join};
use crate::{
    check::{Loaded, OpenModel},
    diag::{Code, Diagnostic, Span},
    graph::{DataType, Graph},
    pipeline::{StageId, StageKind},
    ty::{Dim, PartialType, TensorType},
};

fn in_file(span: Span) -> Why {
    Why {
        span,
        text: "is in the model's file".to_owned(),
        through: Arc::default(),
    }
}

impl Inference<'_> {
    /// Writes down the types of one end of a model whose graph is known.
    pub(super) fn of_graph(&mut self, id: StageId, end: End, graph: &Graph, span: Span) {
        let ids = match end {
            End::Input => &graph.inputs,
            End::Output => &graph.outputs,
        };
        for (i, tensor) in ids.iter().enumerate().take(self.ends(id, end).len()) {
            let tensor = &graph.tensors[*tensor];
            let DataType::Element(element) = tensor.ty else {
                self.boolean(id, end, i, span);
                continue;
            };
            let ty = TensorType::new(element, &tensor.shape).into();
            self.ends_mut(id, end)[i] = known(ty, span);
        }
    }

    /// Writes down what the file of a model says of its inputs.
    pub(super) fn of_open_model(&mut self, id: StageId, model: &Arc<dyn OpenModel>, span: Span) {
        for (i, (ty, dims)) in model.inputs().iter().enumerate() {
            let DataType::Element(element) = *ty else {
                self.boolean(id, End::Input, i, span);
                continue;
            };
            let ty = PartialType {
                element: Some(element),
                dims: Some(dims.iter().map(|d| d.map(Dim::Exact)).collect()),
            };
            if let Some(end) = self.ends_mut(id, End::Input).get_mut(i) {
                *end = known(ty, span);
            }
        }
    }

    /// Fixes a model once the shapes of all its inputs are known, which says what its outputs are.
    pub(super) fn open_model(
        &mut self,
        id: StageId,
        model: &Arc<dyn OpenModel>,
        path: &str,
        span: Span,
    ) {
        let inputs = &self.inputs[id];
        // A type that is written may have the elements in another rank than the file.
        let in_rank = |(known, (_, dims)): (&Known, &(DataType, Vec<Option<u32>>))| {
            let file: Vec<Option<Dim>> = dims.iter().map(|d| d.map(Dim::Exact)).collect();
            let known: Vec<Option<Dim>> = known.ty.complete()?.dims.into_iter().map(Some).collect();
            let joined = join(&file, &known).map_or(known, |(joined, _)| joined);
            joined.into_iter().map(|d| Some(d?.bound())).collect()
        };
        let shapes: Option<Vec<Vec<u32>>> =
            inputs.iter().zip(model.inputs()).map(in_rank).collect();
        let Some(shapes) = shapes.filter(|_| self.models[id].is_none()) else {
            return;
        };
        match model.with(&shapes) {
            Ok(graph) => {
                self.of_graph(id, End::Output, &graph, span);
                self.models[id] = Some(graph);
                self.declare(id, End::Output);
                self.touch(id);
            }
            Err(error) => {
                let shapes: Vec<String> = inputs.iter().map(|k| k.ty.to_string()).collect();
                let message = format!(
                    "cannot use model `{path}` on {}: {error}",
                    shapes.join(", ")
                );
                let place = inputs.iter().find_map(|known| known.why_dims.clone());
                let mut diagnostic = Diagnostic::new(Code::UnsupportedModel, span, message)
                    .at("its file leaves dimensions open, which the pipeline fixes");
                if let Some(why) = place.filter(|why| why.span != span) {
                    diagnostic = diagnostic.also(why.span, format!("the shape {}", why.text));
                }
                self.found.push(diagnostic);
                self.silent[id] = true;
            }
        }
    }

    /// Where nothing decides the open dimensions of a model, they are 1; says whether there were any. One
    /// model at a time, for what follows may decide those of the next.
    pub(super) fn default_dims(&mut self) -> bool {
        for id in self.order.clone() {
            let (StageKind::Model { path, .. }, Loaded::Open(_)) =
                (&self.pipeline.stages[id].kind, &self.loaded[id])
            else {
                continue;
            };
            let mut any = false;
            for known in &mut self.inputs[id] {
                let Some(dims) = known.ty.dims.as_mut().filter(|dims| is_open(dims)) else {
                    continue;
                };
                for dim in dims.iter_mut().filter(|dim| dim.is_none()) {
                    *dim = Some(Dim::Exact(1));
                }
                known.why_dims = Some(Why {
                    span: path.span,
                    text: "is in the model's file, what is open there being 1".to_owned(),
                    through: Arc::default(),
                });
                any = true;
            }
            if any && !self.silent[id] {
                self.touch(id);
                return true;
            }
        }
        false
    }
}

fn known(ty: PartialType, span: Span) -> Known {
    Known {
        ty,
        why_element: Some(in_file(span)),
        why_dims: Some(in_file(span)),
        declared: None,
    }
}
