//! The Rune compiler: the driver, and everything of it that touches files and the terminal.

pub mod cli;
mod cmd;
pub mod device;
pub mod driver;
pub mod explain;
pub mod find;
mod folder;
mod interface;
pub mod memo;
pub mod picture;
mod parallel;
pub mod reference;
pub mod render;
pub mod report;
mod skeleton;
pub mod source;
pub mod toolchain;
pub mod world;

pub use driver::{Compilation, check, compile};
pub use rune_codegen::{Level, Options, Output, Simd};
