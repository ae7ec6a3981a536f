//! `slice`.
