//! Who signs: an ed25519 public key.

use std::{fmt, str::FromStr};

use ed25519_compact::{PublicKey, Signature};
use serde::Deserialize;

/// The public key of somebody who signs runes; its text is its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Signer([u8; 32]);

impl Signer {
    /// The key of these bytes.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Whether it has signed a message.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::new(*signature);
        PublicKey::new(self.0).verify(message, &signature).is_ok()
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ed25519:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Signer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Signer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!("`{text}` is no key: one is `ed25519:` and 64 hexadecimal digits, its 32 bytes")
        };
        let digits = text.strip_prefix("ed25519:").ok_or_else(bad)?;
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16);
        let mut key = [0; 32];
        for (at, slot) in key.iter_mut().enumerate() {
            *slot = byte(at).map_err(|_| bad())?;
        }
        Ok(Self(key))
    }
}
