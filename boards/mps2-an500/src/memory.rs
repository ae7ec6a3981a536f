//! The heap, and the most that was ever used of it.

use core::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicUsize, Ordering},
};

use embedded_alloc::LlffHeap;
use rune_cortex_m::fault;

unsafe extern "C" {
    static mut __sheap: u32;
    static mut _heap_end: u32;
}

struct Heap {
    inner: LlffHeap,
    most: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap {
    inner: LlffHeap::empty(),
    most: AtomicUsize::new(0),
};

// SAFETY: the allocator inside does all.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the allocator asks for.
        let place = unsafe { self.inner.alloc(layout) };
        if place.is_null() {
            fault::refused(layout.size());
        }
        self.most.fetch_max(self.inner.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.inner.dealloc(place, layout) }
    }
}

/// Gives the heap its memory. To be called once, at the start.
pub(crate) fn start() {
    let (from, to) = (&raw mut __sheap as usize, &raw mut _heap_end as usize);
    // SAFETY: the linker has put nothing there, and this is called once.
    unsafe { HEAP.inner.init(from, to - from) };
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
