//! The protection unit: what no code may do whatever it is, and what an image may.
//!
//! A board has regions for the runtime, which give unprivileged code nothing; one is for the gate into images; the rest
//! is for the image that runs. Where no region is, privileged code may what it may without the unit, and other code
//! nothing. Of regions that overlap the one with the higher number counts.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::{asm, peripheral::MPU};
use rune_firmware::mpu::Region;

use crate::gate;

/// Nobody may anything.
pub const NONE: u32 = 0;
/// The runtime may read and write.
pub const READ_WRITE: u32 = 0b001 << 24;
/// The runtime may read.
pub const READ: u32 = 0b101 << 24;
/// All may read and write.
pub(crate) const ALL_READ_WRITE: u32 = 0b011 << 24;
/// All may read.
pub(crate) const ALL_READ: u32 = 0b111 << 24;
/// Nobody may run it.
pub const NO_EXECUTE: u32 = 1 << 28;
/// Normal memory, write-back, allocated on reads and writes.
pub const CACHED: u32 = 0b001_011 << 16;
/// Normal memory, not cached.
pub const UNCACHED: u32 = 0b001_000 << 16;

const ENABLE_WITH_DEFAULT_MAP: u32 = 0b101;

/// The most regions that an image uses.
pub(crate) const MOST: usize = 6;

/// The first region that is an image's, and how many there are.
static FREE: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
/// Which image the regions are set for; 0 is none.
static SET_FOR: AtomicU32 = AtomicU32::new(0);

/// Sets the regions of the runtime, region and attributes of each, and behind them that of the gate; leaves the others to
/// images. The unit is off before and on after it. To be called once, at the start.
///
/// # Safety
/// The regions leave the runtime what it needs.
///
/// # Panics
/// Where there are fewer regions.
pub unsafe fn start(mpu: &mut MPU, regions: &[(Region, u32)]) {
    let all = mpu._type.read() >> 8 & 0xFF;
    asm::dmb();
    // SAFETY: the caller's promise.
    unsafe { mpu.ctrl.write(0) };
    let gate = (
        Region::whole(gate::address(), gate::GATE_BITS),
        CACHED | ALL_READ,
    );
    let mut number = 0;
    for (region, attributes) in regions.iter().chain([&gate]) {
        assert!(number < all);
        write(mpu, number as u8, Some((*region, *attributes)));
        number += 1;
    }
    FREE[0].store(number, Ordering::Relaxed);
    FREE[1].store(all - number, Ordering::Relaxed);
    while number < all {
        write(mpu, number as u8, None);
        number += 1;
    }
    // SAFETY: as above.
    unsafe { mpu.ctrl.write(ENABLE_WITH_DEFAULT_MAP) };
    asm::dsb();
    asm::isb();
}

fn write(mpu: &MPU, number: u8, region: Option<(Region, u32)>) {
    let (address, attributes) = region.map_or(
        (Region::whole(0, 5).address(number), 0),
        |(region, attributes)| (region.address(number), region.attributes(attributes)),
    );
    // SAFETY: whoever calls it says why the regions are right.
    unsafe {
        mpu.rbar.write(address);
        mpu.rasr.write(attributes);
    }
}

/// The registers of the runtime's regions, and whether the unit is on.
#[cfg(feature = "crash")]
pub(crate) fn each(mut with: impl FnMut(u32)) {
    // SAFETY: the registers are always there, and nobody else is at a region.
    let mpu = unsafe { &*MPU::PTR };
    with(mpu.ctrl.read());
    for number in 0..FREE[0].load(Ordering::Relaxed) {
        // SAFETY: as above.
        unsafe { mpu.rnr.write(number) };
        with(mpu.rbar.read());
        with(mpu.rasr.read());
    }
}

/// Regions that an image may have.
pub(crate) fn free() -> usize {
    (FREE[1].load(Ordering::Relaxed) as usize).min(MOST)
}

/// What an image may, as the unit takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    registers: [(u32, u32); MOST],
    count: u8,
}

impl Rights {
    /// Of these regions with these attributes, [`free`] at most; later ones count more.
    pub(crate) fn new(regions: &[(Region, u32)]) -> Self {
        let first = FREE[0].load(Ordering::Relaxed) as u8;
        let count = free();
        let mut registers = [(0, 0); MOST];
        for ((number, at), index) in (first..).zip(&mut registers[..count]).zip(0..) {
            *at = match regions.get(index) {
                Some((region, attributes)) => {
                    (region.address(number), region.attributes(*attributes))
                }
                None => (Region::whole(0, 5).address(number), 0),
            };
        }
        Self {
            registers,
            count: count as u8,
        }
    }

    /// Sets the unit for the image of a number, if it is not.
    ///
    /// # Safety
    /// The regions are the image's.
    #[inline(always)]
    pub(crate) unsafe fn set(&self, number: u32) {
        if SET_FOR.load(Ordering::Relaxed) != number {
            // SAFETY: the caller's promise.
            unsafe { self.write(number) };
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn write(&self, number: u32) {
        SET_FOR.store(number, Ordering::Relaxed);
        // SAFETY: the registers are always there, and the caller promises the rest. The runtime itself needs none of
        // these regions.
        let mpu = unsafe { &*MPU::PTR };
        let first = FREE[0].load(Ordering::Relaxed);
        asm::dmb();
        for ((address, attributes), number) in self.registers[..usize::from(self.count)]
            .iter()
            .zip(first..)
        {
            // Off first: with its old size and a new address it may lie over the runtime's code, which no interrupt, and
            // no next instruction, survives.
            // SAFETY: as above.
            unsafe {
                mpu.rnr.write(number);
                mpu.rasr.write(0);
                mpu.rbar.write(*address);
                mpu.rasr.write(*attributes);
            }
        }
        asm::dsb();
        asm::isb();
    }
}

/// Takes all rights from images until one is entered again. A board calls it before it changes flash.
pub fn forget() {
    if SET_FOR.swap(0, Ordering::Relaxed) != 0 {
        let nothing = Rights::new(&[]);
        // SAFETY: no image runs, and the runtime needs none of its regions.
        unsafe { nothing.write(0) };
    }
}
