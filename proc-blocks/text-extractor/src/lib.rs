//! `text-extractor`.
