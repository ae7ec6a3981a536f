//! Whom the board obeys: whoever has the key that `RUNE_SMP_KEY` names at build, 64 hexadecimal digits, or one that was set
//! by SMP and is on the flash. Without any it is open, until the first one is set.
//!
//! The board has no source of random numbers, so the nonce of a start is made of its number, which the flash counts: no two
//! starts have the same, and whoever asks for something asks for the nonce before.

use core::sync::atomic::{AtomicBool, Ordering};

use ed25519_compact::{PublicKey, Signature};
use rune_firmware::{count_start, keep_settings, settings};
use rune_smp::{device, settings::Settings};
use sha2::{Digest as _, Sha256};

use crate::{
    board::MAP,
    nor::{Flash, SECTOR},
};

const KEY: Option<[u8; 32]> = match option_env!("RUNE_SMP_KEY") {
    Some(text) => Some(read(text.as_bytes())),
    None => None,
};

const fn read(text: &[u8]) -> [u8; 32] {
    assert!(text.len() == 64, "RUNE_SMP_KEY: a key has 64 digits");
    let mut key = [0; 32];
    let mut at = 0;
    while at < 64 {
        let digit = match text[at] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("RUNE_SMP_KEY: a key is hexadecimal, in small letters"),
        };
        key[at / 2] = key[at / 2] << 4 | digit;
        at += 1;
    }
    key
}

/// Where starts are counted, behind the areas, and what is set, behind that.
const STARTS: u32 = MAP.areas[1] + MAP.area;
const SETTINGS: [u32; 2] = [STARTS + 2 * SECTOR as u32, STARTS + 3 * SECTOR as u32];

/// What the board says of itself on its network: until the start it obeys nobody.
static IS_CLOSED: AtomicBool = AtomicBool::new(true);

/// Whether the board wants requests signed.
pub(crate) fn is_closed() -> bool {
    IS_CLOSED.load(Ordering::Relaxed)
}

/// Whom the board obeys since this start.
pub(crate) struct Lock {
    start: device::Lock,
    settings: Settings,
}

/// Of a board with this hardware address; `None` where the flash does not work, and the board obeys nobody.
pub(crate) fn start(flash: &mut Flash, address: [u8; 6]) -> Option<Lock> {
    let sectors = [STARTS, STARTS + SECTOR as u32];
    let number = count_start(flash, sectors).ok()?;
    let part = |kind: &[u8], value: &[u8]| {
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update(address)
            .chain_update(value)
            .finalize();
        core::array::from_fn(|at| digest[at])
    };
    let lock = Lock {
        start: device::Lock {
            device: part(b"mps2-an500 device", &[]),
            nonce: part(b"mps2-an500 start", &number.to_be_bytes()),
        },
        settings: settings(flash, SETTINGS).ok()?,
    };
    lock.tell();
    Some(lock)
}

impl Lock {
    fn keys(&self) -> impl Iterator<Item = &[u8; 32]> {
        KEY.iter().chain(self.settings.keys.iter().flatten())
    }

    /// What signed requests are for; `None` while it is open.
    pub(crate) fn closed(&self) -> Option<device::Lock> {
        self.keys().next().map(|_| self.start)
    }

    fn tell(&self) {
        IS_CLOSED.store(self.closed().is_some(), Ordering::Relaxed);
    }

    /// What is set.
    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Keeps what is set.
    pub(crate) fn keep(&mut self, flash: &mut Flash, set: &Settings) -> Result<(), &'static str> {
        keep_settings(flash, SETTINGS, set).map_err(|_| "the flash does not work")?;
        self.settings = *set;
        self.tell();
        Ok(())
    }

    /// Whether the key is one of the board's, and has signed these parts.
    pub(crate) fn vouches(&self, key: &[u8; 32], parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        let signature = Signature::new(*signature);
        let Ok(mut state) = PublicKey::new(*key).verify_incremental(&signature) else {
            return false;
        };
        for part in parts {
            state.absorb(part);
        }
        self.keys().any(|own| own == key) && state.verify().is_ok()
    }
}
