//! `threshold`.
