//! Arguments: as written, as specified, and bound to each other.

use crate::diag::Spanned;

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
    List(Vec<Spanned<String>>),
    /// `$name`: the bytes of a resource, already resolved.
    Resource(std::sync::Arc<[u8]>),
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
    List(Vec<String>),
    /// For [`ArgType::Bytes`].
    Bytes(std::sync::Arc<[u8]>),
}
