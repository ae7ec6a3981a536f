//! The applications: examples of this repository, with the samples that their sensors give.

use std::time::Instant;

use rune_abi::{CapabilityKind, image::Containment};
use rune_aot::Compiler;
use rune_codegen::{Options, Output};
use rune_runtime::{Limits, Read, Rune, SourceFlag};
use rune_testsuite::{engines, root};
use runec::Simd;

/// An application.
pub(crate) struct App {
    pub(crate) name: &'static str,
    /// As a rune.
    pub(crate) rune: Vec<u8>,
    /// The form that images are made of, and what is native.
    pub(crate) code: Output,
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
        let code = engines::compile(&folder.join("Runefile"), &engines::device());
        let code = code.output.expect("an example compiles for a device");
        let images = Containment::ALL.map(|containment| {
            let image = engines::image(&rune, &code.wasm, containment, compiler);
            (containment, image)
        });
        Self {
            name,
            rune,
            code,
            images: images.into(),
            samples: samples.unwrap_or_default(),
        }
    }
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
