//! `binary-classification`.
