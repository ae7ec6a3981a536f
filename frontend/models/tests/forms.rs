//! Old forms of models are read; forms that are out of reach are refused by what is wrong and where.

mod vectors;

use rune_models::import;

/// What each model of `import.forms` gives: nothing, or its error.
const EXPECTED: &[(&str, &str)] = &[
    ("old file", ""),
    ("shape of I64", ""),
    ("open batch", ""),
    ("unused tensor and second subgraph", ""),
    (
        "open dimension",
        "R0503: a dimension of `x` is not fixed: [2, -1]",
    ),
    ("no dimension", ""),
    ("empty tensor", "R0503: `x` of shape [2, 0] is empty"),
    (
        "huge tensor",
        "R0503: `x` of shape [70000, 70000] is too large",
    ),
    (
        "half precision",
        "R0503: the elements of `x` are of type FLOAT16",
    ),
    ("state", "R0503: `x` keeps state"),
    (
        "sparse",
        "R0501: operator 0 (CONV_2D, writes `y`): the metadata of a sparse tensor contradict each other",
    ),
    (
        "external buffer",
        "R0503: operator 0 (CONV_2D, writes `y`): `w` lies in another file",
    ),
    (
        "missing buffer",
        "R0501: operator 0 (CONV_2D, writes `y`): buffer 9 of `w` is not there",
    ),
    (
        "short data",
        "R0501: operator 0 (CONV_2D, writes `y`): `w` of type f32 and shape [1, 3, 4, 1] has 36 bytes of data",
    ),
    (
        "data behind the model",
        "R0503: operator 0 (CONV_2D, writes `y`): the data of `w` lie behind the model",
    ),
    (
        "unknown operator",
        "R0502: operator 0 (LSH_PROJECTION, writes `y`) is not supported",
    ),
    (
        "operator above 127",
        "R0502: operator 0 (BUCKETIZE, writes `y`) is not supported",
    ),
    (
        "custom operator",
        "R0502: operator 0 (CUSTOM Telescope, writes `y`) is not supported",
    ),
    (
        "missing operator code",
        "R0501: operator 0 is of code 5, which is not there",
    ),
    (
        "missing tensor",
        "R0501: operator 0 (RELU, writes `y`): tensor 7 is not there",
    ),
    (
        "fused tanh",
        "R0503: operator 0 (CONV_2D, writes `y`): its fused activation is TANH",
    ),
    (
        "shuffled weights",
        "R0503: operator 0 (FULLY_CONNECTED, writes `y`): its weights are shuffled",
    ),
    (
        "no stride",
        "R0503: operator 0 (CONV_2D, writes `y`): its stride is [1, 0]",
    ),
    (
        "another window",
        "R0503: operator 0 (CONV_2D, writes `y`): `y` has the shape [1, 4, 4, 1] where [1, 4, 2, 1] is due",
    ),
    ("hybrid", ""),
    (
        "asymmetric weights",
        "R0503: operator 0 (FULLY_CONNECTED, writes `y`): the zero point of `w` must be 0, as its elements are i8",
    ),
    (
        "scale of zero",
        "R0503: operator 0 (FULLY_CONNECTED, writes `y`): `x` has the scale 0",
    ),
    (
        "zero point out of range",
        "R0503: operator 0 (FULLY_CONNECTED, writes `y`): `y` has the zero point 200, outside -128 to 127",
    ),
    (
        "no quantisation",
        "R0503: operator 0 (FULLY_CONNECTED, writes `y`): `y` has no scale and zero point",
    ),
    (
        "scales along inputs",
        "R0503: operator 0 (FULLY_CONNECTED, writes `y`): `w` has 2 scales along dimension 1, but 3 channels along dimension 0",
    ),
    (
        "another reshape",
        "R0503: operator 0 (RESHAPE, writes `y`): `y` has the shape [6] where [3, 2] is due",
    ),
    (
        "another padding",
        "R0503: operator 0 (PAD, writes `y`): `y` has the shape [6] where [5] is due",
    ),
    (
        "padding not constant",
        "R0503: operator 0 (PAD, writes `y`): `w` is not constant",
    ),
    (
        "written twice",
        "R0503: operator 1 (RELU, writes `y`): `y` is given or written twice",
    ),
];

#[test]
fn every_form_gives_what_it_should() {
    let given: Vec<(String, String)> = vectors::forms()
        .into_iter()
        .map(|(name, model)| match import(&model) {
            Ok(_) => (name, String::new()),
            Err(error) => (name, format!("{}: {error}", error.kind.code())),
        })
        .collect();
    let given: Vec<(&str, &str)> = given.iter().map(|(n, e)| (&n[..], &e[..])).collect();
    assert_eq!(given, EXPECTED);
}
