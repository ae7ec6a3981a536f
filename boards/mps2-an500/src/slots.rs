//! Slots for runes on flash: a rune, and in a sector before it a head that says how long it is, with its digest.
//!
//! The head is written last, so that a slot whose writing was cut short has none.

use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind, ReadNorFlash};
use rune_link::Digest;
use sha2::{Digest as _, Sha256};

use crate::nor::{self, Nor, SECTOR};

/// How many there are.
pub(crate) const SLOTS: u8 = 8;
/// Bytes of a slot, with its head.
const SLOT: usize = nor::BYTES / SLOTS as usize;
/// Most bytes of a rune.
pub(crate) const MOST: u32 = (SLOT - SECTOR) as u32;

/// Bytes of a head: magic, length, its inverse, digest.
const HEAD: usize = 12 + 32;
const MAGIC: u32 = u32::from_le_bytes(*b"RuSl");

/// What the head of a slot says.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// Of the rune.
    pub(crate) bytes: u32,
    /// What it is known by.
    pub(crate) digest: Digest,
}

/// The slots of the chip.
pub(crate) struct Slots {
    chip: Nor,
    /// The slot whose rune is in use.
    in_use: Option<u8>,
}

impl Slots {
    pub(crate) fn new(chip: Nor) -> Self {
        Self { chip, in_use: None }
    }

    /// Where a slot begins.
    fn start(slot: u8) -> Result<u32, &'static str> {
        if slot < SLOTS {
            Ok(u32::from(slot) * SLOT as u32)
        } else {
            Err("there is no such slot")
        }
    }

    /// Where a slot begins that may be changed.
    fn free(&self, slot: u8) -> Result<u32, &'static str> {
        if self.in_use == Some(slot) {
            return Err("the rune in this slot runs");
        }
        Self::start(slot)
    }

    /// Erases a slot for a rune of so many bytes.
    pub(crate) fn erase(&mut self, slot: u8, bytes: u32) -> Result<(), &'static str> {
        let start = self.free(slot)?;
        if bytes > MOST {
            return Err("the rune is larger than a slot");
        }
        let end = (SECTOR as u32 + bytes).next_multiple_of(SECTOR as u32);
        self.chip.erase(start, start + end).map_err(said)
    }

    /// Writes a part of a rune.
    pub(crate) fn write(&mut self, slot: u8, offset: u32, data: &[u8]) -> Result<(), &'static str> {
        let start = self.free(slot)?;
        let end = offset.checked_add(data.len() as u32);
        if end.is_none_or(|end| end > MOST) {
            return Err("it lies outside of the slot");
        }
        let at = start + SECTOR as u32 + offset;
        self.chip.write(at, data).map_err(said)
    }

    /// Writes the head, where the rune is what the head says.
    pub(crate) fn seal(&mut self, slot: u8, head: Head) -> Result<(), &'static str> {
        let start = self.free(slot)?;
        if self.head(start).is_some() {
            return Err("the slot is sealed; erase it first");
        }
        self.checked(start, head)?;
        let mut bytes = [0; HEAD];
        let words = [MAGIC, head.bytes, !head.bytes].map(u32::to_le_bytes);
        bytes[..12].copy_from_slice(words.as_flattened());
        bytes[12..].copy_from_slice(&head.digest);
        self.chip.write(start, &bytes).map_err(said)
    }

    /// What is in a slot, where it is a whole rune.
    pub(crate) fn look(&mut self, slot: u8) -> Result<Head, &'static str> {
        let start = Self::start(slot)?;
        let head = self.head(start).ok_or("the slot has no rune")?;
        self.checked(start, head)?;
        Ok(head)
    }

    /// The head at the start of a slot, if there is one.
    fn head(&mut self, start: u32) -> Option<Head> {
        let mut bytes = [0; HEAD];
        self.chip.read(start, &mut bytes).ok()?;
        let (words, digest) = bytes.split_at(12);
        let digest = digest.try_into().ok()?;
        let [magic, bytes, inverse] = *words.as_chunks().0.first_chunk()?;
        let [magic, bytes, inverse] = [magic, bytes, inverse].map(u32::from_le_bytes);
        (magic == MAGIC && bytes == !inverse && bytes <= MOST).then_some(Head { bytes, digest })
    }

    /// The rune of a slot, if it is the one of this head.
    fn checked(&self, start: u32, head: Head) -> Result<&'static [u8], &'static str> {
        if head.bytes > MOST {
            return Err("the rune is larger than a slot");
        }
        // SAFETY: what is given on is in use, and a slot in use is not written or erased.
        let rune = unsafe { self.chip.mapped(start + SECTOR as u32, head.bytes as usize) };
        let rune = rune.map_err(said)?;
        if Sha256::digest(rune)[..] == head.digest {
            Ok(rune)
        } else {
            Err("the slot does not hold what has this digest")
        }
    }

    /// Lends the rune of a slot, until [`release`](Self::release).
    pub(crate) fn lend(&mut self, slot: u8) -> Result<(&'static [u8], Digest), &'static str> {
        let start = self.free(slot)?;
        let head = self.head(start).ok_or("the slot has no rune")?;
        let rune = self.checked(start, head)?;
        self.in_use = Some(slot);
        Ok((rune, head.digest))
    }

    /// Takes back what was lent.
    ///
    /// # Safety
    /// Nobody reads it any more.
    pub(crate) unsafe fn release(&mut self) {
        self.in_use = None;
    }
}

fn said(error: NorFlashErrorKind) -> &'static str {
    match error {
        NorFlashErrorKind::NotAligned => "the flash cannot be accessed at this address",
        NorFlashErrorKind::OutOfBounds => "it lies outside of the flash",
        NorFlashErrorKind::Other | _ => "the flash does not work",
    }
}
