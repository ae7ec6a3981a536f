//! Blocks in C and C++ with the headers and the library of the SDK, all the way into a rune.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    f32::consts::TAU,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rune_ir::eval::Data;
use rune_testsuite::{
    engines::{self, Feed, Outcome},
    overlay::Overlay,
    root, skip,
};
use runec::toolchain::Clang;

/// 40 elements and more are copied by what `memcpy` is, not in line.
const ELEMENTS: usize = 40;

#[test]
fn a_block_calls_the_library_in_a_rune() {
    let Some(clang) = Clang::find() else {
        return skip(
            "a_block_calls_the_library_in_a_rune",
            "no clang with wasm-ld",
        );
    };
    for source in ["wave.c", "wave.cpp"] {
        let module = build(&clang, source);
        let block = rune_blocks::read(module.clone().into()).unwrap();
        assert_eq!(block.signature.name, "wave", "{source}");

        let world = Overlay::new(root()).with("./wave.wasm", module);
        let text = format!(
            "FROM runicos/base\nCAPABILITY<F32[{ELEMENTS}]> RAW values\nPROC_BLOCK ./wave.wasm wave --step 1.5\nOUT SERIAL\nRUN values wave serial\n"
        );
        let checked = engines::check_text(&text, &world);
        let rendered = engines::rendered(&checked);
        let verified = checked
            .output
            .unwrap_or_else(|| panic!("{source}: {rendered}"));
        let oracle = engines::evaluate(&verified, &feeds());
        is_a_wave(&oracle, source);
        for (variant, options) in engines::variants() {
            let output = engines::compile_text(&text, &world, &options)
                .output
                .unwrap();
            assert_eq!(
                engines::rounds(&output, &feeds(), 2),
                [oracle.clone(), oracle.clone()],
                "{source} {variant}"
            );
        }
    }
}

/// The module of a source among the SDK's tests.
fn build(clang: &Clang, source: &str) -> Vec<u8> {
    let sdk = root().join("proc-blocks/sdk");
    let room = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (object, module) = (
        room.join(format!("{source}.o")),
        room.join(format!("{source}.wasm")),
    );
    let include = [sdk.clone()];
    must(&mut clang.compile(&sdk.join("tests/c"), source, &include, &object));
    let objects: [PathBuf; 2] = [object, sdk.join("lib/librune_block.a")];
    must(&mut clang.link(&objects, &module));
    fs::read(module).unwrap()
}

fn must(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
}

fn feeds() -> Vec<Feed> {
    let value = |call: usize, i: usize| (call * ELEMENTS + i) as f32 / 8.0 - 10.0;
    (0..4)
        .map(|call| {
            vec![
                (0..ELEMENTS)
                    .flat_map(|i| value(call, i).to_le_bytes())
                    .collect(),
            ]
        })
        .collect()
}

/// That every element is its input times the sine of a phase that goes on from call to call.
fn is_a_wave(outcomes: &[Outcome], source: &str) {
    let feeds = feeds();
    assert_eq!(outcomes.len(), feeds.len(), "{source}");
    let floats = |bytes: &[u8]| -> Vec<f32> {
        let words = bytes.as_chunks().0.iter();
        words.map(|word| f32::from_le_bytes(*word)).collect()
    };
    let mut phase = 0.0f32;
    for (outcome, feed) in outcomes.iter().zip(&feeds) {
        let Outcome::Outputs(outputs) = outcome else {
            panic!("{source}: {outcome:?}");
        };
        let [Data::Bytes(waves)] = outputs[0].as_deref().unwrap() else {
            panic!("{source}: {outputs:?}");
        };
        for (wave, value) in floats(waves).iter().zip(floats(&feed[0])) {
            let expected = value * phase.sin();
            assert!(
                (wave - expected).abs() < 1e-5,
                "{source}: {wave}, {expected}"
            );
            phase = (phase + 1.5) % TAU;
        }
    }
}
