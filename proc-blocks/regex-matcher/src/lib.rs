//! `regex-matcher`.
