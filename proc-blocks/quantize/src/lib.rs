//! `quantize`.
