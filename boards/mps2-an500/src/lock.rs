//! Whom the board obeys: the key that `RUNE_SMP_KEY` names at build, 64 hexadecimal digits. Without one it does not
//! compile.
//!
//! The board has no source of random numbers, so the nonce of a start is made of its number, which the flash counts: no two
//! starts have the same, and whoever asks for something asks for the nonce before.

use ed25519_compact::{PublicKey, Signature};
use rune_firmware::count_start;
use rune_smp::device::Lock;
use sha2::{Digest as _, Sha256};

use crate::{
    board::MAP,
    nor::{Flash, SECTOR},
};

const KEY: [u8; 32] = match option_env!("RUNE_SMP_KEY") {
    Some(text) => read(text.as_bytes()),
    None => panic!("RUNE_SMP_KEY: a locked board needs the key of whom it obeys"),
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

/// Where starts are counted: behind the areas.
const STARTS: u32 = MAP.areas[1] + MAP.area;

/// The lock of this start, of a board with this hardware address; `None` where the flash does not work, and the board obeys
/// nobody.
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
    Some(Lock {
        device: part(b"mps2-an500 device", &[]),
        nonce: part(b"mps2-an500 start", &number.to_be_bytes()),
    })
}

/// Whether the key is the board's, and has signed these parts.
pub(crate) fn vouches(key: &[u8; 32], parts: &[&[u8]], signature: &[u8; 64]) -> bool {
    let signature = Signature::new(*signature);
    let Ok(mut state) = PublicKey::new(*key).verify_incremental(&signature) else {
        return false;
    };
    for part in parts {
        state.absorb(part);
    }
    *key == KEY && state.verify().is_ok()
}
