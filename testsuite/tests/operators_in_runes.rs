//! Operators in whole runes: models of the vectors, compiled with plan, linking and entry functions and run by
//! wasmtime, give what the reference kernels gave, call after call and again after a reset.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use as_rune::OperatorRune;
use rune_ir::eval::Data;
use rune_testsuite::engines::{self, Outcome};

mod as_rune;
#[path = "../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

/// Cases of each operator; the first and others spread over the rest. Those that keep state all come.
const CASES: usize = 6;

#[test]
fn models_of_vectors_as_runes() {
    let (mut ran, mut stateful) = (0, 0);
    for operator in vectors::operators() {
        let cases = vectors::load(&operator);
        let step = cases.len().div_ceil(CASES);
        for (index, case) in cases.iter().enumerate() {
            if index % step == 0 || case.calls.len() > 1 {
                let what = format!("{operator}, {}", case.name);
                ran += usize::from(check(&what, case));
                stateful += usize::from(case.calls.len() > 1);
            }
        }
    }
    assert!(ran > 60, "only {ran} cases");
    assert!(stateful > 0, "no case of several calls");
}

/// Whether the case can be a rune, which then gives what it should.
fn check(what: &str, case: &vectors::Case) -> bool {
    let Some(rune) = OperatorRune::new(case) else {
        return false;
    };
    for (name, options) in engines::variants() {
        let compiled = engines::compile_text(&rune.text, &rune.world, &options);
        let shown = engines::rendered(&compiled);
        let Some(output) = compiled.output else {
            panic!("{what}, {name}: {shown}");
        };
        for round in engines::rounds(&output, &rune.feeds, 2) {
            assert_eq!(round.len(), case.calls.len(), "{what}, {name}");
            for (outcome, call) in round.iter().zip(&case.calls) {
                let actual = bytes(outcome);
                let fault = vectors::differences(&rune.graph, &actual, &call.outputs);
                assert_eq!(fault, None, "{what}, {name}");
            }
        }
    }
    true
}

/// What the one output was given.
fn bytes(outcome: &Outcome) -> Vec<Vec<u8>> {
    let Outcome::Outputs(outputs) = outcome else {
        panic!("{outcome:?}");
    };
    let [Some(tensors)] = &outputs[..] else {
        panic!("{outcome:?}");
    };
    tensors
        .iter()
        .map(|data| match data {
            Data::Bytes(bytes) => bytes.clone(),
            Data::Strings(texts) => panic!("texts: {texts:?}"),
        })
        .collect()
}
