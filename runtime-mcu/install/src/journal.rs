//! Where the pool is kept: two areas of records. Each record is followed by eight marks, and each area ends with eight
//! votes. Marks and votes are a word each, at least eight bytes.
//!
//! A commit writes a record and syncs it, then writes its mark and then its seal, and syncs again. A mark shows that the
//! record before it is whole and lasting. A record without one may be torn, may read as whole only now and then, or may
//! be in a cache of files and not on the disk: it does not count. A mark may be torn itself; a seal, torn or not, shows
//! that the mark is not.
//!
//! The *anchor* is the area that is never erased. The first commit after a start erases the other one, so that no
//! record is ever programmed where an earlier write may have been cut short. Later ones follow it until the area is
//! full. The area with the newer records is the anchor as soon as the other one votes for it, which happens between the
//! record and its mark, or its first record is marked, or the other one has no record.
//!
//! # Why votes
//!
//! A mark that is torn may show at one start and not at the next, and an erasure that was cut short may bring it back.
//! What is decided at a start must therefore be decided alike at all later ones. The last vote that reads as one counts.
//! A start that finds the newer records without a seal votes again before it does what the vote says: so what it acts on
//! is never the vote that may be torn, and it stands in the area that this leaves alone. After a vote against them
//! their area is erased; after one for them they get another mark and a seal, and only then may the area with the votes
//! be erased.
//!
//! After a start the last marked record of the anchor counts. Where it has no seal, or one without a mark follows, or
//! the other area has no record or was voted against, the pool is recorded again before anything is done with it, so
//! that it cannot change once more on the next start. Where no record counts it is recorded in both areas: an erasure
//! that was cut short may be undone. The first record after a start raises the sequence number by two: by one more than
//! a torn record of an earlier run can have.

use crate::{
    pool::Pool,
    record::{self, CRC, DecodeError, HEADER},
    storage::{Geometry, ReadFault, Region, Storage},
};

/// The longest word that a storage may have. The buffer of a journal has a multiple of it.
pub const BUFFER_ALIGN: usize = 64;

/// Words behind a record for marks and seals: two, and more for starts that were cut short.
const MARKS: usize = 8;
/// Votes at the end of an area.
const VOTES: usize = 8;
/// What is erased reads so.
pub(crate) const BLANK: u8 = 0xFF;
/// What marks, seals and votes are filled with. A vote against that is programmed over another one that was cut short
/// is whole.
const MARK: u8 = 0x5A;
const SEAL: u8 = 0x3C;
const FOR: u8 = 0x66;
const AGAINST: u8 = 0;

/// Bytes of a mark and of a vote: too many for a torn word to look like one.
fn mark_bytes(geometry: &Geometry) -> u32 {
    geometry.word.max(8)
}

/// Bytes that an area has beside those of its longest record.
pub(crate) fn overhead(geometry: &Geometry) -> u32 {
    (MARKS + VOTES) as u32 * mark_bytes(geometry)
}

/// Where the votes of an area begin, and its records end.
fn votes_at(geometry: &Geometry) -> u32 {
    geometry.area - VOTES as u32 * mark_bytes(geometry)
}

/// What was found when a journal was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing: the storage is new. An empty pool was recorded.
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

/// A whole record.
#[derive(Clone, Copy)]
struct Found {
    at: u32,
    len: u32,
    sequence: u64,
    is_marked: bool,
    is_sealed: bool,
}

/// What an area holds.
struct Walk {
    /// The first record.
    first: Option<Found>,
    /// The last marked one.
    marked: Option<Found>,
    /// The last one, marked or not.
    last: Option<Found>,
    /// Whether there is none, and all is erased.
    is_blank: bool,
}

/// Why no pool could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread<E> {
    Failed(E),
    Foreign,
    /// A record that was whole is not.
    Differs,
}

impl Journal {
    /// Reads both areas: the newest pool, and whether it must be recorded again.
    pub(crate) fn open<S: Storage, const A: usize, const B: usize, const C: usize>(
        storage: &mut S,
        buffer: &mut [u8],
    ) -> Result<(Self, Pool<A, B, C>, Opening), Unread<S::Error>> {
        let areas = [
            walk::<S, A, B, C>(storage, buffer, 0)?,
            walk::<S, A, B, C>(storage, buffer, 1)?,
        ];
        let sequence = |area: usize| areas[area].last.map(|found| found.sequence);
        let newer = usize::from(sequence(1) > sequence(0));
        let [newer_walk, older_walk] = [&areas[newer], &areas[1 - newer]];
        let mut is_settled = newer_walk.last.is_some();
        let anchor = match newer_walk.first {
            Some(first) if older_walk.marked.is_some() => {
                if settle(storage, newer as u8, first).map_err(Unread::Failed)? {
                    Some((newer, newer_walk.marked.or(Some(first))))
                } else {
                    is_settled = false;
                    Some((1 - newer, older_walk.marked))
                }
            }
            _ => Some((newer, newer_walk.marked)),
        };
        let anchor = anchor.and_then(|(area, found)| Some((area, found?)));
        let mut pool = Pool::new();
        if let Some((area, found)) = anchor {
            let region = Region::Area(area as u8);
            // What reads as recorded may be in a cache.
            storage.sync(region).map_err(Unread::Failed)?;
            let body = &mut buffer[..found.len as usize];
            if !read(storage, region, found.at, body)? {
                return Err(Unread::Differs);
            }
            (pool, _) = Pool::decode(body).map_err(|_| Unread::Differs)?;
            let walk = &areas[area];
            // A mark may be torn, and an area without a record may be one that was erased in part.
            is_settled &= found.is_sealed
                && walk.last.is_some_and(|last| last.at == found.at)
                && areas[1 - area].last.is_some();
        }
        let is_blank = areas.iter().all(|walk| walk.is_blank);
        let opening = match anchor {
            Some(_) if is_settled => Opening::Settled,
            Some(_) => Opening::Recorded,
            None if is_blank => Opening::New,
            None => Opening::Damaged,
        };
        let journal = Self {
            anchor: anchor.map(|(area, _)| area as u8),
            end: None,
            sequence: sequence(newer).unwrap_or(0),
        };
        Ok((journal, pool, opening))
    }

    /// Lets the next record go to the other area.
    pub(crate) fn turn(&mut self) {
        self.end = None;
    }

    /// Records a pool lastingly. After an error it is unknown which pool counts.
    pub(crate) fn commit<S: Storage, const A: usize, const B: usize, const C: usize>(
        &mut self,
        storage: &mut S,
        buffer: &mut [u8],
        pool: &Pool<A, B, C>,
    ) -> Result<(), Unwritten<S::Error>> {
        let geometry = storage.geometry();
        let more = if self.end.is_some() { 1 } else { 2 };
        self.sequence = self.sequence.saturating_add(more);
        let len = pool.encode(self.sequence, geometry.step, buffer);
        let padded = padded(len as u32, &geometry);
        buffer[len..padded as usize].fill(BLANK);
        let place = match (self.anchor, self.end) {
            (Some(area), Some(end)) if need(padded, &geometry) <= votes_at(&geometry) - end => {
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
        if let Some(left) = self.anchor.filter(|left| *left != area) {
            let free = votes(storage, left).map_err(Unwritten::Failed)?.free;
            vote(storage, left, free, FOR).map_err(Unwritten::Failed)?;
        }
        let second = at + padded + mark_bytes(&geometry);
        for (at, with) in [(at + padded, MARK), (second, SEAL)] {
            fill(storage, region, at, with).map_err(Unwritten::Failed)?;
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
    padded + MARKS as u32 * mark_bytes(geometry)
}

/// Where the marks of a record are.
fn marks_at(geometry: &Geometry, record: Found) -> impl Iterator<Item = u32> + use<> {
    let (first, bytes) = (
        record.at + padded(record.len, geometry),
        mark_bytes(geometry),
    );
    (0..MARKS as u32).map(move |i| first + i * bytes)
}

/// Fills a mark, a seal or a vote.
fn fill<S: Storage>(storage: &mut S, region: Region, at: u32, with: u8) -> Result<(), S::Error> {
    let len = mark_bytes(&storage.geometry()) as usize;
    storage.write(region, at, &[with; BUFFER_ALIGN][..len])
}

/// What a mark, a seal or a vote is filled with: `None` where it is torn.
fn filling<S: Storage>(storage: &mut S, region: Region, at: u32) -> Result<Option<u8>, S::Error> {
    let mut word = [0; BUFFER_ALIGN];
    let word = &mut word[..mark_bytes(&storage.geometry()) as usize];
    match storage.read(region, at, word) {
        Ok(()) => Ok(Some(word[0]).filter(|first| word.iter().all(|b| b == first))),
        Err(ReadFault::Torn) => Ok(None),
        Err(ReadFault::Failed(e)) => Err(e),
    }
}

/// The votes of an area about the other one.
struct Votes {
    /// The last one.
    last: Option<u8>,
    /// Where the next goes: at the end of the area if there is no room.
    free: u32,
}

fn votes<S: Storage>(storage: &mut S, area: u8) -> Result<Votes, S::Error> {
    let geometry = storage.geometry();
    let first = votes_at(&geometry);
    let mut votes = Votes {
        last: None,
        free: first,
    };
    for at in (first..geometry.area).step_by(mark_bytes(&geometry) as usize) {
        let filling = filling(storage, Region::Area(area), at)?;
        if filling != Some(BLANK) {
            votes.free = at + mark_bytes(&geometry);
        }
        if let Some(vote @ (FOR | AGAINST)) = filling {
            votes.last = Some(vote);
        }
    }
    Ok(votes)
}

/// Fills the first words of some that take it, one after the other. One that was cut short and reads as erased may not.
fn fill_free<S: Storage>(
    storage: &mut S,
    region: Region,
    words: impl Iterator<Item = u32>,
    with: &[u8],
) -> Result<(), S::Error> {
    let mut with = with.iter().copied().peekable();
    for at in words {
        let Some(next) = with.peek().copied() else {
            break;
        };
        let is_free = filling(storage, region, at)? == Some(BLANK);
        if is_free && fill(storage, region, at, next).is_ok() {
            with.next_if(|_| filling(storage, region, at).is_ok_and(|f| f == Some(next)));
        }
    }
    storage.sync(region)
}

/// Lets an area vote, lastingly. Where there is no room the mark has to do.
fn vote<S: Storage>(storage: &mut S, area: u8, free: u32, vote: u8) -> Result<(), S::Error> {
    let geometry = storage.geometry();
    let words = (free..geometry.area).step_by(mark_bytes(&geometry) as usize);
    fill_free(storage, Region::Area(area), words, &[vote])
}

/// Decides about the newer records: whether their area is the anchor, now and at all later starts.
fn settle<S: Storage>(storage: &mut S, area: u8, first: Found) -> Result<bool, S::Error> {
    if first.is_sealed {
        return Ok(true);
    }
    let Votes { last, free } = votes(storage, 1 - area)?;
    let decided = if first.is_marked {
        FOR
    } else {
        last.unwrap_or(AGAINST)
    };
    vote(storage, 1 - area, free, decided)?;
    if decided == FOR {
        let words = marks_at(&storage.geometry(), first);
        fill_free(storage, Region::Area(area), words, &[MARK, SEAL])?;
    }
    Ok(decided == FOR)
}

/// Reads the records of an area up to the first that is none, or has no mark.
fn walk<S: Storage, const A: usize, const B: usize, const C: usize>(
    storage: &mut S,
    buffer: &mut [u8],
    area: u8,
) -> Result<Walk, Unread<S::Error>> {
    let geometry = storage.geometry();
    let region = Region::Area(area);
    let mut walk = Walk {
        first: None,
        marked: None,
        last: None,
        is_blank: false,
    };
    let mut at = 0;
    while let Some(len) = header(storage, region, at)? {
        if len as usize > buffer.len() {
            if long_record(storage, region, at, len)? {
                return Err(Unread::Foreign);
            }
            break;
        }
        let body = &mut buffer[..len as usize];
        if !read(storage, region, at, body)? {
            break;
        }
        let sequence = match Pool::<A, B, C>::decode(body) {
            Ok((_, sequence)) => sequence,
            Err(DecodeError::Damaged) => break,
            Err(DecodeError::Foreign) => return Err(Unread::Foreign),
        };
        let mut found = Found {
            at,
            len,
            sequence,
            is_marked: false,
            is_sealed: false,
        };
        for at in marks_at(&geometry, found) {
            let filling = filling(storage, region, at).map_err(Unread::Failed)?;
            found.is_sealed |= filling == Some(SEAL);
            found.is_marked |= matches!(filling, Some(MARK | SEAL));
        }
        at += need(padded(len, &geometry), &geometry);
        walk.first = walk.first.or(Some(found));
        walk.last = Some(found);
        if !found.is_marked {
            break;
        }
        walk.marked = Some(found);
    }
    walk.is_blank = walk.first.is_none() && is_blank(storage, buffer, region)?;
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
    let end = votes_at(&geometry);
    if at + HEADER as u32 > end || !read(storage, region, at, &mut header)? {
        return Ok(None);
    }
    let room = end - at;
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

/// Whether an area reads as erased, its votes aside.
fn is_blank<S: Storage>(
    storage: &mut S,
    buffer: &mut [u8],
    region: Region,
) -> Result<bool, Unread<S::Error>> {
    let end = votes_at(&storage.geometry());
    let mut at = 0;
    while at < end {
        let len = (end - at).min(buffer.len() as u32);
        let part = &mut buffer[..len as usize];
        if !read(storage, region, at, part)? || part.iter().any(|b| *b != BLANK) {
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
