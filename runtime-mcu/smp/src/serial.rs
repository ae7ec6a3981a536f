//! Packets on a serial line, as lines of base64: a console may print between them.
//!
//! A line begins with `06 09`, one that goes on with a packet with `04 14`, and ends with a newline. Between is, in base64,
//! the length of what follows as two bytes, the packet, and its CRC-16 (XMODEM); a line is a piece of that.

use base64ct::{Base64, Encoding};
use crc::{CRC_16_XMODEM, Crc, NoTable};

const CRC: Crc<u16, NoTable> = Crc::<u16, NoTable>::new(&CRC_16_XMODEM);
const BEGIN: [u8; 2] = [6, 9];
const GOES_ON: [u8; 2] = [4, 20];
/// The longest line, with its two bytes before and its newline.
pub const LINE_BYTES: usize = 127;
/// Bytes of a packet and what is around it in a whole line: a multiple of three, so that lines need no filling.
const PIECE: usize = (LINE_BYTES - 3) / 4 * 3;

/// Writes a packet as lines, in pieces that `out` takes one after the other.
pub fn encode(packet: &[u8], mut out: impl FnMut(&[u8])) {
    let Ok(length) = u16::try_from(packet.len() + 2) else {
        return;
    };
    let (length, checksum) = (length.to_be_bytes(), CRC.checksum(packet).to_be_bytes());
    let parts = [&length[..], packet, &checksum];
    let mut bytes = parts.into_iter().flatten().copied().peekable();
    let mut begin = BEGIN;
    while bytes.peek().is_some() {
        let mut piece = [0; PIECE];
        let mut used = 0;
        for (to, byte) in piece.iter_mut().zip(&mut bytes) {
            *to = byte;
            used += 1;
        }
        let mut line = [0; LINE_BYTES];
        line[..2].copy_from_slice(&begin);
        let text = Base64::encode(&piece[..used], &mut line[2..LINE_BYTES - 1]);
        let end = 2 + text.map_or(0, str::len);
        line[end] = b'\n';
        out(&line[..=end]);
        begin = GOES_ON;
    }
}

/// Finds packets of at most `N` bytes, less four, among whatever comes.
#[derive(Clone, Debug)]
pub struct Decoder<const N: usize> {
    line: [u8; LINE_BYTES],
    /// Bytes of the line; more than there is room for, where it was too long.
    line_used: usize,
    packet: [u8; N],
    /// Bytes of length, packet and checksum so far; `None` between packets.
    used: Option<usize>,
}

/// Why lines are no packet. What has come of it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A line that goes on with a packet, and none has begun.
    NoBegin,
    /// What is in a line is not base64.
    NotBase64,
    /// The packet would be longer than there is room.
    TooLong,
    /// It is shorter than its checksum.
    TooShort,
    /// Lines have bytes behind its end.
    BeyondEnd,
    /// It is not what was sent.
    Checksum,
}

impl<const N: usize> Decoder<N> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            line: [0; LINE_BYTES],
            line_used: 0,
            packet: [0; N],
            used: None,
        }
    }

    /// Takes the next byte; gives the packet that it completes. Lines that are none of a packet are left out.
    ///
    /// # Errors
    /// Where lines of packets are no packet.
    pub fn take(&mut self, byte: u8) -> Option<Result<&[u8], Broken>> {
        if byte != b'\n' {
            if let Some(to) = self.line.get_mut(self.line_used) {
                *to = byte;
            }
            self.line_used = (self.line_used + 1).min(LINE_BYTES + 1);
            return None;
        }
        let used = core::mem::take(&mut self.line_used);
        let line = self.line.get(..used)?;
        // A console may have left something at the begin of the line, and a carriage return at its end.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let marked = |mark: [u8; 2]| line.windows(2).position(|two| two == mark);
        let (at, begins) = match (marked(BEGIN), marked(GOES_ON)) {
            (Some(at), _) => (at, true),
            (None, Some(at)) => (at, false),
            (None, None) => return None,
        };
        let text = at + 2..line.len();
        match self.piece(text, begins) {
            Ok(None) => None,
            Ok(Some(end)) => Some(Ok(&self.packet[2..end])),
            Err(broken) => {
                self.used = None;
                Some(Err(broken))
            }
        }
    }

    /// Forgets the line that has begun, as where something else comes on the same port.
    pub fn clear_line(&mut self) {
        self.line_used = 0;
    }

    /// Takes what is in a line; gives where the packet ends that it completes.
    fn piece(
        &mut self,
        text: core::ops::Range<usize>,
        begins: bool,
    ) -> Result<Option<usize>, Broken> {
        let from = match (begins, self.used) {
            // The end of a packet before it was lost, and so is that.
            (true, _) => 0,
            (false, Some(used)) => used,
            (false, None) => return Err(Broken::NoBegin),
        };
        let mut bytes = [0; LINE_BYTES];
        let bytes = Base64::decode(&self.line[text], &mut bytes).map_err(|_| Broken::NotBase64)?;
        let end = from + bytes.len();
        let room = self.packet.get_mut(from..end).ok_or(Broken::TooLong)?;
        room.copy_from_slice(bytes);
        self.used = Some(end);
        if end < 2 {
            return Ok(None);
        }
        let length = usize::from(u16::from_be_bytes([self.packet[0], self.packet[1]]));
        let whole = 2 + length;
        if length < 2 {
            return Err(Broken::TooShort);
        }
        if whole > N {
            return Err(Broken::TooLong);
        }
        if end < whole {
            return Ok(None);
        }
        if end > whole {
            return Err(Broken::BeyondEnd);
        }
        self.used = None;
        let (packet, checksum) = self.packet[2..whole].split_at(length - 2);
        if CRC.checksum(packet).to_be_bytes() != checksum {
            return Err(Broken::Checksum);
        }
        Ok(Some(whole - 2))
    }
}

impl<const N: usize> Default for Decoder<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    fn lines(packet: &[u8]) -> Vec<u8> {
        let mut lines = vec![];
        encode(packet, |line| lines.extend_from_slice(line));
        lines
    }

    fn all(decoder: &mut Decoder<1024>, bytes: &[u8]) -> Vec<Result<Vec<u8>, Broken>> {
        let packets = bytes.iter().filter_map(|byte| {
            let packet = decoder.take(*byte)?;
            Some(packet.map(<[u8]>::to_vec))
        });
        packets.collect()
    }

    #[test]
    fn lines_are_as_others_write_them() {
        // As PyPI's `smp` documents it.
        assert_eq!(
            lines(b"Hello, world!"),
            b"\x06\x09AA9IZWxsbywgd29ybGQhet4=\n"
        );
    }

    #[test]
    fn packets_of_every_length_come_through_beside_a_console() {
        let mut decoder = Decoder::<1024>::new();
        for length in 0..1020 {
            let packet: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            let mut bytes = b"boot \x06 ok\r\n".to_vec();
            let lines = lines(&packet);
            assert!(
                lines
                    .split(|b| *b == b'\n')
                    .all(|line| line.len() < LINE_BYTES)
            );
            for line in lines.split_inclusive(|b| *b == b'\n') {
                bytes.extend_from_slice(line);
                bytes.extend_from_slice(b"\nsomething else, and long: ");
                bytes.extend_from_slice(&[b'.'; 300]);
                bytes.push(b'\n');
            }
            assert_eq!(all(&mut decoder, &bytes), [Ok(packet)], "{length}");
        }
    }

    #[test]
    fn what_is_damaged_is_said_and_the_next_packet_comes_through() {
        let good = lines(&[5; 200]);
        let mut decoder = Decoder::<1024>::new();
        let mut damaged = |bytes: &[u8]| {
            let packets = all(&mut decoder, bytes);
            assert_eq!(all(&mut decoder, &good), [Ok(vec![5; 200])]);
            packets
        };
        assert_eq!(damaged(b"\x04\x14AAAA\n"), [Err(Broken::NoBegin)]);
        assert_eq!(damaged(b"\x06\x09AA*A\n"), [Err(Broken::NotBase64)]);
        assert_eq!(damaged(b"\x06\x09AAEA\n"), [Err(Broken::TooShort)]);
        assert_eq!(damaged(b"\x06\x09//8A\n"), [Err(Broken::TooLong)]);
        assert_eq!(damaged(b"\x06\x09AAIAAAAA\n"), [Err(Broken::BeyondEnd)]);
        assert_eq!(damaged(b"\x06\x09AAMBAAA=\n"), [Err(Broken::Checksum)]);
        // Its end is lost.
        let first = good.iter().position(|b| *b == b'\n').unwrap();
        assert_eq!(damaged(&good[..=first]), []);
    }

    #[test]
    fn no_bytes_make_it_panic_and_none_come_through_that_were_not_sent() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 56) as u8
        };
        let mut decoder = Decoder::<64>::new();
        let text = b"\x06\x09\x04\x14\nAB/+=\r\xff";
        for _ in 0..2_000_000 {
            let byte = text[usize::from(next()) % text.len()];
            if let Some(Ok(packet)) = decoder.take(byte) {
                // By chance a checksum is right now and then, of what is short.
                assert!(packet.len() <= 60);
            }
        }
    }
}
