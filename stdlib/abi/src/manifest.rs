//! The manifest: what a rune needs and what it is, in one little-endian record.
