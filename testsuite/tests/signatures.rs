//! Who vouches for an image whose code is itself the sandbox: signatures as they are made, and as devices verify them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use ed25519_compact::{KeyPair, Seed};
use rune_abi::{
    ABI_VERSION, Manifest, OutputKind, Version, WasmFeatures,
    image::{Containment, Image, ImageView, Target},
};
use rune_core::{Missing, Policy, Table, check, grant};
use rune_testsuite::engines::{sign, sign_as};

/// The seed of the key that the device has, 32 times this byte, and of one that it does not have.
const KNOWN: u8 = 7;
const OTHER: u8 = 8;

/// Bytes of a key and a signature.
const SIGNATURE_BYTES: usize = 32 + 64;

/// An image that returns at once, without signatures.
fn image(containment: Containment) -> Vec<u8> {
    let manifest = Manifest {
        abi_version: ABI_VERSION,
        features: WasmFeatures(0),
        security_counter: 0,
        memory_bytes: 64,
        stack_bytes: 0,
        name: "signed".to_owned(),
        version: Version {
            major: 1,
            minor: 0,
            patch: 0,
        },
        bases: vec![],
        capabilities: vec![],
        outputs: vec![],
        models: vec![],
        stages: vec![],
    };
    let image = Image {
        target: Target::CortexM7,
        containment,
        imports: vec![],
        resets: false,
        first_read: None,
        keeps_records: false,
        block_bytes: 64,
        memory: (0, 64),
        stack_bytes: 256,
        manifest: manifest.to_bytes().unwrap(),
        // `movs r0, #0` and `svc #0`.
        linked: vec![0x00, 0x20, 0x00, 0xDF],
        constant_bytes: 0,
        entry: 0,
        functions: vec![(0, "call".to_owned())],
        graph_digest: [0; 32],
    };
    image.encode(|parts| rune_ir::digest(&parts.concat()))
}

fn signed(seeds: &[u8]) -> Vec<u8> {
    let mut image = image(Containment::Bounds);
    for seed in seeds {
        sign(&mut image, *seed);
    }
    image
}

/// Whether a device with one key of class *native* takes an image; what it says where it does not.
fn takes(bytes: &[u8]) -> Result<(), String> {
    let key = *KeyPair::from_seed(Seed::new([KNOWN; 32])).pk;
    let table: &'static Table = Box::leak(Box::new(Table {
        bases: &[],
        sensors: &[],
        outputs: &[OutputKind::Serial],
        memory_bytes: u32::MAX,
        code_bytes: u32::MAX,
        native_keys: Box::leak(Box::new([key])),
    }));
    let checked = check(bytes).map_err(|error| error.to_string())?;
    let granted = grant(
        &checked,
        table,
        &Policy::default(),
        WasmFeatures(0),
        u32::MAX,
    );
    granted.map(drop).map_err(|refusal| {
        let mut all = vec![];
        refusal.each(|missing| all.push(missing));
        assert!(matches!(all[..], [Missing::Native(_)]), "{refusal}");
        refusal.to_string()
    })
}

/// The image with one bit of a byte changed.
fn changed(image: &[u8], at: usize) -> Vec<u8> {
    let mut image = image.to_vec();
    image[at] ^= 1;
    image
}

#[test]
fn a_known_key_vouches_whoever_else_has_signed() {
    for seeds in [&[KNOWN][..], &[OTHER, KNOWN], &[KNOWN, OTHER]] {
        assert_eq!(takes(&signed(seeds)), Ok(()), "{seeds:?}");
    }
    for seeds in [&[][..], &[OTHER], &[OTHER, OTHER]] {
        let why = takes(&signed(seeds)).unwrap_err();
        assert!(why.contains("no key that this runtime trusts"), "{why}");
    }
    // What the protection unit contains needs nobody's word.
    assert_eq!(takes(&image(Containment::Mpu)), Ok(()));
}

#[test]
fn a_signature_of_another_class_does_not_count() {
    for containment in [Containment::Bounds, Containment::Mask] {
        let mut image = image(containment);
        sign_as(&mut image, b"mpui", KNOWN);
        assert!(takes(&image).is_err());
        sign_as(&mut image, b"nati", KNOWN);
        assert_eq!(takes(&image), Ok(()));
    }
}

/// Wherever a byte of it is another one, no image is taken.
#[test]
fn every_byte_of_a_signed_image_counts() {
    let image = signed(&[KNOWN]);
    let length = ImageView::new(&image).unwrap().signed().len();
    assert_eq!(image.len(), length + SIGNATURE_BYTES);
    for at in 0..image.len() {
        assert!(takes(&changed(&image, at)).is_err(), "byte {at}");
    }
    for length in 0..image.len() {
        let why = takes(&image[..length]);
        assert!(why.is_err(), "cut off to {length} bytes");
    }
    // A signature of other bytes.
    let mut other = changed(&image[..length], length - 1);
    other.extend_from_slice(&image[length..]);
    assert!(takes(&other).is_err());
}
