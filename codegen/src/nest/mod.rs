//! The loop-nest form: what a kernel computes, as loops over planned memory, between a model's operator
//! and WebAssembly.
//!
//! A [`Kernel`] is a function without parameters. Its loops have bounds that are constant or clipped by
//! the geometry of a window, its addresses are a buffer plus an affine function of loop variables, and
//! its arithmetic is that of WebAssembly's numeric instructions, scalar or on 128-bit vectors. Kernels
//! are written with [`Builder`], read as text through `Display`, and become code in `lower`.

mod affine;
mod builder;
mod code;
mod expr;
mod lower;
mod overlap;
mod rename;
mod text;

use rune_abi::WasmFeatures;
use rune_ir::arena::Id;

pub use affine::{Address, Affine, View};
pub use builder::Builder;
pub use code::{Code, Links};
pub use expr::{Expr, Lanes, Load, Op, Store, Ty};
pub use overlap::Move;

/// Names one buffer of a rune.
pub type BufferId = Id<Buffer>;

/// A piece of the rune's memory, at an address the plan decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// For people; need not be unique.
    pub name: String,
    /// Its size.
    pub bytes: u32,
    /// The power of two its address is a multiple of.
    pub align: u32,
    /// Its value, if it is only ever read: exactly `bytes` bytes.
    pub data: Option<Vec<u8>>,
    /// Its value before the first call, if it keeps its value between calls: exactly `bytes` bytes.
    pub initial: Option<Vec<u8>>,
}

/// Where a buffer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which memory of the module: 0 is the rune's, 1 has constants alone.
    pub memory: u32,
    /// Its first byte there.
    pub address: u32,
}

impl From<u32> for Place {
    /// An address in the rune's memory.
    fn from(address: u32) -> Self {
        Self { memory: 0, address }
    }
}

/// What a kernel does with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads it.
    Read,
    /// Writes every byte of it, and reads only what it has written.
    Write,
    /// Reads and changes what is kept between calls.
    Keep,
}

/// A buffer under the name a kernel has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The name in the text form.
    pub name: &'static str,
    /// The buffer.
    pub buffer: BufferId,
    /// What the kernel does with it.
    pub role: Role,
}

/// A variable: a loop's, a let's, or an accumulator. Numbered in the order they are defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Var(u32);

/// What the text form and the lowering know of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    name: &'static str,
    ty: Ty,
}

/// A statement of a nest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stmt {
    /// Defines a variable.
    Let(Var, Expr),
    /// Gives an accumulator another value.
    Set(Var, Expr),
    /// Writes memory.
    Store(Store, Address, Expr),
    /// Sets so many bytes.
    Fill { at: Address, byte: u8, bytes: u32 },
    /// Copies so many bytes.
    Copy {
        to: Address,
        from: Address,
        bytes: u32,
    },
    /// Counts `var` from `from` while it is below `to`.
    For {
        var: Var,
        from: Affine,
        to: Affine,
        step: i32,
        body: Vec<Stmt>,
    },
    /// Ends the loop it is directly in the body of, if the condition is not 0.
    Leave(Expr),
    /// Runs one of two bodies.
    If {
        condition: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    /// Runs `before`, then as long as `condition` is not 0, `body` and `before` again.
    While {
        before: Vec<Stmt>,
        condition: Expr,
        body: Vec<Stmt>,
    },
}

/// One function: loops over buffers, specialised to constant shapes, strides and quantisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    name: String,
    operands: Vec<Operand>,
    variables: Vec<Variable>,
    body: Vec<Stmt>,
}

impl Kernel {
    /// The operator it computes, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The buffers it uses, each once.
    pub fn operands(&self) -> &[Operand] {
        &self.operands
    }

    /// The buffers of one role.
    pub fn buffers(&self, role: Role) -> impl Iterator<Item = BufferId> {
        self.operands
            .iter()
            .filter(move |o| o.role == role)
            .map(|o| o.buffer)
    }

    /// Whether it computes what it writes to `buffer`, and moves nothing there from elsewhere as it is. A
    /// NaN that is computed is stored as the canonical one, a NaN that is moved may be any.
    pub fn computes(&self, buffer: BufferId) -> bool {
        self.buffers(Role::Write).any(|b| b == buffer) && !moves(&self.body, buffer)
    }

    /// Its code, which does not know yet where each buffer lies.
    pub fn code(&self) -> Code {
        lower::code(self)
    }

    /// The features its code uses beyond the first version of WebAssembly.
    pub fn features(&self) -> WasmFeatures {
        lower::features(self)
    }
}

/// Whether bytes are moved to a buffer of floats.
fn moves(body: &[Stmt], buffer: BufferId) -> bool {
    body.iter().any(|statement| match statement {
        _ if overlap::moved(statement).is_some_and(|(to, ..)| to.buffer == buffer) => true,
        // What is no float was not computed as one.
        Stmt::Store(_, to, value) => to.buffer == buffer && !value.ty().is_float(),
        Stmt::For { body, .. } => moves(body, buffer),
        Stmt::If {
            then, otherwise, ..
        } => moves(then, buffer) || moves(otherwise, buffer),
        Stmt::While { before, body, .. } => moves(before, buffer) || moves(body, buffer),
        Stmt::Let(..) | Stmt::Set(..) | Stmt::Fill { .. } | Stmt::Copy { .. } | Stmt::Leave(..) => {
            false
        }
    })
}
