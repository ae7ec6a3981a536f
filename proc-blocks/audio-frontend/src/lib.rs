//! `audio-frontend`.
