//! The arguments of a `block.toml`. The compiler reads all of it; here only what vectors need.

use toml::{Table, Value};

use crate::Arg;

/// An argument of a signature.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) default: Option<Arg>,
    min: f64,
    max: f64,
    words: Vec<String>,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Float,
    Bool,
    Text,
    Texts,
    Bytes,
}

impl Spec {
    /// Whether the compiler lets a value through to `init`.
    pub(crate) fn takes(&self, value: &Arg) -> bool {
        match value {
            Arg::Integer(n) => (self.min..=self.max).contains(&(*n as f64)),
            Arg::Float(x) => (self.min..=self.max).contains(x),
            Arg::Text(t) => {
                self.words.is_empty() || self.words.iter().any(|w| w.eq_ignore_ascii_case(t))
            }
            Arg::Bool(_) | Arg::Texts(_) | Arg::Bytes(_) => true,
        }
    }
}

/// The arguments in order.
pub(crate) fn parse(text: &str) -> Result<Vec<Spec>, String> {
    let table: Table = text.parse().map_err(|e| format!("block.toml: {e}"))?;
    let args = match table.get("args") {
        None => return Ok(Vec::new()),
        Some(Value::Array(args)) => args,
        Some(_) => return Err("block.toml: `args` is no list of tables".to_owned()),
    };
    args.iter()
        .map(|arg| spec(arg).ok_or_else(|| format!("block.toml: bad argument {arg:?}")))
        .collect()
}

fn spec(arg: &Value) -> Option<Spec> {
    let kind = match arg.get("type")?.as_str()? {
        "integer" => Kind::Integer,
        "float" => Kind::Float,
        "bool" => Kind::Bool,
        "string" => Kind::Text,
        "strings" => Kind::Texts,
        "bytes" => Kind::Bytes,
        _ => return None,
    };
    let default = match arg.get("default") {
        None => None,
        Some(value) => Some(default(kind, value)?),
    };
    let words = match arg.get("words") {
        None => Vec::new(),
        Some(words) => texts(words)?,
    };
    Some(Spec {
        name: arg.get("name")?.as_str()?.to_owned(),
        kind,
        default,
        min: arg.get("min").map_or(Some(f64::NEG_INFINITY), number)?,
        max: arg.get("max").map_or(Some(f64::INFINITY), number)?,
        words,
    })
}

fn default(kind: Kind, value: &Value) -> Option<Arg> {
    Some(match kind {
        Kind::Integer => Arg::Integer(value.as_integer()?),
        Kind::Float => Arg::Float(number(value)?),
        Kind::Bool => Arg::Bool(value.as_bool()?),
        Kind::Text => Arg::Text(value.as_str()?.to_owned()),
        Kind::Texts => Arg::Texts(texts(value)?),
        Kind::Bytes => Arg::Bytes(value.as_str()?.as_bytes().to_vec()),
    })
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| Some(value.as_integer()? as f64))
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?.iter();
    items.map(|t| Some(t.as_str()?.to_owned())).collect()
}
