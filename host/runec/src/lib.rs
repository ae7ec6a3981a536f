//! The Rune compiler: the driver, and everything of it that touches files and the terminal.

mod archive;
pub mod cli;
mod cmd;
pub mod config;
pub mod device;
mod diff;
pub mod driver;
pub mod explain;
pub mod find;
pub mod fix;
mod folder;
pub mod inspect;
mod interface;
pub mod lock;
pub mod lsp;
pub mod machine;
pub mod memo;
mod model;
mod parallel;
pub mod picture;
pub mod reference;
pub mod render;
pub mod report;
mod skeleton;
pub mod source;
pub mod toolchain;
pub mod world;

pub use driver::{Compilation, check, compile};
pub use rune_codegen::{Level, Options, Output, Simd};
use rune_terminal::write;
