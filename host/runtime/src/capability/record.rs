//! Recordings: what every capability of a rune saw, sample by sample, to be given again bit for bit.
//!
//! A recording is a folder with a file for each capability, named by its place in the manifest: `00.rrec`, `01.rrec`
//! and so on. All numbers are little-endian.
//!
//! | part of a file | form |
//! |---|---|
//! | magic, version | `RREC`, u16: 1 |
//! | kind, element type, rank | u16, u8, u8: the tags of a manifest |
//! | dimensions | u32 each |
//! | name | u16 length, UTF-8 |
//! | check | u32 CRC-32 of all before it |
//! | records, to the end of the file | each: a tag u8, its fields, and u32 CRC-32 of them all |
//! | record 0, a sample | u64 time in ns since 1970 or all ones, u64 lost before it, u32 length, bytes |
//! | record 1, the end of the data | u32 length, a note in UTF-8, empty if there was none |
//!
//! A file without record 1 is of a rune that was stopped before its data ended.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Instant,
};

use rune_abi::{Capability, ElementType};

use super::{OpenError, Read, Source, SourceError, Stamp, describe};

const MAGIC: [u8; 4] = *b"RREC";
const VERSION: u16 = 1;
const SAMPLE: u8 = 0;
const END: u8 = 1;
/// The time of a sample that has none.
const NO_TIME: u64 = u64::MAX;
/// Bytes of a note at most.
const NOTE: u32 = 1 << 16;

/// CRC-32 of ISO 3309, bit by bit: recordings are not where time goes.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("{index:02}.rrec"))
}

/// A source whose samples are written down.
pub struct Recorder {
    inner: Box<dyn Source>,
    file: File,
    name: String,
    /// The end was written.
    ended: bool,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// Writes down what a source gives for the capability at an index, in a folder that is made if it is not
    /// there. A recording that is there is not overwritten.
    ///
    /// # Errors
    /// Where the file cannot be made.
    pub fn new(
        inner: Box<dyn Source>,
        capability: &Capability,
        folder: &Path,
        index: usize,
    ) -> Result<Self, SourceError> {
        let path = file(folder, index);
        let name = path.display().to_string();
        let make = || {
            fs::create_dir_all(folder)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)?;
            file.write_all(&header(capability))?;
            Ok(file)
        };
        let file = make().map_err(|e: io::Error| SourceError::new(&name, e))?;
        Ok(Self {
            inner,
            file,
            name,
            ended: false,
        })
    }

    /// In one piece, so that a process that is stopped leaves whole records.
    fn write(&mut self, mut record: Vec<u8>) -> Result<(), SourceError> {
        record.extend(crc(&record).to_le_bytes());
        let written = self.file.write_all(&record);
        written.map_err(|e| SourceError::new(&self.name, e))
    }
}

impl Source for Recorder {
    fn read(&mut self, out: &mut [u8], deadline: Instant) -> Result<Read, SourceError> {
        let read = self.inner.read(out, deadline)?;
        match &read {
            Read::Sample => {
                let stamp = self.inner.stamp();
                let mut record = vec![SAMPLE];
                record.extend(stamp.time.unwrap_or(NO_TIME).to_le_bytes());
                record.extend(stamp.lost.to_le_bytes());
                record.extend((out.len() as u32).to_le_bytes());
                record.extend_from_slice(out);
                self.write(record)?;
            }
            Read::End { note } if !self.ended => {
                self.ended = true;
                let note = note.as_deref().unwrap_or_default();
                let note = &note[..note.floor_char_boundary(NOTE as usize)];
                let mut record = vec![END];
                record.extend((note.len() as u32).to_le_bytes());
                record.extend_from_slice(note.as_bytes());
                self.write(record)?;
            }
            Read::End { .. } => {}
        }
        Ok(read)
    }

    fn is_endless(&self) -> bool {
        self.inner.is_endless()
    }

    fn stamp(&self) -> Stamp {
        self.inner.stamp()
    }

    fn warning(&mut self) -> Option<String> {
        self.inner.warning()
    }
}

fn header(capability: &Capability) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend((capability.kind as u16).to_le_bytes());
    let dims = capability.ty.dims();
    header.extend([capability.ty.element() as u8, dims.len() as u8]);
    header.extend(dims.iter().flat_map(|d| d.bound().to_le_bytes()));
    header.extend((capability.name.len() as u16).to_le_bytes());
    header.extend(capability.name.as_bytes());
    header.extend(crc(&header).to_le_bytes());
    header
}

/// A recording to be given again.
#[derive(Clone, Debug)]
pub struct Replay {
    folder: PathBuf,
}

impl Replay {
    /// The recording in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Whether it is of a rune that reads the same.
    pub(crate) fn check(&self, capabilities: &[Capability]) -> Result<(), OpenError> {
        let mut reasons = vec![];
        let mut has = 0;
        while file(&self.folder, has).exists() {
            has += 1;
        }
        let shown = self.folder.display();
        if has == 0 && !capabilities.is_empty() {
            return Err(SourceError::new(shown, "there is no recording in it").into());
        }
        if has != capabilities.len() {
            let wants = capabilities.len();
            reasons.push(format!(
                "{shown} is of a rune with {has} capabilities, and this one has {wants}"
            ));
        }
        for (index, capability) in capabilities.iter().enumerate().take(has) {
            let recorded = Reader::open(&file(&self.folder, index))?.header;
            let is_kind = recorded.kind == capability.kind as u16;
            let dims = capability.ty.dims().iter().map(|d| d.bound());
            let is_type = recorded.element == capability.ty.element() as u8;
            if !is_kind || !is_type || !dims.eq(recorded.dims.iter().copied()) {
                let wanted = describe(capability);
                reasons.push(format!(
                    "the rune reads {wanted}, and {} holds {recorded}",
                    file(&self.folder, index).display()
                ));
            }
        }
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(OpenError::Refused(reasons))
        }
    }

    /// The source for the capability at an index.
    ///
    /// # Errors
    /// Where there is no recording of it, or not one that this runtime reads.
    pub fn open(&self, index: usize) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(Replayed {
            reader: Reader::open(&file(&self.folder, index))?,
            stamp: Stamp::default(),
        }))
    }
}

/// What a file says it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    kind: u16,
    element: u8,
    dims: Vec<u32>,
    name: String,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match rune_abi::CapabilityKind::from_tag(self.kind) {
            Some(kind) => f.write_str(kind.spec().name)?,
            None => write!(f, "kind {}", self.kind)?,
        }
        write!(f, " `{}` (", self.name)?;
        match ElementType::from_tag(self.element) {
            Some(element) => write!(f, "{element}")?,
            None => write!(f, "type {}", self.element)?,
        }
        write!(f, "{:?})", self.dims)
    }
}

/// Reads a file and checks it on the way.
struct Reader<R> {
    input: R,
    name: String,
    /// Where the record that is read begins, and its bytes so far.
    at: u64,
    record: Vec<u8>,
    header: Header,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Record {
    Sample(Stamp, Vec<u8>),
    End(Option<String>),
}

impl Reader<BufReader<File>> {
    fn open(path: &Path) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let input = File::open(path).map_err(|e| SourceError::new(&name, e))?;
        Self::new(name, BufReader::new(input))
    }
}

impl<R: io::Read> Reader<R> {
    fn new(name: String, input: R) -> Result<Self, SourceError> {
        let mut reader = Self {
            input,
            name,
            at: 0,
            record: vec![],
            header: Header {
                kind: 0,
                element: 0,
                dims: vec![],
                name: String::new(),
            },
        };
        if reader.bytes(4)? != MAGIC {
            return Err(reader.bad("it is not a recording"));
        }
        let version = reader.u16()?;
        if version != VERSION {
            let what = format!("it is of version {version}, and this runtime reads {VERSION}");
            return Err(reader.bad(&what));
        }
        let kind = reader.u16()?;
        let [element, rank] = reader.array()?;
        let dims = (0..rank).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        let length = reader.u16()?;
        let name = reader.bytes(length.into())?;
        let name = String::from_utf8_lossy(&name).into_owned();
        reader.check()?;
        reader.header = Header {
            kind,
            element,
            dims,
            name,
        };
        Ok(reader)
    }

    fn bad(&self, what: &str) -> SourceError {
        let place = format!("{}, byte {}", self.name, self.at);
        SourceError::new(place, what)
    }

    /// The next bytes of a record.
    fn bytes(&mut self, count: u32) -> Result<Vec<u8>, SourceError> {
        let mut bytes = vec![];
        let read = self.input.by_ref().take(count.into());
        let read = { read }.read_to_end(&mut bytes);
        read.map_err(|e| SourceError::new(&self.name, e))?;
        if bytes.len() < count as usize {
            return Err(self.bad("the file ends inside what begins here"));
        }
        self.record.extend_from_slice(&bytes);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SourceError> {
        let bytes = self.bytes(N as u32)?;
        Ok(bytes.try_into().expect("so many were read"))
    }

    fn u16(&mut self) -> Result<u16, SourceError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, SourceError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, SourceError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads the check at the end of a record, and goes on to the next. To a fuzzer, which never hits a check, all are
    /// right.
    #[allow(unexpected_cfgs, reason = "cargo-fuzz sets it")]
    fn check(&mut self) -> Result<(), SourceError> {
        let due = crc(&self.record);
        if self.u32()? != due && !cfg!(fuzzing) {
            return Err(self.bad("what begins here is damaged: its check is wrong"));
        }
        self.at += self.record.len() as u64;
        self.record.clear();
        Ok(())
    }

    /// The next record; `None` at the end of the file. Samples have so many bytes.
    fn next(&mut self, bytes: usize) -> Result<Option<Record>, SourceError> {
        let mut tag = [0];
        let read = self.input.read(&mut tag);
        if read.map_err(|e| SourceError::new(&self.name, e))? == 0 {
            return Ok(None);
        }
        self.record.push(tag[0]);
        let record = match tag[0] {
            SAMPLE => {
                let (time, lost) = (self.u64()?, self.u64()?);
                let length = self.u32()?;
                if length as usize != bytes {
                    let what = format!("a sample of {length} bytes, and the rune reads {bytes}");
                    return Err(self.bad(&what));
                }
                let time = (time != NO_TIME).then_some(time);
                Record::Sample(Stamp { time, lost }, self.bytes(length)?)
            }
            END => {
                let length = self.u32()?;
                if length > NOTE {
                    return Err(self.bad("a note that is too long"));
                }
                let note = self.bytes(length)?;
                let note = String::from_utf8_lossy(&note).into_owned();
                Record::End((!note.is_empty()).then_some(note))
            }
            tag => return Err(self.bad(&format!("no record has the tag {tag}"))),
        };
        self.check()?;
        Ok(Some(record))
    }
}

/// What was recorded, given again.
struct Replayed<R> {
    reader: Reader<R>,
    stamp: Stamp,
}

impl<R: io::Read + Send> Source for Replayed<R> {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        match self.reader.next(out.len())? {
            Some(Record::Sample(stamp, bytes)) => {
                self.stamp = stamp;
                out.copy_from_slice(&bytes);
                Ok(Read::Sample)
            }
            Some(Record::End(note)) => Ok(Read::End { note }),
            None => Ok(Read::End { note: None }),
        }
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }
}

#[cfg(test)]
mod tests {
    use rune_abi::{CapabilityKind, Dim, TensorType};

    use super::*;

    /// A whole recording of three samples of two bytes.
    fn good() -> Vec<u8> {
        let capability = Capability {
            kind: CapabilityKind::Raw,
            name: "raw".to_owned(),
            ty: TensorType::new(ElementType::U8, &[Dim::Exact(2)]).unwrap(),
            params: vec![],
        };
        let mut bytes = header(&capability);
        for sample in 0..3u8 {
            let mut record = vec![SAMPLE];
            record.extend(NO_TIME.to_le_bytes());
            record.extend(0u64.to_le_bytes());
            record.extend(2u32.to_le_bytes());
            record.extend([sample, sample]);
            record.extend(crc(&record).to_le_bytes());
            bytes.extend(record);
        }
        bytes
    }

    /// Every sample to the end.
    fn all(bytes: &[u8]) -> Result<Vec<Vec<u8>>, SourceError> {
        let mut reader = Reader::new("r".to_owned(), bytes)?;
        let mut samples = vec![];
        while let Some(Record::Sample(_, sample)) = reader.next(2)? {
            samples.push(sample);
        }
        Ok(samples)
    }

    #[test]
    fn the_check_is_crc_32() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_damage_is_noticed_and_has_a_place() {
        let good = good();
        assert_eq!(all(&good).unwrap(), [[0, 0], [1, 1], [2, 2]]);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            let error = all(&bad).unwrap_err();
            assert!(error.place.starts_with("r, byte "), "{at}: {error}");
        }
        // Only between two records may a file end.
        let whole = (0..good.len()).filter(|end| all(&good[..*end]).is_ok());
        assert_eq!(whole.count(), 3);
    }

    /// Random numbers, the same on every machine.
    fn random() -> impl FnMut() -> u64 {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        }
    }

    #[test]
    fn what_a_check_covers_is_read_or_refused_with_a_place() {
        let good = good();
        let header = good.len() - 3 * (1 + 8 + 8 + 4 + 2 + 4);
        let (mut next, mut read) = (random(), 0);
        for _ in 0..20_000 {
            let mut file = vec![];
            for part in [&good[..header], &good[header..header + 27]] {
                let mut part = part[..part.len() - 4].to_vec();
                for _ in 0..next() % 3 {
                    let at = (next() % part.len() as u64) as usize;
                    part[at] = next() as u8;
                }
                file.extend_from_slice(&part);
                file.extend(crc(&part).to_le_bytes());
            }
            match all(&file) {
                Ok(samples) => read += samples.len(),
                Err(error) => assert!(error.place.starts_with("r, byte "), "{error}"),
            }
        }
        assert!(read > 1_000, "{read}");
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        let good = good();
        let mut next = random();
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..next() % 4 {
                let at = (next() % bytes.len() as u64) as usize;
                bytes[at] = next() as u8;
            }
            bytes.truncate((next() % (bytes.len() as u64 * 2)) as usize);
            let _ = all(&bytes);
            let noise: Vec<u8> = (0..next() % 64).map(|_| next() as u8).collect();
            let start = (next() % 30) as usize;
            let _ = all(&[&good[..start], &noise].concat());
        }
    }
}
