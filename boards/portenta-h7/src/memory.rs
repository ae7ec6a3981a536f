//! Heap and stack, and the most that was ever used of them.
//!
//! The heap has two parts: AXI SRAM, and behind it SDRAM, which is slower and larger. What fits goes to the first.

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
    static mut _sdram: u32;
    static mut _sdram_end: u32;
    static mut _sram4_start: u32;
    static mut _sram4_end: u32;
    static mut _stack_end: u32;
    static mut _stack_start: u32;
}

/// What a word of the stack holds that was never used.
const UNUSED: u32 = 0x5AFE_57AC;

struct Heap {
    fast: LlffHeap,
    large: LlffHeap,
    most: AtomicUsize,
    /// Bytes for which there was no room, the last time that was so.
    refused: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap {
    fast: LlffHeap::empty(),
    large: LlffHeap::empty(),
    most: AtomicUsize::new(0),
    refused: AtomicUsize::new(0),
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
            self.refused.store(layout.size(), Ordering::Relaxed);
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

/// Gives the heap AXI SRAM, clears what no section of the file fills, and marks the stack below this call as unused. To
/// be called once, at the start.
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

/// Gives the heap SDRAM.
///
/// # Safety
/// Only once, and only where SDRAM works.
pub(crate) unsafe fn add_sdram() {
    let (from, to) = (&raw mut _sdram as usize, &raw mut _sdram_end as usize);
    // SAFETY: nothing else uses SDRAM, and the caller promises the rest.
    unsafe { HEAP.large.init(from, to - from) };
}

/// The lowest word of the stack that can be used.
fn stack_bottom() -> *mut u32 {
    (&raw mut _stack_end).wrapping_byte_add(STACK_GUARD_BYTES as usize)
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
