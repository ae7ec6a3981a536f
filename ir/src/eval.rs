//! The oracle: runs a whole pipeline slowly and obviously.

/// The value of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Elements as little-endian bytes.
    Bytes(Vec<u8>),
    /// Strings.
    Strings(Vec<String>),
}
