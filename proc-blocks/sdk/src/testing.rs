//! Runs a block on the host, with arguments and tensors of Rust.

mod native;

use std::{marker::PhantomData, ptr, slice, vec, vec::Vec};

pub use native::{Data, Native, NativeInstance, Type, Variant};

use crate::{
    Block, BoundedMut, Element, ElementType, Fault, Flow, Inputs, Outputs, Parts, PartsMut,
    Refusal, Text, glue,
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
    ///
    /// The state is a `Vec`, since a pointer into a borrowed slice would end with the borrow.
    fn context(&self, state: &mut Vec<u128>) -> Context {
        let start = state.as_mut_ptr();
        Context {
            args: self.args.as_ptr(),
            arg_count: self.args.len(),
            types: self.types.as_ptr(),
            input_count: self.inputs,
            output_count: self.types.len() - self.inputs,
            frozen: ptr::null_mut(),
            frozen_end: ptr::null_mut(),
            state: start.cast(),
            state_end: start.wrapping_add(state.len()).cast(),
            message: ptr::null(),
            message_length: 0,
            scratch: 0,
            freed: 0,
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
    pub fn new<'a>(
        args: &[Value<'a>],
        inputs: &[&'a [u32]],
        outputs: &[&'a [u32]],
    ) -> Result<Self, Refusal> {
        let typed = |elements: &'static [ElementType], dims: &[&'a [u32]]| {
            let last = elements[elements.len() - 1];
            let elements = elements.iter().copied().chain(std::iter::repeat(last));
            elements
                .zip(dims.to_vec())
                .map(|(element, dims)| (element, dims, 0))
        };
        let types = typed(B::Inputs::TYPES, inputs).chain(typed(B::Outputs::TYPES, outputs));
        let records = Records::new(args, inputs.len(), types);
        let mut state = vec![0_u128; STATE / size_of::<u128>()];
        let mut context = records.context(&mut state);
        // SAFETY: every record is made of slices that live until `init` returns.
        let placed =
            unsafe { glue::place::<B>(&mut context) }.expect("as many ports as the block has")?;
        Ok(Self {
            placed,
            scratch: vec![u128::MAX; context.scratch.div_ceil(size_of::<u128>())],
            _state: state,
            of: PhantomData,
        })
    }

    /// One call. Texts among the outputs are copies that stay.
    ///
    /// # Errors
    /// What the block says.
    #[expect(unsafe_code, reason = "lends the scratch memory")]
    pub fn run<'a>(
        &mut self,
        inputs: <B::Inputs as Inputs>::View<'a>,
        mut outputs: <B::Outputs as Outputs>::Room<'a>,
    ) -> Result<Flow, Fault> {
        let scratch = self.scratch.as_mut_ptr().cast();
        // SAFETY: the scratch is as large as the block said, and `self` is borrowed alone. Nothing that
        // the block was lent outlives the call, since the texts are copied before it ends.
        let result = unsafe { self.placed.run(scratch, inputs, outputs.lend()) };
        outputs.settle();
        result
    }
}

/// Where a test takes outputs: the view of a block, with texts that outlive the call.
#[expect(unsafe_code, reason = "lends memory for as long as a call needs it")]
pub trait Room {
    /// What `run` is given.
    type View;
    #[doc(hidden)]
    /// # Safety
    /// The view is not used any more when [`settle`](Self::settle) is called, which has to follow.
    unsafe fn lend(&mut self) -> Self::View;
    #[doc(hidden)]
    fn settle(&mut self);
}

#[expect(unsafe_code, reason = "lends memory for as long as a call needs it")]
impl<'a, T: Element> Room for &'a mut [T] {
    type View = &'a mut [T];
    unsafe fn lend(&mut self) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { slice::from_raw_parts_mut(self.as_mut_ptr(), self.len()) }
    }
    fn settle(&mut self) {}
}

#[expect(unsafe_code, reason = "lends memory for as long as a call needs it")]
impl<'a> Room for &'a mut [Text<'static>] {
    type View = &'a mut [Text<'a>];
    unsafe fn lend(&mut self) -> &'a mut [Text<'a>] {
        // SAFETY: the caller's promise; `settle` makes every text one that stays.
        unsafe { slice::from_raw_parts_mut(self.as_mut_ptr().cast(), self.len()) }
    }
    fn settle(&mut self) {
        for text in self.iter_mut() {
            *text = Text::frozen(text.as_str());
        }
    }
}

#[expect(unsafe_code, reason = "lends memory for as long as a call needs it")]
impl<'a, T: Element> Room for BoundedMut<'a, T> {
    type View = BoundedMut<'a, T>;
    unsafe fn lend(&mut self) -> BoundedMut<'a, T> {
        // SAFETY: the caller's promise.
        unsafe { self.again() }
    }
    fn settle(&mut self) {}
}

#[expect(unsafe_code, reason = "lends memory for as long as a call needs it")]
impl<'a> Room for BoundedMut<'a, Text<'static>> {
    type View = BoundedMut<'a, Text<'a>>;
    unsafe fn lend(&mut self) -> BoundedMut<'a, Text<'a>> {
        // SAFETY: the caller's promise; `settle` makes every text one that stays.
        unsafe { self.again() }
    }
    fn settle(&mut self) {
        (&mut **self).settle();
    }
}

#[expect(unsafe_code, reason = "lends memory for as long as a call needs it")]
impl<'a, T: Element> Room for PartsMut<'a, T> {
    type View = PartsMut<'a, T>;
    unsafe fn lend(&mut self) -> PartsMut<'a, T> {
        let tensors = ptr::from_mut(self.tensors);
        PartsMut {
            // SAFETY: the caller's promise.
            tensors: unsafe { &mut *tensors },
            of: PhantomData,
        }
    }
    fn settle(&mut self) {}
}

/// A view of [`Many`](crate::Many) inputs. A few words are never freed.
pub fn parts<'a, T: Element>(parts: &[&'a [T]]) -> Parts<'a, T> {
    let tensors: Vec<raw::Tensor> = parts
        .iter()
        .map(|part| raw::Tensor {
            address: part.as_ptr().cast_mut().cast(),
            count: part.len(),
        })
        .collect();
    Parts {
        tensors: tensors.leak(),
        of: PhantomData,
    }
}

/// A view of [`Many`](crate::Many) outputs. A few words are never freed.
pub fn parts_mut<T: Element>(parts: Vec<&mut [T]>) -> PartsMut<'_, T> {
    let tensors: Vec<raw::Tensor> = parts
        .into_iter()
        .map(|part| raw::Tensor {
            address: part.as_mut_ptr().cast(),
            count: part.len(),
        })
        .collect();
    PartsMut {
        tensors: tensors.leak(),
        of: PhantomData,
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
