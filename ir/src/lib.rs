//! The language every part of the compiler speaks: diagnostics, types, pipelines, tensor graphs, blocks,
//! and the laws they obey. Knows nothing of text, of model files, or of the machine that is compiled for,
//! and touches neither files nor clock nor network.

pub mod arena;
pub mod args;
pub mod block;
pub mod check;
pub mod diag;
pub mod env;
pub mod eval;
pub mod graph;
pub mod layout;
mod list;
pub mod object;
pub mod op;
pub mod pipeline;
pub mod quant;
pub mod text;
pub mod ty;

/// SHA-256 of some bytes: how files and blocks are told apart.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}
