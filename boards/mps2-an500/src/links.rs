//! Where requests come from, and where their replies go: the serial port, and Ethernet where it is built in.

use rune_firmware::{RECEIVED_BYTES, Received, Serial};
use rune_link::frame::Broken;

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
    serial: Serial<Link>,
    #[cfg(feature = "ethernet")]
    ethernet: Option<&'static mut Ethernet>,
    /// Who asked last.
    asker: Asker,
}

impl Links {
    /// Starts all of them. To be called once.
    pub(crate) fn start() -> Self {
        Self {
            serial: Serial::new(Link::start()),
            #[cfg(feature = "ethernet")]
            ethernet: Ethernet::start(),
            asker: Asker::Serial,
        }
    }

    /// That of Ethernet; zeros where there is no controller.
    #[cfg(feature = "locked")]
    pub(crate) fn hardware_address(&self) -> [u8; 6] {
        let ethernet = self.ethernet.as_ref();
        ethernet.map_or([0; 6], |ethernet| ethernet.hardware_address())
    }
}

impl rune_firmware::Links for Links {
    fn poll(&mut self) -> bool {
        #[cfg(feature = "ethernet")]
        if let Some(ethernet) = &mut self.ethernet {
            return ethernet.poll();
        }
        true
    }

    /// Who asked last waits where another asks too.
    fn receive(&mut self, payload: &mut [u8; RECEIVED_BYTES]) -> Option<Result<Received, Broken>> {
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

    fn reply(&mut self, payload: &[u8]) {
        match self.asker {
            Asker::Serial => self.serial.reply(payload),
            #[cfg(feature = "ethernet")]
            Asker::Ethernet => {
                if let Some(ethernet) = &mut self.ethernet {
                    ethernet.reply(payload);
                }
            }
        }
    }

    fn lost(&self) -> u32 {
        self.serial.lost()
    }

    #[cfg(feature = "ethernet")]
    fn name(&self) -> &str {
        let ethernet = self.ethernet.as_ref();
        ethernet.map_or("", |ethernet| ethernet.name())
    }
}
