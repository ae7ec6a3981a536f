//! The heap, and the most that was ever used of it.
//!
//! It has two parts: AXI SRAM, and behind it SDRAM, which is slower and larger. What fits goes to the first.

use core::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicUsize, Ordering},
};

use embedded_alloc::LlffHeap;
use rune_cortex_m::fault;

unsafe extern "C" {
    static mut __sheap: u32;
    static mut _heap_end: u32;
    static mut _sdram: u32;
    static mut _sdram_end: u32;
    static mut _sram4_start: u32;
    static mut _sram4_end: u32;
}

struct Heap {
    fast: LlffHeap,
    large: LlffHeap,
    most: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap {
    fast: LlffHeap::empty(),
    large: LlffHeap::empty(),
    most: AtomicUsize::new(0),
};

impl Heap {
    fn used(&self) -> usize {
        self.fast.used() + self.large.used()
    }
}

// SAFETY: the allocators inside do all; each gets back what it gave, as their addresses tell.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the allocator asks for.
        let mut place = unsafe { self.fast.alloc(layout) };
        if place.is_null() {
            // SAFETY: as above. Before it has memory it has none to give.
            place = unsafe { self.large.alloc(layout) };
        }
        if place.is_null() {
            fault::refused(layout.size());
        }
        self.most.fetch_max(self.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let is_large = place as usize >= &raw const _sdram as usize;
        let heap = if is_large { &self.large } else { &self.fast };
        // SAFETY: as above.
        unsafe { heap.dealloc(place, layout) }
    }
}

/// Gives the heap AXI SRAM, and clears what no section of the file fills. To be called once, at the start.
pub(crate) fn start() {
    let (mut at, end) = (&raw mut _sram4_start, &raw mut _sram4_end);
    while at < end {
        // SAFETY: variables lie there that begin as zero, and nobody has used one yet.
        unsafe {
            at.write_volatile(0);
            at = at.add(1);
        }
    }
    let (from, to) = (&raw mut __sheap as usize, &raw mut _heap_end as usize);
    // SAFETY: the linker has put nothing there, and this is called once.
    unsafe { HEAP.fast.init(from, to - from) };
}

/// Gives the heap SDRAM.
///
/// # Safety
/// Only once, and only where SDRAM works.
pub(crate) unsafe fn add_sdram() {
    let (from, to) = (&raw mut _sdram as usize, &raw mut _sdram_end as usize);
    // SAFETY: nothing else uses SDRAM, and the caller promises the rest.
    unsafe { HEAP.large.init(from, to - from) };
}

/// Bytes of the heap: in use, the most that ever were, all.
pub(crate) fn heap() -> [usize; 3] {
    let used = HEAP.used();
    [
        used,
        HEAP.most.load(Ordering::Relaxed),
        used + HEAP.fast.free() + HEAP.large.free(),
    ]
}
