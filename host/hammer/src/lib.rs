//! Hammer, the program `hmr`: keys, and signatures of runes and images.
#![forbid(unsafe_code)]

pub mod cli;
mod cmd;
