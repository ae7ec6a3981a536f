//! The text of `vectors.json` to [`Vectors`].

use data_encoding::BASE64;
use rune_block_sdk::{
    ElementType, Fault,
    testing::{Data, Type},
};
use serde_json::{Map, Value};

use crate::{
    Answer, Arg, Argument, Call, Case, Expected, Vectors,
    signature::{Kind, Spec},
};

/// The recordings that tensors may be taken from: 16 kHz, one channel, i16.
const WAVS: [(&str, &[u8]); 4] = [
    ("speech.wav", include_bytes!("../data/speech.wav")),
    ("noise.wav", include_bytes!("../data/noise.wav")),
    ("silence.wav", include_bytes!("../data/silence.wav")),
    ("clipping.wav", include_bytes!("../data/clipping.wav")),
];

/// Bytes before the samples in each of [`WAVS`].
const WAV_HEADER: usize = 44;

pub(crate) fn parse(text: &str, specs: &[Spec]) -> Result<Vectors, String> {
    let root: Value = serde_json::from_str(text).map_err(|e| format!("vectors.json: {e}"))?;
    let root = Object::of(&root, "vectors.json")?;
    root.only(&["oracle", "cases"])?;
    let cases = root
        .list("cases")?
        .iter()
        .map(|case| parse_case(case, specs))
        .collect::<Result<Vec<_>, _>>()?;
    if cases.is_empty() {
        return Err("vectors.json has no cases".to_owned());
    }
    for (index, case) in cases.iter().enumerate() {
        if cases[..index].iter().any(|c| c.name == case.name) {
            return Err(format!("two cases are called `{}`", case.name));
        }
    }
    Ok(Vectors {
        oracle: root.text("oracle")?.to_owned(),
        cases,
    })
}

fn parse_case(value: &Value, specs: &[Spec]) -> Result<Case, String> {
    let case = Object::of(value, "a case")?;
    let name = case.text("name")?;
    let case = Object::of(value, &format!("case `{name}`"))?;
    case.only(&[
        "name", "args", "inputs", "outputs", "calls", "refused", "absolute", "relative",
    ])?;
    let inputs = case.types("inputs")?;
    let outputs = case.types("outputs")?;
    let expected = if case.0.contains_key("refused") {
        Expected::Refused(case.text("refused")?.to_owned())
    } else {
        let calls = case.list("calls")?;
        Expected::Calls(
            calls
                .iter()
                .enumerate()
                .map(|(index, call)| {
                    let call = Object::of(call, &format!("{}, call {index}", case.1))?;
                    parse_call(&call, &inputs, &outputs)
                })
                .collect::<Result<_, _>>()?,
        )
    };
    Ok(Case {
        name: name.to_owned(),
        args: case.args(specs)?,
        inputs,
        outputs,
        expected,
        absolute: case.number("absolute")?,
        relative: case.number("relative")?,
    })
}

fn parse_call(call: &Object<'_>, inputs: &[Type], outputs: &[Type]) -> Result<Call, String> {
    call.only(&["inputs", "outputs", "nothing", "fault"])?;
    let answer = if call.0.get("nothing") == Some(&Value::Bool(true)) {
        Answer::Nothing
    } else if call.0.contains_key("fault") {
        Answer::Fault(match call.text("fault")? {
            "bad-value" => Fault::BadValue,
            "out-of-range" => Fault::OutOfRange,
            "block" => Fault::Block,
            other => return Err(format!("{}: no fault is called `{other}`", call.1)),
        })
    } else {
        Answer::Output(call.tensors("outputs", outputs)?)
    };
    Ok(Call {
        inputs: call.tensors("inputs", inputs)?,
        answer,
    })
}

/// An object of the file and what it is called in messages.
struct Object<'a>(&'a Map<String, Value>, String);

impl<'a> Object<'a> {
    fn of(value: &'a Value, what: &str) -> Result<Self, String> {
        let object = value.as_object();
        let object = object.ok_or_else(|| format!("{what} is not an object"))?;
        Ok(Self(object, what.to_owned()))
    }

    fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|k| !known.contains(&k.as_str())) {
            Some(key) => Err(format!("{} has the unknown key `{key}`", self.1)),
            None => Ok(()),
        }
    }

    fn text(&self, key: &str) -> Result<&'a str, String> {
        let text = self.0.get(key).and_then(Value::as_str);
        text.ok_or_else(|| format!("{} has no text `{key}`", self.1))
    }

    fn list(&self, key: &str) -> Result<&'a [Value], String> {
        let list = self.0.get(key).and_then(Value::as_array);
        let list = list.ok_or_else(|| format!("{} has no list `{key}`", self.1))?;
        Ok(list)
    }

    /// A tolerance: 0 if there is none.
    fn number(&self, key: &str) -> Result<f64, String> {
        let number = self.0.get(key).map_or(Some(0.0), Value::as_f64);
        let number = number.filter(|x| *x >= 0.0);
        number.ok_or_else(|| format!("{}: `{key}` is no number from 0", self.1))
    }

    fn types(&self, key: &str) -> Result<Vec<Type>, String> {
        let bad = || {
            format!(
                "{}: `{key}` are not all types such as {{\"type\": \"f32\", \"dims\": [2]}}",
                self.1
            )
        };
        let parse = |value: &Value| {
            let element = ElementType::from_name(value.get("type")?.as_str()?)?;
            let mut dims = Vec::new();
            let mut bounds = 0;
            for (index, dim) in value.get("dims")?.as_array()?.iter().enumerate() {
                dims.push(match dim {
                    Value::String(text) => {
                        bounds |= 1 << index;
                        text.strip_prefix("<=")?.trim().parse().ok()?
                    }
                    number => u32::try_from(number.as_u64()?).ok()?,
                });
            }
            (dims.len() <= 8).then_some(Type {
                element,
                dims,
                bounds,
            })
        };
        let types = self.list(key)?;
        types.iter().map(|t| parse(t).ok_or_else(bad)).collect()
    }

    fn tensors(&self, key: &str, types: &[Type]) -> Result<Vec<Data>, String> {
        let tensors = self.list(key)?;
        if tensors.len() != types.len() {
            let (have, want) = (tensors.len(), types.len());
            return Err(format!("{} has {have} {key}, not {want}", self.1));
        }
        tensors
            .iter()
            .zip(types)
            .enumerate()
            .map(|(index, (value, of))| {
                let data =
                    tensor(value, of).map_err(|e| format!("{}: {key} {index} {e}", self.1))?;
                let count = match &data {
                    Data::Bytes(bytes) => bytes.len() / of.element.size() as usize,
                    Data::Texts(texts) => texts.len(),
                };
                if count == of.len() || of.bounds != 0 && count < of.len() {
                    return Ok(data);
                }
                Err(format!(
                    "{}: {key} {index} has {count} elements, not {}",
                    self.1,
                    of.len()
                ))
            })
            .collect()
    }

    fn args(&self, specs: &[Spec]) -> Result<Vec<Argument>, String> {
        let empty = Map::new();
        let given = match self.0.get("args") {
            None => &empty,
            Some(args) => args
                .as_object()
                .ok_or_else(|| format!("{}: `args` is not an object", self.1))?,
        };
        let kebab = |name: &str| name.replace('_', "-");
        if let Some(name) = given
            .keys()
            .find(|k| specs.iter().all(|s| s.name != kebab(k)))
        {
            return Err(format!("{}: the block has no argument `{name}`", self.1));
        }
        let argument = |spec: &Spec| {
            let bad = || format!("{}: bad value of argument `{}`", self.1, spec.name);
            let found = given.iter().find(|(name, _)| kebab(name) == spec.name);
            let value = match found {
                Some((_, value)) => arg(spec.kind, value).ok_or_else(bad)?,
                None => spec.default.clone().ok_or_else(|| {
                    format!("{} does not give the argument `{}`", self.1, spec.name)
                })?,
            };
            if found.is_some() && !spec.takes(&value) {
                return Err(format!(
                    "{}: block.toml itself refuses this value of `{}`, so `init` never sees it",
                    self.1, spec.name
                ));
            }
            Ok(Argument {
                name: spec.name.clone(),
                value,
                given: found.is_some(),
            })
        };
        specs.iter().map(argument).collect()
    }
}

fn arg(kind: Kind, value: &Value) -> Option<Arg> {
    Some(match kind {
        Kind::Integer => Arg::Integer(value.as_i64()?),
        Kind::Float => Arg::Float(value.as_f64()?),
        Kind::Bool => Arg::Bool(value.as_bool()?),
        Kind::Text => Arg::Text(value.as_str()?.to_owned()),
        Kind::Texts => Arg::Texts(texts(value.as_array()?)?),
        Kind::Bytes => Arg::Bytes(match value.as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => base64(value)?,
        }),
    })
}

fn texts(items: &[Value]) -> Option<Vec<String>> {
    items.iter().map(|t| Some(t.as_str()?.to_owned())).collect()
}

fn base64(value: &Value) -> Option<Vec<u8>> {
    BASE64
        .decode(value.get("base64")?.as_str()?.as_bytes())
        .ok()
}

fn tensor(value: &Value, of: &Type) -> Result<Data, String> {
    if let Some(name) = value.get("wav") {
        let start = value.get("start").map_or(Some(0), Value::as_u64);
        let start = start.and_then(|n| usize::try_from(n).ok());
        let wav = WAVS.iter().find(|(n, _)| name.as_str() == Some(n));
        let bytes = wav.zip(start).and_then(|((_, file), start)| {
            let first = start.checked_mul(2)?.checked_add(WAV_HEADER)?;
            file.get(first..)?.get(..of.len() * 2)
        });
        let bytes = bytes.filter(|_| of.element == ElementType::I16);
        let bytes = bytes.ok_or_else(|| format!("cannot be i16 samples of {value}"))?;
        return Ok(Data::Bytes(bytes.to_vec()));
    }
    if value.is_object() {
        let bytes = base64(value).ok_or("is neither base64 nor a wav")?;
        let whole = of.element != ElementType::Utf8
            && bytes.len().is_multiple_of(of.element.size() as usize);
        return if whole {
            Ok(Data::Bytes(bytes))
        } else {
            Err(format!("are not bytes of whole elements {}", of.element))
        };
    }
    let items = value.as_array().ok_or("is not a list")?;
    if of.element == ElementType::Utf8 {
        return Ok(Data::Texts(texts(items).ok_or("is not all strings")?));
    }
    let mut bytes = Vec::with_capacity(items.len() * 4);
    for item in items {
        number(item, of.element, &mut bytes)
            .ok_or_else(|| format!("has the element {item}, which is no {}", of.element))?;
    }
    Ok(Data::Bytes(bytes))
}

fn number(item: &Value, element: ElementType, bytes: &mut Vec<u8>) -> Option<()> {
    macro_rules! integer {
        ($t:ty) => {{
            let wide = item
                .as_i64()
                .map(i128::from)
                .or(item.as_u64().map(i128::from));
            bytes.extend(<$t>::try_from(wide?).ok()?.to_le_bytes());
        }};
    }
    match element {
        ElementType::U8 => integer!(u8),
        ElementType::I8 => integer!(i8),
        ElementType::U16 => integer!(u16),
        ElementType::I16 => integer!(i16),
        ElementType::U32 => integer!(u32),
        ElementType::I32 => integer!(i32),
        ElementType::U64 => integer!(u64),
        ElementType::I64 => integer!(i64),
        ElementType::F32 => bytes.extend((float(item)? as f32).to_le_bytes()),
        ElementType::F64 => bytes.extend(float(item)?.to_le_bytes()),
        ElementType::Utf8 => return None,
    }
    Some(())
}

fn float(item: &Value) -> Option<f64> {
    match item {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        number => number.as_f64(),
    }
}
