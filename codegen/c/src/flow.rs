//! The lines of a function while it is translated, and the blocks that are open.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{module::Ty, parts::identifiers, value::Value};

/// A line of a function's body.
pub(crate) enum Line {
    /// A whole statement, or a brace.
    Statement(String),
    /// A variable that is set once, here: type, name, value.
    Once(String, String, String),
    /// A variable that several places set: it is declared here.
    Declaration(Ty, String),
    /// Sets a variable.
    Assignment(String, String),
    /// The target of a jump.
    Label(String),
}

/// The lines of a body.
#[derive(Default)]
pub(crate) struct Lines {
    lines: Vec<(usize, Line)>,
    indent: usize,
}

impl Lines {
    pub(crate) fn push(&mut self, line: Line) {
        self.lines.push((self.indent, line));
    }

    pub(crate) fn statement(&mut self, text: impl Into<String>) {
        self.push(Line::Statement(text.into()));
    }

    /// A statement that opens a block of C.
    pub(crate) fn open(&mut self, text: impl Into<String>) {
        self.statement(text);
        self.indent += 1;
    }

    /// A statement that ends one.
    pub(crate) fn close(&mut self, text: &str) {
        self.indent -= 1;
        self.statement(text);
    }

    /// After a statement that both ends a block and opens one.
    pub(crate) fn open_last(&mut self) {
        self.indent += 1;
    }

    /// The text, without variables and labels that nothing uses, and the names that it reads.
    pub(crate) fn finish(&self) -> (String, BTreeSet<String>) {
        let (mut read, mut set) = (BTreeSet::new(), BTreeSet::new());
        for (_, line) in &self.lines {
            match line {
                Line::Statement(text) | Line::Once(_, _, text) => identifiers(text, &mut read),
                Line::Assignment(name, text) => {
                    identifiers(text, &mut read);
                    set.insert(name.clone());
                }
                Line::Declaration(..) | Line::Label(_) => {}
            }
        }
        let mut out = String::new();
        for (indent, line) in &self.lines {
            let text = match line {
                Line::Statement(text) => format!("{text}\n"),
                Line::Once(ty, name, value) if read.contains(name) => {
                    format!("const {ty} {name} = {value};\n")
                }
                Line::Once(_, _, value) => format!("(void)({value});\n"),
                Line::Declaration(ty, name) if read.contains(name) => declaration(*ty, name),
                Line::Declaration(ty, name) if set.contains(name) => {
                    format!("{}    (void){name};\n", declaration(*ty, name))
                }
                Line::Declaration(..) => continue,
                Line::Assignment(name, value) => format!("{name} = {value};\n"),
                Line::Label(name) if read.contains(name) => format!("{name}:;\n"),
                Line::Label(_) => continue,
            };
            let _ = write!(out, "{:1$}{text}", "", 4 * (indent.min(&8) + 1));
        }
        read.extend(set);
        (out, read)
    }
}

/// A variable that starts as zero, so that no compiler asks whether every way sets it.
fn declaration(ty: Ty, name: &str) -> String {
    let zero = if ty == Ty::V128 { "{0}" } else { "0" };
    format!("{} {name} = {zero};\n", ty.c())
}

/// Names of the variables for the values that a block's label takes, all set before a jump to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label {
    /// What its names end with.
    pub(crate) id: u32,
    pub(crate) types: Vec<Ty>,
    /// Whether anything jumps there.
    pub(crate) used: bool,
}

impl Label {
    pub(crate) fn name(&self) -> String {
        format!("L{}", self.id)
    }

    pub(crate) fn variable(&self, index: usize) -> String {
        format!("b{}_{index}", self.id)
    }

    /// Its values, once they are set.
    pub(crate) fn values(&self) -> Vec<Value> {
        let value = |(index, ty): (usize, &Ty)| Value::atom(*ty, self.variable(index));
        self.types.iter().enumerate().map(value).collect()
    }
}

/// What kind of block is open.
pub(crate) enum Kind {
    Function,
    Block,
    Loop,
    /// A block that runs if a condition holds, up to its `else`: the parameters for that, whether it is a block of C,
    /// too, and not jumps because of nesting that is too deep for compilers.
    If {
        params: Vec<Value>,
        braces: bool,
    },
    /// After the `else`; whether it is a block of C, and whether the end of the part before is reached.
    Else {
        braces: bool,
        reached: bool,
    },
}

/// A block that is open.
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// Values on the stack below its parameters.
    pub(crate) height: usize,
    pub(crate) results: usize,
    pub(crate) label: Label,
}
