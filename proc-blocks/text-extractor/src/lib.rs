//! `text-extractor`: the words from one place to another as one text.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup, State, Text, Utf8};

rune_block_sdk::block! { "../block.toml", "run" => TextExtractor }

/// An instance.
#[derive(Debug)]
pub struct TextExtractor {
    /// Room for the text: a line takes no more than it took with its end.
    text: State<u8>,
}

impl Block for TextExtractor {
    type Inputs = (u8, u32, u32);
    type Outputs = Utf8;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let length = setup.input(0).len();
        Ok(Self {
            text: setup.state(length)?,
        })
    }

    fn run<'a>(
        &'a self,
        (words, start, end): (&'a [u8], &'a [u32], &'a [u32]),
        text: &'a mut [Text<'a>],
        call: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        let (start, end) = (start[0] as usize, end[0] as usize);
        if end < start {
            return Err(Fault::BadValue);
        }
        let room = call.state.get(&self.text);
        let mut length = 0;
        let mut append = |bytes: &[u8]| {
            // There is room for every word chosen and a blank for the end of the line before it.
            if let Some(room) = room.get_mut(length..length + bytes.len()) {
                room.copy_from_slice(bytes);
                length += bytes.len();
            }
        };
        let mut lines = Lines { rest: words };
        let mut is_first = true;
        for line in 0..=end {
            let word = lines.next().ok_or(Fault::OutOfRange)?;
            if line < start {
                continue;
            }
            match word.strip_prefix(b"##") {
                Some(rest) => append(rest),
                None if is_first => append(word),
                None => {
                    append(b" ");
                    append(word);
                }
            }
            is_first = false;
        }
        text[0] = call.keep_text(&self.text, length)?;
        Ok(Flow::Output)
    }
}

/// The lines of a text that ends before the first zero, without their ends; an end is `\n` or `\r\n`.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if matches!(self.rest.first(), None | Some(0)) {
            return None;
        }
        let end = self.rest.iter().position(|byte| matches!(byte, 0 | b'\n'));
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let Some(rest) = rest.strip_prefix(b"\n") else {
            self.rest = &[];
            return Some(line);
        };
        self.rest = rest;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run(words: &[u8], start: u32, end: u32) -> Result<String, Fault> {
        let dims = [words.len() as u32];
        let mut block = Instance::<TextExtractor>::new(&[], &[&dims, &[1], &[1]], &[&[1]]).unwrap();
        let mut text = [Text::default()];
        block.run((words, &[start], &[end]), &mut text)?;
        Ok(text[0].as_str().to_owned())
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn joins_words_and_pieces() {
        let words = b"[CLS]\nhow\n##dy\r\npartner\n!\0\0";
        assert_eq!(run(words, 1, 3).unwrap(), "howdy partner");
        assert_eq!(run(words, 2, 2).unwrap(), "dy");
        assert_eq!(run(words, 0, 4).unwrap(), "[CLS] howdy partner !");
        assert_eq!(run(b"\n\na", 0, 2).unwrap(), "  a");
    }

    #[test]
    fn lines_that_are_not_there_are_out_of_range() {
        assert_eq!(run(b"a\nb", 0, 2), Err(Fault::OutOfRange));
        assert_eq!(run(b"a\nb\n", 0, 2), Err(Fault::OutOfRange));
        assert_eq!(run(b"a\0b", 1, 1), Err(Fault::OutOfRange));
        assert_eq!(run(b"", 0, 0), Err(Fault::OutOfRange));
        assert_eq!(run(b"a", 0, u32::MAX), Err(Fault::OutOfRange));
        assert_eq!(run(b"a\nb", 1, 0), Err(Fault::BadValue));
    }

    #[test]
    fn only_the_lines_chosen_must_be_utf8() {
        let words = b"\xff\nok\n##\xc3\n##\xa9\n";
        assert_eq!(run(words, 1, 1).unwrap(), "ok");
        assert_eq!(run(words, 0, 1), Err(Fault::BadValue));
        assert_eq!(run(words, 1, 2), Err(Fault::BadValue));
        assert_eq!(run(words, 1, 3).unwrap(), "ok\u{e9}");
    }
}
