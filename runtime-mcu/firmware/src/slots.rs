//! Slots for runes on flash: a rune, and in a sector before it a head that says how long it is, with its digest.
//!
//! The head is written last, so that a slot whose writing was cut short has none. Slots are laid by
//! [`rune_install::nor`], beside the areas of its journal.

use rune_install::{
    ReadFault, Region, Storage,
    nor::{Device, Fault, Map, MapError, Nor},
};
use rune_link::Digest;
use sha2::{Digest as _, Sha256};

/// Flash whose bytes have an address as long as the program runs.
pub trait InPlace: Device {
    /// The bytes, without the borrow. Who holds the lease sees to it that they are neither written nor erased while
    /// somebody has them.
    fn forever(bytes: &[u8], lease: &Lease) -> &'static [u8];
}

/// Says that bytes of flash stay as they are until nobody has them. Only [`Slots`] makes it, for a slot that it then
/// leaves alone.
pub struct Lease(());

/// Bytes of a head: magic, length, its inverse, digest.
const HEAD: usize = 12 + 32;
const MAGIC: u32 = u32::from_le_bytes(*b"RuSl");

/// What the head of a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the rune.
    pub bytes: u32,
    /// What it is known by.
    pub digest: Digest,
}

/// Some slots.
pub struct Slots<F, const N: usize> {
    nor: Nor<F, N>,
    slot_bytes: u32,
    /// The slot whose rune is in use.
    in_use: Option<u8>,
}

impl<F: InPlace, const N: usize> Slots<F, N> {
    /// Where a rune begins in its slot.
    const RUNE: u32 = F::ERASE_SIZE as u32;

    /// Lays the slots of a map on flash, with the period of the watchdog.
    ///
    /// # Errors
    /// Where the map does not fit the flash, or erasing a sector takes longer than the watchdog waits.
    pub fn new(
        flash: F,
        map: Map<N>,
        watchdog: Option<core::time::Duration>,
    ) -> Result<Self, MapError> {
        const {
            assert!(N <= u8::MAX as usize, "a slot's number is a byte");
            assert!(
                F::WRITE_SIZE == 1,
                "heads and runes have any number of bytes"
            );
        }
        Ok(Self {
            nor: Nor::new(flash, map, watchdog)?,
            slot_bytes: map.slot,
            in_use: None,
        })
    }

    /// How many there are.
    pub const fn count(&self) -> u8 {
        N as u8
    }

    /// Most bytes of a rune.
    pub const fn most(&self) -> u32 {
        self.slot_bytes - Self::RUNE
    }

    fn known(slot: u8) -> Result<Region, &'static str> {
        if usize::from(slot) < N {
            Ok(Region::Slot(slot))
        } else {
            Err("there is no such slot")
        }
    }

    /// A slot that may be changed.
    fn free(&self, slot: u8) -> Result<Region, &'static str> {
        if self.in_use == Some(slot) {
            return Err("the rune in this slot runs");
        }
        Self::known(slot)
    }

    /// Erases a slot for a rune of so many bytes: its head at once, the rest as the rune is written.
    ///
    /// # Errors
    /// Why it is not erased.
    pub fn erase(&mut self, slot: u8, bytes: u32) -> Result<(), &'static str> {
        let region = self.free(slot)?;
        if bytes > self.most() {
            return Err("the rune is larger than a slot");
        }
        self.nor.erase(region, 0).map_err(|e| said(&e))?;
        self.nor
            .write(region, Self::RUNE, &[])
            .map_err(|e| said(&e))
    }

    /// Writes a part of a rune. The parts must come in order.
    ///
    /// # Errors
    /// Why it is not written.
    pub fn write(&mut self, slot: u8, offset: u32, data: &[u8]) -> Result<(), &'static str> {
        let region = self.free(slot)?;
        let end = offset.checked_add(data.len() as u32);
        if end.is_none_or(|end| end > self.most()) {
            return Err("it lies outside of the slot");
        }
        let written = self.nor.write(region, Self::RUNE + offset, data);
        written.map_err(|e| said(&e))
    }

    /// Writes the head, where the rune is what the head says.
    ///
    /// # Errors
    /// Why it is not written.
    pub fn seal(&mut self, slot: u8, head: Head) -> Result<(), &'static str> {
        let region = self.free(slot)?;
        if self.head(region)?.is_some() {
            return Err("the slot is sealed; erase it first");
        }
        self.checked(slot, head)?;
        let mut bytes = [0; HEAD];
        let words = [MAGIC, head.bytes, !head.bytes].map(u32::to_le_bytes);
        bytes[..12].copy_from_slice(words.as_flattened());
        bytes[12..].copy_from_slice(&head.digest);
        self.nor.write(region, 0, &bytes).map_err(|e| said(&e))
    }

    /// What is in a slot, where it is a whole rune.
    ///
    /// # Errors
    /// Why there is none.
    pub fn look(&mut self, slot: u8) -> Result<Head, &'static str> {
        let region = Self::known(slot)?;
        let head = self.head(region)?.ok_or("the slot has no rune")?;
        self.checked(slot, head)?;
        Ok(head)
    }

    /// The head of a slot, if there is one.
    fn head(&mut self, region: Region) -> Result<Option<Head>, &'static str> {
        let mut bytes = [0; HEAD];
        match self.nor.read(region, 0, &mut bytes) {
            Ok(()) => {}
            Err(ReadFault::Torn) => return Ok(None),
            Err(ReadFault::Failed(fault)) => return Err(said(&fault)),
        }
        let (words, digest) = bytes.split_at(12);
        let words = words.as_chunks::<4>().0.first_chunk::<3>().copied();
        let (Some(words), Ok(digest)) = (words, digest.try_into()) else {
            return Ok(None);
        };
        let [magic, bytes, inverse] = words.map(u32::from_le_bytes);
        let is_head = magic == MAGIC && bytes == !inverse && bytes <= self.most();
        Ok(is_head.then_some(Head { bytes, digest }))
    }

    /// The rune of a slot, if it is the one of this head.
    fn checked(&self, slot: u8, head: Head) -> Result<&[u8], &'static str> {
        if head.bytes > self.most() {
            return Err("the rune is larger than a slot");
        }
        let all = self
            .nor
            .bytes(usize::from(slot), (Self::RUNE + head.bytes) as usize);
        let rune = all.and_then(|all| all.get(Self::RUNE as usize..));
        let rune = rune.ok_or("the flash cannot be read in place")?;
        if Sha256::digest(rune)[..] == head.digest {
            Ok(rune)
        } else {
            Err("the slot does not hold what has this digest")
        }
    }

    /// Lends the rune of a slot, until [`release`](Self::release); only one is lent at a time.
    ///
    /// # Errors
    /// Why it is not.
    pub fn lend(&mut self, slot: u8) -> Result<(&'static [u8], Digest), &'static str> {
        let region = self.free(slot)?;
        if self.in_use.is_some() {
            return Err("another rune runs");
        }
        let head = self.head(region)?.ok_or("the slot has no rune")?;
        let rune = F::forever(self.checked(slot, head)?, &Lease(()));
        self.in_use = Some(slot);
        Ok((rune, head.digest))
    }

    /// Takes back what was lent. Nobody may read it any more: it is for the runner, which lets the rune go before.
    pub(crate) fn release(&mut self) {
        self.in_use = None;
    }
}

fn said<E>(fault: &Fault<E>) -> &'static str {
    match fault {
        Fault::Flash(_) => "the flash does not work",
        Fault::Outside => "it lies outside of the flash",
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

    use rune_install::nor::{Map, MapError};
    use sha2::{Digest as _, Sha256};

    use super::{Head, Slots};
    use crate::{
        SerialNor,
        sim::{Sent, Sim, Small, chip},
    };

    /// Two areas of a sector, and two slots of 64 KiB.
    const MAP: Map<2> = Map::consecutive(4096, 4096, 64 << 10, 4096);
    const WATCHDOG: Option<Duration> = Some(Duration::from_secs(20));

    fn slots() -> (Slots<SerialNor<Sim, Small>, 2>, Sim) {
        let (chip, sim) = chip();
        let slots = Slots::new(chip, MAP, WATCHDOG);
        (slots.unwrap_or_else(|e| panic!("{e}")), sim)
    }

    fn rune(len: usize) -> (Vec<u8>, Head) {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 7 % 253) as u8).collect();
        let head = Head {
            bytes: len as u32,
            digest: Sha256::digest(&bytes).into(),
        };
        (bytes, head)
    }

    fn put(slots: &mut Slots<SerialNor<Sim, Small>, 2>, slot: u8, rune: &[u8]) {
        assert_eq!(slots.erase(slot, rune.len() as u32), Ok(()));
        for (i, part) in rune.chunks(1000).enumerate() {
            assert_eq!(slots.write(slot, i as u32 * 1000, part), Ok(()));
        }
    }

    #[test]
    fn a_sealed_rune_is_there_after_a_new_start_and_its_digest_is_checked() {
        let (mut slots, sim) = slots();
        let (bytes, head) = rune(10_000);
        put(&mut slots, 1, &bytes);
        assert!(slots.look(1).is_err());
        assert_eq!(slots.seal(1, head), Ok(()));
        assert!(slots.seal(1, head).is_err(), "it is sealed");
        let chip = SerialNor::<_, Small>::start(sim.clone());
        let chip = chip.unwrap_or_else(|e| panic!("{e:?}"));
        let mut slots = Slots::new(chip, MAP, WATCHDOG).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(slots.look(1), Ok(head));
        assert!(slots.look(0).is_err());
        assert_eq!(slots.lend(1), Ok((&bytes[..], head.digest)));
        let place = 4096 * 3 + (64 << 10) + 4096;
        sim.state.borrow_mut().bytes[place] ^= 1;
        let chip = SerialNor::<_, Small>::start(sim);
        let chip = chip.unwrap_or_else(|e| panic!("{e:?}"));
        let mut slots = Slots::new(chip, MAP, WATCHDOG).unwrap_or_else(|e| panic!("{e}"));
        assert!(slots.look(1).is_err() && slots.lend(1).is_err());
    }

    #[test]
    fn a_slot_in_use_stays_as_it_is_and_the_other_one_can_be_written() {
        let (mut slots, _) = slots();
        let (bytes, head) = rune(5_000);
        put(&mut slots, 0, &bytes);
        assert_eq!(slots.seal(0, head), Ok(()));
        assert!(slots.lend(0).is_ok());
        let refused = Err("the rune in this slot runs");
        assert_eq!(slots.erase(0, 10), refused);
        assert_eq!(slots.write(0, 0, &[0]), refused);
        assert_eq!(slots.seal(0, head), refused);
        assert!(slots.lend(0).is_err());
        put(&mut slots, 1, &bytes);
        assert_eq!(slots.seal(1, head), Ok(()));
        assert!(slots.lend(1).is_err(), "one is lent at a time");
        slots.release();
        assert!(slots.lend(1).is_ok() && slots.erase(0, 10).is_ok());
    }

    #[test]
    fn erasing_takes_the_head_at_once_and_the_rest_as_it_is_written() {
        let (mut slots, sim) = slots();
        let (bytes, head) = rune(9_000);
        put(&mut slots, 0, &bytes);
        assert_eq!(slots.seal(0, head), Ok(()));
        sim.log();
        assert_eq!(slots.erase(0, 9_000), Ok(()));
        assert!(slots.look(0).is_err());
        let erased = |log: Vec<Sent>| {
            let sectors = log.into_iter().filter_map(|sent| match sent {
                Sent::Instruction(0x20, at, 0) => at,
                Sent::Instruction(..) | Sent::Map(..) | Sent::Unmap => None,
            });
            sectors.collect::<Vec<u32>>()
        };
        assert_eq!(erased(sim.log()), [12_288]);
        assert_eq!(slots.write(0, 0, &bytes[..5_000]), Ok(()));
        assert_eq!(erased(sim.log()), [16_384, 20_480]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (mut slots, _) = slots();
        let most = slots.most();
        assert_eq!((slots.count(), most), (2, 60 << 10));
        assert!(slots.erase(2, 0).is_err() && slots.look(2).is_err());
        assert!(slots.erase(0, most + 1).is_err());
        assert!(slots.write(0, most, &[0]).is_err());
        assert!(slots.write(0, u32::MAX, &[0; 2]).is_err());
        let head = Head {
            bytes: most + 1,
            digest: [0; 32],
        };
        assert!(slots.seal(0, head).is_err());
        let (chip, _) = chip();
        let short = Slots::new(chip, MAP, Some(Duration::from_millis(400)));
        assert_eq!(short.err(), Some(MapError::Watchdog));
    }
}
