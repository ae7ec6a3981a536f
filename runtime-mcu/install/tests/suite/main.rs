//! Laws of records and of the machine on many random ones; the page of the book.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod laws;
mod page;
mod random;
mod record;
