//! What the vectors do not say: how counts are cut, odd vocabularies, and texts of noise.

use rune_block_sdk::{
    Fault, Refusal,
    testing::{Instance, Value},
};

use super::{Tokenizer, cut};
use crate::{
    characters::{Category, category},
    vocabulary::Vocabulary,
};

const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\nab\n##bc\nabcd\n.\n##c\n\u{e9}t\u{e9}\nete\n\u{5b57}\n\u{1112}\n##\u{1161}\n##\u{11ab}\n";

fn make(
    vocabulary: &str,
    sizes: [u32; 2],
    length: u32,
    cased: bool,
) -> Result<Instance<Tokenizer>, Refusal> {
    let args: [Value<'_>; 3] = [vocabulary.into(), i64::from(length).into(), cased.into()];
    let row: &[u32] = &[1, length];
    Instance::new(
        &args,
        &[&sizes[..1], &sizes[1..]],
        &[row, row, row, &[length * 16]],
    )
}

struct Output {
    ids: Vec<i32>,
    mask: Vec<i32>,
    segments: Vec<i32>,
    words: String,
}

fn run(first: &[u8], second: &[u8], length: usize, cased: bool) -> Result<Output, Fault> {
    let sizes = [first.len() as u32, second.len() as u32];
    let mut block = make(VOCABULARY, sizes, length as u32, cased).unwrap();
    let (mut ids, mut mask, mut segments) = (vec![-1; length], vec![-1; length], vec![-1; length]);
    let mut words = vec![0xff; 16 * length];
    block.run(
        (first, second),
        (&mut ids, &mut mask, &mut segments, &mut words),
    )?;
    let words = String::from_utf8(words).unwrap();
    let words = words.trim_end_matches('\0').to_owned();
    Ok(Output {
        ids,
        mask,
        segments,
        words,
    })
}

#[test]
fn equals_the_oracle() {
    rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
}

#[test]
fn takes_words_apart_from_the_left() {
    let output = run(b"abc abcd. x", b"", 12, false).unwrap();
    assert_eq!(output.ids, [2, 6, 10, 8, 9, 1, 3, 0, 0, 0, 0, 0]);
    assert_eq!(output.mask, [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(output.segments, [0; 12]);
    assert_eq!(
        output.words,
        "[CLS]\nab\n##c\nabcd\n.\n[UNK]\n[SEP]\n[PAD]\n[PAD]\n[PAD]\n[PAD]\n[PAD]\n"
    );
}

#[test]
fn accents_go_unless_cased() {
    let text = "\u{c9}t\u{e9} e\u{301}te \u{d55c} \u{5b57}a".as_bytes();
    let ids = |cased| run(text, b"\0", 10, cased).unwrap().ids;
    assert_eq!(ids(false), [2, 12, 12, 14, 15, 16, 13, 4, 3, 0]);
    assert_eq!(ids(true), [2, 1, 1, 1, 13, 4, 3, 0, 0, 0]);
}

#[test]
fn signs_of_special_tokens_in_a_text_are_text() {
    let output = run(b"[SEP]", b"[CLS].", 12, true).unwrap();
    assert_eq!(output.ids, [2, 1, 1, 1, 3, 1, 1, 1, 9, 3, 0, 0]);
    assert_eq!(output.segments, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0]);
}

#[test]
fn the_longer_text_is_cut_first() {
    assert_eq!(cut([5, 5], 10), [5, 5]);
    assert_eq!(cut([2, 20], 10), [2, 8]);
    assert_eq!(cut([20, 2], 10), [8, 2]);
    assert_eq!(cut([20, 30], 11), [5, 6]);
    assert_eq!(cut([30, 20], 11), [6, 5]);
    assert_eq!(cut([0, 4], 3), [0, 3]);
    assert_eq!(cut([9, 9], 0), [0, 0]);
    assert_eq!(cut([9, 9], 1), [0, 1]);
    assert_eq!(run(b"a a a", b"a", 3, false).unwrap().ids, [2, 3, 3]);
    assert_eq!(run(b"a a a", b"", 3, false).unwrap().ids, [2, 4, 3]);
}

#[test]
fn a_vocabulary_has_the_special_tokens() {
    let refusal = make("[PAD]\n[UNK]\n[CLS]\nx", [4, 4], 8, false).unwrap_err();
    assert_eq!(refusal.message(), "the vocabulary has no `[SEP]`");
    assert_eq!(
        make("", [4, 4], 8, false).unwrap_err().message(),
        "the vocabulary has no `[UNK]`"
    );
}

#[test]
fn every_token_is_found_and_the_last_of_equals_counts() {
    let lines = "b\r\n\na\nab\nb\n##a\n##\nabc\n\u{1f980}\n";
    let vocabulary = Vocabulary::new(lines).unwrap();
    for (id, token) in lines
        .lines()
        .enumerate()
        .skip(1)
        .filter(|(_, t)| !t.is_empty())
    {
        let found = vocabulary.find(token).unwrap();
        assert_eq!(
            (vocabulary.id(found), vocabulary.text(found)),
            (id as i32, token.as_bytes())
        );
    }
    assert_eq!(vocabulary.find("ac"), None);
    assert_eq!(vocabulary.longest(b"abx", true).map(|(n, _)| n), Some(2));
    assert_eq!(vocabulary.longest(b"ab", false).map(|(n, _)| n), Some(1));
    assert_eq!(vocabulary.longest(b"", true), None);
}

#[test]
fn texts_are_utf8() {
    assert_eq!(run(b"a\xff", b"a", 8, false).err(), Some(Fault::BadValue));
    assert_eq!(run(b"a", b"\xc3", 8, false).err(), Some(Fault::BadValue));
    assert!(run(b"a\0\xff", b"a", 8, false).is_ok());
}

#[test]
fn categories_are_those_of_unicode() {
    for (c, is) in [
        ('\0', Category::Ignored),
        ('\t', Category::Space),
        ('a', Category::Letter),
        ('$', Category::Punctuation),
        ('\u{a3}', Category::Letter),
        ('\u{a0}', Category::Space),
        ('\u{ad}', Category::Ignored),
        ('\u{301}', Category::Mark),
        ('\u{203d}', Category::Punctuation),
        ('\u{5b57}', Category::Ideograph),
        ('\u{ac00}', Category::Letter),
        ('\u{fffd}', Category::Ignored),
        ('\u{1f980}', Category::Letter),
        ('\u{10ffff}', Category::Letter),
    ] {
        assert_eq!(category(c), is, "{c:?}");
    }
}

/// Whatever the text, the tokens are those of the vocabulary, in their frame.
#[test]
fn noise_has_tokens_too() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..3000 {
        let size = next(300);
        let text: String = (0..size)
            .filter_map(|_| match next(6) {
                0 => char::from_u32(next(0x11_0000) as u32),
                1 => char::from_u32(0x300 + next(0x80) as u32),
                2 => Some(' '),
                _ => char::from_u32(u32::from(b'.') + next(0x50) as u32),
            })
            .collect();
        let (first, second) = text.split_at(text.floor_char_boundary(next(300) as usize));
        let output = run(first.as_bytes(), second.as_bytes(), 24, next(2) == 0).unwrap();
        let count = output.mask.iter().sum::<i32>() as usize;
        assert!((2..=24).contains(&count));
        assert_eq!((output.ids[0], output.ids[count - 1]), (2, 3), "{text:?}");
        assert!(output.ids[..count].iter().all(|id| (1..17).contains(id)));
        assert!(output.ids[count..].iter().all(|id| *id == 0));
        assert_eq!(output.words.lines().count(), 24);
    }
}
