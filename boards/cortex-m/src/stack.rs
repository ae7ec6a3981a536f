//! The stack, and the most that was used of it.

use core::{arch::asm, ptr};

unsafe extern "C" {
    static mut _stack_end: u32;
    static mut _stack_start: u32;
}

/// What a word of the stack holds that was never used.
const UNUSED: u32 = 0x5AFE_57AC;

/// Marks the stack below this call as unused, but for the bytes at its end that cannot be used. To be called once, at the
/// start.
pub fn mark(guard: usize) {
    let now: usize;
    // SAFETY: reads the stack pointer.
    unsafe { asm!("mov {}, sp", out(reg) now) };
    // What lies right below may be this function's, or an interrupt's.
    let mut at = bottom(guard);
    while (at as usize) < now - 256 {
        // SAFETY: the word lies in the stack, below all that is used of it.
        unsafe {
            at.write_volatile(UNUSED);
            at = at.add(1);
        }
    }
}

/// The lowest word of the stack that can be used.
fn bottom(guard: usize) -> *mut u32 {
    (&raw mut _stack_end).wrapping_byte_add(guard)
}

/// Bytes of the stack: the most that were ever used, all, where so many at its end cannot be used.
pub fn used(guard: usize) -> [usize; 2] {
    let top = &raw mut _stack_start;
    let mut at = bottom(guard);
    // SAFETY: reads words of the stack, which are there whatever they hold.
    while !ptr::eq(at, top) && unsafe { at.read_volatile() } == UNUSED {
        at = at.wrapping_add(1);
    }
    let below = |place: *mut u32| top as usize - place as usize;
    [below(at), below(bottom(guard))]
}
