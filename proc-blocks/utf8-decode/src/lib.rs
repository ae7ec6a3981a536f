//! `utf8-decode`.
