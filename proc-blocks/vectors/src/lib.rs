//! Runs blocks on the vectors that an independent implementation made.
//!
//! Beside each block lies `vectors.json`, written by its `oracle.py`; vectors.py says what is in it.
//! The test of a block is
//! `rune_block_vectors::check(&NATIVE, include_str!("../vectors.json"))`.

mod json;
mod signature;

use std::fmt::Write;

use rune_block_sdk::{
    ElementType, Fault, Flow, Refusal,
    testing::{Data, Native, NativeInstance, Type, Value},
};

/// The cases of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// What computed the expected outputs, with its version.
    pub oracle: String,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// One instance and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Unlike that of any other case of the block.
    pub name: String,
    /// Every argument in the order of the signature.
    pub args: Vec<Argument>,
    /// The types of the inputs.
    pub inputs: Vec<Type>,
    /// The types of the outputs.
    pub outputs: Vec<Type>,
    /// What has to happen.
    pub expected: Expected,
    /// How far a number may be from the expected one,
    pub absolute: f64,
    /// and how much more for each 1 of the largest finite magnitude in the tensor.
    pub relative: f64,
}

/// An argument of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// As the signature spells it.
    pub name: String,
    /// Its value.
    pub value: Arg,
    /// Whether the case gives it; if not, the value is the default.
    pub given: bool,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// `integer`.
    Integer(i64),
    /// `float`.
    Float(f64),
    /// `bool`.
    Bool(bool),
    /// `string`.
    Text(String),
    /// `strings`.
    Texts(Vec<String>),
    /// `bytes`.
    Bytes(Vec<u8>),
}

/// What an instance has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// There is no instance, because of a message that contains this.
    Refused(String),
    /// Calls, one after the other.
    Calls(Vec<Call>),
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// One tensor for each input.
    pub inputs: Vec<Data>,
    /// How it ends.
    pub answer: Answer,
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// With one tensor for each output.
    Output(Vec<Data>),
    /// With nothing this time.
    Nothing,
    /// With a fault.
    Fault(Fault),
}

impl Vectors {
    /// Reads `vectors.json`, with defaults from the signature (`block.toml`).
    ///
    /// # Errors
    /// What is wrong with either, one sentence.
    pub fn parse(json: &str, signature: &str) -> Result<Self, String> {
        json::parse(json, &signature::parse(signature)?)
    }
}

impl Arg {
    /// The value as an argument of `init`.
    fn as_value<'a>(&'a self, list: &'a mut Vec<&'a str>) -> Value<'a> {
        match self {
            Self::Integer(n) => Value::Integer(*n),
            Self::Float(x) => Value::Float(*x),
            Self::Bool(b) => Value::Integer(i64::from(*b)),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Texts(texts) => {
                list.extend(texts.iter().map(String::as_str));
                Value::Texts(list)
            }
        }
    }

    /// The value as a Runefile spells it; `None` for bytes, which a Runefile takes from a resource.
    pub fn in_runefile(&self) -> Option<String> {
        Some(match self {
            Self::Integer(n) => n.to_string(),
            Self::Float(x) => format!("{x:?}"),
            Self::Bool(b) => b.to_string(),
            Self::Text(text) => quoted(text),
            Self::Texts(texts) => {
                let items: Vec<_> = texts.iter().map(|t| quoted(t)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Bytes(_) => return None,
        })
    }
}

/// A string of a Runefile.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' ' => quoted.push(c),
            c if c.is_control() || c.is_whitespace() => {
                write!(quoted, "\\u{{{:x}}}", u32::from(c)).expect("strings take everything");
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

impl Case {
    /// The instance as code of the host.
    ///
    /// # Errors
    /// What the block says.
    pub fn native(&self, block: &Native) -> Result<NativeInstance, Refusal> {
        let mut lists = vec![Vec::new(); self.args.len()];
        let args: Vec<Value<'_>> = self
            .args
            .iter()
            .zip(&mut lists)
            .map(|(arg, list)| arg.value.as_value(list))
            .collect();
        let elements = |types: &[Type]| types.iter().map(|t| t.element).collect::<Vec<_>>();
        let (inputs, outputs) = (elements(&self.inputs), elements(&self.outputs));
        if let Some(dims) = block.shape(&args, &self.inputs, &outputs) {
            let dims = dims?;
            if !dims.iter().eq(self.outputs.iter().map(|t| &t.dims)) {
                let types = &self.outputs;
                return Err(format!("`shape` says {dims:?}, but the case {types:?}").into());
            }
        }
        let variant = block.variants().iter().find(|v| v.takes(&inputs, &outputs));
        let variant = variant.ok_or("the block has no variant for these element types")?;
        block.init(variant.export(), &args, &self.inputs, &self.outputs)
    }

    /// Whether an output is the expected one, within the tolerance of the case.
    ///
    /// # Errors
    /// The first element that is not, and how many there are.
    pub fn compare(&self, output: usize, expected: &Data, found: &Data) -> Result<(), String> {
        let element = self.outputs[output].element;
        match (expected, found) {
            (Data::Texts(expected), Data::Texts(found)) => {
                let differs = |i: &usize| expected[*i] != found[*i];
                report(expected.len(), found.len(), differs, |i| {
                    format!("{:?}, found {:?}", expected[i], found[i])
                })
            }
            (Data::Bytes(expected), Data::Bytes(found)) => {
                let expected = numbers(element, expected);
                let found = numbers(element, found);
                let finite = expected
                    .iter()
                    .map(|n| n.float().abs())
                    .filter(|x| x.is_finite());
                let allowed = self.absolute + self.relative * finite.fold(0.0, f64::max);
                let differs = |i: &usize| !expected[*i].equals(found[*i], allowed);
                report(expected.len(), found.len(), differs, |i| {
                    let (expected, found) = (expected[i], found[i]);
                    let off = found.float() - expected.float();
                    format!("{expected}, found {found} (off by {off:e}, allowed {allowed:e})")
                })
            }
            _ => Err("strings in place of numbers".to_owned()),
        }
    }
}

fn report(
    expected: usize,
    found: usize,
    differs: impl Fn(&usize) -> bool,
    what: impl Fn(usize) -> String,
) -> Result<(), String> {
    if expected != found {
        return Err(format!("expected {expected} elements, found {found}"));
    }
    let mut wrong = (0..expected).filter(differs);
    let Some(first) = wrong.next() else {
        return Ok(());
    };
    let count = 1 + wrong.count();
    Err(format!(
        "element {first}: expected {}; {count} of {expected} differ",
        what(first)
    ))
}

/// An element of a tensor of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Integer(i128),
    F32(f32),
    F64(f64),
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Self::Integer(n) => n as f64,
            Self::F32(x) => x.into(),
            Self::F64(x) => x,
        }
    }

    /// Whether the bits are the same, both are NaN, or the difference is no more than allowed.
    fn equals(self, other: Self, allowed: f64) -> bool {
        let same = match (self, other) {
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (a, b) => a == b,
        };
        same || allowed > 0.0 && (self.float() - other.float()).abs() <= allowed
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(n) => write!(f, "{n}"),
            Self::F32(x) => write!(f, "{x:?}"),
            Self::F64(x) => write!(f, "{x:?}"),
        }
    }
}

fn numbers(element: ElementType, bytes: &[u8]) -> Vec<Number> {
    macro_rules! read {
        ($t:ty, $make:expr) => {
            bytes
                .chunks_exact(size_of::<$t>())
                .map(|b| $make(<$t>::from_le_bytes(b.try_into().expect("chunks are exact"))))
                .collect()
        };
    }
    use Number::Integer as N;
    match element {
        ElementType::U8 => read!(u8, |n| N(i128::from(n))),
        ElementType::I8 => read!(i8, |n| N(i128::from(n))),
        ElementType::U16 => read!(u16, |n| N(i128::from(n))),
        ElementType::I16 => read!(i16, |n| N(i128::from(n))),
        ElementType::U32 => read!(u32, |n| N(i128::from(n))),
        ElementType::I32 => read!(i32, |n| N(i128::from(n))),
        ElementType::U64 => read!(u64, |n| N(i128::from(n))),
        ElementType::I64 => read!(i64, |n| N(i128::from(n))),
        ElementType::F32 => read!(f32, Number::F32),
        ElementType::F64 => read!(f64, Number::F64),
        ElementType::Utf8 => Vec::new(),
    }
}

/// Runs every case natively, twice with a reset between.
///
/// # Panics
/// If the file cannot be read or the block does anything else than it says.
pub fn check(block: &Native, json: &str) {
    let vectors = Vectors::parse(json, block.signature()).unwrap_or_else(|e| panic!("{e}"));
    for case in &vectors.cases {
        if let Err(message) = check_case(block, case) {
            panic!("case `{}`: {message} [{}]", case.name, vectors.oracle);
        }
    }
}

fn check_case(block: &Native, case: &Case) -> Result<(), String> {
    let (calls, mut instance) = match (&case.expected, case.native(block)) {
        (Expected::Calls(calls), Ok(instance)) => (calls, instance),
        (Expected::Calls(_), Err(refusal)) => return Err(format!("refused: {refusal}")),
        (Expected::Refused(_), Ok(_)) => return Err("not refused".to_owned()),
        (Expected::Refused(part), Err(refusal)) => {
            return if refusal.message().contains(part.as_str()) {
                Ok(())
            } else {
                Err(format!(
                    "refused as {refusal:?}, which does not say {part:?}"
                ))
            };
        }
    };
    for time in ["", ", after a reset"] {
        for (index, call) in calls.iter().enumerate() {
            check_call(case, call, &mut instance)
                .map_err(|message| format!("call {index}{time}: {message}"))?;
        }
        instance.reset();
    }
    Ok(())
}

fn check_call(case: &Case, call: &Call, instance: &mut NativeInstance) -> Result<(), String> {
    match (&call.answer, instance.run(&call.inputs)) {
        (Answer::Output(expected), Ok(Some(found))) => {
            for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
                case.compare(index, expected, found)
                    .map_err(|message| format!("output {index}, {message}"))?;
            }
            Ok(())
        }
        (Answer::Nothing, Ok(None)) => Ok(()),
        (Answer::Fault(expected), Err(found)) if *expected == found => Ok(()),
        (expected, Err(found)) => Err(format!("fault {found:?}, expected {}", name(expected))),
        (expected, Ok(Some(_))) => Err(format!("{:?}, expected {}", Flow::Output, name(expected))),
        (expected, Ok(None)) => Err(format!("{:?}, expected {}", Flow::Nothing, name(expected))),
    }
}

fn name(answer: &Answer) -> String {
    match answer {
        Answer::Output(_) => "outputs".to_owned(),
        Answer::Nothing => "nothing this time".to_owned(),
        Answer::Fault(fault) => format!("fault {fault:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::{Block, Setup, State};

    /// Running sums, times a factor; nothing in the first call, a fault for NaN.
    #[derive(Debug)]
    struct Sums(State<f32>, State<u8>, f32);

    impl Block for Sums {
        type Inputs = f32;
        type Outputs = f32;

        fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
            let factor = setup.float(0)? as f32;
            if factor == 0.0 {
                return Err("`--factor` must not be 0".into());
            }
            let sums = setup.state(setup.input(0).len())?;
            Ok(Self(sums, setup.state(1)?, factor))
        }

        fn run(
            &self,
            input: &[f32],
            output: &mut [f32],
            call: &mut rune_block_sdk::Call<'_>,
        ) -> Result<Flow, Fault> {
            if input.iter().any(|x| x.is_nan()) {
                return Err(Fault::BadValue);
            }
            for ((sum, x), y) in call.state.get(&self.0).iter_mut().zip(input).zip(output) {
                *sum += x;
                *y = *sum * self.2;
            }
            let calls = call.state.get(&self.1);
            calls[0] = calls[0].saturating_add(1);
            Ok(if calls[0] == 1 {
                Flow::Nothing
            } else {
                Flow::Output
            })
        }
    }

    const SIGNATURE: &str = r#"
        name = "sums"
        [[args]]
        name = "the-factor"
        type = "float"
        default = 2
        max = 10
        [[args]]
        name = "names"
        type = "strings"
        default = []
    "#;

    static NATIVE: Native = Native::new(
        SIGNATURE,
        &[rune_block_sdk::testing::Variant::of::<Sums>("run")],
        &[None],
    );

    const TYPES: &str =
        r#""inputs": [{"type": "f32", "dims": [2]}], "outputs": [{"type": "f32", "dims": [2]}]"#;

    fn file(case: &str) -> String {
        format!(r#"{{"oracle": "by hand", "cases": [{{"name": "a", {TYPES}, {case}}}]}}"#)
    }

    fn message(case: &str) -> String {
        let json = file(case);
        *std::panic::catch_unwind(|| check(&NATIVE, &json))
            .unwrap_err()
            .downcast::<String>()
            .unwrap()
    }

    #[test]
    fn what_a_block_does_is_compared() {
        check(
            &NATIVE,
            &file(
                r#""args": {"the_factor": 3}, "calls": [
                    {"inputs": [[1, 2]], "nothing": true},
                    {"inputs": [["NaN", 2]], "fault": "bad-value"},
                    {"inputs": [{"base64": "AAAAPwAAgD8="}], "outputs": [[4.5, 9.0]]},
                    {"inputs": [["inf", 0]], "outputs": [["inf", 9]]}]"#,
            ),
        );
        check(
            &NATIVE,
            &file(r#""args": {"the-factor": 0.0}, "refused": "must not""#),
        );
    }

    #[test]
    fn what_differs_is_told() {
        for (case, part) in [
            (
                r#""calls": [{"inputs": [[1, 2]], "outputs": [[2, 4]]}]"#,
                "case `a`: call 0: Nothing, expected outputs [by hand]",
            ),
            (
                r#""calls": [{"inputs": [[1, 2]], "nothing": true}, {"inputs": [[1, 2]], "outputs": [[4, 8.5]]}]"#,
                "call 1: output 0, element 1: expected 8.5, found 8.0 (off by -5e-1, allowed 0e0); 1 of 2 differ",
            ),
            (
                r#""absolute": 0.2, "relative": 0.01, "calls": [{"inputs": [[1, 2]], "nothing": true},
                {"inputs": [[1, 2]], "outputs": [[4, 8.5]]}]"#,
                "allowed 2.8",
            ),
            (r#""refused": "no""#, "not refused"),
            (
                r#""args": {"the-factor": 0}, "refused": "yes""#,
                "which does not say",
            ),
            (
                r#""args": {"the-factor": 11}, "refused": "yes""#,
                "`init` never sees it",
            ),
            (
                r#""args": {"factor": 1}, "calls": []"#,
                "no argument `factor`",
            ),
            (
                r#""calls": [{"inputs": [[1]], "nothing": true}]"#,
                "inputs 0 has 1 elements, not 2",
            ),
            (
                r#""calls": [{"inputs": [[1, "x"]], "nothing": true}]"#,
                "the element \"x\"",
            ),
            (
                r#""calls": [{"inputs": [[1, 2]], "fault": "x"}]"#,
                "no fault is called `x`",
            ),
            (r#""call": 1"#, "unknown key `call`"),
        ] {
            let message = message(case);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn bits_count_unless_there_is_a_tolerance() {
        let zero = |x: f32| Number::F32(x);
        assert!(!zero(0.0).equals(zero(-0.0), 0.0) && zero(0.0).equals(zero(-0.0), 1e-9));
        assert!(zero(f32::NAN).equals(zero(-f32::NAN), 0.0));
        assert!(!zero(f32::NAN).equals(zero(0.0), f64::INFINITY));
        assert!(!zero(f32::INFINITY).equals(zero(f32::NEG_INFINITY), 1.0));
        assert!(Number::Integer(3).equals(Number::Integer(4), 1.0));
    }

    #[test]
    fn arguments_are_spelled_for_a_runefile() {
        let texts = Arg::Texts(vec!["a \"b\"".into(), "\u{e9}\n".into()]);
        assert_eq!(texts.in_runefile().unwrap(), r#"["a \"b\"", "é\u{a}"]"#);
        assert_eq!(Arg::Float(1e-7).in_runefile().unwrap(), "1e-7");
        assert_eq!(Arg::Float(2.0).in_runefile().unwrap(), "2.0");
    }

    #[test]
    fn recordings_are_inputs() {
        let json = r#"{"oracle": "", "cases": [{"name": "a", "outputs": [{"type": "i16", "dims": [3]}],
            "inputs": [{"type": "i16", "dims": [3]}], "calls": [
            {"inputs": [{"wav": "silence.wav"}], "outputs": [{"wav": "clipping.wav", "start": 4000}]}]}]}"#;
        let vectors = Vectors::parse(json, "").unwrap();
        let Expected::Calls(calls) = &vectors.cases[0].expected else {
            panic!("no calls");
        };
        assert_eq!(calls[0].inputs, [Data::Bytes(vec![0; 6])]);
        assert!(matches!(&calls[0].answer, Answer::Output(o) if o[0] != calls[0].inputs[0]));
        let late = json.replace("4000", "40000");
        assert!(
            Vectors::parse(&late, "")
                .unwrap_err()
                .contains("cannot be i16 samples")
        );
    }
}
