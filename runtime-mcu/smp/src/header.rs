//! The eight bytes before every map.

/// Bytes of a header.
pub const HEADER_BYTES: usize = 8;

/// Numbers of groups of commands.
pub mod group {
    /// Echo, reset, parameters.
    pub const OS: u16 = 0;
    /// Uploads and what becomes of them.
    pub const IMAGE: u16 = 1;
    /// Counters.
    pub const STATISTICS: u16 = 2;
    /// Values by name.
    pub const SETTINGS: u16 = 3;
    /// Files by name.
    pub const FILES: u16 = 8;
    /// Which groups there are.
    pub const ENUMERATION: u16 = 10;
    /// The first of those that are everyone's own.
    pub const OWN: u16 = 64;
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A request that changes nothing.
    Read,
    /// The reply to one.
    ReadReply,
    /// A request that may change something.
    Write,
    /// The reply to one.
    WriteReply,
}

impl Op {
    const ALL: [Self; 4] = [Self::Read, Self::ReadReply, Self::Write, Self::WriteReply];

    /// What answers it; `None` of a reply.
    pub const fn reply(self) -> Option<Self> {
        match self {
            Self::Read => Some(Self::ReadReply),
            Self::Write => Some(Self::WriteReply),
            Self::ReadReply | Self::WriteReply => None,
        }
    }
}

/// The version of the protocol; they differ in how errors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `{"rc": code}`.
    V1,
    /// `{"err": {"group": group, "rc": code}}` for errors of a group.
    V2,
}

/// The header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// What the packet is.
    pub op: Op,
    /// Of the protocol.
    pub version: Version,
    /// Of commands, see [`group`].
    pub group: u16,
    /// Counted by who asks; a reply has that of its request.
    pub sequence: u8,
    /// Within the group.
    pub command: u8,
}

impl Header {
    /// Takes a packet apart: its header, and its map. `None` where it is none, or has another length than it says.
    pub fn decode(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (header, body) = packet.split_first_chunk::<HEADER_BYTES>()?;
        let [first, _flags, l1, l0, g1, g0, sequence, command] = *header;
        if usize::from(u16::from_be_bytes([l1, l0])) != body.len() {
            return None;
        }
        let header = Self {
            op: *Op::ALL.get(usize::from(first & 7))?,
            version: match first >> 3 & 3 {
                0 => Version::V1,
                1 => Version::V2,
                _ => return None,
            },
            group: u16::from_be_bytes([g1, g0]),
            sequence,
            command,
        };
        Some((header, body))
    }

    /// The header of a map of so many bytes.
    pub fn encode(&self, body_bytes: u16) -> [u8; HEADER_BYTES] {
        let op = Op::ALL.iter().position(|op| *op == self.op).unwrap_or(0) as u8;
        let version = match self.version {
            Version::V1 => 0,
            Version::V2 => 1,
        };
        let [l1, l0] = body_bytes.to_be_bytes();
        let [g1, g0] = self.group.to_be_bytes();
        [
            op | version << 3,
            0,
            l1,
            l0,
            g1,
            g0,
            self.sequence,
            self.command,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for op in Op::ALL {
            for version in [Version::V1, Version::V2] {
                let header = Header {
                    op,
                    version,
                    group: 0x1234,
                    sequence: 7,
                    command: 9,
                };
                let mut packet = std::vec::Vec::from(header.encode(3));
                packet.extend([1, 2, 3]);
                assert_eq!(Header::decode(&packet), Some((header, &[1, 2, 3][..])));
                packet.push(4);
                assert_eq!(Header::decode(&packet), None);
            }
        }
    }

    #[test]
    fn what_is_no_packet_is_none() {
        assert_eq!(Header::decode(&[]), None);
        assert_eq!(Header::decode(&[0; 7]), None);
        assert!(Header::decode(&[0; 8]).is_some());
        assert_eq!(Header::decode(&[4, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Header::decode(&[2 << 3, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
