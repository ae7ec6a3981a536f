//! `frame`.
