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
