//! `smooth-scores`.
