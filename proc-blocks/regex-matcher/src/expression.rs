//! An expression as a list of atoms, matched by keeping the set of places the text has come to (Thompson's
//! construction), so that no text takes longer than its length times the expression's.

use alloc::{boxed::Box, format, vec::Vec};

use rune_block_sdk::Refusal;

/// Stands for any character; no character has these bytes.
const ANY: u32 = u32::MAX;

/// A small regular expression.
#[derive(Debug)]
pub(crate) struct Expression {
    atoms: Box<[Atom]>,
    from_start: bool,
    to_end: bool,
}

/// A character and whether it may come any number of times; `x+` is `x` and `x*`.
#[derive(Clone, Copy, Debug)]
struct Atom {
    character: u32,
    repeats: bool,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What in it means nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let (from_start, text) = match text.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut atoms: Vec<Atom> = Vec::new();
        let mut can_repeat = false;
        let mut to_end = false;
        let mut rest = text.chars();
        while let Some(sign) = rest.next() {
            if let ('*' | '+', false) = (sign, can_repeat) {
                return Err(format!("`{sign}` has nothing to repeat").into());
            }
            let mut buffer = [0; 4];
            let mut literal = |c: char| packed(c.encode_utf8(&mut buffer).as_bytes());
            let character = match sign {
                '*' | '+' => {
                    let last = atoms.last_mut().ok_or("`*` has nothing to repeat")?;
                    let once = *last;
                    last.repeats = sign == '*';
                    if sign == '+' {
                        atoms.push(Atom {
                            repeats: true,
                            ..once
                        });
                    }
                    can_repeat = false;
                    continue;
                }
                '$' if rest.as_str().is_empty() => {
                    to_end = true;
                    continue;
                }
                '$' => return Err("`$` stands for the end of the text, so it comes last; write `\\$` for the sign".into()),
                '^' => return Err("`^` stands for the start of the text, so it comes first; write `\\^` for the sign".into()),
                '.' => ANY,
                '\\' => literal(rest.next().ok_or("`\\` needs a character after it")?),
                _ => literal(sign),
            };
            atoms.push(Atom {
                character,
                repeats: false,
            });
            can_repeat = true;
        }
        Ok(Self {
            atoms: atoms.into(),
            from_start,
            to_end,
        })
    }

    /// How many places a text can have come to: before each atom, and after the last.
    pub(crate) fn places(&self) -> usize {
        self.atoms.len() + 1
    }

    /// Whether it matches. `sets` is room for two sets of places.
    pub(crate) fn matches(&self, text: &[u8], sets: &mut [u8]) -> bool {
        let (mut now, mut next) = sets.split_at_mut(self.places());
        let mut characters = Characters { rest: text };
        now.fill(0);
        now[0] = 1;
        loop {
            let character = characters.next();
            next.fill(0);
            next[0] = u8::from(!self.from_start);
            // Places only lead forwards, so one pass follows every `x*` that matches nothing.
            for (place, atom) in self.atoms.iter().enumerate() {
                if now[place] == 0 {
                    continue;
                }
                if atom.repeats {
                    now[place + 1] = 1;
                }
                if character.is_some_and(|c| atom.character == ANY || atom.character == c) {
                    next[if atom.repeats { place } else { place + 1 }] = 1;
                }
            }
            let is_through = now[self.atoms.len()] == 1;
            if character.is_none() || (is_through && !self.to_end) {
                return is_through;
            }
            core::mem::swap(&mut now, &mut next);
        }
    }
}

/// The characters of a text, each as the number its bytes make.
struct Characters<'a> {
    rest: &'a [u8],
}

impl Iterator for Characters<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let first = *self.rest.first()?;
        let more = match first.leading_ones() {
            ones @ 2..=4 => ones as usize - 1,
            _ => 0,
        };
        let more = self.rest[1..].iter().take(more);
        let length = 1 + more.take_while(|byte| **byte & 0xc0 == 0x80).count();
        let (character, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(packed(character))
    }
}

/// Up to four bytes as a number.
fn packed(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u32::from(*byte))
}
