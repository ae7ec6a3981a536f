//! `cast`.
