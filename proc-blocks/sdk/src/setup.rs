//! What `init` is told, and what it asks for.

use alloc::string::String;
use core::{fmt, slice};

use crate::{
    Area, Block, Inputs, Outputs, Plain, Scratch, State, Text,
    memory::{Kept, Planner},
    ports::fits,
    raw::{Arg, Context, Type},
};

/// Why a block cannot be made: one sentence for the author of the Runefile, without a full stop.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// The sentence.
    pub fn message(&self) -> &str {
        &self.0
    }

    /// The sentence, never freed.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn leak(self) -> &'static str {
        self.0.leak()
    }
}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self(message.into())
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The arguments and types of an instance, and the memory it will have.
#[derive(Debug)]
pub struct Setup<'a> {
    args: &'a [Arg],
    types: &'a [Type],
    inputs: usize,
    state: *mut u8,
    pub(crate) kept: Planner,
    pub(crate) lent: Planner,
}

/// The type of an input or output.
#[derive(Clone, Copy, Debug)]
pub struct TensorType<'a>(&'a Type);

impl<'a> TensorType<'a> {
    /// The dimensions, the outermost first.
    #[expect(unsafe_code, reason = "a record holds an address and a length")]
    pub fn dims(self) -> &'a [u32] {
        // SAFETY: the record is valid by the promise of `Setup::new`.
        unsafe { records(self.0.dims, self.0.rank as usize) }
    }

    /// How many elements there is room for.
    pub fn len(self) -> usize {
        self.dims().iter().map(|d| *d as usize).product()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether dimension `index` is only a bound of what each call has.
    pub fn is_bound(self, index: usize) -> bool {
        index < 32 && self.0.bounds >> index & 1 == 1
    }
}

impl<'a> Setup<'a> {
    /// # Safety
    /// The context and what it points at are as `docs/abi.md` says and stay for `'a`.
    #[expect(unsafe_code, reason = "the border to the records of the contract")]
    pub(crate) unsafe fn new(context: &Context) -> Self {
        let aligned = context.state.align_offset(Planner::ALIGN);
        let room = context.state_end as usize - context.state as usize;
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                args: records(context.args, context.arg_count),
                types: records(context.types, context.input_count + context.output_count),
                inputs: context.input_count,
                state: context.state.wrapping_add(aligned),
                kept: Planner {
                    used: 0,
                    room: room.saturating_sub(aligned),
                },
                lent: Planner {
                    used: 0,
                    room: i32::MAX as usize,
                },
            }
        }
    }

    /// Where the state begins.
    pub(crate) fn state_base(&self) -> *mut u8 {
        self.state
    }

    /// Whether the inputs and outputs are those of `B`.
    pub(crate) fn has_types<B: Block>(&self) -> bool {
        let (inputs, outputs) = self.types.split_at(self.inputs);
        let tags = |types: &'a [Type]| types.iter().map(|t| t.element);
        fits(B::Inputs::TYPES, B::Inputs::MANY, tags(inputs))
            && fits(B::Outputs::TYPES, B::Outputs::MANY, tags(outputs))
    }

    /// How many inputs there are, counting each of [`Many`](crate::Many).
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many outputs there are, counting each of [`Many`](crate::Many).
    pub fn outputs(&self) -> usize {
        self.types.len() - self.inputs
    }

    /// The type of input `index`.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn input(&self, index: usize) -> TensorType<'a> {
        TensorType(&self.types[..self.inputs][index])
    }

    /// The type of output `index`.
    ///
    /// # Panics
    /// If there is no such output.
    pub fn output(&self, index: usize) -> TensorType<'a> {
        TensorType(&self.types[self.inputs..][index])
    }

    fn arg(&self, index: usize, tag: u32) -> Result<&'a Arg, Refusal> {
        self.args
            .get(index)
            .filter(|arg| arg.tag == tag)
            .ok_or_else(|| {
                alloc::format!("argument {index} is not of the type the block reads").into()
            })
    }

    /// Argument `index` of the signature, an `integer`.
    ///
    /// # Errors
    /// If it is of another type; so for the others.
    pub fn integer(&self, index: usize) -> Result<i64, Refusal> {
        Ok(self.arg(index, Arg::INTEGER)?.value as i64)
    }

    /// Argument `index`, a `bool`.
    pub fn bool(&self, index: usize) -> Result<bool, Refusal> {
        Ok(self.integer(index)? != 0)
    }

    /// Argument `index`, a `float`.
    pub fn float(&self, index: usize) -> Result<f64, Refusal> {
        Ok(f64::from_bits(self.arg(index, Arg::FLOAT)?.value))
    }

    /// Argument `index`, a `string`. It is gone after `init`: keep a copy of what `run` needs.
    #[expect(unsafe_code, reason = "a record holds an address and a length")]
    pub fn text(&self, index: usize) -> Result<&'a str, Refusal> {
        let arg = self.arg(index, Arg::TEXT)?;
        // SAFETY: the record is valid by the promise of `new`, and texts are UTF-8.
        unsafe {
            Ok(str::from_utf8_unchecked(records(
                address(arg),
                arg.length as usize,
            )))
        }
    }

    /// Argument `index`, a list of `strings`. They are gone after `init`.
    #[expect(unsafe_code, reason = "a record holds an address and a length")]
    pub fn texts(
        &self,
        index: usize,
    ) -> Result<impl ExactSizeIterator<Item = &'a str> + Clone + use<'a>, Refusal> {
        let arg = self.arg(index, Arg::LIST)?;
        // SAFETY: the record is valid by the promise of `new`; a pair is what `Text` is.
        let texts: &[Text<'a>] = unsafe { records(address(arg).cast(), arg.length as usize) };
        Ok(texts.iter().map(Text::as_str))
    }

    /// Argument `index`, `bytes`. They are gone after `init`.
    #[expect(unsafe_code, reason = "a record holds an address and a length")]
    pub fn bytes(&self, index: usize) -> Result<&'a [u8], Refusal> {
        let arg = self.arg(index, Arg::BYTES)?;
        // SAFETY: the record is valid by the promise of `new`.
        unsafe { Ok(records(address(arg), arg.length as usize)) }
    }

    /// Memory that stays from call to call, zero before the first.
    ///
    /// # Errors
    /// If there is not so much.
    pub fn state<T: Plain>(&mut self, length: usize) -> Result<State<T>, Refusal> {
        self.kept
            .take(length)
            .ok_or_else(|| "the state of the block is too large".into())
    }

    /// The state as it will be before the first call, to set what shall not be zero.
    #[expect(unsafe_code, reason = "the state is raw memory")]
    pub fn initial_state(&mut self) -> Area<'_, Kept> {
        // SAFETY: the arena is zeroed memory of this instance alone, which the borrow keeps apart.
        unsafe { Area::new(self.state, self.kept.used) }
    }

    /// Memory to work in, which holds anything at the start of a call.
    ///
    /// # Errors
    /// If no machine has so much.
    pub fn scratch<T: Plain>(&mut self, length: usize) -> Result<Scratch<T>, Refusal> {
        self.lent
            .take(length)
            .ok_or_else(|| "the block needs too much scratch memory".into())
    }
}

fn address(arg: &Arg) -> *const u8 {
    core::ptr::with_exposed_provenance(arg.value as usize)
}

/// # Safety
/// `count` valid `T`s lie at `first` for all of `'a`; where there are none, `first` may be anything.
#[expect(unsafe_code, reason = "the border to the records of the contract")]
unsafe fn records<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(first, count) }
}
