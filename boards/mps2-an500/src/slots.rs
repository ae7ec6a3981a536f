//! Slots for runes on flash: a rune, and in a sector before it a head that says how long it is, with its checksum.
//!
//! The head is written last, so that a slot whose writing was cut short has none.

use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind, ReadNorFlash};
use rune_link::sum_of;

use crate::nor::{self, Nor, SECTOR};

/// How many there are.
pub(crate) const SLOTS: u8 = 8;
/// Bytes of a slot, with its head.
const SLOT: usize = nor::BYTES / SLOTS as usize;
/// Most bytes of a rune.
pub(crate) const MOST: u32 = (SLOT - SECTOR) as u32;

const MAGIC: u32 = u32::from_le_bytes(*b"RuSl");

/// What the head of a slot says.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// Of the rune.
    pub(crate) bytes: u32,
    /// Its checksum.
    pub(crate) sum: u32,
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
        let words = [MAGIC, head.bytes, head.sum, !head.bytes];
        let bytes = words.map(u32::to_le_bytes);
        self.chip.write(start, bytes.as_flattened()).map_err(said)
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
        let mut bytes = [[0; 4]; 4];
        self.chip.read(start, bytes.as_flattened_mut()).ok()?;
        let [magic, bytes, sum, inverse] = bytes.map(u32::from_le_bytes);
        (magic == MAGIC && bytes == !inverse && bytes <= MOST).then_some(Head { bytes, sum })
    }

    /// The rune of a slot, if it is the one of this head.
    fn checked(&self, start: u32, head: Head) -> Result<&[u8], &'static str> {
        if head.bytes > MOST {
            return Err("the rune is larger than a slot");
        }
        // SAFETY: it is given back as a borrow of the slots, without which nothing is written or erased.
        let rune = unsafe { self.chip.mapped(start + SECTOR as u32, head.bytes as usize) };
        let rune = rune.map_err(said)?;
        if sum_of(rune) == head.sum {
            Ok(rune)
        } else {
            Err("the slot does not hold what the checksum is of")
        }
    }
}

fn said(error: NorFlashErrorKind) -> &'static str {
    match error {
        NorFlashErrorKind::NotAligned => "the flash cannot be accessed at this address",
        NorFlashErrorKind::OutOfBounds => "it lies outside of the flash",
        NorFlashErrorKind::Other | _ => "the flash does not work",
    }
}
