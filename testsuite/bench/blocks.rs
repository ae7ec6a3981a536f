//! What the standard blocks cost.
fn main() {}
