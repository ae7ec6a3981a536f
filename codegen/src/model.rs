//! What a model needs by itself, whatever rune it is to be part of.

use std::collections::BTreeSet;

use rune_ir::{
    arena::Arena,
    graph::Graph,
    ty::{ElementType, TensorType},
};

use crate::{
    Options,
    kernels::{self, Compiled, Unsupported},
    nest::{Buffer, BufferId, Links},
    passes,
    plan::{self, Plan},
    program::{Action, Port, Program, Step},
    routine::Routine,
    share,
};

/// What a model needs once it is compiled: its inputs given in one step, a step for each kernel, its
/// outputs taken in a last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes of the memory that its tensors share.
    pub arena: u64,
    /// The most bytes of tensors in use in one step, each rounded up to 16: no arena is smaller.
    pub bound: u64,
    /// Whether no plan has a smaller arena, be it at the bound or above it.
    pub is_least: bool,
    /// Bytes of weights, tables and other constants.
    pub constants: u64,
    /// Bytes of what it keeps from call to call.
    pub state: u64,
    /// Bytes of code.
    pub code: u64,
    /// How many kernels are not there, for all they would move lies where it should.
    pub moved: usize,
    /// What happens in each step: the name of a kernel, or `input` and `output` at the ends.
    pub steps: Vec<String>,
    /// What lies in the arena, in the order of the model.
    pub tensors: Vec<Resident>,
}

/// What has a place in the arena for some steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The tensor's name; of scratch, what it is for.
    pub name: String,
    /// Its first byte, from the begin of the arena.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u32,
    /// The first step that uses it.
    pub first: u32,
    /// The last step that uses it.
    pub last: u32,
    /// Whether the caller gives it.
    pub is_input: bool,
    /// Whether the caller gets it.
    pub is_output: bool,
}

impl Footprint {
    /// Bytes of memory the model takes in all: what is shared, what is kept, and what is constant.
    pub fn memory(&self) -> u64 {
        self.arena + self.state + self.constants
    }
}

/// Compiles a model by itself, and plans its memory.
///
/// # Errors
/// An operator that no kernel computes, or more memory than there is.
pub fn footprint(graph: &Graph, options: &Options) -> Result<Footprint, Unsupported> {
    let mut graph = graph.clone();
    if options.level.optimises() {
        passes::optimise(&mut graph);
    }
    let mut buffers = Arena::default();
    let feeds: Vec<BufferId> = graph
        .inputs
        .iter()
        .map(|id| &graph.tensors[*id])
        .map(|t| buffers.push(buffer(t.name.clone(), t.bytes() as u32)))
        .collect();
    let compiled = kernels::compile(&graph, &feeds, &mut buffers, options.simd)?;
    let (mut program, steps) = program(buffers, &feeds, compiled);
    let too_large = || Unsupported {
        operator: "the model",
        reason: "it needs more than 2 GiB of memory".to_owned(),
    };
    let plan = plan::plan(&program, (0, 0), false).ok_or_else(too_large)?;
    share::settle(&mut program.steps, &plan);
    Ok(measure(&program, &plan, steps))
}

fn buffer(name: String, bytes: u32) -> Buffer {
    Buffer {
        name,
        bytes,
        align: 16,
        data: None,
        initial: None,
    }
}

/// The kernels between a step for each input and one that takes the outputs, and what to call them all.
pub(crate) fn program(
    mut buffers: Arena<Buffer>,
    feeds: &[BufferId],
    compiled: Compiled,
) -> (Program, Vec<String>) {
    let Compiled { kernels, outputs } = compiled;
    let mut names = Vec::new();
    let mut actions = Vec::new();
    for (index, into) in (0..).zip(feeds) {
        names.push("input".to_owned());
        actions.push(Action::Read {
            index,
            into: *into,
            bytes: buffers[*into].bytes,
        });
    }
    for kernel in kernels {
        names.push(kernel.name().to_owned());
        actions.push(Action::Kernel(Routine::new(kernel, &buffers, false)));
    }
    // Whatever they are: only that they are used counts.
    let port = |id: &BufferId| Port {
        buffer: *id,
        length: None,
        ty: TensorType::new(ElementType::U8, &[buffers[*id].bytes]),
    };
    let tensors = outputs.iter().map(port).collect();
    names.push("output".to_owned());
    actions.push(Action::Write {
        index: 0,
        tensors,
        record: buffers.push(buffer(String::new(), 0)),
    });
    let steps = actions.into_iter().map(|action| Step { stage: 0, action });
    let program = Program {
        buffers,
        blocks: Vec::new(),
        steps: steps.collect(),
    };
    (program, names)
}

fn measure(program: &Program, plan: &Plan, steps: Vec<String>) -> Footprint {
    let uses = |of: fn(&Action) -> bool| -> BTreeSet<BufferId> {
        let steps = program.steps.iter().filter(|s| of(&s.action));
        steps.flat_map(Program::uses).collect()
    };
    let inputs = uses(|action| matches!(action, Action::Read { .. }));
    let outputs = uses(|action| matches!(action, Action::Write { .. }));
    let tensors = plan.lives.iter().map(|(id, life)| Resident {
        name: program.buffers[*id].name.clone(),
        offset: u64::from(plan.address(*id) - plan.arena),
        bytes: life.bytes,
        first: life.first,
        last: life.last,
        is_input: inputs.contains(id),
        is_output: outputs.contains(id),
    });
    let links = Links {
        place: &|buffer| plan.place(buffer),
        intrinsics: 0,
    };
    let code = program.steps.iter().map(|step| match &step.action {
        Action::Kernel(kernel) if !kernel.is_empty() => kernel.body(&links).len() as u64,
        Action::Kernel(_) | Action::Read { .. } | Action::Block(_) | Action::Write { .. } => 0,
    });
    let is_gone = |s: &&Step| matches!(&s.action, Action::Kernel(kernel) if kernel.is_empty());
    Footprint {
        moved: program.steps.iter().filter(is_gone).count(),
        arena: u64::from(plan.constants_at - plan.arena),
        bound: plan.bound,
        is_least: plan.is_least,
        constants: u64::from(plan.readonly - plan.constants_at),
        state: u64::from(plan.state_bytes),
        code: code.sum(),
        steps,
        tensors: tensors.collect(),
    }
}
