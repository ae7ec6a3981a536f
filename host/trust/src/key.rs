//! Key files, in the format of minisign: its program takes ours, and we take its.

use std::fmt;

use base64ct::{Base64, Encoding};
use blake2::{Blake2b, Digest, digest::consts::U32};
use ed25519_compact::{KeyPair, Seed};

use crate::Signer;

/// The first bytes of a key: its algorithm.
const ALGORITHM: &[u8; 2] = b"Ed";
/// How a secret key is encrypted: by scrypt.
const SCRYPT: &[u8; 2] = b"Sc";
/// What its checksum is: `BLAKE2b`.
const CHECKSUM: &[u8; 2] = b"B2";
/// Bytes of a secret key: three algorithms, salt, two limits, and what may be encrypted.
const SECRET_BYTES: usize = 6 + 32 + 16 + HIDDEN_BYTES;
/// Bytes of what may be encrypted: number, key, checksum.
const HIDDEN_BYTES: usize = 8 + 64 + 32;
/// Bytes of a public key: algorithm, number, key.
const PUBLIC_BYTES: usize = 2 + 8 + 32;
/// Most bytes of a key file: a comment and less than 300 digits.
const MOST_BYTES: usize = 4096;
/// Most memory that a key file may ask for to be opened, in bytes: what minisign takes.
const MOST_MEMORY: u64 = 1 << 30;
/// Most work likewise, in the units of libsodium.
const MOST_WORK: u64 = 1 << 25;
/// Of keys that are made here, in the same units: 64 MiB, about a second on a slow computer.
const MEMORY: u64 = 1 << 26;
const WORK: u64 = MEMORY / 32;

/// What a key may sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Runes, and images that the protection unit contains.
    #[default]
    Rune,
    /// Images whose code has the rights of the runtime, and nothing else.
    Native,
}

impl Class {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Rune, Self::Native];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rune => "rune",
            Self::Native => "native",
        }
    }

    /// The class that the comment of a key names; of keys of other programs, which name none, the class *rune*.
    fn of(comment: &str) -> Self {
        let class = comment.rsplit_once(", class ").map(|(_, class)| class);
        let mut all = Self::ALL.into_iter();
        all.find(|c| Some(c.name()) == class).unwrap_or_default()
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It is not the text of a key file.
    Text,
    /// It is a secret key, where a public one is wanted.
    Secret,
    /// It is a public key, where a secret one is wanted.
    Public,
    /// It is of an algorithm that is not known.
    Algorithm,
    /// It is encrypted, and there is no password.
    Locked,
    /// The password is not its own, or it is damaged.
    Password,
    /// It was altered: its checksum is not its own.
    Damaged,
    /// To open it would take more memory or work than any program asks for.
    Costly,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "it is no key: one is a line with a comment and a line with its bytes",
            Self::Secret => "it is a secret key; here the public one is wanted, which ends in `.pub`",
            Self::Public => "it is a public key; here the secret one is wanted, which ends in `.key`",
            Self::Algorithm => "it is a key of another algorithm than ed25519",
            Self::Locked => "it has a password",
            Self::Password => "the password is wrong",
            Self::Damaged => "it is damaged: its checksum is not its own",
            Self::Costly => "to open it takes more than 1 GiB of memory, which no key of ours or of minisign does",
        })
    }
}

impl std::error::Error for KeyError {}

/// Whether a secret key is encrypted in its file.
#[derive(Clone, Copy)]
pub enum Protection<'a> {
    /// By this password.
    Password(&'a [u8]),
    /// Not at all: whoever reads the file has the key.
    None,
}

/// A key that signs.
#[derive(Clone)]
pub struct SecretKey {
    id: [u8; 8],
    secret: [u8; 64],
    class: Class,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, {})", self.class, self.signer())
    }
}

impl SecretKey {
    /// A new key of 40 random bytes.
    pub fn new(class: Class, random: [u8; 40]) -> Self {
        let (id, seed) = random.split_first_chunk().expect("40 bytes are 8 and 32");
        let seed = seed.try_into().expect("40 bytes are 8 and 32");
        let pair = KeyPair::from_seed(Seed::new(seed));
        Self {
            id: *id,
            secret: *pair.sk,
            class,
        }
    }

    /// A new key by the random numbers of the system.
    ///
    /// # Errors
    /// Where the system gives none.
    pub fn generate(class: Class) -> std::io::Result<Self> {
        let mut random = [0; 40];
        let mut filled = 0;
        while filled != random.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            filled += rustix::rand::getrandom(&mut random[filled..], flags)?;
        }
        Ok(Self::new(class, random))
    }

    /// What it may sign.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The key that its signatures are checked by.
    pub fn signer(&self) -> Signer {
        let (_, public) = self.secret.split_at(32);
        Signer::new(public.try_into().expect("64 bytes less 32 are 32"))
    }

    /// The same, to be written to a file.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            id: Some(self.id),
            signer: self.signer(),
            class: self.class,
        }
    }

    pub(crate) fn id(&self) -> &[u8; 8] {
        &self.id
    }

    /// The signature of bytes, which say themselves what they are for.
    pub fn raw(&self, message: &[u8]) -> [u8; 64] {
        *ed25519_compact::SecretKey::new(self.secret).sign(message, None)
    }

    /// The text of a key file.
    ///
    /// # Errors
    /// As [`PublicKey::parse`], and where the password is wrong, or missing.
    pub fn parse(text: &str, protection: Protection<'_>) -> Result<Self, KeyError> {
        let (comment, bytes) = lines(text)?;
        if bytes.len() == PUBLIC_BYTES {
            return Err(KeyError::Public);
        }
        let bytes: [u8; SECRET_BYTES] = bytes.try_into().map_err(|_| KeyError::Text)?;
        let (head, hidden) = bytes.split_at(SECRET_BYTES - HIDDEN_BYTES);
        if &head[..2] != ALGORITHM || &head[4..6] != CHECKSUM {
            return Err(KeyError::Algorithm);
        }
        let is_locked = match &head[2..4] {
            kind if kind == SCRYPT => true,
            [0, 0] => false,
            _ => return Err(KeyError::Algorithm),
        };
        let mut hidden: [u8; HIDDEN_BYTES] = hidden.try_into().map_err(|_| KeyError::Text)?;
        match protection {
            Protection::Password(password) if is_locked => {
                let word = |at: usize| {
                    u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"))
                };
                mask(&mut hidden, password, &head[6..38], word(38), word(46))?;
            }
            Protection::None if is_locked => return Err(KeyError::Locked),
            Protection::Password(_) | Protection::None => {}
        }
        let key = Self {
            id: hidden[..8].try_into().expect("eight bytes"),
            secret: hidden[8..72].try_into().expect("64 bytes"),
            class: Class::of(comment),
        };
        let pair = KeyPair::from_seed(Seed::from_slice(&key.secret[..32]).expect("32 bytes"));
        // Of a key that is not encrypted minisign leaves the checksum out.
        let is_whole =
            key.checksum() == hidden[72..] || (!is_locked && hidden[72..].iter().all(|b| *b == 0));
        if !is_whole || *pair.pk != *key.signer().bytes() {
            return Err(if is_locked {
                KeyError::Password
            } else {
                KeyError::Damaged
            });
        }
        Ok(key)
    }

    /// The text of its file; of an encrypted one, with this salt, which must be random.
    ///
    /// # Errors
    /// Never with the limits of this crate.
    pub fn to_text(&self, protection: Protection<'_>, salt: [u8; 32]) -> Result<String, KeyError> {
        let mut hidden = [0; HIDDEN_BYTES];
        hidden[..8].copy_from_slice(&self.id);
        hidden[8..72].copy_from_slice(&self.secret);
        hidden[72..].copy_from_slice(&self.checksum());
        let mut bytes = vec![];
        bytes.extend(ALGORITHM);
        match protection {
            Protection::Password(password) => {
                mask(&mut hidden, password, &salt, WORK, MEMORY)?;
                bytes.extend(SCRYPT);
                bytes.extend(CHECKSUM);
                bytes.extend(salt);
                bytes.extend(WORK.to_le_bytes());
                bytes.extend(MEMORY.to_le_bytes());
            }
            Protection::None => {
                bytes.extend([0, 0]);
                bytes.extend(CHECKSUM);
                bytes.extend([0; 48]);
            }
        }
        bytes.extend(hidden);
        Ok(file(
            &format!("rune secret key, class {}", self.class),
            &bytes,
        ))
    }

    fn checksum(&self) -> [u8; 32] {
        let mut hash = Blake2b::<U32>::new();
        hash.update(ALGORITHM);
        hash.update(self.id);
        hash.update(self.secret);
        hash.finalize().into()
    }
}

/// A key that signatures are checked by, as a file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The number by which minisign tells keys apart; `None`: not known.
    pub id: Option<[u8; 8]>,
    /// The key.
    pub signer: Signer,
    /// What it may sign, as its file says, which nobody has signed: what counts is as which class a device holds it.
    pub class: Class,
}

impl PublicKey {
    /// The text of a key file, or the line of it with the bytes, or the id of a [`Signer`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if let Ok(signer) = text.trim().parse() {
            return Ok(Self {
                id: None,
                signer,
                class: Class::default(),
            });
        }
        let (comment, bytes) = match decode(text.trim()) {
            Some(bytes) => ("", bytes),
            None => lines(text)?,
        };
        if bytes.len() == SECRET_BYTES {
            return Err(KeyError::Secret);
        }
        let bytes: [u8; PUBLIC_BYTES] = bytes.try_into().map_err(|_| KeyError::Text)?;
        if &bytes[..2] != ALGORITHM {
            return Err(KeyError::Algorithm);
        }
        Ok(Self {
            id: Some(bytes[2..10].try_into().expect("eight bytes")),
            signer: Signer::new(bytes[10..].try_into().expect("32 bytes")),
            class: Class::of(comment),
        })
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let mut bytes = ALGORITHM.to_vec();
        bytes.extend(self.id.unwrap_or_default());
        bytes.extend(self.signer.bytes());
        file(&format!("rune public key, class {}", self.class), &bytes)
    }
}

/// The comment and the bytes of a file.
fn lines(text: &str) -> Result<(&str, Vec<u8>), KeyError> {
    if text.len() > MOST_BYTES {
        return Err(KeyError::Text);
    }
    let mut lines = text.lines();
    let comment = lines
        .next()
        .and_then(|line| line.strip_prefix("untrusted comment:"));
    let bytes = lines.next().and_then(|line| decode(line.trim()));
    let rest = lines.all(|line| line.trim().is_empty());
    match (comment, bytes, rest) {
        (Some(comment), Some(bytes), true) => Ok((comment.trim(), bytes)),
        _ => Err(KeyError::Text),
    }
}

/// A file of a comment and bytes.
fn file(comment: &str, bytes: &[u8]) -> String {
    format!(
        "untrusted comment: {comment}\n{}\n",
        Base64::encode_string(bytes)
    )
}

/// Bytes in Base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text)
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

/// Encrypts or decrypts by a password, with the limits as libsodium counts them.
fn mask(
    hidden: &mut [u8; HIDDEN_BYTES],
    password: &[u8],
    salt: &[u8],
    work: u64,
    memory: u64,
) -> Result<(), KeyError> {
    if work > MOST_WORK || memory > MOST_MEMORY {
        return Err(KeyError::Costly);
    }
    let (log_n, p) = costs(work, memory);
    let params = scrypt::Params::new(log_n, 8, p, 32).map_err(|_| KeyError::Costly)?;
    let mut stream = [0; HIDDEN_BYTES];
    scrypt::scrypt(password, salt, &params, &mut stream).map_err(|_| KeyError::Costly)?;
    for (byte, key) in hidden.iter_mut().zip(stream) {
        *byte ^= key;
    }
    Ok(())
}

/// The parameters of scrypt, the logarithm of `N` and `p`, `r` being 8, that libsodium takes for its limits.
fn costs(work: u64, memory: u64) -> (u8, u32) {
    const R: u64 = 8;
    let work = work.max(32768);
    // The least power of two above half of the most.
    let log = |most: u64| {
        let mut log = 1_u8;
        while log < 63 && 1_u64 << log <= most / 2 {
            log += 1;
        }
        log
    };
    if work < memory / 32 {
        (log(work / (R * 4)), 1)
    } else {
        let log_n = log(memory / (R * 128));
        let most = ((work / 4) >> log_n).min(0x3fff_ffff);
        (log_n, ((most / R) as u32).max(1))
    }
}

#[cfg(test)]
mod tests;
