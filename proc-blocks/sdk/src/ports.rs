//! Typed views of the inputs and outputs of a call.

use core::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    slice,
};

use crate::{ElementType, memory::Plain, raw::Tensor};

/// A number type that tensors are made of.
pub trait Element: Plain + PartialOrd + fmt::Debug {
    /// Its tag in the contract.
    const TYPE: ElementType;
}

macro_rules! elements {
    ($($rust:ty => $tag:ident),*) => {
        $(impl Element for $rust {
            const TYPE: ElementType = ElementType::$tag;
        })*
    };
}
elements! {
    u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64,
    f32 => F32, f64 => F64
}

/// A string of a UTF8 tensor.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text<'a> {
    address: *const u8,
    length: usize,
    lives: PhantomData<&'a str>,
}

impl Text<'static> {
    /// Copies a string into memory that lives as long as the rune. For `init` only.
    pub fn frozen(text: &str) -> Self {
        Self::of(alloc::boxed::Box::leak(text.into()))
    }
}

impl<'a> Text<'a> {
    /// An element that is this string.
    pub fn of(text: &'a str) -> Self {
        Self {
            address: text.as_ptr(),
            length: text.len(),
            lives: PhantomData,
        }
    }

    /// The string itself.
    #[expect(unsafe_code, reason = "a UTF8 element is an address and a length")]
    pub fn as_str(&self) -> &'a str {
        // SAFETY: made of a `&'a str`, or by the rune, whose UTF8 elements are UTF-8 by contract.
        unsafe { str::from_utf8_unchecked(slice::from_raw_parts(self.address, self.length)) }
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::of("")
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// A port of strings: `&[Text<'_>]` as an input; as an output `&mut [Text<'static>]`, so that it can
/// only be given strings that `init` has frozen.
#[derive(Debug)]
pub enum Utf8 {}

/// An output with a bounded dimension: the block says how many elements it wrote.
#[derive(Debug)]
pub struct Bounded<T>(PhantomData<T>);

/// The view of a [`Bounded`] output: a slice of the room there is, all of it in use until
/// [`truncate`](Self::truncate) says otherwise.
#[derive(Debug)]
pub struct BoundedMut<'a, T> {
    room: &'a mut [T],
    count: &'a mut usize,
}

impl<'a, T> BoundedMut<'a, T> {
    /// The view of `room`, reporting how much of it was used in `count`.
    pub fn new(room: &'a mut [T], count: &'a mut usize) -> Self {
        *count = room.len();
        Self { room, count }
    }

    /// Keeps the first `count` elements. More than there is room for changes nothing.
    pub fn truncate(&mut self, count: usize) {
        *self.count = count.min(*self.count);
    }
}

impl<T> Deref for BoundedMut<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.room
    }
}

impl<T> DerefMut for BoundedMut<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.room
    }
}

/// One input.
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Input {
    /// Its element type.
    const TYPE: ElementType;
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// `tensor` describes `count` readable, aligned elements of [`Self::TYPE`] while it is borrowed.
    unsafe fn view(tensor: &Tensor) -> Self::View<'_>;
}

/// One output.
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Output {
    /// Its element type.
    const TYPE: ElementType;
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// `tensor` describes `count` writable, aligned elements of [`Self::TYPE`], which nothing else
    /// refers to, while it is borrowed.
    unsafe fn view(tensor: &mut Tensor) -> Self::View<'_>;
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Input for T {
    const TYPE: ElementType = T::TYPE;
    type View<'a> = &'a [T];
    unsafe fn view(tensor: &Tensor) -> &[T] {
        // SAFETY: the caller's promise; numbers take any bits.
        unsafe { slice::from_raw_parts(tensor.address.cast(), tensor.count) }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Output for T {
    const TYPE: ElementType = T::TYPE;
    type View<'a> = &'a mut [T];
    unsafe fn view(tensor: &mut Tensor) -> &mut [T] {
        // SAFETY: the caller's promise; numbers take any bits.
        unsafe { slice::from_raw_parts_mut(tensor.address.cast(), tensor.count) }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Output for Bounded<T> {
    const TYPE: ElementType = T::TYPE;
    type View<'a> = BoundedMut<'a, T>;
    unsafe fn view(tensor: &mut Tensor) -> BoundedMut<'_, T> {
        // SAFETY: the caller's promise; numbers take any bits.
        let room = unsafe { slice::from_raw_parts_mut(tensor.address.cast(), tensor.count) };
        BoundedMut::new(room, &mut tensor.count)
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl Input for Utf8 {
    const TYPE: ElementType = ElementType::Utf8;
    type View<'a> = &'a [Text<'a>];
    unsafe fn view(tensor: &Tensor) -> &[Text<'_>] {
        // SAFETY: the caller's promise; a UTF8 element is what `Text` is on wasm32.
        unsafe { slice::from_raw_parts(tensor.address.cast(), tensor.count) }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl Output for Utf8 {
    const TYPE: ElementType = ElementType::Utf8;
    type View<'a> = &'a mut [Text<'static>];
    unsafe fn view(tensor: &mut Tensor) -> &mut [Text<'static>] {
        let first: *mut Text<'static> = tensor.address.cast();
        // SAFETY: the caller's promise. What the room held is no string, so it is written over first.
        unsafe {
            for i in 0..tensor.count {
                first.add(i).write(Text::default());
            }
            slice::from_raw_parts_mut(first, tensor.count)
        }
    }
}

/// All inputs of a block: one [`Input`], or a tuple of up to four.
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Inputs {
    /// Element types, in order.
    const TYPES: &'static [ElementType];
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// There are as many records as [`Self::TYPES`], each as [`Input::view`] wants it.
    unsafe fn view<'a>(tensors: *const Tensor) -> Self::View<'a>;
}

/// All outputs of a block: one [`Output`], or a tuple of up to four.
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Outputs {
    /// Element types, in order.
    const TYPES: &'static [ElementType];
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// There are as many records as [`Self::TYPES`], each as [`Output::view`] wants it.
    unsafe fn view<'a>(tensors: *mut Tensor) -> Self::View<'a>;
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<I: Input> Inputs for I {
    const TYPES: &'static [ElementType] = &[I::TYPE];
    type View<'a> = I::View<'a>;
    unsafe fn view<'a>(tensors: *const Tensor) -> I::View<'a> {
        // SAFETY: the caller's promise.
        unsafe { I::view(&*tensors) }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<O: Output> Outputs for O {
    const TYPES: &'static [ElementType] = &[O::TYPE];
    type View<'a> = O::View<'a>;
    unsafe fn view<'a>(tensors: *mut Tensor) -> O::View<'a> {
        // SAFETY: the caller's promise.
        unsafe { O::view(&mut *tensors) }
    }
}

macro_rules! tuples {
    ($(($($port:ident $index:literal),+))+) => {$(
        #[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
        impl<$($port: Input),+> Inputs for ($($port,)+) {
            const TYPES: &'static [ElementType] = &[$($port::TYPE),+];
            type View<'a> = ($($port::View<'a>,)+);
            unsafe fn view<'a>(tensors: *const Tensor) -> Self::View<'a> {
                // SAFETY: the caller's promise, record by record.
                unsafe { ($($port::view(&*tensors.add($index)),)+) }
            }
        }

        #[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
        impl<$($port: Output),+> Outputs for ($($port,)+) {
            const TYPES: &'static [ElementType] = &[$($port::TYPE),+];
            type View<'a> = ($($port::View<'a>,)+);
            unsafe fn view<'a>(tensors: *mut Tensor) -> Self::View<'a> {
                // SAFETY: the caller's promise, record by record; the records are apart.
                unsafe { ($($port::view(&mut *tensors.add($index)),)+) }
            }
        }
    )+};
}
tuples! { (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }
