//! Ticks of timer 0 of the CMSDK. With QEMU's `-icount shift=6` an instruction takes 64 ns, and a tick is 40 ns.

use core::sync::atomic::{AtomicU32, Ordering};

const TIMER: usize = 0x4000_0000;
const CONTROL: *mut u32 = TIMER as *mut u32;
const VALUE: *mut u32 = (TIMER + 4) as *mut u32;
const RELOAD: *mut u32 = (TIMER + 8) as *mut u32;
const TICK_NS: u64 = 40;

/// The timer's value when it was last read, and the ticks until then in two halves. Nothing interrupts who reads it.
static LAST: AtomicU32 = AtomicU32::new(u32::MAX);
static TICKS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Begins to count.
pub(crate) fn start() {
    // SAFETY: the timer is there, and only this module touches it.
    unsafe {
        RELOAD.write_volatile(u32::MAX);
        VALUE.write_volatile(u32::MAX);
        CONTROL.write_volatile(1);
    }
}

/// Ticks since the start. It must be asked at least every 2^32 of them, about 2.7 billion instructions.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: as above. It counts down.
    let value = unsafe { VALUE.read_volatile() };
    let passed = LAST.load(Ordering::Relaxed).wrapping_sub(value);
    LAST.store(value, Ordering::Relaxed);
    let (low, high) = (
        TICKS[0].load(Ordering::Relaxed),
        TICKS[1].load(Ordering::Relaxed),
    );
    let total = (u64::from(high) << 32 | u64::from(low)).wrapping_add(passed.into());
    TICKS[0].store(total as u32, Ordering::Relaxed);
    TICKS[1].store((total >> 32) as u32, Ordering::Relaxed);
    total
}

/// The clock of the runtime.
pub(crate) fn now_ns() -> u64 {
    ticks().wrapping_mul(TICK_NS)
}
