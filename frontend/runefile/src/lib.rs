//! Runefile text to pipeline: [`parse`] reads the text and recovers from every fault, [`lower`] resolves
//! names and makes the stages and edges that the checks of `rune_ir` go on with.
//!
//! The language is described in `grammar/LANGUAGE.md`, its grammar is `grammar/runefile.pest`.

mod convert;
mod fault;
pub mod fmt;
mod foreign;
mod format;
mod grammar;
mod inherit;
mod layers;
mod lines;
pub mod lint;
mod long;
mod lower;
mod model_format;
mod names;
mod order;
mod parse;
mod resources;
mod shapes;
mod shift;
pub mod tree;
mod values;
mod wiring;
mod yaml;

pub use convert::{Converted, convert};
pub use format::{Format, read};
pub use layers::{Layer, MAX_LAYERS, read_layers, say_where_inherited};
pub use lines::Lines;
pub use lower::lower;
pub use order::{Ordered, order};
pub use parse::{MAX_BYTES, parse};
pub use tree::Tree;
