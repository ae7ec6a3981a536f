//! Code of a kernel before its buffers have addresses: what is lowered once can be placed anywhere.

use rune_c::Intrinsic;
use wasm_encoder::{Encode, Instruction};

use super::{BufferId, Place};

/// A function of type `() -> ()` with a gap wherever its bytes depend on where something is in the module.
///
/// The encoding of a number is as long as the number is large, so addresses are not written over something:
/// they are written between the bytes that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Locals and instructions, without what the gaps stand for.
    bytes: Vec<u8>,
    /// By rising position.
    gaps: Vec<Gap>,
}

/// What goes into the bytes at a position once places are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    at: u32,
    filling: Filling,
}

/// What a gap is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// A part of an address.
    Address(Form, Base),
    /// The function of an intrinsic.
    Function(Intrinsic),
}

/// Where in a module is what kernels name.
pub struct Links<'a> {
    /// The place of a buffer.
    pub place: &'a dyn Fn(BufferId) -> Place,
    /// The function of the first intrinsic, behind which are the others, if the module has them.
    pub intrinsics: u32,
}

impl std::fmt::Debug for Links<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

/// The part of an address that is the same in every turn of the loops: bytes from the begin of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) buffer: BufferId,
    pub(super) constant: i32,
}

/// How the base of an address becomes part of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The operand of an `i32.const`.
    Constant,
    /// The offset of a load or store; 0 if the address is negative. The byte before it says in which memory.
    Offset,
    /// The memory that a copy reads.
    Source,
    /// Instructions that add it to a pointer if it is negative, so that it cannot be an offset; else none.
    Addition,
}

impl Code {
    /// Nothing yet but the beginning of a body: its locals.
    pub(super) fn new(locals: Vec<u8>) -> Self {
        Self {
            bytes: locals,
            gaps: Vec::new(),
        }
    }

    /// Where the next instruction is written.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Leaves a gap, with so many bytes `behind` it. In place of a number stands a 0, which makes way.
    pub(super) fn leave(&mut self, filling: Filling, behind: usize) {
        let mut at = self.bytes.len() - behind;
        if !matches!(filling, Filling::Address(Form::Addition, _)) {
            at -= 1;
            self.bytes.remove(at);
        }
        self.gaps.push(Gap {
            at: at as u32,
            filling,
        });
    }

    /// Whether it calls functions of intrinsics.
    pub fn has_intrinsics(&self) -> bool {
        let mut fillings = self.gaps.iter().map(|gap| gap.filling);
        fillings.any(|filling| matches!(filling, Filling::Function(_)))
    }

    /// Gives back what memory was reserved for more.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.gaps.shrink_to_fit();
    }

    /// The body of the function, once it is known where everything is.
    pub fn body(&self, links: &Links<'_>) -> Vec<u8> {
        // Most addresses take two or three bytes.
        let mut body = Vec::with_capacity(self.bytes.len() + 3 * self.gaps.len());
        let mut written = 0;
        for gap in &self.gaps {
            let at = gap.at as usize;
            body.extend_from_slice(&self.bytes[written..at]);
            written = at;
            let (form, base) = match gap.filling {
                Filling::Address(form, base) => (form, base),
                Filling::Function(intrinsic) => {
                    (links.intrinsics + intrinsic as u32).encode(&mut body);
                    continue;
                }
            };
            let Place { memory, address } = (links.place)(base.buffer);
            let value = i64::from(address) + i64::from(base.constant);
            match form {
                Form::Constant => (value as i32).encode(&mut body),
                Form::Offset => {
                    if memory > 0 {
                        // The byte with the alignment says so, too.
                        *body.last_mut().expect("an alignment is before an offset") |= 1 << 6;
                        memory.encode(&mut body);
                    }
                    u64::try_from(value).unwrap_or(0).encode(&mut body);
                }
                Form::Source => memory.encode(&mut body),
                Form::Addition if value < 0 => {
                    Instruction::I32Const(value as i32).encode(&mut body);
                    Instruction::I32Add.encode(&mut body);
                }
                Form::Addition => {}
            }
        }
        body.extend_from_slice(&self.bytes[written..]);
        body.shrink_to_fit();
        body
    }
}

#[cfg(test)]
mod tests {
    use rune_ir::arena::{Arena, Id};
    use wasm_encoder::{Function, Instruction, MemArg, ValType};

    use crate::nest::{Address, Affine, Buffer, Builder, Expr, Links, Load, Place, Role, Store};

    fn memarg(offset: u64, align: u32) -> MemArg {
        MemArg {
            offset,
            align,
            target: wasm_encoder::MemArgTarget::default(),
            ordering: None,
        }
    }

    /// A function that reads one buffer and writes another.
    fn builder() -> (Builder, [Id<Buffer>; 2]) {
        let mut buffers: Arena<Buffer> = Arena::default();
        let both @ [x, y] = ["x", "y"].map(|name| {
            buffers.push(Buffer {
                name: name.to_owned(),
                bytes: 1024,
                align: 16,
                data: None,
                initial: None,
            })
        });
        let mut f = Builder::new("test");
        f.operand(Role::Read, "x", x);
        f.operand(Role::Write, "y", y);
        (f, both)
    }

    fn at(buffer: Id<Buffer>, offset: Affine) -> Address {
        Address { buffer, offset }
    }

    #[test]
    fn code_is_placed_as_if_it_were_written_for_these_addresses() {
        let (mut f, [x, y]) = builder();
        f.fill(at(y, 4.into()), 1, 8);
        // Behind the begin of the buffer only once the variable part is added, as where a window has padding.
        let i = f.index("i", Expr::Load(Load::U8, at(x, 7.into())));
        f.store(
            Store::I8,
            at(y, &i + -20),
            Expr::Load(Load::U8, at(x, &i + -30)),
        );
        let lane = Store::Lane { bytes: 4, lane: 2 };
        let vector = Expr::Vector(crate::nest::Ty::I32x4, [3; 16]);
        f.store(lane, at(y, 16.into()), vector);
        let code = f.finish().code();

        for (x_at, y_at) in [(0, 1024), (100, 5), (1 << 20, 1 << 14), (40, 1 << 30)] {
            let mut expected = Function::new_with_locals_types([ValType::I32]);
            let mut write = |instructions: &[Instruction<'_>]| {
                for instruction in instructions {
                    expected.instruction(instruction);
                }
            };
            // A constant part below zero is added to the pointer.
            let part = |base: i32| match u64::try_from(base) {
                Ok(offset) => (Vec::new(), offset),
                Err(_) => (vec![Instruction::I32Const(base), Instruction::I32Add], 0),
            };
            let ((to, to_offset), (from, from_offset)) = (part(y_at - 20), part(x_at - 30));
            write(&[
                Instruction::I32Const(y_at + 4),
                Instruction::I32Const(1),
                Instruction::I32Const(8),
                Instruction::MemoryFill(0),
                Instruction::I32Const(0),
                Instruction::I32Load8U(memarg(x_at as u64 + 7, 0)),
                Instruction::LocalTee(0),
            ]);
            write(&to);
            write(&[Instruction::LocalGet(0)]);
            write(&from);
            write(&[
                Instruction::I32Load8U(memarg(from_offset, 0)),
                Instruction::I32Store8(memarg(to_offset, 0)),
                Instruction::I32Const(0),
                Instruction::V128Const(i128::from_le_bytes([3; 16])),
                Instruction::V128Store32Lane {
                    memarg: memarg(y_at as u64 + 16, 2),
                    lane: 2,
                },
                Instruction::End,
            ]);
            let place = |b| if b == x { x_at as u32 } else { y_at as u32 }.into();
            let links = Links {
                place: &place,
                intrinsics: 0,
            };
            assert_eq!(code.body(&links), expected.into_raw_body(), "{x_at} {y_at}");
        }
    }

    #[test]
    fn code_reads_the_memory_a_buffer_lies_in() {
        let (mut f, [x, y]) = builder();
        f.copy(at(y, 4.into()), at(x, 12.into()), 8);
        f.store(
            Store::Whole,
            at(y, 0.into()),
            Expr::Load(Load::Whole(crate::nest::Ty::I32), at(x, 8.into())),
        );
        let place = |buffer| {
            if buffer == x {
                Place {
                    memory: 1,
                    address: 300,
                }
            } else {
                64.into()
            }
        };
        let body = f.finish().code().body(&Links {
            place: &place,
            intrinsics: 0,
        });
        let mut expected = Function::new([]);
        let from = MemArg {
            target: wasm_encoder::MemArgTarget::Memory(1),
            ..memarg(308, 2)
        };
        for instruction in [
            Instruction::I32Const(68),
            Instruction::I32Const(312),
            Instruction::I32Const(8),
            Instruction::MemoryCopy {
                src_mem: 1,
                dst_mem: 0,
            },
            Instruction::I32Const(0),
            Instruction::I32Const(0),
            Instruction::I32Load(from),
            Instruction::I32Store(memarg(64, 2)),
            Instruction::End,
        ] {
            expected.instruction(&instruction);
        }
        assert_eq!(body, expected.into_raw_body());
    }
}
