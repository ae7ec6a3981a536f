//! `image-normalization`.
