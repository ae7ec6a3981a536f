//! Damaged Runefiles, models and blocks through the whole compiler: never a panic, and either a rune that
//! keeps the contract or an error with a place.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use rune_codegen::Options;
use rune_ir::{
    check::{TypedKind, Verified},
    diag::{Severity, has_errors},
};
use rune_runtime::Rune;
use rune_testsuite::{
    cases,
    engines::{self, Feed},
    overlay::Overlay,
    random::Random,
    root,
};

/// What came of a number of inputs.
#[derive(Debug, Default)]
struct Tally {
    built: usize,
    refused: usize,
    /// Built ones that were run as well.
    run: usize,
}

impl Tally {
    /// Compiles a Runefile in a world and checks what must hold of any input.
    fn add(&mut self, place: &str, text: &[u8], world: &Overlay) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.compile(place, text, world)));
        assert!(
            outcome.is_ok(),
            "{place}:\n{}",
            String::from_utf8_lossy(text)
        );
    }

    fn compile(&mut self, place: &str, text: &[u8], world: &Overlay) {
        let name = if place.contains(".yml,") {
            "Runefile.yml"
        } else {
            "Runefile"
        };
        let compiled = runec::compile(name, "case", text, world, &Options::default());
        for diagnostic in &compiled.diagnostics {
            let labels = diagnostic.secondary.iter().chain([&diagnostic.primary]);
            for label in labels {
                let (from, to) = (label.span.start as usize, label.span.end as usize);
                let source = compiled.sources.text(label.span.file);
                assert!(source.get(from..to).is_some(), "{place}: {diagnostic:?}");
            }
            assert!(!diagnostic.message.is_empty(), "{place}: {diagnostic:?}");
            runec::report::json::diagnostic(&compiled.sources, diagnostic);
        }
        let rendered = engines::rendered(&compiled);
        assert_eq!(
            compiled.output.is_none(),
            has_errors(&compiled.diagnostics),
            "{place}: a rune or an error\n{rendered}"
        );
        let Some(output) = compiled.output else {
            self.refused += 1;
            let mut errors = compiled.diagnostics.iter();
            assert!(errors.any(|d| d.severity == Severity::Error), "{place}");
            return;
        };
        self.built += 1;
        wasmparser::Validator::new()
            .validate_all(&output.wasm)
            .unwrap_or_else(|e| panic!("{place}: {e}"));
        Rune::load(output.wasm.clone()).unwrap_or_else(|e| panic!("{place}: {e}"));
        // An engine takes long to start; a few are enough to tell whether damage makes engines differ.
        if self.built.is_multiple_of(20) && output.manifest.memory_bytes < 1 << 16 {
            let checked = runec::check(name, "case", text, world);
            let verified = checked.output.expect("what compiles checks");
            let feeds = feeds(&verified);
            assert_eq!(
                engines::run(&output, &feeds),
                engines::evaluate(&verified, &feeds),
                "{place}"
            );
            self.run += 1;
        }
    }
}

/// One call's samples, random.
fn feeds(verified: &Verified) -> Vec<Feed> {
    let mut random = Random::new(5);
    let mut feed = Vec::new();
    for stage in verified.stages() {
        if let TypedKind::Capability { .. } = stage.kind {
            feed.push(random.bytes(stage.outputs[0].bytes() as usize));
        }
    }
    vec![feed]
}

#[test]
fn damaged_runefiles() {
    let mut paths = cases("ui");
    // Cases of faults are many; as often one that is sound.
    for _ in 0..4 {
        paths.extend(["run", "compile"].into_iter().flat_map(cases));
        for example in ["sine", "gesture", "digits", "paper"] {
            paths.push(root().join("examples").join(example).join("Runefile"));
        }
    }
    let mut random = Random::new(11);
    let mut tally = Tally::default();
    for round in 0..1000 {
        let path = &paths[random.below(paths.len())];
        let mut text = fs::read(path).unwrap();
        if random.below(2) == 0 {
            random.mutate(&mut text);
        } else {
            edit(&mut text, &mut random);
        }
        let world = Overlay::new(path.parent().unwrap());
        let place = format!("{}, round {round}", path.display());
        tally.add(&place, &text, &world);
    }
    assert!(tally.built > 100 && tally.refused > 500, "{tally:?}");
}

/// Moves, repeats or drops a line, or changes a number, as a person might: what comes of it often compiles.
fn edit(text: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<Vec<u8>> = text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let at = random.below(lines.len());
    let other = random.below(lines.len());
    match random.below(5) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(other, lines[at].clone()),
        2 => lines.swap(at, other),
        _ => {
            let digits = text.iter().enumerate().filter(|(_, b)| b.is_ascii_digit());
            let digits: Vec<usize> = digits.map(|(i, _)| i).collect();
            if let Some(digit) = digits.get(random.below(digits.len())) {
                text[*digit] = b"0123456789"[random.below(10)];
            }
            return;
        }
    }
    *text = lines.join(&b'\n');
}

#[test]
fn damaged_models() {
    let mut models: Vec<(String, Vec<u8>, usize)> = Vec::new();
    for operator in vectors::operators() {
        for case in vectors::load(&operator) {
            models.push((case.name, case.model, case.calls[0].inputs.len()));
        }
    }
    // As often as an operator's, so that damage falls on what only whole models have.
    for _ in 0..40 {
        for path in [
            "sine/sine",
            "sine/sine_int8",
            "paper/example",
            "digits/digits",
        ] {
            let path = root().join("examples").join(path).with_extension("tflite");
            models.push((path.display().to_string(), fs::read(path).unwrap(), 1));
        }
    }
    let mut random = Random::new(12);
    let mut tally = Tally::default();
    for round in 0..1000 {
        let (name, model, inputs) = &models[random.below(models.len())];
        let mut model = model.clone();
        damage(&mut model, &mut random);
        let world = Overlay::new(".").with("./model.tflite", model);
        let names: Vec<String> = (0..*inputs).map(|i| format!("x{i}")).collect();
        let text = format!(
            "FROM runicos/base\nCAPABILITY RAW {}\nMODEL ./model.tflite m\nOUT SERIAL\nRUN [{}] m serial\n",
            names.join("\nCAPABILITY RAW "),
            names.join(", ")
        );
        tally.add(&format!("{name}, round {round}"), text.as_bytes(), &world);
    }
    assert!(tally.built > 100 && tally.refused > 100, "{tally:?}");
}

#[test]
fn damaged_blocks() {
    let blocks = [
        ("fft", "CAPABILITY<I16[16]> RAW x", ""),
        ("label", "CAPABILITY<U32[1]> RAW x", "--labels one,two"),
        ("modulo", "CAPABILITY<F32[4]> RAW x", "--modulus 360"),
        (
            "most-confident-indices",
            "CAPABILITY<F32[4]> RAW x",
            "--count 2",
        ),
        ("normalize", "CAPABILITY<F32[4]> RAW x", ""),
    ];
    let folder = root().join("stdlib/catalogue/blocks");
    let mut random = Random::new(13);
    let mut tally = Tally::default();
    for round in 0..300 {
        let (name, capability, arguments) = blocks[round % blocks.len()];
        let mut block = fs::read(folder.join(name).with_extension("wasm")).unwrap();
        damage(&mut block, &mut random);
        let world = Overlay::new(Path::new(".")).with("./block.wasm", block);
        let text = format!(
            "FROM runicos/base\n{capability}\nPROC_BLOCK ./block.wasm b {arguments}\nOUT SERIAL\nRUN x b serial\n"
        );
        tally.add(&format!("{name}, round {round}"), text.as_bytes(), &world);
    }
    assert!(tally.built > 20 && tally.refused > 100, "{tally:?}");
}

/// Half the time one bit or byte, which leaves the form whole and the meaning wrong; else rougher.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if random.below(2) == 0 {
        return random.mutate(bytes);
    }
    let at = random.below(bytes.len());
    bytes[at] ^= match random.below(3) {
        0 => 0xff,
        1 => 1,
        _ => 1 << random.below(8),
    };
}
