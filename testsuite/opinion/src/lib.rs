//! Nothing: this crate is its tests, and what they need takes minutes to build.
