//! `Rune.toml`: what a project says about how much each finding matters.
//!
//! It is looked for in the folder of the Runefile and those above it, up to one that has a `.git`.
//!
//! ```toml
//! [lints]
//! unused-resource = "deny"
//! R1024 = "allow"
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use rune_ir::diag::{Code, Diagnostic, FileId, Sources, Span, did_you_mean};
use rune_runefile::lint::{Level, Levels, is_configurable};
use toml::de::{DeTable, DeValue};

use crate::memo::normal;

/// The name of the file.
pub const NAME: &str = "Rune.toml";

/// What the `Rune.toml` of a folder says, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How much each finding matters; the defaults where it says nothing.
    pub levels: Levels,
    /// The file, for `diagnostics` to point into; none where there is no file.
    pub sources: Sources,
    /// What is wrong with it. It counts as far as it is right.
    pub diagnostics: Vec<Diagnostic>,
    /// Where it lies.
    pub path: Option<PathBuf>,
}

impl Config {
    /// The configuration of the Runefiles in a folder.
    pub fn of(folder: &Path) -> Self {
        match find(folder) {
            Some(path) => Self::read(&path),
            None => Self::default(),
        }
    }

    /// Reads a `Rune.toml`.
    fn read(path: &Path) -> Self {
        let shown = normal(path).display().to_string();
        let mut config = match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => Self::parse(&shown, &text),
            Ok(Err(_)) => Self::faulty(&shown, "it is not UTF-8 text"),
            Err(error) => Self::faulty(&shown, &format!("it cannot be read: {error}")),
        };
        config.path = Some(path.to_owned());
        config
    }

    /// What a text says, shown under this name.
    pub fn parse(name: &str, text: &str) -> Self {
        let mut config = Self::default();
        let file = config.sources.add(name, text);
        match DeTable::parse(text) {
            Ok(table) => config.table(file, table.get_ref()),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let start = text.floor_char_boundary(span.start);
                let span = Span::new(file, start, text.ceil_char_boundary(span.end.max(start)));
                let message = error
                    .message()
                    .lines()
                    .next()
                    .unwrap_or("it is not TOML")
                    .to_owned();
                config.fault(span, format!("{NAME} is not TOML: {message}"), "here");
            }
        }
        config.diagnostics.sort_by_key(|d| d.primary.span.start);
        config
    }

    /// The configuration of a build: lints count only where they are denied.
    #[must_use]
    pub fn for_build(mut self) -> Self {
        self.levels = self.levels.for_build();
        self
    }

    /// Takes the file in with other sources, and gives what is wrong with it, pointing there.
    pub fn faults(&self, sources: &mut Sources) -> Vec<Diagnostic> {
        let mut found = self.diagnostics.clone();
        if let (false, Some((_, name, text))) = (found.is_empty(), self.sources.iter().next()) {
            let file = sources.add(name, text);
            for diagnostic in &mut found {
                diagnostic.primary.span.file = file;
            }
        }
        found
    }

    fn faulty(name: &str, why: &str) -> Self {
        let mut config = Self::default();
        let file = config.sources.add(name, "");
        config.fault(
            Span::new(file, 0, 0),
            format!("{NAME} cannot be used: {why}"),
            "this file",
        );
        config
    }

    fn fault(&mut self, span: Span, message: String, label: &str) -> &mut Diagnostic {
        self.diagnostics
            .push(Diagnostic::new(Code::BadConfig, span, message).at(label));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    fn table(&mut self, file: FileId, table: &DeTable<'_>) {
        for (key, value) in table {
            let at = span(file, key.span());
            let name: &str = key.get_ref();
            if name != "lints" {
                let near = did_you_mean(name, ["lints"]);
                let message = format!("{NAME} has no table `{name}`");
                let hint = near.map_or("the one table is `[lints]`".to_owned(), |n| {
                    format!("did you mean `[{n}]`?")
                });
                self.fault(at, message, "unknown").hints.push(hint);
            } else if let DeValue::Table(lints) = value.get_ref() {
                self.lints(file, lints);
            } else {
                let place = span(file, value.span());
                self.fault(place, "`lints` is no table".to_owned(), "expected a table")
                    .hints
                    .push(
                        "write `[lints]` on a line of its own, and the levels below it".to_owned(),
                    );
            }
        }
    }

    fn lints(&mut self, file: FileId, lints: &DeTable<'_>) {
        for (key, value) in lints {
            let at = span(file, key.span());
            let name: &str = key.get_ref();
            let Some(code) = Code::from_text(name) else {
                let known = Code::ALL.iter().filter(|c| is_configurable(**c));
                let known = known.flat_map(|c| [c.name(), c.number()]);
                let near = did_you_mean(name, known).map(|n| format!("did you mean `{n}`?"));
                let fault = self.fault(at, format!("there is no code `{name}`"), "unknown code");
                fault
                    .hints
                    .push(near.unwrap_or_else(|| "`runec explain` lists the codes".to_owned()));
                continue;
            };
            if !is_configurable(code) {
                let message = format!("`{name}` is an error, whose level cannot be set");
                self.fault(at, message, "an error")
                    .notes
                    .push("What it is about cannot be built, whatever is configured.".to_owned());
                continue;
            }
            let level = if let DeValue::String(word) = value.get_ref() {
                Level::from_name(word)
            } else {
                None
            };
            if let Some(level) = level {
                self.levels.set(code, level);
                continue;
            }
            let words = Level::ALL.map(|(_, word)| format!("{word:?}")).join(", ");
            let place = span(file, value.span());
            let message = format!("`{name}` has no such level");
            self.fault(place, message, "expected a level")
                .hints
                .push(format!("the levels are {words}"));
        }
    }
}

fn span(file: FileId, range: std::ops::Range<usize>) -> Span {
    Span::new(file, range.start, range.end)
}

/// The `Rune.toml` that counts in a folder.
fn find(folder: &Path) -> Option<PathBuf> {
    let shown = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    if let Some(path) = beside(shown) {
        return Some(path);
    }
    if shown.join(".git").exists() {
        return None;
    }
    let absolute = fs::canonicalize(shown).ok()?;
    for above in absolute.ancestors().skip(1) {
        if let Some(path) = beside(above) {
            return Some(path);
        }
        if above.join(".git").exists() {
            return None;
        }
    }
    None
}

fn beside(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(NAME);
    path.is_file().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let config = Config::parse(NAME, text);
        let line = |d: &Diagnostic| text[..d.primary.span.start as usize].matches('\n').count() + 1;
        let what = |d: &Diagnostic| {
            let hint = d.hints.first().map_or("", String::as_str);
            format!("{}: {} ({hint})", line(d), d.message)
        };
        config.diagnostics.iter().map(what).collect()
    }

    #[test]
    fn levels_are_set_by_number_and_by_name() {
        let config = Config::parse(
            NAME,
            "[lints]\nunused-resource = \"deny\"\nR1024 = \"allow\"\n",
        );
        assert!(config.diagnostics.is_empty(), "{:?}", config.diagnostics);
        assert_eq!(config.levels.get(Code::UnusedResource), Level::Deny);
        assert_eq!(config.levels.get(Code::OldSpelling), Level::Allow);
        assert_eq!(config.levels.get(Code::ShadowedName), Level::Warn);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let text = "[lint]\n[lints]\nunused-resorce = \"deny\"\nunused-stage = \"never\"\nR0101 = \"allow\"\nR1001 = 3\n";
        assert_eq!(
            faults(text),
            [
                "1: Rune.toml has no table `lint` (did you mean `[lints]`?)",
                "3: there is no code `unused-resorce` (did you mean `unused-resource`?)",
                "4: `unused-stage` has no such level (the levels are \"allow\", \"note\", \"warn\", \"deny\")",
                "5: `R0101` is an error, whose level cannot be set ()",
                "6: `R1001` has no such level (the levels are \"allow\", \"note\", \"warn\", \"deny\")",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_said_where_it_goes_wrong() {
        let faults = faults("[lints]\nunused-stage = allow\n");
        assert!(
            faults.len() == 1 && faults[0].starts_with("2: Rune.toml is not TOML"),
            "{faults:?}"
        );
    }

    #[test]
    fn any_text_is_read_without_a_panic() {
        let seed = "[lints]\nunused-stage = \"allow\"\n\"é\" = 1 # ü\nR1001 = \"warn\"\n";
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..2000 {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..3 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = (random % bytes.len() as u64) as usize;
                bytes[at] = (random >> 32) as u8;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            for fault in Config::parse(NAME, &text).diagnostics {
                let span = fault.primary.span;
                assert!(
                    text.get(span.start as usize..span.end as usize).is_some(),
                    "{text:?}"
                );
            }
        }
    }
}
