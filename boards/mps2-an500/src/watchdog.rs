//! The CMSDK's watchdog: what does not feed it is interrupted after one period, and reset after two.

use crate::chip::{HERTZ, Register, WATCHDOG};

const LOAD: Register = WATCHDOG.register(0);
const CONTROL: Register = WATCHDOG.register(8);
const CLEAR: Register = WATCHDOG.register(0xC);
const LOCK: Register = WATCHDOG.register(0xC00);
const KEY: u32 = 0x1ACC_E551;
const INTERRUPT_AND_RESET: u32 = 0b11;

/// More than the longest call of a rune takes, and than the longest erasure of a sector of flash.
pub(crate) const SECONDS: u32 = 20;

/// Only one is made, and who has it feeds it.
pub(crate) struct Watchdog(());

impl Watchdog {
    pub(crate) fn start() -> Self {
        LOCK.write(KEY);
        LOAD.write(SECONDS * HERTZ);
        CONTROL.write(INTERRUPT_AND_RESET);
        LOCK.write(0);
        Self(())
    }

    /// Another period.
    #[expect(clippy::unused_self, reason = "who has the value feeds it")]
    pub(crate) fn feed(&mut self) {
        LOCK.write(KEY);
        CLEAR.write(1);
        LOCK.write(0);
    }
}
