//! The applications: examples of this repository, with the samples that their sensors give.

use std::time::Instant;

use ed25519_compact::{KeyPair, Seed};
use rune_abi::{
    CapabilityKind,
    image::{Containment, Target},
};
use rune_aot::Compiler;
use rune_codegen::Options;
use rune_runtime::{Limits, Read, Rune, SourceFlag};
use rune_testsuite::{engines, root};
use runec::Simd;
use sha2::{Digest, Sha512};

/// An application.
pub(crate) struct App {
    pub(crate) name: &'static str,
    /// As a rune.
    pub(crate) rune: Vec<u8>,
    /// As images: contained in each way, and signed with the key that the firmware has.
    pub(crate) images: Vec<(Containment, Vec<u8>)>,
    /// One after the other, as the rune reads them; none where it reads random numbers.
    pub(crate) samples: Vec<u8>,
}

impl App {
    /// The example of this name.
    pub(crate) fn new(name: &'static str, simd: bool, compiler: &Compiler) -> Self {
        let folder = root().join("examples").join(name);
        let options = Options {
            simd: if simd { Simd::On } else { Simd::Off },
            ..Options::default()
        };
        let compiled = engines::compile(&folder.join("Runefile"), &options);
        let rune = compiled.output.expect("an example compiles").wasm;
        let file = match name {
            "gesture" => Some((CapabilityKind::Accel, "ring.csv")),
            "keyword" => Some((CapabilityKind::Sound, "words.wav")),
            "digits" => Some((CapabilityKind::Image, "7.png")),
            _ => None,
        };
        let samples = file.map(|(kind, file)| {
            let value = folder
                .join(file)
                .to_str()
                .expect("the path is text")
                .to_owned();
            samples(&rune, SourceFlag { kind, value })
        });
        let images = Containment::ALL.map(|containment| {
            let built = rune_aot::image(&rune, &rune, Target::CortexM7, containment, compiler);
            let built = built.expect("an example becomes an image");
            (containment, signed(built.bytes))
        });
        Self {
            name,
            rune,
            images: images.into(),
            samples: samples.unwrap_or_default(),
        }
    }
}

/// An image with the signature of class *native*, by the key whose seed is 32 bytes of 7. Others are as they are.
fn signed(mut image: Vec<u8>) -> Vec<u8> {
    let message = [&b"rune-sig-v1\0nati"[..], &Sha512::digest(&image)].concat();
    let pair = KeyPair::from_seed(Seed::new([7; 32]));
    let signature = pair.sk.sign(message, None);
    image.extend_from_slice(&*pair.pk);
    image.extend_from_slice(&*signature);
    image
}

/// All samples that a file gives to the one capability of a rune.
fn samples(rune: &[u8], flag: SourceFlag) -> Vec<u8> {
    let rune = Rune::load(rune.to_vec()).expect("a compiled rune keeps the contract");
    let grants = rune.grant(&[flag], &Limits::default());
    let mut sources = grants.expect("the file feeds the rune").into_sources();
    let mut sample = vec![0; rune.manifest().capabilities[0].ty.bytes() as usize];
    let mut samples = vec![];
    loop {
        let read = sources[0].read(&mut sample, Instant::now());
        match read.expect("the file can be read") {
            Read::Sample => samples.extend_from_slice(&sample),
            Read::End { .. } => return samples,
        }
    }
}
