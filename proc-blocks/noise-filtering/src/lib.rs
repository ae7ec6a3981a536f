//! `noise-filtering`.
