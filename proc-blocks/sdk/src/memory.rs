//! What a block may write: its state and its scratch; and on wasm32, where `init` allocates.

#[cfg(any(target_arch = "wasm32", test))]
pub(crate) mod arena;
#[cfg(test)]
mod tests;

use core::{marker::PhantomData, mem, slice};

use crate::{Fault, Text};

/// A type any bits are a value of, and that has no padding.
///
/// # Safety
/// Both must hold.
#[expect(unsafe_code, reason = "memory of any content is read as this type")]
pub unsafe trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($rust:ty),*) => {$(
        // SAFETY: a primitive number.
        #[expect(unsafe_code, reason = "see the trait")]
        unsafe impl Plain for $rust {}
    )*};
}
plain!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

// SAFETY: elements without padding, one after the other.
#[expect(unsafe_code, reason = "see the trait")]
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Names `T`s of an [`Area`] `A`; made by [`Setup`](crate::Setup).
#[derive(Debug)]
pub struct Handle<A, T> {
    offset: usize,
    length: usize,
    of: PhantomData<(A, T)>,
}

/// What the block remembers from call to call; zero before the first.
#[derive(Debug)]
pub enum Kept {}
/// Room to work in; holds anything at the start of a call.
#[derive(Debug)]
pub enum Lent {}

/// `T`s that the block remembers from call to call.
pub type State<T> = Handle<Kept, T>;
/// `T`s that hold anything at the start of a call.
pub type Scratch<T> = Handle<Lent, T>;

/// Memory of one instance that its handles name parts of.
#[derive(Debug)]
pub struct Area<'a, A> {
    base: *mut u8,
    /// None once it is kept.
    bytes: usize,
    kept: usize,
    of: PhantomData<&'a mut A>,
}

impl<A> Area<'_, A> {
    /// # Safety
    /// `base` is aligned to 16, and `bytes` bytes from it are initialised and this area's alone while
    /// it lives.
    #[expect(unsafe_code, reason = "the border to raw memory")]
    pub(crate) unsafe fn new(base: *mut u8, bytes: usize) -> Self {
        Self {
            base,
            bytes,
            kept: 0,
            of: PhantomData,
        }
    }

    /// The elements a handle names; to use more at once, ask for them together and split them.
    ///
    /// # Panics
    /// If the handle is of a larger area, thus of another instance, or if the area is [kept](Self::keep).
    #[expect(unsafe_code, reason = "the area is raw memory")]
    pub fn get<T: Plain>(&mut self, handle: &Handle<A, T>) -> &mut [T] {
        assert!(handle.offset + handle.length * size_of::<T>() <= self.bytes);
        // SAFETY: inside the area, aligned since the offset and base are, any bits are a `T`, and the
        // borrow of `self` keeps every other part away.
        unsafe { slice::from_raw_parts_mut(self.base.add(handle.offset).cast(), handle.length) }
    }
}

impl<'a> Area<'a, Kept> {
    /// The elements a handle names, as they stay until the call ends. From now on [`get`](Self::get)
    /// panics in this call, since a text may point at them.
    ///
    /// # Panics
    /// If the handle is of a larger area, thus of another instance.
    #[expect(unsafe_code, reason = "the area is raw memory")]
    pub fn keep<T: Plain>(&mut self, handle: &State<T>) -> &'a [T] {
        self.kept = self.kept.max(mem::take(&mut self.bytes));
        assert!(handle.offset + handle.length * size_of::<T>() <= self.kept);
        // SAFETY: inside the area, aligned since the offset and base are, any bits are a `T`; `get`
        // gives out nothing any more, and what it gave out was borrowed from `self`.
        unsafe { slice::from_raw_parts(self.base.add(handle.offset).cast(), handle.length) }
    }
}

/// The memory `run` may write besides its outputs.
#[derive(Debug)]
pub struct Call<'a> {
    /// What stays from call to call.
    pub state: Area<'a, Kept>,
    /// What does not.
    pub scratch: Area<'a, Lent>,
}

impl<'a> Call<'a> {
    /// The first `length` bytes of a part of the state as a text for an output. The state cannot be
    /// changed any more in this call, but more texts can be kept.
    ///
    /// For texts that lie anywhere in the state: [`Area::keep`] and [`Text::of`].
    ///
    /// # Errors
    /// [`Fault::BadValue`] if the bytes are no UTF-8, [`Fault::OutOfRange`] if there are fewer.
    pub fn keep_text(&mut self, handle: &State<u8>, length: usize) -> Result<Text<'a>, Fault> {
        let bytes = self.state.keep(handle);
        let bytes = bytes.get(..length).ok_or(Fault::OutOfRange)?;
        let text = core::str::from_utf8(bytes).map_err(|_| Fault::BadValue)?;
        Ok(Text::of(text))
    }
}

/// Hands out parts of an area that has yet to be made.
#[derive(Debug)]
pub(crate) struct Planner {
    pub(crate) used: usize,
    pub(crate) room: usize,
}

impl Planner {
    /// Every part begins at a multiple of this.
    pub(crate) const ALIGN: usize = 16;

    /// The next `length` `T`s, unless there is no room.
    pub(crate) fn take<A, T: Plain>(&mut self, length: usize) -> Option<Handle<A, T>> {
        const { assert!(mem::align_of::<T>() <= Self::ALIGN) };
        let offset = self.used;
        let bytes = length.checked_mul(size_of::<T>())?;
        let end = offset
            .checked_add(bytes)?
            .checked_next_multiple_of(Self::ALIGN)?;
        if end > self.room {
            return None;
        }
        self.used = end;
        Some(Handle {
            offset,
            length,
            of: PhantomData,
        })
    }
}
