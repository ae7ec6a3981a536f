//! The same instruction or finding where text was put before it, or into the middle of it.

use rune_ir::diag::{Diagnostic, FileId, Span, Spanned};

use crate::tree::{Argument, Instruction, StageRef, Types, Value, Word};

/// Moves what stands behind a place of a text further back, into another file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    /// The file it is in.
    pub(crate) file: FileId,
    /// The first byte that moves.
    pub(crate) from: u32,
    /// By how many bytes.
    pub(crate) by: u32,
}

impl Shift {
    /// A copy of it, in its new place.
    pub(crate) fn of<T: Shifted>(self, original: &T) -> T {
        let mut moved = original.clone();
        moved.shift(self);
        moved
    }
}

/// What has places in a text.
pub(crate) trait Shifted: Clone {
    /// Moves all of them.
    fn shift(&mut self, to: Shift);
}

impl Shifted for Span {
    fn shift(&mut self, to: Shift) {
        self.file = to.file;
        for at in [&mut self.start, &mut self.end] {
            if *at >= to.from {
                *at += to.by;
            }
        }
    }
}

impl<T: Clone> Shifted for Spanned<T> {
    fn shift(&mut self, to: Shift) {
        self.span.shift(to);
    }
}

impl<T: Shifted> Shifted for Option<T> {
    fn shift(&mut self, to: Shift) {
        for part in self.iter_mut() {
            part.shift(to);
        }
    }
}

impl<T: Shifted> Shifted for Vec<T> {
    fn shift(&mut self, to: Shift) {
        for part in self.iter_mut() {
            part.shift(to);
        }
    }
}

impl<A: Shifted, B: Shifted> Shifted for (A, B) {
    fn shift(&mut self, to: Shift) {
        self.0.shift(to);
        self.1.shift(to);
    }
}

impl Shifted for Instruction {
    fn shift(&mut self, to: Shift) {
        match self {
            Self::From(from) => {
                from.image.shift(to);
                from.alias.shift(to);
                from.span.shift(to);
            }
            Self::For(device) => {
                device.image.shift(to);
                device.span.shift(to);
            }
            Self::Label(label) => {
                label.pairs.shift(to);
                label.span.shift(to);
            }
            Self::Resource(resource) => {
                resource.path.shift(to);
                resource.name.shift(to);
                resource.args.shift(to);
                resource.span.shift(to);
            }
            Self::Stage(stage) => {
                stage.replace.shift(to);
                stage.role.shift(to);
                stage.types.shift(to);
                stage.first.shift(to);
                stage.second.shift(to);
                stage.args.shift(to);
                stage.span.shift(to);
            }
            Self::Set(set) => {
                set.stage.shift(to);
                set.args.shift(to);
                set.span.shift(to);
            }
            Self::Run(run) => {
                for step in &mut run.steps {
                    step.stages.shift(to);
                    step.span.shift(to);
                }
                run.span.shift(to);
            }
            Self::Faulty(faulty) => faulty.span.shift(to),
        }
    }
}

impl Shifted for Types {
    fn shift(&mut self, to: Shift) {
        self.before.shift(to);
        self.after.shift(to);
        self.span.shift(to);
    }
}

impl Shifted for Word {
    fn shift(&mut self, to: Shift) {
        self.span.shift(to);
    }
}

impl Shifted for Argument {
    fn shift(&mut self, to: Shift) {
        self.name.shift(to);
        self.value.shift(to);
        if let Value::List(items) = &mut self.value.value {
            items.shift(to.file, to.from, to.by);
        }
    }
}

impl Shifted for StageRef {
    fn shift(&mut self, to: Shift) {
        self.name.shift(to);
        self.port.shift(to);
        self.span.shift(to);
    }
}

impl Shifted for Diagnostic {
    fn shift(&mut self, to: Shift) {
        self.primary.span.shift(to);
        for label in &mut self.secondary {
            label.span.shift(to);
        }
        for edit in self.fixes.iter_mut().flat_map(|fix| &mut fix.edits) {
            edit.span.shift(to);
        }
    }
}
