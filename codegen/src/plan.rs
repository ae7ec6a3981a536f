//! Where everything in a rune's memory lies: stack, what is kept between calls, tensors, read-only data.

use std::collections::BTreeSet;

use rune_ir::{
    arena::Side,
    layout::{ALIGN, Lifetime},
    ty::ElementType,
};

use crate::{
    nest::{Buffer, BufferId, Place, Role},
    program::{Action, BlockCall, Port, Program, Step},
    share,
};

/// Alignment of the regions, and of every tensor's vector loads.
const REGION: u64 = ALIGN as u64;

/// The addresses of a rune.
pub(crate) struct Plan {
    /// One past the stack.
    stack_top: u32,
    /// First byte of what is kept between calls, the blocks' first; the stack lies below.
    pub(crate) state: u32,
    /// Bytes of what is kept.
    pub(crate) state_bytes: u32,
    /// The buffers that are kept, by address.
    pub(crate) kept: Vec<BufferId>,
    /// First byte of the tensors that share memory.
    pub(crate) arena: u32,
    /// When each buffer of the arena is in use.
    pub(crate) lives: Vec<(BufferId, Lifetime)>,
    /// The most bytes of the arena in use in one step.
    pub(crate) bound: u64,
    /// Whether no plan has a smaller arena.
    pub(crate) is_least: bool,
    /// First byte of the buffers that are constant.
    pub(crate) constants_at: u32,
    /// First byte of read-only data that is not a buffer: blocks', names, the manifest.
    pub(crate) readonly: u32,
    /// Address of every buffer.
    address: Side<Buffer, u32>,
    /// Whether that is an address of the second memory.
    is_flash: Side<Buffer, bool>,
    /// The read-only buffers, by address.
    pub(crate) constants: Vec<BufferId>,
    /// The read-only buffers of the second memory, by address.
    pub(crate) flash: Vec<BufferId>,
    /// Bytes of the second memory.
    pub(crate) flash_bytes: u32,
}

impl Plan {
    /// The first value of the stack pointer: the stack grows down to 0 from here.
    pub(crate) fn stack_top(&self) -> u32 {
        self.stack_top
    }

    /// The address of a buffer in the rune's memory.
    pub(crate) fn address(&self, buffer: BufferId) -> u32 {
        debug_assert!(!self.is_flash[buffer], "it is in the rune's memory");
        self.address[buffer]
    }

    /// Where a kernel finds a buffer.
    pub(crate) fn place(&self, buffer: BufferId) -> Place {
        Place {
            memory: self.is_flash[buffer].into(),
            address: self.address[buffer],
        }
    }
}

/// Lays out a program whose blocks need this much stack and state; `None` if it does not fit in 31 bits. With `flash`,
/// constants that kernels alone read are in a second memory.
pub(crate) fn plan(
    program: &Program,
    (stack_bytes, state_bytes): (u32, u32),
    flash: bool,
) -> Option<Plan> {
    let state = u64::from(stack_bytes).next_multiple_of(REGION);
    let mut address = Side::filled(&program.buffers, 0u32);
    let kept: Vec<BufferId> = program
        .buffers
        .iter()
        .filter(|(_, b)| b.initial.is_some())
        .map(|(id, _)| id)
        .collect();
    let mut state_end = state + u64::from(state_bytes);
    for id in &kept {
        let buffer = &program.buffers[*id];
        let at = state_end.next_multiple_of(u64::from(buffer.align));
        address[*id] = u32::try_from(at).ok()?;
        state_end = at + u64::from(buffer.bytes);
    }
    let arena = state_end.next_multiple_of(REGION);
    let lives = lifetimes(program);
    let layout = share::place(program, &lives);
    for ((id, _), offset) in lives.iter().zip(&layout.offsets) {
        address[*id] = u32::try_from(arena + offset).ok()?;
    }
    let mut constants: Vec<BufferId> = constants(program);
    // The strictest alignment first, so that nothing is lost between; otherwise in the order made.
    constants.sort_by_key(|id| (std::cmp::Reverse(program.buffers[*id].align), id.index()));
    let in_flash: Vec<BufferId> = if flash {
        let escaped = escaped(program);
        constants
            .extract_if(.., |id| !escaped.contains(id))
            .collect()
    } else {
        Vec::new()
    };
    let mut is_flash = Side::filled(&program.buffers, false);
    for id in &in_flash {
        is_flash[*id] = true;
    }
    let constants_at = (arena + layout.bytes).next_multiple_of(REGION);
    let mut put = |ids: &[BufferId], start: u64| {
        let mut next = start;
        for id in ids {
            let buffer = &program.buffers[*id];
            next = next.next_multiple_of(u64::from(buffer.align));
            address[*id] = u32::try_from(next).ok()?;
            next += u64::from(buffer.bytes);
        }
        Some(next.next_multiple_of(REGION))
    };
    let flash_bytes = put(&in_flash, 0)?;
    let readonly = put(&constants, constants_at)?;
    (readonly < 1 << 31 && flash_bytes < 1 << 31).then_some(Plan {
        stack_top: state as u32,
        state: state as u32,
        state_bytes: (state_end - state) as u32,
        kept,
        arena: arena as u32,
        lives,
        bound: layout.bound,
        is_least: layout.proven,
        constants_at: constants_at as u32,
        readonly: readonly as u32,
        address,
        is_flash,
        constants,
        flash: in_flash,
        flash_bytes: flash_bytes as u32,
    })
}

/// The buffers that not only kernels read: blocks, and hosts, get addresses, and those are of the rune's memory.
fn escaped(program: &Program) -> BTreeSet<BufferId> {
    let escape = |step: &Step| match &step.action {
        Action::Kernel(kernel) => {
            // A kernel that would write to a constant, which none does, needs memory for it.
            let operands = kernel.operands().iter();
            let written = operands.filter(|o| o.role != Role::Read);
            written.map(|o| o.buffer).collect()
        }
        Action::Read { .. } | Action::Block(_) | Action::Write { .. } => Program::uses(step),
    };
    program.steps.iter().flat_map(escape).collect()
}

/// The buffers whose content is known once addresses are.
fn constants(program: &Program) -> Vec<BufferId> {
    let fixed = program.steps.iter().filter_map(|step| match &step.action {
        Action::Block(call) if !call.is_bounded() => Some(call.descriptors),
        Action::Write {
            tensors, record, ..
        } if tensors.iter().all(|t| t.length.is_none()) => Some(*record),
        Action::Block(_) | Action::Write { .. } | Action::Read { .. } | Action::Kernel(_) => None,
    });
    let data = program
        .buffers
        .iter()
        .filter(|(_, b)| b.data.is_some())
        .map(|(id, _)| id);
    let mut all: Vec<BufferId> = data.chain(fixed).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// When each buffer that is neither constant nor kept is in use. Texts may lie in what a block was given, so
/// whoever uses them uses that too.
fn lifetimes(program: &Program) -> Vec<(BufferId, Lifetime)> {
    let constant = constants(program);
    let mut lent: Side<Buffer, BTreeSet<BufferId>> =
        Side::filled(&program.buffers, BTreeSet::new());
    let mut span: Side<Buffer, Option<(u32, u32)>> = Side::filled(&program.buffers, None);
    for (index, step) in program.steps.iter().enumerate() {
        let uses = Program::uses(step);
        for id in uses.iter().flat_map(|id| lent[*id].iter().chain([id])) {
            let first = span[*id].map_or(index as u32, |(first, _)| first);
            span[*id] = Some((first, index as u32));
        }
        if let Action::Block(call) = &step.action {
            lend(call, &mut lent);
        }
    }
    let is_fixed = |id: &BufferId| {
        constant.binary_search(id).is_ok() || program.buffers[*id].initial.is_some()
    };
    span.iter()
        .filter(|(id, _)| !is_fixed(id))
        .filter_map(|(id, span)| {
            let (first, last) = (*span)?;
            let buffer = &program.buffers[id];
            debug_assert!(buffer.align <= ALIGN, "the plan aligns to {ALIGN} bytes");
            Some((
                id,
                Lifetime {
                    bytes: buffer.bytes,
                    first,
                    last,
                },
            ))
        })
        .collect()
}

/// Notes of the texts a block gives that they may lie in its inputs, or where the texts of those lie.
fn lend(call: &BlockCall, lent: &mut Side<Buffer, BTreeSet<BufferId>>) {
    let is_text = |port: &&Port| port.ty.element == ElementType::Utf8;
    let sources: BTreeSet<BufferId> = call
        .inputs
        .iter()
        .flat_map(|port| lent[port.buffer].iter().copied().chain([port.buffer]))
        .collect();
    for port in call.outputs.iter().filter(is_text) {
        lent[port.buffer].clone_from(&sources);
    }
}
