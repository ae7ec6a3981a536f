//! Loads the operator vectors of `testsuite/ops`, and compares results with them.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test uses a part of this, and tests read files"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use rune_ir::graph::{DataType, Graph};

/// One case of `testsuite/ops/<operator>.vectors`; `forge.py` beside them says their form.
pub struct Case {
    pub name: String,
    pub model: Vec<u8>,
    /// One after the other, on state that begins fresh.
    pub calls: Vec<Call>,
}

/// What a model is given and what it then gives.
pub struct Call {
    pub inputs: Vec<Vec<u8>>,
    pub outputs: Vec<Vec<u8>>,
}

/// The cases of one operator, by its name in lower case.
pub fn load(operator: &str) -> Vec<Case> {
    let path = workspace().join(format!("testsuite/ops/{operator}.vectors"));
    let file = fs::read(path).unwrap();
    let mut rest = &file[..];
    let mut cases = Vec::new();
    while !rest.is_empty() {
        cases.push(Case {
            name: String::from_utf8(blob(&mut rest)).unwrap(),
            model: blob(&mut rest),
            calls: (0..number(&mut rest))
                .map(|_| Call {
                    inputs: blobs(&mut rest),
                    outputs: blobs(&mut rest),
                })
                .collect(),
        });
    }
    cases
}

/// The names and bytes of the models of `testsuite/ops/import.forms`; `forms.py` beside it makes them.
pub fn forms() -> Vec<(String, Vec<u8>)> {
    named("import.forms")
}

/// The names and bytes of the models of `testsuite/ops/open.forms`; `open_shapes.py` beside it makes them.
pub fn open_forms() -> Vec<(String, Vec<u8>)> {
    named("open.forms")
}

/// The names and bytes of the models of `testsuite/ops/movement.forms`; `movement.py` beside it makes them.
pub fn movement_forms() -> Vec<(String, Vec<u8>)> {
    named("movement.forms")
}

fn named(file: &str) -> Vec<(String, Vec<u8>)> {
    let file = fs::read(workspace().join("testsuite/ops").join(file)).unwrap();
    let mut rest = &file[..];
    let mut forms = Vec::new();
    while !rest.is_empty() {
        let name = String::from_utf8(blob(&mut rest)).unwrap();
        forms.push((name, blob(&mut rest)));
    }
    forms
}

/// The names of all operators there are vectors of.
pub fn operators() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(workspace().join("testsuite/ops"))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".vectors").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// The folder of the whole project, above that of the crate under test.
pub fn workspace() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let above = folder.ancestors().find(|f| f.join("Cargo.lock").is_file());
    above.expect("a crate lies in the workspace").to_owned()
}

fn number(rest: &mut &[u8]) -> usize {
    let (number, tail) = rest.split_first_chunk().unwrap();
    *rest = tail;
    u32::from_le_bytes(*number) as usize
}

fn blobs(rest: &mut &[u8]) -> Vec<Vec<u8>> {
    (0..number(rest)).map(|_| blob(rest)).collect()
}

fn blob(rest: &mut &[u8]) -> Vec<u8> {
    let length = number(rest);
    let (blob, tail) = rest.split_at(length);
    *rest = tail;
    blob.to_vec()
}

/// What is wrong with the outputs of a call, if anything; [`difference`] says what may differ.
pub fn differences(graph: &Graph, actual: &[Vec<u8>], expected: &[Vec<u8>]) -> Option<String> {
    if actual.len() != expected.len() {
        return Some(format!("{} outputs, not {}", actual.len(), expected.len()));
    }
    (0..actual.len()).find_map(|i| {
        let fault = difference(graph, i, &actual[i], &expected[i])?;
        Some(format!("output {i}: {fault}"))
    })
}

/// What is wrong with the value of output `index`, given what it should be: integers are equal; F32 are
/// within 1e-5 of the greater of the element and the greatest finite element, infinite alike, or both NaN.
pub fn difference(graph: &Graph, index: usize, actual: &[u8], expected: &[u8]) -> Option<String> {
    let ty = graph.tensors[graph.outputs[index]].ty;
    if ty != DataType::F32 {
        let off = actual.iter().zip(expected).filter(|(a, e)| a != e).count();
        return (off > 0 || actual.len() != expected.len())
            .then(|| format!("{off} of {} bytes differ", expected.len()));
    }
    let floats = |bytes: &[u8]| -> Vec<f32> {
        let words = bytes.chunks_exact(4);
        words
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let (actual, expected) = (floats(actual), floats(expected));
    if actual.len() != expected.len() {
        return Some(format!("{} elements, not {}", actual.len(), expected.len()));
    }
    let finite = expected.iter().filter(|e| e.is_finite());
    let greatest = finite.fold(0.0f32, |m, e| m.max(e.abs()));
    let close = |a: f32, e: f32| {
        if e.is_finite() {
            // Written so that NaN differs from everything.
            (a - e).abs() <= 1e-5 * e.abs().max(greatest)
        } else {
            a == e || a.is_nan() && e.is_nan()
        }
    };
    let at = (0..actual.len()).find(|i| !close(actual[*i], expected[*i]))?;
    Some(format!(
        "element {at} is {}, not {}",
        actual[at], expected[at]
    ))
}
