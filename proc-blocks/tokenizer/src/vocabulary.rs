//! The vocabulary as a sorted list of tokens, which a word walks down byte by byte.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::ops::Range;

use rune_block_sdk::Refusal;

/// Where a token stands in the sorted list.
pub(crate) type Token = u32;

/// What the pieces of a word after the first begin with.
const CONTINUED: &[u8] = b"##";

/// Tokens and their ids.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// The tokens one after the other, sorted by their bytes.
    text: Box<[u8]>,
    /// Where each token ends.
    ends: Box<[u32]>,
    ids: Box<[i32]>,
    /// Those that continue a word.
    continued: Range<usize>,
}

impl Vocabulary {
    /// A token per line; of equal tokens the last counts.
    ///
    /// # Errors
    /// If it is larger than a rune can be.
    pub(crate) fn new(lines: &str) -> Result<Self, Refusal> {
        if u32::try_from(lines.len()).is_err() {
            return Err(format!(
                "the vocabulary has {} bytes, which is too much",
                lines.len()
            )
            .into());
        }
        let mut tokens: Vec<(&str, i32)> = lines
            .lines()
            .zip(0..)
            .filter(|(t, _)| !t.is_empty())
            .collect();
        tokens.sort_unstable_by(|a, b| a.0.cmp(b.0).then(b.1.cmp(&a.1)));
        tokens.dedup_by_key(|(text, _)| *text);
        let mut text = String::with_capacity(tokens.iter().map(|(text, _)| text.len()).sum());
        let mut ends = Vec::with_capacity(tokens.len());
        for (token, _) in &tokens {
            text.push_str(token);
            ends.push(text.len() as u32);
        }
        let ids: Vec<i32> = tokens.into_iter().map(|(_, id)| id).collect();
        let mut this = Self {
            text: text.into_bytes().into(),
            ends: ends.into(),
            ids: ids.into(),
            continued: 0..0,
        };
        this.continued = CONTINUED
            .iter()
            .enumerate()
            .fold(0..this.ids.len(), |range, (depth, byte)| {
                this.narrow(range, depth, *byte)
            });
        Ok(this)
    }

    /// The token of exactly this text.
    pub(crate) fn find(&self, text: &str) -> Option<Token> {
        let (length, token) = self.longest(text.as_bytes(), true)?;
        (length == text.len()).then_some(token)
    }

    /// The longest token that a word, or the rest of one, begins with, and how many of its bytes that is.
    pub(crate) fn longest(&self, word: &[u8], is_start: bool) -> Option<(usize, Token)> {
        let (mut range, before) = if is_start {
            (0..self.ids.len(), 0)
        } else {
            (self.continued.clone(), CONTINUED.len())
        };
        let mut best = None;
        for (depth, byte) in word.iter().enumerate() {
            range = self.narrow(range, before + depth, *byte);
            if range.is_empty() {
                break;
            }
            // The shortest of those with a common beginning comes first.
            if self.text(range.start as Token).len() == before + depth + 1 {
                best = Some((depth + 1, range.start as Token));
            }
        }
        best
    }

    /// Of tokens that are alike in the first `depth` bytes, those that have `byte` next.
    fn narrow(&self, range: Range<usize>, depth: usize, byte: u8) -> Range<usize> {
        let first = self.first(range.clone(), |token| token.get(depth) < Some(&byte));
        let end = self.first(first..range.end, |token| token.get(depth) <= Some(&byte));
        first..end
    }

    /// The first of a range that is not `before`; those that are come first.
    fn first(&self, mut range: Range<usize>, before: impl Fn(&[u8]) -> bool) -> usize {
        while !range.is_empty() {
            let middle = usize::midpoint(range.start, range.end);
            if before(self.text(middle as Token)) {
                range.start = middle + 1;
            } else {
                range.end = middle;
            }
        }
        range.start
    }

    /// The bytes of a token.
    pub(crate) fn text(&self, token: Token) -> &[u8] {
        let token = token as usize;
        let start = match token {
            0 => 0,
            _ => self.ends[token - 1],
        };
        &self.text[start as usize..self.ends[token] as usize]
    }

    /// Its place in the vocabulary as it was given.
    pub(crate) fn id(&self, token: Token) -> i32 {
        self.ids[token as usize]
    }
}
