//! Files that fuzzing found fault with: each is refused at once, for what is wrong with it.

use rune_models::import;

#[test]
fn more_state_than_any_model_keeps_is_refused() {
    let error = import(include_bytes!("found/large-state.tflite"))
        .map(|_| ())
        .expect_err("it keeps too much");
    assert!(
        error.message.contains("bytes are kept between calls"),
        "{error}"
    );
}

/// While all its products were listed first, this was said after 8 seconds.
#[test]
fn a_product_of_millions_of_matrices_is_not_counted_out() {
    let error = import(include_bytes!("found/many-products.tflite"))
        .expect_err("it is refused")
        .to_string();
    assert!(error.contains("points outside the file"), "{error}");
}

/// The elements of a shape that a file says for an output were counted before anyone looked at it.
#[test]
fn an_output_of_more_elements_than_numbers_go_is_refused_or_set_right() {
    let read = import(include_bytes!("found/large-output.tflite"));
    if let Ok(graph) = read {
        graph.check().expect("what is imported keeps the laws");
    }
}
