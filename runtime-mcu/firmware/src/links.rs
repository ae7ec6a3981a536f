//! Where requests come from, and where their replies go.

use rune_link::{Decoder, Frame, PAYLOAD_BYTES, frame::Broken};
#[cfg(feature = "smp")]
use rune_smp::serial;

/// Most bytes of what comes at once: a packet in a datagram that Ethernet does not cut, as clients send them whatever they
/// are told. On a port it is as long as a payload at most.
pub const RECEIVED_BYTES: usize = if cfg!(feature = "smp") {
    1472
} else {
    PAYLOAD_BYTES
};

/// What came from a host, with its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The payload of a frame of `rune_link`.
    Frame(usize),
    /// A packet of SMP.
    #[cfg(feature = "smp")]
    Packet(usize),
}

/// The links of a board.
pub trait Links {
    /// Lets each go on; false where one cannot.
    fn poll(&mut self) -> bool {
        true
    }

    /// The payload of the next frame, or the next packet, of any link.
    fn receive(&mut self, payload: &mut [u8; RECEIVED_BYTES]) -> Option<Result<Received, Broken>>;

    /// Sends a payload, or a packet, to who asked last: what was asked in.
    fn reply(&mut self, payload: &[u8]);

    /// Whether who asked last is near, at a port or a radio of the board, and not on a network.
    fn is_near(&self) -> bool {
        true
    }

    /// Bytes from hosts that were lost since the start, because nobody read them in time.
    fn lost(&self) -> u32;

    /// What the board is called on its networks, where no other one has that name, in at most [`NAME_BYTES`] bytes;
    /// `None` where it has no such name.
    fn name(&self) -> Option<&str> {
        None
    }
}

/// Most bytes of what a board is called.
pub const NAME_BYTES: usize = 32;

/// A port through which bytes go.
pub trait Port {
    /// The byte that came first of those not read yet.
    fn receive(&mut self) -> Option<u8>;

    /// Sends bytes, or loses them where nobody takes them for a while: it does not wait without end.
    fn send(&mut self, bytes: &[u8]);

    /// Bytes that were lost since the start.
    fn lost(&self) -> u32;
}

/// Bytes of a packet, and of its length and checksum.
#[cfg(feature = "smp")]
const PACKET: usize = PAYLOAD_BYTES + 4;

/// A port, on which frames and the lines of packets come one after the other, and text that is neither.
pub struct Serial<P> {
    port: P,
    decoder: Decoder,
    #[cfg(feature = "smp")]
    packets: serial::Decoder<PACKET>,
    /// Whether a packet came last.
    #[cfg(feature = "smp")]
    is_packet: bool,
}

impl<P: Port> Serial<P> {
    /// Before the first frame.
    pub const fn new(port: P) -> Self {
        Self {
            port,
            decoder: Decoder::new(),
            #[cfg(feature = "smp")]
            packets: serial::Decoder::new(),
            #[cfg(feature = "smp")]
            is_packet: false,
        }
    }
}

impl<P: Port> Links for Serial<P> {
    fn receive(&mut self, payload: &mut [u8; RECEIVED_BYTES]) -> Option<Result<Received, Broken>> {
        while let Some(byte) = self.port.receive() {
            #[cfg(feature = "smp")]
            if byte == 0 {
                // A frame begins or ends; no line has one.
                self.packets.clear_line();
            } else if let Some(Ok(packet)) = self.packets.take(byte) {
                // Its lines were no part of a frame.
                self.decoder = Decoder::new();
                self.is_packet = true;
                payload[..packet.len()].copy_from_slice(packet);
                return Some(Ok(Received::Packet(packet.len())));
            }
            match self.decoder.push(byte) {
                None => {}
                Some(Ok(received)) => {
                    payload[..received.len()].copy_from_slice(received);
                    let bytes = received.len();
                    #[cfg(feature = "smp")]
                    {
                        self.is_packet = false;
                    }
                    return Some(Ok(Received::Frame(bytes)));
                }
                Some(Err(_)) => return Some(Err(Broken)),
            }
        }
        None
    }

    fn reply(&mut self, payload: &[u8]) {
        #[cfg(feature = "smp")]
        if self.is_packet {
            serial::encode(payload, |line| self.port.send(line));
            return;
        }
        self.port.send(Frame::new(payload).as_bytes());
    }

    fn lost(&self) -> u32 {
        self.port.lost()
    }
}
