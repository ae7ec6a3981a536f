//! `std-dev`.
