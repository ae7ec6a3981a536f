//! Typed views of the inputs and outputs of a call.

use core::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    slice,
};

#[cfg(not(target_arch = "wasm32"))]
use crate::testing::Room;
use crate::{ElementType, memory::Plain, raw::Tensor};

/// A number type that tensors are made of.
///
/// # Safety
/// [`TYPE`](Self::TYPE) is the tag of elements of this size and alignment.
#[expect(
    unsafe_code,
    reason = "memory of elements with this tag is read as this type"
)]
pub unsafe trait Element: Plain + PartialOrd + fmt::Debug {
    /// Its tag in the contract.
    const TYPE: ElementType;
}

macro_rules! elements {
    ($($rust:ty => $tag:ident),*) => {
        $(
        // SAFETY: the type that the tag is named after.
        #[expect(unsafe_code, reason = "see the trait")]
        unsafe impl Element for $rust {
            const TYPE: ElementType = ElementType::$tag;
        })*
    };
}
elements! {
    u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64,
    f32 => F32, f64 => F64
}

/// A string of a UTF8 tensor, alive for `'a`.
///
/// An output may be given a string of the block itself, of the inputs, or one that was made in the state:
/// [`Call::keep_text`](crate::Call::keep_text).
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
        // In C an empty text may have no address.
        if self.length == 0 {
            return "";
        }
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

/// A port of strings: `&[Text<'_>]` as an input, `&mut [Text<'_>]` as an output.
#[derive(Debug)]
pub enum Utf8 {}

/// An output with a bounded dimension: the block says how many elements it wrote.
#[derive(Debug)]
pub struct Bounded<T>(PhantomData<T>);

/// The last port of a block when it is many: `many` in the signature. All have the element type `T`.
#[derive(Debug)]
pub struct Many<T>(PhantomData<T>);

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

    /// The same room once more, of texts that may live for less.
    ///
    /// # Safety
    /// `U` is `T` but for its lifetimes, and `self` is not used while this is.
    #[cfg(not(target_arch = "wasm32"))]
    #[expect(unsafe_code, reason = "lends memory for as long as a call needs it")]
    pub(crate) unsafe fn again<U>(&mut self) -> BoundedMut<'a, U> {
        // SAFETY: the caller's promise.
        unsafe {
            BoundedMut {
                room: slice::from_raw_parts_mut(self.room.as_mut_ptr().cast(), self.room.len()),
                count: &mut *core::ptr::from_mut(self.count),
            }
        }
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

/// The view of [`Many`] inputs.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a, T> {
    pub(crate) tensors: &'a [Tensor],
    pub(crate) of: PhantomData<&'a [T]>,
}

impl<'a, T: Element> Parts<'a, T> {
    /// How many inputs there are, at least one.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The elements of input `index`.
    ///
    /// # Panics
    /// If there is no such input.
    #[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
    pub fn get(&self, index: usize) -> &'a [T] {
        // SAFETY: the promise of who made the view; numbers take any bits.
        unsafe { slice(&raw const self.tensors[index]) }
    }

    /// The inputs in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [T]> + use<'a, T> {
        let parts = *self;
        (0..parts.len()).map(move |index| parts.get(index))
    }
}

/// The view of [`Many`] outputs.
#[derive(Debug)]
pub struct PartsMut<'a, T> {
    pub(crate) tensors: &'a mut [Tensor],
    pub(crate) of: PhantomData<&'a mut [T]>,
}

impl<T: Element> PartsMut<'_, T> {
    /// How many outputs there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The room of output `index`; one at a time.
    ///
    /// # Panics
    /// If there is no such output.
    #[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
    pub fn get(&mut self, index: usize) -> &mut [T] {
        // SAFETY: the promise of who made the view, and the borrow of `self`; numbers take any bits.
        unsafe { slice_mut(&raw const self.tensors[index]) }
    }
}

/// # Safety
/// The record describes readable, aligned `T`s that stay for `'a`.
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
unsafe fn slice<'a, T>(tensor: *const Tensor) -> &'a [T] {
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts((*tensor).address.cast(), (*tensor).count) }
}

/// # Safety
/// The record describes writable, aligned `T`s that nothing else refers to for `'a`.
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
unsafe fn slice_mut<'a, T>(tensor: *const Tensor) -> &'a mut [T] {
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut((*tensor).address.cast(), (*tensor).count) }
}

/// As [`slice_mut`] of texts. What the room holds is no string, so it is written over first.
///
/// # Safety
/// The record describes writable, aligned room that nothing else refers to for `'a`.
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
unsafe fn texts_mut<'a>(tensor: *const Tensor) -> &'a mut [Text<'a>] {
    // SAFETY: the caller's promise.
    unsafe {
        let first: *mut Text<'_> = (*tensor).address.cast();
        for i in 0..(*tensor).count {
            first.add(i).write(Text::default());
        }
        slice_mut(tensor)
    }
}

/// One input, or [`Many`].
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Input {
    /// Its element type.
    const TYPE: ElementType;
    /// Whether it stands for all records there are left.
    const MANY: bool = false;
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// There are `count` records, at least one unless [`Self::MANY`]. Those it stands for describe
    /// readable, aligned elements of [`Self::TYPE`], and stay as they are for `'a`.
    unsafe fn view<'a>(tensors: *const Tensor, count: usize) -> Self::View<'a>;
}

/// One output, or [`Many`].
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Output {
    /// Its element type.
    const TYPE: ElementType;
    /// Whether it stands for all records there are left.
    const MANY: bool = false;
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// There are `count` records, at least one unless [`Self::MANY`]. Those it stands for describe
    /// writable, aligned room for elements of [`Self::TYPE`], and nothing else refers to them for `'a`.
    unsafe fn view<'a>(tensors: *mut Tensor, count: usize) -> Self::View<'a>;
    /// Where a test takes the output.
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a>: Room<View = Self::View<'a>>;
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Input for T {
    const TYPE: ElementType = T::TYPE;
    type View<'a> = &'a [T];
    unsafe fn view<'a>(tensors: *const Tensor, _: usize) -> &'a [T] {
        // SAFETY: the caller's promise; numbers take any bits.
        unsafe { slice(tensors) }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Output for T {
    const TYPE: ElementType = T::TYPE;
    type View<'a> = &'a mut [T];
    unsafe fn view<'a>(tensors: *mut Tensor, _: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise; numbers take any bits.
        unsafe { slice_mut(tensors) }
    }
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a> = &'a mut [T];
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Output for Bounded<T> {
    const TYPE: ElementType = T::TYPE;
    type View<'a> = BoundedMut<'a, T>;
    unsafe fn view<'a>(tensors: *mut Tensor, _: usize) -> BoundedMut<'a, T> {
        // SAFETY: the caller's promise; numbers take any bits.
        unsafe { BoundedMut::new(slice_mut(tensors), &mut (*tensors).count) }
    }
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a> = BoundedMut<'a, T>;
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl Output for Bounded<Utf8> {
    const TYPE: ElementType = ElementType::Utf8;
    type View<'a> = BoundedMut<'a, Text<'a>>;
    unsafe fn view<'a>(tensors: *mut Tensor, _: usize) -> BoundedMut<'a, Text<'a>> {
        // SAFETY: the caller's promise.
        unsafe { BoundedMut::new(texts_mut(tensors), &mut (*tensors).count) }
    }
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a> = BoundedMut<'a, Text<'static>>;
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl Input for Utf8 {
    const TYPE: ElementType = ElementType::Utf8;
    type View<'a> = &'a [Text<'a>];
    unsafe fn view<'a>(tensors: *const Tensor, _: usize) -> &'a [Text<'a>] {
        // SAFETY: the caller's promise; a UTF8 element is what `Text` is on wasm32.
        unsafe { slice(tensors) }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl Output for Utf8 {
    const TYPE: ElementType = ElementType::Utf8;
    type View<'a> = &'a mut [Text<'a>];
    unsafe fn view<'a>(tensors: *mut Tensor, _: usize) -> &'a mut [Text<'a>] {
        // SAFETY: the caller's promise.
        unsafe { texts_mut(tensors) }
    }
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a> = &'a mut [Text<'static>];
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Input for Many<T> {
    const TYPE: ElementType = T::TYPE;
    const MANY: bool = true;
    type View<'a> = Parts<'a, T>;
    unsafe fn view<'a>(tensors: *const Tensor, count: usize) -> Parts<'a, T> {
        Parts {
            // SAFETY: the caller's promise.
            tensors: unsafe { slice::from_raw_parts(tensors, count) },
            of: PhantomData,
        }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<T: Element> Output for Many<T> {
    const TYPE: ElementType = T::TYPE;
    const MANY: bool = true;
    type View<'a> = PartsMut<'a, T>;
    unsafe fn view<'a>(tensors: *mut Tensor, count: usize) -> PartsMut<'a, T> {
        PartsMut {
            // SAFETY: the caller's promise.
            tensors: unsafe { slice::from_raw_parts_mut(tensors, count) },
            of: PhantomData,
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a> = PartsMut<'a, T>;
}

/// All inputs of a block: one [`Input`], or a tuple of up to four, of which the last may be [`Many`].
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Inputs {
    /// Element types, in order.
    const TYPES: &'static [ElementType];
    /// Whether the last stands for one or more.
    const MANY: bool;
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// There are `count` records, as many as [`Self::TYPES`] or with [`Self::MANY`] more, each as
    /// [`Input::view`] wants it.
    unsafe fn view<'a>(tensors: *const Tensor, count: usize) -> Self::View<'a>;
}

/// All outputs of a block: one [`Output`], or a tuple of up to four, of which the last may be [`Many`].
#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
pub trait Outputs {
    /// Element types, in order.
    const TYPES: &'static [ElementType];
    /// Whether the last stands for any number.
    const MANY: bool;
    /// What `run` is given.
    type View<'a>;
    #[doc(hidden)]
    /// # Safety
    /// There are `count` records, as many as [`Self::TYPES`] or with [`Self::MANY`] more or one less,
    /// each as [`Output::view`] wants it.
    unsafe fn view<'a>(tensors: *mut Tensor, count: usize) -> Self::View<'a>;
    /// Where a test takes the outputs.
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a>: Room<View = Self::View<'a>>;
}

/// Whether `count` ports and their types are of `types`, whose last may be many.
pub(crate) fn fits(
    types: &[ElementType],
    many: bool,
    found: impl ExactSizeIterator<Item = u32>,
) -> bool {
    let count = found.len();
    let Some(last) = types.len().checked_sub(1) else {
        return count == 0;
    };
    let count_fits = if many {
        count >= last
    } else {
        count == types.len()
    };
    count_fits
        && found
            .enumerate()
            .all(|(i, tag)| tag == types[i.min(last)] as u32)
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<I: Input> Inputs for I {
    const TYPES: &'static [ElementType] = &[I::TYPE];
    const MANY: bool = I::MANY;
    type View<'a> = I::View<'a>;
    unsafe fn view<'a>(tensors: *const Tensor, count: usize) -> I::View<'a> {
        // SAFETY: the caller's promise.
        unsafe { I::view(tensors, count) }
    }
}

#[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
impl<O: Output> Outputs for O {
    const TYPES: &'static [ElementType] = &[O::TYPE];
    const MANY: bool = O::MANY;
    type View<'a> = O::View<'a>;
    unsafe fn view<'a>(tensors: *mut Tensor, count: usize) -> O::View<'a> {
        // SAFETY: the caller's promise.
        unsafe { O::view(tensors, count) }
    }
    #[cfg(not(target_arch = "wasm32"))]
    type Room<'a> = O::Room<'a>;
}

/// Whether the last of these is set; no other may be.
const fn last(many: &[bool]) -> bool {
    let mut i = 0;
    while i + 1 < many.len() {
        assert!(!many[i], "only the last port may be `Many`");
        i += 1;
    }
    many[i]
}

macro_rules! tuples {
    ($(($($port:ident $index:tt),+))+) => {$(
        #[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
        impl<$($port: Input),+> Inputs for ($($port,)+) {
            const TYPES: &'static [ElementType] = &[$($port::TYPE),+];
            const MANY: bool = last(&[$($port::MANY),+]);
            type View<'a> = ($($port::View<'a>,)+);
            unsafe fn view<'a>(tensors: *const Tensor, count: usize) -> Self::View<'a> {
                // SAFETY: the caller's promise, record by record.
                unsafe { ($($port::view(tensors.add($index), count.wrapping_sub($index)),)+) }
            }
        }

        #[expect(unsafe_code, reason = "makes slices of the addresses in a record")]
        impl<$($port: Output),+> Outputs for ($($port,)+) {
            const TYPES: &'static [ElementType] = &[$($port::TYPE),+];
            const MANY: bool = last(&[$($port::MANY),+]);
            type View<'a> = ($($port::View<'a>,)+);
            unsafe fn view<'a>(tensors: *mut Tensor, count: usize) -> Self::View<'a> {
                // SAFETY: the caller's promise, record by record; the records are apart.
                unsafe { ($($port::view(tensors.add($index), count.wrapping_sub($index)),)+) }
            }
            #[cfg(not(target_arch = "wasm32"))]
            type Room<'a> = ($($port::Room<'a>,)+);
        }

        #[cfg(not(target_arch = "wasm32"))]
        #[expect(unsafe_code, reason = "lends its parts")]
        impl<$($port: Room),+> Room for ($($port,)+) {
            type View = ($($port::View,)+);
            unsafe fn lend(&mut self) -> Self::View {
                // SAFETY: the caller's promise, part by part.
                unsafe { ($(self.$index.lend(),)+) }
            }
            fn settle(&mut self) {
                $(self.$index.settle();)+
            }
        }
    )+};
}
tuples! { (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }
