//! What answers a packet.

use core::fmt;

use minicbor::{Encoder, encode::write::Cursor};

use crate::{Digest, HEADER_BYTES, Header, Version};

/// Codes of errors that every group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// For what has no other.
    Unknown,
    /// There is no memory for it.
    NoMemory,
    /// The arguments are wrong.
    Invalid,
    /// It took too long.
    Timeout,
    /// There is no such thing.
    NoEntry,
    /// Not now, as things are.
    BadState,
    /// The reply would be too long.
    MessageSize,
    /// There is no such command.
    NotSupported,
    /// What came is damaged.
    Corrupt,
    /// Something else is being done.
    Busy,
    /// Not for you.
    AccessDenied,
}

impl Code {
    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Self::Unknown => 1,
            Self::NoMemory => 2,
            Self::Invalid => 3,
            Self::Timeout => 4,
            Self::NoEntry => 5,
            Self::BadState => 6,
            Self::MessageSize => 7,
            Self::NotSupported => 8,
            Self::Corrupt => 9,
            Self::Busy => 10,
            Self::AccessDenied => 11,
        }
    }
}

/// An error of a group: who speaks version 1 is told the code that is nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupCode {
    /// The group that the number is of.
    pub group: u16,
    /// Of the error.
    pub number: u16,
    /// What version 1 has for it.
    pub nearest: Code,
}

/// What is in a slot.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the protocol has these flags"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageState {
    /// The number of the image.
    pub image: u32,
    /// 0 for what runs, 1 for the other.
    pub slot: u32,
    /// Its version: major, minor, patch.
    pub version: [u16; 3],
    /// Of the file as it was uploaded.
    pub sha256: Digest,
    /// It may be started.
    pub bootable: bool,
    /// It will be on trial.
    pub pending: bool,
    /// It stays.
    pub confirmed: bool,
    /// It runs.
    pub active: bool,
    /// It will stay after it is started.
    pub permanent: bool,
}

/// A group of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupDetails<'a> {
    /// Its number.
    pub group: u16,
    /// What it is called.
    pub name: &'a str,
    /// How many commands it has.
    pub commands: u32,
}

/// The reply does not fit into its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall;

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reply does not fit into its packet")
    }
}

impl core::error::Error for TooSmall {}

type Map<'o> = Encoder<Cursor<&'o mut [u8]>>;
type Written = Result<(), minicbor::encode::Error<minicbor::encode::write::EndOfSlice>>;

/// Writes the reply to a request, into memory as long as packets may be. Keys of maps are in the order of deterministic
/// CBOR, the short ones first.
#[derive(Debug)]
pub struct Reply<'o> {
    header: Header,
    out: &'o mut [u8],
}

impl<'o> Reply<'o> {
    /// The reply to a request with this header; `None` where that is itself a reply, and gets none.
    pub fn to(request: &Header, out: &'o mut [u8]) -> Option<Self> {
        let op = request.op.reply()?;
        let header = Header { op, ..*request };
        Some(Self { header, out })
    }

    /// Bytes of a text or of data that surely fit, with what else is in such a reply.
    pub(crate) fn room(&self) -> usize {
        self.out.len().saturating_sub(HEADER_BYTES + 32)
    }

    /// Writes a map; gives the packet. Where it does not fit, that is the reply.
    pub(crate) fn map(self, write: impl FnOnce(&mut Map<'_>) -> Written) -> &'o [u8] {
        let Self { header, out } = self;
        let most = usize::from(u16::MAX).min(out.len().saturating_sub(HEADER_BYTES));
        let body = out.get_mut(HEADER_BYTES..).unwrap_or_default();
        let mut encoder = Encoder::new(Cursor::new(&mut body[..most]));
        let written = write(&mut encoder);
        let used = encoder.writer().position();
        if written.is_err() {
            // An error fits into what no reply does, unless there is no memory for any.
            let too_long = Self { header, out };
            return if most < ERROR_BYTES {
                &[]
            } else {
                too_long.error(Code::MessageSize)
            };
        }
        out[..HEADER_BYTES].copy_from_slice(&header.encode(used as u16));
        &out[..HEADER_BYTES + used]
    }

    /// It went well, and there is nothing to say.
    pub fn done(self) -> &'o [u8] {
        self.map(|map| {
            map.map(0)?;
            Ok(())
        })
    }

    /// It did not.
    pub fn error(self, code: Code) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("rc")?.u16(code.number())?;
            Ok(())
        })
    }

    /// It did not, for a reason of a group.
    pub fn group_error(self, code: GroupCode) -> &'o [u8] {
        match self.header.version {
            Version::V1 => self.error(code.nearest),
            Version::V2 => self.map(|map| {
                map.map(1)?.str("err")?.map(2)?;
                map.str("rc")?.u16(code.number)?;
                map.str("group")?.u16(code.group)?;
                Ok(())
            }),
        }
    }

    /// What was to be said again.
    pub fn echo(self, text: &str) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("r")?.str(text)?;
            Ok(())
        })
    }

    /// How long packets may be, with their headers, and how many at once.
    pub fn parameters(self, bytes: u32, count: u32) -> &'o [u8] {
        self.map(|map| {
            map.map(2)?.str("buf_size")?.u32(bytes)?;
            map.str("buf_count")?.u32(count)?;
            Ok(())
        })
    }

    /// The time of day.
    pub fn time(self, text: &str) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("datetime")?.str(text)?;
            Ok(())
        })
    }

    /// What the device is: words with spaces between.
    pub fn info(self, words: &[&str]) -> &'o [u8] {
        let mut text = [0; INFO_BYTES];
        let mut used = 0;
        for (index, word) in words.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            for byte in space.bytes().chain(word.bytes()) {
                let Some(to) = text.get_mut(used) else {
                    return self.error(Code::MessageSize);
                };
                *to = byte;
                used += 1;
            }
        }
        let text = core::str::from_utf8(&text[..used]).unwrap_or_default();
        self.map(|map| {
            map.map(1)?.str("output")?.str(text)?;
            Ok(())
        })
    }

    /// What is in every slot.
    pub fn images(self, images: impl IntoIterator<Item = ImageState, IntoIter: Clone>) -> &'o [u8] {
        let images = images.into_iter();
        self.map(|map| {
            map.map(1)?.str("images")?.array(count(&images))?;
            for image in images {
                map.map(9)?.str("hash")?.bytes(&image.sha256)?;
                map.str("slot")?.u32(image.slot)?;
                map.str("image")?.u32(image.image)?;
                map.str("active")?.bool(image.active)?;
                map.str("pending")?.bool(image.pending)?;
                map.str("version")?
                    .str(Version3::of(image.version).as_str())?;
                map.str("bootable")?.bool(image.bootable)?;
                map.str("confirmed")?.bool(image.confirmed)?;
                map.str("permanent")?.bool(image.permanent)?;
            }
            Ok(())
        })
    }

    /// How much of an upload is there, and at its end whether it is what was announced.
    pub fn uploaded(self, offset: u32, matches: Option<bool>) -> &'o [u8] {
        self.map(|map| {
            map.map(1 + u64::from(matches.is_some()))?;
            map.str("off")?.u32(offset)?;
            if let Some(matches) = matches {
                map.str("match")?.bool(matches)?;
            }
            Ok(())
        })
    }

    /// How long images may be: of every image its number and that of its slots, with the bytes of each.
    pub fn slots(
        self,
        images: impl IntoIterator<Item = (u32, [u32; 2]), IntoIter: Clone>,
    ) -> &'o [u8] {
        let images = images.into_iter();
        self.map(|map| {
            map.map(1)?.str("images")?.array(count(&images))?;
            for (image, slots) in images {
                map.map(2)?.str("image")?.u32(image)?;
                map.str("slots")?.array(2)?;
                for (slot, bytes) in (0..).zip(slots) {
                    map.map(2)?.str("size")?.u32(bytes)?;
                    map.str("slot")?.u32(slot)?;
                }
            }
            Ok(())
        })
    }

    /// The counters of a group.
    pub fn statistics<'a>(
        self,
        name: &str,
        fields: impl IntoIterator<Item = (&'a str, u64), IntoIter: Clone>,
    ) -> &'o [u8] {
        let fields = fields.into_iter();
        self.map(|map| {
            map.map(2)?.str("name")?.str(name)?;
            map.str("fields")?.map(count(&fields))?;
            for (name, value) in fields {
                map.str(name)?.u64(value)?;
            }
            Ok(())
        })
    }

    /// The groups of counters.
    pub fn statistics_groups<'a>(
        self,
        names: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
    ) -> &'o [u8] {
        let names = names.into_iter();
        self.map(|map| {
            map.map(1)?.str("stat_list")?.array(count(&names))?;
            for name in names {
                map.str(name)?;
            }
            Ok(())
        })
    }

    /// The value of a setting.
    pub fn setting(self, value: &[u8]) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("val")?.bytes(value)?;
            Ok(())
        })
    }

    /// A part of a file, and with the first part the length of the whole.
    pub fn file(self, offset: u32, data: &[u8], length: Option<u32>) -> &'o [u8] {
        self.map(|map| {
            map.map(2 + u64::from(length.is_some()))?;
            if let Some(length) = length {
                map.str("len")?.u32(length)?;
            }
            map.str("off")?.u32(offset)?;
            map.str("data")?.bytes(data)?;
            Ok(())
        })
    }

    /// How long a file is.
    pub fn file_status(self, length: u32) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("len")?.u32(length)?;
            Ok(())
        })
    }

    /// How many groups of commands there are.
    pub fn group_count(self, count: u32) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("count")?.u32(count)?;
            Ok(())
        })
    }

    /// Which groups of commands there are.
    pub fn groups(self, groups: impl IntoIterator<Item = u16, IntoIter: Clone>) -> &'o [u8] {
        let groups = groups.into_iter();
        self.map(|map| {
            map.map(1)?.str("groups")?.array(count(&groups))?;
            for group in groups {
                map.u16(group)?;
            }
            Ok(())
        })
    }

    /// A group of commands, and whether it is the last.
    pub fn group_at(self, group: u16, is_last: bool) -> &'o [u8] {
        self.map(|map| {
            map.map(1 + u64::from(is_last))?;
            if is_last {
                map.str("end")?.bool(true)?;
            }
            map.str("group")?.u16(group)?;
            Ok(())
        })
    }

    /// What groups of commands there are.
    pub fn group_details<'a>(
        self,
        groups: impl IntoIterator<Item = GroupDetails<'a>, IntoIter: Clone>,
    ) -> &'o [u8] {
        let groups = groups.into_iter();
        self.map(|map| {
            map.map(1)?.str("groups")?.array(count(&groups))?;
            for group in groups {
                map.map(3)?.str("name")?.str(group.name)?;
                map.str("group")?.u16(group.group)?;
                map.str("handlers")?.u32(group.commands)?;
            }
            Ok(())
        })
    }
}

/// How many items come.
fn count(items: &(impl Iterator + Clone)) -> u64 {
    items.clone().count() as u64
}

/// Most bytes of what a device is.
const INFO_BYTES: usize = 160;
/// Most bytes of a part of a manifest or of lines.
pub(crate) const TEXT_ROOM: usize = 512;

/// A version with points between its numbers.
struct Version3 {
    text: [u8; 17],
    used: usize,
}

impl Version3 {
    fn of(numbers: [u16; 3]) -> Self {
        let mut version = Self {
            text: [0; 17],
            used: 0,
        };
        for (index, number) in numbers.into_iter().enumerate() {
            if index > 0 {
                version.push(b'.');
            }
            let digits = number.checked_ilog10().unwrap_or(0);
            for digit in (0..=digits).rev() {
                version.push(b'0' + (number / 10u16.pow(digit) % 10) as u8);
            }
        }
        version
    }

    fn push(&mut self, byte: u8) {
        // Three numbers of five digits, and two points.
        self.text[self.used] = byte;
        self.used += 1;
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text[..self.used]).unwrap_or_default()
    }
}

/// Bytes of the map of an error.
const ERROR_BYTES: usize = 5;
