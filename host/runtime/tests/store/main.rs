//! The store of installed runes: what it does, and a replay of every prefix of what it does to a disk.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod disk;
mod folder;
mod replay;
mod script;
