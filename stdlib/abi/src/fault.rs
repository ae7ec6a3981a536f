//! Why a call failed, as the negative numbers `_call` and blocks return.

/// A reason a rune stopped in the middle of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Fault {
    /// A capability could not be read.
    Read = -1,
    /// An output did not take the record.
    Write = -2,
    /// A block was given a value it cannot process, such as an index with no label.
    BadValue = -3,
    /// An index reached past the end of a tensor or table.
    OutOfRange = -4,
    /// A block failed for a reason of its own.
    Block = -5,
}

impl Fault {
    /// Every fault, the nearest to zero first.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Write,
        Self::BadValue,
        Self::OutOfRange,
        Self::Block,
    ];

    /// The fault of a return code, if it is one we know.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|f| *f as i32 == code)
    }

    /// What to tell a person, without a final full stop.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Read => "a capability could not be read",
            Self::Write => "the output could not be written",
            Self::BadValue => "a block was given a value it cannot process",
            Self::OutOfRange => "an index is out of range",
            Self::Block => "a block failed",
        }
    }
}
