//! The memory protection unit and the caches: what may be accessed, and what may be cached.
//!
//! What no region is said for, the peripherals above all, is as without the unit.

use cortex_m::{
    asm,
    peripheral::{CPUID, MPU, SCB},
};

const NONE: u32 = 0;
const READ_WRITE: u32 = 0b011 << 24;
const READ: u32 = 0b111 << 24;
const NO_EXECUTE: u32 = 1 << 28;
/// Normal memory, write-back, allocated on reads and writes.
const CACHED: u32 = 0b001_011 << 16;
/// Normal memory, not cached.
const UNCACHED: u32 = 0b001_000 << 16;
const ENABLE_WITH_DEFAULT_MAP: u32 = 0b101;

/// The region of the flash chip on the QUADSPI, whose rights change.
const QSPI: usize = 5;
const QSPI_BASE: u32 = 0x9000_0000;
const QSPI_BITS: u32 = 24;

/// Address, size as a power of two, rights; of regions that overlap the later one counts. The sizes are those of
/// `memory.x`.
const REGIONS: [(u32, u32, u32); 9] = [
    // Flash of the chip: no code writes it.
    (0x0800_0000, 21, CACHED | READ),
    (0x2400_0000, 19, CACHED | READ_WRITE | NO_EXECUTE),
    // What DMA1 and DMA2 write.
    (0x3000_0000, 17, UNCACHED | READ_WRITE | NO_EXECUTE),
    // What BDMA writes, and what survives a reset.
    (0x3800_0000, 16, UNCACHED | READ_WRITE | NO_EXECUTE),
    // By default these are addresses of a device, where an access that is not aligned is a fault.
    (0xC000_0000, 23, CACHED | READ_WRITE | NO_EXECUTE),
    (QSPI_BASE, QSPI_BITS, NONE | NO_EXECUTE),
    (0x2000_0000, 17, CACHED | READ_WRITE | NO_EXECUTE),
    // ITCM is not used.
    (0, NULL_BYTES.ilog2(), NONE | NO_EXECUTE),
    (STACK_GUARD, STACK_GUARD_BYTES.ilog2(), NONE | NO_EXECUTE),
];
const _: () = assert!(REGIONS[QSPI].0 == QSPI_BASE);

/// From null on.
pub(crate) const NULL_BYTES: u32 = 64 << 10;

/// The end of the stack, below which nothing is mapped.
pub(crate) const STACK_GUARD: u32 = 0x2000_0000;
pub(crate) const STACK_GUARD_BYTES: u32 = 256;

/// To be called once, before anything uses SDRAM or DMA.
pub(crate) fn start(mpu: &mut MPU, scb: &mut SCB, cpuid: &mut CPUID) {
    // The bootloader may have left them on, with other rights.
    scb.disable_dcache(cpuid);
    scb.disable_icache();
    asm::dmb();
    // SAFETY: nothing of this program relies on the regions of the bootloader.
    unsafe { mpu.ctrl.write(0) };
    let regions = mpu._type.read() >> 8 & 0xFF;
    for number in 0..regions {
        let (address, rights) = match REGIONS.get(number as usize) {
            Some((address, bits, rights)) => (*address, rights | (bits - 1) << 1 | 1),
            None => (0, 0),
        };
        // SAFETY: the regions leave this code, its data and its stack what they need.
        unsafe {
            mpu.rnr.write(number);
            mpu.rbar.write(address);
            mpu.rasr.write(rights);
        }
    }
    // SAFETY: as above.
    unsafe { mpu.ctrl.write(ENABLE_WITH_DEFAULT_MAP) };
    asm::dsb();
    asm::isb();
    scb.enable_icache();
    scb.enable_dcache(cpuid);
}

/// Whether the flash chip may be read. Where it may not, the processor does not read it ahead either.
pub(crate) fn allow_qspi(is_readable: bool) {
    let rights = if is_readable { CACHED | READ } else { NONE };
    critical_section::with(|_| {
        asm::dmb();
        // SAFETY: only this region changes, and its contents are only read.
        unsafe {
            let mpu = &*MPU::PTR;
            mpu.rnr.write(QSPI as u32);
            mpu.rasr
                .write(rights | NO_EXECUTE | (QSPI_BITS - 1) << 1 | 1);
        }
        asm::dsb();
        asm::isb();
    });
}

/// Writes back what is in the data cache, and empties it: what is read next comes from memory.
pub(crate) fn clean_and_invalidate() {
    // SAFETY: emptying a cache that was written back changes nothing.
    let mut cortex = unsafe { cortex_m::Peripherals::steal() };
    cortex.SCB.clean_invalidate_dcache(&mut cortex.CPUID);
}
