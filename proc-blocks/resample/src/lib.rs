//! `resample`.
