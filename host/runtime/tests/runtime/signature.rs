//! Signatures of runes: which count, what is refused, and what policies want.

use ed25519_compact::{KeyPair, Seed};
use rune_runtime::{GrantError, Limits, LoadError, Policy, Rune};
use sha2::{Digest, Sha512};

use crate::support::bare;

fn key(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

fn id(key: &KeyPair) -> String {
    let digits = key.pk.iter().map(|byte| format!("{byte:02x}"));
    format!("ed25519:{}", digits.collect::<String>())
}

/// A custom section, as WebAssembly has it.
fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let body = [&[name.len() as u8], name.as_bytes(), data].concat();
    let length = [(body.len() & 127) as u8 | 128, (body.len() >> 7) as u8];
    [&[0], &length[..], &body].concat()
}

/// The section with a signature of these bytes.
fn signed(bytes: &[u8], key: &KeyPair) -> Vec<u8> {
    let message = [b"rune-sig-v1\0rune", &Sha512::digest(bytes)[..]].concat();
    let signature = key.sk.sign(message, None);
    section("rune.signature", &[&key.pk[..], &signature[..]].concat())
}

fn signers(bytes: &[u8]) -> Result<Vec<String>, String> {
    let rune = Rune::load(bytes.to_vec()).map_err(|e| e.to_string())?;
    Ok(rune.signers().iter().map(ToString::to_string).collect())
}

/// Whether a policy with these signers takes a rune, or what it says.
fn by_policy(bytes: &[u8], wanted: &[&KeyPair]) -> Result<(), Vec<String>> {
    let wanted: Vec<String> = wanted
        .iter()
        .map(|key| format!("\"{}\"", id(key)))
        .collect();
    let text = format!("version = 1\nsigners = [{}]\n", wanted.join(", "));
    let policy = Policy::parse("p.toml", &text).unwrap();
    let rune = Rune::load(bytes.to_vec()).unwrap();
    match rune.grant_by(&policy, &[], &Limits::default()) {
        Ok(_) => Ok(()),
        Err(GrantError::Refused(reasons)) => Err(reasons),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_policy_takes_a_rune_that_one_of_its_signers_signed() {
    let (a, b, c) = (key(1), key(2), key(3));
    let plain = bare("i32.const 1");
    let one = [plain.clone(), signed(&plain, &a)].concat();
    // Who signs later signs the same bytes, and in any order.
    let two = [one.clone(), signed(&plain, &b)].concat();
    assert_eq!(signers(&plain), Ok(vec![]));
    assert_eq!(signers(&one), Ok(vec![id(&a)]));
    let mut both = vec![id(&a), id(&b)];
    both.sort();
    assert_eq!(signers(&two), Ok(both.clone()));
    let turned = [plain.clone(), signed(&plain, &b), signed(&plain, &a)].concat();
    assert_eq!(signers(&turned), Ok(both));
    for bytes in [&plain, &one, &two] {
        assert_eq!(by_policy(bytes, &[]), Ok(()));
    }
    assert_eq!(by_policy(&one, &[&a]), Ok(()));
    assert_eq!(by_policy(&one, &[&c, &a]), Ok(()));
    assert_eq!(by_policy(&two, &[&b]), Ok(()));
    assert_eq!(
        by_policy(&plain, &[&a, &b]),
        Err(vec![format!(
            "the rune is not signed, and p.toml wants the signature of one of: {}, {}; have one of them sign it, or p.toml would take any rune, signed or not, with `signers = []`",
            id(&a),
            id(&b)
        )])
    );
    assert_eq!(
        by_policy(&one, &[&b]),
        Err(vec![format!(
            "the rune is signed by {}, and p.toml wants the signature of one of: {}; have one of them sign it, or p.toml would allow it with `signers = [\"{}\", \"{}\"]`",
            id(&a),
            id(&b),
            id(&b),
            id(&a)
        )])
    );
}

#[test]
fn no_byte_of_a_signed_rune_can_be_altered() {
    let a = key(1);
    let plain = bare("i32.const 1");
    let good = [plain.clone(), signed(&plain, &a)].concat();
    assert_eq!(signers(&good), Ok(vec![id(&a)]));
    for at in 0..good.len() {
        for bit in [0, 3, 7] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            // It is refused, or, where the section is none any more, it is not signed.
            assert_ne!(signers(&bad), Ok(vec![id(&a)]), "byte {at}");
        }
    }
}

#[test]
fn signatures_that_are_not_right_are_refused() {
    let (a, b) = (key(1), key(2));
    let plain = bare("i32.const 1");
    let other = bare("i32.const 2");
    let good = signed(&plain, &a);
    let wrong = format!("the signature by {} is not of these bytes", id(&b));
    // Of other bytes; by another key; of the first signature too; without its domain.
    let stolen = [&b.pk[..], &good[good.len() - 64..]].concat();
    let bare_signature = b.sk.sign(&plain, None);
    for bad in [
        signed(&other, &b),
        section("rune.signature", &stolen),
        signed(&[plain.clone(), good.clone()].concat(), &b),
        section("rune.signature", &[&b.pk[..], &bare_signature[..]].concat()),
    ] {
        for bytes in [
            [plain.clone(), bad.clone()].concat(),
            [plain.clone(), good.clone(), bad.clone()].concat(),
            [plain.clone(), bad, good.clone()].concat(),
        ] {
            let error = signers(&bytes).unwrap_err();
            assert!(error.starts_with(&wrong), "{error}");
        }
    }
    let behind = [plain.clone(), good.clone(), section("name", &[])].concat();
    for (bytes, says) in [
        (behind, "something stands behind its signature"),
        (
            [plain.clone(), section("rune.signature", &[0; 95])].concat(),
            "a signature has 95 bytes instead of 96",
        ),
        (
            [plain.clone(), section("rune.signature", &[])].concat(),
            "a signature has 0 bytes instead of 96",
        ),
        (
            [plain.clone(), good.repeat(17)].concat(),
            "it has more than 16 signatures",
        ),
        // A key that any signature would be of.
        (
            [plain.clone(), section("rune.signature", &[0; 96])].concat(),
            "is not of these bytes",
        ),
    ] {
        let error = Rune::load(bytes).map(drop).unwrap_err();
        assert!(
            matches!(&error, LoadError::Contract(what) if what.contains(says)),
            "{error}"
        );
    }
    assert_eq!(
        signers(&[plain, good.repeat(16)].concat()),
        Ok(vec![id(&a)])
    );
}
