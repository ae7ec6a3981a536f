//! The one fault of lending memory: it has the wrong size.

use core::fmt;

/// A buffer has not the size that the plan says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferError {
    /// Which buffer.
    pub buffer: &'static str,
    /// Elements it should have.
    pub needed: usize,
    /// Elements it has.
    pub given: usize,
}

impl BufferError {
    /// An error unless a buffer has exactly so many elements.
    pub(crate) fn unless_exact(
        buffer: &'static str,
        needed: usize,
        given: usize,
    ) -> Result<(), Self> {
        let error = Self {
            buffer,
            needed,
            given,
        };
        if given == needed { Ok(()) } else { Err(error) }
    }

    /// An error if a buffer has fewer elements.
    pub(crate) fn unless_enough(
        buffer: &'static str,
        needed: usize,
        given: usize,
    ) -> Result<(), Self> {
        Self::unless_exact(buffer, needed, given.min(needed)).map_err(|e| Self { given, ..e })
    }
}

impl fmt::Display for BufferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            buffer,
            needed,
            given,
        } = self;
        write!(f, "the {buffer} has {given} elements and needs {needed}")
    }
}

impl core::error::Error for BufferError {}
