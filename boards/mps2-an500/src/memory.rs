//! Heap and stack, and the most that was ever used of them.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::asm,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use embedded_alloc::LlffHeap;

use crate::guard::STACK_GUARD_BYTES;

unsafe extern "C" {
    static mut __sheap: u32;
    static mut _heap_end: u32;
    static mut _stack_end: u32;
    static mut _stack_start: u32;
}

/// What a word of the stack holds that was never used.
const UNUSED: u32 = 0x5AFE_57AC;

struct Heap {
    inner: LlffHeap,
    most: AtomicUsize,
    /// Bytes for which there was no room, the last time that was so.
    refused: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap {
    inner: LlffHeap::empty(),
    most: AtomicUsize::new(0),
    refused: AtomicUsize::new(0),
};

// SAFETY: the allocator inside does all.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the allocator asks for.
        let place = unsafe { self.inner.alloc(layout) };
        if place.is_null() {
            self.refused.store(layout.size(), Ordering::Relaxed);
        }
        self.most.fetch_max(self.inner.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.inner.dealloc(place, layout) }
    }
}

/// Gives the heap its memory, and marks the stack below this call as unused. To be called once, at the start.
pub(crate) fn start() {
    let (from, to) = (&raw mut __sheap as usize, &raw mut _heap_end as usize);
    // SAFETY: the linker has put nothing there, and this is called once.
    unsafe { HEAP.inner.init(from, to - from) };
    let now: usize;
    // SAFETY: reads the stack pointer.
    unsafe { asm!("mov {}, sp", out(reg) now) };
    // What lies right below may be this function's, or an interrupt's.
    let mut at = stack_bottom();
    while (at as usize) < now - 256 {
        // SAFETY: the word lies in the stack, below all that is used of it.
        unsafe {
            at.write_volatile(UNUSED);
            at = at.add(1);
        }
    }
}

/// The lowest word of the stack that can be used.
fn stack_bottom() -> *mut u32 {
    (&raw mut _stack_end).wrapping_byte_add(STACK_GUARD_BYTES)
}

/// Bytes of the heap: in use, the most that ever were, all.
pub(crate) fn heap() -> [usize; 3] {
    let used = HEAP.inner.used();
    [
        used,
        HEAP.most.load(Ordering::Relaxed),
        used + HEAP.inner.free(),
    ]
}

/// Bytes for which the heap had no room, the last time that was so; 0 where it never was.
pub(crate) fn refused() -> usize {
    HEAP.refused.load(Ordering::Relaxed)
}

/// Bytes of the stack: the most that were ever used, all.
pub(crate) fn stack() -> [usize; 2] {
    let top = &raw mut _stack_start;
    let mut at = stack_bottom();
    // SAFETY: reads words of the stack, which are there whatever they hold.
    while !ptr::eq(at, top) && unsafe { at.read_volatile() } == UNUSED {
        at = at.wrapping_add(1);
    }
    let below = |place: *mut u32| top as usize - place as usize;
    [below(at), below(stack_bottom())]
}
