//! The block `@NAME@`: every element times a factor.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! { "../block.toml", "run" => Product }

/// Arguments by their place in `block.toml`.
const FACTOR: usize = 0;

/// One use of the block in a Runefile.
#[derive(Debug)]
pub struct Product {
    factor: f32,
}

impl Block for Product {
    type Inputs = f32;
    type Outputs = f32;

    // Runs once, while compiling.
    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let factor = setup.float(FACTOR)? as f32;
        Ok(Self { factor })
    }

    // Runs in the rune, once per call.
    fn run(&self, values: &[f32], products: &mut [f32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        for (product, value) in products.iter_mut().zip(values) {
            *product = value * self.factor;
        }
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    #[test]
    fn multiplies_every_element() {
        // Arguments, then the shapes of inputs and outputs.
        let block = Instance::<Product>::new(&[2.5.into()], &[&[3]], &[&[3]]);
        let mut products = [0.0; 3];
        block.unwrap().run(&[1.0, -2.0, 0.0], &mut products).unwrap();
        assert_eq!(products, [2.5, -5.0, 0.0]);
    }
}
