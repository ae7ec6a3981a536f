//! The runtime in C, in parts of which a translation gets those it needs.
//!
//! A part begins with a line `//: names`, the names it defines, and uses only parts before it.

use std::collections::BTreeSet;

const TEXTS: [&str; 4] = [
    include_str!("c/scalar.c"),
    include_str!("c/memory.c"),
    include_str!("c/vector.c"),
    include_str!("c/intrinsic.c"),
];

struct Part {
    defines: Vec<&'static str>,
    text: &'static str,
}

fn parts() -> Vec<Part> {
    let of_text = |text: &'static str| {
        text.split("//: ").skip(1).map(|part| {
            let (names, text) = part.split_once('\n').unwrap_or((part, ""));
            Part {
                defines: names.split_whitespace().collect(),
                text,
            }
        })
    };
    TEXTS.into_iter().flat_map(of_text).collect()
}

/// The parts for a text with these names, and for each other.
pub(crate) fn needed(mut names: BTreeSet<String>) -> String {
    let parts = parts();
    let mut taken = vec![false; parts.len()];
    // Parts use parts before them.
    for (part, taken) in parts.iter().zip(&mut taken).rev() {
        if part.defines.iter().any(|name| names.contains(*name)) {
            *taken = true;
            identifiers(part.text, &mut names);
        }
    }
    let taken = parts.iter().zip(taken).filter(|(_, taken)| *taken);
    taken.map(|(part, _)| part.text).collect()
}

/// Adds the names in a text of C.
pub(crate) fn identifiers(text: &str, names: &mut BTreeSet<String>) {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for word in text.split(|c| !part(c)) {
        if word.starts_with(|c: char| !c.is_ascii_digit()) && !names.contains(word) {
            names.insert(word.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_use_only_parts_before_them() {
        let parts = parts();
        assert!(parts.len() > 50);
        for (index, part) in parts.iter().enumerate() {
            assert!(!part.text.trim().is_empty(), "{:?}", part.defines);
            let mut names = BTreeSet::new();
            identifiers(part.text, &mut names);
            for later in &parts[index + 1..] {
                for name in &later.defines {
                    assert!(!names.contains(*name), "{:?} uses {name}", part.defines);
                }
            }
        }
    }
}
