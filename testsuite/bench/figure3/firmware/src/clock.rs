//! Ticks of timer 0 of the CMSDK. With QEMU's `-icount shift=6` an instruction takes 64 ns, and a tick is 40 ns.

use core::cell::Cell;

use critical_section::Mutex;

const TIMER: usize = 0x4000_0000;
const CONTROL: *mut u32 = TIMER as *mut u32;
const VALUE: *mut u32 = (TIMER + 4) as *mut u32;
const RELOAD: *mut u32 = (TIMER + 8) as *mut u32;
const TICK_NS: u64 = 40;

/// The timer's value when it was last read, and the ticks until then.
static TICKS: Mutex<Cell<(u32, u64)>> = Mutex::new(Cell::new((u32::MAX, 0)));

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
pub(crate) fn ticks() -> u64 {
    critical_section::with(|cs| {
        let ticks = TICKS.borrow(cs);
        let (last, total) = ticks.get();
        // SAFETY: as above. It counts down.
        let value = unsafe { VALUE.read_volatile() };
        let total = total + u64::from(last.wrapping_sub(value));
        ticks.set((value, total));
        total
    })
}

/// The clock of the runtime.
pub(crate) fn now_ns() -> u64 {
    ticks() * TICK_NS
}
