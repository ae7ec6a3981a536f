//! What installing needs of flash or of a folder of files, and what these must promise.

/// A part of a storage: one of two areas for records, or a slot for a rune.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// Area 0 or 1.
    Area(u8),
    /// A slot of the pool.
    Slot(u8),
}

/// Sizes in bytes, the same in the whole life of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// What is written at once: writes begin at its multiples and have whole ones. 1 to
    /// [`BUFFER_ALIGN`](crate::BUFFER_ALIGN), a power of two.
    pub word: u32,
    /// Each of the two areas, a multiple of `word`.
    pub area: u32,
    /// Each slot, a multiple of `step`.
    pub slot: u32,
    /// How far an upload comes from one checkpoint to the next. A slot can be erased from any multiple of it on:
    /// on flash a multiple of the sectors.
    pub step: u32,
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault<E> {
    /// The bytes there are damaged and stay so until they are erased, such as by a write that was cut short.
    Torn,
    /// The storage does not work.
    Failed(E),
}

/// Two areas and some slots, each of which is erased, and then written in order.
///
/// # What it must promise
///
/// 1. What was written, and then synced, reads as it was written until its region is erased from there or before,
///    also after the power was cut.
/// 2. What was erased, and then synced, reads as 0xFF until it is written. A slot may also be erased later, before it is
///    written next.
/// 3. Where the power is cut during a write or before its sync, every word of it may be as before, as written, torn
///    (a [`ReadFault::Torn`]) or *unstable*: reading as before, as written or as anything else, and each time
///    otherwise. The words need not have been written in order. The same holds for what is erased.
/// 4. Words that were not being written or erased stay as they are.
/// 5. Between two syncs of a region its writes and erasures may become lasting in any order, and those of other
///    regions in any order with them.
///
/// Records and runes are written only where everything was erased, by an erasure that was not cut short, and nothing
/// was written since, whatever it reads as. Only marks and votes may go where an earlier write of one was cut short.
/// [`write`](Self::write) then fails, does nothing or completes it, and leaves other words alone.
pub trait Storage {
    /// Why it does not work.
    type Error;

    /// Its sizes.
    fn geometry(&self) -> Geometry;

    /// Reads bytes of a region, any number anywhere in it.
    fn read(
        &mut self,
        region: Region,
        offset: u32,
        into: &mut [u8],
    ) -> Result<(), ReadFault<Self::Error>>;

    /// Writes whole words to a region, where they were erased.
    fn write(&mut self, region: Region, offset: u32, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Erases a region from an offset to its end. In a slot the offset is a multiple of
    /// [`step`](Geometry::step), in an area 0.
    fn erase(&mut self, region: Region, from: u32) -> Result<(), Self::Error>;

    /// Returns when everything that was done to a region is lasting.
    fn sync(&mut self, region: Region) -> Result<(), Self::Error>;
}

impl<S: Storage + ?Sized> Storage for &mut S {
    type Error = S::Error;

    fn geometry(&self) -> Geometry {
        (**self).geometry()
    }

    fn read(
        &mut self,
        region: Region,
        offset: u32,
        into: &mut [u8],
    ) -> Result<(), ReadFault<Self::Error>> {
        (**self).read(region, offset, into)
    }

    fn write(&mut self, region: Region, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        (**self).write(region, offset, bytes)
    }

    fn erase(&mut self, region: Region, from: u32) -> Result<(), Self::Error> {
        (**self).erase(region, from)
    }

    fn sync(&mut self, region: Region) -> Result<(), Self::Error> {
        (**self).sync(region)
    }
}
