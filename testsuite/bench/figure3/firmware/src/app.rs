//! The applications, and the samples of their sensors.

use alloc::boxed::Box;
use core::ops::Range;

use rune_abi::{CapabilityKind, CapabilityView};
use rune_core::{Rand, Read, Source, SourceError};

/// Of the random numbers, on both sides.
const SEED: u64 = 1;

/// An application, twice.
pub(crate) struct App {
    pub(crate) name: &'static str,
    pub(crate) rune: &'static [u8],
    /// As images, in the order of `Containment::ALL`, each in a slot as large as its alignment.
    pub(crate) images: [Slot; 3],
    /// The samples of its one capability, one after the other; none of one that gives random numbers.
    pub(crate) samples: &'static [u8],
    pub(crate) native: Native,
}

/// What stands for a slot of flash.
pub(crate) struct Slot {
    pub(crate) image: &'static [u8],
    pub(crate) bytes: u32,
}

impl Slot {
    /// The slot around an address of flash; nothing around others.
    pub(crate) fn around(address: u32) -> Range<u32> {
        let slots = APPS.iter().flat_map(|app| &app.images);
        let mut ranges = slots.map(|slot| {
            let start = slot.image.as_ptr() as u32;
            start..start + slot.bytes
        });
        let found = ranges.find(|range| range.contains(&address));
        found.unwrap_or(address..address)
    }
}

/// Its kernels, compiled into this firmware.
pub(crate) struct Native {
    pub(crate) start: unsafe extern "C" fn(),
    pub(crate) call: unsafe extern "C" fn() -> i32,
}

include!(concat!(env!("OUT_DIR"), "/apps.rs"));

impl App {
    /// Where a capability's samples come from, the one at `index` of the manifest.
    pub(crate) fn source(&self, capability: &CapabilityView<'_>, index: usize) -> Sensor {
        if capability.kind == CapabilityKind::Rand {
            Sensor::Rand(Rand::open(capability, index, SEED).expect("an example has a range"))
        } else {
            Sensor::Samples {
                all: self.samples,
                at: 0,
            }
        }
    }
}

/// Gives what a sensor would. Nothing is measured of real ones.
pub(crate) enum Sensor {
    Rand(Rand),
    /// Samples out of flash, again and again.
    Samples {
        all: &'static [u8],
        at: usize,
    },
}

impl Sensor {
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        match self {
            Self::Rand(rand) => rand.fill(out),
            Self::Samples { all, at } => {
                let end = *at + out.len();
                out.copy_from_slice(&all[*at..end]);
                *at = if end == all.len() { 0 } else { end };
            }
        }
    }

    pub(crate) fn boxed(self) -> Box<dyn Source> {
        Box::new(self)
    }
}

impl Source for Sensor {
    fn is_ready(&mut self, _: u64) -> bool {
        true
    }

    fn read(&mut self, out: &mut [u8], _: u64) -> Result<Read, SourceError> {
        self.fill(out);
        Ok(Read::SAMPLE)
    }
}
