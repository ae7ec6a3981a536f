//! `label`: the label of every index.
//!
//! The labels are one text and the places where they end, so that a great many cost the compiler two
//! allocations and the rune no addresses.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{
    Block, Bounded, BoundedMut, Call, Element, Fault, Flow, Refusal, Setup, Text, Utf8,
};

rune_block_sdk::block! {
    "../block.toml",
    "run.u32" => Label<u32>,
    "run.u8" => Label<u8>,
    "run.i8" => Label<i8>,
    "run.u16" => Label<u16>,
    "run.i16" => Label<i16>,
    "run.i32" => Label<i32>,
    "run.u64" => Label<u64>,
    "run.i64" => Label<i64>,
    "run.f32" => Label<f32>,
    "run.f64" => Label<f64>,
}

/// Indices of the arguments in `block.toml`.
const LABELS: usize = 0;
const WORDLIST: usize = 1;

/// An instance for indices of type `T`.
#[derive(Debug)]
pub struct Label<T> {
    labels: Labels,
    of: PhantomData<T>,
}

/// The labels, one after the other.
#[derive(Debug)]
struct Labels {
    text: Box<str>,
    /// Where each label ends.
    ends: Box<[u32]>,
}

/// A number that may be an index.
pub trait Index: Element {
    /// The index, if this is a whole number that is not negative.
    fn index(self) -> Option<usize>;
}

impl<T: Index> Block for Label<T> {
    type Inputs = T;
    type Outputs = Bounded<Utf8>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let labels = setup.texts(LABELS)?;
        let words = setup.text(WORDLIST)?.trim();
        let labels = match (labels.len() > 0, !words.is_empty()) {
            (true, false) => Labels::freeze(labels),
            (false, true) => Labels::freeze(words.lines()),
            (false, false) => return Err("give the labels as `--labels` or `--wordlist`".into()),
            (true, true) => return Err("give `--labels` or `--wordlist`, not both".into()),
        }?;
        Ok(Self {
            labels,
            of: PhantomData,
        })
    }

    fn run<'a>(
        &'a self,
        indices: &'a [T],
        mut labels: BoundedMut<'a, Text<'a>>,
        _: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        for (label, index) in labels.iter_mut().zip(indices) {
            let text = index.index().and_then(|index| self.labels.get(index));
            *label = Text::of(text.ok_or(Fault::OutOfRange)?);
        }
        labels.truncate(indices.len());
        Ok(Flow::Output)
    }
}

impl Labels {
    fn freeze<'a>(labels: impl Iterator<Item = &'a str> + Clone) -> Result<Self, Refusal> {
        let (mut count, mut length) = (0, 0);
        for label in labels.clone() {
            count += 1;
            length += label.len();
        }
        if u32::try_from(length).is_err() {
            return Err(format!("the labels have {length} bytes, which is too much").into());
        }
        let mut text = String::with_capacity(length);
        let mut ends = Vec::with_capacity(count);
        for label in labels {
            text.push_str(label);
            ends.push(text.len() as u32);
        }
        Ok(Self {
            text: text.into(),
            ends: ends.into(),
        })
    }

    fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1],
        };
        self.text.get(start as usize..end as usize)
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Index for $t {
            fn index(self) -> Option<usize> {
                usize::try_from(self).ok()
            }
        }
    )*};
}
integers!(u8, i8, u16, i16, u32, i32, u64, i64);

macro_rules! floats {
    ($($t:ty),*) => {$(
        impl Index for $t {
            fn index(self) -> Option<usize> {
                // A cast saturates and cuts, so only an index comes back as it was.
                let index = self as u32;
                (index as $t == self).then_some(index as usize)
            }
        }
    )*};
}
floats!(f32, f64);

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::{Instance, Value};

    const RING: [&str; 4] = ["Wing", "Ring", "Slope", "Unknown"];

    fn make<T: Index>(labels: &[&str], words: &str, n: u32) -> Result<Instance<Label<T>>, Refusal> {
        Instance::new(&[Value::Texts(labels), words.into()], &[&[n]], &[&[n]])
    }

    fn run<T: Index>(block: &mut Instance<Label<T>>, indices: &[T]) -> Result<Vec<String>, Fault> {
        let mut labels = vec![Text::default(); indices.len()];
        let mut count = 0;
        block.run(indices, BoundedMut::new(&mut labels, &mut count))?;
        Ok(labels[..count]
            .iter()
            .map(|l| l.as_str().to_owned())
            .collect())
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn takes_a_hundred_thousand_labels() {
        let words: Vec<String> = (0..100_000).map(|i| format!("label {i} \u{e9}")).collect();
        let mut block = make::<u32>(&[], &words.join("\n"), 3).unwrap();
        let labels = run(&mut block, &[0, 99_999, 31_415]).unwrap();
        assert_eq!(
            labels,
            ["label 0 \u{e9}", "label 99999 \u{e9}", "label 31415 \u{e9}"]
        );
        assert_eq!(run(&mut block, &[0, 1, 100_000]), Err(Fault::OutOfRange));
    }

    #[test]
    fn names_every_index() {
        let mut block = make::<u32>(&RING, "", 3).unwrap();
        assert_eq!(
            run(&mut block, &[1, 3, 1]).unwrap(),
            ["Ring", "Unknown", "Ring"]
        );
        let mut block = make::<i8>(&["\u{e9}t\u{e9}", "", "a, b"], "", 3).unwrap();
        assert_eq!(
            run(&mut block, &[2, 1, 0]).unwrap(),
            ["a, b", "", "\u{e9}t\u{e9}"]
        );
    }

    #[test]
    fn whole_floats_are_indices() {
        let mut block = make::<f32>(&RING, "", 2).unwrap();
        assert_eq!(run(&mut block, &[2.0, -0.0]).unwrap(), ["Slope", "Wing"]);
        for bad in [0.5, -1.0, 4.0, f32::NAN, f32::INFINITY, 4_294_967_296.0] {
            assert_eq!(run(&mut block, &[0.0, bad]), Err(Fault::OutOfRange));
        }
    }

    #[test]
    fn an_index_without_a_label_is_out_of_range() {
        let mut block = make::<i64>(&RING, "", 1).unwrap();
        for bad in [-1, 4, i64::MIN, i64::MAX] {
            assert_eq!(run(&mut block, &[bad]), Err(Fault::OutOfRange));
        }
    }

    #[test]
    fn a_word_list_has_a_label_per_line() {
        let mut block = make::<u8>(&[], "\nWing\r\nRing \n\nSlope\n\n", 4).unwrap();
        assert_eq!(
            run(&mut block, &[0, 1, 2, 3]).unwrap(),
            ["Wing", "Ring ", "", "Slope"]
        );
    }

    #[test]
    fn exactly_one_list_is_needed() {
        assert!(make::<u8>(&[], " \n", 1).is_err());
        assert!(make::<u8>(&RING, "Wing", 1).is_err());
    }
}
