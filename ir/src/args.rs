//! Arguments: as written, as specified, and bound to each other.

use std::sync::Arc;

use rune_abi::{ParamSpec, ParamType};

pub use crate::list::List;

use crate::diag::{Code, Diagnostic, Fix, Safety, Span, Spanned, did_you_mean};

/// A value as written in a Runefile.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// Text, quotes removed.
    Text(String),
    /// A list; items keep their text.
    List(List),
    /// `$name`: the bytes of a resource, already resolved.
    Resource(Arc<[u8]>),
}

/// `--name value` as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The name without its dashes, as written.
    pub name: Spanned<String>,
    /// The value.
    pub value: Spanned<Value>,
    /// The value's text exactly as written.
    pub text: String,
}

impl Argument {
    /// A text without its quotes, or a number as it was written.
    fn plain_text(&self) -> &str {
        match &self.value.value {
            Value::Text(text) => text,
            Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Resource(_) => &self.text,
        }
    }
}

/// What values an argument takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgType {
    /// A whole number in this range, both ends included.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A number in this range.
    Float {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// Any text, or one of these words where there are some.
    Text {
        /// The only values allowed, compared without regard to case; empty: any.
        words: Vec<String>,
    },
    /// `true` or `false`.
    Bool,
    /// A list of texts.
    List,
    /// The bytes of a resource, or a text's.
    Bytes,
}

/// An argument that an instruction takes.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgSpec {
    /// Canonical name, in kebab case.
    pub name: String,
    /// Other spellings.
    pub aliases: Vec<String>,
    /// The values it takes.
    pub ty: ArgType,
    /// Its value when not given; `None`: required, unless `optional`.
    pub default: Option<Bound>,
    /// May be left out without a default.
    pub optional: bool,
    /// The unit of the value, empty if it has none.
    pub unit: String,
    /// One sentence for help and hover.
    pub doc: String,
}

/// The value of an argument after binding, of the type its [`ArgSpec`] says.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// For [`ArgType::Integer`], and 0 or 1 for [`ArgType::Bool`].
    Integer(i64),
    /// For [`ArgType::Float`].
    Float(f64),
    /// For [`ArgType::Text`]; of the given words, the spelling in the list.
    Text(String),
    /// For [`ArgType::List`].
    List(Arc<[String]>),
    /// For [`ArgType::Bytes`].
    Bytes(Arc<[u8]>),
}

impl ArgSpec {
    /// Whether `name` as written means this argument: `_` and `-` are the same, and so is case.
    pub fn is_named(&self, name: &str) -> bool {
        let name = kebab(name);
        kebab(&self.name) == name || self.aliases.iter().any(|a| kebab(a) == name)
    }

    /// What it takes, for a message: "a whole number from 1 to 8".
    pub fn expects(&self) -> String {
        match &self.ty {
            ArgType::Integer { min, max } => match (*min, *max) {
                (i64::MIN, i64::MAX) => "a whole number".to_owned(),
                (min, i64::MAX) => format!("a whole number of at least {min}"),
                (i64::MIN, max) => format!("a whole number of at most {max}"),
                (min, max) => format!("a whole number from {min} to {max}"),
            },
            ArgType::Float { min, max } if *min <= -3.0e38 && *max >= 3.0e38 => {
                "a number".to_owned()
            }
            ArgType::Float { min, max } => format!("a number from {min} to {max}"),
            ArgType::Text { words } if words.is_empty() => "a text".to_owned(),
            ArgType::Text { words } => format!("one of {}", words.join(", ")),
            ArgType::Bool => "true or false".to_owned(),
            ArgType::List => "a list, such as a,b,c".to_owned(),
            ArgType::Bytes => "a resource, such as $name, or a text".to_owned(),
        }
    }
}

impl From<&ParamSpec> for ArgSpec {
    fn from(param: &ParamSpec) -> Self {
        let ty = match param.ty {
            ParamType::Integer(min, max) => ArgType::Integer { min, max },
            ParamType::Float(min, max) => ArgType::Float { min, max },
            ParamType::Word(words) => ArgType::Text {
                words: words.iter().map(|w| (*w).to_owned()).collect(),
            },
        };
        let default = param.default.map(|text| match ty {
            ArgType::Integer { .. } => Bound::Integer(
                text.parse()
                    .expect("the table's defaults are of their type"),
            ),
            ArgType::Float { .. } => Bound::Float(
                text.parse()
                    .expect("the table's defaults are of their type"),
            ),
            ArgType::Text { .. } | ArgType::Bool | ArgType::List | ArgType::Bytes => {
                Bound::Text(text.to_owned())
            }
        });
        Self {
            name: param.name.to_owned(),
            aliases: param.aliases.iter().map(|a| (*a).to_owned()).collect(),
            ty,
            default,
            optional: true,
            unit: param.unit.to_owned(),
            doc: param.doc.to_owned(),
        }
    }
}

/// An argument's value and where it was written; `None` for one that was not.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundArg {
    /// The value.
    pub value: Bound,
    /// Name to value; `None`: the default.
    pub span: Option<Span>,
}

/// Matches arguments with the specification of what takes them.
///
/// `owner` names the taker in messages (`block "label"`), and `at` is where it is named. The result has a
/// place for every spec, `None` only for an optional one without a default or one that had an error. An
/// argument given again by another file is set by a layer above, and the last counts.
pub fn bind(
    specs: &[ArgSpec],
    args: &[Argument],
    owner: &str,
    at: Span,
    found: &mut Vec<Diagnostic>,
) -> Vec<Option<BoundArg>> {
    let mut bound: Vec<Option<BoundArg>> = vec![None; specs.len()];
    let mut seen: Vec<Option<Span>> = vec![None; specs.len()];
    for arg in args {
        let Some(index) = specs.iter().position(|s| s.is_named(&arg.name.value)) else {
            found.push(unknown(specs, arg, owner));
            continue;
        };
        if let Some(first) = seen[index].filter(|first| first.file == arg.name.span.file) {
            found.push(
                Diagnostic::new(
                    Code::DuplicateArgument,
                    arg.name.span,
                    format!("`--{}` is given twice", specs[index].name),
                )
                .at("given again here")
                .also(first, "first given here")
                .hint("keep one of the two"),
            );
            continue;
        }
        seen[index] = Some(arg.name.span);
        bound[index] = None;
        match coerce(&specs[index], arg) {
            Ok(value) => {
                bound[index] = Some(BoundArg {
                    value,
                    span: Some(arg.name.span.to(arg.value.span)),
                });
            }
            Err(diagnostic) => found.push(*diagnostic),
        }
    }
    for ((spec, bound), seen) in specs.iter().zip(&mut bound).zip(&seen) {
        if seen.is_some() {
            continue;
        }
        match &spec.default {
            Some(value) => {
                *bound = Some(BoundArg {
                    value: value.clone(),
                    span: None,
                });
            }
            None if spec.optional => {}
            None => found.push(
                Diagnostic::new(
                    Code::MissingArgument,
                    at,
                    format!("{owner} needs `--{}`", spec.name),
                )
                .at(format!("`--{}` is missing", spec.name))
                .note(format!("`--{}` is {}. {}", spec.name, spec.expects(), spec.doc).trim_end())
                .hint(format!("add `--{} <value>`", spec.name)),
            ),
        }
    }
    bound
}

fn unknown(specs: &[ArgSpec], arg: &Argument, owner: &str) -> Diagnostic {
    let names = specs
        .iter()
        .flat_map(|s| std::iter::once(s.name.as_str()).chain(s.aliases.iter().map(String::as_str)));
    let diagnostic = Diagnostic::new(
        Code::UnknownArgument,
        arg.name.span,
        format!("{owner} has no argument `{}`", arg.name.value),
    )
    .at("unknown argument")
    .maybe_hint(
        did_you_mean(&kebab(&arg.name.value), names).map(|n| format!("did you mean `--{n}`?")),
    );
    if specs.is_empty() {
        diagnostic.note("It takes no arguments.")
    } else {
        let list: Vec<String> = specs.iter().map(|s| format!("--{}", s.name)).collect();
        diagnostic.note(format!("It takes {}.", list.join(", ")))
    }
}

/// The value of `arg` as `spec` wants it.
fn coerce(spec: &ArgSpec, arg: &Argument) -> Result<Bound, Box<Diagnostic>> {
    let fault = |code, message: String| {
        Box::new(
            Diagnostic::new(code, arg.value.span, message)
                .at(format!("expected {}", spec.expects())),
        )
    };
    let kind = || {
        let diagnostic = fault(
            Code::ArgumentKind,
            format!(
                "`--{}` takes {}, not `{}`",
                spec.name,
                spec.expects(),
                shorten(&arg.text)
            ),
        );
        match meant(spec, arg) {
            Some((number, why)) => Box::new(diagnostic.hint(format!("write `{number}`{why}")).fix(
                Fix::new(
                    Safety::Safe,
                    format!("write `{number}`"),
                    arg.value.span,
                    number,
                ),
            )),
            None => diagnostic,
        }
    };
    let range = || {
        let mut fault = fault(
            Code::ArgumentRange,
            format!("`--{}` is out of range: {}", spec.name, shorten(&arg.text)),
        );
        // So wide a range is not worth a word elsewhere.
        if let ArgType::Float { min, max } = spec.ty
            && max >= 3.0e38
        {
            fault.primary.message = format!("expected a number from {min:e} to {max:e}");
        }
        fault
    };
    match (&spec.ty, &arg.value.value) {
        (ArgType::Integer { min, max }, Value::Integer(n)) => {
            if n < min || n > max {
                Err(range())
            } else {
                Ok(Bound::Integer(*n))
            }
        }
        (ArgType::Float { min, max }, Value::Integer(_) | Value::Float(_)) => {
            let x = match arg.value.value {
                Value::Integer(n) => n as f64,
                Value::Float(x) => x,
                Value::Text(_) | Value::List(_) | Value::Resource(_) => return Err(kind()),
            };
            if x.is_finite() && x >= *min && x <= *max {
                Ok(Bound::Float(x))
            } else {
                Err(range())
            }
        }
        (ArgType::Text { words }, Value::Text(_) | Value::Integer(_) | Value::Float(_)) => {
            let text = arg.plain_text();
            if words.is_empty() {
                return Ok(Bound::Text(text.to_owned()));
            }
            // `@PixelFormat::RGB` is how the reference system wrote RGB.
            let word = text.rsplit("::").next().unwrap_or(text);
            words
                .iter()
                .find(|w| w.eq_ignore_ascii_case(word))
                .map(|w| Bound::Text(w.clone()))
                .ok_or_else(|| {
                    Box::new(
                        kind().maybe_hint(
                            did_you_mean(word, words.iter().map(String::as_str))
                                .map(|w| format!("did you mean `{w}`?")),
                        ),
                    )
                })
        }
        (ArgType::Bool, Value::Text(text)) if text == "true" || text == "false" => {
            Ok(Bound::Integer(i64::from(text == "true")))
        }
        (ArgType::List, Value::List(items)) => Ok(Bound::List(items.texts().clone())),
        (ArgType::List, Value::Text(_) | Value::Integer(_) | Value::Float(_)) => {
            Ok(Bound::List(Arc::from([arg.plain_text().to_owned()])))
        }
        (ArgType::List | ArgType::Text { .. }, Value::Resource(bytes)) => {
            match std::str::from_utf8(bytes) {
                Ok(text) if spec.ty == ArgType::List => Ok(Bound::List(
                    text.trim().lines().map(str::to_owned).collect(),
                )),
                Ok(text) => Ok(Bound::Text(text.to_owned())),
                Err(_) => Err(fault(
                    Code::ArgumentKind,
                    format!(
                        "`--{}` takes text, and this resource is not UTF-8",
                        spec.name
                    ),
                )),
            }
        }
        (ArgType::Bytes, Value::Resource(bytes)) => Ok(Bound::Bytes(bytes.clone())),
        (ArgType::Bytes, Value::Text(text)) => Ok(Bound::Bytes(text.as_bytes().into())),
        _ => Err(kind()),
    }
}

/// The number that `arg` is when it is written with a unit, with commas between its thousands or as a fraction
/// of nothing, and why it is written otherwise; `None` unless it is one that `spec` takes.
fn meant(spec: &ArgSpec, arg: &Argument) -> Option<(String, String)> {
    let (min, max) = match spec.ty {
        ArgType::Integer { min, max } => (min as f64, max as f64),
        ArgType::Float { min, max } => (min, max),
        ArgType::Text { .. } | ArgType::Bool | ArgType::List | ArgType::Bytes => return None,
    };
    let text = match &arg.value.value {
        Value::Text(text) => text.as_str(),
        Value::Float(_) | Value::List(_) => arg.text.as_str(),
        Value::Integer(_) | Value::Resource(_) => return None,
    };
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || ".,_".contains(c)))
        .unwrap_or(text.len());
    let (digits, written) = (&text[..end], text[end..].trim());
    let mut groups = digits.split([',', '_']);
    let is_first_short = groups.next().is_some_and(|g| (1..=3).contains(&g.len()));
    let is_grouped = is_first_short && groups.all(|g| g.len() == 3);
    let plain = digits.replace([',', '_'], "");
    if plain.len() < digits.len() && !is_grouped {
        return None;
    }
    let factor = if written.is_empty() {
        1.0
    } else {
        let ((quantity, factor), (wanted, of)) = (scale(written)?, scale(&spec.unit)?);
        if quantity != wanted {
            return None;
        }
        factor / of
    };
    let number = plain.parse::<f64>().ok()? * factor;
    let is_whole = number.fract() == 0.0;
    let is_taken =
        number >= min && number <= max && (is_whole || matches!(spec.ty, ArgType::Float { .. }));
    let why = if written.is_empty() {
        String::new()
    } else {
        format!(
            "; the unit of `--{}` is {}, and is not written",
            spec.name, spec.unit
        )
    };
    is_taken.then(|| (number.to_string(), why))
}

/// The base unit of a unit, and how many of those it is: 1000 Hz for `kHz`.
fn scale(unit: &str) -> Option<(&'static str, f64)> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "hz" => ("Hz", 1.0),
        "khz" => ("Hz", 1000.0),
        "ms" => ("ms", 1.0),
        "s" | "sec" => ("ms", 1000.0),
        "px" | "pixel" | "pixels" => ("px", 1.0),
        "samples" => ("samples", 1.0),
        _ => return None,
    })
}

/// A name in the one spelling names are compared in.
fn kebab(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c == '_' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// At most 40 characters of a text, for a message.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
