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
