//! The memory protection unit: what no code may do whatever it is.
//!
//! Null and the end of the stack cannot be touched, code cannot be written, and nothing but code runs. What no region
//! is said for, the peripherals above all, is as without the unit.

use cortex_m::{asm, peripheral::MPU};

const NONE: u32 = 0;
const READ_WRITE: u32 = 0b011;
const READ: u32 = 0b111;
const NO_EXECUTE: u32 = 1 << 28;
/// Normal memory, write-back.
const NORMAL: u32 = 0b000_011 << 16;
const ENABLE_WITH_DEFAULT_MAP: u32 = 0b101;

/// Address, size as a power of two, rights; of regions that overlap the later one counts.
const REGIONS: [(u32, u32, u32); 6] = [
    (0x0000_0000, 22, NORMAL | READ << 24),
    (0x2000_0000, 22, NORMAL | READ_WRITE << 24 | NO_EXECUTE),
    (0x6000_0000, 24, NORMAL | READ_WRITE << 24 | NO_EXECUTE),
    // The vector table is at null, which the processor reads by itself.
    (
        0x0000_0000,
        NULL_GUARD_BYTES.ilog2(),
        NONE << 24 | NO_EXECUTE,
    ),
    (
        STACK_GUARD,
        STACK_GUARD_BYTES.ilog2(),
        NONE << 24 | NO_EXECUTE,
    ),
    // Nothing is mapped there, and QEMU does not mind.
    (BELOW_STACK, 16, NONE << 24 | NO_EXECUTE),
];

/// From null on.
pub(crate) const NULL_GUARD_BYTES: u32 = 1024;

/// What a large frame gets to that leaps over the end of the stack.
pub(crate) const BELOW_STACK: u32 = STACK_GUARD - (1 << 16);

/// The end of the stack, below which nothing is mapped.
pub(crate) const STACK_GUARD: u32 = 0x2000_0000;
pub(crate) const STACK_GUARD_BYTES: usize = 256;

pub(crate) fn start(mpu: &mut MPU) {
    asm::dmb();
    for (number, (address, bits, rights)) in (0u32..).zip(REGIONS) {
        // SAFETY: the regions leave this code, its data and its stack what they need, as every test on QEMU shows.
        unsafe {
            mpu.rnr.write(number);
            mpu.rbar.write(address);
            mpu.rasr.write(rights | (bits - 1) << 1 | 1);
        }
    }
    // SAFETY: as above.
    unsafe { mpu.ctrl.write(ENABLE_WITH_DEFAULT_MAP) };
    asm::dsb();
    asm::isb();
}
