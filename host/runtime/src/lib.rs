//! RunicOS for Linux: runs runes in a sandbox.
