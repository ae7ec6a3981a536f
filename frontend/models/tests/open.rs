//! Models whose files leave dimensions open compute, once these are given, what the same models fixed do.

mod vectors;

use rune_models::{import, import_with, open};

/// The dimensions that each case of `open.forms` is given, as its fixed model has them.
const GIVEN: &[(&str, &[u32])] = &[
    ("batch", &[5, 4]),
    ("image", &[2, 7, 6, 2]),
    ("reshape", &[4, 3, 2]),
];

#[test]
fn given_dimensions_make_the_fixed_model() {
    let forms = vectors::open_forms();
    let pairs = forms.as_chunks::<2>().0;
    assert_eq!(pairs.len(), GIVEN.len());
    for ([(name, file), (_, fixed)], (given_name, shape)) in pairs.iter().zip(GIVEN) {
        assert_eq!(name, given_name);
        let left = open(file).unwrap().unwrap();
        assert_eq!(open(fixed), Ok(None), "{name}");
        let fits = |(open, is): (&Option<u32>, &u32)| open.is_none_or(|open| open == *is);
        assert!(left.inputs[0].1.iter().zip(*shape).all(fits), "{name}");
        let resized = import_with(file, &[Some(shape.to_vec())]).unwrap();
        let fixed = import(fixed).unwrap();
        let input: Vec<u8> = (0..shape.iter().product::<u32>())
            .flat_map(|i| ((i as f32).sin() * 3.0).to_le_bytes())
            .collect();
        let inputs = [input];
        assert_eq!(resized.evaluate(&inputs), fixed.evaluate(&inputs), "{name}");
        let shapes = |graph: &rune_ir::graph::Graph| graph.tensors[graph.outputs[0]].shape.clone();
        assert_eq!(shapes(&resized), shapes(&fixed), "{name}");
    }
}

#[test]
fn dimensions_that_do_not_fit_are_refused() {
    let forms = vectors::open_forms();
    let refusal = |index: usize, shape: &[u32]| {
        let file: &[u8] = &forms[index].1;
        import_with(file, &[Some(shape.to_vec())])
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refusal(0, &[5, 3]),
        "`x` has the shape [-1, 4] and cannot be given as [5, 3]"
    );
    assert_eq!(
        refusal(0, &[4]),
        "`x` has the shape [-1, 4] and cannot be given as [4]"
    );
    assert_eq!(refusal(0, &[0, 4]), "`x` of shape [0, 4] is empty");
    assert_eq!(
        refusal(0, &[u32::MAX, 4]),
        format!("`x` of shape [{}, 4] is too large", u32::MAX)
    );
    assert_eq!(
        refusal(4, &[3, 3, 3]),
        "`x` has the shape [-1, 3, 2] and cannot be given as [3, 3, 3]"
    );
    // A window of three rows has no place on two.
    assert_eq!(
        refusal(2, &[1, 2, 6, 2]),
        "operator 0 (CONV_2D, writes `y`): `y` of shape [1, 0, 4, 2] is empty"
    );
}
