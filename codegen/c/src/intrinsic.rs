//! Instructions of devices that WebAssembly does not have, as functions with bodies in it: a compiler that wants them
//! puts such a function into its module and names it in a custom section, and in C its calls are the instruction where
//! the device has it.
//!
//! The section is no promise to be trusted: a function that it names must have, byte for byte, the body below, so that
//! what replaces it can be nothing else than what it computes.

use crate::{
    Error,
    module::{Module, Signature, Ty, unsupported},
};

/// The custom section with a line `NAME FUNCTION` for each.
pub const INTRINSICS: &str = "rune.intrinsics";

/// An instruction of devices. All take and give i32; halves and bytes are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Intrinsic {
    /// The products of the lower halves of two words and of their upper halves, added to a third word.
    Smlad,
    /// The product of the lower halves of two words, added to a third word.
    Smlabb,
    /// The product of the upper halves of two words, added to a third word.
    Smlatt,
    /// Bytes 0 and 2 of a word, widened to halves.
    Sxtb16,
    /// Bytes 1 and 3 of a word, widened to halves.
    Sxtb16Ror8,
}

impl Intrinsic {
    /// All of them; their functions are in this order in a module.
    pub const ALL: [Self; 5] = [
        Self::Smlad,
        Self::Smlabb,
        Self::Smlatt,
        Self::Sxtb16,
        Self::Sxtb16Ror8,
    ];

    /// Its name in the section.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smlad => "smlad",
            Self::Smlabb => "smlabb",
            Self::Smlatt => "smlatt",
            Self::Sxtb16 => "sxtb16",
            Self::Sxtb16Ror8 => "sxtb16_ror8",
        }
    }

    /// How many words it takes.
    pub const fn operands(self) -> usize {
        match self {
            Self::Smlad | Self::Smlabb | Self::Smlatt => 3,
            Self::Sxtb16 | Self::Sxtb16Ror8 => 1,
        }
    }

    /// The body of its function: no locals, and these instructions of WebAssembly.
    pub const fn body(self) -> &'static [u8] {
        const GET_A: u8 = 0;
        const GET_B: u8 = 1;
        const GET_C: u8 = 2;
        // local.get, i32.const, and instructions of i32 without operands in the code.
        const GET: u8 = 0x20;
        const CONST: u8 = 0x41;
        const ADD: u8 = 0x6a;
        const MUL: u8 = 0x6c;
        const AND: u8 = 0x71;
        const OR: u8 = 0x72;
        const SHL: u8 = 0x74;
        const SHR_S: u8 = 0x75;
        const SHR_U: u8 = 0x76;
        const EXTEND8: u8 = 0xc0;
        const EXTEND16: u8 = 0xc1;
        const END: u8 = 0x0b;
        match self {
            Self::Smlad => &[
                0, GET, GET_A, EXTEND16, GET, GET_B, EXTEND16, MUL, GET, GET_A, CONST, 16, SHR_S,
                GET, GET_B, CONST, 16, SHR_S, MUL, ADD, GET, GET_C, ADD, END,
            ],
            Self::Smlabb => &[
                0, GET, GET_A, EXTEND16, GET, GET_B, EXTEND16, MUL, GET, GET_C, ADD, END,
            ],
            Self::Smlatt => &[
                0, GET, GET_A, CONST, 16, SHR_S, GET, GET_B, CONST, 16, SHR_S, MUL, GET, GET_C,
                ADD, END,
            ],
            // 65,535 is three bytes long.
            Self::Sxtb16 => &[
                0, GET, GET_A, EXTEND8, CONST, 0xff, 0xff, 3, AND, GET, GET_A, CONST, 16, SHR_U,
                EXTEND8, CONST, 16, SHL, OR, END,
            ],
            Self::Sxtb16Ror8 => &[
                0, GET, GET_A, CONST, 8, SHR_U, EXTEND8, CONST, 0xff, 0xff, 3, AND, GET, GET_A,
                CONST, 24, SHR_S, CONST, 16, SHL, OR, END,
            ],
        }
    }

    /// Its call in C, for `Value::of`.
    pub(crate) fn pattern(self) -> String {
        let arguments = ["@0", "@0, @1, @2"][usize::from(self.operands() > 1)];
        format!("r_{}({arguments})", self.name())
    }
}

/// Notes the functions that a section names.
pub(crate) fn read(module: &mut Module<'_>, text: &[u8], offset: u64) -> Result<(), Error> {
    let broken = || unsupported("a list of intrinsics that cannot be read", offset);
    let text = str::from_utf8(text).map_err(|_| broken())?;
    for line in text.lines() {
        let (name, function) = line.split_once(' ').ok_or_else(broken)?;
        let function: u32 = function.parse().map_err(|_| broken())?;
        let intrinsic = Intrinsic::ALL.into_iter().find(|i| i.name() == name);
        let intrinsic = intrinsic.ok_or_else(broken)?;
        module.intrinsics.insert(function, intrinsic);
    }
    Ok(())
}

/// Checks that each function that is named is what its name says.
pub(crate) fn check(module: &Module<'_>) -> Result<(), Error> {
    for (function, intrinsic) in &module.intrinsics {
        let own = (*function as usize).checked_sub(module.imports.len());
        let body = own.and_then(|index| module.bodies.get(index));
        let is_it = body.is_some_and(|body| {
            let signature = Signature {
                params: vec![Ty::I32; intrinsic.operands()],
                results: vec![Ty::I32],
            };
            body.as_bytes() == intrinsic.body() && *module.signature(*function) == signature
        });
        if !is_it {
            let offset = body.map_or(0, |body| body.range().start);
            let what = format!("an intrinsic `{}` that is something else", intrinsic.name());
            return Err(Error::Unsupported {
                what,
                function: Some(*function),
                offset,
            });
        }
    }
    Ok(())
}
