//! What `shape` tells, and how it can be wrong.

use rune_blocks::{Limits, Wasmi};
use rune_ir::{
    args::Bound,
    block::{BlockEngine, InitError},
    ty::{Dim, ElementType, TensorType},
};

use crate::{block, fixture, instance};

fn shape(rule: i64, inputs: &[&[u32]]) -> Result<Vec<Vec<Dim>>, InitError> {
    let block = block(fixture("join"));
    let inputs: Vec<TensorType> = inputs
        .iter()
        .map(|dims| TensorType::new(ElementType::F32, dims))
        .collect();
    let open = [TensorType::new(ElementType::F32, &[])];
    let engine = Wasmi::new(Limits {
        fuel: 1_000_000,
        ..Limits::default()
    });
    engine.shape(
        &block,
        &instance(&block, &[Bound::Integer(rule)], &inputs, &open),
    )
}

#[test]
fn follows_from_arguments_and_inputs() {
    assert_eq!(shape(0, &[&[3]]), Ok(vec![vec![Dim::Exact(3)]]));
    let many = shape(0, &[&[3], &[2, 2, 2, 1, 1, 1, 1, 1], &[]]);
    assert_eq!(many, Ok(vec![vec![Dim::Exact(12)]]));
    assert_eq!(shape(7, &[&[3]]), Ok(vec![vec![Dim::AtMost(3)]]));
    let refused = InitError::Refused("there are too many parts".to_owned());
    assert_eq!(shape(5, &[&[3]]), Err(refused));
}

#[test]
fn a_wrong_one_is_an_error() {
    for (rule, why) in [
        (1, "`shape` did not end within 1000000 steps"),
        (2, "`shape` trapped: "),
        (
            3,
            "`shape` says that output 0 has 9 dimensions; there are at most 8",
        ),
        (4, "`shape` returned 7; it returns 1, or 0 and a message"),
    ] {
        match shape(rule, &[&[3]]) {
            Err(
                InitError::Broken(message)
                | InitError::Endless(message)
                | InitError::Trapped(message),
            ) => assert!(message.starts_with(why), "{message}"),
            other => panic!("{rule}: {other:?}"),
        }
    }
}
