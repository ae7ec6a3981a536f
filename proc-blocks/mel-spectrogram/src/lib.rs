//! `mel-spectrogram`.
