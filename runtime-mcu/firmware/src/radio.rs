//! Radios, and the packets of Bluetooth controllers on serial ports.

/// What a radio carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// Frames of Ethernet, without preamble and checksum: `WiFi`.
    Ethernet,
    /// Packets of Bluetooth's host controller interface, with the byte for their kind: Bluetooth Low Energy.
    Hci,
}

/// A radio, as far as it is a way for packets. Nothing of it waits.
pub trait Radio {
    /// Why it does not work.
    type Error: core::fmt::Debug;

    /// What it carries.
    const PACKETS: Packets;

    /// Takes the packet that came first of those not taken yet into `into`; gives its bytes, or `None` where there is
    /// none.
    ///
    /// # Errors
    /// Where the radio does not work, or the packet is longer than `into`, which loses it.
    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Self::Error>;

    /// Sends a packet; false where there is no room now.
    ///
    /// # Errors
    /// Where the radio does not work, or the packet is none.
    fn send(&mut self, packet: &[u8]) -> Result<bool, Self::Error>;
}

/// Most bytes of a packet of HCI that is taken: the longest event, and the longest data of a controller for Low Energy.
const HCI: usize = 5 + 255;

/// What is wrong with bytes of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HciError {
    /// No packet has this kind: the two ends are out of step, and the controller must be reset.
    Kind(u8),
    /// A packet says that it has this many bytes, more than are taken.
    Long(usize),
}

/// Finds packets in the bytes that a controller sends over a serial port (H4 of Bluetooth Core, volume 4, part A).
#[derive(Clone, Debug)]
pub struct Hci {
    packet: [u8; HCI],
    len: usize,
}

impl Default for Hci {
    fn default() -> Self {
        Self::new()
    }
}

impl Hci {
    /// Before the first packet.
    pub const fn new() -> Self {
        Self {
            packet: [0; HCI],
            len: 0,
        }
    }

    /// Takes a byte. Gives a packet, with the byte for its kind, when it is whole.
    ///
    /// # Errors
    /// Where it cannot belong to a packet; then the next byte begins one.
    pub fn push(&mut self, byte: u8) -> Result<Option<&[u8]>, HciError> {
        self.packet[self.len] = byte;
        self.len += 1;
        match Self::length(&self.packet[..self.len]) {
            Ok(Some(length)) if length == self.len => {
                self.len = 0;
                Ok(Some(&self.packet[..length]))
            }
            Ok(_) => Ok(None),
            Err(error) => {
                self.len = 0;
                Err(error)
            }
        }
    }

    /// Bytes of the packet that begins so, if its header is whole.
    fn length(bytes: &[u8]) -> Result<Option<usize>, HciError> {
        let length = match *bytes {
            // Data: handle, length of two bytes.
            [2, _, _, low, high, ..] => 5 + usize::from(u16::from_le_bytes([low, high])),
            // Event: code, length.
            [4, _, length, ..] => 3 + usize::from(length),
            [] | [2 | 4, ..] => return Ok(None),
            [kind, ..] => return Err(HciError::Kind(kind)),
        };
        if length > HCI {
            return Err(HciError::Long(length));
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Hci, HciError};

    fn feed(hci: &mut Hci, bytes: &[u8]) -> Vec<Result<Vec<u8>, HciError>> {
        let pushed = bytes.iter().map(|byte| {
            let pushed = hci.push(*byte);
            pushed.map(|p| p.map(<[u8]>::to_vec))
        });
        pushed.filter_map(Result::transpose).collect()
    }

    #[test]
    fn packets_are_found_one_behind_the_other() {
        // The event that ends a reset, an event without parameters, and data of two bytes.
        let reset = [4, 0x0E, 4, 1, 3, 0x0C, 0];
        let empty = [4, 0x10, 0];
        let data = [2, 0x40, 0x20, 2, 0, 7, 8];
        let mut hci = Hci::new();
        let found = feed(&mut hci, &[&reset[..], &empty, &data].concat());
        assert_eq!(
            found,
            [Ok(reset.to_vec()), Ok(empty.to_vec()), Ok(data.to_vec())]
        );
        let mut longest = [&[2, 0, 0, 255, 0][..], &[9; 255]].concat();
        assert_eq!(feed(&mut hci, &longest), [Ok(longest.clone())]);
        longest = [&[4, 1, 255][..], &[9; 255]].concat();
        assert_eq!(feed(&mut hci, &longest), [Ok(longest.clone())]);
    }

    #[test]
    fn what_is_no_packet_is_an_error_and_the_next_byte_begins_one() {
        let mut hci = Hci::new();
        assert_eq!(hci.push(0), Err(HciError::Kind(0)));
        assert_eq!(hci.push(1), Err(HciError::Kind(1)));
        let found = feed(&mut hci, &[2, 0, 0, 0, 1, 4, 0x10, 0]);
        assert_eq!(found, [Err(HciError::Long(261)), Ok([4, 0x10, 0].to_vec())]);
    }
}
