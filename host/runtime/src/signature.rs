//! Who signed a rune: the sections `rune.signature` at its end, see `docs/abi.md`.

use std::{fmt, str::FromStr};

use ed25519_compact::{PublicKey, Signature};
use rune_abi::section;
use serde::Deserialize;
use sha2::{Digest, Sha512};
use wasmparser::{Parser, Payload};

use crate::LoadError;

/// What a signature is of begins with this, and the kind of what is signed.
const DOMAIN: &[u8] = b"rune-sig-v1\0rune";
/// Most signatures of a rune.
const MOST: usize = 16;

/// The public key of somebody who signs runes; its text is its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Signer([u8; 32]);

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

impl Signer {
    /// Whether it has this key.
    pub(crate) fn is(&self, key: &[u8; 32]) -> bool {
        self.0 == *key
    }

    /// Whether a key has signed a message.
    pub(crate) fn verifies(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::new(*signature);
        PublicKey::new(*key).verify(message, &signature).is_ok()
    }
}

/// The keys whose signatures a module has, every one of which is right.
///
/// # Errors
/// Where one is not, as of bytes that were altered since; or something stands behind it.
pub(crate) fn signers(module: &[u8]) -> Result<Vec<Signer>, LoadError> {
    let contract = |what: String| LoadError::Contract(what);
    // Where the last section ends, and where the first signature begins.
    let (mut end, mut signed) = (8, None);
    let mut signatures = vec![];
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|e| LoadError::Module {
            offset: e.offset(),
            what: e.message().to_owned(),
        })?;
        let Some((_, range)) = payload.as_section() else {
            continue;
        };
        if let Payload::CustomSection(custom) = &payload
            && custom.name() == section::SIGNATURE
        {
            signed.get_or_insert(end);
            signatures.push(custom.data());
        } else if signed.is_some() {
            let what = "something stands behind its signature, which is not of that";
            return Err(contract(what.to_owned()));
        }
        end = range.end as usize;
    }
    let Some(signed) = signed else {
        return Ok(vec![]);
    };
    if signatures.len() > MOST {
        return Err(contract(format!("it has more than {MOST} signatures")));
    }
    let message = [DOMAIN, &Sha512::digest(&module[..signed])].concat();
    let checked = signatures.into_iter().map(|section| {
        let (key, signature) = section.split_first_chunk::<32>().ok_or(section)?;
        let signature = Signature::from_slice(signature).map_err(|_| section)?;
        let verified = PublicKey::new(*key).verify(&message, &signature);
        verified.map_err(|_| &key[..]).map(|()| Signer(*key))
    });
    let mut signers = checked
        .collect::<Result<Vec<_>, _>>()
        .map_err(|bytes: &[u8]| {
            contract(match bytes.try_into() {
                Ok(key) => format!(
                    "the signature by {} is not of these bytes: it was altered, or signed wrongly",
                    Signer(key)
                ),
                Err(_) => format!("a signature has {} bytes instead of 96", bytes.len()),
            })
        })?;
    signers.sort_unstable();
    signers.dedup();
    Ok(signers)
}
