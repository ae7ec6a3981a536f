//! `grayscale`.
