//! What a Runefile says, instruction by instruction, before any name is resolved.

use rune_ir::{
    args::List,
    diag::{FileId, Span, Spanned},
    ty::PartialType,
};

use crate::format::Format;

/// A Runefile as written. Every span is a range of bytes of the text that was parsed, on character
/// boundaries, a byte order mark counted.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Tree {
    /// The file it was read from.
    pub file: FileId,
    /// The whole text.
    pub whole: Span,
    /// The instructions in the order written.
    pub instructions: Vec<Instruction>,
    /// Every comment from its `#` to the end of its line, in the order written; those of faulty lines are
    /// left out.
    pub comments: Vec<Span>,
    /// Some line, or some part of one, was faulty and is missing here; this has been reported.
    pub flawed: bool,
    /// The form it is written in.
    pub format: Format,
}

impl Tree {
    /// Of a file that cannot be read at all, which has been reported.
    pub(crate) fn unreadable(file: FileId) -> Self {
        Self {
            file,
            flawed: true,
            ..Self::default()
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub enum Instruction {
    /// `FROM image [AS name]`.
    From(From),
    /// `FOR image`.
    For(For),
    /// `LABEL key=value...`.
    Label(Label),
    /// `RESOURCE path name`.
    Resource(Resource),
    /// `CAPABILITY`, `PROC_BLOCK`, `MODEL` or `OUT`, with `REPLACE` before it or not.
    Stage(Stage),
    /// `SET stage --argument value...`.
    Set(Set),
    /// `RUN step...`.
    Run(Run),
    /// A line that could not be read, which has been reported.
    Faulty(Faulty),
}

impl Instruction {
    /// The whole instruction, without what else is on its lines.
    pub fn span(&self) -> Span {
        match self {
            Self::From(from) => from.span,
            Self::For(device) => device.span,
            Self::Label(label) => label.span,
            Self::Resource(resource) => resource.span,
            Self::Stage(stage) => stage.span,
            Self::Set(set) => set.span,
            Self::Run(run) => run.span,
            Self::Faulty(faulty) => faulty.span,
        }
    }
}

/// The word an instruction begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keyword {
    /// The layer below.
    From,
    /// A device the rune must fit.
    For,
    /// Facts about the rune.
    Label,
    /// A named file.
    Resource,
    /// Changes arguments of an inherited stage.
    Set,
    /// Replaces an inherited stage.
    Replace,
    /// A source of data.
    Capability,
    /// A transformation.
    ProcBlock,
    /// A trained model.
    Model,
    /// What feeds what.
    Run,
    /// Where results go.
    Out,
}

impl Keyword {
    /// Every keyword, in the order instructions are usually written.
    pub const ALL: [Self; 11] = [
        Self::From,
        Self::For,
        Self::Label,
        Self::Resource,
        Self::Set,
        Self::Replace,
        Self::Capability,
        Self::ProcBlock,
        Self::Model,
        Self::Run,
        Self::Out,
    ];

    /// The word itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::From => "FROM",
            Self::For => "FOR",
            Self::Label => "LABEL",
            Self::Resource => "RESOURCE",
            Self::Set => "SET",
            Self::Replace => "REPLACE",
            Self::Capability => "CAPABILITY",
            Self::ProcBlock => "PROC_BLOCK",
            Self::Model => "MODEL",
            Self::Run => "RUN",
            Self::Out => "OUT",
        }
    }

    /// The form of the instruction, for messages and help.
    pub const fn form(self) -> &'static str {
        match self {
            Self::From => "FROM image [AS name]",
            Self::For => "FOR image",
            Self::Label => "LABEL key=value...",
            Self::Resource => "RESOURCE path name [--type string|binary]",
            Self::Set => "SET stage --argument value...",
            Self::Replace => "REPLACE CAPABILITY|PROC_BLOCK|MODEL|OUT ...",
            Self::Capability => "CAPABILITY[<type>] KIND name [--argument value]...",
            Self::ProcBlock => "PROC_BLOCK[<in, ... -> out, ...>] path name [--argument value]...",
            Self::Model => "MODEL[<in, ... -> out, ...>] path name [--argument value]...",
            Self::Run => "RUN stage stage.1 [stage, stage]...",
            Self::Out => "OUT KIND [name] [--argument value]...",
        }
    }

    /// The keyword spelt exactly so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// What an instruction that defines a stage makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A source of data.
    Capability,
    /// A transformation.
    ProcBlock,
    /// A trained model.
    Model,
    /// Where results go.
    Out,
}

impl Role {
    /// The keyword of the instruction.
    pub const fn keyword(self) -> Keyword {
        match self {
            Self::Capability => Keyword::Capability,
            Self::ProcBlock => Keyword::ProcBlock,
            Self::Model => Keyword::Model,
            Self::Out => Keyword::Out,
        }
    }
}

/// `FROM image [AS name]`.
#[derive(Clone, Debug, PartialEq)]
pub struct From {
    /// The image as written: `name[@version][#part]`.
    pub image: Spanned<String>,
    /// The name after `AS`.
    pub alias: Option<Spanned<String>>,
    /// The whole instruction.
    pub span: Span,
}

/// `FOR image`.
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// The image of the device, as written.
    pub image: Spanned<String>,
    /// The whole instruction.
    pub span: Span,
}

/// `SET stage --argument value...`.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The inherited stage.
    pub stage: Spanned<String>,
    /// The arguments that it gets, in the order written; at least one, unless one was faulty.
    pub args: Vec<Argument>,
    /// The whole instruction.
    pub span: Span,
}

/// `LABEL key=value...`.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Keys and values, quotes removed.
    pub pairs: Vec<(Spanned<String>, Spanned<String>)>,
    /// The whole instruction.
    pub span: Span,
}

/// `RESOURCE path name`, or `RESOURCE name --text text`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The file; `None`: the text is written here, in the argument `text`.
    pub path: Option<Spanned<String>>,
    /// What `$name` calls it.
    pub name: Spanned<String>,
    /// `--text` and `--type`, in the order written, not yet checked.
    pub args: Vec<Argument>,
    /// The whole instruction.
    pub span: Span,
}

/// `CAPABILITY`, `PROC_BLOCK`, `MODEL` or `OUT`: one shape for all four.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The word `REPLACE` before it.
    pub replace: Option<Span>,
    /// Which of the four, at its keyword.
    pub role: Spanned<Role>,
    /// What stands between `<` and `>`.
    pub types: Option<Types>,
    /// Kind or path, and name, in either order.
    pub first: Word,
    /// The second word; only `OUT` may do without.
    pub second: Option<Word>,
    /// The arguments in the order written.
    pub args: Vec<Argument>,
    /// The whole instruction.
    pub span: Span,
}

/// A word that is a kind, a path or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text, quotes removed.
    pub text: String,
    /// What the text alone tells.
    pub form: WordForm,
    /// Where it is.
    pub span: Span,
}

/// What the text of a word alone tells about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordForm {
    /// Letters, digits, `_` and `-`, not beginning with a digit or `-`: may be anything.
    Name,
    /// Other characters too: no name.
    Path,
    /// In quotes: no name.
    Quoted,
}

/// The types of an instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Types {
    /// Before the arrow, or all there are; at least one.
    pub before: Vec<Spanned<PartialType>>,
    /// After the arrow, at least one; `None`: there is no arrow.
    pub after: Option<Vec<Spanned<PartialType>>>,
    /// From `<` to `>`.
    pub span: Span,
}

/// `--name value`, `--name=value` or `-x value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The name without its dashes.
    pub name: Spanned<String>,
    /// The value.
    pub value: Spanned<Value>,
    /// The value exactly as written.
    pub text: String,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A finite number with a point or an exponent.
    Float(f64),
    /// Any other text, quotes removed.
    Text(String),
    /// Items, quotes removed; numbers keep their text.
    List(List),
    /// `$name`, without the sign.
    Reference(String),
}

/// `RUN step...`.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The steps in order; may be empty.
    pub steps: Vec<Step>,
    /// The whole instruction.
    pub span: Span,
}

/// One step of a RUN: a stage or a group of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The one stage, or those between `[` and `]`; at least one.
    pub stages: Vec<StageRef>,
    /// The step with its brackets.
    pub span: Span,
}

/// `name` or `name.port`.
#[derive(Clone, Debug, PartialEq)]
pub struct StageRef {
    /// The name of the stage.
    pub name: Spanned<String>,
    /// Which of its outputs, if one is picked.
    pub port: Option<Spanned<u32>>,
    /// Both.
    pub span: Span,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Faulty {
    /// The word it begins with, if that is a keyword in any case.
    pub keyword: Option<Keyword>,
    /// Every other word of it that could be a name: it may define these, so to use one is no fault.
    pub names: Vec<String>,
    /// The whole line.
    pub span: Span,
}
