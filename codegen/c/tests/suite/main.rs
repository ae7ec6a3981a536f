//! Modules as C against wasmtime: the same results, traps, globals and memory, bit by bit.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "compilers of C read and write files"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is skipped is said, and what was compared counted"
)]

mod constants;
mod edges;
mod errors;
mod intrinsics;
mod machine;
#[path = "../metal/mod.rs"]
mod metal;
mod native;
mod smith;
mod text;
