//! `parse`.
