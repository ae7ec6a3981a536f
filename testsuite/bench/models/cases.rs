//! The models of the benchmark, and what each is given.

use std::{fs, sync::Arc};

use rune_models::outline;
use rune_testsuite::{random::Random, reference_models, root};

/// A model with an input.
#[derive(Debug)]
pub(crate) struct Case {
    /// What the table calls it; also the name of its file in ONNX.
    pub(crate) name: &'static str,
    /// The whole path of its file.
    pub(crate) path: String,
    /// Its file.
    pub(crate) model: Arc<[u8]>,
    /// Bytes of all its inputs, one after the other.
    pub(crate) input: Vec<u8>,
    /// Bytes of each input.
    pub(crate) input_sizes: Vec<usize>,
    /// Multiplications of one call, where the operators' are known.
    pub(crate) macs: u64,
    /// For each output, whether it is of floats and how many bytes it has.
    pub(crate) outputs: Vec<(bool, usize)>,
}

/// Name in the table, and path from the folder of reference models or, with `examples/`, from the root.
const MODELS: &[(&str, &str)] = &[
    ("kws", "kws/kws_ref_model.tflite"),
    ("anomaly", "anomaly/ad01_int8.tflite"),
    ("gesture-f32", "gesture/model.tflite"),
    ("gesture-quantized", "gesture/model_quantized.tflite"),
    ("sine-f32", "sine/sinemodel.tflite"),
    ("sine-int8", "sine/hello_world_int8.tflite"),
    ("lstm", "lstm/trained_lstm_int8.tflite"),
    ("examples-digits", "examples/digits/digits.tflite"),
    ("examples-gesture", "examples/gesture/gesture.tflite"),
    ("examples-keyword", "examples/keyword/keyword.tflite"),
    ("examples-paper", "examples/paper/example.tflite"),
    ("examples-sine", "examples/sine/sine.tflite"),
    ("examples-sine-int8", "examples/sine/sine_int8.tflite"),
];

/// Every model that is here.
pub(crate) fn all() -> Vec<Case> {
    let shared = reference_models("models");
    let places = MODELS.iter().filter_map(|(name, path)| {
        let folder = if path.starts_with("examples/") {
            root().to_owned()
        } else {
            shared.clone()?
        };
        let path = fs::canonicalize(folder.join(path)).expect("the model is there");
        Some((*name, path.to_str().expect("a path is text").to_owned()))
    });
    places.map(|(name, path)| case(name, path)).collect()
}

fn case(name: &'static str, path: String) -> Case {
    let model: Arc<[u8]> = fs::read(&path).expect("the model can be read").into();
    let outline = outline(&model).expect("the model has an outline");
    let mut random = Random::new(1);
    let inputs: Vec<Vec<u8>> = outline
        .inputs
        .iter()
        .map(|i| {
            let tensor = &outline.tensors[*i];
            let count = tensor.elements() as usize;
            let bytes = tensor.bytes() as usize;
            draw(&mut random, &tensor.element, count, bytes)
        })
        .collect();
    let outputs = outline.outputs.iter().map(|i| {
        let tensor = &outline.tensors[*i];
        (is_float(&tensor.element), tensor.bytes() as usize)
    });
    Case {
        name,
        input: inputs.concat(),
        input_sizes: inputs.iter().map(Vec::len).collect(),
        macs: outline.macs(),
        outputs: outputs.collect(),
        path,
        model,
    }
}

/// As `testsuite/models/generate.py` draws: F32 from -4 to 4, integers by the low bytes of a number.
fn draw(random: &mut Random, element: &str, count: usize, bytes: usize) -> Vec<u8> {
    let value = |_| {
        let word = random.word();
        if is_float(element) {
            let float = (word >> 8) as f32 / (1 << 21) as f32 - 4.0;
            return float.to_le_bytes().to_vec();
        }
        u64::from(word).to_le_bytes()[..bytes / count.max(1)].to_vec()
    };
    (0..count).flat_map(value).collect()
}

fn is_float(element: &str) -> bool {
    element.eq_ignore_ascii_case("f32")
}

impl Case {
    /// A rune of the model and nothing else.
    pub(crate) fn runefile(&self) -> String {
        let inputs: Vec<String> = (0..self.input_sizes.len())
            .map(|i| format!("x{i}"))
            .collect();
        let outputs: Vec<String> = match self.outputs.len() {
            1 => vec!["model".to_owned()],
            several => (0..several).map(|i| format!("model.{i}")).collect(),
        };
        let capabilities: Vec<String> = inputs
            .iter()
            .map(|name| format!("CAPABILITY RAW {name}"))
            .collect();
        let fan = |names: &[String]| match names {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        format!(
            "FROM runicos/base\n{}\nMODEL ./model.tflite model\nOUT SERIAL\nRUN {} model\nRUN {} serial\n",
            capabilities.join("\n"),
            fan(&inputs),
            fan(&outputs)
        )
    }

    /// Whether an output is what the reference gave: `None`, or what is wrong. Integers are equal; F32 are
    /// within 1e-5 of the greater of the element and the greatest element.
    pub(crate) fn difference(&self, actual: &[u8], expected: &[u8]) -> Option<String> {
        if actual.len() != expected.len() {
            return Some(format!("{} bytes, not {}", actual.len(), expected.len()));
        }
        let mut at = 0;
        let faults = self.outputs.iter().filter_map(|(float, bytes)| {
            let range = at..at + bytes;
            at += bytes;
            let (actual, expected) = (&actual[range.clone()], &expected[range]);
            if *float {
                floats(actual, expected)
            } else {
                integers(actual, expected)
            }
        });
        let faults: Vec<String> = faults.collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

fn integers(actual: &[u8], expected: &[u8]) -> Option<String> {
    let apart = |(a, e): (&u8, &u8)| (a.cast_signed() as i32 - e.cast_signed() as i32).abs();
    let apart: Vec<i32> = actual.iter().zip(expected).map(apart).collect();
    let count = apart.iter().filter(|d| **d != 0).count();
    let most = apart.iter().max().copied().unwrap_or(0);
    (count > 0).then(|| format!("{count} of {} differ, at most by {most}", apart.len()))
}

fn floats(actual: &[u8], expected: &[u8]) -> Option<String> {
    let values = |bytes: &[u8]| -> Vec<f32> {
        let words = bytes.chunks_exact(4);
        words
            .map(|w| f32::from_le_bytes(w.try_into().expect("a word has four bytes")))
            .collect()
    };
    let (actual, expected) = (values(actual), values(expected));
    let largest = expected.iter().fold(0.0_f32, |m, e| m.max(e.abs()));
    let error = |(a, e): (&f32, &f32)| (a - e).abs() / e.abs().max(largest).max(f32::MIN_POSITIVE);
    let errors = || actual.iter().zip(&expected).map(error);
    let count = errors().filter(|e| e.is_nan() || *e > 1e-5).count();
    let most = errors().fold(0.0, f32::max);
    (count > 0).then(|| {
        format!(
            "{count} of {} differ, at most by {most:.0e}",
            expected.len()
        )
    })
}
