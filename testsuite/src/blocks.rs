//! A standard block in a rune of its own, beside the same block as code of the host.

use crate::{
    engines::{Feed, Outcome},
    overlay::Overlay,
    root,
};
use rune_block_sdk::testing::{self, Native, NativeInstance, Type, Value};
use rune_block_vectors::{Arg, Argument, Case, Vectors};
use rune_ir::{
    args::Bound,
    check::{TypedKind, Verified},
    eval::Data,
    ty::{Dim, TensorType},
};

/// The vectors of a block.
pub fn vectors(name: &str, native: &Native) -> Vectors {
    let path = root().join("proc-blocks").join(name).join("vectors.json");
    let json = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()));
    Vectors::parse(&json, native.signature()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A Runefile around one block, and how tensors get into it.
#[derive(Clone, Debug)]
pub struct Stand {
    /// The text of the Runefile.
    pub runefile: String,
    /// What it can see.
    pub world: Overlay,
    ways: Vec<Way>,
}

/// How an input is fed.
#[derive(Clone, Debug)]
enum Way {
    /// Bytes as they are.
    Bytes,
    /// So many bytes, and how many elements of them count.
    Shortened { bytes: usize, element: usize },
    /// A text of at most so many bytes, with zeros behind.
    Text(usize),
    /// The places of texts in this list.
    Places(Vec<String>),
}

impl Stand {
    /// A rune that feeds `calls` to the block and gives its outputs. `outputs` are the types to declare;
    /// none: what the compiler infers for so many outputs.
    ///
    /// # Panics
    /// If an input has a bound that is not its first dimension.
    pub fn new(
        block: &str,
        args: &[Argument],
        inputs: &[Type],
        outputs: Result<&[Type], usize>,
        calls: &[Vec<testing::Data>],
    ) -> Self {
        let mut files = Vec::new();
        let args = arguments(args, &mut files);
        let declared = match outputs {
            Err(_) => String::new(),
            Ok(outputs) => {
                let outputs: Vec<String> = outputs.iter().map(spelled).collect();
                let inputs = vec!["_"; inputs.len()].join(", ");
                format!("<{inputs} -> {}>", outputs.join(", "))
            }
        };
        let count = outputs.map_or_else(|count| count, <[Type]>::len);
        let line = format!("PROC_BLOCK{declared} runicos/{block} block{args}");
        let mut stand = Self::around(&line, inputs, count, calls);
        for (path, bytes) in files {
            stand.world = stand.world.with(&path, bytes);
        }
        stand
    }

    /// The same around a line that declares a stage called `block`, of so many outputs.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn around(
        line: &str,
        inputs: &[Type],
        outputs: usize,
        calls: &[Vec<testing::Data>],
    ) -> Self {
        let mut lines = vec!["FROM runicos/base".to_owned()];
        let mut ways = Vec::new();
        for (i, ty) in inputs.iter().enumerate() {
            let texts = calls.iter().filter_map(|call| match &call[i] {
                testing::Data::Texts(texts) => Some(texts),
                testing::Data::Bytes(_) => None,
            });
            let texts: Vec<String> = texts.flatten().cloned().collect();
            ways.push(input(&mut lines, i, ty, texts));
        }
        lines.push(line.to_owned());
        let names: Vec<String> = (0..inputs.len()).map(|i| format!("in{i}")).collect();
        lines.push(format!("RUN [{}] block", names.join(", ")));
        for i in 0..outputs {
            lines.push(format!("OUT SERIAL out{i}"));
            lines.push(format!("RUN block.{i} out{i}"));
        }
        Self {
            runefile: lines.join("\n") + "\n",
            world: Overlay::new(root().join("testsuite/fixtures")),
            ways,
        }
    }

    /// The stand of a case.
    pub fn of(block: &str, case: &Case, calls: &[Vec<testing::Data>]) -> Self {
        Self::new(block, &case.args, &case.inputs, Ok(&case.outputs), calls)
    }

    /// A rune of the same capabilities that are given out as they come: what a rune costs without a block.
    pub fn baseline(&self) -> String {
        let sources: Vec<&str> = self
            .runefile
            .lines()
            .filter(|l| l.starts_with("CAPABILITY"))
            .collect();
        let names: Vec<&str> = sources
            .iter()
            .filter_map(|l| l.rsplit(' ').next())
            .collect();
        format!(
            "FROM runicos/base\n{}\nRUN [{}] serial\nOUT SERIAL\n",
            sources.join("\n"),
            names.join(", ")
        )
    }

    /// The samples of one call.
    pub fn feed(&self, inputs: &[testing::Data]) -> Feed {
        let mut feed = Feed::new();
        for (way, data) in self.ways.iter().zip(inputs) {
            match (way, data) {
                (Way::Bytes, testing::Data::Bytes(bytes)) => feed.push(bytes.clone()),
                (
                    Way::Shortened {
                        bytes: full,
                        element,
                    },
                    testing::Data::Bytes(bytes),
                ) => {
                    let mut whole = bytes.clone();
                    whole.resize(*full, 0x5a);
                    feed.push(whole);
                    feed.push(((bytes.len() / element) as u32).to_le_bytes().to_vec());
                }
                (Way::Text(room), testing::Data::Texts(texts)) => {
                    let mut bytes = texts[0].clone().into_bytes();
                    bytes.resize(*room, 0);
                    feed.push(bytes);
                }
                (Way::Places(list), testing::Data::Texts(texts)) => {
                    let place = |t: &String| {
                        list.iter()
                            .position(|l| l == t)
                            .expect("every text is in the list")
                    };
                    feed.push(
                        texts
                            .iter()
                            .flat_map(|t| (place(t) as u32).to_le_bytes())
                            .collect(),
                    );
                }
                (way, data) => panic!("{data:?} cannot go the way {way:?}"),
            }
        }
        feed
    }
}

/// The stage `in{i}` that gives tensors of a type.
fn input(lines: &mut Vec<String>, i: usize, ty: &Type, texts: Vec<String>) -> Way {
    let element = ty.element;
    if element != rune_block_sdk::ElementType::Utf8 {
        let size = element.size() as usize;
        let full = Type {
            bounds: 0,
            ..ty.clone()
        };
        if ty.bounds == 0 {
            lines.push(format!("CAPABILITY<{}> RAW in{i}", spelled(&full)));
            return Way::Bytes;
        }
        assert_eq!(ty.bounds, 1, "only the first dimension can be shortened");
        lines.push(format!("CAPABILITY<{}> RAW full{i}", spelled(&full)));
        lines.push(format!("CAPABILITY<u32[1]> RAW count{i}"));
        lines.push(format!("PROC_BLOCK ./shorten.wasm in{i}"));
        lines.push(format!("RUN [full{i}, count{i}] in{i}"));
        return Way::Shortened {
            bytes: ty.len() * size,
            element: size,
        };
    }
    if ty.len() == 1 && !texts.iter().any(|t| t.contains('\0')) {
        let room = texts.iter().map(String::len).max().unwrap_or(0).max(1);
        lines.push(format!("CAPABILITY<u8[{room}]> RAW bytes{i}"));
        lines.push(format!("PROC_BLOCK runicos/utf8-decode in{i}"));
        lines.push(format!("RUN bytes{i} in{i}"));
        return Way::Text(room);
    }
    let mut list = texts;
    list.sort();
    list.dedup();
    let places = Type {
        element: rune_block_sdk::ElementType::U32,
        ..ty.clone()
    };
    lines.push(format!("CAPABILITY<{}> RAW places{i}", spelled(&places)));
    let labels = Arg::Texts(list.clone())
        .in_runefile()
        .expect("a list can be written");
    lines.push(format!("PROC_BLOCK runicos/label in{i} --labels={labels}"));
    lines.push(format!("RUN places{i} in{i}"));
    Way::Places(list)
}

/// A type as a Runefile spells it.
fn spelled(ty: &Type) -> String {
    let dim = |(i, d): (usize, &u32)| {
        let bound = if ty.bounds >> i & 1 == 1 { "<=" } else { "" };
        format!("{bound}{d}")
    };
    let dims: Vec<String> = ty.dims.iter().enumerate().map(dim).collect();
    format!("{}[{}]", ty.element, dims.join(", "))
}

/// The arguments that are given, as a Runefile spells them; bytes become files.
fn arguments(args: &[Argument], files: &mut Vec<(String, Vec<u8>)>) -> String {
    let mut text = String::new();
    let mut resources = String::new();
    for (i, arg) in args.iter().enumerate().filter(|(_, a)| a.given) {
        let value = match (&arg.value, arg.value.in_runefile()) {
            (_, Some(value)) => value,
            (Arg::Bytes(bytes), None) => {
                let path = format!("argument{i}.bin");
                resources.extend(["\nRESOURCE ", &path, " ", &format!("argument{i}")]);
                files.push((path, bytes.clone()));
                format!("$argument{i}")
            }
            (other, None) => panic!("{other:?} cannot be written"),
        };
        text.extend([" --", &arg.name, "=", &value]);
    }
    text + &resources
}

/// The stage called `block` of a verified stand, as code of the host.
///
/// # Errors
/// What the block says.
///
/// # Panics
/// If there is no such stage.
pub fn start(native: &Native, verified: &Verified) -> Result<NativeInstance, String> {
    let stage = verified.stages().iter().find(|s| s.name == "block");
    let Some(TypedKind::Block { instance, .. }) = stage.map(|s| &s.kind) else {
        panic!("a stand has a stage called `block`");
    };
    let mut lists: Vec<Vec<&str>> = vec![Vec::new(); instance.args.len()];
    let args: Vec<Value<'_>> = instance
        .args
        .iter()
        .zip(&mut lists)
        .map(|(arg, list)| match arg {
            Bound::Integer(n) => Value::Integer(*n),
            Bound::Float(x) => Value::Float(*x),
            Bound::Text(text) => Value::Text(text),
            Bound::Bytes(bytes) => Value::Bytes(bytes),
            Bound::List(texts) => {
                list.extend(texts.iter().map(String::as_str));
                Value::Texts(list)
            }
        })
        .collect();
    let types = |types: &[TensorType]| types.iter().map(native_type).collect::<Vec<_>>();
    native
        .init(
            &instance.export,
            &args,
            &types(&instance.inputs),
            &types(&instance.outputs),
        )
        .map_err(|refusal| refusal.message().to_owned())
}

/// The types of the outputs of the stage called `block`.
pub fn output_types(verified: &Verified) -> Vec<Type> {
    let stage = verified.stages().iter().find(|s| s.name == "block");
    stage.map_or_else(Vec::new, |s| s.outputs.iter().map(native_type).collect())
}

fn native_type(ty: &TensorType) -> Type {
    let bound = |(i, dim): (usize, &Dim)| u32::from(matches!(dim, Dim::AtMost(_))) << i;
    Type {
        element: rune_block_sdk::ElementType::from_name(ty.element.name())
            .expect("both have the same types"),
        dims: ty.dims.iter().map(|d| d.bound()).collect(),
        bounds: ty.dims.iter().enumerate().map(bound).sum(),
    }
}

/// The outcomes of calls on code of the host, up to the first fault, as [`crate::engines`] tells them.
pub fn run(
    instance: &mut NativeInstance,
    outputs: &[Type],
    calls: &[Vec<testing::Data>],
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for inputs in calls {
        match instance.run(inputs) {
            Ok(None) => outcomes.push(Outcome::Outputs(vec![None; outputs.len()])),
            Ok(Some(found)) => {
                let data = found
                    .into_iter()
                    .zip(outputs)
                    .map(|(data, ty)| Some(vec![canonical(data, ty)]));
                outcomes.push(Outcome::Outputs(data.collect()));
            }
            Err(fault) => {
                outcomes.push(Outcome::Fault(fault as i32));
                break;
            }
        }
    }
    outcomes
}

/// What a rune writes for this data: its NaNs are canonical.
fn canonical(data: testing::Data, ty: &Type) -> Data {
    use rune_block_sdk::ElementType::{F32, F64};
    match (data, ty.element) {
        (testing::Data::Texts(texts), _) => Data::Strings(texts),
        (testing::Data::Bytes(mut bytes), element) => {
            if element == F32 {
                for word in bytes.chunks_exact_mut(4) {
                    if f32::from_le_bytes([word[0], word[1], word[2], word[3]]).is_nan() {
                        word.copy_from_slice(&0x7fc0_0000_u32.to_le_bytes());
                    }
                }
            } else if element == F64 {
                for word in bytes.chunks_exact_mut(8) {
                    if f64::from_le_bytes(word.try_into().expect("eight bytes")).is_nan() {
                        word.copy_from_slice(&0x7ff8_0000_0000_0000_u64.to_le_bytes());
                    }
                }
            }
            Data::Bytes(bytes)
        }
    }
}
