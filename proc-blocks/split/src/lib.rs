//! `split`.
