//! Numbers in a list argument.

use alloc::{format, vec::Vec};

use crate::{Refusal, Setup};

impl Setup<'_> {
    /// The numbers in argument `index`, a list of `strings` that a Runefile spells `name`.
    ///
    /// # Errors
    /// Which item is not a finite number; or that the argument is no list.
    pub fn numbers(&self, index: usize, name: &str) -> Result<Vec<f64>, Refusal> {
        self.texts(index)?
            .enumerate()
            .map(|(i, item)| match item.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number),
                _ => Err(format!(
                    "item {} of `{name}` is `{item}`, not a finite number",
                    i + 1
                )
                .into()),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Instance, Value};
    use crate::{Block, Call, Fault, Flow, Refusal, Setup};

    /// Gives the numbers of its argument.
    #[derive(Debug)]
    struct Numbers(Vec<f64>);

    impl Block for Numbers {
        type Inputs = u8;
        type Outputs = f64;

        fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
            setup.numbers(0, "--taps").map(Self)
        }

        fn run(&self, _: &[u8], numbers: &mut [f64], _: &mut Call<'_>) -> Result<Flow, Fault> {
            numbers.copy_from_slice(&self.0);
            Ok(Flow::Output)
        }
    }

    fn make(items: &[&str]) -> Result<Instance<Numbers>, Refusal> {
        let count = [items.len() as u32];
        Instance::new(&[Value::Texts(items)], &[&[0]], &[&count])
    }

    #[test]
    fn reads_numbers() {
        let mut numbers = [0.0; 3];
        make(&["1", " -2.5e-1 ", "+.5"])
            .unwrap()
            .run(&[], &mut numbers)
            .unwrap();
        assert_eq!(numbers, [1.0, -0.25, 0.5]);
    }

    #[test]
    fn names_the_item_that_is_none() {
        for bad in ["", "x", "1,2", "nan", "inf", "1e999", "0x10"] {
            assert_eq!(
                make(&["0", bad]).unwrap_err().message(),
                format!("item 2 of `--taps` is `{bad}`, not a finite number")
            );
        }
    }
}
