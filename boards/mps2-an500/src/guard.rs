//! What the protection unit keeps the runtime from: null and what lies below the end of the stack cannot be touched, code
//! cannot be written, and nothing but code runs. What no region is said for, the peripherals above all, is as without the
//! unit. Three regions are left for an image, which is as many as it needs in a slot that is aligned to its size.

use cortex_m::peripheral::MPU;
use rune_cortex_m::{
    fault::Meaning,
    mpu::{self, CACHED, NO_EXECUTE, NONE, READ, READ_WRITE},
};
use rune_firmware::mpu::Region;

/// Eighths of all addresses: RAM and PSRAM are in these.
const RAM: u8 = 1 << 1 | 1 << 3;
/// Eighths of the first half gigabyte: what is below RAM is in the last.
const BELOW_STACK: u8 = 1 << 7;

/// Region and attributes; of regions that overlap the later one counts.
const REGIONS: [(Region, u32); 4] = [
    (
        Region {
            base: 0,
            bits: 32,
            off: !RAM,
        },
        CACHED | READ_WRITE | NO_EXECUTE,
    ),
    // Nothing is mapped below the stack, and QEMU does not mind: whatever leaps over its end gets there.
    (
        Region {
            base: 0,
            bits: 29,
            off: !BELOW_STACK,
        },
        NONE | NO_EXECUTE,
    ),
    (Region::whole(0, 22), CACHED | READ),
    // The vector table is at null, which the processor reads by itself.
    (
        Region::whole(0, NULL_BYTES.ilog2() as u8),
        NONE | NO_EXECUTE,
    ),
];

/// From null on.
const NULL_BYTES: u32 = 1024;

/// What faults mean here.
pub(crate) static MEANING: Meaning = Meaning {
    guard: 0x1C00_0000..0x2000_0000,
    null: 0..NULL_BYTES,
    nmi_is_watchdog: true,
};

pub(crate) fn start(unit: &mut MPU) {
    // SAFETY: the regions leave this code, its data and its stack what they need, as every test on QEMU shows.
    unsafe { mpu::start(unit, &REGIONS) };
}
