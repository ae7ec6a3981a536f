//! Who vouches for an image, see `docs/abi.md`.

use rune_abi::image::ImageView;

/// Whether one of the keys has signed an image whose code is itself the sandbox. In builds without the feature `native`
/// none ever has.
#[cfg(feature = "native")]
pub(crate) fn vouches(image: &ImageView<'_>, keys: &[[u8; 32]]) -> bool {
    use ed25519_compact::{PublicKey, Signature};
    use sha2::{Digest as _, Sha512};

    const DOMAIN: &[u8] = b"rune-sig-v1\0nati";

    let mut by_known = image.signatures().filter(|s| keys.contains(s.key));
    // What is signed is hashed once, and only where there is a key for it.
    let Some(first) = by_known.next() else {
        return false;
    };
    let mut message = [0; DOMAIN.len() + 64];
    message[..DOMAIN.len()].copy_from_slice(DOMAIN);
    message[DOMAIN.len()..].copy_from_slice(&Sha512::digest(image.signed()));
    core::iter::once(first).chain(by_known).any(|signature| {
        let key = PublicKey::new(*signature.key);
        let signature = Signature::new(*signature.signature);
        key.verify(message, &signature).is_ok()
    })
}

#[cfg(not(feature = "native"))]
pub(crate) fn vouches(_: &ImageView<'_>, _: &[[u8; 32]]) -> bool {
    false
}
