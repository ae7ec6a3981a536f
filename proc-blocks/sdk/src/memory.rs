//! What a block may write: its state and its scratch; and on wasm32, where `init` allocates.

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

/// The allocator of `init`: a bump over the frozen arena.
///
/// Freed memory is zeroed, so that no stale address stays in the snapshot, and the newest is used again.
#[cfg(target_arch = "wasm32")]
pub(crate) mod frozen {
    use core::{
        alloc::{GlobalAlloc, Layout},
        cell::Cell,
        ptr,
    };

    pub(crate) struct Arena {
        next: Cell<*mut u8>,
        end: Cell<*mut u8>,
    }

    // SAFETY: a block has one thread.
    #[expect(unsafe_code, reason = "a global allocator is a static")]
    unsafe impl Sync for Arena {}

    /// Empty except while `init` runs, so `run` cannot allocate and static data ends as it began.
    #[global_allocator]
    pub(crate) static ARENA: Arena = Arena {
        next: Cell::new(ptr::null_mut()),
        end: Cell::new(ptr::null_mut()),
    };

    impl Arena {
        pub(crate) fn open(&self, next: *mut u8, end: *mut u8) {
            self.next.set(next);
            self.end.set(end);
        }

        /// Empties the arena and gives the next free address it had.
        pub(crate) fn close(&self) -> *mut u8 {
            self.end.set(ptr::null_mut());
            self.next.replace(ptr::null_mut())
        }
    }

    // SAFETY: blocks handed out are inside the arena, aligned, and do not overlap: `next` lies past
    // all of them, and moves back only over the newest, when that is freed or shrunk.
    #[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
    unsafe impl GlobalAlloc for Arena {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let next = self.next.get();
            let room = self.end.get() as usize - next as usize;
            let pad = next.align_offset(layout.align());
            if pad > room || layout.size() > room - pad {
                return ptr::null_mut();
            }
            let block = next.wrapping_add(pad);
            self.next.set(block.wrapping_add(layout.size()));
            block
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller gives back a block of this size.
            unsafe { block.write_bytes(0, layout.size()) };
            if block.wrapping_add(layout.size()) == self.next.get() {
                self.next.set(block);
            }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            if block.wrapping_add(layout.size()) == self.next.get() {
                if size > self.end.get() as usize - block as usize {
                    return ptr::null_mut();
                }
                if size < layout.size() {
                    // SAFETY: the end of a block of the old size.
                    unsafe { block.add(size).write_bytes(0, layout.size() - size) };
                }
                self.next.set(block.wrapping_add(size));
                return block;
            }
            // SAFETY: the caller's promise about `layout` and `size`; the blocks do not overlap.
            unsafe {
                let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(block, size.min(layout.size()));
                    self.dealloc(block, layout);
                }
                moved
            }
        }
    }
}
