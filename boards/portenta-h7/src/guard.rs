//! The memory protection unit and the caches: what may be accessed, and what may be cached.
//!
//! What no region is said for, the peripherals above all, is as without the unit.

use cortex_m::{
    asm,
    peripheral::{CPUID, MPU, SCB},
};
use rune_cortex_m::{
    fault::Meaning,
    mpu::{self, CACHED, NO_EXECUTE, NONE, READ, READ_WRITE, UNCACHED},
};
use rune_firmware::mpu::Region;

/// The region of the flash chip on the QUADSPI, whose rights change.
const QSPI: usize = 5;
const QSPI_REGION: Region = Region::whole(0x9000_0000, 24);

/// Region and attributes, for the runtime alone; of regions that overlap the later one counts. The sizes are those of
/// `memory.x`.
const REGIONS: [(Region, u32); 9] = [
    // Flash of the chip: no code writes it.
    (Region::whole(0x0800_0000, 21), CACHED | READ),
    (
        Region::whole(0x2400_0000, 19),
        CACHED | READ_WRITE | NO_EXECUTE,
    ),
    // What DMA1 and DMA2 write.
    (
        Region::whole(0x3000_0000, 17),
        UNCACHED | READ_WRITE | NO_EXECUTE,
    ),
    // What BDMA writes, and what survives a reset.
    (
        Region::whole(0x3800_0000, 16),
        UNCACHED | READ_WRITE | NO_EXECUTE,
    ),
    // By default these are addresses of a device, where an access that is not aligned is a fault.
    (
        Region::whole(0xC000_0000, 23),
        CACHED | READ_WRITE | NO_EXECUTE,
    ),
    (QSPI_REGION, NONE | NO_EXECUTE),
    (
        Region::whole(0x2000_0000, 17),
        CACHED | READ_WRITE | NO_EXECUTE,
    ),
    // ITCM is not used.
    (
        Region::whole(0, NULL_BYTES.ilog2() as u8),
        NONE | NO_EXECUTE,
    ),
    (
        Region::whole(STACK_GUARD, STACK_GUARD_BYTES.ilog2() as u8),
        NONE | NO_EXECUTE,
    ),
];
const _: () = assert!(REGIONS[QSPI].0.base == QSPI_REGION.base);

/// From null on.
const NULL_BYTES: u32 = 64 << 10;

/// The end of the stack, below which nothing is mapped.
const STACK_GUARD: u32 = 0x2000_0000;
pub(crate) const STACK_GUARD_BYTES: u32 = 256;

/// What faults mean here.
pub(crate) static MEANING: Meaning = Meaning {
    guard: STACK_GUARD..STACK_GUARD + STACK_GUARD_BYTES,
    null: 0..NULL_BYTES,
    nmi_is_watchdog: false,
};

/// To be called once, before anything uses SDRAM or DMA.
pub(crate) fn start(unit: &mut MPU, scb: &mut SCB, cpuid: &mut CPUID) {
    // The bootloader may have left them on, with other rights.
    scb.disable_dcache(cpuid);
    scb.disable_icache();
    // SAFETY: the regions leave this code, its data and its stack what they need.
    unsafe { mpu::start(unit, &REGIONS) };
    scb.enable_icache();
    scb.enable_dcache(cpuid);
}

/// Whether the flash chip may be read. Where it may not, the processor does not read it ahead either, and no image has
/// a region of it.
pub(crate) fn allow_qspi(is_readable: bool) {
    let rights = if is_readable { CACHED | READ } else { NONE };
    mpu::forget();
    critical_section::with(|_| {
        asm::dmb();
        // SAFETY: only this region changes, and its contents are only read.
        unsafe {
            let mpu = &*MPU::PTR;
            mpu.rnr.write(QSPI as u32);
            mpu.rasr.write(QSPI_REGION.attributes(rights | NO_EXECUTE));
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
