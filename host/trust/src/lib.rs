//! Who signed what: keys, signatures inside runes and images, detached signatures of any file, and the keys a device
//! holds. `docs/abi.md` has the bytes of signatures inside, minisign those of keys and of detached ones.
#![forbid(unsafe_code)]

mod detached;
pub mod file;
mod key;
mod ring;
mod signed;
mod signer;

pub use detached::{Detached, DetachedError};
pub use key::{Class, KeyError, Protection, PublicKey, SecretKey};
pub use ring::{KeyRing, Refusal, RingError};
pub use signed::{Kind, SignError, Signed, SignedError};
pub use signer::Signer;
