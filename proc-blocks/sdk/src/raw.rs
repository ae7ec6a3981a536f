//! The records of the contract between block and compiler, as they lie in memory.
//!
//! Addresses are pointers and sizes `usize`, so on wasm32 each is one word of `docs/abi.md`, and on the
//! host the same code runs over records of the host's own width.

/// The context of `init` and `shape`: 13 words.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    pub(crate) args: *const Arg,
    pub(crate) arg_count: usize,
    /// Inputs, then outputs.
    pub(crate) types: *const Type,
    pub(crate) input_count: usize,
    pub(crate) output_count: usize,
    pub(crate) frozen: *mut u8,
    pub(crate) frozen_end: *mut u8,
    pub(crate) state: *mut u8,
    pub(crate) state_end: *mut u8,
    pub(crate) message: *const u8,
    pub(crate) message_length: usize,
    pub(crate) scratch: usize,
    /// The first freed range of the frozen arena.
    pub(crate) freed: u32,
}

/// An argument.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arg {
    pub(crate) tag: u32,
    /// Bytes of a text, items of a list.
    pub(crate) length: u32,
    /// The bits of an i64 or f64, or an address.
    pub(crate) value: u64,
}

impl Arg {
    pub(crate) const INTEGER: u32 = 0;
    pub(crate) const FLOAT: u32 = 1;
    pub(crate) const TEXT: u32 = 2;
    pub(crate) const LIST: u32 = 3;
    pub(crate) const BYTES: u32 = 4;
}

/// The type of an input or output.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    pub(crate) element: u32,
    pub(crate) rank: u32,
    pub(crate) dims: *const u32,
    /// Bit `i`: dimension `i` is a bound.
    pub(crate) bounds: u32,
}

/// An input or output of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    pub(crate) address: *mut u8,
    /// Elements.
    pub(crate) count: usize,
}
