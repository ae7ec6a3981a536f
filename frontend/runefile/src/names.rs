//! One declaration per name, and what to say of a name that is not declared.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use rune_ir::diag::{Code, Diagnostic, Span, Spanned, did_you_mean};

/// How often a near name is looked for. Each time every name is compared, and of a hundred unknown names nobody
/// reads the last.
const MOST_SUGGESTIONS: u32 = 100;

/// The names of one kind of thing and what they stand for.
#[derive(Clone, Debug)]
pub(crate) struct Names<T> {
    declared: BTreeMap<String, (T, Span)>,
    lost: BTreeSet<String>,
    all_lost: bool,
    suggestions: Cell<u32>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            declared: BTreeMap::new(),
            lost: BTreeSet::new(),
            all_lost: false,
            suggestions: Cell::new(0),
        }
    }
}

impl<T> Names<T> {
    /// Where a name is declared.
    pub(crate) fn place(&self, name: &str) -> Option<Span> {
        self.declared.get(name).map(|(_, span)| *span)
    }

    /// Declares a name that is not declared yet; see [`place`](Self::place).
    pub(crate) fn declare(&mut self, name: &Spanned<String>, value: T) {
        self.declared.insert(name.value.clone(), (value, name.span));
    }

    /// Notes that a faulty instruction may declare this name, so that nobody complains that it is missing.
    pub(crate) fn lose(&mut self, name: &str) {
        self.lost.insert(name.to_owned());
    }

    /// Notes that something that cannot be read may declare any name.
    pub(crate) fn lose_all(&mut self) {
        self.all_lost = true;
    }

    /// Whether something faulty may declare this name.
    pub(crate) fn is_lost(&self, name: &str) -> bool {
        self.all_lost || self.lost.contains(name)
    }

    /// What a name stands for.
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.declared.get(name).map(|(value, _)| value)
    }

    /// The declared name that `name` may have been meant to be, if one is near.
    pub(crate) fn suggestion(&self, name: &str) -> Option<&str> {
        self.nearest(name, self.declared.keys().map(String::as_str))
    }

    /// As [`suggestion`](Self::suggestion), among some of the names.
    pub(crate) fn nearest<'k>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Option<&'k str> {
        let asked = self.suggestions.get();
        if asked >= MOST_SUGGESTIONS {
            return None;
        }
        self.suggestions.set(asked + 1);
        did_you_mean(name, known)
    }
}

/// Says that `name` is defined twice, in the reference compiler's words.
pub(crate) fn duplicate(what: &str, name: &Spanned<String>, first: Span) -> Diagnostic {
    Diagnostic::new(
        Code::DuplicateName,
        name.span,
        format!("The \"{}\" {what} is already defined", name.value),
    )
    .at("Duplicate defined here")
    .also(first, "Original defined here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_looked_for_a_hundred_times() {
        let mut names = Names::default();
        names.declare(&Spanned::new("input".to_owned(), Span::default()), ());
        for _ in 0..MOST_SUGGESTIONS {
            assert_eq!(names.suggestion("inptu"), Some("input"));
        }
        assert_eq!(names.suggestion("inptu"), None);
    }
}
