//! Runs a block on the host, with arguments and tensors of Rust.

mod native;

use std::{marker::PhantomData, ptr, vec, vec::Vec};

pub use native::{Data, Native, NativeInstance, Type, Variant};

use crate::{
    Block, ElementType, Fault, Flow, Inputs, Outputs, Refusal, Text, glue,
    raw::{self, Context},
};

/// The value of an argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `integer`, and 0 or 1 for `bool`.
    Integer(i64),
    /// `float`.
    Float(f64),
    /// `string`.
    Text(&'a str),
    /// `strings`.
    Texts(&'a [&'a str]),
    /// `bytes`.
    Bytes(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}
impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a, const N: usize> From<&'a [&'a str; N]> for Value<'a> {
    fn from(value: &'a [&'a str; N]) -> Self {
        Self::Texts(value)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

/// Bytes of state an instance may have here. Zeroed memory that is not touched costs nothing.
const STATE: usize = 1 << 26;

/// The records of `init`, and what they point at.
struct Records<'a> {
    args: Vec<raw::Arg>,
    types: Vec<raw::Type>,
    inputs: usize,
    /// What lists of texts point at.
    _pairs: Vec<Vec<Text<'a>>>,
}

impl<'a> Records<'a> {
    fn new(
        args: &[Value<'a>],
        inputs: usize,
        types: impl Iterator<Item = (ElementType, &'a [u32], u32)>,
    ) -> Self {
        let mut pairs = Vec::new();
        Self {
            args: args.iter().map(|a| record(a, &mut pairs)).collect(),
            types: types
                .map(|(element, dims, bounds)| raw::Type {
                    element: element as u32,
                    rank: dims.len() as u32,
                    dims: dims.as_ptr(),
                    bounds,
                })
                .collect(),
            inputs,
            _pairs: pairs,
        }
    }

    /// The context of these records, valid while they live.
    fn context(&self, state: &mut [u128]) -> Context {
        let range = state.as_mut_ptr_range();
        Context {
            args: self.args.as_ptr(),
            arg_count: self.args.len(),
            types: self.types.as_ptr(),
            input_count: self.inputs,
            output_count: self.types.len() - self.inputs,
            frozen: ptr::null_mut(),
            frozen_end: ptr::null_mut(),
            state: range.start.cast(),
            state_end: range.end.cast(),
            message: ptr::null(),
            message_length: 0,
            scratch: 0,
        }
    }
}

/// An instance of a block. What its `init` allocates stays until the test ends.
#[derive(Debug)]
pub struct Instance<B: Block> {
    placed: &'static glue::Placed<B>,
    scratch: Vec<u128>,
    /// Owned here because the instance points into it.
    _state: Vec<u128>,
    of: PhantomData<B>,
}

impl<B: Block> Instance<B> {
    /// Runs `init` with arguments in the order of the signature and the dimensions of every input and
    /// output.
    ///
    /// # Errors
    /// What the block says.
    ///
    /// # Panics
    /// If there are not as many inputs and outputs as `B` has.
    #[expect(unsafe_code, reason = "makes the records that the compiler makes")]
    pub fn new(args: &[Value<'_>], inputs: &[&[u32]], outputs: &[&[u32]]) -> Result<Self, Refusal> {
        assert_eq!(inputs.len(), B::Inputs::TYPES.len());
        assert_eq!(outputs.len(), B::Outputs::TYPES.len());
        let elements = B::Inputs::TYPES.iter().chain(B::Outputs::TYPES);
        let dims = inputs.iter().chain(outputs);
        let types = elements.zip(dims).map(|(e, dims)| (*e, *dims, 0));
        let records = Records::new(args, inputs.len(), types);
        let mut state = vec![0_u128; STATE / size_of::<u128>()];
        let mut context = records.context(&mut state);
        // SAFETY: every record is made of slices that live until `init` returns.
        let placed =
            unsafe { glue::place::<B>(&mut context) }.expect("the types are those of the block")?;
        Ok(Self {
            placed,
            scratch: vec![u128::MAX; context.scratch.div_ceil(size_of::<u128>())],
            _state: state,
            of: PhantomData,
        })
    }

    /// One call.
    ///
    /// # Errors
    /// What the block says.
    #[expect(unsafe_code, reason = "lends the scratch memory")]
    pub fn run(
        &mut self,
        inputs: <B::Inputs as Inputs>::View<'_>,
        outputs: <B::Outputs as Outputs>::View<'_>,
    ) -> Result<Flow, Fault> {
        // SAFETY: the scratch is as large as the block said, and `self` is borrowed alone.
        unsafe {
            self.placed
                .run(self.scratch.as_mut_ptr().cast(), inputs, outputs)
        }
    }
}

fn record<'a>(value: &Value<'a>, pairs: &mut Vec<Vec<Text<'a>>>) -> raw::Arg {
    let (tag, length, value) = match *value {
        Value::Integer(n) => (raw::Arg::INTEGER, 0, n as u64),
        Value::Float(x) => (raw::Arg::FLOAT, 0, x.to_bits()),
        Value::Text(t) => (
            raw::Arg::TEXT,
            t.len(),
            t.as_ptr().expose_provenance() as u64,
        ),
        Value::Bytes(b) => (
            raw::Arg::BYTES,
            b.len(),
            b.as_ptr().expose_provenance() as u64,
        ),
        Value::Texts(texts) => {
            let list: Vec<Text<'a>> = texts.iter().map(|t| Text::of(t)).collect();
            let address = list.as_ptr().expose_provenance() as u64;
            pairs.push(list);
            (raw::Arg::LIST, texts.len(), address)
        }
    };
    raw::Arg {
        tag,
        length: length as u32,
        value,
    }
}
