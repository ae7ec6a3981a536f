//! How much each finding matters: what configuration and command line make of the severity of a code.

use std::collections::BTreeMap;

use rune_ir::diag::{Code, Diagnostic, Severity};

/// What becomes of the findings of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// They are left out.
    Allow,
    /// They are notes.
    Note,
    /// They are warnings.
    Warn,
    /// They are errors: nothing is built.
    Deny,
}

impl Level {
    /// Every level with the word for it, the mildest first.
    pub const ALL: [(Self, &str); 4] = [
        (Self::Allow, "allow"),
        (Self::Note, "note"),
        (Self::Warn, "warn"),
        (Self::Deny, "deny"),
    ];

    /// The level of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(l, _)| *l)
    }
}

/// The level of every code. The default is what the table of codes says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Levels {
    set: BTreeMap<Code, Level>,
    deny_warnings: bool,
    /// Lints count only where they are denied.
    building: bool,
}

/// Whether the level of a code may be set: errors stay errors.
pub fn is_configurable(code: Code) -> bool {
    code.severity() != Severity::Error
}

impl Levels {
    /// The level of a code; errors are denied, whatever is set.
    pub fn get(&self, code: Code) -> Level {
        let default = match code.severity() {
            Severity::Error => return Level::Deny,
            _ if !code.on_by_default() => Level::Allow,
            Severity::Warning => Level::Warn,
            Severity::Note => Level::Note,
        };
        let level = self.set.get(&code).copied().unwrap_or(default);
        let level = if self.deny_warnings && level == Level::Warn {
            Level::Deny
        } else {
            level
        };
        if self.building && code.is_lint() && level != Level::Deny {
            return Level::Allow;
        }
        level
    }

    /// Sets the level of a code; of an error's it changes nothing.
    pub fn set(&mut self, code: Code, level: Level) {
        self.set.insert(code, level);
    }

    /// Makes every warning an error.
    pub fn deny_warnings(&mut self) {
        self.deny_warnings = true;
    }

    /// The levels of a build: lints are for reading and writing Runefiles, and stop a build only where
    /// they are denied.
    #[must_use]
    pub fn for_build(mut self) -> Self {
        self.building = true;
        self
    }

    /// Gives findings the severity of their level, and leaves out what is allowed.
    pub fn apply(&self, found: &mut Vec<Diagnostic>) {
        found.retain_mut(|d| {
            if !is_configurable(d.code) {
                if d.severity == Severity::Warning && self.deny_warnings {
                    d.severity = Severity::Error;
                }
                return true;
            }
            d.severity = match self.get(d.code) {
                Level::Allow => return false,
                Level::Note => Severity::Note,
                Level::Warn => Severity::Warning,
                Level::Deny => {
                    let name = d.code.name();
                    d.notes
                        .push(format!("It is an error because `{name}` is denied."));
                    Severity::Error
                }
            };
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use rune_ir::diag::Span;

    use super::*;

    fn severities(levels: &Levels, codes: &[Code]) -> Vec<Option<Severity>> {
        let severity = |code: &Code| {
            let mut found = vec![Diagnostic::new(*code, Span::default(), "a finding")];
            levels.apply(&mut found);
            found.first().map(|d| d.severity)
        };
        codes.iter().map(severity).collect()
    }

    const CODES: [Code; 5] = [
        Code::UnknownStage,
        Code::UnusedStage,
        Code::UnusedResource,
        Code::OldSpelling,
        Code::UnpinnedFrom,
    ];

    #[test]
    fn levels_are_those_of_the_table_unless_set() {
        use Severity::{Error, Note, Warning};
        let mut levels = Levels::default();
        let defaults = [Some(Error), Some(Warning), Some(Warning), Some(Note), None];
        assert_eq!(severities(&levels, &CODES), defaults);
        levels.set(Code::UnknownStage, Level::Allow);
        levels.set(Code::UnusedStage, Level::Allow);
        levels.set(Code::UnpinnedFrom, Level::Deny);
        let set = [Some(Error), None, Some(Warning), Some(Note), Some(Error)];
        assert_eq!(severities(&levels, &CODES), set);
        levels.deny_warnings();
        let denied = [Some(Error), None, Some(Error), Some(Note), Some(Error)];
        assert_eq!(severities(&levels, &CODES), denied);
    }

    #[test]
    fn a_build_keeps_only_denied_lints() {
        use Severity::{Error, Warning};
        let mut levels = Levels::default().for_build();
        let quiet = [Some(Error), Some(Warning), None, None, None];
        assert_eq!(severities(&levels, &CODES), quiet);
        levels.set(Code::OldSpelling, Level::Deny);
        let denied = [Some(Error), Some(Warning), None, Some(Error), None];
        assert_eq!(severities(&levels, &CODES), denied);
    }
}
