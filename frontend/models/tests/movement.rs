//! Operators that move elements are refused by what is wrong where they name elements that are not there.

mod vectors;

use rune_models::import;

/// What is wrong with each model of `movement.forms`.
const EXPECTED: &[(&str, &str)] = &[
    (
        "computed condition",
        "operator 0 (WHERE, writes `y`): `x` is computed, so that the size of the result is not known",
    ),
    (
        "computed start",
        "operator 0 (SLICE, writes `y`): `w` is not constant",
    ),
    (
        "long range",
        "operator 0 (RANGE, writes `y`): it makes 1000000000 elements, more than 8192",
    ),
    (
        "long range of f32",
        "operator 0 (RANGE, writes `y`): it makes 18446744073709551615 elements, more than 8192",
    ),
    (
        "range without steps",
        "operator 0 (RANGE, writes `y`): its steps are of 0",
    ),
    (
        "axis beyond",
        "operator 0 (CONCATENATION, writes `y`): its axis is 2 of 2",
    ),
    (
        "axis before",
        "operator 0 (PACK, writes `y`): its axis is -3 of 2",
    ),
    (
        "activation",
        "operator 0 (CONCATENATION, writes `y`): it has a fused activation",
    ),
    (
        "other rows",
        "operator 0 (CONCATENATION, writes `y`): `w` has the shape [3, 2] where [2, 2] is due",
    ),
    (
        "other scales",
        "operator 0 (CONCATENATION, writes `y`): `w` has scale and zero point (0.25, 0), but `y` (0.5, 0)",
    ),
    (
        "slice beyond",
        "operator 0 (SLICE, writes `y`): `x` of shape [5] has not all of these elements: 4 from 3",
    ),
    (
        "slice before",
        "operator 0 (SLICE, writes `y`): it takes [4] elements from [-1] on of [5]",
    ),
    (
        "step of zero",
        "operator 0 (STRIDED_SLICE, writes `y`): of the shape [5] it takes [0] to [5] in steps of [0] with the masks [0, 0, 0, 0, 0]",
    ),
    (
        "least step",
        "operator 0 (STRIDED_SLICE, writes `y`): `y` has the shape [5] where [1] is due",
    ),
    (
        "nothing between",
        "operator 0 (STRIDED_SLICE, writes `y`): `y` of shape [0] is empty",
    ),
    (
        "too many dimensions",
        "operator 0 (STRIDED_SLICE, writes `y`): of the shape [5] it takes [0, 0] to [1, 1] in steps of [1, 1] with the masks [0, 0, 0, 0, 0]",
    ),
    (
        "uneven split",
        "operator 0 (SPLIT, writes `y0`): it splits 5 elements into 2 parts",
    ),
    (
        "two rests",
        "operator 0 (SPLIT_V, writes `y0`): `y0` has the shape [2] where [5] is due",
    ),
    (
        "uneven blocks",
        "operator 0 (SPACE_TO_BATCH_ND, writes `y`): 3 elements are no whole blocks of 2",
    ),
    (
        "blocks of nothing",
        "operator 0 (BATCH_TO_SPACE_ND, writes `y`): it has blocks of [0] and [0, 0] elements around them",
    ),
    (
        "shallow",
        "operator 0 (DEPTH_TO_SPACE, writes `y`): blocks of [2, 2] do not make [1, 2, 2, 1] of the shape [1, 1, 1, 6] of `x`",
    ),
    (
        "largest blocks",
        "operator 0 (SPACE_TO_DEPTH, writes `y`): it makes 6 times 2147483647 of a dimension",
    ),
    (
        "one axis twice",
        "operator 0 (TRANSPOSE, writes `y`): `x` of shape [2, 2] in the order [0, 0] has not the shape [2, 2]",
    ),
    (
        "far mirror",
        "operator 0 (MIRROR_PAD, writes `y`): 3 and 0 elements around 3 are more than a mirror gives",
    ),
    (
        "many rows",
        "operator 0 (RESIZE_BILINEAR, writes `y`): `y` of shape [1, 131072, 1, 1] has more than 65536 rows or columns",
    ),
    (
        "batches beyond",
        "operator 0 (GATHER, writes `y`): it has 1 batch dimensions",
    ),
    (
        "indices of f32",
        "operator 0 (GATHER, writes `y`): `w` holds indices of type f32, not i32 or i64",
    ),
    (
        "long indices",
        "operator 0 (GATHER_ND, writes `y`): `w` names 2 dimensions of [2]",
    ),
    (
        "table without scales",
        "operator 0 (EMBEDDING_LOOKUP, writes `y`): `w` has not one scale, or one for each row, and the zero point 0",
    ),
    (
        "large update",
        "operator 0 (DYNAMIC_UPDATE_SLICE, writes `y`): `w` of shape [3] is no part of [2]",
    ),
];

#[test]
fn what_is_not_there_is_refused() {
    let given: Vec<(String, String)> = vectors::movement_forms()
        .into_iter()
        .map(|(name, model)| match import(&model) {
            Ok(_) => (name, String::new()),
            Err(error) => (name, error.to_string()),
        })
        .collect();
    let given: Vec<(&str, &str)> = given.iter().map(|(n, e)| (&n[..], &e[..])).collect();
    assert_eq!(given, EXPECTED);
}
