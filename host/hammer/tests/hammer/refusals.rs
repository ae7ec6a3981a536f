//! What is refused, each with its reason: the claims of `docs/book/security.md` about files.

use std::{fs, path::Path};

use ed25519_compact::{KeyPair, Seed};
use rune_abi::image::Containment;
use rune_trust::{Class, KeyRing, SecretKey, Signed};
use sha2::{Digest, Sha512};

use crate::support::{done, folder, hmr, image, key, refused, rune};

/// A folder with a key `a`, another `b`, and a rune and images that `a`, or `n` of class native, signed.
fn stage(name: &str) -> std::path::PathBuf {
    let folder = folder(name);
    key(&folder, "a", "rune");
    key(&folder, "b", "rune");
    key(&folder, "n", "native");
    for (file, bytes, key) in [
        ("x.rune", rune(), "a.key"),
        ("mpu.img", image(Containment::Mpu), "a.key"),
        ("bounds.img", image(Containment::Bounds), "n.key"),
    ] {
        fs::write(folder.join(file), bytes).unwrap();
        done(&folder, &["sign", file, "--key", key]);
    }
    folder
}

const FILES: [(&str, [&str; 4]); 3] = [
    ("x.rune", ["--key", "a.pub", "--class", "rune"]),
    ("mpu.img", ["--key", "a.pub", "--class", "rune"]),
    ("bounds.img", ["--key", "n.pub", "--class", "native"]),
];

fn verify(folder: &Path, file: &str, keys: &[&str]) -> (i32, String) {
    let (status, _, said) = hmr(folder, &[&["verify", file][..], keys].concat());
    (status, said)
}

#[test]
fn what_nobody_signed_is_refused() {
    let folder = stage("unsigned");
    for (file, keys) in FILES {
        assert_eq!(verify(&folder, file, &keys).0, 0);
        done(&folder, &["sign", file, "--remove-all"]);
        let (status, said) = verify(&folder, file, &keys);
        assert_eq!(status, 1);
        assert!(said.contains("it is not signed; `hmr sign"), "{said}");
    }
}

#[test]
fn what_somebody_else_signed_is_refused() {
    let folder = stage("stranger");
    for (file, keys) in FILES {
        let (status, said) = verify(&folder, file, &["--key", "b.pub", "--class", keys[3]]);
        assert_eq!(status, 1);
        assert!(
            said.contains("which is none of the keys of class"),
            "{said}"
        );
    }
}

#[test]
fn a_key_of_the_other_class_is_refused() {
    let folder = stage("class");
    for (file, keys) in FILES {
        let other = if keys[3] == "rune" { "native" } else { "rune" };
        let (status, said) = verify(&folder, file, &["--key", keys[1], "--class", other]);
        assert_eq!(status, 1);
        assert!(
            said.contains(&format!("is not of class {}", keys[3])),
            "{said}"
        );
    }
}

/// A signature of one kind is none of the other, even by a key that is held for both.
#[test]
fn a_signature_is_not_carried_to_another_kind() {
    let key = SecretKey::new(Class::Rune, [3; 40]);
    let mut ring = KeyRing::new();
    for class in Class::ALL {
        ring.add(key.signer(), class).unwrap();
    }
    let pair = KeyPair::from_seed(Seed::new([3; 32]));
    let kinds = [b"rune", b"mpui", b"nati"];
    for (bytes, own) in [
        (image(Containment::Mpu), b"mpui"),
        (image(Containment::Bounds), b"nati"),
        (image(Containment::Mask), b"nati"),
    ] {
        for kind in kinds {
            let message = [b"rune-sig-v1\0", &kind[..], &Sha512::digest(&bytes)].concat();
            let signature = pair.sk.sign(message, None);
            let signed = [&bytes[..], &pair.pk[..], &signature[..]].concat();
            let accepted = ring.accept(&Signed::read(&signed).unwrap());
            assert_eq!(accepted.is_ok(), kind == own, "{accepted:?}");
        }
    }
}

#[test]
fn an_altered_byte_is_refused_wherever_it_is() {
    let key = SecretKey::new(Class::Rune, [3; 40]);
    let mut ring = KeyRing::new();
    ring.add(key.signer(), Class::Rune).unwrap();
    ring.add(key.signer(), Class::Native).unwrap();
    for bytes in [rune(), image(Containment::Mpu)] {
        let mut signed = Signed::read(&bytes).unwrap();
        signed.sign(&key).unwrap();
        let good = signed.to_bytes();
        assert_eq!(ring.accept(&Signed::read(&good).unwrap()), Ok(key.signer()));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            let accepted = Signed::read(&bad).map(|signed| ring.accept(&signed).is_ok());
            assert_ne!(accepted, Ok(true), "byte {at}");
        }
        for length in 0..good.len() {
            let accepted = Signed::read(&good[..length]).map(|signed| ring.accept(&signed).is_ok());
            assert_ne!(accepted, Ok(true), "the first {length} bytes");
        }
    }
}

#[test]
fn what_was_altered_or_cut_off_says_so() {
    let folder = stage("altered");
    for (file, keys) in FILES {
        let good = fs::read(folder.join(file)).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(folder.join("bad"), &bad).unwrap();
        let (status, said) = verify(&folder, "bad", &keys);
        assert_eq!(status, 1, "{said}");
        assert!(said.starts_with("error: bad: "), "{said}");
        fs::write(folder.join("cut"), &good[..good.len() - 20]).unwrap();
        let (status, said) = verify(&folder, "cut", &keys);
        assert_eq!(status, 1, "{said}");
        assert!(
            said.contains("cut off") || said.contains("is not signatures"),
            "{said}"
        );
        // Nor is it signed so.
        let said = refused(
            &folder,
            &["sign", "cut", "--key", &keys[1].replace("pub", "key")],
        );
        assert!(said.starts_with("error: cut: "), "{said}");
    }
}

#[test]
fn an_image_for_another_device_is_refused() {
    let folder = stage("target");
    let a = ["--key", "a.pub"];
    let target = ["--target", "cortex-m7"];
    assert_eq!(verify(&folder, "mpu.img", &[&a[..], &target].concat()).0, 0);
    let (status, said) = verify(&folder, "x.rune", &[&a[..], &target].concat());
    assert_eq!(status, 1);
    assert!(
        said.contains("it is no image for cortex-m7, but a module"),
        "{said}"
    );
    // A target that this version does not know.
    let mut bytes = fs::read(folder.join("mpu.img")).unwrap();
    bytes[12] = 2;
    fs::write(folder.join("other.img"), &bytes).unwrap();
    let (status, said) = verify(&folder, "other.img", &a);
    assert_eq!(status, 1);
    assert!(said.contains("an unknown target at byte 12"), "{said}");
}

/// One signature that is not right makes a file suspect, whoever else signed it.
#[test]
fn one_wrong_signature_spoils_the_others() {
    let folder = stage("spoilt");
    done(&folder, &["sign", "x.rune", "--key", "b.key"]);
    let mut bytes = fs::read(folder.join("x.rune")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(folder.join("x.rune"), &bytes).unwrap();
    let (status, said) = verify(&folder, "x.rune", &["--key", "a.pub"]);
    assert_eq!(status, 1);
    assert!(said.contains("is not of these bytes"), "{said}");
    let said = refused(&folder, &["sign", "x.rune", "--key", "a.key"]);
    assert!(said.contains("--remove KEY"), "{said}");
    done(&folder, &["sign", "x.rune", "--remove", "b.pub"]);
    assert_eq!(verify(&folder, "x.rune", &["--key", "a.pub"]).0, 0);
}

#[test]
fn what_is_no_rune_is_not_signed() {
    let folder = stage("no-rune");
    for (name, bytes, says) in [
        ("empty", &b""[..], "neither a rune nor an image"),
        (
            "text",
            b"FROM runicos/base\n",
            "neither a rune nor an image",
        ),
        ("module", b"\0asm\x01\0\0\0", "manifest"),
        ("image", b"RUNE-IMG", "the header is cut off"),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
        let said = refused(&folder, &["sign", name, "--key", "a.key"]);
        assert!(said.contains(says), "{said}");
        assert_eq!(fs::read(folder.join(name)).unwrap(), bytes);
    }
}
