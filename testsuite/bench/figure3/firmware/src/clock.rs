//! Ticks of timer 0 of the CMSDK. With QEMU's `-icount shift=6` an instruction takes 64 ns, and a tick is 40 ns.

use core::cell::Cell;

const TIMER: usize = 0x4000_0000;
const CONTROL: *mut u32 = TIMER as *mut u32;
const VALUE: *mut u32 = (TIMER + 4) as *mut u32;
const RELOAD: *mut u32 = (TIMER + 8) as *mut u32;
const TICK_NS: u64 = 40;

/// The timer's value when it was last read, and the nanoseconds until then.
struct Last(Cell<(u32, u64)>);

// SAFETY: nothing interrupts who reads it.
unsafe impl Sync for Last {}

static LAST: Last = Last(Cell::new((u32::MAX, 0)));

/// Begins to count.
pub(crate) fn start() {
    // SAFETY: the timer is there, and only this module touches it.
    unsafe {
        RELOAD.write_volatile(u32::MAX);
        VALUE.write_volatile(u32::MAX);
        CONTROL.write_volatile(1);
    }
}

/// Nanoseconds since the start: the clock of the runtime. It must be asked at least every 2^32 ticks, about 2.7 billion
/// instructions.
pub(crate) fn now_ns() -> u64 {
    // SAFETY: as above. It counts down.
    let value = unsafe { VALUE.read_volatile() };
    let (last, total) = LAST.0.get();
    let passed = u64::from(last.wrapping_sub(value)).wrapping_mul(TICK_NS);
    let total = total.wrapping_add(passed);
    LAST.0.set((value, total));
    total
}

/// Ticks since the start.
pub(crate) fn ticks() -> u64 {
    now_ns() / TICK_NS
}
