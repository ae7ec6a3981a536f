//! Who signed a rune: the sections `rune.signature` at its end, see `docs/abi.md`.

pub use rune_trust::Signer;
use rune_trust::{Signed, SignedError};

use crate::LoadError;

/// The keys whose signatures a module has, every one of which is right.
///
/// # Errors
/// Where one is not, as of bytes that were altered since; or something stands behind it.
pub(crate) fn signers(module: &[u8]) -> Result<Vec<Signer>, LoadError> {
    let signed = Signed::read(module).and_then(|signed| signed.signers());
    signed.map_err(|error: SignedError| LoadError::Contract(error.to_string()))
}
