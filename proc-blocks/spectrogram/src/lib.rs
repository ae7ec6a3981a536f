//! `spectrogram`.
