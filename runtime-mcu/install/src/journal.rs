//! Where the pool is kept: two areas of records, each record followed by eight words, its marks.
//!
//! A commit writes a record and syncs it, then writes the first mark and then the second, and syncs again. A mark
//! that reads as anything but erased, or not at all, shows that the record before it is whole and lasting. A record
//! without one may be torn, may read as whole only now and then, or may be in a cache of files and not on the disk.
//! Where the second mark is there, the first is whole too, and so will be seen whenever one looks. Where only the
//! first is, it may itself be torn; then one of the other six is written before anything else is done.
//!
//! The *anchor* is the area with the newest marked record. It is never erased. The first commit after a start
//! erases the other area, so that no record is ever programmed where an earlier write may have been cut short.
//! Later ones follow it until the area is full.
//!
//! After a start the newest whole record counts. Where it has no mark, or what follows it is not erased, or the other
//! area has no record, the pool is recorded again before anything is done with it, so that it cannot change once more
//! on the next start: an erasure that was cut short may be undone. The first record after a start raises the sequence number by two: by one more than a torn record of an earlier run can have.

use crate::{
    pool::Pool,
    record::{self, CRC, DecodeError, HEADER},
    storage::{Geometry, ReadFault, Region, Storage},
};

/// The longest word that a storage may have. The buffer of a journal has a multiple of it.
pub const BUFFER_ALIGN: usize = 64;

/// Words behind a record.
pub(crate) const MARKS: usize = 8;

/// What was found when a journal was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing: the storage is new.
    New,
    /// A pool that is lasting.
    Settled,
    /// A pool that was recorded again, since the power may have been cut when it was recorded.
    Recorded,
    /// No record, but areas that are not erased: the power was cut during the first commit, or all is damaged.
    Damaged,
}

/// Where the next record goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journal {
    anchor: Option<u8>,
    /// Behind the last record of the anchor, if all of it was written since the start.
    end: Option<u32>,
    sequence: u64,
}

/// What an area holds.
struct Walk {
    /// Behind the last whole record.
    end: u32,
    /// Sequence number of the last marked record.
    marked: Option<u64>,
    /// Where its marks are, if they are too few to rely on, and which are there.
    weak: Option<(u32, [bool; MARKS])>,
    /// Whether what follows is not erased.
    rest: bool,
}

/// Why no pool could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread<E> {
    Failed(E),
    Foreign,
}

impl Journal {
    /// Reads both areas: the newest pool, and whether it must be recorded again.
    pub(crate) fn open<S: Storage, const A: usize, const B: usize, const C: usize>(
        storage: &mut S,
        buffer: &mut [u8],
    ) -> Result<(Self, Pool<A, B, C>, Opening), Unread<S::Error>> {
        let mut best = Best(None);
        let areas = [
            walk(storage, buffer, 0, &mut best)?,
            walk(storage, buffer, 1, &mut best)?,
        ];
        let marked = areas[0].marked.max(areas[1].marked);
        let anchor = match (&best.0, marked) {
            (_, Some(_)) => Some(u8::from(areas[1].marked == marked)),
            // Its marks do not show now, but the other area has nothing at all.
            (Some(newest), None) => Some(newest.area),
            (None, None) => None,
        };
        let is_doubtful = |(area, walk): (u8, &Walk)| match anchor {
            // A torn record behind others has a lower number than the newest one, unless it is in the anchor.
            Some(anchor) if anchor != area => walk.end == 0,
            _ => walk.rest,
        };
        let doubt = (0..).zip(&areas).any(is_doubtful);
        let opening = match &best.0 {
            Some(newest) if Some(newest.sequence) == marked && !doubt => Opening::Settled,
            Some(_) => Opening::Recorded,
            None if doubt => Opening::Damaged,
            None => Opening::New,
        };
        if let Some(area) = anchor.filter(|_| marked.is_some()) {
            let region = Region::Area(area);
            if let Some((at, is_set)) = areas[usize::from(area)].weak {
                strengthen(storage, region, at, is_set);
            }
            // What reads as marked may be in a cache.
            storage.sync(region).map_err(Unread::Failed)?;
        }
        let (pool, sequence) = match best.0 {
            Some(newest) => (newest.pool, newest.sequence),
            None => (Pool::new(), 0),
        };
        let journal = Self {
            anchor,
            end: None,
            sequence,
        };
        Ok((journal, pool, opening))
    }

    /// Records a pool lastingly. After an error it is unknown which pool counts.
    pub(crate) fn commit<S: Storage, const A: usize, const B: usize, const C: usize>(
        &mut self,
        storage: &mut S,
        buffer: &mut [u8],
        pool: &Pool<A, B, C>,
    ) -> Result<(), Unwritten<S::Error>> {
        let geometry = storage.geometry();
        self.sequence += if self.end.is_some() { 1 } else { 2 };
        let len = pool.encode(self.sequence, geometry.step, buffer);
        let padded = padded(len as u32, &geometry);
        buffer[len..padded as usize].fill(0xFF);
        let place = match (self.anchor, self.end) {
            (Some(area), Some(end)) if need(padded, &geometry) <= geometry.area - end => {
                Some((area, end))
            }
            _ => None,
        };
        let (area, at) = if let Some(place) = place {
            place
        } else {
            let other = self.anchor.map_or(0, |area| 1 - area);
            storage
                .erase(Region::Area(other), 0)
                .map_err(Unwritten::Failed)?;
            (other, 0)
        };
        let region = Region::Area(area);
        let body = &buffer[..padded as usize];
        storage.write(region, at, body).map_err(Unwritten::Failed)?;
        storage.sync(region).map_err(Unwritten::Failed)?;
        check(storage, region, at, body)?;
        for i in 0..2 {
            mark(storage, region, at + padded, i).map_err(Unwritten::Failed)?;
        }
        storage.sync(region).map_err(Unwritten::Failed)?;
        self.anchor = Some(area);
        self.end = Some(at + need(padded, &geometry));
        Ok(())
    }
}

/// Why a pool was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten<E> {
    Failed(E),
    /// What was written reads otherwise.
    Differs,
}

/// Reads back what was written.
fn check<S: Storage>(
    storage: &mut S,
    region: Region,
    at: u32,
    body: &[u8],
) -> Result<(), Unwritten<S::Error>> {
    let mut back = [0; BUFFER_ALIGN];
    for (i, part) in body.chunks(BUFFER_ALIGN).enumerate() {
        let back = &mut back[..part.len()];
        match storage.read(region, at + (i * BUFFER_ALIGN) as u32, back) {
            Ok(()) if back == part => {}
            Ok(()) | Err(ReadFault::Torn) => return Err(Unwritten::Differs),
            Err(ReadFault::Failed(e)) => return Err(Unwritten::Failed(e)),
        }
    }
    Ok(())
}

fn padded(len: u32, geometry: &Geometry) -> u32 {
    len.next_multiple_of(geometry.word)
}

/// Bytes of a record with its marks.
fn need(padded: u32, geometry: &Geometry) -> u32 {
    padded + MARKS as u32 * geometry.word
}

/// Writes one of the marks that begin at a place.
fn mark<S: Storage>(storage: &mut S, region: Region, at: u32, i: u32) -> Result<(), S::Error> {
    let word = storage.geometry().word;
    storage.write(
        region,
        at + i * word,
        &[0x5A; BUFFER_ALIGN][..word as usize],
    )
}

/// Writes one more mark. Some may be torn, of earlier times when this was cut short, and cannot be written.
fn strengthen<S: Storage>(storage: &mut S, region: Region, at: u32, is_set: [bool; MARKS]) {
    let free = (0..).zip(is_set).skip(2).filter(|(_, is_set)| !is_set);
    for (i, _) in free {
        if mark(storage, region, at, i).is_ok() {
            break;
        }
    }
}

/// The newest whole record of those that were read.
struct Best<const A: usize, const B: usize, const C: usize>(Option<Newest<A, B, C>>);

struct Newest<const A: usize, const B: usize, const C: usize> {
    pool: Pool<A, B, C>,
    sequence: u64,
    area: u8,
}

/// Reads the records of an area up to the first that is none, and keeps the newest of all in `best`.
fn walk<S: Storage, const A: usize, const B: usize, const C: usize>(
    storage: &mut S,
    buffer: &mut [u8],
    area: u8,
    best: &mut Best<A, B, C>,
) -> Result<Walk, Unread<S::Error>> {
    let geometry = storage.geometry();
    let region = Region::Area(area);
    let mut walk = Walk {
        end: 0,
        marked: None,
        weak: None,
        rest: false,
    };
    while let Some(len) = header(storage, region, walk.end)? {
        let padded = padded(len, &geometry);
        let marks = walk.end + padded;
        if len as usize > buffer.len() {
            if long_record(storage, region, walk.end, len)? {
                return Err(Unread::Foreign);
            }
            break;
        }
        let body = &mut buffer[..len as usize];
        if !read(storage, region, walk.end, body)? {
            break;
        }
        let (pool, sequence) = match Pool::decode(body) {
            Ok(read) => read,
            Err(DecodeError::Damaged) => break,
            Err(DecodeError::Foreign) => return Err(Unread::Foreign),
        };
        if best.0.as_ref().is_none_or(|b| sequence > b.sequence) {
            best.0 = Some(Newest {
                pool,
                sequence,
                area,
            });
        }
        let mut is_set = [false; MARKS];
        for (set, i) in is_set.iter_mut().zip(0..) {
            let mut word = [0xFF; BUFFER_ALIGN];
            let word = &mut word[..geometry.word as usize];
            let is_read = read(storage, region, marks + i * geometry.word, word)?;
            *set = !is_read || word.iter().any(|b| *b != 0xFF);
        }
        walk.end += need(padded, &geometry);
        let count = |marks: &[bool]| marks.iter().filter(|is_set| **is_set).count();
        if count(&is_set) == 0 {
            break;
        }
        walk.marked = Some(sequence);
        let is_weak = !is_set[1] && count(&is_set[2..]) < 2;
        walk.weak = is_weak.then_some((marks, is_set));
    }
    walk.rest = !is_blank(storage, buffer, region, walk.end)?;
    Ok(walk)
}

/// The length of the record at a place, if there is one that fits.
fn header<S: Storage>(
    storage: &mut S,
    region: Region,
    at: u32,
) -> Result<Option<u32>, Unread<S::Error>> {
    let geometry = storage.geometry();
    let mut header = [0; HEADER];
    if at + HEADER as u32 > geometry.area || !read(storage, region, at, &mut header)? {
        return Ok(None);
    }
    let room = geometry.area - at;
    let fits = |len: &u32| *len <= room && need(padded(*len, &geometry), &geometry) <= room;
    Ok(record::length(header).filter(fits))
}

/// Whether a record that is longer than the buffer is whole.
fn long_record<S: Storage>(
    storage: &mut S,
    region: Region,
    at: u32,
    len: u32,
) -> Result<bool, Unread<S::Error>> {
    let mut digest = CRC.digest();
    let mut part = [0; BUFFER_ALIGN];
    let mut done = 0;
    while done < len - 4 {
        let part = &mut part[..(len - 4 - done).min(BUFFER_ALIGN as u32) as usize];
        if !read(storage, region, at + done, part)? {
            return Ok(false);
        }
        digest.update(part);
        done += part.len() as u32;
    }
    let mut sum = [0; 4];
    Ok(read(storage, region, at + done, &mut sum)? && digest.finalize() == u32::from_le_bytes(sum))
}

/// Whether an area reads as erased from a place on.
fn is_blank<S: Storage>(
    storage: &mut S,
    buffer: &mut [u8],
    region: Region,
    from: u32,
) -> Result<bool, Unread<S::Error>> {
    let end = storage.geometry().area;
    let mut at = from;
    while at < end {
        let len = (end - at).min(buffer.len() as u32);
        let part = &mut buffer[..len as usize];
        if !read(storage, region, at, part)? || part.iter().any(|b| *b != 0xFF) {
            return Ok(false);
        }
        at += len;
    }
    Ok(true)
}

/// Reads; `false` where the bytes are torn.
fn read<S: Storage>(
    storage: &mut S,
    region: Region,
    at: u32,
    into: &mut [u8],
) -> Result<bool, Unread<S::Error>> {
    match storage.read(region, at, into) {
        Ok(()) => Ok(true),
        Err(ReadFault::Torn) => Ok(false),
        Err(ReadFault::Failed(e)) => Err(Unread::Failed(e)),
    }
}
