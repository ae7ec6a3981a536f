//! Suites that drive the whole system.
