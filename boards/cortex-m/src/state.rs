//! What no image may change: for tests that try to.

use core::ops::Range;

use cortex_m::{
    peripheral::{DCB, FPU, NVIC, SCB, SYST},
    register::{basepri, control, faultmask, primask},
};

use crate::mpu;

/// A checksum of words.
#[derive(Clone, Copy, Debug)]
pub struct Sum(u32);

impl Default for Sum {
    fn default() -> Self {
        Self(0x811C_9DC5)
    }
}

impl Sum {
    /// Takes a word.
    pub fn add(&mut self, word: u32) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x0100_0193);
    }

    /// Takes the words at addresses.
    ///
    /// # Safety
    /// They can be read.
    pub unsafe fn words(&mut self, addresses: Range<u32>) {
        for address in addresses.step_by(4) {
            // SAFETY: the caller's promise.
            self.add(unsafe { (address as *const u32).read_volatile() });
        }
    }

    /// Of all that it took.
    pub fn value(self) -> u32 {
        self.0
    }
}

/// Of the registers of the processor: what is enabled, in which order exceptions come and where to, what is masked, and
/// the regions of the runtime.
pub fn processor() -> u32 {
    /// Of the `SysTick`: it has counted to zero.
    const COUNTED: u32 = 1 << 16;
    /// Of the `FPCCR`: what it is set to, and that something is to be saved.
    const SAVING: u32 = 0b11 << 30 | 1;
    let mut sum = Sum::default();
    // SAFETY: the registers are always there, and reading changes nothing but the flag that is left out.
    let (scb, systick, nvic, fpu, dcb) =
        unsafe { (&*SCB::PTR, &*SYST::PTR, &*NVIC::PTR, &*FPU::PTR, &*DCB::PTR) };
    for word in [
        scb.vtor.read(),
        scb.aircr.read(),
        scb.scr.read(),
        scb.ccr.read(),
        scb.shcsr.read(),
        scb.cfsr.read(),
        scb.hfsr.read(),
        scb.cpacr.read(),
        systick.csr.read() & !COUNTED,
        systick.rvr.read(),
        fpu.fpccr.read() & SAVING,
        fpu.fpdscr.read(),
        dcb.demcr.read(),
        u32::from(control::read().npriv().is_privileged()),
        u32::from(control::read().spsel().is_msp()),
        u32::from(primask::read().is_active()),
        u32::from(faultmask::read().is_active()),
        u32::from(basepri::read()),
    ] {
        sum.add(word);
    }
    for priority in &scb.shpr {
        sum.add(priority.read().into());
    }
    for enabled in &nvic.iser[..2] {
        sum.add(enabled.read());
    }
    for priority in &nvic.ipr[..32] {
        sum.add(priority.read().into());
    }
    mpu::each(|word| sum.add(word));
    sum.value()
}
