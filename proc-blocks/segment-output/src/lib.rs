//! `segment-output`.
