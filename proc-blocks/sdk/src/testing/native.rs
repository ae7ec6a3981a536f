//! A block without its types: any variant, on bytes.

use std::{fmt, string::String, vec, vec::Vec};

use super::{Records, STATE, Value};
use crate::{
    Block, ElementType, Fault, Flow, Inputs, Outputs, Refusal, Text,
    glue::{self, Shape},
    ports::fits,
    raw::{Context, Tensor},
};

/// A block as code of the host: what [`block!`](crate::block) defines as `NATIVE`.
#[derive(Debug)]
pub struct Native {
    signature: &'static str,
    variants: &'static [Variant],
    shape: Option<Shape>,
}

/// A block for one choice of element types.
#[derive(Clone, Copy)]
pub struct Variant {
    export: &'static str,
    inputs: &'static [ElementType],
    outputs: &'static [ElementType],
    /// Whether the last input and the last output stand for any number.
    many: (bool, bool),
    place: unsafe fn(&mut Context) -> Option<Result<Made, Refusal>>,
    run: unsafe fn(*const u8, *mut u8, *const Tensor, *mut Tensor) -> i32,
}

/// An instance in memory that is never freed.
struct Made {
    instance: *const u8,
    state_bytes: usize,
}

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:?} -> {:?}",
            self.export, self.inputs, self.outputs
        )
    }
}

impl Variant {
    /// The variant `B`, whose export has this name.
    pub const fn of<B: Block>(export: &'static str) -> Self {
        Self {
            export,
            inputs: B::Inputs::TYPES,
            outputs: B::Outputs::TYPES,
            many: (B::Inputs::MANY, B::Outputs::MANY),
            place: place::<B>,
            run: run::<B>,
        }
    }

    /// Whether it is for these element types.
    pub fn takes(&self, inputs: &[ElementType], outputs: &[ElementType]) -> bool {
        let tags = |types: &'_ [ElementType]| types.iter().map(|t| *t as u32).collect::<Vec<_>>();
        fits(self.inputs, self.many.0, tags(inputs).into_iter())
            && fits(self.outputs, self.many.1, tags(outputs).into_iter())
    }

    /// The name of the export, such as `run.f32`.
    pub fn export(&self) -> &'static str {
        self.export
    }

    /// The element types of the inputs.
    pub fn inputs(&self) -> &'static [ElementType] {
        self.inputs
    }

    /// The element types of the outputs.
    pub fn outputs(&self) -> &'static [ElementType] {
        self.outputs
    }
}

/// # Safety
/// As [`glue::place`].
#[expect(unsafe_code, reason = "erases the type of a block")]
unsafe fn place<B: Block>(context: &mut Context) -> Option<Result<Made, Refusal>> {
    // SAFETY: the caller's promise.
    let placed = unsafe { glue::place::<B>(context) };
    placed.map(|placed| {
        placed.map(|placed| Made {
            instance: std::ptr::from_ref(placed).cast(),
            state_bytes: placed.state_bytes(),
        })
    })
}

/// # Safety
/// As [`glue::run`]; `instance` was made by [`place`] of the same block.
#[expect(unsafe_code, reason = "erases the type of a block")]
unsafe fn run<B: Block>(
    instance: *const u8,
    scratch: *mut u8,
    inputs: *const Tensor,
    outputs: *mut Tensor,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { glue::run::<B>(instance.cast(), scratch, inputs, outputs) }
}

/// The type of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Of each element.
    pub element: ElementType,
    /// The outermost first.
    pub dims: Vec<u32>,
    /// Bit `i`: dimension `i` is a bound.
    pub bounds: u32,
}

impl Type {
    /// How many elements there is room for.
    pub fn len(&self) -> usize {
        self.dims.iter().map(|d| *d as usize).product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Numbers, little-endian.
    Bytes(Vec<u8>),
    /// Strings.
    Texts(Vec<String>),
}

impl Native {
    #[doc(hidden)]
    pub const fn new(
        signature: &'static str,
        variants: &'static [Variant],
        shape: &[Option<Shape>],
    ) -> Self {
        Self {
            signature,
            variants,
            shape: shape[0],
        }
    }

    /// The declarative signature, TOML.
    pub fn signature(&self) -> &'static str {
        self.signature
    }

    /// The variants in the order of `block!`.
    pub fn variants(&self) -> &'static [Variant] {
        self.variants
    }

    /// Runs `init` of the variant with this export, with arguments in the order of the signature.
    ///
    /// # Errors
    /// What the block says, or that there is no such variant.
    #[expect(unsafe_code, reason = "makes the records that the compiler makes")]
    pub fn init(
        &self,
        export: &str,
        args: &[Value<'_>],
        inputs: &[Type],
        outputs: &[Type],
    ) -> Result<NativeInstance, Refusal> {
        let variant = self.variants.iter().find(|v| v.export == export);
        let variant = variant.ok_or_else(|| format!("the block has no export `{export}`"))?;
        let mut state = vec![0_u128; STATE / size_of::<u128>()];
        let types = inputs.iter().chain(outputs);
        let records = Records::new(
            args,
            inputs.len(),
            types.map(|t| (t.element, t.dims.as_slice(), t.bounds)),
        );
        let mut context = records.context(&mut state);
        // SAFETY: every record is made of slices that live until `init` returns.
        let made = unsafe { (variant.place)(&mut context) }
            .ok_or_else(|| format!("`{export}` is for other element types"))??;
        Ok(NativeInstance {
            made: made.instance,
            run: variant.run,
            initial: state[..made.state_bytes.div_ceil(size_of::<u128>())].to_vec(),
            state_bytes: made.state_bytes,
            state,
            scratch: vec![u128::MAX; context.scratch.div_ceil(size_of::<u128>())],
            scratch_bytes: context.scratch,
            inputs: inputs.iter().map(Buffer::new).collect(),
            outputs: outputs.iter().map(Buffer::new).collect(),
            input_records: Vec::with_capacity(inputs.len()),
            output_records: Vec::with_capacity(outputs.len()),
        })
    }

    /// What the block computes as the dimensions of every output; `None` if its signature says them.
    #[expect(unsafe_code, reason = "makes the records that the compiler makes")]
    pub fn shape(
        &self,
        args: &[Value<'_>],
        inputs: &[Type],
        outputs: &[ElementType],
    ) -> Option<Result<Vec<Vec<u32>>, Refusal>> {
        let shape = self.shape?;
        let known = inputs
            .iter()
            .map(|t| (t.element, t.dims.as_slice(), t.bounds));
        let unknown = outputs.iter().map(|e| (*e, &[][..], 0));
        let records = Records::new(args, inputs.len(), known.chain(unknown));
        let context = records.context(&mut Vec::new());
        // SAFETY: every record is made of slices that live until `shape` returns.
        Some(unsafe { glue::dims(&context, shape) })
    }
}

/// Room for one tensor, aligned to 16.
#[derive(Debug)]
struct Buffer {
    of: Type,
    words: Vec<u128>,
    /// Elements in use.
    count: usize,
    /// What the elements of a UTF8 input point at.
    texts: Vec<String>,
}

impl Buffer {
    fn new(of: &Type) -> Self {
        let bytes = of.len() * element_bytes(of.element);
        Self {
            of: of.clone(),
            words: vec![0; bytes.div_ceil(size_of::<u128>())],
            // No string is valid before it is written.
            count: if of.element == ElementType::Utf8 {
                0
            } else {
                of.len()
            },
            texts: Vec::new(),
        }
    }

    fn record(&mut self) -> Tensor {
        Tensor {
            address: self.words.as_mut_ptr().cast(),
            count: self.count,
        }
    }

    #[expect(unsafe_code, reason = "memory of numbers as its bytes")]
    fn bytes(&mut self) -> &mut [u8] {
        let bytes = self.words.len() * size_of::<u128>();
        // SAFETY: the same memory, and any bits are a `u8` and part of a `u128`.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), bytes) }
    }

    fn set(&mut self, data: &Data) {
        let element = self.of.element;
        let count = match data {
            Data::Bytes(bytes) => {
                assert!(
                    element != ElementType::Utf8,
                    "numbers for a tensor of strings"
                );
                self.bytes()[..bytes.len()].copy_from_slice(bytes);
                bytes.len() / element_bytes(element)
            }
            Data::Texts(texts) => {
                assert!(
                    element == ElementType::Utf8,
                    "strings for a tensor of {element}"
                );
                self.texts.clone_from(texts);
                self.write_texts();
                texts.len()
            }
        };
        assert!(
            count == self.of.len() || self.of.bounds != 0 && count < self.of.len(),
            "{count} elements for {:?}",
            self.of
        );
        self.count = count;
    }

    #[expect(unsafe_code, reason = "a UTF8 element is an address and a length")]
    fn write_texts(&mut self) {
        assert!(
            self.texts.len() <= self.of.len(),
            "too many strings for {:?}",
            self.of
        );
        let first: *mut Text<'_> = self.words.as_mut_ptr().cast();
        for (i, text) in self.texts.iter().enumerate() {
            // SAFETY: there is room for as many elements as the type has.
            unsafe { first.add(i).write(Text::of(text)) };
        }
    }

    #[expect(unsafe_code, reason = "a UTF8 element is an address and a length")]
    fn get(&mut self) -> Data {
        let count = self.count;
        if self.of.element == ElementType::Utf8 {
            // SAFETY: the block was given this room as a slice of `Text`s, all of them valid.
            let texts: &[Text<'_>] =
                unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), count) };
            return Data::Texts(texts.iter().map(|t| t.as_str().into()).collect());
        }
        let bytes = count * element_bytes(self.of.element);
        Data::Bytes(self.bytes()[..bytes].to_vec())
    }
}

/// Bytes of an element in the memory of the host.
fn element_bytes(element: ElementType) -> usize {
    match element {
        ElementType::Utf8 => size_of::<Text<'_>>(),
        number => number.size() as usize,
    }
}

/// An instance of a [`Native`] block with buffers for its inputs and outputs.
///
/// What its `init` allocates stays until the process ends.
pub struct NativeInstance {
    made: *const u8,
    run: unsafe fn(*const u8, *mut u8, *const Tensor, *mut Tensor) -> i32,
    /// Owned here because the instance points into it.
    state: Vec<u128>,
    /// The state before the first call.
    initial: Vec<u128>,
    state_bytes: usize,
    scratch: Vec<u128>,
    scratch_bytes: usize,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    input_records: Vec<Tensor>,
    output_records: Vec<Tensor>,
}

impl fmt::Debug for NativeInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeInstance")
            .field("state_bytes", &self.state_bytes)
            .field("scratch_bytes", &self.scratch_bytes)
            .finish_non_exhaustive()
    }
}

impl NativeInstance {
    /// One call on these inputs, with scratch and outputs full of garbage before it: the outputs, as
    /// many elements as were written, or `None` for nothing this time.
    ///
    /// # Errors
    /// What the block says.
    ///
    /// # Panics
    /// If the inputs are not of the types the instance was made for.
    pub fn run(&mut self, inputs: &[Data]) -> Result<Option<Vec<Data>>, Fault> {
        assert_eq!(inputs.len(), self.inputs.len(), "number of inputs");
        for (index, data) in inputs.iter().enumerate() {
            self.set_input(index, data);
        }
        self.scratch.fill(u128::MAX);
        for output in &mut self.outputs {
            output.bytes().fill(0xa5);
        }
        Ok(match self.call()? {
            Flow::Output => Some((0..self.outputs.len()).map(|i| self.output(i)).collect()),
            Flow::Nothing => None,
        })
    }

    /// The input of the next [`call`](Self::call)s.
    ///
    /// # Panics
    /// If it is not of the type the instance was made for.
    pub fn set_input(&mut self, index: usize, data: &Data) {
        self.forget_texts();
        self.inputs[index].set(data);
    }

    /// One call on the inputs that were set, and nothing else: to measure time.
    ///
    /// # Errors
    /// What the block says.
    ///
    /// # Panics
    /// If the block answers what is no code.
    #[expect(unsafe_code, reason = "calls the block on raw memory")]
    pub fn call(&mut self) -> Result<Flow, Fault> {
        self.input_records.clear();
        self.input_records
            .extend(self.inputs.iter_mut().map(Buffer::record));
        self.output_records.clear();
        for output in &mut self.outputs {
            output.count = output.of.len();
            self.output_records.push(output.record());
        }
        let scratch = self.scratch.as_mut_ptr().cast();
        // SAFETY: the instance is of the block `run` is for; the scratch is as large as it said, the
        // records describe buffers of its types, and `self` is borrowed alone.
        let code = unsafe {
            (self.run)(
                self.made,
                scratch,
                self.input_records.as_ptr(),
                self.output_records.as_mut_ptr(),
            )
        };
        for (output, record) in self.outputs.iter_mut().zip(&self.output_records) {
            output.count = record.count;
        }
        match code {
            0 => Ok(Flow::Output),
            1 => Ok(Flow::Nothing),
            code => Err(Fault::from_code(code).expect("blocks return faults")),
        }
    }

    /// Leaves no text of the last call, since it may lie in what changes now.
    fn forget_texts(&mut self) {
        let outputs = self.outputs.iter_mut();
        for texts in outputs.filter(|o| o.of.element == ElementType::Utf8) {
            texts.count = 0;
        }
    }

    /// An output as the last call left it; no texts any more once an input is set or the state reset.
    pub fn output(&mut self, index: usize) -> Data {
        self.outputs[index].get()
    }

    /// The state as it was before the first call.
    pub fn reset(&mut self) {
        self.forget_texts();
        self.state[..self.initial.len()].copy_from_slice(&self.initial);
    }

    /// Bytes of state.
    pub fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    /// Bytes of scratch.
    pub fn scratch_bytes(&self) -> usize {
        self.scratch_bytes
    }
}
