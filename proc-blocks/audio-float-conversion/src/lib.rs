//! `audio-float-conversion`.
