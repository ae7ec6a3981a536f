//! Packets in the bytes of a Bluetooth controller (H4 of Bluetooth Core, volume 4, part A).

/// Most bytes of a packet of HCI that is taken: the longest event, and the longest data of a controller for Low Energy.
pub const PACKET_BYTES: usize = 5 + 255;

/// What is wrong with bytes of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H4Error {
    /// No packet has this kind: the two ends are out of step, and the controller must be reset.
    Kind(u8),
    /// A packet says that it has this many bytes, more than are taken.
    Long(usize),
}

/// Finds packets in the bytes that a controller sends over a serial port.
#[derive(Clone, Debug)]
pub struct H4 {
    packet: [u8; PACKET_BYTES],
    len: usize,
}

impl Default for H4 {
    fn default() -> Self {
        Self::new()
    }
}

impl H4 {
    /// Before the first packet.
    pub const fn new() -> Self {
        Self {
            packet: [0; PACKET_BYTES],
            len: 0,
        }
    }

    /// Takes a byte. Gives a packet, with the byte for its kind, when it is whole.
    ///
    /// # Errors
    /// Where it cannot belong to a packet; then the next byte begins one.
    pub fn push(&mut self, byte: u8) -> Result<Option<&[u8]>, H4Error> {
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

    /// The bytes of the packet that was whole last, if nothing came since.
    pub(crate) fn last(&self, bytes: usize) -> &[u8] {
        &self.packet[..bytes]
    }

    /// Bytes of the packet that begins so, if its header is whole.
    fn length(bytes: &[u8]) -> Result<Option<usize>, H4Error> {
        let length = match *bytes {
            // Data: handle, length of two bytes.
            [2, _, _, low, high, ..] => 5 + usize::from(u16::from_le_bytes([low, high])),
            // Event: code, length.
            [4, _, length, ..] => 3 + usize::from(length),
            [] | [2 | 4, ..] => return Ok(None),
            [kind, ..] => return Err(H4Error::Kind(kind)),
        };
        if length > PACKET_BYTES {
            return Err(H4Error::Long(length));
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{H4, H4Error};

    fn feed(hci: &mut H4, bytes: &[u8]) -> Vec<Result<Vec<u8>, H4Error>> {
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
        let mut hci = H4::new();
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
        let mut hci = H4::new();
        assert_eq!(hci.push(0), Err(H4Error::Kind(0)));
        assert_eq!(hci.push(1), Err(H4Error::Kind(1)));
        let found = feed(&mut hci, &[2, 0, 0, 0, 1, 4, 0x10, 0]);
        assert_eq!(found, [Err(H4Error::Long(261)), Ok([4, 0x10, 0].to_vec())]);
    }
}
