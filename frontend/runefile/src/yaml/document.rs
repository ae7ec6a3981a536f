//! YAML text to a tree of nodes with places: small, and safe against every text.
//!
//! Depth, number of nodes and bytes that aliases stand for are limited, so that no text of a few lines
//! becomes a document of gigabytes. Duplicate keys stay in; whoever reads a map says what they mean.

use std::collections::BTreeMap;

use rune_ir::diag::{Code, Diagnostic, FileId, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::values::shorten;

/// How deep lists and maps may nest; a Runefile needs six levels.
const MAX_DEPTH: usize = 32;
/// How many nodes a document may have, those that aliases repeat counted each time.
const MAX_NODES: usize = 1 << 19;
/// How many bytes of text aliases may repeat.
const MAX_REPEATED: usize = 64 << 20;

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The outermost node; `None`: the text says nothing.
    pub(super) root: Option<Node>,
    /// Every comment from its `#` to the end of its line.
    pub(super) comments: Vec<Span>,
}

/// A part of a document.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Where it is written; where an alias stands for it, its anchor's place.
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// A single value.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    /// Its text, without quotes and indentation.
    pub(super) text: String,
    pub(super) style: Style,
}

/// How a scalar is written, as far as it matters for what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// `|` or `>`.
    Block,
    /// `!!str`: text, whatever it looks like.
    Text,
}

impl Node {
    /// What the node is, in the reference compiler's words.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::List(_) => "sequence".to_owned(),
            Kind::Map(_) => "map".to_owned(),
            Kind::Scalar(scalar) if scalar.is_null() => "unit value".to_owned(),
            Kind::Scalar(Scalar { text, style }) => {
                let plain = *style == Style::Plain;
                if plain && text.parse::<i64>().is_ok() {
                    format!("integer `{text}`")
                } else if plain && text.parse::<f64>().is_ok_and(f64::is_finite) {
                    format!("floating point `{}`", shorten(text))
                } else if plain && (text == "true" || text == "false") {
                    format!("boolean `{text}`")
                } else {
                    format!("string \"{}\"", shorten(text))
                }
            }
        }
    }

    /// Its scalar, if it is one and has a value.
    pub(super) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => Some(scalar),
            Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }
}

impl Scalar {
    /// Nothing, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        let nulls = ["", "~", "null", "Null", "NULL"];
        self.style == Style::Plain && nulls.contains(&self.text.as_str())
    }
}

/// Reads a text. After a fault the document holds what came before it.
pub(super) fn read(file: FileId, text: &str) -> (Document, Vec<Diagnostic>) {
    let mut builder = Builder {
        file,
        text,
        offsets: Offsets::new(text),
        open: Vec::new(),
        document: Document::default(),
        scalars: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        repeated: 0,
    };
    let mut found = Vec::new();
    let mut end = text.len();
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => {
                let span = builder.offsets.span(file, span);
                builder.event(event, span)
            }
            Err(error) => Err(builder.scan_fault(&error)),
        };
        if let Err(diagnostic) = step {
            end = diagnostic.primary.span.start as usize;
            found.push(*diagnostic);
            break;
        }
    }
    builder.close_all();
    builder.comments(end);
    (builder.document, found)
}

/// A list or map that has begun.
struct Open {
    anchor: usize,
    start: Span,
    children: Vec<Node>,
    is_map: bool,
}

struct Builder<'t> {
    file: FileId,
    text: &'t str,
    offsets: Offsets<'t>,
    open: Vec<Open>,
    document: Document,
    /// The places of all scalars, in order.
    scalars: Vec<Span>,
    /// Nodes by the number of their anchor.
    anchors: BTreeMap<usize, (Node, Weight)>,
    nodes: usize,
    repeated: usize,
}

/// What an alias costs.
#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Weight {
    fn of(node: &Node) -> Self {
        let children: Box<dyn Iterator<Item = &Node>> = match &node.kind {
            Kind::Scalar(scalar) => {
                return Self {
                    nodes: 1,
                    bytes: scalar.text.len(),
                    depth: 0,
                };
            }
            Kind::List(items) => Box::new(items.iter()),
            Kind::Map(pairs) => Box::new(pairs.iter().flat_map(|(k, v)| [k, v])),
        };
        let mut weight = Self {
            nodes: 1,
            ..Self::default()
        };
        for child in children {
            let child = Self::of(child);
            weight.nodes += child.nodes;
            weight.bytes += child.bytes;
            weight.depth = weight.depth.max(child.depth + 1);
        }
        weight
    }
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Diagnostic>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let span = self.scalar_span(span, style);
                self.scalars.push(span);
                let scalar = Scalar {
                    text: text.into_owned(),
                    style: style_of(style, tag.as_deref()),
                };
                self.count(1, span)?;
                let kind = Kind::Scalar(scalar);
                return self.add(Node { kind, span }, anchor);
            }
            Event::SequenceStart(anchor, _) => return self.begin(anchor, span, false),
            Event::MappingStart(anchor, _) => return self.begin(anchor, span, true),
            Event::SequenceEnd | Event::MappingEnd => return self.close(span),
            Event::Alias(id) => return self.alias(id, span),
            Event::DocumentStart(_) if self.document.root.is_some() => {
                return Err(refuse(
                    span,
                    "a second document begins here",
                    "a Runefile is one document: leave out what follows `---`",
                ));
            }
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => {}
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(refuse(
                span,
                format!("this document has more than {MAX_NODES} values"),
                "put large data in a file of its own and name it as a resource",
            ));
        }
        Ok(())
    }

    fn begin(&mut self, anchor: usize, start: Span, is_map: bool) -> Result<(), Box<Diagnostic>> {
        self.count(1, start)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(start));
        }
        self.open.push(Open {
            anchor,
            start,
            children: Vec::new(),
            is_map,
        });
        Ok(())
    }

    /// Ends the innermost list or map at `end`.
    fn close(&mut self, end: Span) -> Result<(), Box<Diagnostic>> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let last = open.children.last().map_or(open.start.end, |n| n.span.end);
        // A block has no closing sign: it ends with its last part.
        let end = if end.start < end.end { end.end } else { last };
        let span = Span {
            end: end.max(open.start.start),
            ..open.start
        };
        let kind = if open.is_map {
            let mut pairs = Vec::with_capacity(open.children.len() / 2);
            let mut children = open.children.into_iter();
            while let (Some(key), Some(value)) = (children.next(), children.next()) {
                pairs.push((key, value));
            }
            Kind::Map(pairs)
        } else {
            Kind::List(open.children)
        };
        self.add(Node { kind, span }, open.anchor)
    }

    fn close_all(&mut self) {
        while let Some(open) = self.open.last_mut() {
            open.anchor = 0;
            let end = Span {
                start: open.start.end,
                ..open.start
            };
            self.close(end).expect("what has no anchor is not copied");
        }
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Box<Diagnostic>> {
        if anchor > 0 {
            let weight = Weight::of(&node);
            self.repeat(weight, node.span)?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.document.root = Some(node),
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        let Some((node, weight)) = self.anchors.get(&id) else {
            return Err(refuse(
                span,
                "this alias stands for what it is a part of",
                "write the value out",
            ));
        };
        let (node, weight) = (node.clone(), *weight);
        if self.open.len() + weight.depth > MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.repeat(weight, span)?;
        self.add(node, 0)
    }

    /// Counts a copy of a node.
    fn repeat(&mut self, weight: Weight, span: Span) -> Result<(), Box<Diagnostic>> {
        self.repeated += weight.bytes;
        if self.repeated > MAX_REPEATED {
            return Err(refuse(
                span,
                "anchors and aliases repeat too much text",
                "write the values out, or put them in a resource",
            ));
        }
        self.count(weight.nodes, span)
    }

    /// The place of a scalar without anchor, tag, and what the scanner passed over after it.
    fn scalar_span(&self, span: Span, style: ScalarStyle) -> Span {
        let (mut start, mut end) = (span.start as usize, span.end as usize);
        let mut text = &self.text[start..end];
        while let Some(after) = text.strip_prefix(['&', '!']) {
            let property = after.find([' ', '\t', '\n', '\r']).unwrap_or(after.len());
            let rest = after[property..].trim_start();
            start += text.len() - rest.len();
            text = rest;
        }
        let quote = text.chars().next().filter(|c| ['"', '\''].contains(c));
        end = match (style, quote) {
            (ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, Some(quote)) => {
                start + quoted_len(text, quote)
            }
            _ => start.max(start + text.trim_end().len()).min(end),
        };
        Span::new(self.file, start, end)
    }

    /// Finds the comments before byte `end`: what begins with `#`, after a blank, outside scalars.
    fn comments(&mut self, end: usize) {
        let mut from = 0;
        let scalars = std::mem::take(&mut self.scalars);
        let ends = Span::new(self.file, end, end);
        for scalar in scalars.iter().chain([&ends]) {
            let (start, after) = (scalar.start as usize, scalar.end as usize);
            if start < from {
                continue;
            }
            let gap = &self.text[from..start];
            let mut at = 0;
            while let Some(hash) = gap[at..].find('#').map(|h| at + h) {
                let before = self.text[..from + hash].chars().next_back();
                if before.is_some_and(|c| !c.is_whitespace() && c != '\u{FEFF}') {
                    at = hash + 1;
                    continue;
                }
                let line = gap[hash..]
                    .find(['\n', '\r'])
                    .map_or(gap.len(), |n| hash + n);
                let span = Span::new(self.file, from + hash, from + line);
                self.document.comments.push(span);
                at = line;
            }
            from = after;
        }
    }

    /// What the scanner does not understand, in words.
    fn scan_fault(&self, error: &ScanError) -> Box<Diagnostic> {
        let start = self.offsets.byte(error.marker().index());
        let rest = &self.text[start..];
        let end = start
            + rest
                .chars()
                .next()
                .filter(|c| *c != '\n')
                .map_or(0, char::len_utf8);
        let span = Span::new(self.file, start, end);
        let info = error.info();
        if info.contains("recursion") {
            return too_deep(span);
        }
        let mut diagnostic = Diagnostic::new(
            Code::YamlSyntax,
            span,
            format!("Unable to parse the input: {info}"),
        )
        .at("not YAML from here on");
        let line = rest.lines().next().unwrap_or("");
        let next = rest.lines().nth(1).unwrap_or("");
        diagnostic = diagnostic.maybe_hint(if info.contains("tab") || next.starts_with('\t') {
            Some("indent with blanks; YAML does not take tabs there".to_owned())
        } else if line.starts_with(['@', '`', '%']) {
            Some("put the value in quotes".to_owned())
        } else if info.contains("mapping values") {
            Some("a value with `: ` in it goes in quotes".to_owned())
        } else if info.contains("anchor") {
            Some("an alias `*name` stands for a value that `&name` marks before it; a text that begins with `*` goes in quotes".to_owned())
        } else if info.contains("quoted scalar") {
            Some("close the quotes".to_owned())
        } else if info.contains("simple key") {
            Some("write `key: value`".to_owned())
        } else {
            None
        });
        let head = self.text.split_whitespace().find(|w| !w.starts_with('#'));
        if head == Some("FROM") {
            diagnostic =
                diagnostic.hint("this is the text form; name the file `Runefile` or `*.Runefile`");
        }
        Box::new(diagnostic)
    }
}

/// Bytes up to the closing quote of a text that begins with one.
fn quoted_len(text: &str, quote: char) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == '"' => at += 1,
            b if b == quote as u8 => {
                if quote == '\'' && bytes.get(at + 1) == Some(&b'\'') {
                    at += 1;
                } else {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

fn style_of(style: ScalarStyle, tag: Option<&Tag>) -> Style {
    if tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str") {
        return Style::Text;
    }
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

/// A diagnostic that ends the reading.
fn refuse(span: Span, message: impl Into<String>, hint: &str) -> Box<Diagnostic> {
    let diagnostic = Diagnostic::new(Code::YamlSyntax, span, message);
    Box::new(diagnostic.at("not read from here on").hint(hint))
}

fn too_deep(span: Span) -> Box<Diagnostic> {
    refuse(
        span,
        format!("lists and maps nest deeper than {MAX_DEPTH} levels"),
        "a Runefile needs six levels",
    )
}

/// Positions in characters, which the scanner counts, to positions in bytes.
struct Offsets<'t> {
    text: &'t str,
    /// The byte of every 64th character.
    marks: Vec<u32>,
}

impl<'t> Offsets<'t> {
    const STEP: usize = 64;

    fn new(text: &'t str) -> Self {
        let starts = text.char_indices().step_by(Self::STEP);
        Self {
            text,
            marks: starts.map(|(at, _)| at as u32).collect(),
        }
    }

    fn byte(&self, chars: usize) -> usize {
        let Some(mark) = self.marks.get(chars / Self::STEP) else {
            return self.text.len();
        };
        let start = *mark as usize;
        let mut rest = self.text[start..].char_indices();
        rest.nth(chars % Self::STEP)
            .map_or(self.text.len(), |(at, _)| start + at)
    }

    fn span(&self, file: FileId, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        Span::new(file, start, self.byte(span.end.index()).max(start))
    }
}
