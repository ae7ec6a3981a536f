//! Laws of records and of the machine on many random ones; every cut of the power on flash; its map, wear and damage; the page of the book.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod flash;
mod laws;
mod nor;
mod page;
mod power;
mod random;
mod record;
