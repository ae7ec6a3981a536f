//! The store of installed runes: what it does, a replay of every prefix of what it does to a disk, and a process
//! that is killed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod disk;
mod folder;
mod kill;
mod replay;
mod script;
