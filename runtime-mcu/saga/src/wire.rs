//! Records as bytes: compact, versioned, and checked whole when they are read.
//!
//! A number is a LEB128 `u64` of the fewest bytes; a text is its length in bytes and UTF-8 without control
//! characters; a *sparse list* is the number of its entries that are not 0, then for each how many zeros lie
//! before it and its value. A *summary* is count, sum, minimum, maximum, the last three only where the
//! count is not 0; a *histogram* the sparse list of its buckets and, unless that is empty, sum, minimum,
//! maximum. In order:
//!
//! | field | form |
//! |---|---|
//! | magic, format version | `SAGA`, one byte |
//! | name of the rune, its version, its SHA-256 | text, three numbers, 32 bytes |
//! | heartbeats before this record, ns since the recorder was made, ns since the last heartbeat | numbers |
//! | most bytes of memory | number |
//! | counters before the interval, and of it | twice: with output, without, overruns, starts; sparse list of failures |
//! | durations of calls before the interval, and of it | two histograms |
//! | stages | their number; of each name, histogram of the total, summary of the interval |
//! | outputs | their number; of each name, and records, bytes, dropped: before the interval, and of it |
//!
//! Nothing follows the last field.

use core::{fmt, iter};

use rune_abi::{ManifestView, Version, limit};

use crate::{Counters, Failure, Histogram, Output, Stage, Summary, Writes, counters::Extent};

const MAGIC: [u8; 4] = *b"SAGA";
const FORMAT_VERSION: u8 = 1;

/// The rune that a record is of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its manifest, for its name and version and the names of its stages and outputs.
    pub manifest: &'a ManifestView<'a>,
    /// SHA-256 of the bytes of the rune.
    pub digest: [u8; 32],
}

/// The buffer is too small for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall {
    /// Bytes it takes at present.
    pub needed: usize,
}

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record takes {} bytes", self.needed)
    }
}

impl core::error::Error for TooSmall {}

/// Where a record breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Bytes from the start of the record.
    pub offset: usize,
    /// What is wrong there, without a final full stop.
    pub what: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the record", self.what, self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// What a recorder has to write.
pub(crate) struct Spans<'a> {
    pub(crate) beats: u64,
    pub(crate) uptime: u64,
    pub(crate) interval_length: u64,
    pub(crate) memory_peak: u64,
    pub(crate) earlier: &'a Counters,
    pub(crate) interval: Counters,
    pub(crate) earlier_latency: &'a Histogram,
    pub(crate) interval_latency: &'a Histogram,
    pub(crate) stages: &'a [Stage],
    pub(crate) outputs: &'a [Output],
}

pub(crate) fn encode<'o>(
    subject: &Subject<'_>,
    spans: &Spans<'_>,
    out: &'o mut [u8],
) -> Result<&'o [u8], TooSmall> {
    let mut w = Writer { out, at: 0 };
    let manifest = subject.manifest;
    w.bytes(&MAGIC);
    w.bytes(&[FORMAT_VERSION]);
    w.text(manifest.name);
    let Version {
        major,
        minor,
        patch,
    } = manifest.version;
    for part in [major, minor, patch] {
        w.number(part.into());
    }
    w.bytes(&subject.digest);
    w.number(spans.beats);
    w.number(spans.uptime);
    w.number(spans.interval_length);
    w.number(spans.memory_peak);
    for counters in [spans.earlier, &spans.interval] {
        w.number(counters.with_output);
        w.number(counters.without_output);
        w.number(counters.overruns);
        w.number(counters.starts);
        w.sparse(counters.failures.iter().copied());
    }
    w.histogram(spans.earlier_latency);
    w.histogram(spans.interval_latency);
    w.number(spans.stages.len().min(manifest.stages.len()) as u64);
    for (name, stage) in manifest.stages.iter().zip(spans.stages) {
        w.text(name);
        w.histogram(stage.total());
        w.summary(stage.interval());
    }
    w.number(spans.outputs.len().min(manifest.outputs.len()) as u64);
    for (output, writes) in manifest.outputs.iter().zip(spans.outputs) {
        w.text(output.name);
        for part in [writes.earlier, writes.interval()] {
            w.number(part.records);
            w.number(part.bytes);
            w.number(part.dropped);
        }
    }
    let Writer { out, at } = w;
    out.get(..at).ok_or(TooSmall { needed: at })
}

/// Writes what fits and counts what does not.
struct Writer<'o> {
    out: &'o mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let place = self.out.get_mut(self.at..self.at + bytes.len());
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
        self.at += bytes.len();
    }

    fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bytes(&[n as u8 | 0x80]);
            n >>= 7;
        }
        self.bytes(&[n as u8]);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn sparse(&mut self, list: impl Iterator<Item = u64> + Clone) {
        self.number(list.clone().filter(|n| *n > 0).count() as u64);
        let mut zeros = 0;
        for n in list {
            if n == 0 {
                zeros += 1;
            } else {
                self.number(zeros);
                self.number(n);
                zeros = 0;
            }
        }
    }

    fn histogram(&mut self, histogram: &Histogram) {
        self.sparse(histogram.raw());
        self.extent(&histogram.summary());
    }

    fn summary(&mut self, summary: &Summary) {
        self.number(summary.count);
        self.extent(summary);
    }

    fn extent(&mut self, summary: &Summary) {
        if summary.count > 0 {
            self.number(summary.sum_ns());
            self.number(summary.extent.min);
            self.number(summary.extent.max);
        }
    }
}

/// A record that was checked whole; reading it cannot fail. About 4.9 KiB, for its two histograms.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// Name of the rune.
    pub name: &'a str,
    /// Version of the rune.
    pub version: Version,
    /// SHA-256 of the bytes of the rune.
    pub digest: [u8; 32],
    /// Heartbeats the recorder made before; a gap tells of lost ones.
    pub beats: u64,
    /// Time since the recorder was made.
    pub uptime_ns: u64,
    /// Time since the last heartbeat.
    pub interval_ns: u64,
    /// Most bytes of memory the rune ever held.
    pub memory_peak_bytes: u64,
    /// Counters since the recorder was made.
    pub total: Counters,
    /// Counters since the last heartbeat.
    pub interval: Counters,
    /// Durations of all calls since the recorder was made.
    pub latency: Histogram,
    /// Durations of the calls since the last heartbeat.
    pub interval_latency: Histogram,
    stages: Rest<'a>,
    outputs: Rest<'a>,
}

/// A stage in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageView<'a> {
    /// Its name in the manifest.
    pub name: &'a str,
    /// Its durations since the recorder was made.
    pub total: Histogram,
    /// Its durations since the last heartbeat.
    pub interval: Summary,
}

/// An output in a [`Snapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputView<'a> {
    /// Its name in the manifest.
    pub name: &'a str,
    /// What went to it since the recorder was made.
    pub total: Writes,
    /// What went to it since the last heartbeat.
    pub interval: Writes,
}

/// Items of a record from one place on.
#[derive(Clone, Debug)]
struct Rest<'a> {
    reader: Reader<'a>,
    left: u64,
}

impl<'a> Snapshot<'a> {
    /// Checks every byte of a record; `bytes` must be the record and nothing else.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader { bytes, at: 0 };
        if r.array()? != &MAGIC {
            return Err(error(0, "no magic `SAGA`"));
        }
        if r.array()? != &[FORMAT_VERSION] {
            return Err(error(4, "unknown format version"));
        }
        let name = r.text()?;
        let version = Version {
            major: r.small()?,
            minor: r.small()?,
            patch: r.small()?,
        };
        let digest = *r.array()?;
        let (beats, uptime_ns, interval_ns) = (r.number()?, r.number()?, r.number()?);
        let memory_peak_bytes = r.number()?;
        let mut total = r.counters()?;
        let interval = r.counters()?;
        total.merge(&interval);
        let mut latency = r.histogram()?;
        let interval_latency = r.histogram()?;
        latency.merge(&interval_latency);
        let stages = r.rest(limit::STAGES, Reader::stage)?;
        let outputs = r.rest(limit::ITEMS, Reader::output)?;
        if r.at != bytes.len() {
            return Err(error(r.at, "bytes after the end"));
        }
        Ok(Self {
            name,
            version,
            digest,
            beats,
            uptime_ns,
            interval_ns,
            memory_peak_bytes,
            total,
            interval,
            latency,
            interval_latency,
            stages,
            outputs,
        })
    }

    /// The stages that were recorded, in execution order.
    pub fn stages(&self) -> impl Iterator<Item = StageView<'a>> + use<'a> {
        self.stages.clone().items(Reader::stage)
    }

    /// The outputs that were recorded, in the manifest's order.
    pub fn outputs(&self) -> impl Iterator<Item = OutputView<'a>> + use<'a> {
        self.outputs.clone().items(Reader::output)
    }
}

impl<'a> Rest<'a> {
    /// The items, which `read` read once when the record was checked.
    fn items<T>(
        mut self,
        read: fn(&mut Reader<'a>) -> Result<T, DecodeError>,
    ) -> impl Iterator<Item = T> + use<'a, T> {
        iter::from_fn(move || {
            self.left = self.left.checked_sub(1)?;
            read(&mut self.reader).ok()
        })
    }
}

/// A place in a record that moves forward.
#[derive(Clone, Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn error(offset: usize, what: &'static str) -> DecodeError {
    DecodeError { offset, what }
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len));
        let taken = taken.ok_or(error(self.at, "ends too early"))?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("`take` gives what it is asked for"))
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let at = self.at;
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.array()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(error(at, "number too large"));
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                return match (byte, shift) {
                    (0, 7..) => Err(error(at, "number in more bytes than it takes")),
                    _ => Ok(n),
                };
            }
        }
        Err(error(at, "number too large"))
    }

    fn small(&mut self) -> Result<u16, DecodeError> {
        let at = self.at;
        u16::try_from(self.number()?).map_err(|_| error(at, "number too large"))
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let at = self.at;
        let len = self.number()?;
        if len == 0 || len > limit::TEXT as u64 {
            return Err(error(at, "name empty or too long"));
        }
        let start = self.at;
        let text = core::str::from_utf8(self.take(len as usize)?)
            .map_err(|e| error(start + e.valid_up_to(), "name that is not UTF-8"))?;
        if text.chars().any(char::is_control) {
            return Err(error(start, "name with a control character"));
        }
        Ok(text)
    }

    fn sparse<const N: usize>(&mut self) -> Result<[u64; N], DecodeError> {
        let mut list = [0; N];
        let mut free = &mut list[..];
        let at = self.at;
        let entries = self.number()?;
        if entries > N as u64 {
            return Err(error(at, "list too long"));
        }
        for _ in 0..entries {
            let at = self.at;
            let zeros = usize::try_from(self.number()?).unwrap_or(usize::MAX);
            let Some((entry, rest)) = free.get_mut(zeros..).and_then(<[u64]>::split_first_mut)
            else {
                return Err(error(at, "list too long"));
            };
            *entry = self.number()?;
            if *entry == 0 {
                return Err(error(at, "entry of 0 in a sparse list"));
            }
            free = rest;
        }
        Ok(list)
    }

    fn counters(&mut self) -> Result<Counters, DecodeError> {
        Ok(Counters {
            with_output: self.number()?,
            without_output: self.number()?,
            overruns: self.number()?,
            starts: self.number()?,
            failures: self.sparse::<{ Failure::ALL.len() }>()?,
        })
    }

    fn histogram(&mut self) -> Result<Histogram, DecodeError> {
        let at = self.at;
        let buckets = self.sparse()?;
        let (sum, min, max) = if buckets.iter().all(|n| *n == 0) {
            (0, 0, 0)
        } else {
            (self.number()?, self.number()?, self.number()?)
        };
        Histogram::from_raw(&buckets, sum, min, max).map_err(|what| error(at, what))
    }

    fn summary(&mut self) -> Result<Summary, DecodeError> {
        let at = self.at;
        let count = self.number()?;
        if count == 0 {
            return Ok(Summary::new());
        }
        let (sum, min, max) = (self.number()?, self.number()?, self.number()?);
        if min == 0 || min > max || sum < max {
            return Err(error(at, "summary that contradicts itself"));
        }
        let extent = Extent::new(sum, min, max);
        Ok(Summary { count, extent })
    }

    fn stage(&mut self) -> Result<StageView<'a>, DecodeError> {
        Ok(StageView {
            name: self.text()?,
            total: self.histogram()?,
            interval: self.summary()?,
        })
    }

    fn output(&mut self) -> Result<OutputView<'a>, DecodeError> {
        let name = self.text()?;
        let mut total = self.writes()?;
        let interval = self.writes()?;
        total.merge(&interval);
        Ok(OutputView {
            name,
            total,
            interval,
        })
    }

    fn writes(&mut self) -> Result<Writes, DecodeError> {
        Ok(Writes {
            records: self.number()?,
            bytes: self.number()?,
            dropped: self.number()?,
        })
    }

    /// Checks a list of at most so many items and keeps where it began.
    fn rest<T>(
        &mut self,
        most: usize,
        read: fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Rest<'a>, DecodeError> {
        let at = self.at;
        let left = self.number()?;
        if left > most as u64 {
            return Err(error(at, "list too long"));
        }
        let reader = self.clone();
        for _ in 0..left {
            read(self)?;
        }
        Ok(Rest { reader, left })
    }
}
