//! `object-filter`.
