//! Runs blocks on the vectors that an independent implementation made.
