//! What is shown as files, for clients that know no group of our own: the manifest of the rune NAME at `/manifest/NAME`.
//! Nothing is written.

use crate::{
    Code, Digest, Download, GroupCode, Reply, device::Device, group, reply::TEXT_ROOM,
    server::refuse,
};

/// The folder of manifests.
const MANIFESTS: &str = "/manifest/";

/// Why there is no file, or no part of it.
#[derive(Clone, Copy)]
enum Fault {
    /// There is none of this name.
    NotFound,
    /// The part begins behind its end.
    Offset,
    /// Nothing is written here.
    ReadOnly,
}

impl Fault {
    /// The error of the group of files.
    const fn code(self) -> GroupCode {
        let (number, nearest) = match self {
            Self::NotFound => (3, Code::NoEntry),
            Self::Offset => (12, Code::Invalid),
            Self::ReadOnly => (15, Code::AccessDenied),
        };
        GroupCode {
            group: group::FILES,
            number,
            nearest,
        }
    }
}

/// Answers with a part of a file.
pub(crate) fn download<'o>(
    wanted: &Download<'_>,
    device: &mut impl Device,
    reply: Reply<'o>,
) -> &'o [u8] {
    let Some(sha256) = manifest_of(wanted.name, device) else {
        return reply.group_error(Fault::NotFound.code());
    };
    let mut data = [0; TEXT_ROOM];
    let most = reply.room().min(TEXT_ROOM);
    match device.manifest(&sha256, wanted.offset, &mut data[..most]) {
        Ok(part) if wanted.offset > part.mark => reply.group_error(Fault::Offset.code()),
        Ok(part) => {
            let length = (wanted.offset == 0).then_some(part.mark);
            reply.file(wanted.offset, &data[..part.bytes.min(most)], length)
        }
        Err(refusal) => refuse(reply, refusal),
    }
}

/// Answers how long a file is.
pub(crate) fn status<'o>(name: &str, device: &mut impl Device, reply: Reply<'o>) -> &'o [u8] {
    let Some(sha256) = manifest_of(name, device) else {
        return reply.group_error(Fault::NotFound.code());
    };
    match device.manifest(&sha256, 0, &mut []) {
        Ok(part) => reply.file_status(part.mark),
        Err(refusal) => refuse(reply, refusal),
    }
}

/// Answers that nothing is written.
pub(crate) fn upload(reply: Reply<'_>) -> &[u8] {
    reply.group_error(Fault::ReadOnly.code())
}

/// The digest of the rune whose manifest this is.
fn manifest_of(path: &str, device: &impl Device) -> Option<Digest> {
    let name = path.strip_prefix(MANIFESTS)?;
    let mut runes = (0..).map_while(|index| device.rune(index));
    runes.find(|rune| rune.name == name).map(|rune| rune.sha256)
}
