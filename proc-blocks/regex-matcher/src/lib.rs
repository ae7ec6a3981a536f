//! `regex-matcher`: whether a text matches a small regular expression.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod expression;

use core::marker::PhantomData;

use expression::Expression;
use rune_block_sdk::{Block, Call, Fault, Flow, Input, Refusal, Scratch, Setup, Utf8};

rune_block_sdk::block! {
    "../block.toml",
    "run.u8" => RegexMatcher<u8>,
    "run.utf8" => RegexMatcher<Utf8>,
}

/// Index of the argument in `block.toml`.
const REGEX: usize = 0;

/// An instance for texts of type `T`.
#[derive(Debug)]
pub struct RegexMatcher<T> {
    expression: Expression,
    /// Which places of the expression the text has come to, and which it will have next.
    places: Scratch<u8>,
    of: PhantomData<T>,
}

/// A way to give a text.
pub trait TextInput: Input + 'static {
    /// How many elements a tensor of one text has, unless any number.
    const ELEMENTS: Option<usize>;
    /// The bytes of the text.
    fn bytes(view: Self::View<'_>) -> &[u8];
}

impl TextInput for u8 {
    const ELEMENTS: Option<usize> = None;
    fn bytes(view: <Self as Input>::View<'_>) -> &[u8] {
        let end = view.iter().position(|byte| *byte == 0);
        &view[..end.unwrap_or(view.len())]
    }
}

impl TextInput for Utf8 {
    const ELEMENTS: Option<usize> = Some(1);
    fn bytes(view: <Self as Input>::View<'_>) -> &[u8] {
        view[0].as_str().as_bytes()
    }
}

impl<T: TextInput> Block for RegexMatcher<T> {
    type Inputs = T;
    type Outputs = u8;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let elements = setup.input(0).len();
        if T::ELEMENTS.is_some_and(|wanted| wanted != elements) {
            return Err(alloc::format!("there are {elements} texts, but it takes one").into());
        }
        let expression = Expression::parse(setup.text(REGEX)?)?;
        Ok(Self {
            places: setup.scratch(2 * expression.places())?,
            expression,
            of: PhantomData,
        })
    }

    fn run<'a>(
        &'a self,
        text: T::View<'a>,
        matched: &'a mut [u8],
        call: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        let places = call.scratch.get(&self.places);
        matched[0] = self.expression.matches(T::bytes(text), places).into();
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn make(regex: &str, length: u32) -> Result<Instance<RegexMatcher<u8>>, Refusal> {
        Instance::new(&[regex.into()], &[&[length]], &[&[1]])
    }

    fn matches(regex: &str, text: &[u8]) -> bool {
        let mut matched = [9];
        let mut block = make(regex, text.len() as u32).unwrap();
        block.run(text, &mut matched).unwrap();
        matched == [1]
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn bytes_end_at_zero_and_may_be_anything() {
        assert!(matches("^up$", b"up\0down"));
        assert!(matches("^$", b"\0"));
        assert!(matches("^a..b$", b"a\xff\x80b"));
        assert!(matches("^.$", "\u{1f980}".as_bytes()));
        assert!(matches("^.\u{e9}*t$", b"\xe9\xc3\xa9t"));
    }

    #[test]
    fn what_takes_others_ages_takes_a_moment() {
        let regex = ".*".repeat(2000) + "x$";
        assert!(!matches(&regex, &[b'a'; 2000]));
        assert!(matches(&regex, &[[b'a'; 2000].as_slice(), b"x"].concat()));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (regex, message) in [
            ("*a", "`*` has nothing to repeat"),
            ("^+", "`+` has nothing to repeat"),
            ("a+*", "`*` has nothing to repeat"),
            (
                "a^b",
                "`^` stands for the start of the text, so it comes first; write `\\^` for the sign",
            ),
            (
                "a$b",
                "`$` stands for the end of the text, so it comes last; write `\\$` for the sign",
            ),
            (
                "a$*",
                "`$` stands for the end of the text, so it comes last; write `\\$` for the sign",
            ),
            ("a\\", "`\\` needs a character after it"),
        ] {
            assert_eq!(make(regex, 1).unwrap_err().message(), message, "{regex}");
        }
    }

    #[test]
    fn one_text_is_taken() {
        let refusal = Instance::<RegexMatcher<Utf8>>::new(&["a".into()], &[&[2]], &[&[1]]);
        assert_eq!(
            refusal.unwrap_err().message(),
            "there are 2 texts, but it takes one"
        );
    }
}
