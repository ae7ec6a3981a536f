//! Where a name is given and where it is used, in a Runefile and the layers below it.

use std::{collections::BTreeMap, path::PathBuf};

use rune_abi::OutputKind;
use rune_ir::diag::{FileId, Span};
use rune_runefile::tree::{Instruction, Keyword, Role};

use super::{
    analysis::{Analysis, OWN},
    place::{Part, Symbol, Use, What, at, parts},
};

/// A place where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occurrence {
    pub(crate) span: Span,
    pub(crate) use_: Use,
    /// The name is not written: it is that of the kind of an `OUT`, which stands here.
    pub(crate) implied: bool,
}

/// The name at a byte, and where it stands.
pub(crate) fn symbol(analysis: &Analysis, offset: usize) -> Option<(Symbol<'_>, Span)> {
    let parts = analysis.parts();
    let part = at(&parts, offset)?;
    match &part.what {
        What::Name { symbol, .. } => Some((*symbol, part.span)),
        What::Port { stage, .. } => Some((Symbol::Stage(stage), part.span)),
        What::Kind { is_name: true, .. } => {
            let (_, stage) = analysis.stages().find(|(_, s)| s.name.span == part.span)?;
            Some((Symbol::Stage(&stage.name.value), part.span))
        }
        _ => None,
    }
}

/// Every place where a name stands, the document's own first.
pub(crate) fn occurrences(analysis: &Analysis, symbol: Symbol<'_>) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for layer in &analysis.checked.layers {
        let parts = parts(&layer.tree, layer.env(analysis.env()));
        found.extend(parts.iter().filter_map(|part| occurrence(part, symbol)));
        if matches!(symbol, Symbol::Alias(_)) {
            break;
        }
    }
    found
}

fn occurrence(part: &Part<'_>, wanted: Symbol<'_>) -> Option<Occurrence> {
    let (use_, implied) = match &part.what {
        What::Name { symbol, use_ } if *symbol == wanted => (*use_, false),
        What::Kind {
            role: Role::Out,
            word,
            is_name: true,
        } if wanted == Symbol::Stage(&implied_name(word)) => (Use::Definition, true),
        _ => return None,
    };
    Some(Occurrence {
        span: part.span,
        use_,
        implied,
    })
}

/// What an `OUT` without a name is called.
fn implied_name(kind: &str) -> String {
    let kind = OutputKind::from_name(kind).map_or(kind, |kind| kind.spec().name);
    kind.to_lowercase()
}

/// Where the name at a byte is given; or the file that is named there, to be opened at its start.
pub(crate) fn definition(analysis: &Analysis, offset: usize) -> Vec<Target> {
    let parts = analysis.parts();
    let Some(part) = at(&parts, offset) else {
        return Vec::new();
    };
    let file = |path: &str| {
        let path = analysis.path.parent().map(|folder| folder.join(path));
        let path = path.filter(|path| path.exists());
        path.map(Target::File).into_iter().collect()
    };
    match &part.what {
        What::File(path) | What::Block(path) => file(path),
        What::Image(path) => match analysis.checked.layers.get(1) {
            Some(layer) if matches!(part.instruction(analysis.tree()), Instruction::From(_)) => {
                vec![Target::Span(Span::new(layer.tree.file, 0, 0))]
            }
            _ => file(path),
        },
        _ => match symbol(analysis, offset) {
            Some((symbol, _)) => {
                let all = occurrences(analysis, symbol).into_iter();
                let given = all.filter(|o| o.use_ == Use::Definition);
                given.map(|o| Target::Span(o.span)).collect()
            }
            None => Vec::new(),
        },
    }
}

/// Where to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A place in the document or a layer below it.
    Span(Span),
    /// A file that is no Runefile.
    File(PathBuf),
}

/// What a rename changes: for each file the pieces to replace.
pub(crate) type Changes = BTreeMap<PathBuf, BTreeMap<Span, String>>;

/// Gives what is named at a byte another name, in the document, in the layers below it, and in those of
/// `others` that have it from the same file.
///
/// # Errors
/// One sentence on why that cannot be.
pub(crate) fn rename(
    analysis: &Analysis,
    others: &[&Analysis],
    offset: usize,
    name: &str,
) -> Result<Changes, String> {
    let (symbol, _) =
        symbol(analysis, offset).ok_or("there is no name here that can be changed")?;
    check_name(name)?;
    if name == symbol.name() {
        return Ok(Changes::new());
    }
    let new = match symbol {
        Symbol::Stage(_) => Symbol::Stage(name),
        Symbol::Resource(_) => Symbol::Resource(name),
        Symbol::Alias(_) => Symbol::Alias(name),
    };
    let is_given = |o: &Occurrence| o.use_ == Use::Definition;
    let given: Vec<PathBuf> = occurrences(analysis, symbol)
        .iter()
        .filter(|o| is_given(o))
        .map(|o| path(analysis, o.span.file))
        .collect();
    if given.is_empty() {
        return Err(format!("nothing defines `{}`", symbol.name()));
    }
    let mut changes = Changes::new();
    let related = others.iter().copied().filter(|other| {
        let mut all = occurrences(other, symbol).into_iter().filter(is_given);
        all.any(|o| given.contains(&path(other, o.span.file)))
    });
    for analysis in std::iter::once(analysis).chain(related) {
        if occurrences(analysis, new).iter().any(is_given) {
            return Err(format!("`{name}` is defined already"));
        }
        for Occurrence { span, implied, .. } in occurrences(analysis, symbol) {
            let path = path(analysis, span.file);
            if span.file != OWN && !path.is_file() {
                let path = path.display();
                return Err(format!("{path} uses this name, and cannot be changed"));
            }
            let (start, text) = if implied {
                (span.end, format!(" {name}"))
            } else {
                (span.start, name.to_owned())
            };
            let span = Span {
                file: OWN,
                start,
                ..span
            };
            changes.entry(path).or_default().insert(span, text);
        }
    }
    Ok(changes)
}

/// The path of a file of an analysis.
pub(crate) fn path(analysis: &Analysis, file: FileId) -> PathBuf {
    if file == OWN {
        analysis.path.clone()
    } else {
        PathBuf::from(analysis.checked.sources.name(file))
    }
}

/// Whether a text can be a name.
fn check_name(name: &str) -> Result<(), String> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let begins = match name.as_bytes() {
        [first, ..] if first.is_ascii_alphabetic() => true,
        [b'_', _, ..] => true,
        _ => false,
    };
    if !begins || !name.chars().all(is_inner) {
        return Err(format!(
            "`{name}` cannot be a name: letters, digits, `_` and `-`, beginning with a letter"
        ));
    }
    match Keyword::from_name(name) {
        Some(_) => Err(format!("`{name}` is a keyword")),
        None => Ok(()),
    }
}
