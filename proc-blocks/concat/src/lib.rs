//! `concat`.
