//! Where requests come from, and where their replies go: USB, and Bluetooth where it is built in.

use alloc::{boxed::Box, format};

use embassy_stm32::uid::uid;
#[cfg(feature = "bluetooth")]
use rune_firmware::Near;
use rune_firmware::{Chip as _, RECEIVED_BYTES, Received, Serial};
use rune_link::frame::Broken;
use sha2::{Digest as _, Sha256};

use crate::{board::Portenta, usb::Link};

/// The links of the board.
pub(crate) struct Links {
    usb: Serial<Link>,
    name: &'static str,
    #[cfg(feature = "bluetooth")]
    near: Option<Near>,
    /// Whether Bluetooth asked last.
    #[cfg(feature = "bluetooth")]
    is_near: bool,
}

/// What no other board has, made of the number that the chip has from its maker.
fn identity() -> [u8; 6] {
    let digest = Sha256::digest(uid());
    core::array::from_fn(|at| digest[at])
}

impl Links {
    /// All of them. To be called once.
    pub(crate) fn new(
        #[cfg(feature = "bluetooth")] bluetooth: Option<crate::bluetooth::Bluetooth>,
    ) -> Self {
        let address = identity();
        let [a, b, c, ..] = address;
        let name = format!("{}-{a:02x}{b:02x}{c:02x}", Portenta::NAME);
        let name: &'static str = Box::leak(name.into_boxed_str());
        Self {
            usb: Serial::new(Link::new()),
            name,
            #[cfg(feature = "bluetooth")]
            near: bluetooth.map(|port| {
                let identity = rune_ble::Identity { name, address };
                Near::start(port, identity, crate::clock::now_ns)
            }),
            #[cfg(feature = "bluetooth")]
            is_near: false,
        }
    }
}

impl rune_firmware::Links for Links {
    fn poll(&mut self) -> bool {
        // Why it is no more matters to nobody who is near; the other link goes on.
        #[cfg(feature = "bluetooth")]
        let _ = self.near.as_mut().and_then(Near::poll);
        true
    }

    /// Bluetooth waits where USB asks too, but not twice.
    fn receive(&mut self, payload: &mut [u8; RECEIVED_BYTES]) -> Option<Result<Received, Broken>> {
        #[cfg(feature = "bluetooth")]
        if !self.is_near
            && let Some(received) = self.near.as_mut().and_then(|near| near.receive(payload))
        {
            self.is_near = true;
            return Some(Ok(received));
        }
        let received = self.usb.receive(payload);
        #[cfg(feature = "bluetooth")]
        {
            self.is_near = false;
            if received.is_none()
                && let Some(received) = self.near.as_mut().and_then(|near| near.receive(payload))
            {
                self.is_near = true;
                return Some(Ok(received));
            }
        }
        received
    }

    fn reply(&mut self, payload: &[u8]) {
        #[cfg(feature = "bluetooth")]
        if self.is_near {
            if let Some(near) = &mut self.near {
                near.reply(payload);
            }
            return;
        }
        self.usb.reply(payload);
    }

    fn lost(&self) -> u32 {
        self.usb.lost()
    }

    fn name(&self) -> Option<&str> {
        Some(self.name)
    }
}
