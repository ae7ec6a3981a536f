//! Whether a stage that replaces an inherited one takes and gives the same types.

use rune_ir::{
    arena::Side,
    check::{Analysis, Loaded},
    diag::{Code, Diagnostic},
    graph::{DataType, Graph, TensorId},
    pipeline::{Stage, StageId, StageKind},
    ty::{Dim, PartialType, TensorType},
};
use rune_runefile::{Layer, tree::Instruction};

/// What each stage's file turned out to be, and what followed.
pub(crate) type Stages = (Side<Stage, Loaded>, Analysis);

/// Reports each stage of `layers` that is replaced by one of another interface, or, where types could not be
/// inferred (`is_open`), by one that leaves open what the other decided. `stages` is what the layers were found
/// to be, and `study` finds that for other layers.
///
/// A layer that replaces something is studied once more without that, so that both stages are seen in the
/// same surroundings. What is not known of a type is no difference.
pub(crate) fn check(
    layers: &[Layer],
    stages: &Stages,
    is_open: bool,
    study: impl Fn(&[Layer]) -> Option<Stages>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for top in 0..layers.len().saturating_sub(1) {
        if !layers[top].tree.instructions.iter().any(is_replacement) {
            continue;
        }
        let mut without = layers[top..].to_vec();
        without[0].tree.instructions.retain(|i| !is_replacement(i));
        let studied = (top > 0).then(|| study(&layers[top..])).flatten();
        let after = studied.as_ref().unwrap_or(stages);
        if let Some(before) = study(&without) {
            compare(&before, after, is_open, &mut found);
        }
    }
    found
}

fn is_replacement(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Stage(stage) if stage.replace.is_some())
}

/// Whether a finding may only follow from a changed interface.
pub(crate) fn may_follow(code: Code) -> bool {
    [
        Code::TypeMismatch,
        Code::ShapeMismatch,
        Code::CannotInfer,
        Code::ImplicitReshape,
        Code::UnknownPort,
        Code::InputCount,
    ]
    .contains(&code)
}

/// Compares the stages that stand in the same place and are not the same.
fn compare(before: &Stages, after: &Stages, is_open: bool, found: &mut Vec<Diagnostic>) {
    for (id, old) in before.1.pipeline.stages.iter() {
        let Some(new) = after.1.pipeline.stages.get(id) else {
            return;
        };
        if new.span == old.span || matches!(new.kind, StageKind::Output(_)) {
            continue;
        }
        let (old_types, new_types) = (Interface::of(id, before), Interface::of(id, after));
        let is_decided = old_types.is_complete() && !new_types.is_complete();
        if !old_types.fits(&new_types) {
            found.push(changed(old, new, &old_types, &new_types));
        } else if is_open && is_decided {
            found.push(undecided(old, new, &old_types));
        }
    }
}

fn changed(old: &Stage, new: &Stage, old_types: &Interface, new_types: &Interface) -> Diagnostic {
    Diagnostic::new(
        Code::InterfaceChanged,
        new.name.span,
        format!(
            "`{}` is replaced by a stage of another interface",
            new.name.value
        ),
    )
    .at(format!("this {}", new_types.show()))
    .also(old.name.span, format!("this {}", old_types.show()))
    .note("What surrounds a stage stays when it is replaced, so its inputs and outputs must.")
    .hint("take one of the same interface, or give this one another name and RUNs of its own")
}

/// Says that only the stage that was replaced decided some types.
fn undecided(old: &Stage, new: &Stage, types: &Interface) -> Diagnostic {
    let (keyword, written) = match (&new.kind, types.inputs.as_ref(), types.outputs.as_ref()) {
        (StageKind::Capability(_), _, outputs) => ("CAPABILITY", list(outputs)),
        (StageKind::Model { .. }, inputs, outputs) => {
            ("MODEL", format!("{} -> {}", list(inputs), list(outputs)))
        }
        (StageKind::Block(_) | StageKind::Output(_), inputs, outputs) => {
            let written = format!("{} -> {}", list(inputs), list(outputs));
            ("PROC_BLOCK", written)
        }
    };
    Diagnostic::new(
        Code::CannotInfer,
        new.name.span,
        format!("cannot infer the types of `{}`", new.name.value),
    )
    .at("this leaves them open")
    .also(old.name.span, format!("this {}", types.show()))
    .hint(format!(
        "write the types: `REPLACE {keyword}<{written}> ...`"
    ))
}

/// Types behind each other; nothing where they are not known.
fn list(types: Option<&Vec<PartialType>>) -> String {
    let shown: Vec<String> = types
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    shown.join(", ")
}

/// What is known of the types of a stage; `None`: not even how many there are.
struct Interface {
    inputs: Option<Vec<PartialType>>,
    outputs: Option<Vec<PartialType>>,
}

impl Interface {
    fn of(id: StageId, (loaded, analysis): &Stages) -> Self {
        let known = |types: &[PartialType]| (!types.is_empty()).then(|| types.to_vec());
        match &loaded[id] {
            Loaded::Model(graph) => Self {
                inputs: Some(types(graph, &graph.inputs)),
                outputs: Some(types(graph, &graph.outputs)),
            },
            Loaded::Failed => Self {
                inputs: None,
                outputs: None,
            },
            // What is open there may be anything.
            Loaded::Block(_) | Loaded::Open(_) | Loaded::None => Self {
                inputs: known(&analysis.inputs[id]),
                outputs: known(&analysis.outputs[id]),
            },
        }
    }

    fn fits(&self, other: &Self) -> bool {
        let fit = |a: &Option<Vec<PartialType>>, b: &Option<Vec<PartialType>>| match (a, b) {
            (Some(a), Some(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| may_be_equal(a, b))
            }
            (_, _) => true,
        };
        fit(&self.inputs, &other.inputs) && fit(&self.outputs, &other.outputs)
    }

    fn is_complete(&self) -> bool {
        let types = self.inputs.iter().chain(&self.outputs).flatten();
        types.clone().count() > 0 && types.clone().all(|ty| ty.complete().is_some())
    }

    /// "takes F32[4] and gives U32[1]".
    fn show(&self) -> String {
        let (inputs, outputs) = (list(self.inputs.as_ref()), list(self.outputs.as_ref()));
        match (self.inputs.is_some(), self.outputs.is_some()) {
            (true, true) => format!("takes {inputs} and gives {outputs}"),
            (false, true) => format!("gives {outputs}"),
            (true, false) => format!("takes {inputs}"),
            (false, false) => "is not known".to_owned(),
        }
    }
}

/// The types of tensors of a model; one of truth values, which is reported elsewhere, is not known.
fn types(graph: &Graph, ids: &[TensorId]) -> Vec<PartialType> {
    ids.iter()
        .map(|id| {
            let tensor = &graph.tensors[*id];
            match tensor.ty {
                DataType::Element(element) => TensorType::new(element, &tensor.shape).into(),
                DataType::Bool => PartialType::default(),
            }
        })
        .collect()
}

/// Whether two types may be the same, but for a leading batch of one.
fn may_be_equal(a: &PartialType, b: &PartialType) -> bool {
    let elements = match (a.element, b.element) {
        (Some(a), Some(b)) => a == b,
        (_, _) => true,
    };
    let (Some(a), Some(b)) = (&a.dims, &b.dims) else {
        return elements;
    };
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let rest = match &long[..] {
        [Some(Dim::Exact(1)), rest @ ..] if long.len() == short.len() + 1 => rest,
        all => all,
    };
    let same = |(a, b): (&Option<Dim>, &Option<Dim>)| a.is_none() || b.is_none() || a == b;
    elements && short.len() == rest.len() && short.iter().zip(rest).all(same)
}
