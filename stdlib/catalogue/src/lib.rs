//! Base images and precompiled processing blocks.
