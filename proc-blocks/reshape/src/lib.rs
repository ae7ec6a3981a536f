//! `reshape`: the same elements in another shape.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, vec, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.f32" => Reshape<f32>,
    "run.f64" => Reshape<f64>,
    "run.i8" => Reshape<i8>,
    "run.i16" => Reshape<i16>,
    "run.i32" => Reshape<i32>,
    "run.i64" => Reshape<i64>,
    "run.u8" => Reshape<u8>,
    "run.u16" => Reshape<u16>,
    "run.u32" => Reshape<u32>,
    "run.u64" => Reshape<u64>,
}

/// Index of the argument in `block.toml`.
const SHAPE: usize = 0;
/// Most dimensions a block can compute.
const MAX_RANK: usize = 8;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Reshape<T>(PhantomData<T>);

fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    let elements = setup.input(0).len() as u64;
    let texts = setup.texts(SHAPE)?;
    if texts.len() > MAX_RANK {
        return Err(format!("`--shape` has more than {MAX_RANK} dimensions").into());
    }
    let mut dims = Vec::new();
    let mut open = None;
    let mut product = 1_u64;
    for (index, text) in texts.enumerate() {
        match text.trim().parse::<i64>() {
            Ok(-1) if open.is_none() => {
                open = Some(index);
                dims.push(1);
            }
            Ok(-1) => return Err("only one dimension of `--shape` can be -1".into()),
            Ok(n @ 1..=0x7fff_ffff) => {
                product = product.saturating_mul(n as u64);
                dims.push(n as u32);
            }
            _ => {
                return Err(format!(
                    "`--shape` is made of whole numbers from 1, and -1 at most once, not of `{text}`"
                )
                .into());
            }
        }
    }
    let fits = match open {
        Some(_) => elements.is_multiple_of(product),
        None => elements == product,
    };
    if !fits {
        return Err(format!(
            "`--shape` is for {}{product} elements, but there are {elements}",
            if open.is_some() { "a multiple of " } else { "" }
        )
        .into());
    }
    if let Some(index) = open {
        dims[index] = (elements / product) as u32;
    }
    Ok(vec![dims])
}

impl<T: Element> Block for Reshape<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        dims(setup)?;
        Ok(Self(PhantomData))
    }

    fn run(&self, values: &[T], reshaped: &mut [T], _: &mut Call<'_>) -> Result<Flow, Fault> {
        reshaped.copy_from_slice(values);
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
