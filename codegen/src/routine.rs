//! A kernel on its way into a module, for as long as nothing has an address: as code wherever it can be, for
//! the loop nests of a large model would take many times the memory of the model.

use rune_ir::arena::Arena;

use crate::nest::{Buffer, BufferId, Code, Kernel, Links, Move, Operand, Place, Role};

/// What planning needs to know of a kernel, and what it does.
#[derive(Debug)]
pub(crate) struct Routine {
    operands: Vec<Operand>,
    moves: Vec<Move>,
    /// The inputs over which an output may lie, each with that output.
    replaced: Vec<(BufferId, BufferId)>,
    /// The outputs it computes, rather than moves there.
    computed: Vec<BufferId>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Loops that the plan may still make shorter, or that are wanted as text.
    Nest(Kernel),
    /// Code, whatever the plan is.
    Code(Code),
}

impl Routine {
    /// Lowers a kernel over these buffers, unless its loops are still needed: by [`settle`](Self::settle), or
    /// for their `text`.
    pub(crate) fn new(kernel: Kernel, buffers: &Arena<Buffer>, text: bool) -> Self {
        // Nothing is placed over what is constant or kept.
        let is_shared = |id: &BufferId| {
            let buffer = &buffers[*id];
            buffer.data.is_none() && buffer.initial.is_none()
        };
        let mut replaced = Vec::new();
        for output in kernel.buffers(Role::Write) {
            let inputs = kernel.buffers(Role::Read).filter(is_shared);
            let inputs = inputs.filter(|input| kernel.may_replace(*input, output));
            replaced.extend(inputs.map(|input| (input, output)));
        }
        let outputs = kernel.buffers(Role::Write);
        Self {
            operands: kernel.operands().to_vec(),
            moves: kernel.moves(),
            replaced,
            computed: outputs.filter(|id| kernel.computes(*id)).collect(),
            form: if text || !kernel.is_settled() {
                Form::Nest(kernel)
            } else {
                Form::Code(kernel.code())
            },
        }
    }

    /// The buffers it uses, each once.
    pub(crate) fn operands(&self) -> &[Operand] {
        &self.operands
    }

    /// The buffers of one role.
    pub(crate) fn buffers(&self, role: Role) -> impl Iterator<Item = BufferId> {
        let operands = self.operands.iter().filter(move |o| o.role == role);
        operands.map(|o| o.buffer)
    }

    /// As [`Kernel::moves`].
    pub(crate) fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// As [`Kernel::may_replace`], of inputs that are neither constant nor kept.
    pub(crate) fn may_replace(&self, input: BufferId, output: BufferId) -> bool {
        self.replaced.contains(&(input, output))
    }

    /// As [`Kernel::computes`].
    pub(crate) fn computes(&self, buffer: BufferId) -> bool {
        self.computed.contains(&buffer)
    }

    /// Leaves out what moves bytes to where they are, with the places that `place` knows.
    pub(crate) fn settle(&mut self, place: &dyn Fn(BufferId) -> Place) {
        match &mut self.form {
            Form::Nest(kernel) => kernel.settle(place),
            Form::Code(_) => {}
        }
    }

    /// Whether it does nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.form {
            Form::Nest(kernel) => kernel.is_empty(),
            Form::Code(_) => false,
        }
    }

    /// The loops, if they are still there.
    pub(crate) fn nest(&self) -> Option<&Kernel> {
        match &self.form {
            Form::Nest(kernel) => Some(kernel),
            Form::Code(_) => None,
        }
    }

    /// The body of its function, of type `() -> ()`, once it is known where everything is.
    pub(crate) fn body(&self, links: &Links<'_>) -> Vec<u8> {
        match &self.form {
            Form::Nest(kernel) => kernel.code().body(links),
            Form::Code(code) => code.body(links),
        }
    }

    /// Whether it calls functions of intrinsics.
    pub(crate) fn has_intrinsics(&self) -> bool {
        match &self.form {
            Form::Nest(kernel) => kernel.code().has_intrinsics(),
            Form::Code(code) => code.has_intrinsics(),
        }
    }
}
