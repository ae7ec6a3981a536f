//! Frames: a payload and its checksum between zeros, which COBS keeps out of them.
//!
//! A frame is a 0, the payload and its CRC-16 (XMODEM, little-endian) in COBS, and a 0. Whatever went wrong before, a
//! reader is in step again at the next 0.

use crc::{CRC_16_XMODEM, Crc, NoTable};

/// Most bytes of a payload.
pub const PAYLOAD_BYTES: usize = 1024;
/// Most bytes of a frame.
pub const FRAME_BYTES: usize = 2 + FULL + FULL.div_ceil(MOST_OF_BLOCK);

const FULL: usize = PAYLOAD_BYTES + 2;
/// Most bytes of a block of COBS that is not ended by a zero.
const MOST_OF_BLOCK: usize = 254;
const CRC: Crc<u16, NoTable> = Crc::<u16, NoTable>::new(&CRC_16_XMODEM);

/// A frame to be sent.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: [u8; FRAME_BYTES],
    len: usize,
}

impl Frame {
    /// The frame of a payload.
    ///
    /// # Panics
    /// Where the payload is longer than [`PAYLOAD_BYTES`].
    pub fn new(payload: &[u8]) -> Self {
        assert!(payload.len() <= PAYLOAD_BYTES, "a payload has a limit");
        let mut frame = Self {
            bytes: [0; FRAME_BYTES],
            len: 2,
        };
        // The place of the code of the block that is being written.
        let mut code = 1;
        let sum = CRC.checksum(payload).to_le_bytes();
        for &byte in payload.iter().chain(&sum) {
            if frame.len - code > MOST_OF_BLOCK {
                frame.bytes[code] = 0xFF;
                code = frame.len;
                frame.len += 1;
            }
            if byte == 0 {
                frame.bytes[code] = (frame.len - code) as u8;
                code = frame.len;
            }
            frame.bytes[frame.len] = byte;
            frame.len += 1;
        }
        frame.bytes[code] = (frame.len - code) as u8;
        frame.len += 1;
        frame
    }

    /// What to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Bytes between two zeros that are no frame: damaged, cut short or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Finds frames in a stream of bytes.
#[derive(Clone, Debug)]
pub struct Decoder {
    bytes: [u8; FULL],
    len: usize,
    /// The code of the block that is being read, 0 before the first, and its bytes that are still to come.
    code: u8,
    left: u8,
    is_too_long: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// One that waits for a frame.
    pub const fn new() -> Self {
        Self {
            bytes: [0; FULL],
            len: 0,
            code: 0,
            left: 0,
            is_too_long: false,
        }
    }

    /// Takes the next byte; gives the payload of the frame that it ends, if it ends one.
    pub fn push(&mut self, byte: u8) -> Option<Result<&[u8], Broken>> {
        if byte == 0 {
            return self.end();
        }
        if self.left > 0 {
            self.left -= 1;
            self.put(byte);
            return None;
        }
        if self.code != 0 && self.code != 0xFF {
            self.put(0);
        }
        self.code = byte;
        self.left = byte - 1;
        None
    }

    fn put(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.is_too_long = true,
        }
    }

    fn end(&mut self) -> Option<Result<&[u8], Broken>> {
        let Self {
            len,
            code,
            left,
            is_too_long,
            ..
        } = *self;
        (self.len, self.code, self.left, self.is_too_long) = (0, 0, 0, false);
        if code == 0 {
            return None;
        }
        let payload = self.bytes[..len]
            .split_last_chunk()
            .filter(|(payload, sum)| CRC.checksum(payload) == u16::from_le_bytes(**sum))
            .filter(|_| left == 0 && !is_too_long);
        Some(payload.map(|(payload, _)| payload).ok_or(Broken))
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    fn decoded(bytes: &[u8]) -> Vec<Result<Vec<u8>, Broken>> {
        let mut decoder = Decoder::new();
        let mut found = vec![];
        for &byte in bytes {
            found.extend(decoder.push(byte).map(|f| f.map(<[u8]>::to_vec)));
        }
        found
    }

    /// Payloads around every border of a block, of zeros, of none, and mixed.
    #[test]
    fn frames_come_out_as_they_went_in() {
        for len in (0..600).chain([PAYLOAD_BYTES - 1, PAYLOAD_BYTES]) {
            for zeros in [0, 1, 2, 7, 254, 255] {
                let payload: Vec<u8> = (0..len)
                    .map(|i| {
                        if zeros > 0 && i % zeros == 0 {
                            0
                        } else {
                            (i % 255 + 1) as u8
                        }
                    })
                    .collect();
                let frame = Frame::new(&payload);
                let bytes = frame.as_bytes();
                let inside = &bytes[1..bytes.len() - 1];
                assert!(!inside.contains(&0), "{len} {zeros}");
                assert_eq!(decoded(bytes), [Ok(payload)], "{len} {zeros}");
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed_and_the_next_frame_read() {
        let payload = b"a payload with \0 zeros \0\0";
        let frame = Frame::new(payload);
        for place in 1..frame.as_bytes().len() - 1 {
            for bit in 0..8 {
                let mut bytes = frame.as_bytes().to_vec();
                bytes[place] ^= 1 << bit;
                bytes.extend(frame.as_bytes());
                let found = decoded(&bytes);
                let (last, before) = found.split_last().expect("the second frame is whole");
                assert_eq!(last.as_deref(), Ok(&payload[..]));
                assert!(before.iter().all(Result::is_err), "{place} {bit}");
            }
        }
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_broken() {
        let whole = Frame::new(&[7; 20]);
        let short = &whole.as_bytes()[..10];
        let long = vec![9; 5 * FRAME_BYTES];
        let bytes = [short, &[0], &long, whole.as_bytes()].concat();
        assert_eq!(decoded(&bytes), [Err(Broken), Err(Broken), Ok(vec![7; 20])]);
    }
}
