//! A rune as a list of steps over buffers: what `_call` does, before anything has an address.

use std::{fmt::Write as _, sync::Arc};

use rune_ir::{
    arena::Arena,
    block::Block,
    check::{Input, TypedKind, Verified},
    ty::{Dim, ElementType, TensorType},
};

use crate::{
    Options,
    kernels::{self, Unsupported},
    nest::{Buffer, BufferId},
    passes,
    routine::Routine,
};

/// Everything a rune does in one call, in order.
pub(crate) struct Program {
    /// Every piece of memory but stack and block state.
    pub(crate) buffers: Arena<Buffer>,
    /// The blocks in use, each once.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// What to do.
    pub(crate) steps: Vec<Step>,
}

/// One thing `_call` does.
pub(crate) struct Step {
    /// Position of its stage in [`Verified::stages`].
    pub(crate) stage: usize,
    /// What it does.
    pub(crate) action: Action,
}

/// What a step does.
pub(crate) enum Action {
    /// Fills a buffer from capability `index` of the manifest.
    Read {
        index: u32,
        into: BufferId,
        bytes: u32,
    },
    /// Runs a kernel.
    Kernel(Routine),
    /// Runs an instance of a block.
    Block(BlockCall),
    /// Hands tensors to output `index` of the manifest.
    Write {
        index: u32,
        tensors: Vec<Port>,
        record: BufferId,
    },
}

/// A call of a block's `run`.
pub(crate) struct BlockCall {
    /// Which of [`Program::blocks`].
    pub(crate) block: usize,
    /// Its inputs.
    pub(crate) inputs: Vec<Port>,
    /// Its outputs.
    pub(crate) outputs: Vec<Port>,
    /// The input descriptors, then the output descriptors.
    pub(crate) descriptors: BufferId,
    /// Memory it may use during the call, if it asks for any.
    pub(crate) scratch: Option<BufferId>,
}

/// A tensor at the border of a stage.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// Its elements.
    pub(crate) buffer: BufferId,
    /// Where the number of elements stands, if that is not always the same.
    pub(crate) length: Option<BufferId>,
    /// Its type as this stage sees it.
    pub(crate) ty: TensorType,
}

impl Port {
    /// Index of the bounded dimension and the product of the others.
    pub(crate) fn bounded(&self) -> Option<(usize, u32)> {
        let at = self
            .ty
            .dims
            .iter()
            .position(|d| matches!(d, Dim::AtMost(_)))?;
        let others = self
            .ty
            .dims
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != at)
            .map(|(_, d)| d.bound())
            .product();
        Some((at, others))
    }
}

/// Size of one tensor descriptor: u32 address, u32 number of elements.
pub(crate) const DESCRIPTOR: u32 = 8;

/// Turns every stage into steps.
///
/// # Errors
/// The position of a stage and the operator of its model that no kernel computes.
pub(crate) fn build(
    verified: &Verified,
    options: &Options,
) -> Result<Program, (usize, Unsupported)> {
    let mut program = Program {
        buffers: Arena::default(),
        blocks: Vec::new(),
        steps: Vec::new(),
    };
    let mut outputs: Vec<Vec<Port>> = Vec::new();
    let (mut capabilities, mut sinks) = (0, 0);
    for (position, stage) in verified.stages().iter().enumerate() {
        let inputs: Vec<Port> = stage
            .inputs
            .iter()
            .map(|input| read(&outputs, input))
            .collect();
        let (action, made) = match &stage.kind {
            TypedKind::Capability { .. } => {
                let port = program.port(&stage.name, &stage.outputs[0]);
                let action = Action::Read {
                    index: capabilities,
                    into: port.buffer,
                    bytes: stage.outputs[0].bytes() as u32,
                };
                capabilities += 1;
                (action, vec![port])
            }
            TypedKind::Model { graph, .. } => {
                let made = program
                    .model(position, graph, &inputs, &stage.outputs, options)
                    .map_err(|error| (position, error))?;
                outputs.push(made);
                continue;
            }
            TypedKind::Block {
                block, snapshot, ..
            } => {
                let index = program
                    .blocks
                    .iter()
                    .position(|b| Arc::ptr_eq(b, block) || b.bytes == block.bytes)
                    .unwrap_or_else(|| {
                        program.blocks.push(block.clone());
                        program.blocks.len() - 1
                    });
                let made: Vec<Port> = stage
                    .outputs
                    .iter()
                    .map(|ty| program.port(&stage.name, ty))
                    .collect();
                let count = (inputs.len() + made.len()) as u32;
                let descriptors =
                    program.memory(format!("{}.descriptors", stage.name), count * DESCRIPTOR, 4);
                let scratch = (snapshot.scratch > 0).then(|| {
                    program.memory(format!("{}.scratch", stage.name), snapshot.scratch, 16)
                });
                (
                    Action::Block(BlockCall {
                        block: index,
                        inputs,
                        outputs: made.clone(),
                        descriptors,
                        scratch,
                    }),
                    made,
                )
            }
            TypedKind::Output { .. } => {
                let tensors: Vec<Port> = inputs
                    .into_iter()
                    .map(|port| program.canonical(position, &stage.name, port, options))
                    .collect();
                let words: u32 = tensors.iter().map(|p| 3 + p.ty.dims.len() as u32).sum();
                let record = program.memory(format!("{}.record", stage.name), words * 4, 4);
                let action = Action::Write {
                    index: sinks,
                    tensors,
                    record,
                };
                sinks += 1;
                (action, Vec::new())
            }
        };
        program.steps.push(Step {
            stage: position,
            action,
        });
        outputs.push(made);
    }
    Ok(program)
}

/// The port that feeds an input, with the type its reader sees.
fn read(outputs: &[Vec<Port>], input: &Input) -> Port {
    Port {
        ty: input.ty.clone(),
        ..outputs[input.stage][input.port].clone()
    }
}

impl Program {
    fn memory(&mut self, name: String, bytes: u32, align: u32) -> BufferId {
        self.buffers.push(Buffer {
            name,
            bytes,
            align,
            data: None,
            initial: None,
        })
    }

    /// Memory for a tensor that a stage makes.
    fn port(&mut self, stage: &str, ty: &TensorType) -> Port {
        // Vector loads may be aligned, whatever the element.
        let buffer = self.memory(stage.to_owned(), ty.bytes() as u32, 16);
        let bounded = ty.dims.iter().any(|d| matches!(d, Dim::AtMost(_)));
        let length = bounded.then(|| self.memory(format!("{stage}.length"), 4, 4));
        Port {
            buffer,
            length,
            ty: ty.clone(),
        }
    }

    /// A tensor as it may be handed out: where it may hold a NaN that is not the canonical one, a copy
    /// that does not. Those who read the tensor itself still find the bits it had.
    fn canonical(&mut self, stage: usize, name: &str, port: Port, options: &Options) -> Port {
        let computes = |step: &Step| match &step.action {
            Action::Kernel(kernel) => kernel.computes(port.buffer),
            Action::Read { .. } | Action::Block(_) | Action::Write { .. } => false,
        };
        let float = matches!(port.ty.element, ElementType::F32 | ElementType::F64);
        if !float || self.steps.iter().any(computes) {
            return port;
        }
        let bytes = self.buffers[port.buffer].bytes;
        let copy = self.memory(format!("{name}.canonical"), bytes, 16);
        let kernel = kernels::canonicalise(port.ty.element, bytes, port.buffer, copy, options.simd);
        self.steps.push(Step {
            stage,
            action: Action::Kernel(Routine::new(kernel, &self.buffers, options.text)),
        });
        Port {
            buffer: copy,
            ..port
        }
    }

    fn model(
        &mut self,
        stage: usize,
        graph: &rune_ir::graph::Graph,
        inputs: &[Port],
        types: &[TensorType],
        options: &Options,
    ) -> Result<Vec<Port>, Unsupported> {
        let mut graph = graph.clone();
        if options.level.optimises() {
            passes::optimise(&mut graph);
        }
        let feeds: Vec<BufferId> = inputs.iter().map(|p| p.buffer).collect();
        let Self { buffers, steps, .. } = self;
        let mut take = |kernel, buffers: &Arena<Buffer>| {
            steps.push(Step {
                stage,
                action: Action::Kernel(Routine::new(kernel, buffers, options.text)),
            });
        };
        let outputs = kernels::each(&graph, &feeds, buffers, options.simd, &mut take)?;
        Ok(outputs
            .into_iter()
            .zip(types)
            .map(|(buffer, ty)| Port {
                buffer,
                length: None,
                ty: ty.clone(),
            })
            .collect())
    }

    /// The buffers a step reads and writes.
    pub(crate) fn uses(step: &Step) -> Vec<BufferId> {
        let port = |p: &Port| {
            std::iter::once(p.buffer)
                .chain(p.length)
                .collect::<Vec<_>>()
        };
        match &step.action {
            Action::Read { into, .. } => vec![*into],
            Action::Kernel(kernel) => kernel.operands().iter().map(|o| o.buffer).collect(),
            Action::Block(call) => {
                let ports = call.inputs.iter().chain(&call.outputs).flat_map(port);
                ports
                    .chain([call.descriptors])
                    .chain(call.scratch)
                    .collect()
            }
            Action::Write {
                tensors, record, ..
            } => tensors.iter().flat_map(port).chain([*record]).collect(),
        }
    }

    /// The text of `--emit ir`: every step, and the loops of every kernel, of a program built to have a text.
    pub(crate) fn text(&self, verified: &Verified) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let stage = &verified.stages()[step.stage];
            // Writing to a string does not fail.
            let _ = match &step.action {
                Action::Read { index, into, bytes } => writeln!(
                    text,
                    "{}: read capability {index} into {} ({bytes} bytes)",
                    stage.name, self.buffers[*into].name
                ),
                Action::Kernel(routine) => match routine.nest() {
                    Some(kernel) => writeln!(text, "{}: {kernel}", stage.name),
                    None => Ok(()),
                },
                Action::Block(call) => writeln!(
                    text,
                    "{}: call block {} ({} in, {} out)",
                    stage.name,
                    self.blocks[call.block].signature.name,
                    call.inputs.len(),
                    call.outputs.len()
                ),
                Action::Write { index, tensors, .. } => writeln!(
                    text,
                    "{}: write output {index} ({} tensors)",
                    stage.name,
                    tensors.len()
                ),
            };
        }
        text
    }
}
