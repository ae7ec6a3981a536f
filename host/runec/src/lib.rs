//! The Rune compiler.
