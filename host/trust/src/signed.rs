//! Runes and images with the signatures at their end.

use std::fmt;

use ed25519_compact::{PublicKey, Signature};
use rune_abi::{
    image::{Containment, ImageError, ImageView},
    section,
};
use sha2::{Digest, Sha512};

use crate::{Class, SecretKey, Signer};

/// What a signature is of begins with this.
const DOMAIN: &[u8] = b"rune-sig-v1\0";
/// Most signatures of a rune or an image.
const MOST: usize = ImageView::SIGNATURES;
/// Bytes of a signature with its key.
const BYTES: usize = ImageView::SIGNATURE_BYTES;

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A rune: a module of WebAssembly.
    Rune,
    /// An image that the protection unit of its device contains.
    Mpu,
    /// An image that contains itself: its code has the rights of the runtime.
    Native,
}

impl Kind {
    /// The four bytes that stand for it in what is signed.
    const fn bytes(self) -> &'static [u8; 4] {
        match self {
            Self::Rune => b"rune",
            Self::Mpu => b"mpui",
            Self::Native => b"nati",
        }
    }

    /// The class of the keys that sign it.
    pub const fn class(self) -> Class {
        match self {
            Self::Rune | Self::Mpu => Class::Rune,
            Self::Native => Class::Native,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rune => "a rune",
            Self::Mpu => "an image that the protection unit contains",
            Self::Native => "an image that contains itself",
        })
    }
}

/// A key and a signature that is said to be by it.
type Entry = (Signer, [u8; 64]);

/// A rune or an image, taken apart in what is signed and the signatures of it, right or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    kind: Kind,
    body: &'a [u8],
    entries: Vec<Entry>,
}

/// Why bytes cannot be taken apart, or their signatures do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedError {
    /// It is neither a rune nor an image.
    NoRune,
    /// A section of the module is cut off, or is none.
    Module {
        /// Bytes from the start of the module.
        offset: usize,
    },
    /// The header of the image breaks its format.
    Image(ImageError),
    /// There is something behind a signature.
    Behind,
    /// There are more signatures than there may be.
    TooMany,
    /// A signature has so many bytes.
    Length(usize),
    /// The signature by this key is not of these bytes.
    Wrong(Signer),
}

impl fmt::Display for SignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRune => f.write_str("it is neither a rune nor an image"),
            Self::Module { offset } => {
                write!(f, "it is cut off, or no section stands at byte {offset:#x}")
            }
            Self::Image(error) => error.fmt(f),
            Self::Behind => {
                f.write_str("something stands behind its signature, which is not of that")
            }
            Self::TooMany => write!(f, "it has more than {MOST} signatures"),
            Self::Length(bytes) => write!(f, "a signature has {bytes} bytes instead of {BYTES}"),
            Self::Wrong(key) => write!(
                f,
                "the signature by {key} is not of these bytes: it was altered, or signed wrongly"
            ),
        }
    }
}

impl std::error::Error for SignedError {}

/// Why a key does not sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignError {
    /// It is of another class than what it was to sign.
    Class {
        /// The class of the key.
        key: Class,
        /// What it was to sign.
        kind: Kind,
    },
    /// There are as many signatures as there may be.
    Full,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class { key, kind } => write!(
                f,
                "the key is of class {key}, and this is {kind}, which takes one of class {}; \
                 `hmr keygen --class {}` makes one",
                kind.class(),
                kind.class()
            ),
            Self::Full => write!(
                f,
                "it has {MOST} signatures, which is the most; `hmr sign --remove KEY` takes one out"
            ),
        }
    }
}

impl std::error::Error for SignError {}

impl<'a> Signed<'a> {
    /// Takes a rune or an image apart. Whether a signature is right is left to [`signers`](Self::signers).
    pub fn read(bytes: &'a [u8]) -> Result<Self, SignedError> {
        if ImageView::is_one(bytes) {
            let view = ImageView::new(bytes).map_err(SignedError::Image)?;
            let entries = view.signatures();
            return Ok(Self {
                kind: match view.containment() {
                    Containment::Mpu => Kind::Mpu,
                    Containment::Bounds | Containment::Mask => Kind::Native,
                },
                body: view.signed(),
                entries: entries
                    .map(|s| (Signer::new(*s.key), *s.signature))
                    .collect(),
            });
        }
        if !bytes.starts_with(b"\0asm") {
            return Err(SignedError::NoRune);
        }
        let (mut at, mut body, mut entries) = (8, None, vec![]);
        while at != bytes.len() {
            let (end, content) = section(bytes, at).ok_or(SignedError::Module { offset: at })?;
            if let Some(content) = content {
                body.get_or_insert(&bytes[..at]);
                let (key, signature) = content
                    .split_first_chunk()
                    .and_then(|(key, rest)| Some((key, rest.try_into().ok()?)))
                    .ok_or(SignedError::Length(content.len()))?;
                entries.push((Signer::new(*key), signature));
            } else if body.is_some() {
                return Err(SignedError::Behind);
            }
            at = end;
        }
        if entries.len() > MOST {
            return Err(SignedError::TooMany);
        }
        Ok(Self {
            kind: Kind::Rune,
            body: body.unwrap_or(bytes),
            entries,
        })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is signed: all but the signatures.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The keys of its signatures as it says, right or not, in their order.
    pub fn claimed(&self) -> impl Iterator<Item = Signer> {
        self.entries.iter().map(|(key, _)| *key)
    }

    /// The keys that signed it, sorted, each once.
    ///
    /// # Errors
    /// The first signature that is not right.
    pub fn signers(&self) -> Result<Vec<Signer>, SignedError> {
        let message = if self.entries.is_empty() {
            vec![]
        } else {
            self.message()
        };
        let mut signers = vec![];
        for (key, signature) in &self.entries {
            let verified =
                PublicKey::new(*key.bytes()).verify(&message, &Signature::new(*signature));
            verified.map_err(|_| SignedError::Wrong(*key))?;
            signers.push(*key);
        }
        signers.sort_unstable();
        signers.dedup();
        Ok(signers)
    }

    /// Signs it; a signature that there was by the same key goes.
    pub fn sign(&mut self, key: &SecretKey) -> Result<(), SignError> {
        if key.class() != self.kind.class() {
            return Err(SignError::Class {
                key: key.class(),
                kind: self.kind,
            });
        }
        let signer = key.signer();
        self.remove(signer);
        if self.entries.len() == MOST {
            return Err(SignError::Full);
        }
        self.entries.push((signer, key.raw(&self.message())));
        Ok(())
    }

    /// Takes out the signatures by a key; whether there was one.
    pub fn remove(&mut self, key: Signer) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(there, _)| *there != key);
        self.entries.len() != before
    }

    /// Takes out all signatures.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The bytes of it with its signatures.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.body.to_vec();
        for (key, signature) in &self.entries {
            if self.kind == Kind::Rune {
                let name = section::SIGNATURE.as_bytes();
                // Name and signature are some hundred bytes: the length takes one or two bytes of LEB128.
                let length = 1 + name.len() + BYTES;
                out.extend([0, length as u8 & 0x7f | 0x80, (length >> 7) as u8]);
                out.push(name.len() as u8);
                out.extend(name);
            }
            out.extend(key.bytes());
            out.extend(signature);
        }
        out
    }

    /// What a signature is of.
    fn message(&self) -> Vec<u8> {
        [DOMAIN, self.kind.bytes(), &Sha512::digest(self.body)].concat()
    }
}

/// Where the section at a place of a module ends, and its content if it is a signature; `None`: there is no whole section.
fn section(module: &[u8], at: usize) -> Option<(usize, Option<&[u8]>)> {
    let (id, rest) = module.get(at..)?.split_first()?;
    let (size, rest) = leb(rest)?;
    let content = rest.get(..size)?;
    let end = module.len() - rest.len() + size;
    if *id != 0 {
        return Some((end, None));
    }
    let (length, rest) = leb(content)?;
    let (name, data) = rest.split_at_checked(length)?;
    let is_signature = name == section::SIGNATURE.as_bytes();
    Some((end, is_signature.then_some(data)))
}

/// A number in LEB128 of at most 32 bits, and what follows it.
fn leb(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((value as usize, &bytes[at + 1..]));
        }
    }
    None
}
