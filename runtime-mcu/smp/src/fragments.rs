//! Packets in pieces, as BLE carries them: each as long as the link allows, one behind the other.

use crate::HEADER_BYTES;

/// The service of SMP: `8D53DC1D-1DB7-4CD3-868B-8A527460AA84`.
pub const SERVICE: u128 = 0x8D53_DC1D_1DB7_4CD3_868B_8A52_7460_AA84;
/// Its one characteristic: `DA2E7828-FBCE-4E01-AE9E-261174997C48`.
pub const CHARACTERISTIC: u128 = 0xDA2E_7828_FBCE_4E01_AE9E_2611_7499_7C48;

/// Puts pieces together to packets of at most `N` bytes.
#[derive(Clone, Debug)]
pub struct Assembler<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

/// Why pieces are no packet. They are forgotten; the next piece begins one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The packet would be longer than there is room.
    TooLong,
    /// A piece has bytes behind the end of its packet.
    BeyondEnd,
}

impl<const N: usize> Assembler<N> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            used: 0,
        }
    }

    /// Takes the next piece; gives the packet that it completes.
    ///
    /// # Errors
    /// Where the pieces are no packet.
    pub fn take(&mut self, piece: &[u8]) -> Result<Option<&[u8]>, Broken> {
        let end = self.used + piece.len();
        let Some(room) = self.bytes.get_mut(self.used..end) else {
            self.used = 0;
            return Err(Broken::TooLong);
        };
        room.copy_from_slice(piece);
        self.used = end;
        if end < HEADER_BYTES {
            return Ok(None);
        }
        let body = u16::from_be_bytes([self.bytes[2], self.bytes[3]]);
        let whole = HEADER_BYTES + usize::from(body);
        if whole > N || end > whole {
            self.used = 0;
            return Err(if whole > N {
                Broken::TooLong
            } else {
                Broken::BeyondEnd
            });
        }
        if end < whole {
            return Ok(None);
        }
        self.used = 0;
        Ok(Some(&self.bytes[..whole]))
    }

    /// Forgets what has come of a packet, as when the link was cut.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}

impl<const N: usize> Default for Assembler<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_length_make_the_packet() {
        let packet = [2, 0, 0, 5, 0, 1, 7, 1, 10, 11, 12, 13, 14];
        for length in 1..=packet.len() {
            let mut assembler = Assembler::<16>::new();
            for _ in 0..3 {
                let mut pieces = packet.chunks(length).peekable();
                while let Some(piece) = pieces.next() {
                    let whole = pieces.peek().is_none().then_some(&packet[..]);
                    assert_eq!(assembler.take(piece), Ok(whole));
                }
            }
        }
    }

    #[test]
    fn what_is_no_packet_is_forgotten() {
        let packet = [2, 0, 0, 1, 0, 1, 7, 1, 10];
        let mut assembler = Assembler::<12>::new();
        assert_eq!(
            assembler.take(&[2, 0, 1, 0, 0, 0, 0, 0]),
            Err(Broken::TooLong)
        );
        assert_eq!(assembler.take(&[0; 13]), Err(Broken::TooLong));
        assert_eq!(assembler.take(&packet[..3]), Ok(None));
        assert_eq!(
            assembler.take(&[1, 0, 1, 7, 1, 10, 11]),
            Err(Broken::BeyondEnd)
        );
        assert_eq!(assembler.take(&packet[..3]), Ok(None));
        assembler.clear();
        assert_eq!(assembler.take(&packet), Ok(Some(&packet[..])));
    }
}
