//! The allocator of `init`: first fit in what was freed, else the end of the frozen arena.
//!
//! What is freed becomes a list in the freed memory itself, in the form the contract has for it, so the
//! compiler leaves it out of the rune. Freed memory is zero but for its node, so no stale address stays.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ptr,
};

/// Memory between two addresses, handed out from the lower.
#[derive(Debug)]
pub(crate) struct Arena {
    /// Where the links of nodes count from, and whose provenance they have.
    start: Cell<*mut u8>,
    next: Cell<*mut u8>,
    end: Cell<*mut u8>,
    /// The first node.
    free: Cell<Link>,
    /// A node of the list, where the last search ended: blocks are often freed in rising order.
    hint: Cell<Link>,
}

/// The address of a node; on the host, where that is too long, counted from 8 bytes before the arena.
/// 0 is none.
type Link = u32;

/// A freed range, which begins with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Node {
    /// Bytes of the range.
    pub(crate) bytes: u32,
    /// The node with the next higher address.
    pub(crate) next: Link,
}

/// Of what ranges and nodes are multiples.
const WORD: usize = size_of::<Node>();

/// How many freed ranges are tried before memory is taken from the end.
const TRIES: usize = 64;

// SAFETY: a block has one thread.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "a global allocator is a static")]
unsafe impl Sync for Arena {}

/// Empty except while `init` runs, so `run` cannot allocate and static data ends as it began.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
pub(crate) static ARENA: Arena = Arena::new();

impl Arena {
    pub(crate) const fn new() -> Self {
        Self {
            start: Cell::new(ptr::null_mut()),
            next: Cell::new(ptr::null_mut()),
            end: Cell::new(ptr::null_mut()),
            free: Cell::new(0),
            hint: Cell::new(0),
        }
    }

    /// Takes the memory from `next` to `end`: zero, and this arena's alone until it is closed.
    pub(crate) fn open(&self, next: *mut u8, end: *mut u8) {
        self.start.set(next);
        self.next.set(next);
        self.end.set(end);
    }

    /// Empties the arena: the next free address it had, and the first freed range.
    pub(crate) fn close(&self) -> (*mut u8, Link) {
        self.end.set(ptr::null_mut());
        self.start.set(ptr::null_mut());
        self.hint.set(0);
        (self.next.replace(ptr::null_mut()), self.free.replace(0))
    }

    /// What links count from.
    fn origin(&self) -> usize {
        if cfg!(target_arch = "wasm32") {
            0
        } else {
            self.start.get().addr() - WORD
        }
    }

    fn link(&self, address: *mut u8) -> Link {
        (address.addr() - self.origin()) as Link
    }

    fn at(&self, link: Link) -> *mut u8 {
        self.start.get().with_addr(self.origin() + link as usize)
    }

    /// # Safety
    /// `link` is of a node of the list.
    #[expect(clippy::cast_ptr_alignment, reason = "links are multiples of 8")]
    #[expect(unsafe_code, reason = "nodes lie in the memory of the arena")]
    pub(crate) unsafe fn node(&self, link: Link) -> Node {
        // SAFETY: nodes are initialised and their addresses multiples of 8.
        unsafe { self.at(link).cast::<Node>().read() }
    }

    /// # Safety
    /// 8 bytes at `link` are part of a freed range, and `link` is a multiple of 8.
    #[expect(clippy::cast_ptr_alignment, reason = "links are multiples of 8")]
    #[expect(unsafe_code, reason = "nodes lie in the memory of the arena")]
    unsafe fn set_node(&self, link: Link, node: Node) {
        // SAFETY: the caller's promise.
        unsafe { self.at(link).cast::<Node>().write(node) };
    }

    /// Makes the node after `before` this one; the first, if `before` is 0.
    ///
    /// # Safety
    /// `before` is 0 or of a node of the list.
    #[expect(unsafe_code, reason = "nodes lie in the memory of the arena")]
    unsafe fn connect(&self, before: Link, next: Link) {
        if before == 0 {
            self.free.set(next);
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            let node = self.node(before);
            self.set_node(before, Node { next, ..node });
        }
    }

    /// Puts zeroed memory on the list; what is not whole words of it is lost.
    ///
    /// # Safety
    /// Nothing refers to the memory, and it lies before `next`.
    #[expect(unsafe_code, reason = "nodes lie in the memory of the arena")]
    unsafe fn release(&self, from: *mut u8, to: *mut u8) {
        let mut first = self.link(from).next_multiple_of(WORD as u32);
        let mut end = self.link(to) / WORD as u32 * WORD as u32;
        if first >= end {
            return;
        }
        let hint = self.hint.get();
        let mut before = if hint < first { hint } else { 0 };
        // SAFETY: every link is of the list or 0, where it ends.
        unsafe {
            let mut after = match before {
                0 => self.free.get(),
                node => self.node(node).next,
            };
            while after != 0 && after < first {
                before = after;
                after = self.node(before).next;
            }
            if after == end {
                let node = self.node(after);
                self.set_node(after, Node { bytes: 0, next: 0 });
                end += node.bytes;
                after = node.next;
            }
            if before != 0 && before + self.node(before).bytes == first {
                first = before;
            } else {
                self.connect(before, first);
            }
            let bytes = end - first;
            self.set_node(first, Node { bytes, next: after });
        }
        self.hint.set(first);
    }

    /// Memory of a freed range, zero.
    #[expect(unsafe_code, reason = "nodes lie in the memory of the arena")]
    fn reuse(&self, align: usize, bytes: usize) -> Option<*mut u8> {
        let (mut before, mut link) = (0, self.free.get());
        for _ in 0..TRIES {
            if link == 0 {
                break;
            }
            // SAFETY: `link` is of the list.
            let node = unsafe { self.node(link) };
            let range = self.at(link);
            let pad = range.align_offset(align);
            if pad <= node.bytes as usize && bytes <= node.bytes as usize - pad {
                self.hint.set(before);
                // SAFETY: the range leaves the list, and what is not used of it comes back.
                unsafe {
                    self.connect(before, node.next);
                    self.set_node(link, Node { bytes: 0, next: 0 });
                    let block = range.add(pad);
                    self.release(range, block);
                    self.release(block.add(bytes), range.add(node.bytes as usize));
                    return Some(block);
                }
            }
            (before, link) = (link, node.next);
        }
        None
    }
}

/// Texts lie close together; everything else takes whole words, so that all of it can be freed.
fn extent(align: usize, size: usize) -> (usize, usize) {
    match align {
        1 => (1, size),
        _ => (align.max(WORD), size.next_multiple_of(WORD)),
    }
}

// SAFETY: a block lies in what no other has: between `next` and `end`, or in a range that leaves the list;
// `next` moves back only over the last block, when that is freed or shrunk.
#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (align, bytes) = extent(layout.align(), layout.size());
        if let Some(block) = self.reuse(align, bytes) {
            return block;
        }
        let next = self.next.get();
        let room = self.end.get().addr() - next.addr();
        let pad = next.align_offset(align);
        if pad > room || bytes > room - pad {
            return ptr::null_mut();
        }
        let block = next.wrapping_add(pad);
        self.next.set(block.wrapping_add(bytes));
        // SAFETY: nobody was given what lies between.
        unsafe { self.release(next, block) };
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise. All memory of the arena that is not in use is zero.
        unsafe { self.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (_, bytes) = extent(layout.align(), layout.size());
        // SAFETY: the caller gives back a block of this size.
        unsafe {
            block.write_bytes(0, bytes);
            let end = block.add(bytes);
            if end == self.next.get() {
                self.next.set(block);
            } else {
                self.release(block, end);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (_, old) = extent(layout.align(), layout.size());
        let (_, new) = extent(layout.align(), size);
        let last = block.wrapping_add(old) == self.next.get();
        // SAFETY: the caller's promise about `layout` and `size`; blocks do not overlap.
        unsafe {
            if size <= layout.size() {
                block.add(size).write_bytes(0, old - size);
                if last {
                    self.next.set(block.add(new));
                } else {
                    self.release(block.add(new), block.add(old));
                }
                return block;
            }
            if last && new <= self.end.get().addr() - block.addr() {
                self.next.set(block.add(new));
                return block;
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size());
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
