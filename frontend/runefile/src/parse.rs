//! Text to [`Tree`]: walks what pest matched, decodes values, and goes on after every fault.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has many rules, and each place reads a few of them"
)]

use pest::{
    Parser,
    error::{Error, InputLocation},
    iterators::Pair,
};
use rune_ir::{
    diag::{Code, Diagnostic, FileId, Fix, Safety, Span, Spanned, did_you_mean},
    ty::{Dim, ElementType, PartialType},
};

use crate::{
    fault, foreign,
    format::Format,
    grammar::{Grammar, Rule},
    tree::{
        Argument, Faulty, For, From, Instruction, Keyword, Label, Resource, Role, Run, Set, Stage,
        StageRef, Step, Tree, Types, Value, Word, WordForm,
    },
    values::{self, ValueFault, shorten},
};

/// Most bytes a Runefile may have: far above any real one, and low enough for spans and memory.
pub const MAX_BYTES: usize = 64 << 20;

/// Reads a Runefile. Never fails: each faulty line gives one diagnostic or more and becomes
/// [`Instruction::Faulty`], and the other lines count. A fault inside an argument or type leaves out
/// only that. Takes time and memory linear in the text.
///
/// Text that is not UTF-8 gives an empty tree and the one diagnostic [`Code::InvalidUtf8`], whose span is
/// empty and lies before the first wrong byte.
pub fn parse(file: FileId, bytes: &[u8]) -> (Tree, Vec<Diagnostic>) {
    let text = match decode(file, bytes) {
        Ok(text) => text,
        Err(fault) => return (Tree::unreadable(file), vec![*fault]),
    };
    if let Some((start, field)) = foreign::yaml_field(text) {
        let fault = fault::is_yaml(field, Span::new(file, start, start + field.len()));
        return (Tree::unreadable(file), vec![fault]);
    }
    let mut reader = Reader {
        file,
        text,
        found: Vec::new(),
        flawed: false,
    };
    let mut comments = Vec::new();
    let instructions = match Grammar::parse(Rule::runefile, text) {
        Ok(pairs) => {
            let all = pairs.clone().flatten();
            comments.extend(
                all.filter(|p| p.as_rule() == Rule::comment)
                    .map(|p| reader.span(&p)),
            );
            pairs
                .flat_map(inner)
                .filter_map(|line| reader.line(line))
                .collect()
        }
        // The rule matches every text; what is left is a limit inside pest itself.
        Err(error) => {
            reader.fault(fault::line(file, text, 0, &error));
            Vec::new()
        }
    };
    let tree = Tree {
        file,
        whole: Span::new(file, 0, text.len()),
        instructions,
        comments,
        flawed: reader.flawed,
        format: Format::Text,
    };
    (tree, reader.found)
}

/// The text of a Runefile in either form, unless it is too large or not UTF-8.
pub(crate) fn decode(file: FileId, bytes: &[u8]) -> Result<&str, Box<Diagnostic>> {
    if bytes.len() > MAX_BYTES {
        return Err(Box::new(
            Diagnostic::new(
                Code::Syntax,
                Span::new(file, 0, 0),
                format!(
                    "the Runefile has {} bytes, more than {MAX_BYTES}",
                    bytes.len()
                ),
            )
            .hint("put large data in a file of its own and name it with RESOURCE"),
        ));
    }
    std::str::from_utf8(bytes)
        .map_err(|error| Box::new(fault::invalid_utf8(file, bytes, error.valid_up_to())))
}

/// Turns matches into the tree and collects what is wrong.
struct Reader<'t> {
    file: FileId,
    text: &'t str,
    found: Vec<Diagnostic>,
    flawed: bool,
}

impl<'t> Reader<'t> {
    fn fault(&mut self, diagnostic: Diagnostic) {
        self.flawed = true;
        self.found.push(diagnostic);
    }

    /// Reports a fault inside the value that begins at byte `start`.
    fn value_fault(&mut self, code: Code, start: usize, fault: ValueFault) {
        let span = Span::new(self.file, start + fault.at.start, start + fault.at.end);
        self.fault(
            Diagnostic::new(code, span, fault.message)
                .at(fault.label)
                .hint(fault.hint),
        );
    }

    fn span(&self, pair: &Pair<'t, Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.file, span.start(), span.end())
    }

    /// The matched text and its place.
    fn spanned(&self, pair: &Pair<'t, Rule>) -> Spanned<String> {
        Spanned::new(pair.as_str().to_owned(), self.span(pair))
    }

    fn line(&mut self, pair: Pair<'t, Rule>) -> Option<Instruction> {
        let span = self.span(&pair);
        Some(match pair.as_rule() {
            Rule::from => self.from(pair, span),
            Rule::device => Instruction::For(For {
                image: self.spanned(&only(only(pair))),
                span,
            }),
            Rule::label => self.label(pair, span),
            Rule::resource => self.resource(pair, span)?,
            Rule::set => self.set(pair, span),
            Rule::replace => self.replace(pair, span)?,
            Rule::capability => self.stage(Role::Capability, pair, span),
            Rule::proc_block => self.stage(Role::ProcBlock, pair, span),
            Rule::model => self.stage(Role::Model, pair, span),
            Rule::out => self.stage(Role::Out, pair, span),
            Rule::run => self.run(pair, span),
            Rule::faulty => self.faulty(&pair, span),
            _ => return None,
        })
    }

    /// A line that matches no instruction: parses it alone to learn where it goes wrong.
    fn faulty(&mut self, pair: &Pair<'t, Rule>, span: Span) -> Instruction {
        let line = pair.as_str();
        let mut is_nameless = false;
        if line.starts_with('-') && self.is_cut_off(span) {
            // The line above has a fault that says so.
            self.flawed = true;
        } else {
            self.fault(match Grammar::parse(Rule::lone_line, line) {
                Err(error) => {
                    let (line, error) = before_comment(line, error);
                    is_nameless = fault::is_nameless(line, &error);
                    fault::line(self.file, line, span.start as usize, &error)
                }
                // The grammar does not promise that a line which is faulty here is faulty alone.
                Ok(_) => Diagnostic::new(Code::Syntax, span, "this line is no instruction"),
            });
        }
        let mut words = line.split_ascii_whitespace();
        let head = words.next().and_then(|w| w.split('<').next());
        let keyword = head.and_then(|h| Keyword::from_name(&h.to_uppercase()));
        let mut names: Vec<String> = words
            .filter_map(|w| fault::name_prefix(w.trim_start_matches('[')))
            .map(str::to_owned)
            .collect();
        if matches!(keyword, None | Some(Keyword::Out)) {
            // An OUT without a name is called by its kind.
            let kind = names.first().map(|kind| kind.to_lowercase());
            names.extend(kind.filter(|kind| !names.contains(kind)));
        }
        if is_nameless {
            names.clear();
        }
        Instruction::Faulty(Faulty {
            keyword,
            names,
            span,
        })
    }

    /// Whether the line above a faulty one was to go on, and has a comment behind its `\`.
    fn is_cut_off(&self, span: Span) -> bool {
        let above = self.text[..span.start as usize].trim_end_matches([' ', '\t', '\r', '\n']);
        let above = above.rsplit(['\r', '\n']).next().unwrap_or(above);
        let code = above.split_once(" #").map(|(code, _)| code.trim_end());
        code.is_some_and(|code| code.ends_with('\\'))
    }

    fn from(&mut self, pair: Pair<'t, Rule>, span: Span) -> Instruction {
        let mut parts = inner(pair);
        Instruction::From(From {
            image: self.spanned(&only(next(&mut parts))),
            alias: parts
                .find(|p| p.as_rule() == Rule::a_name)
                .map(|p| self.spanned(&only(p))),
            span,
        })
    }

    fn label(&mut self, pair: Pair<'t, Rule>, span: Span) -> Instruction {
        let pairs = inner(pair)
            .map(|pair| {
                let mut parts = inner(only(pair));
                let key = self.spanned(&next(&mut parts));
                let value = parts
                    .find(|p| p.as_rule() != Rule::equals)
                    .expect("the grammar gives a pair a value");
                if value.as_rule() != Rule::string {
                    self.typographic(value.as_str(), self.span(&value));
                }
                (key, self.text(&value))
            })
            .collect();
        Instruction::Label(Label { pairs, span })
    }

    fn resource(&mut self, pair: Pair<'t, Rule>, span: Span) -> Option<Instruction> {
        let mut parts = inner(pair).peekable();
        let first = self.word(only(next(&mut parts)));
        let name = parts.next_if(|p| p.as_rule() == Rule::a_name);
        let name = name.map(|name| self.spanned(&only(name)));
        let args: Vec<Argument> = parts.filter_map(|arg| self.argument(arg)).collect();
        let path = Spanned::new(first.text.clone(), first.span);
        let (path, name) = match name {
            Some(name) => (Some(path), name),
            None if first.form == WordForm::Name && args.iter().any(|a| a.name.value == "text") => {
                (None, path)
            }
            None => {
                self.fault(fault::resource_without_name(&first));
                return None;
            }
        };
        Some(Instruction::Resource(Resource {
            path,
            name,
            args,
            span,
        }))
    }

    fn set(&mut self, pair: Pair<'t, Rule>, span: Span) -> Instruction {
        let mut parts = inner(pair);
        let stage = self.spanned(&only(next(&mut parts)));
        let args = parts.filter_map(|arg| self.argument(only(arg))).collect();
        Instruction::Set(Set { stage, args, span })
    }

    /// The instruction after `REPLACE`.
    fn replace(&mut self, pair: Pair<'t, Rule>, whole: Span) -> Option<Instruction> {
        let mut parts = inner(pair);
        let word = self.span(&next(&mut parts));
        let instruction = self.line(only(next(&mut parts)))?;
        Some(match instruction {
            Instruction::Stage(stage) => Instruction::Stage(Stage {
                replace: Some(word),
                span: whole,
                ..stage
            }),
            other => other,
        })
    }

    fn stage(&mut self, role: Role, pair: Pair<'t, Rule>, span: Span) -> Instruction {
        let start = span.start as usize;
        let end = start + role.keyword().name().len();
        let role = Spanned::new(role, Span::new(self.file, start, end));
        let mut types = None;
        let mut words = Vec::with_capacity(2);
        let mut args = Vec::new();
        for part in inner(pair) {
            match part.as_rule() {
                Rule::types => types = Some(self.types(part)),
                Rule::word => words.push(self.word(part)),
                Rule::second => words.push(self.word(only(part))),
                _ => args.extend(self.argument(part)),
            }
        }
        let mut words = words.into_iter();
        Instruction::Stage(Stage {
            replace: None,
            role,
            types,
            first: words.next().expect("the grammar gives a stage a word"),
            second: words.next(),
            args,
            span,
        })
    }

    fn word(&mut self, pair: Pair<'t, Rule>) -> Word {
        let inner = only(pair);
        let form = match inner.as_rule() {
            Rule::whole_name => WordForm::Name,
            Rule::path => WordForm::Path,
            _ => WordForm::Quoted,
        };
        let Spanned { value, span } = self.text(&inner);
        Word {
            text: value,
            form,
            span,
        }
    }

    /// The text of a word or item, which may be a string in quotes.
    fn text(&mut self, pair: &Pair<'t, Rule>) -> Spanned<String> {
        let span = self.span(pair);
        if pair.as_rule() != Rule::string {
            return Spanned::new(pair.as_str().to_owned(), span);
        }
        let raw = pair.as_str();
        if pair
            .clone()
            .into_inner()
            .any(|p| p.as_rule() == Rule::bad_string)
        {
            self.fault(fault::unclosed_string(raw, span));
            return Spanned::new(raw[1..].to_owned(), span);
        }
        let (text, faults) = values::unquote(raw);
        for fault in faults {
            self.value_fault(Code::BadValue, span.start as usize, fault);
        }
        Spanned::new(text, span)
    }

    fn types(&mut self, pair: Pair<'t, Rule>) -> Types {
        let span = self.span(&pair);
        let mut lists = inner(pair)
            .filter(|p| p.as_rule() == Rule::type_list)
            .map(|list| {
                inner(list)
                    .filter(|p| p.as_rule() == Rule::tensor)
                    .map(|tensor| self.tensor(tensor))
                    .collect()
            })
            .collect::<Vec<_>>()
            .into_iter();
        Types {
            before: lists.next().unwrap_or_default(),
            after: lists.next(),
            span,
        }
    }

    fn tensor(&mut self, pair: Pair<'t, Rule>) -> Spanned<PartialType> {
        let span = self.span(&pair);
        let mut parts = inner(pair);
        let name = next(&mut parts);
        let element = self.element(&name);
        let dims = match parts.next() {
            Some(dims) => self.dims(dims),
            // A bare element type is one element; a bare `_` is any tensor.
            None => (name.as_str() != "_").then(|| vec![Some(Dim::Exact(1))]),
        };
        Spanned::new(PartialType { element, dims }, span)
    }

    /// The element type; `None`: it is open, or faulty.
    fn element(&mut self, pair: &Pair<'t, Rule>) -> Option<ElementType> {
        let name = pair.as_str();
        if name == "_" {
            return None;
        }
        let element = ElementType::from_name(name);
        if element.is_none() {
            let known = ElementType::ALL.map(ElementType::name);
            let near = ElementType::ALL
                .into_iter()
                .find(|e| e.name().eq_ignore_ascii_case(name))
                .or_else(|| ElementType::from_name(foreign::element(name)?))
                .or_else(|| ElementType::from_name(did_you_mean(name, known)?));
            let fix = foreign::element(name)
                .map(|e| Fix::new(Safety::Safe, format!("write `{e}`"), self.span(pair), e));
            self.fault(Diagnostic {
                fixes: fix.into_iter().collect(),
                ..Diagnostic::new(
                    Code::UnknownElementType,
                    self.span(pair),
                    format!("Unknown type: {}", shorten(name)),
                )
                .at("no such element type")
                .note("The element types are U8 I8 U16 I16 U32 I32 U64 I64 F32 F64 UTF8, all upper or all lower case.")
                .maybe_hint(near.map(|e| format!("did you mean `{e}`?")))
            });
        }
        element
    }

    /// The dimensions; `None` where there are too many.
    fn dims(&mut self, pair: Pair<'t, Rule>) -> Option<Vec<Option<Dim>>> {
        let span = self.span(&pair);
        let written: Vec<_> = inner(pair).filter(|p| p.as_rule() == Rule::dim).collect();
        let limit = rune_abi::limit::RANK;
        if written.len() > limit {
            self.fault(
                Diagnostic::new(
                    Code::BadDimension,
                    span,
                    format!("a tensor of {} dimensions", written.len()),
                )
                .at(format!("a tensor has at most {limit}")),
            );
            return None;
        }
        let dims = written.iter().map(|dim| {
            values::dim(dim.as_str()).unwrap_or_else(|fault| {
                self.value_fault(Code::BadDimension, dim.as_span().start(), fault);
                None
            })
        });
        Some(dims.collect())
    }

    /// An argument, unless its value is faulty.
    fn argument(&mut self, pair: Pair<'t, Rule>) -> Option<Argument> {
        let whole = self.span(&pair);
        let mut parts = inner(pair);
        let flag = next(&mut parts);
        let mut rest = parts.next()?;
        let name = flag.as_str().trim_start_matches('-');
        let name = Spanned::new(
            name.to_owned(),
            Span {
                start: self.span(&flag).end - name.len() as u32,
                ..self.span(&flag)
            },
        );
        if rest.as_rule() == Rule::bad_missing {
            let after = self.text[whole.end as usize..].trim_start_matches([' ', '\t']);
            self.fault(fault::missing_value(
                flag.as_str(),
                self.span(&flag),
                after.starts_with('#'),
            ));
            return None;
        }
        if rest.as_rule() == Rule::bad_equals {
            let blanks = self.span(&rest);
            rest = only(rest);
            self.fault(fault::blanks_at_equals(
                flag.as_str(),
                rest.as_str(),
                Span {
                    end: self.span(&rest).start,
                    ..blanks
                },
                self.span(&flag).end,
            ));
        }
        let (span, text) = (self.span(&rest), rest.as_str().to_owned());
        if self.typographic(&text, span) {
            return None;
        }
        let value = self.value(only(rest))?;
        Some(Argument {
            name,
            value: Spanned::new(value, span),
            text,
        })
    }

    /// Reports a value outside quotes that an editor for prose has put in quotation marks of its own.
    fn typographic(&mut self, text: &str, span: Span) -> bool {
        let is_quoted = text.starts_with(['"', '\'']);
        let items = || text.split([',', '[']).map(str::trim_start);
        let begins = |item: &str| {
            item.chars()
                .next()
                .is_some_and(|c| foreign::straight(c).is_some())
        };
        let is_one = !is_quoted && items().any(begins);
        if is_one && let Some(fault) = fault::typographic(text, span) {
            self.fault(fault);
        }
        is_one
    }

    /// A value, unless it is faulty.
    fn value(&mut self, pair: Pair<'t, Rule>) -> Option<Value> {
        let start = pair.as_span().start();
        let before = self.found.len();
        let value = match pair.as_rule() {
            Rule::integer => match values::integer(pair.as_str()) {
                Ok(n) => Value::Integer(n),
                Err(fault) => {
                    self.value_fault(Code::BadValue, start, fault);
                    return None;
                }
            },
            Rule::float => match values::float(pair.as_str()) {
                Ok(x) => Value::Float(x),
                Err(fault) => {
                    self.value_fault(Code::BadValue, start, fault);
                    return None;
                }
            },
            Rule::reference => Value::Reference(pair.as_str()[1..].to_owned()),
            Rule::bare_list | Rule::boxed_list => Value::List(
                inner(pair)
                    .filter(|p| p.as_rule() != Rule::square)
                    .map(|item| self.item(&item))
                    .collect(),
            ),
            _ => Value::Text(self.text(&pair).value),
        };
        (self.found.len() == before).then_some(value)
    }

    /// An item of a list. `$name` stands for a whole value only, and unquoted it would look like one.
    fn item(&mut self, pair: &Pair<'t, Rule>) -> Spanned<String> {
        let item = self.text(pair);
        let name = pair.as_str().strip_prefix('$');
        if name.is_some_and(|n| fault::name_prefix(n) == Some(n)) {
            self.fault(
                Diagnostic::new(
                    Code::BadValue,
                    item.span,
                    "a resource cannot be an item of a list",
                )
                .at("stands for a whole value only")
                .hint(format!(
                    "put it in quotes if it is text: `\"{}\"`",
                    item.value
                )),
            );
        }
        item
    }

    fn run(&mut self, pair: Pair<'t, Rule>, span: Span) -> Instruction {
        let steps = inner(pair).map(|step| self.step(step)).collect();
        Instruction::Run(Run { steps, span })
    }

    fn step(&mut self, pair: Pair<'t, Rule>) -> Step {
        let span = self.span(&pair);
        let step = only(pair);
        let stages = if step.as_rule() == Rule::group {
            inner(step)
                .filter(|p| p.as_rule() == Rule::stage_ref)
                .map(|stage| self.stage_ref(stage))
                .collect()
        } else {
            vec![self.stage_ref(step)]
        };
        Step { stages, span }
    }

    fn stage_ref(&mut self, pair: Pair<'t, Rule>) -> StageRef {
        let span = self.span(&pair);
        let mut parts = inner(pair);
        let name = self.spanned(&next(&mut parts));
        let port = parts.next().map(|port| {
            let span = self.span(&port);
            let number = port.as_str().parse().unwrap_or_else(|_| {
                self.fault(
                    Diagnostic::new(Code::BadValue, span, "no stage has that many outputs")
                        .at("too large"),
                );
                0
            });
            Spanned::new(number, span)
        });
        StageRef { name, port, span }
    }
}

/// A line that ends too early, without the comment that stands where more was to come.
fn before_comment(line: &str, error: Error<Rule>) -> (&str, Error<Rule>) {
    if let InputLocation::Pos(at) = error.location
        && line[at..].starts_with('#')
    {
        let code = line[..at].trim_end_matches([' ', '\t']);
        if let Err(error) = Grammar::parse(Rule::lone_line, code) {
            return (code, error);
        }
    }
    (line, error)
}

/// The next part of a match, which the grammar says is there.
fn next<'t>(parts: &mut impl Iterator<Item = Pair<'t, Rule>>) -> Pair<'t, Rule> {
    parts
        .next()
        .expect("the grammar gives every part that is read")
}

/// The one part of a match.
fn only(pair: Pair<'_, Rule>) -> Pair<'_, Rule> {
    next(&mut inner(pair))
}

/// The parts of a match. Comments, which may stand wherever a line goes on, are none.
fn inner(pair: Pair<'_, Rule>) -> impl Iterator<Item = Pair<'_, Rule>> {
    pair.into_inner().filter(|p| p.as_rule() != Rule::comment)
}
