//! Areas and slots on NOR flash, over the traits of `embedded-storage`.
//!
//! A [`Map`] says where they are. Sizes of words and sectors are the driver's: a word is
//! [`WRITE_SIZE`](NorFlash::WRITE_SIZE), a sector [`ERASE_SIZE`](NorFlash::ERASE_SIZE). A word is programmed once after
//! each erasure, and nothing is programmed over what is there; the one exception are votes and marks that were cut
//! short, see [`Storage`].
//!
//! # How long it takes
//!
//! One call to the driver erases one sector, or programs at most [`PAGE`] bytes of one page, and before each the board
//! is told ([`Device::before`]). A slot is erased sector by sector as the upload comes to it, and no further than the
//! upload goes: so a chunk of a rune takes the time of its own sectors, and a small rune does not wear a large slot.
//!
//! # What runs meanwhile
//!
//! Nothing is read from a device while it is written, and so nothing executes from it: [`Nor::bytes`] borrows the
//! storage for as long as a rune is read in place.
//!
//! ```compile_fail,E0502
//! use rune_install::{Region, Storage, nor::{Device, Nor}};
//!
//! fn run<F: Device>(flash: &mut Nor<F, 3>) {
//!     let rune = flash.bytes(0, 1000);
//!     flash.write(Region::Slot(1), 0, &[0; 32]).ok();
//!     drop(rune);
//! }
//! ```

use core::{fmt, time::Duration};

use embedded_storage::nor_flash::NorFlash;

use crate::{
    journal::BUFFER_ALIGN,
    storage::{Geometry, ReadFault, Region, Storage},
};

/// Most bytes that are programmed with one call, if a word is no longer: the page of serial flash.
pub const PAGE: usize = 256;

/// What changes the flash next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Programs up to a page.
    Program,
    /// Erases a sector.
    Erase,
}

/// What a board says of its flash beside how it is driven.
pub trait Device: NorFlash {
    /// The longest time that erasing a sector takes: the maximum of the data sheet, for a worn device. It is the longest
    /// time between two calls of [`before`](Self::before) while a chunk is taken, so the period of the watchdog must
    /// exceed it: [`Nor::new`] sees to that.
    const LONGEST_ERASE: Duration;

    /// Whether a word could not be read because its programming or erasure was cut short (an error of its ECC). All
    /// other errors mean that the device does not work. Flash without ECC has no such error: `false`.
    fn is_torn(error: &Self::Error) -> bool;

    /// Called before each operation. The board notes that installing makes progress, by which its scheduler may feed
    /// the watchdog, and ends what else reads the device.
    fn before(&mut self, operation: Operation);

    /// All bytes of the device in the address space, if it is mapped there.
    fn mapped(&self) -> Option<&[u8]> {
        None
    }
}

impl<F: Device> Device for &mut F {
    const LONGEST_ERASE: Duration = F::LONGEST_ERASE;

    fn is_torn(error: &Self::Error) -> bool {
        F::is_torn(error)
    }

    fn before(&mut self, operation: Operation) {
        F::before(self, operation);
    }

    fn mapped(&self) -> Option<&[u8]> {
        F::mapped(self)
    }
}

/// Where on a device the areas and slots are. All in bytes, and multiples of its sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map<const SLOTS: usize> {
    /// Where the areas begin.
    pub areas: [u32; 2],
    /// Size of each area.
    pub area: u32,
    /// Where the slots begin.
    pub slots: [u32; SLOTS],
    /// Size of each slot, a multiple of `step`.
    pub slot: u32,
    /// From one checkpoint of an upload to the next: the more, the fewer records, and the more is sent again.
    pub step: u32,
}

impl<const SLOTS: usize> Map<SLOTS> {
    /// Two areas and then the slots, one behind the other.
    pub const fn consecutive(start: u32, area: u32, slot: u32, step: u32) -> Self {
        let mut slots = [0; SLOTS];
        let mut i = 0;
        while i < SLOTS {
            slots[i] = start
                .saturating_add(area.saturating_mul(2))
                .saturating_add(slot.saturating_mul(i as u32));
            i += 1;
        }
        Self {
            areas: [start, start.saturating_add(area)],
            area,
            slots,
            slot,
            step,
        }
    }

    /// Start and size of every region.
    fn regions(&self) -> impl Iterator<Item = (u32, u32)> + Clone + '_ {
        let areas = self.areas.iter().map(|start| (*start, self.area));
        areas.chain(self.slots.iter().map(|start| (*start, self.slot)))
    }
}

/// Why a map does not fit a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// A region or the step does not begin or end with a sector, or is empty, or a slot is no multiple of the step.
    Sectors,
    /// A region goes beyond the device.
    Capacity,
    /// Two regions overlap.
    Overlap,
    /// The period of the watchdog does not exceed the longest erasure.
    Watchdog,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sectors => "areas, slots and steps are not whole sectors",
            Self::Capacity => "an area or slot goes beyond the flash",
            Self::Overlap => "two areas or slots overlap",
            Self::Watchdog => "erasing a sector takes longer than the watchdog waits",
        })
    }
}

impl core::error::Error for MapError {}

/// Why something was not read, written or erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault<E> {
    /// The driver says so.
    Flash(E),
    /// It is no place of the map.
    Outside,
}

impl<E: fmt::Debug> fmt::Display for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(e) => write!(f, "the flash does not work: {e:?}"),
            Self::Outside => f.write_str("there is no such place on the flash"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Fault<E> {}

/// Areas and slots on a device.
#[derive(Debug)]
pub struct Nor<F, const SLOTS: usize> {
    flash: F,
    map: Map<SLOTS>,
    /// From where on each slot is to be erased before it is written.
    stale: [u32; SLOTS],
}

impl<F: Device, const SLOTS: usize> Nor<F, SLOTS> {
    const WORD: u32 = F::WRITE_SIZE as u32;
    const SECTOR: u32 = F::ERASE_SIZE as u32;

    /// Lays a map on a device, with the period of the watchdog, if there is one. Reads and writes nothing.
    ///
    /// Does not compile where the device's words are longer than [`BUFFER_ALIGN`] or its sizes are no powers of two,
    /// each a multiple of the smaller.
    ///
    /// # Errors
    /// Where the map does not fit the device, or the watchdog would end an erasure.
    pub fn new(flash: F, map: Map<SLOTS>, watchdog: Option<Duration>) -> Result<Self, MapError> {
        const {
            assert!(
                F::WRITE_SIZE.is_power_of_two() && F::READ_SIZE.is_power_of_two(),
                "words are powers of two"
            );
            assert!(
                F::WRITE_SIZE <= BUFFER_ALIGN && F::READ_SIZE <= BUFFER_ALIGN,
                "words are no longer than the buffers"
            );
            assert!(
                F::ERASE_SIZE.is_multiple_of(F::WRITE_SIZE)
                    && F::ERASE_SIZE.is_multiple_of(F::READ_SIZE),
                "sectors are whole words"
            );
        }
        let mut sizes = map.regions().flat_map(<[u32; 2]>::from);
        let is_whole = |n: u32| n.is_multiple_of(Self::SECTOR);
        let is_empty = map.area == 0 || map.slot == 0 || map.step == 0;
        if is_empty
            || !sizes.all(is_whole)
            || !is_whole(map.step)
            || !map.slot.is_multiple_of(map.step)
        {
            return Err(MapError::Sectors);
        }
        let end = |(start, size): (u32, u32)| u64::from(start) + u64::from(size);
        if map
            .regions()
            .any(|region| end(region) > flash.capacity() as u64)
        {
            return Err(MapError::Capacity);
        }
        for (i, a) in map.regions().enumerate() {
            let mut others = map.regions().skip(i + 1);
            if others.any(|b| u64::from(a.0) < end(b) && u64::from(b.0) < end(a)) {
                return Err(MapError::Overlap);
            }
        }
        if watchdog.is_some_and(|period| period <= F::LONGEST_ERASE) {
            return Err(MapError::Watchdog);
        }
        Ok(Self {
            flash,
            map,
            stale: [map.slot; SLOTS],
        })
    }

    /// The first bytes of a slot, in place: `None` where the device is not mapped, or the slot has not as many.
    pub fn bytes(&self, slot: usize, len: usize) -> Option<&[u8]> {
        let at = self
            .place(Region::Slot(u8::try_from(slot).ok()?), 0, len)
            .ok()?;
        self.flash.mapped()?.get(at as usize..)?.get(..len)
    }

    /// The device. Whoever changes it may erase slots that are EMPTY or BAD, and nothing else.
    pub fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// The device, back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Where bytes of a region are on the device.
    fn place(&self, region: Region, offset: u32, len: usize) -> Result<u32, Fault<F::Error>> {
        let (start, size) = match region {
            Region::Area(area) => (self.map.areas.get(usize::from(area)), self.map.area),
            Region::Slot(slot) => (self.map.slots.get(usize::from(slot)), self.map.slot),
        };
        let start = start.ok_or(Fault::Outside)?;
        if u64::from(offset) + len as u64 > u64::from(size) {
            return Err(Fault::Outside);
        }
        Ok(start + offset)
    }

    /// Erases the sectors from one place to the end of the one before another.
    fn erase_sectors(&mut self, from: u32, to: u32) -> Result<(), Fault<F::Error>> {
        for sector in (from..to).step_by(F::ERASE_SIZE) {
            self.flash.before(Operation::Erase);
            let erased = self.flash.erase(sector, sector + Self::SECTOR);
            erased.map_err(Fault::Flash)?;
        }
        Ok(())
    }
}

impl<F: Device, const SLOTS: usize> Storage for Nor<F, SLOTS> {
    type Error = Fault<F::Error>;

    fn geometry(&self) -> Geometry {
        Geometry {
            word: Self::WORD,
            area: self.map.area,
            slot: self.map.slot,
            step: self.map.step,
        }
    }

    fn read(
        &mut self,
        region: Region,
        offset: u32,
        into: &mut [u8],
    ) -> Result<(), ReadFault<Self::Error>> {
        let place = self.place(region, offset, into.len());
        let mut at = place.map_err(ReadFault::Failed)? as usize;
        let mut rest = into;
        while !rest.is_empty() {
            let skipped = at % F::READ_SIZE;
            let whole = rest.len() - rest.len() % F::READ_SIZE;
            let mut word = [0; BUFFER_ALIGN];
            let word = &mut word[..F::READ_SIZE];
            let is_whole = skipped == 0 && whole > 0;
            let len = if is_whole {
                whole
            } else {
                rest.len().min(F::READ_SIZE - skipped)
            };
            let part = rest.split_off_mut(..len).unwrap_or_default();
            let read = if is_whole {
                self.flash.read(at as u32, part)
            } else {
                let read = self.flash.read((at - skipped) as u32, word);
                part.copy_from_slice(&word[skipped..skipped + len]);
                read
            };
            read.map_err(|e| match e {
                e if F::is_torn(&e) => ReadFault::Torn,
                e => ReadFault::Failed(Fault::Flash(e)),
            })?;
            at += len;
        }
        Ok(())
    }

    fn write(&mut self, region: Region, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let mut at = self.place(region, offset, bytes.len())?;
        if let Region::Slot(slot) = region {
            let from = self.stale[usize::from(slot)];
            let to = (offset + bytes.len() as u32).next_multiple_of(Self::SECTOR);
            if from < to {
                let start = at - offset;
                self.erase_sectors(start + from, start + to)?;
                self.stale[usize::from(slot)] = to;
            }
        }
        let page = PAGE.max(F::WRITE_SIZE);
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = rest.len().min(page - at as usize % page);
            let (part, behind) = rest.split_at(len);
            self.flash.before(Operation::Program);
            self.flash.write(at, part).map_err(Fault::Flash)?;
            at += len as u32;
            rest = behind;
        }
        Ok(())
    }

    fn erase(&mut self, region: Region, from: u32) -> Result<(), Self::Error> {
        let at = self.place(region, from, 0)?;
        if !from.is_multiple_of(Self::SECTOR) {
            return Err(Fault::Outside);
        }
        match region {
            Region::Area(_) => self.erase_sectors(at, at - from + self.map.area),
            Region::Slot(slot) => {
                let stale = &mut self.stale[usize::from(slot)];
                *stale = from.min(*stale);
                Ok(())
            }
        }
    }

    fn sync(&mut self, _: Region) -> Result<(), Self::Error> {
        Ok(())
    }
}
