//! Where requests come from, and where their replies go.

use rune_link::{Decoder, Frame, PAYLOAD_BYTES, frame::Broken};

/// The links of a board.
pub trait Links {
    /// Lets each go on; false where one cannot.
    fn poll(&mut self) -> bool {
        true
    }

    /// The payload of the next frame of any link: its bytes.
    fn receive(&mut self, payload: &mut [u8; PAYLOAD_BYTES]) -> Option<Result<usize, Broken>>;

    /// Sends a payload to who asked last.
    fn reply(&mut self, payload: &[u8]);

    /// Bytes from hosts that were lost since the start, because nobody read them in time.
    fn lost(&self) -> u32;
}

/// A port through which bytes go.
pub trait Port {
    /// The byte that came first of those not read yet.
    fn receive(&mut self) -> Option<u8>;

    /// Sends bytes, or loses them where nobody takes them for a while: it does not wait without end.
    fn send(&mut self, bytes: &[u8]);

    /// Bytes that were lost since the start.
    fn lost(&self) -> u32;
}

/// A port, as frames.
pub struct Serial<P> {
    port: P,
    decoder: Decoder,
}

impl<P: Port> Serial<P> {
    /// Before the first frame.
    pub const fn new(port: P) -> Self {
        Self {
            port,
            decoder: Decoder::new(),
        }
    }
}

impl<P: Port> Links for Serial<P> {
    fn receive(&mut self, payload: &mut [u8; PAYLOAD_BYTES]) -> Option<Result<usize, Broken>> {
        while let Some(byte) = self.port.receive() {
            match self.decoder.push(byte) {
                None => {}
                Some(Ok(received)) => {
                    payload[..received.len()].copy_from_slice(received);
                    return Some(Ok(received.len()));
                }
                Some(Err(_)) => return Some(Err(Broken)),
            }
        }
        None
    }

    fn reply(&mut self, payload: &[u8]) {
        self.port.send(Frame::new(payload).as_bytes());
    }

    fn lost(&self) -> u32 {
        self.port.lost()
    }
}
