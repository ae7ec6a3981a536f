//! From characters to words: what BERT calls basic tokenization.

use alloc::{boxed::Box, vec::Vec};

use crate::{unicode::RUNS, words::Pieces};

/// What a character is to a tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// Part of a word.
    Letter,
    /// Of no meaning: control and format characters.
    Ignored,
    /// White space.
    Space,
    /// A word of its own.
    Punctuation,
    /// An accent, which combines with the letter before it.
    Mark,
    /// A Chinese character: a word of its own.
    Ideograph,
}

/// The category of a character.
pub(crate) fn category(c: char) -> Category {
    // Most texts are mostly of these.
    if c.is_ascii_alphanumeric() {
        return Category::Letter;
    }
    let after = RUNS.partition_point(|run| run >> 3 <= c as u32);
    match RUNS[after.saturating_sub(1)] & 7 {
        0 => Category::Letter,
        1 => Category::Ignored,
        2 => Category::Space,
        3 => Category::Punctuation,
        4 => Category::Mark,
        _ => Category::Ideograph,
    }
}

/// A character and what it becomes: one to three, then zeros.
type Fold = (char, [char; 3]);

/// How characters become small and lose their accents.
#[derive(Debug)]
pub(crate) struct Folding {
    /// By rising character. Characters that no token can stand for are left out, before and after alike: a word
    /// with one of them is unknown.
    folds: Box<[Fold]>,
}

impl Folding {
    /// For texts that become tokens of this vocabulary.
    pub(crate) fn new(vocabulary: &str) -> Self {
        let mut alphabet: Vec<char> = vocabulary.chars().filter(|c| !c.is_ascii()).collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        let is_known = |c: &char| c.is_ascii() || alphabet.binary_search(c).is_ok();
        let matters = |c: &char| is_known(c) || category(*c) != Category::Letter;
        let folds: Vec<Fold> = include_str!("fold.txt")
            .lines()
            .filter_map(|line| {
                let mut chars = line.chars();
                let from = chars.next()?;
                let mut to = ['\0'; 3];
                to.iter_mut().zip(chars.clone()).for_each(|(to, c)| *to = c);
                (is_known(&from) || chars.all(|c| matters(&c))).then_some((from, to))
            })
            .collect();
        Self {
            folds: folds.into(),
        }
    }

    /// What a character becomes.
    fn fold(&self, c: char) -> [char; 3] {
        if c.is_ascii() {
            return [c.to_ascii_lowercase(), '\0', '\0'];
        }
        if let Some(jamo) = jamo(c) {
            return jamo;
        }
        match self.folds.binary_search_by_key(&c, |(from, _)| *from) {
            Ok(at) => self.folds[at].1,
            Err(_) => [c, '\0', '\0'],
        }
    }
}

/// The letters of a syllable of Hangul (The Unicode Standard, section 3.12).
fn jamo(c: char) -> Option<[char; 3]> {
    const FINALS: u32 = 28;
    const VOWELS: u32 = 21;
    let syllable = (c as u32).checked_sub(0xac00).filter(|s| *s < 11_172)?;
    let letter = |first: u32, index: u32| char::from_u32(first + index).unwrap_or_default();
    let last = syllable % FINALS;
    Some([
        letter(0x1100, syllable / FINALS / VOWELS),
        letter(0x1161, syllable / FINALS % VOWELS),
        if last == 0 {
            '\0'
        } else {
            letter(0x11a7, last)
        },
    ])
}

/// Gives the words of a text to `pieces`, letter by letter.
pub(crate) fn words(text: &str, folding: Option<&Folding>, pieces: &mut Pieces<'_>) {
    for c in text.chars() {
        let first = category(c);
        if first == Category::Ignored {
            continue;
        }
        let is_alone = first == Category::Ideograph;
        if is_alone {
            pieces.end();
        }
        let folded = folding.map_or([c, '\0', '\0'], |folding| folding.fold(c));
        for c in folded.into_iter().take_while(|c| *c != '\0') {
            match category(c) {
                Category::Space => pieces.end(),
                Category::Punctuation => {
                    pieces.end();
                    pieces.push(c);
                    pieces.end();
                }
                Category::Mark if folding.is_some() => {}
                Category::Letter | Category::Mark | Category::Ideograph | Category::Ignored => {
                    pieces.push(c);
                }
            }
        }
        if is_alone {
            pieces.end();
        }
    }
    pieces.end();
}
