//! What a packet asks for.

use core::fmt;

use crate::{Header, Op, cbor::Fields, group, own::Own};

/// A SHA-256.
pub type Digest = [u8; 32];

/// What a host asks of a device. Texts and bytes lie in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'p> {
    /// Say it again.
    Echo(&'p str),
    /// Start anew; `force` also where something stands against it.
    Reset {
        /// Whatever stands against it.
        force: bool,
    },
    /// What time it is.
    Time,
    /// How long packets may be, and how many at once.
    Parameters,
    /// What the device is, in the letters of `uname`.
    Info(&'p str),
    /// What is in every slot.
    Images,
    /// Try an image, or keep it.
    SetImage(SetState),
    /// A part of an image.
    Upload(Upload<'p>),
    /// Empty a slot.
    Erase(Option<u32>),
    /// How long images may be.
    Slots,
    /// The counters of a group.
    Statistics(&'p str),
    /// Which groups of counters there are.
    StatisticsGroups,
    /// The value of a setting, of so many bytes at most.
    ReadSetting(Setting<'p>),
    /// A new value for a setting.
    WriteSetting(WriteSetting<'p>),
    /// No value for a setting.
    DeleteSetting(&'p str),
    /// Let new values take effect.
    CommitSettings,
    /// Read the values that were saved.
    LoadSettings,
    /// Save the values.
    SaveSettings,
    /// A part of a file.
    UploadFile(FileUpload<'p>),
    /// A part of a file is wanted.
    DownloadFile(Download<'p>),
    /// How long a file is.
    FileStatus(&'p str),
    /// Forget the file that is open.
    CloseFile,
    /// How many groups of commands there are.
    GroupCount,
    /// Which.
    Groups,
    /// The group at an index.
    GroupAt(u32),
    /// Names of all groups.
    GroupDetails,
    /// A request of the group of our own.
    Own(Own<'p>),
    /// A request of another group of one's own: whether it may change something, and its map.
    Other {
        /// Whether it may change something.
        is_write: bool,
        /// Of commands.
        group: u16,
        /// Within it.
        command: u8,
        /// The map of the packet.
        body: &'p [u8],
    },
}

/// Which image to try, or to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetState {
    /// Of the file as it was uploaded; without it, what runs.
    pub sha256: Option<Digest>,
    /// It stays; otherwise it is on trial.
    pub confirm: bool,
}

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload<'p> {
    /// The number of the image; 0 where none is given.
    pub image: u32,
    /// Where the part begins in it.
    pub offset: u32,
    /// Of the whole image; comes with the first part.
    pub length: Option<u32>,
    /// Of the whole image, as far as is said: 32 bytes, or fewer for an image that is only to be told from others.
    pub sha256: Option<&'p [u8]>,
    /// Only if it is newer than what is there.
    pub upgrade: bool,
    /// That it was rolled back is forgotten: nobody but ours says so.
    pub anew: bool,
    /// The part.
    pub data: &'p [u8],
}

/// A setting that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'p> {
    /// Its name.
    pub name: &'p str,
    /// The most bytes that are wanted.
    pub most: Option<u32>,
}

/// A setting that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteSetting<'p> {
    /// Its name.
    pub name: &'p str,
    /// Its value.
    pub value: &'p [u8],
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileUpload<'p> {
    /// Of the file.
    pub name: &'p str,
    /// Where the part begins in it.
    pub offset: u32,
    /// Of the whole file; comes with the first part.
    pub length: Option<u32>,
    /// The part.
    pub data: &'p [u8],
}

/// A part of a file that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Download<'p> {
    /// Of the file.
    pub name: &'p str,
    /// Where the part begins in it.
    pub offset: u32,
}

/// A packet whose map is not what its request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its arguments are not those of the command")
    }
}

impl core::error::Error for Unreadable {}

impl From<minicbor::decode::Error> for Unreadable {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

impl<'p> Request<'p> {
    /// What a packet asks for. `None` for a command that does not exist here: not supported.
    ///
    /// # Errors
    /// Where its arguments are wrong; it is to be answered as invalid.
    pub fn decode(header: &Header, body: &'p [u8]) -> Result<Option<Self>, Unreadable> {
        let is_write = match header.op {
            Op::Read => false,
            Op::Write => true,
            Op::ReadReply | Op::WriteReply => return Ok(None),
        };
        let (group, command) = (header.group, header.command);
        if group == crate::own::GROUP {
            return Ok(Own::decode(is_write, command, Fields::new(body)?)?.map(Self::Own));
        }
        if group > group::OWN {
            return Ok(Some(Self::Other {
                is_write,
                group,
                command,
                body,
            }));
        }
        let map = Fields::new(body)?;
        Ok(Some(match (group, command, is_write) {
            // Clients ask for it in both ways.
            (group::OS, 0, _) => Self::Echo(map.text("d")?),
            (group::OS, 5, true) => Self::Reset {
                force: map.flag("force")?,
            },
            (group::OS, 4, false) => Self::Time,
            (group::OS, 6, false) => Self::Parameters,
            (group::OS, 7, false) => Self::Info(map.optional_text("format")?.unwrap_or("s")),
            (group::IMAGE, 0, false) => Self::Images,
            (group::IMAGE, 0, true) => Self::SetImage(SetState {
                sha256: match map.optional_bytes("hash")? {
                    Some(sha256) => Some(sha256.try_into().map_err(|_| Unreadable)?),
                    None => None,
                },
                confirm: map.flag("confirm")?,
            }),
            (group::IMAGE, 1, true) => Self::Upload(Upload {
                image: map.optional_number("image")?.unwrap_or(0),
                offset: map.number("off")?,
                length: map.optional_number("len")?,
                sha256: map.optional_bytes("sha")?,
                upgrade: map.flag("upgrade")?,
                anew: map.flag("anew")?,
                data: map.bytes("data")?,
            }),
            (group::IMAGE, 5, true) => Self::Erase(map.optional_number("slot")?),
            (group::IMAGE, 6, false) => Self::Slots,
            (group::STATISTICS, 0, false) => Self::Statistics(map.text("name")?),
            (group::STATISTICS, 1, false) => Self::StatisticsGroups,
            (group::SETTINGS, 0, false) => Self::ReadSetting(Setting {
                name: map.text("name")?,
                most: map.optional_number("max_size")?,
            }),
            (group::SETTINGS, 0, true) => Self::WriteSetting(WriteSetting {
                name: map.text("name")?,
                value: map.bytes("val")?,
            }),
            (group::SETTINGS, 1, true) => Self::DeleteSetting(map.text("name")?),
            (group::SETTINGS, 2, true) => Self::CommitSettings,
            (group::SETTINGS, 3, false) => Self::LoadSettings,
            (group::SETTINGS, 3, true) => Self::SaveSettings,
            (group::FILES, 0, true) => Self::UploadFile(FileUpload {
                name: map.text("name")?,
                offset: map.number("off")?,
                length: map.optional_number("len")?,
                data: map.bytes("data")?,
            }),
            (group::FILES, 0, false) => Self::DownloadFile(Download {
                name: map.text("name")?,
                offset: map.number("off")?,
            }),
            (group::FILES, 1, false) => Self::FileStatus(map.text("name")?),
            (group::FILES, 4, true) => Self::CloseFile,
            (group::ENUMERATION, 0, false) => Self::GroupCount,
            (group::ENUMERATION, 1, false) => Self::Groups,
            (group::ENUMERATION, 2, false) => {
                Self::GroupAt(map.optional_number("index")?.unwrap_or(0))
            }
            (group::ENUMERATION, 3, false) => Self::GroupDetails,
            _ => return Ok(None),
        }))
    }

    /// Whether it may change something of the device: what a locked device refuses.
    pub fn changes(&self) -> bool {
        match self {
            Self::Reset { .. }
            | Self::SetImage(_)
            | Self::Upload(_)
            | Self::Erase(_)
            | Self::WriteSetting(_)
            | Self::DeleteSetting(_)
            | Self::CommitSettings
            | Self::LoadSettings
            | Self::SaveSettings
            | Self::UploadFile(_) => true,
            Self::Other { is_write, .. } => *is_write,
            Self::Own(own) => own.changes(),
            Self::Echo(_)
            | Self::Time
            | Self::Parameters
            | Self::Info(_)
            | Self::Images
            | Self::Slots
            | Self::Statistics(_)
            | Self::StatisticsGroups
            | Self::ReadSetting(_)
            | Self::DownloadFile(_)
            | Self::FileStatus(_)
            | Self::CloseFile
            | Self::GroupCount
            | Self::Groups
            | Self::GroupAt(_)
            | Self::GroupDetails => false,
        }
    }
}
