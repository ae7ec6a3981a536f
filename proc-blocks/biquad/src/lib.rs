//! `biquad`.
