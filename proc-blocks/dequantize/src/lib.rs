//! `dequantize`.
