//! `utf8-decode`: bytes as a text.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup, Text, Utf8};

rune_block_sdk::block! { "../block.toml", "run" => Utf8Decode }

/// Index of the argument in `block.toml`.
const INVALID: usize = 0;

/// An instance.
#[derive(Debug)]
pub struct Utf8Decode {
    /// Whether bytes that are not UTF-8 end the text, rather than being a fault.
    cuts: bool,
}

impl Block for Utf8Decode {
    type Inputs = u8;
    type Outputs = Utf8;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let cuts = setup.text(INVALID)? == "cut";
        Ok(Self { cuts })
    }

    fn run<'a>(
        &'a self,
        bytes: &'a [u8],
        text: &'a mut [Text<'a>],
        _: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        let end = bytes.iter().position(|byte| *byte == 0);
        let bytes = &bytes[..end.unwrap_or(bytes.len())];
        let decoded = match str::from_utf8(bytes) {
            Err(error) if self.cuts => str::from_utf8(&bytes[..error.valid_up_to()]),
            decoded => decoded,
        };
        text[0] = Text::of(decoded.map_err(|_| Fault::BadValue)?);
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run(invalid: &str, bytes: &[u8]) -> Result<String, Fault> {
        let dims = [bytes.len() as u32];
        let mut block = Instance::<Utf8Decode>::new(&[invalid.into()], &[&dims], &[&[1]]).unwrap();
        let mut text = [Text::default()];
        block.run(bytes, &mut text)?;
        Ok(text[0].as_str().to_owned())
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn ends_at_zero() {
        assert_eq!(run("fault", b"up\0\xff").unwrap(), "up");
        assert_eq!(run("fault", b"\0up").unwrap(), "");
        assert_eq!(run("fault", b"").unwrap(), "");
    }

    #[test]
    fn what_is_no_text_is_a_fault_or_the_end() {
        for (bytes, before) in [
            (&b"\xff"[..], ""),
            (b"a\xc3", "a"),
            (b"\xc3\xa9t\xe9!", "\u{e9}t"),
            (b"x\xed\xa0\x80y", "x"),
            (b"\xc0\x80", ""),
        ] {
            assert_eq!(run("fault", bytes), Err(Fault::BadValue));
            assert_eq!(run("cut", bytes).unwrap(), before);
        }
    }
}
