//! Where requests come from, and where their replies go: the serial port, and Ethernet and Bluetooth where they are built in.

#[cfg(feature = "ble")]
use rune_firmware::Near;
use rune_firmware::{Links as _, RECEIVED_BYTES, Received, Serial};
use rune_link::frame::Broken;

#[cfg(feature = "ethernet")]
use crate::ethernet::Ethernet;
use crate::uart::Link;

/// A link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    Serial,
    #[cfg(feature = "ethernet")]
    Ethernet,
    #[cfg(feature = "ble")]
    Near,
}

/// All of them.
const ASKERS: &[Asker] = &[
    Asker::Serial,
    #[cfg(feature = "ethernet")]
    Asker::Ethernet,
    #[cfg(feature = "ble")]
    Asker::Near,
];

/// The links of the board.
pub(crate) struct Links {
    serial: Serial<Link>,
    #[cfg(feature = "ethernet")]
    ethernet: Option<&'static mut Ethernet>,
    #[cfg(feature = "ble")]
    near: Near,
    /// Who asked last.
    asker: Asker,
}

impl Links {
    /// Starts all of them. To be called once.
    pub(crate) fn start() -> Self {
        #[cfg(feature = "ethernet")]
        let ethernet = Ethernet::start();
        #[cfg(all(feature = "ble", feature = "ethernet"))]
        let (name, address) = ethernet
            .as_ref()
            .map_or((NAME, ADDRESS), |e| (leak(e.name()), e.hardware_address()));
        #[cfg(all(feature = "ble", not(feature = "ethernet")))]
        let (name, address) = (NAME, ADDRESS);
        Self {
            serial: Serial::new(Link::start()),
            #[cfg(feature = "ethernet")]
            ethernet,
            #[cfg(feature = "ble")]
            near: Near::start(
                crate::uart::Controller::start(),
                rune_ble::Identity { name, address },
                crate::clock::now_ns,
            ),
            asker: Asker::Serial,
        }
    }

    /// That of Ethernet; zeros where there is no controller.
    #[cfg(feature = "locked")]
    pub(crate) fn hardware_address(&self) -> [u8; 6] {
        let ethernet = self.ethernet.as_ref();
        ethernet.map_or([0; 6], |ethernet| ethernet.hardware_address())
    }

    /// What has come from one of them.
    fn receive_from(
        &mut self,
        asker: Asker,
        payload: &mut [u8; RECEIVED_BYTES],
    ) -> Option<Result<Received, Broken>> {
        match asker {
            Asker::Serial => self.serial.receive(payload),
            #[cfg(feature = "ethernet")]
            Asker::Ethernet => self.ethernet.as_mut()?.receive(payload),
            #[cfg(feature = "ble")]
            Asker::Near => self.near.receive(payload).map(Ok),
        }
    }
}

/// What a board without Ethernet is called on the air, and its address there.
#[cfg(feature = "ble")]
const NAME: &str = "mps2-an500";
#[cfg(feature = "ble")]
const ADDRESS: [u8; 6] = *b"an500\0";

/// A name that stays. To be called once.
#[cfg(all(feature = "ble", feature = "ethernet"))]
fn leak(name: &str) -> &'static str {
    alloc::boxed::Box::leak(alloc::boxed::Box::from(name))
}

impl rune_firmware::Links for Links {
    fn poll(&mut self) -> bool {
        #[cfg(feature = "ble")]
        if let Some(stopped) = self.near.poll() {
            crate::uart::say!("bluetooth: {stopped}");
        }
        #[cfg(feature = "ethernet")]
        if let Some(ethernet) = &mut self.ethernet {
            return ethernet.poll();
        }
        true
    }

    /// Who asked last waits where another asks too.
    fn receive(&mut self, payload: &mut [u8; RECEIVED_BYTES]) -> Option<Result<Received, Broken>> {
        let last = ASKERS.iter().position(|asker| *asker == self.asker);
        let behind = last.map_or(0, |last| last + 1);
        for at in 0..ASKERS.len() {
            let asker = ASKERS[(behind + at) % ASKERS.len()];
            if let Some(received) = self.receive_from(asker, payload) {
                self.asker = asker;
                return Some(received);
            }
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
            #[cfg(feature = "ble")]
            Asker::Near => self.near.reply(payload),
        }
    }

    fn is_near(&self) -> bool {
        matches!(self.asker, Asker::Serial)
    }

    fn lost(&self) -> u32 {
        self.serial.lost()
    }

    #[cfg(feature = "ethernet")]
    fn name(&self) -> Option<&str> {
        let ethernet = self.ethernet.as_ref();
        ethernet.map(|ethernet| ethernet.name())
    }
}
