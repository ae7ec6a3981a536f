//! `mean`.
