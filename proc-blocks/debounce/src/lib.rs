//! `debounce`.
