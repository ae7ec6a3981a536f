//! `crop`.
