//! A processing block as the compiler knows it: signature, relocatable code, and the frozen result of
//! its `init`.

use std::sync::Arc;

use crate::{
    args::{ArgSpec, Bound},
    object::Object,
    ty::{Dim, ElementType, TensorType},
};

/// A block, read and validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The bytes it was read from; what the evaluator runs.
    pub bytes: Arc<[u8]>,
    /// What it takes and gives.
    pub signature: Signature,
    /// Its code.
    pub object: Object,
}

/// The declarative signature of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Its own name, without a registry path.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// What it does, in Markdown, the first sentence a summary.
    pub doc: String,
    /// Where a list of blocks shows it.
    pub category: Option<Category>,
    /// A line of a Runefile that uses it, empty if there is none.
    pub example: String,
    /// Type variables and the element types each may be, the default first.
    pub types: Vec<(String, Vec<ElementType>)>,
    /// Inputs in order.
    pub inputs: Vec<Port>,
    /// Outputs in order.
    pub outputs: Vec<Port>,
    /// Arguments in order.
    pub args: Vec<ArgSpec>,
}

/// What a block is for, which orders lists of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Sound and other signals in time.
    Audio,
    /// Pictures.
    Image,
    /// Shapes, types and numbers of any tensor.
    Tensor,
    /// What follows a model: scores to decisions.
    Decision,
    /// Text.
    Text,
}

impl Category {
    /// Every category, in the order of lists.
    pub const ALL: [Self; 5] = [
        Self::Audio,
        Self::Image,
        Self::Tensor,
        Self::Decision,
        Self::Text,
    ];

    /// The word in a signature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Image => "image",
            Self::Tensor => "tensor",
            Self::Decision => "decision",
            Self::Text => "text",
        }
    }
}

/// One input or output of a signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name, for messages.
    pub name: String,
    /// What it holds, empty if nothing is said.
    pub doc: String,
    /// Element type: fixed, or the index of a type variable.
    pub element: PortElement,
    /// Dimensions; [`PortDim::Told`] only ever stands alone.
    pub dims: Vec<PortDim>,
    /// Whether it stands for several, which only the last input and the last output may.
    pub many: Option<Many>,
}

/// How many a [`Port`] stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Many {
    /// One or more: an input.
    OneOrMore,
    /// As many as the integer argument of this name says: an output.
    Argument(String),
}

/// The element type of a [`Port`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortElement {
    /// Always this type.
    Fixed(ElementType),
    /// The type bound to this variable of [`Signature::types`].
    Variable(usize),
}

/// One dimension of a [`Port`], or a run of them.
#[derive(Clone, Debug, PartialEq)]
pub enum PortDim {
    /// An expression of variables, integer arguments and numbers.
    One(DimExpr),
    /// At most this many.
    AtMost(DimExpr),
    /// `...s`: any number of dimensions, bound to a variable as a whole.
    Rest(String),
    /// `...<=s`: the same, and one of them may be bounded.
    RestAtMost(String),
    /// `...`: any number of dimensions, bound to nothing; in inputs.
    Any,
    /// `?`: whatever the block's `shape` tells; the whole shape of an output.
    Told,
}

impl PortDim {
    /// Whether it stands for any number of dimensions.
    pub fn is_run(&self) -> bool {
        !matches!(self, Self::One(_) | Self::AtMost(_))
    }
}

/// A dimension as an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum DimExpr {
    /// A number.
    Number(i64),
    /// A dimension variable, or an integer argument of this name.
    Name(String),
    /// Sum.
    Add(Box<Self>, Box<Self>),
    /// Difference.
    Sub(Box<Self>, Box<Self>),
    /// Product.
    Mul(Box<Self>, Box<Self>),
    /// Quotient that must be exact.
    Div(Box<Self>, Box<Self>),
    /// Quotient rounded down.
    FloorDiv(Box<Self>, Box<Self>),
    /// Quotient rounded up.
    CeilDiv(Box<Self>, Box<Self>),
}

impl Signature {
    /// The name of the export to run for these element types, one per type variable.
    pub fn export(&self, bound: &[ElementType]) -> String {
        bound
            .iter()
            .fold("run".to_owned(), |name, e| name + "." + e.name())
    }

    /// The port of the input at a position, the last one's again where that stands for many.
    pub fn input(&self, index: usize) -> Option<&Port> {
        at(&self.inputs, index)
    }

    /// The port of the output at a position, the last one's again where that stands for many.
    pub fn output(&self, index: usize) -> Option<&Port> {
        at(&self.outputs, index)
    }

    /// Whether the last input stands for one or more.
    pub fn takes_many(&self) -> bool {
        self.inputs.last().is_some_and(|p| p.many.is_some())
    }

    /// Whether the dimensions of some output are told by the export `shape`.
    pub fn tells_shape(&self) -> bool {
        let is_told = |p: &Port| p.dims.contains(&PortDim::Told);
        self.outputs.iter().any(is_told)
    }
}

fn at(ports: &[Port], index: usize) -> Option<&Port> {
    let many = || ports.last().filter(|p| p.many.is_some());
    ports.get(index).or_else(many)
}

/// What one instance of a block is made of: arguments and types.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The export to run.
    pub export: String,
    /// Argument values in the order of [`Signature::args`]; every one is present, so an optional
    /// argument has a default in the signature.
    pub args: Vec<Bound>,
    /// Types of the inputs.
    pub inputs: Vec<TensorType>,
    /// Types of the outputs.
    pub outputs: Vec<TensorType>,
}

/// What `init` left behind, free of addresses.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Snapshot {
    /// Memory that is only read from now on.
    pub frozen: Vec<u8>,
    /// Memory that `run` may change, at its first value.
    pub state: Vec<u8>,
    /// Words of `frozen` that hold an address or slot, by rising offset.
    pub frozen_words: Vec<SnapshotWord>,
    /// Words of `state` that hold an address or slot, by rising offset.
    pub state_words: Vec<SnapshotWord>,
    /// Offset of the instance in `frozen`.
    pub instance: u32,
    /// Bytes of scratch `run` needs.
    pub scratch: u32,
}

/// A word of a snapshot that must be patched when it is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotWord {
    /// First byte of the word.
    pub offset: u32,
    /// What it points at.
    pub target: SnapshotTarget,
}

/// What a word of a snapshot points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotTarget {
    /// This offset of the frozen arena.
    Frozen(u32),
    /// This offset of the state arena.
    State(u32),
    /// This datum of the object, plus an offset.
    Datum(crate::object::DatumId, i32),
    /// The table slot of this function.
    Slot(crate::object::FunctionId),
}

/// Runs blocks as they come, without linking: what the evaluator and the compiler's `init` stand on.
pub trait BlockEngine {
    /// Runs `shape`: the dimensions of each output of an instance whose arguments, input types and output
    /// element types are known. `question.outputs` has no dimensions.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    fn shape(&self, block: &Block, question: &Instance) -> Result<Vec<Vec<Dim>>, InitError>;

    /// Runs `init` and takes the snapshot.
    ///
    /// # Errors
    /// A [`InitError`] that says whose fault it is.
    fn snapshot(&self, block: &Block, instance: &Instance) -> Result<Arc<Snapshot>, InitError>;

    /// Makes a running instance of the unlinked module, with state of its own.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    fn start(&self, block: &Block, instance: &Instance)
    -> Result<Box<dyn RunningBlock>, InitError>;
}

/// Why `init` gave no instance, or `shape` no dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitError {
    /// The block refused its arguments or types, in its own words.
    Refused(String),
    /// What it left behind depends on where it lay.
    AddressDependent(String),
    /// It did not end within the steps that it may take.
    Endless(String),
    /// It trapped.
    Trapped(String),
    /// It broke another rule of the contract.
    Broken(String),
    /// It has not run yet, or was stopped on the way: nothing is known, and nothing is said about it.
    Later,
}

/// An instance of a block that can be called.
pub trait RunningBlock {
    /// One call: the bytes of each input (strings as pairs are replaced by [`crate::eval::Data`]).
    ///
    /// # Errors
    /// A fault code, or `Ok(None)` for nothing this call.
    fn run(&mut self, inputs: &[crate::eval::Data]) -> Result<Option<Vec<crate::eval::Data>>, i32>;
}

impl std::fmt::Display for PortDim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(expr) => write!(f, "{expr}"),
            Self::AtMost(expr) => write!(f, "<={expr}"),
            Self::Rest(name) => write!(f, "...{name}"),
            Self::RestAtMost(name) => write!(f, "...<={name}"),
            Self::Any => f.write_str("..."),
            Self::Told => f.write_str("?"),
        }
    }
}

impl std::fmt::Display for DimExpr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Operations of one strength go from left to right, so only there none needs parentheses.
        let binary = |f: &mut std::fmt::Formatter<'_>, a: &Self, op: &str, b: &Self, strength| {
            let (left, right) = (a.strength() < strength, b.strength() <= strength);
            match (left, right) {
                (false, false) => write!(f, "{a} {op} {b}"),
                (true, false) => write!(f, "({a}) {op} {b}"),
                (false, true) => write!(f, "{a} {op} ({b})"),
                (true, true) => write!(f, "({a}) {op} ({b})"),
            }
        };
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Name(name) => f.write_str(name),
            Self::Add(a, b) => binary(f, a, "+", b, 0),
            Self::Sub(a, b) => binary(f, a, "-", b, 0),
            Self::Mul(a, b) => binary(f, a, "*", b, 1),
            Self::Div(a, b) => binary(f, a, "/", b, 1),
            Self::FloorDiv(a, b) => binary(f, a, "//", b, 1),
            Self::CeilDiv(a, b) => {
                f.write_str("ceil(")?;
                binary(f, a, "/", b, 1)?;
                f.write_str(")")
            }
        }
    }
}

impl DimExpr {
    /// The value where `lookup` knows every name; an error where a quotient is not exact or overflows.
    pub fn value(
        &self,
        lookup: &mut dyn FnMut(&str) -> Option<i64>,
    ) -> Result<Option<i64>, String> {
        let (a, b) = match self {
            Self::Number(n) => return Ok(Some(*n)),
            Self::Name(name) => return Ok(lookup(name)),
            Self::Add(a, b)
            | Self::Sub(a, b)
            | Self::Mul(a, b)
            | Self::Div(a, b)
            | Self::FloorDiv(a, b)
            | Self::CeilDiv(a, b) => (a, b),
        };
        let (Some(a), Some(b)) = (a.value(lookup)?, b.value(lookup)?) else {
            return Ok(None);
        };
        let value = match self {
            Self::Number(_) | Self::Name(_) => None,
            Self::Add(..) => a.checked_add(b),
            Self::Sub(..) => a.checked_sub(b),
            Self::Mul(..) => a.checked_mul(b),
            Self::Div(..) if b == 0 || a.checked_rem(b) != Some(0) => {
                return Err(format!("{a} is not a multiple of {b}"));
            }
            Self::Div(..) => a.checked_div(b),
            Self::FloorDiv(..) => a.checked_div_euclid(b),
            Self::CeilDiv(..) if b > 0 => a.checked_add(b - 1).map(|n| n.div_euclid(b)),
            Self::CeilDiv(..) => None,
        };
        value
            .map(Some)
            .ok_or_else(|| format!("`{self}` cannot be computed for {a} and {b}"))
    }

    /// How strongly what it is made of belongs together: sums 0, products 1, all else 2.
    fn strength(&self) -> u8 {
        match self {
            Self::Add(..) | Self::Sub(..) => 0,
            Self::Mul(..) | Self::Div(..) | Self::FloorDiv(..) => 1,
            Self::Number(_) | Self::Name(_) | Self::CeilDiv(..) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_has_the_parentheses_it_needs() {
        let name = |name: &str| Box::new(DimExpr::Name(name.to_owned()));
        let sum = || Box::new(DimExpr::Add(name("a"), name("b")));
        let quotient = || Box::new(DimExpr::FloorDiv(name("n"), Box::new(DimExpr::Number(2))));
        for (expr, text) in [
            (DimExpr::Add(quotient(), name("c")), "n // 2 + c"),
            (DimExpr::Sub(name("c"), sum()), "c - (a + b)"),
            (DimExpr::Sub(sum(), name("c")), "a + b - c"),
            (DimExpr::Mul(sum(), quotient()), "(a + b) * (n // 2)"),
            (DimExpr::Div(quotient(), name("c")), "n // 2 / c"),
            (
                DimExpr::CeilDiv(sum(), quotient()),
                "ceil((a + b) / (n // 2))",
            ),
        ] {
            assert_eq!(expr.to_string(), text);
        }
    }
}
