//! From words to tokens: `WordPiece`.

use crate::vocabulary::{Token, Vocabulary};

/// Most characters of a word that is taken apart.
const LONGEST: usize = 100;
/// Bytes of so many characters.
const ROOM: usize = 4 * LONGEST;

/// Takes words letter by letter and gives their tokens.
pub(crate) struct Pieces<'a> {
    vocabulary: &'a Vocabulary,
    unknown: Token,
    room: &'a mut [Token],
    count: usize,
    word: [u8; ROOM],
    bytes: usize,
    characters: usize,
}

impl<'a> Pieces<'a> {
    /// Writes the first tokens into `room`.
    pub(crate) fn new(vocabulary: &'a Vocabulary, unknown: Token, room: &'a mut [Token]) -> Self {
        Self {
            vocabulary,
            unknown,
            room,
            count: 0,
            word: [0; ROOM],
            bytes: 0,
            characters: 0,
        }
    }

    /// How many tokens there are, with those there was no room for.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The word goes on.
    pub(crate) fn push(&mut self, letter: char) {
        self.characters += 1;
        if let Some(room) = self
            .word
            .get_mut(self.bytes..self.bytes + letter.len_utf8())
        {
            letter.encode_utf8(room);
            self.bytes += letter.len_utf8();
        }
    }

    /// The word, if there is one, has ended.
    pub(crate) fn end(&mut self) {
        if self.characters == 0 {
            return;
        }
        let before = self.count;
        if self.characters > LONGEST || !self.take_apart() {
            self.count = before;
            self.give(self.unknown);
        }
        self.bytes = 0;
        self.characters = 0;
    }

    /// Gives the longest pieces from the left; says whether they are the whole word.
    fn take_apart(&mut self) -> bool {
        let mut start = 0;
        while start < self.bytes {
            let rest = &self.word[start..self.bytes];
            let Some((length, token)) = self.vocabulary.longest(rest, start == 0) else {
                return false;
            };
            self.give(token);
            start += length;
        }
        true
    }

    fn give(&mut self, token: Token) {
        if let Some(room) = self.room.get_mut(self.count) {
            *room = token;
        }
        self.count += 1;
    }
}
