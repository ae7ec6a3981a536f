//! The forms a Runefile may be written in.

use rune_ir::diag::{Diagnostic, FileId};

use crate::{
    parse::{decode, parse},
    tree::Tree,
    yaml,
};

/// A form of Runefiles. Both become the same [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// Instructions, one a line.
    #[default]
    Text,
    /// YAML, version 1.
    Yaml,
}

impl Format {
    /// The form of a file, by how its name ends: `.yml` and `.yaml` in any case are YAML.
    pub fn of(path: &str) -> Self {
        let end = path.rsplit('.').next().unwrap_or("");
        if path.len() > end.len() && ["yml", "yaml"].iter().any(|e| end.eq_ignore_ascii_case(e)) {
            Self::Yaml
        } else {
            Self::Text
        }
    }
}

/// Reads a Runefile of either form. Never fails, as [`parse`]; a file that is too large or not UTF-8 gives
/// an empty tree and one diagnostic.
pub fn read(format: Format, file: FileId, bytes: &[u8]) -> (Tree, Vec<Diagnostic>) {
    match format {
        Format::Text => parse(file, bytes),
        Format::Yaml => match decode(file, bytes) {
            Ok(text) => yaml::read(file, text),
            Err(fault) => (
                Tree {
                    format,
                    ..Tree::unreadable(file)
                },
                vec![*fault],
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_form() {
        for yaml in ["Runefile.yml", "a/b.YAML", ".yml", "x.Runefile.yaml"] {
            assert_eq!(Format::of(yaml), Format::Yaml, "{yaml}");
        }
        for text in ["Runefile", "yml", "a.yml/Runefile", "x.rune", "-", ""] {
            assert_eq!(Format::of(text), Format::Text, "{text}");
        }
    }
}
