//! `tokenizer`: texts as the tokens of a BERT model.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod characters;
mod unicode;
mod vocabulary;
mod words;

use alloc::{vec, vec::Vec};

use characters::Folding;
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};
use vocabulary::{Token, Vocabulary};
use words::Pieces;

rune_block_sdk::block! { "../block.toml", shape = dims, "run" => Tokenizer }

/// Indices of the arguments in `block.toml`.
const VOCABULARY: usize = 0;
const LENGTH: usize = 1;
const CASED: usize = 2;

/// The dimensions of the outputs.
fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    let length = setup.integer(LENGTH)? as u32;
    let longest = setup.text(VOCABULARY)?.lines().map(str::len).max();
    let line = longest.unwrap_or_default() as u64 + 1;
    let bytes = u32::try_from(line * u64::from(length))
        .map_err(|_| "a token of the vocabulary is too long")?;
    let row = vec![1, length];
    Ok(vec![row.clone(), row.clone(), row, vec![bytes]])
}

/// An instance.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    folding: Option<Folding>,
    special: Special,
    /// Room for the tokens of the first text, then of the second.
    tokens: Scratch<Token>,
}

/// The tokens that stand for no text.
#[derive(Debug)]
struct Special {
    unknown: Token,
    start: Token,
    separator: Token,
    padding: Token,
}

impl Block for Tokenizer {
    type Inputs = (u8, u8);
    type Outputs = (i32, i32, i32, u8);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let text = setup.text(VOCABULARY)?;
        let vocabulary = Vocabulary::new(text)?;
        let token = |name: &str| {
            vocabulary
                .find(name)
                .ok_or_else(|| Refusal::from(alloc::format!("the vocabulary has no `{name}`")))
        };
        let special = Special {
            unknown: token("[UNK]")?,
            start: token("[CLS]")?,
            separator: token("[SEP]")?,
            padding: token("[PAD]")?,
        };
        let folding = (!setup.bool(CASED)?).then(|| Folding::new(text));
        Ok(Self {
            tokens: setup.scratch(2 * setup.output(0).len())?,
            vocabulary,
            folding,
            special,
        })
    }

    fn run<'a>(
        &'a self,
        (first, second): (&'a [u8], &'a [u8]),
        (ids, mask, segments, words): (&'a mut [i32], &'a mut [i32], &'a mut [i32], &'a mut [u8]),
        call: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        let (first, second) = (text(first)?, text(second)?);
        let room = call.scratch.get(&self.tokens);
        let (a, b) = room.split_at_mut(ids.len());
        let counts = [self.split(first, a), self.split(second, b)];
        let (has_second, counts) = if second.is_empty() {
            (false, [counts[0].min(ids.len() - 2), 0])
        } else {
            (true, cut(counts, ids.len() - 3))
        };
        let Special {
            start,
            separator,
            padding,
            ..
        } = &self.special;
        let head = core::iter::once(start)
            .chain(&a[..counts[0]])
            .chain([separator]);
        let tail = b[..counts[1]].iter().chain(has_second.then_some(separator));
        let tokens = head
            .map(|token| (token, 1, 0))
            .chain(tail.map(|token| (token, 1, 1)))
            .chain(core::iter::repeat((padding, 0, 0)));
        let mut lines = Lines { rest: words };
        let outputs = ids.iter_mut().zip(mask).zip(segments);
        for (((id, mask), segment), (token, is_token, of)) in outputs.zip(tokens) {
            *id = self.vocabulary.id(*token);
            *mask = is_token;
            *segment = of;
            lines.write(self.vocabulary.text(*token));
        }
        lines.rest.fill(0);
        Ok(Flow::Output)
    }
}

impl Tokenizer {
    /// Writes the tokens of a text, as many as there is room for, and says how many it has.
    fn split(&self, text: &str, room: &mut [Token]) -> usize {
        let mut pieces = Pieces::new(&self.vocabulary, self.special.unknown, room);
        characters::words(text, self.folding.as_ref(), &mut pieces);
        pieces.count()
    }
}

/// The text in bytes that end at the first zero.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let end = bytes.iter().position(|byte| *byte == 0);
    str::from_utf8(&bytes[..end.unwrap_or(bytes.len())]).map_err(|_| Fault::BadValue)
}

/// How many tokens of two texts to keep so that there are at most `most`: the longer is cut first, down to
/// half, and has the odd one.
fn cut([first, second]: [usize; 2], most: usize) -> [usize; 2] {
    if first + second <= most {
        return [first, second];
    }
    let shorter = first.min(second).min(most / 2);
    if first > second {
        [most - shorter, shorter]
    } else {
        [shorter, most - shorter]
    }
}

/// Lines written one after the other.
struct Lines<'a> {
    rest: &'a mut [u8],
}

impl Lines<'_> {
    fn write(&mut self, line: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        // There is room for as many of the longest line.
        let (room, rest) = rest.split_at_mut(rest.len().min(line.len() + 1));
        for (place, byte) in room.iter_mut().zip(line.iter().chain(b"\n")) {
            *place = *byte;
        }
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests;
