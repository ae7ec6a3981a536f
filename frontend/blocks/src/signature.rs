//! The section `rune.block`: TOML text to [`Signature`], with every fault at its line.

mod dims;

use std::{collections::BTreeSet, fmt, ops::Range};

use rune_abi::limit;
use rune_ir::{
    args::{ArgSpec, ArgType, Bound},
    block::{Category, DimExpr, Many, Port, PortDim, PortElement, Signature},
    diag::did_you_mean,
    ty::ElementType,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Longest text of a section, in bytes.
const MAX_TEXT: usize = 1 << 16;

/// What is wrong with a signature, and in which line of the section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureError {
    /// One sentence without a full stop.
    pub message: String,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {} of `rune.block`)", self.message, self.line)
    }
}

/// Reads a signature.
///
/// # Errors
/// The first thing that is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Signature, SignatureError> {
    let fault = Fault { text };
    if text.len() > MAX_TEXT {
        return Err(fault.at(0, format!("the signature is longer than {MAX_TEXT} bytes")));
    }
    let root = DeTable::parse(text).map_err(|e| {
        fault.at(
            e.span().map_or(0, |s| s.start),
            e.message().replace('\n', " "),
        )
    })?;
    let root = Table {
        fault,
        entries: root.get_ref(),
        span: root.span(),
        what: "the signature",
    };
    root.only(&[
        "name", "version", "doc", "category", "example", "types", "inputs", "outputs", "args",
    ])?;

    let (name, name_at) = root.text("name")?;
    if !is_kebab(&name) {
        return Err(fault.at(name_at, format!("`{name}` is not a name in kebab case")));
    }
    let (version, version_at) = root.text("version")?;
    if !is_version(&version) {
        return Err(fault.at(
            version_at,
            format!("`{version}` is not a version such as 1.0.0"),
        ));
    }
    let types = root.types()?;
    let args = root
        .list("args")?
        .iter()
        .map(Table::arg)
        .collect::<Result<Vec<_>, _>>()?;
    let signature = Signature {
        name,
        version,
        doc: root.maybe_text("doc")?.unwrap_or_default(),
        category: root.category()?,
        example: root.maybe_text("example")?.unwrap_or_default(),
        inputs: root.ports(Side::Inputs, &types, &args)?,
        outputs: root.ports(Side::Outputs, &types, &args)?,
        types,
        args,
    };
    check(&signature).map_err(|message| fault.at(0, message))?;
    Ok(signature)
}

/// The laws that concern more than one entry.
fn check(signature: &Signature) -> Result<(), String> {
    if signature.outputs.is_empty() {
        return Err("a block has at least one output".to_owned());
    }
    let ports = || signature.inputs.iter().chain(&signature.outputs);
    for (index, (name, _)) in signature.types.iter().enumerate() {
        if !ports().any(|p| p.element == PortElement::Variable(index)) {
            return Err(format!("no input or output is of the type `{name}`"));
        }
    }
    let mut names = BTreeSet::new();
    for name in signature
        .args
        .iter()
        .flat_map(|a| std::iter::once(&a.name).chain(&a.aliases))
    {
        if !names.insert(name) {
            return Err(format!("two arguments are called `{name}`"));
        }
    }
    // A variable is bound where it stands alone; an expression of it can only be computed.
    let exprs = || {
        ports().flat_map(|p| &p.dims).filter_map(|d| match d {
            PortDim::One(expr) | PortDim::AtMost(expr) => Some(expr),
            PortDim::Rest(_) | PortDim::RestAtMost(_) | PortDim::Any | PortDim::Told => None,
        })
    };
    let mut used = BTreeSet::new();
    exprs().for_each(|e| dims::names(e, &mut used));
    for name in used {
        let bound = exprs().any(|e| matches!(e, DimExpr::Name(n) if n == name))
            || signature.args.iter().any(|a| a.name == name);
        if !bound {
            return Err(format!(
                "`{name}` is in an expression, but is neither a dimension of its own nor an integer argument"
            ));
        }
    }
    Ok(())
}

/// Makes errors of byte offsets.
#[derive(Clone, Copy)]
struct Fault<'a> {
    text: &'a str,
}

impl Fault<'_> {
    fn at(self, offset: usize, message: impl Into<String>) -> SignatureError {
        let ends = self.text.match_indices('\n');
        SignatureError {
            message: message.into(),
            line: ends.take_while(|(at, _)| *at < offset).count() + 1,
        }
    }
}

/// A table of the text and what it is called in messages.
struct Table<'a> {
    fault: Fault<'a>,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
    what: &'static str,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Table<'a> {
    /// The table in `value`.
    fn of(&self, value: &'a Value<'a>, what: &'static str) -> Result<Self, SignatureError> {
        let entries = value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong(value, what, "a table"))?;
        Ok(Self {
            fault: self.fault,
            entries,
            span: value.span(),
            what,
        })
    }

    fn wrong(&self, value: &Value<'_>, key: &str, expected: &str) -> SignatureError {
        let found = value.get_ref().type_str();
        self.fault.at(
            value.span().start,
            format!("`{key}` is {expected}, not of type {found}"),
        )
    }

    /// Whether every key is one of these.
    fn only(&self, known: &[&str]) -> Result<(), SignatureError> {
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let hint = did_you_mean(name, known.iter().copied())
                    .map_or_else(String::new, |k| format!(", did you mean `{k}`?"));
                return Err(self.fault.at(
                    key.span().start,
                    format!("{} has no `{name}`{hint}", self.what),
                ));
            }
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.entries.get(key)
    }

    fn text(&self, key: &str) -> Result<(String, usize), SignatureError> {
        let Some(value) = self.get(key) else {
            return Err(self
                .fault
                .at(self.span.start, format!("{} has no `{key}`", self.what)));
        };
        let text = self.as_text(key, value)?;
        Ok((text, value.span().start))
    }

    fn maybe_text(&self, key: &str) -> Result<Option<String>, SignatureError> {
        self.get(key).map(|v| self.as_text(key, v)).transpose()
    }

    fn as_text(&self, key: &str, value: &Value<'_>) -> Result<String, SignatureError> {
        match value.get_ref().as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(self.wrong(value, key, "a string")),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, SignatureError> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        self.as_texts(key, value)
    }

    fn as_texts(&self, key: &str, value: &'a Value<'a>) -> Result<Vec<String>, SignatureError> {
        let Some(items) = value.get_ref().as_array() else {
            return Err(self.wrong(value, key, "a list of strings"));
        };
        items.iter().map(|item| self.as_text(key, item)).collect()
    }

    fn as_integer(&self, key: &str, value: &Value<'_>) -> Result<i64, SignatureError> {
        value
            .get_ref()
            .as_integer()
            .and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok())
            .ok_or_else(|| self.wrong(value, key, "a whole number of 64 bits"))
    }

    fn as_float(&self, key: &str, value: &Value<'_>) -> Result<f64, SignatureError> {
        let written = match value.get_ref() {
            DeValue::Float(x) => Some(x.as_str()),
            DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str()),
            DeValue::Integer(_)
            | DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        };
        written
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|x| x.is_finite())
            .ok_or_else(|| self.wrong(value, key, "a finite number"))
    }

    /// The tables of an array of tables, none where it is absent.
    fn list(&self, key: &'static str) -> Result<Vec<Self>, SignatureError> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let Some(items) = value.get_ref().as_array() else {
            return Err(self.wrong(value, key, "an array of tables"));
        };
        let what = key.strip_suffix('s').unwrap_or(key);
        items.iter().map(|item| self.of(item, what)).collect()
    }

    /// `[types]`, in the order of the text.
    fn types(&self) -> Result<Vec<(String, Vec<ElementType>)>, SignatureError> {
        let Some(value) = self.get("types") else {
            return Ok(Vec::new());
        };
        let types = self.of(value, "types")?;
        let mut entries: Vec<_> = types.entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                let name = key.get_ref().as_ref();
                let fault = |message| self.fault.at(key.span().start, message);
                if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !dims::is_word(name) {
                    return Err(fault(format!(
                        "`{name}` is no type variable; its name begins with a capital letter"
                    )));
                }
                let mut elements = Vec::new();
                for item in types.as_texts(name, value)? {
                    let element = element(&item).ok_or_else(|| {
                        fault(format!("`{item}` is not an element type in lower case"))
                    })?;
                    if elements.contains(&element) {
                        return Err(fault(format!("`{item}` is listed twice")));
                    }
                    elements.push(element);
                }
                if elements.is_empty() {
                    return Err(fault(format!("`{name}` may be no type at all")));
                }
                Ok((name.to_owned(), elements))
            })
            .collect()
    }

    fn category(&self) -> Result<Option<Category>, SignatureError> {
        let Some(value) = self.get("category") else {
            return Ok(None);
        };
        let word = self.as_text("category", value)?;
        let found = Category::ALL.into_iter().find(|c| c.name() == word);
        found.map(Some).ok_or_else(|| {
            let all = Category::ALL.map(Category::name).join(", ");
            let message = format!("`{word}` is no category; they are {all}");
            self.fault.at(value.span().start, message)
        })
    }

    fn ports(
        &self,
        side: Side,
        types: &[(String, Vec<ElementType>)],
        args: &[ArgSpec],
    ) -> Result<Vec<Port>, SignatureError> {
        let key = match side {
            Side::Inputs => "inputs",
            Side::Outputs => "outputs",
        };
        let tables = self.list(key)?;
        if tables.len() > limit::ITEMS {
            let most = limit::ITEMS;
            let message = format!("a block has at most {most} {key}");
            return Err(self.fault.at(tables[most].span.start, message));
        }
        let last = tables.len().saturating_sub(1);
        tables
            .iter()
            .enumerate()
            .map(|(index, port)| {
                port.only(&["name", "type", "doc", "many"])?;
                let (ty, at) = port.text("type")?;
                let wrong = |e: String| self.fault.at(at, format!("in the type `{ty}`: {e}"));
                let (element, dims) = dims::parse(&ty, types, args).map_err(wrong)?;
                side.allows(&dims).map_err(|e| wrong(e.to_owned()))?;
                Ok(Port {
                    name: port.text("name")?.0,
                    doc: port.maybe_text("doc")?.unwrap_or_default(),
                    element,
                    dims,
                    many: port.many(side, index, last, args)?,
                })
            })
            .collect()
    }

    /// How many a port stands for, the one at `index` of those up to `last`.
    fn many(
        &self,
        side: Side,
        index: usize,
        last: usize,
        args: &[ArgSpec],
    ) -> Result<Option<Many>, SignatureError> {
        let Some(value) = self.get("many") else {
            return Ok(None);
        };
        let fault = |message: String| Err(self.fault.at(value.span().start, message));
        if index != last {
            let message = match side {
                Side::Inputs => "only the last input can be `many`",
                Side::Outputs => "only the last output can be `many`",
            };
            return fault(message.to_owned());
        }
        match (side, value.get_ref()) {
            (Side::Inputs, DeValue::Boolean(true)) => Ok(Some(Many::OneOrMore)),
            (Side::Inputs, DeValue::Boolean(false)) => Ok(None),
            (Side::Inputs, _) => Err(self.wrong(value, "many", "true for an input")),
            (Side::Outputs, DeValue::String(name)) => {
                let Some(arg) = args.iter().find(|a| a.name == *name) else {
                    return fault(format!("`many` names `--{name}`, which is no argument"));
                };
                let ArgType::Integer { min, max } = arg.ty else {
                    return fault(format!(
                        "`--{name}` is not an integer argument, so it cannot say how many"
                    ));
                };
                let most = limit::ITEMS - last;
                if min < 1 || max > most as i64 {
                    return fault(format!(
                        "`--{name}` says how many outputs there are, so its `min` is at least 1 and its `max` at most {most}"
                    ));
                }
                Ok(Some(Many::Argument(arg.name.clone())))
            }
            (Side::Outputs, _) => Err(self.wrong(
                value,
                "many",
                "the name of an integer argument for an output",
            )),
        }
    }

    fn arg(&self) -> Result<ArgSpec, SignatureError> {
        self.only(&[
            "name", "aliases", "type", "default", "min", "max", "words", "unit", "doc",
        ])?;
        let (name, at) = self.text("name")?;
        let aliases = self.texts("aliases")?;
        if let Some(bad) = std::iter::once(&name)
            .chain(&aliases)
            .find(|n| !is_kebab(n))
        {
            return Err(self
                .fault
                .at(at, format!("`{bad}` is not a name in kebab case")));
        }
        let ty = self.arg_type()?;
        let default = self
            .get("default")
            .map(|value| self.default_value(&ty, value))
            .transpose()?;
        Ok(ArgSpec {
            name,
            aliases,
            ty,
            default,
            optional: false,
            unit: self.maybe_text("unit")?.unwrap_or_default(),
            doc: self.maybe_text("doc")?.unwrap_or_default(),
        })
    }

    fn arg_type(&self) -> Result<ArgType, SignatureError> {
        let (word, at) = self.text("type")?;
        let integer = |key, open| self.get(key).map_or(Ok(open), |v| self.as_integer(key, v));
        let float = |key, open| self.get(key).map_or(Ok(open), |v| self.as_float(key, v));
        let (ty, own): (ArgType, &[&str]) = match word.as_str() {
            "integer" => {
                let (min, max) = (integer("min", i64::MIN)?, integer("max", i64::MAX)?);
                if min > max {
                    return Err(self.fault.at(at, "`min` is greater than `max`"));
                }
                (ArgType::Integer { min, max }, &["min", "max"])
            }
            "float" => {
                let (min, max) = (float("min", f64::MIN)?, float("max", f64::MAX)?);
                if min > max {
                    return Err(self.fault.at(at, "`min` is greater than `max`"));
                }
                (ArgType::Float { min, max }, &["min", "max"])
            }
            "string" => {
                let words = self.texts("words")?;
                (ArgType::Text { words }, &["words"])
            }
            "bool" => (ArgType::Bool, &[]),
            "strings" => (ArgType::List, &[]),
            "bytes" => (ArgType::Bytes, &[]),
            _ => {
                let message = format!(
                    "`{word}` is not a type of arguments; they are integer, float, string, bool, strings, bytes"
                );
                return Err(self.fault.at(at, message));
            }
        };
        for key in ["min", "max", "words"] {
            if let Some(value) = self.get(key)
                && !own.contains(&key)
            {
                let message = format!("an argument of type {word} has no `{key}`");
                return Err(self.fault.at(value.span().start, message));
            }
        }
        Ok(ty)
    }

    fn default_value(&self, ty: &ArgType, value: &'a Value<'a>) -> Result<Bound, SignatureError> {
        let key = "default";
        let outside = |message: &str| Err(self.fault.at(value.span().start, message));
        match ty {
            ArgType::Integer { min, max } => match self.as_integer(key, value)? {
                n if n < *min || n > *max => outside("`default` lies outside `min` to `max`"),
                n => Ok(Bound::Integer(n)),
            },
            ArgType::Float { min, max } => match self.as_float(key, value)? {
                x if x < *min || x > *max => outside("`default` lies outside `min` to `max`"),
                x => Ok(Bound::Float(x)),
            },
            ArgType::Text { words } => match self.as_text(key, value)? {
                t if words.is_empty() || words.contains(&t) => Ok(Bound::Text(t)),
                _ => outside("`default` is not one of `words`"),
            },
            ArgType::Bool => match value.get_ref().as_bool() {
                Some(b) => Ok(Bound::Integer(b.into())),
                None => Err(self.wrong(value, key, "true or false")),
            },
            ArgType::List => Ok(Bound::List(self.as_texts(key, value)?.into())),
            ArgType::Bytes => Ok(Bound::Bytes(self.as_text(key, value)?.as_bytes().into())),
        }
    }
}

/// Which ports of a signature.
#[derive(Clone, Copy)]
enum Side {
    Inputs,
    Outputs,
}

impl Side {
    /// Whether a shape can stand on this side.
    fn allows(self, dims: &[PortDim]) -> Result<(), &'static str> {
        match self {
            Self::Inputs if dims.contains(&PortDim::Told) => {
                Err("`?` is for outputs; an input of any shape is `...`")
            }
            Self::Outputs if dims.contains(&PortDim::Any) => Err(
                "`...` without a name says nothing about an output; name it as in an input, or write `?` and export `shape`",
            ),
            Self::Inputs | Self::Outputs => Ok(()),
        }
    }
}

/// An element type by its name in lower case.
fn element(name: &str) -> Option<ElementType> {
    ElementType::ALL.into_iter().find(|e| e.name() == name)
}

fn is_kebab(name: &str) -> bool {
    !name.is_empty()
        && name.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// Three numbers, and whatever semantic versions may add behind them.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or(text);
    let mut count = 0;
    core.split('.').all(|n| {
        count += 1;
        !n.is_empty() && n.len() < 10 && n.bytes().all(|b| b.is_ascii_digit())
    }) && count == 3
}

#[cfg(test)]
mod tests;
