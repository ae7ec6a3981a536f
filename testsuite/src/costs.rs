//! What each standard block costs, on inputs of a usual size: the rows of `docs/book/block-costs.md`.

use std::collections::BTreeMap;

use rune_block_native::BLOCKS;
use rune_block_sdk::{
    ElementType,
    testing::{Data, Type},
};
use rune_block_vectors::{Case, Expected};
use rune_codegen::{Options, Simd};

use crate::{
    blocks::{Stand, vectors},
    engines,
    random::Random,
};

/// A block at work.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub block: &'static str,
    /// What it does here, for the table.
    pub work: String,
    /// A rune around it.
    pub stand: Stand,
    /// The inputs of some calls, one after the other.
    pub calls: Vec<Vec<Data>>,
}

/// Block, arguments, types of the inputs, output type to declare; an integer is below the last number.
type Usual = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
    u32,
);

const USUAL: &[Usual] = &[
    ("argmax", "", &["f32[1000]"], "", 0),
    ("audio-float-conversion", "", &["i16[16000]"], "", 0),
    ("audio-frontend", "", &["i16[16000]"], "I8[49, 40]", 0),
    ("binary-classification", "", &["f32[1000]"], "", 0),
    (
        "biquad",
        "--kind low --order 4 --cutoff 40 --hz 100",
        &["f32[128, 3]"],
        "",
        0,
    ),
    ("cast", "", &["i16[16000]"], "F32[16000]", 0),
    (
        "concat",
        "--axis 0",
        &["f32[100, 40]", "f32[100, 40]"],
        "",
        0,
    ),
    (
        "crop",
        "--width 96 --height 96 --center true",
        &["u8[120, 160, 3]"],
        "",
        0,
    ),
    ("debounce", "", &["u32[1]"], "", 1),
    ("dequantize", "--scale 0.1", &["i8[1960]"], "", 0),
    ("fft", "", &["f32[1024]"], "", 0),
    (
        "fir",
        "--kind band --low 300 --high 3400 --hz 16000 --length 101",
        &["f32[1600]"],
        "",
        0,
    ),
    ("frame", "--length 128 --hop 16", &["f32[16, 3]"], "", 0),
    ("grayscale", "", &["u8[120, 160, 3]"], "", 0),
    (
        "image-normalization",
        "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
        &["u8[96, 96, 3]"],
        "",
        0,
    ),
    (
        "image-resize",
        "--width 96 --height 96",
        &["u8[120, 160, 3]"],
        "",
        0,
    ),
    (
        "label",
        "--labels silence,unknown,up,down,left,right",
        &["u32[1]"],
        "",
        6,
    ),
    ("mean", "", &["f32[1960]"], "", 0),
    (
        "mel-spectrogram",
        "--fft 512 --hop 160 --mels 40",
        &["i16[16000]"],
        "",
        0,
    ),
    (
        "mfcc",
        "--fft 512 --hop 160 --mels 40 --coefficients 13",
        &["i16[16000]"],
        "",
        0,
    ),
    ("modulo", "--modulus 360", &["f32[1000]"], "", 0),
    ("most-confident-indices", "--count 5", &["f32[1000]"], "", 0),
    ("nms", "--max 20", &["f32[500, 4]", "f32[500]"], "", 0),
    ("noise-filtering", "", &["u32[1960]"], "", 65537),
    ("normalize", "", &["f32[128, 3]"], "", 0),
    ("object-filter", "--threshold 0.7", &["f32[500, 85]"], "", 0),
    (
        "quantize",
        "--scale 0.1 --zero-point -3",
        &["f32[1960]"],
        "I8[1960]",
        0,
    ),
    ("resample", "--from 48000 --to 16000", &["i16[4800]"], "", 0),
    ("reshape", "--shape 1,49,40,1", &["i8[1960]"], "", 0),
    ("segment-output", "", &["f32[64, 64, 21]"], "", 0),
    (
        "slice",
        "--axis 0 --start 10 --end 60",
        &["f32[100, 40]"],
        "",
        0,
    ),
    ("smooth-scores", "", &["i8[6]"], "", 0),
    ("softmax", "", &["f32[1000]"], "", 0),
    ("spectrogram", "", &["i16[16000]"], "", 0),
    ("split", "--parts 2 --axis 0", &["f32[100, 40]"], "", 0),
    ("std-dev", "", &["f32[1960]"], "", 0),
    ("stft", "--fft 512 --hop 160", &["i16[16000]"], "", 0),
    ("threshold", "", &["f32[1960]"], "", 0),
    ("top-k", "--k 5", &["f32[1000]"], "", 0),
];

/// One row for each block: at its usual work, or at the case of its vectors with the largest inputs.
///
/// # Panics
/// If a type in the table here is misspelt.
pub fn rows() -> Vec<Row> {
    let outputs: BTreeMap<&str, usize> = [
        ("nms", 3),
        ("segment-output", 2),
        ("top-k", 2),
        ("smooth-scores", 2),
        ("split", 2),
    ]
    .into();
    BLOCKS
        .iter()
        .map(|(block, native)| {
            let Some((_, args, inputs, declared, below)) = USUAL.iter().find(|u| u.0 == *block)
            else {
                let cases = vectors(block, native).cases;
                return row_of_case(block, cases.iter().filter_map(|c| Some((c, calls(c)?))));
            };
            let types: Vec<Type> = inputs.iter().map(|t| parse(t)).collect();
            let mut random = Random::new(9);
            let calls = vec![types.iter().map(|t| data(t, *below, &mut random)).collect()];
            let arrow = match *declared {
                "" => String::new(),
                ty => format!("<_ -> {ty}>"),
            };
            let line = format!("PROC_BLOCK{arrow} runicos/{block} block {args}");
            let count = outputs.get(block).copied().unwrap_or(1);
            let to = if declared.is_empty() {
                String::new()
            } else {
                format!(" to `{declared}`")
            };
            let args = if args.is_empty() {
                String::new()
            } else {
                format!(", `{args}`")
            };
            Row {
                block,
                work: format!("`{}`{to}{args}", inputs.join("`, `").to_uppercase()),
                stand: Stand::around(&line, &types, count, &calls),
                calls,
            }
        })
        .collect()
}

/// The calls of a case that ends none with a fault.
fn calls(case: &Case) -> Option<Vec<Vec<Data>>> {
    let Expected::Calls(calls) = &case.expected else {
        return None;
    };
    let fine = calls
        .iter()
        .all(|c| !matches!(c.answer, rune_block_vectors::Answer::Fault(_)));
    fine.then(|| calls.iter().map(|c| c.inputs.clone()).collect())
}

fn row_of_case<'a>(
    block: &'static str,
    cases: impl Iterator<Item = (&'a Case, Vec<Vec<Data>>)>,
) -> Row {
    let size = |case: &Case| case.inputs.iter().map(Type::len).sum::<usize>();
    let (case, calls) = cases
        .max_by_key(|(case, calls)| (size(case), calls.len()))
        .expect("a block has a case that works");
    let types: Vec<String> = case
        .inputs
        .iter()
        .map(|t| format!("{}{:?}", t.element, t.dims))
        .collect();
    Row {
        block,
        work: format!("`{}`, \"{}\" of its vectors", types.join("`, `"), case.name),
        stand: Stand::of(block, case, &calls),
        calls,
    }
}

fn parse(text: &str) -> Type {
    let (element, dims) = text
        .trim_end_matches(']')
        .split_once('[')
        .expect("a type has dimensions");
    Type {
        element: ElementType::from_name(element).expect("a type has an element"),
        dims: dims
            .split(", ")
            .map(|d| d.parse().expect("dimensions are numbers"))
            .collect(),
        bounds: 0,
    }
}

/// Floats from -1 to 1, integers of any bits or below a number.
fn data(ty: &Type, below: u32, random: &mut Random) -> Data {
    let size = ty.element.size() as usize;
    let element = |_| {
        let word = random.word();
        if ty.element == ElementType::F32 {
            let float = word as f32 / (1_u32 << 31) as f32 - 1.0;
            return float.to_le_bytes().to_vec();
        }
        let number = if below > 0 { word % below } else { word };
        u64::from(number).to_le_bytes()[..size].to_vec()
    };
    Data::Bytes((0..ty.len()).flat_map(element).collect())
}

/// Bytes of the rune that are not there without the block, with SIMD off.
///
/// # Panics
/// If the row does not compile.
pub fn added_bytes(row: &Row) -> usize {
    let options = Options {
        simd: Simd::Off,
        ..Options::default()
    };
    let size = |text: &str| {
        let compiled = engines::compile_text(text, &row.stand.world, &options);
        let rendered = engines::rendered(&compiled);
        let output = compiled.output;
        output
            .unwrap_or_else(|| panic!("{text}\n{rendered}"))
            .wasm
            .len()
    };
    size(&row.stand.runefile).saturating_sub(size(&row.stand.baseline()))
}
