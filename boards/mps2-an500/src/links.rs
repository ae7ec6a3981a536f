//! Where requests come from, and where their replies go: the serial port, and Ethernet where it is built in.

use rune_link::{Decoder, Frame, PAYLOAD_BYTES, frame::Broken};

#[cfg(feature = "ethernet")]
use crate::ethernet::Ethernet;
use crate::uart::Link;

/// A link.
#[derive(Clone, Copy)]
enum Asker {
    Serial,
    #[cfg(feature = "ethernet")]
    Ethernet,
}

/// The links of the board.
pub(crate) struct Links {
    serial: Serial,
    #[cfg(feature = "ethernet")]
    ethernet: Option<&'static mut Ethernet>,
    /// Who asked last.
    asker: Asker,
}

impl Links {
    /// Starts all of them. To be called once.
    pub(crate) fn start() -> Self {
        Self {
            serial: Serial {
                port: Link::start(),
                decoder: Decoder::new(),
            },
            #[cfg(feature = "ethernet")]
            ethernet: Ethernet::start(),
            asker: Asker::Serial,
        }
    }

    /// Lets each go on; false where one cannot.
    #[cfg_attr(
        not(feature = "ethernet"),
        expect(clippy::unused_self, reason = "the serial port goes on by itself")
    )]
    pub(crate) fn poll(&mut self) -> bool {
        #[cfg(feature = "ethernet")]
        if let Some(ethernet) = &mut self.ethernet {
            return ethernet.poll();
        }
        true
    }

    /// The payload of the next frame of any link: its bytes. Who asked last waits where another asks too.
    pub(crate) fn receive(
        &mut self,
        payload: &mut [u8; PAYLOAD_BYTES],
    ) -> Option<Result<usize, Broken>> {
        #[cfg(feature = "ethernet")]
        if matches!(self.asker, Asker::Serial)
            && let Some(received) = self.ethernet.as_mut().and_then(|e| e.receive(payload))
        {
            self.asker = Asker::Ethernet;
            return Some(received);
        }
        if let Some(received) = self.serial.receive(payload) {
            self.asker = Asker::Serial;
            return Some(received);
        }
        #[cfg(feature = "ethernet")]
        if let Some(received) = self.ethernet.as_mut().and_then(|e| e.receive(payload)) {
            self.asker = Asker::Ethernet;
            return Some(received);
        }
        None
    }

    /// Sends a payload to who asked last.
    pub(crate) fn reply(&mut self, payload: &[u8]) {
        match self.asker {
            Asker::Serial => self.serial.port.send(Frame::new(payload).as_bytes()),
            #[cfg(feature = "ethernet")]
            Asker::Ethernet => {
                if let Some(ethernet) = &mut self.ethernet {
                    ethernet.reply(payload);
                }
            }
        }
    }

    /// Bytes that were lost since the start, because nobody read them in time.
    pub(crate) fn lost(&self) -> u32 {
        self.serial.port.lost()
    }
}

/// The serial port, as frames.
struct Serial {
    port: Link,
    decoder: Decoder,
}

impl Serial {
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
}
