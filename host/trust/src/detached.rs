//! Signatures in a file of their own, in the format of minisign.

use std::fmt;

use base64ct::{Base64, Encoding};
use blake2::{Blake2b512, Digest};
use ed25519_compact::{PublicKey as Verifier, Signature};

use crate::{PublicKey, SecretKey, Signer};

/// Most bytes of a file with a signature: two comments and less than 200 digits.
const MOST_BYTES: usize = 1 << 14;
/// A signature of the digest of a file, by `BLAKE2b`.
const OF_DIGEST: &[u8; 2] = b"ED";
/// A signature of a file itself, as minisign made them once.
const OF_FILE: &[u8; 2] = b"Ed";

/// A signature of a file, and of a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    algorithm: [u8; 2],
    id: [u8; 8],
    signature: [u8; 64],
    comment: String,
    /// Of signature and comment.
    global: [u8; 64],
}

/// Why a detached signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetachedError {
    /// The text is none of minisign.
    Text,
    /// It is by the key of another number.
    Key {
        /// The number in the signature.
        by: [u8; 8],
        /// The key that was to have signed.
        wanted: Signer,
    },
    /// The key did not sign this file.
    Wrong(Signer),
    /// The key signed the file, and not the comment.
    Comment(Signer),
}

impl fmt::Display for DetachedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str(
                "it is no signature: one has four lines, as minisign and `hmr sign --detached` write them",
            ),
            Self::Key { by, wanted } => {
                let number = u64::from_le_bytes(*by);
                write!(f, "it is a signature by key {number:016X}, not by {wanted}")
            }
            Self::Wrong(key) => write!(
                f,
                "the signature by {key} is not of this file: one of them was altered, or it was signed wrongly"
            ),
            Self::Comment(key) => write!(f, "its comment was altered since {key} signed"),
        }
    }
}

impl std::error::Error for DetachedError {}

impl Detached {
    /// Signs a file, and a comment without line breaks, which are taken out.
    pub fn sign(key: &SecretKey, file: &[u8], comment: &str) -> Self {
        let comment: String = comment.chars().filter(|c| !c.is_control()).collect();
        let signature = key.raw(&Blake2b512::digest(file));
        Self {
            algorithm: *OF_DIGEST,
            id: *key.id(),
            global: key.raw(&[&signature, comment.as_bytes()].concat()),
            signature,
            comment,
        }
    }

    /// The text of a file with a signature.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, DetachedError> {
        read(text).ok_or(DetachedError::Text)
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let own = [&self.algorithm[..], &self.id, &self.signature].concat();
        format!(
            "untrusted comment: signature from rune secret key\n{}\ntrusted comment: {}\n{}\n",
            Base64::encode_string(&own),
            self.comment,
            Base64::encode_string(&self.global)
        )
    }

    /// The comment, which is signed too.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Checks that a key signed a file and the comment.
    pub fn verify(&self, key: &PublicKey, file: &[u8]) -> Result<(), DetachedError> {
        if key.id.is_some_and(|id| id != self.id) {
            return Err(DetachedError::Key {
                by: self.id,
                wanted: key.signer,
            });
        }
        let verifier = Verifier::new(*key.signer.bytes());
        let signature = Signature::new(self.signature);
        let verified = if self.algorithm == *OF_FILE {
            verifier.verify(file, &signature)
        } else {
            verifier.verify(Blake2b512::digest(file), &signature)
        };
        verified.map_err(|_| DetachedError::Wrong(key.signer))?;
        let message = [&self.signature, self.comment.as_bytes()].concat();
        verifier
            .verify(message, &Signature::new(self.global))
            .map_err(|_| DetachedError::Comment(key.signer))
    }
}

fn read(text: &str) -> Option<Detached> {
    if text.len() > MOST_BYTES {
        return None;
    }
    // What ends a line besides a line feed is part of the comment, which is signed.
    let mut lines = text.split('\n');
    lines.next()?.strip_prefix("untrusted comment:")?;
    let own = Base64::decode_vec(lines.next()?.trim_end()).ok()?;
    let comment = lines.next()?.strip_prefix("trusted comment: ")?;
    let comment = comment.strip_suffix('\r').unwrap_or(comment);
    let global = Base64::decode_vec(lines.next()?.trim_end()).ok()?;
    if !lines.all(|line| line.trim().is_empty()) {
        return None;
    }
    let own: [u8; 74] = own.try_into().ok()?;
    let algorithm = own.first_chunk()?;
    if ![OF_DIGEST, OF_FILE].contains(&algorithm) {
        return None;
    }
    Some(Detached {
        algorithm: *algorithm,
        id: own[2..10].try_into().ok()?,
        signature: own[10..].try_into().ok()?,
        comment: comment.to_owned(),
        global: global.try_into().ok()?,
    })
}
