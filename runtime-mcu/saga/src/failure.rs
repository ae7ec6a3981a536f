//! Why calls fail, as kinds that can be counted.

use rune_abi::Fault;

/// The kind of a failed call. The order is that of the wire: kinds are only ever added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Failure {
    /// The rune returned [`Fault::Read`].
    Read,
    /// The rune returned [`Fault::Write`].
    Write,
    /// The rune returned [`Fault::BadValue`].
    BadValue,
    /// The rune returned [`Fault::OutOfRange`].
    OutOfRange,
    /// The rune returned [`Fault::Block`].
    Block,
    /// The rune returned a code that the contract does not know.
    UnknownCode,
    /// Trap: `unreachable` was reached.
    Unreachable,
    /// Trap: memory was accessed out of bounds.
    MemoryBounds,
    /// Trap: a table was accessed out of bounds, or called with a wrong signature.
    TableAccess,
    /// Trap: division by zero, overflow of a division, or a float that does not fit an integer.
    Arithmetic,
    /// Trap: the stack overflowed.
    StackOverflow,
    /// Any other trap.
    OtherTrap,
    /// The call did not end in time and was stopped.
    Deadline,
    /// The rune broke the contract in what it asked of the runtime.
    Contract,
    /// A source of data failed.
    Source,
}

impl Failure {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Read,
        Self::Write,
        Self::BadValue,
        Self::OutOfRange,
        Self::Block,
        Self::UnknownCode,
        Self::Unreachable,
        Self::MemoryBounds,
        Self::TableAccess,
        Self::Arithmetic,
        Self::StackOverflow,
        Self::OtherTrap,
        Self::Deadline,
        Self::Contract,
        Self::Source,
    ];

    /// What metrics and records call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "fault_read",
            Self::Write => "fault_write",
            Self::BadValue => "fault_bad_value",
            Self::OutOfRange => "fault_out_of_range",
            Self::Block => "fault_block",
            Self::UnknownCode => "fault_unknown_code",
            Self::Unreachable => "trap_unreachable",
            Self::MemoryBounds => "trap_memory_bounds",
            Self::TableAccess => "trap_table_access",
            Self::Arithmetic => "trap_arithmetic",
            Self::StackOverflow => "trap_stack_overflow",
            Self::OtherTrap => "trap_other",
            Self::Deadline => "deadline",
            Self::Contract => "contract",
            Self::Source => "source",
        }
    }

    /// The kind of a negative number that `_call` returned.
    pub fn from_code(code: i32) -> Self {
        Fault::from_code(code).map_or(Self::UnknownCode, Self::from)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Read => Self::Read,
            Fault::Write => Self::Write,
            Fault::BadValue => Self::BadValue,
            Fault::OutOfRange => Self::OutOfRange,
            Fault::Block => Self::Block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use rune_abi::Fault;

    #[test]
    fn the_table_of_kinds_is_in_the_order_of_their_numbers() {
        for (i, kind) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i, "{kind:?}");
            let same = Failure::ALL.iter().filter(|k| k.name() == kind.name());
            assert_eq!(same.count(), 1, "{kind:?}");
        }
    }

    #[test]
    fn codes_of_the_contract_have_kinds() {
        for fault in Fault::ALL {
            assert_eq!(Failure::from_code(fault as i32), Failure::from(fault));
        }
        assert_eq!(Failure::from_code(i32::MIN), Failure::UnknownCode);
        assert_eq!(Failure::from_code(7), Failure::UnknownCode);
    }
}
