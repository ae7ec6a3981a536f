//! `docs/book/operators.md`: which operators of models there are in which element types, told by what passes its
//! vectors: the evaluator, scalar code and vector code.
//!
//! `BLESS=1` writes the table.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
};

use rune_abi::WasmFeatures;
use rune_codegen::Simd;
use rune_codegen::{kernels, nest::Buffer};
use rune_ir::{arena::Arena, graph::Graph};
use rune_models::{Outline, OutlineOperator, import, outline};
use rune_testsuite::root;

#[path = "../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

/// Ends what is written by hand.
const MARKER: &str =
    "<!-- What follows is made of the vectors in `testsuite/ops`: run `cargo xtask bless`. -->\n";

/// The operators that TensorFlow Lite Micro registers, by their names in files, those of Ethos-U excepted.
const MICRO: &str = "\
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
BROADCAST_TO CALL_ONCE CAST CEIL CIRCULAR_BUFFER CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE
DEPTHWISE_CONV_2D DEQUANTIZE TFLite_Detection_PostProcess DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL
EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL
HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOG_SOFTMAX LOGICAL_AND LOGICAL_NOT
LOGICAL_OR LOGISTIC MAX_POOL_2D MAXIMUM MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU
QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE SignalDelay SignalEnergy
SignalFftAutoScale SignalFilterBank SignalFilterBankLog SignalFilterBankSpectralSubtraction
SignalFilterBankSquareRoot SignalFramer SignalIrfft SignalOverlapAdd SignalPCAN SignalRfft SignalStacker
SignalWindow TFLM_DECODE";

/// How far an operator is compiled in one element type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Whole when the model is read: nothing of it is left to run.
    Folded,
    /// Scalar code.
    Scalar,
    /// Vector code, and scalar code too.
    Vector,
}

#[test]
fn the_table_of_operators_is_fresh() {
    let table = table(&levels());
    let path = root().join("docs/book/operators.md");
    let text = fs::read_to_string(&path).unwrap();
    let (by_hand, made) = text.split_once(MARKER).expect("the marker is there");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{by_hand}{MARKER}{table}")).unwrap();
    } else {
        assert_eq!(made, table, "{}: run `cargo xtask bless`", path.display());
    }
}

#[test]
fn no_operator_of_tensorflow_lite_micro_is_missing() {
    let levels = levels();
    let missing: Vec<&str> = MICRO
        .split_whitespace()
        .filter(|name| !levels.contains_key(*name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

type Levels = BTreeMap<String, BTreeMap<String, Level>>;

/// For each operator its element types: those of its operands that are no attributes, as `f32`, or as
/// `f32 x i8` where they differ. That every case passes is for the suites of evaluator and kernels to say.
fn levels() -> Levels {
    let mut levels = Levels::new();
    for file in vectors::operators() {
        for case in vectors::load(&file) {
            let told = outline(&case.model).unwrap();
            let graph = import(&case.model).unwrap();
            for operator in &told.operators {
                let name = operator.name.trim_start_matches("CUSTOM ").to_owned();
                let level = level(&graph, told.operators.len());
                let types = levels.entry(name).or_default();
                let known = types.entry(types_of(&told, operator)).or_insert(level);
                *known = level.max(*known);
            }
        }
    }
    levels
}

/// How far a model is compiled; one of several operators, as scalar code, for what is vector code in it may be
/// of another than the operator in question.
fn level(graph: &Graph, operators: usize) -> Level {
    let mut buffers = Arena::default();
    let inputs: Vec<_> = graph
        .inputs
        .iter()
        .map(|id| {
            let tensor = &graph.tensors[*id];
            buffers.push(Buffer {
                name: tensor.name.clone(),
                bytes: tensor.bytes() as u32,
                align: 16,
                data: None,
                initial: None,
            })
        })
        .collect();
    let compiled = kernels::compile(graph, &inputs, &mut buffers, Simd::On).unwrap();
    let vectors = compiled
        .kernels
        .iter()
        .any(|kernel| kernel.features().contains(WasmFeatures::SIMD));
    if compiled.kernels.is_empty() && graph.nodes.is_empty() {
        Level::Folded
    } else if vectors && operators == 1 {
        Level::Vector
    } else {
        Level::Scalar
    }
}

/// The type of the first operand, and of the weights where they are of another; of an operator without inputs, that
/// of its output.
fn types_of(outline: &Outline, operator: &OutlineOperator) -> String {
    let ty = |index: &usize| outline.tensors[*index].element.to_lowercase();
    // Of these the first input is an attribute: an axis, indices, a shape.
    let skipped = matches!(
        operator.name.as_str(),
        "SPLIT"
            | "EMBEDDING_LOOKUP"
            | "SCATTER_ND"
            | "FILL"
            | "TRANSPOSE_CONV"
            | "SELECT"
            | "SELECT_V2"
    );
    let first = operator.inputs.get(usize::from(skipped));
    let first = first.or(operator.outputs.first());
    let first = first.map_or_else(String::new, ty);
    let weighs = matches!(
        operator.name.as_str(),
        "CONV_2D"
            | "DEPTHWISE_CONV_2D"
            | "FULLY_CONNECTED"
            | "BATCH_MATMUL"
            | "SVDF"
            | "UNIDIRECTIONAL_SEQUENCE_LSTM"
    );
    let second = operator
        .inputs
        .get(1)
        .map(ty)
        .filter(|ty| weighs && *ty != first);
    match second {
        Some(second) => format!("{first} by {second}"),
        None => first,
    }
}

fn table(levels: &Levels) -> String {
    let columns = ["f32", "i8", "u8", "i16", "i32", "i64", "bool"];
    let mut table = String::from(
        "\n| operator | f32 | i8 | u8 | i16 | i32 | i64 | bool | others |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let micro: BTreeSet<&str> = MICRO.split_whitespace().collect();
    for (name, types) in levels {
        let mark = |level: &Level| match level {
            Level::Folded => "at build time",
            Level::Scalar => "scalar",
            Level::Vector => "vector",
        };
        let star = if micro.contains(name.as_str()) {
            ""
        } else {
            " \\*"
        };
        let _ = write!(table, "| {name}{star} |");
        for column in columns {
            let _ = write!(table, " {} |", types.get(column).map_or("", mark));
        }
        let others: Vec<String> = types
            .iter()
            .filter(|(ty, _)| !columns.contains(&ty.as_str()))
            .map(|(ty, level)| format!("{ty}: {}", mark(level)))
            .collect();
        let _ = writeln!(table, " {} |", others.join(", "));
    }
    table
}
