//! `parse`: the numbers in a text.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

mod decimal;

use core::marker::PhantomData;

use decimal::Format;
use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup, Text, Utf8};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Parse<f32>,
    "run.f64" => Parse<f64>,
    "run.u8" => Parse<u8>,
    "run.i8" => Parse<i8>,
    "run.u16" => Parse<u16>,
    "run.i16" => Parse<i16>,
    "run.u32" => Parse<u32>,
    "run.i32" => Parse<i32>,
    "run.u64" => Parse<u64>,
    "run.i64" => Parse<i64>,
}

/// An instance for numbers of type `T`.
#[derive(Debug)]
pub struct Parse<T>(PhantomData<T>);

/// A number that has a decimal form.
pub trait Number: Element {
    /// The number a word is, if it is one.
    fn parse(word: &[u8]) -> Option<Self>;
}

impl<T: Number> Block for Parse<T> {
    type Inputs = Utf8;
    type Outputs = T;

    fn init(_: &mut Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self(PhantomData))
    }

    fn run<'a>(
        &'a self,
        text: &'a [Text<'a>],
        numbers: &'a mut [T],
        _: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        let text = text[0].as_str();
        let text = text.split_once('\0').map_or(text, |(text, _)| text);
        let mut words = text.split_whitespace();
        for number in numbers {
            let parsed = words.next().and_then(|word| T::parse(word.as_bytes()));
            *number = parsed.ok_or(Fault::BadValue)?;
        }
        match words.next() {
            None => Ok(Flow::Output),
            Some(_) => Err(Fault::BadValue),
        }
    }
}

/// The number that decimal digits, at least one, write.
fn magnitude(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |n, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then_some(())?;
        n.checked_mul(10)?.checked_add(digit.into())
    })
}

macro_rules! unsigned {
    ($($t:ty),*) => {$(
        impl Number for $t {
            fn parse(word: &[u8]) -> Option<Self> {
                let digits = word.strip_prefix(b"+").unwrap_or(word);
                Self::try_from(magnitude(digits)?).ok()
            }
        }
    )*};
}
unsigned!(u8, u16, u32, u64);

macro_rules! signed {
    ($($t:ty),*) => {$(
        impl Number for $t {
            fn parse(word: &[u8]) -> Option<Self> {
                let number = match word.strip_prefix(b"-") {
                    Some(digits) => 0_i64.checked_sub_unsigned(magnitude(digits)?)?,
                    None => {
                        let digits = word.strip_prefix(b"+").unwrap_or(word);
                        i64::try_from(magnitude(digits)?).ok()?
                    }
                };
                Self::try_from(number).ok()
            }
        }
    )*};
}
signed!(i8, i16, i32, i64);

impl Number for f32 {
    fn parse(word: &[u8]) -> Option<Self> {
        let bits = decimal::parse(word, Format::F32)?;
        Some(Self::from_bits(bits as u32))
    }
}

impl Number for f64 {
    fn parse(word: &[u8]) -> Option<Self> {
        decimal::parse(word, Format::F64).map(Self::from_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run<T: Number + Default>(text: &str, n: u32) -> Result<Vec<T>, Fault> {
        let mut block = Instance::<Parse<T>>::new(&[], &[&[1]], &[&[n]]).unwrap();
        let mut numbers = vec![T::default(); n as usize];
        block.run(&[Text::of(text)], &mut numbers)?;
        Ok(numbers)
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn splits_at_white_space_and_ends_at_zero() {
        let text = " 1\t2\u{a0}3\r\n\u{3000}4\0 5";
        assert_eq!(run::<u8>(text, 4).unwrap(), [1, 2, 3, 4]);
        assert_eq!(run::<u8>(text, 3), Err(Fault::BadValue));
        assert_eq!(run::<u8>(text, 5), Err(Fault::BadValue));
        assert!(run::<u8>(" \0", 0).unwrap().is_empty());
    }

    #[test]
    fn integers_are_what_the_language_reads() {
        let words = [
            "0",
            "-0",
            "+0",
            "00",
            "127",
            "128",
            "-128",
            "-129",
            "255",
            "256",
            "+5",
            "--5",
            "+-5",
            "-",
            "+",
            "1_0",
            "1.0",
            "0x1",
            "\u{663}",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "9223372036854775807",
            "9223372036854775808",
            "99999999999999999999999999",
        ];
        for word in words {
            let bytes = word.as_bytes();
            assert_eq!(i8::parse(bytes), word.parse().ok(), "{word}");
            assert_eq!(i64::parse(bytes), word.parse().ok(), "{word}");
            assert_eq!(u8::parse(bytes), word.parse().ok(), "{word}");
            assert_eq!(u64::parse(bytes), word.parse().ok(), "{word}");
        }
    }
}
