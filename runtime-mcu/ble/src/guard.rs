//! What of a central's data is let through. The host below indexes into requests without a look at their lengths, and a
//! central must not be able to stop a device: so data is put together here, and what is not as it should be is dropped.

/// Most bytes of what belongs together: the longest request for which the host has room.
const LONGEST: usize = 247;
/// Bytes of the header of L2CAP: length and channel.
const L2CAP: usize = 4;
/// Bytes of the header of a packet of data: handle and length, without the byte for its kind.
const ACL: usize = 4;

/// Bits of the handle, and the two that say how a packet begins.
const HANDLE: u16 = 0x0FFF;
const BOUNDARY: u16 = 0x3000;
const FIRST: u16 = 0x2000;
const CONTINUING: u16 = 0x1000;

/// The channel of the attribute protocol. Nothing else is spoken: there is no pairing, and no other channel.
const ATT: u16 = 4;

/// Puts data of one link together.
pub(crate) struct Guard {
    packet: [u8; ACL + L2CAP + LONGEST],
    handle: u16,
    /// Bytes of data that are there, and that there are to be; nothing is awaited where both are none.
    used: usize,
    whole: usize,
}

impl Guard {
    pub(crate) const fn new() -> Self {
        Self {
            packet: [0; ACL + L2CAP + LONGEST],
            handle: 0,
            used: 0,
            whole: 0,
        }
    }

    /// Takes a packet of data. Gives what it completes as one packet, if that is let through.
    pub(crate) fn data(&mut self, packet: &[u8]) -> Option<&[u8]> {
        let (header, data) = packet.split_at_checked(ACL)?;
        let handle = u16::from_le_bytes([header[0], header[1]]);
        match handle & BOUNDARY {
            FIRST => {
                let length = data.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
                self.used = 0;
                self.whole = length.map_or(0, |length| L2CAP + usize::from(length));
                self.handle = handle & HANDLE;
            }
            CONTINUING if handle & HANDLE == self.handle => {}
            _ => self.whole = 0,
        }
        let end = self.used + data.len();
        let room = self.packet[ACL..].get_mut(self.used..end);
        let Some(room) = room.filter(|_| end <= self.whole) else {
            (self.used, self.whole) = (0, 0);
            return None;
        };
        room.copy_from_slice(data);
        self.used = end;
        if end < self.whole || end < L2CAP {
            return None;
        }
        (self.used, self.whole) = (0, 0);
        let packet = &mut self.packet[..ACL + end];
        let [_, _, _, _, _, _, low, high, request @ ..] = &*packet else {
            return None;
        };
        if u16::from_le_bytes([*low, *high]) != ATT || !is_request(request) {
            return None;
        }
        packet[..2].copy_from_slice(&(self.handle | FIRST).to_le_bytes());
        packet[2..ACL].copy_from_slice(&(end as u16).to_le_bytes());
        Some(packet)
    }
}

/// Whether it is a request or command of the attribute protocol whose length is right. Others are let through if a server
/// may be asked so: they are answered with an error.
fn is_request(request: &[u8]) -> bool {
    let Some((opcode, rest)) = request.split_first() else {
        return false;
    };
    match opcode {
        // The longest packet.
        0x02 => rest.len() == 2,
        // Attributes, by their handles.
        0x04 => rest.len() == 4,
        0x06 => rest.len() >= 6,
        0x08 => [6, 20].contains(&rest.len()),
        // By their group: only short names are of groups.
        0x10 => rest.len() == 6,
        // Reading, at an offset too, and several.
        0x0A => rest.len() == 2,
        0x0C => rest.len() == 4,
        0x0E | 0x20 => rest.len() >= 4 && rest.len().is_multiple_of(2),
        // Writing, with an answer and without one.
        0x12 | 0x52 => rest.len() >= 2,
        // Writing in parts.
        0x16 => rest.len() >= 4,
        0x18 => rest.len() == 1,
        // What only a server says, a confirmation of what is never sent, and a command that is signed.
        opcode => opcode.is_multiple_of(2) && ![0x1E, 0xD2].contains(opcode),
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    /// Packets of data of at most `size` bytes for what belongs together.
    fn packets(channel: u16, request: &[u8], size: usize) -> Vec<Vec<u8>> {
        let length = (request.len() as u16).to_le_bytes();
        let whole = [&length[..], &channel.to_le_bytes(), request].concat();
        let mut boundary = FIRST;
        let mut packets = vec![];
        for part in whole.chunks(size) {
            let handle = (0x42 | boundary).to_le_bytes();
            packets.push([&handle[..], &(part.len() as u16).to_le_bytes(), part].concat());
            boundary = CONTINUING;
        }
        packets
    }

    fn through(guard: &mut Guard, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let given = packets.iter().filter_map(|packet| {
            let given = guard.data(packet)?;
            Some(given.to_vec())
        });
        given.collect()
    }

    #[test]
    fn a_request_comes_through_whole_however_it_was_cut() {
        let mut write = vec![0x52, 9, 0];
        write.extend(0..200);
        let whole = packets(ATT, &write, 300);
        let mut guard = Guard::new();
        for size in [4, 5, 27, 100, 206, 207, 300] {
            for _ in 0..2 {
                assert_eq!(through(&mut guard, &packets(ATT, &write, size)), whole);
            }
        }
        let longest = [&[0x52][..], &[7; LONGEST - 1]].concat();
        assert_eq!(
            through(&mut guard, &packets(ATT, &longest, 27)),
            packets(ATT, &longest, 300)
        );
    }

    #[test]
    fn what_is_not_as_it_should_be_is_dropped_and_the_next_one_comes_through() {
        let right = packets(ATT, &[0x0A, 3, 0], 27);
        let too_long = packets(ATT, &[0x52; LONGEST + 1], 27);
        let mut torn = packets(ATT, &[0x52; 100], 27);
        torn.remove(0);
        let mut more = packets(ATT, &[0x0A, 3, 0], 5);
        more[1].push(0);
        let mut other = packets(ATT, &[0x0A, 3, 0], 5);
        other[1][0] ^= 1;
        let wrong = [
            vec![],
            vec![vec![]],
            vec![vec![0x42, 0x20, 0]],
            vec![vec![0x42, 0x20, 1, 0, 5]],
            vec![vec![0x42, 0x30, 0, 0]],
            packets(ATT, &[], 27),
            too_long,
            torn,
            more,
            other,
            packets(5, &[0x12, 1, 8, 0, 6, 0, 6, 0, 0, 0, 100, 0], 27),
            packets(6, &[1, 3, 0, 1, 16, 7, 7], 27),
            packets(0x40, &[1, 0, 5], 27),
        ];
        let mut guard = Guard::new();
        for packets in wrong {
            assert_eq!(through(&mut guard, &packets), Vec::<Vec<u8>>::new());
            assert_eq!(through(&mut guard, &right), right);
        }
    }

    #[test]
    fn requests_have_the_lengths_that_the_protocol_gives_them() {
        let right = [
            (0x02, &[2][..]),
            (0x04, &[4]),
            (0x08, &[6, 20]),
            (0x0A, &[2]),
            (0x0C, &[4]),
            (0x10, &[6]),
            (0x18, &[1]),
            (0x01, &[]),
            (0x0B, &[]),
            (0x1E, &[]),
            (
                0x20,
                &[
                    4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38,
                ],
            ),
            (0xD2, &[]),
        ];
        for (opcode, lengths) in right {
            for length in 0..40 {
                let request = [&[opcode][..], &vec![0; length]].concat();
                let is_right = lengths.contains(&length);
                assert_eq!(is_request(&request), is_right, "{opcode:#x} {length}");
            }
        }
        assert!(is_request(&[0x22]) && is_request(&[0x12, 0, 0]) && !is_request(&[0x52, 0]));
    }
}
