//! Time since the start, from timer 0 of the CMSDK; under QEMU's `-icount` it counts instructions.

use core::cell::Cell;

use critical_section::Mutex;

use crate::chip::{HERTZ, Register, TIMER0};

const CONTROL: Register = TIMER0.register(0);
const VALUE: Register = TIMER0.register(4);
const RELOAD: Register = TIMER0.register(8);
const ENABLE: u32 = 1;

/// The timer's value when it was last read, and the ticks until then.
static TICKS: Mutex<Cell<(u32, u64)>> = Mutex::new(Cell::new((u32::MAX, 0)));

pub(crate) fn start() {
    RELOAD.write(u32::MAX);
    VALUE.write(u32::MAX);
    CONTROL.write(ENABLE);
}

/// Nanoseconds since the start, in steps of 40. It must be asked at least every 171 seconds, after which the timer
/// begins anew.
pub(crate) fn now_ns() -> u64 {
    const TICK_NS: u64 = 1_000_000_000 / HERTZ as u64;
    critical_section::with(|cs| {
        let ticks = TICKS.borrow(cs);
        let (last, total) = ticks.get();
        // It counts down.
        let value = VALUE.read();
        let total = total + u64::from(last.wrapping_sub(value));
        ticks.set((value, total));
        total * TICK_NS
    })
}
