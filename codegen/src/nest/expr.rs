//! Expressions: WebAssembly's numeric instructions as trees with checked types.

use std::ops;

use rune_c::Intrinsic;
use wasm_encoder::Instruction;

use super::{Address, Affine, Var};

/// The type of a value: a machine scalar, or 128 bits seen as lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// binary32.
    F32,
    /// binary64.
    F64,
    /// Sixteen bytes.
    I8x16,
    /// Eight 16-bit integers.
    I16x8,
    /// Four 32-bit integers.
    I32x4,
    /// Two 64-bit integers.
    I64x2,
    /// Four binary32.
    F32x4,
}

impl Ty {
    /// Whether it is a vector.
    pub fn is_vector(self) -> bool {
        !matches!(self, Self::I32 | Self::I64 | Self::F32 | Self::F64)
    }

    /// Whether it is a float, or a vector of them.
    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64 | Self::F32x4)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I8x16 => "i8x16",
            Self::I16x8 => "i16x8",
            Self::I32x4 => "i32x4",
            Self::I64x2 => "i64x2",
            Self::F32x4 => "f32x4",
        }
    }
}

/// The lanes a shuffle picks: byte `i` of the result is byte `lanes[i]` of its two operands in a row.
pub type Lanes = [u8; 16];

macro_rules! ops {
    (
        $($name:ident $text:literal ($($operand:ident),*) -> $result:ident;)*
        [$($intrinsic:ident $symbol:literal ($($word:ident),*);)*]
    ) => {
        /// A numeric instruction without immediates, under WebAssembly's name for it; or an instruction of devices.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Op {
            $(#[doc = concat!("`", $text, "`")] $name,)*
            $(#[doc = concat!("The intrinsic `", $symbol, "`")] $intrinsic,)*
        }

        impl Op {
            /// How the text form writes it: a symbol between two operands, or a name before them.
            pub(super) fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    $(Self::$intrinsic => $symbol,)*
                }
            }

            /// The types it takes.
            pub(super) fn operands(self) -> &'static [Ty] {
                match self {
                    $(Self::$name => &[$(Ty::$operand),*],)*
                    $(Self::$intrinsic => &[$(Ty::$word),*],)*
                }
            }

            /// The type it gives.
            pub(super) fn result(self) -> Ty {
                match self {
                    $(Self::$name => Ty::$result,)*
                    $(Self::$intrinsic => Ty::I32,)*
                }
            }

            /// The instruction, or whose function is to be called.
            pub(super) fn instruction(self) -> Result<Instruction<'static>, Intrinsic> {
                match self {
                    $(Self::$name => Ok(Instruction::$name),)*
                    $(Self::$intrinsic => Err(Intrinsic::$intrinsic),)*
                }
            }
        }
    };
}

ops! {
    I32Add "+" (I32, I32) -> I32;
    I32Sub "-" (I32, I32) -> I32;
    I32Mul "*" (I32, I32) -> I32;
    I32DivS "/" (I32, I32) -> I32;
    I32And "&" (I32, I32) -> I32;
    I32Shl "<<" (I32, I32) -> I32;
    I32ShrS ">>" (I32, I32) -> I32;
    I32ShrU ">>>" (I32, I32) -> I32;
    I32Eq "==" (I32, I32) -> I32;
    I32LtS "<" (I32, I32) -> I32;
    I32Clz "clz" (I32) -> I32;
    I32WrapI64 "wrap" (I64) -> I32;
    I32TruncSatF32S "trunc_sat" (F32) -> I32;
    I64Add "+" (I64, I64) -> I64;
    I64Sub "-" (I64, I64) -> I64;
    I64Mul "*" (I64, I64) -> I64;
    I64Shl "<<" (I64, I64) -> I64;
    I64And "&" (I64, I64) -> I64;
    I64LtS "<" (I64, I64) -> I32;
    I64ShrS ">>" (I64, I64) -> I64;
    I64ExtendI32S "extend" (I32) -> I64;
    F32Add "+" (F32, F32) -> F32;
    F32Sub "-" (F32, F32) -> F32;
    F32Mul "*" (F32, F32) -> F32;
    F32Div "/" (F32, F32) -> F32;
    F32Neg "neg" (F32) -> F32;
    F32Abs "abs" (F32) -> F32;
    F32Copysign "copysign" (F32, F32) -> F32;
    F32Eq "==" (F32, F32) -> I32;
    F32Lt "<" (F32, F32) -> I32;
    F32Le "<=" (F32, F32) -> I32;
    F32Gt ">" (F32, F32) -> I32;
    F32Ge ">=" (F32, F32) -> I32;
    F32ConvertI32S "convert" (I32) -> F32;
    F32ReinterpretI32 "float" (I32) -> F32;
    I8x16MinS "min" (I8x16, I8x16) -> I8x16;
    I8x16MinU "min_u" (I8x16, I8x16) -> I8x16;
    I8x16MaxS "max" (I8x16, I8x16) -> I8x16;
    I8x16MaxU "max_u" (I8x16, I8x16) -> I8x16;
    I8x16NarrowI16x8S "narrow" (I16x8, I16x8) -> I8x16;
    I8x16NarrowI16x8U "narrow_u" (I16x8, I16x8) -> I8x16;
    I16x8Sub "-" (I16x8, I16x8) -> I16x8;
    I16x8Mul "*" (I16x8, I16x8) -> I16x8;
    I16x8AddSatS "add_sat" (I16x8, I16x8) -> I16x8;
    I16x8NarrowI32x4S "narrow" (I32x4, I32x4) -> I16x8;
    I16x8ExtendLowI8x16S "extend_low" (I8x16) -> I16x8;
    I16x8ExtendLowI8x16U "extend_low_u" (I8x16) -> I16x8;
    I32x4Add "+" (I32x4, I32x4) -> I32x4;
    I32x4Sub "-" (I32x4, I32x4) -> I32x4;
    I32x4Mul "*" (I32x4, I32x4) -> I32x4;
    I32x4Shl "<<" (I32x4, I32) -> I32x4;
    V128And "&" (I32x4, I32x4) -> I32x4;
    I32x4ExtendLowI16x8S "extend_low" (I16x8) -> I32x4;
    I32x4ExtendHighI16x8S "extend_high" (I16x8) -> I32x4;
    I32x4ShrS ">>" (I32x4, I32) -> I32x4;
    I32x4DotI16x8S "dot" (I16x8, I16x8) -> I32x4;
    I32x4ExtMulLowI16x8S "extmul_low" (I16x8, I16x8) -> I32x4;
    I32x4ExtMulHighI16x8S "extmul_high" (I16x8, I16x8) -> I32x4;
    I64x2Add "+" (I64x2, I64x2) -> I64x2;
    I64x2Sub "-" (I64x2, I64x2) -> I64x2;
    I64x2Mul "*" (I64x2, I64x2) -> I64x2;
    I64x2ShrU ">>>" (I64x2, I32) -> I64x2;
    I64x2ExtendLowI32x4S "extend_low" (I32x4) -> I64x2;
    I64x2ExtendHighI32x4S "extend_high" (I32x4) -> I64x2;
    I64x2ExtMulLowI32x4S "extmul_low" (I32x4, I32x4) -> I64x2;
    I64x2ExtMulHighI32x4S "extmul_high" (I32x4, I32x4) -> I64x2;
    F32x4Splat "splat" (F32) -> F32x4;
    F32x4Add "+" (F32x4, F32x4) -> F32x4;
    F32x4Sub "-" (F32x4, F32x4) -> F32x4;
    F32x4Mul "*" (F32x4, F32x4) -> F32x4;
    F32x4Div "/" (F32x4, F32x4) -> F32x4;
    F32x4PMin "pmin" (F32x4, F32x4) -> F32x4;
    F32x4PMax "pmax" (F32x4, F32x4) -> F32x4;
    F32x4Eq "==" (F32x4, F32x4) -> I32x4;
    F32x4Lt "<" (F32x4, F32x4) -> I32x4;
    I32DivU "/u" (I32, I32) -> I32;
    I32RemS "%" (I32, I32) -> I32;
    I32RemU "%u" (I32, I32) -> I32;
    I32Or "|" (I32, I32) -> I32;
    I32Xor "^" (I32, I32) -> I32;
    I32Ne "!=" (I32, I32) -> I32;
    I32LtU "<u" (I32, I32) -> I32;
    I32LeS "<=" (I32, I32) -> I32;
    I32GtS ">" (I32, I32) -> I32;
    I32GeS ">=" (I32, I32) -> I32;
    I32Eqz "not" (I32) -> I32;
    I32ReinterpretF32 "bits" (F32) -> I32;
    I32TruncSatF64S "trunc_sat" (F64) -> I32;
    I64DivS "/" (I64, I64) -> I64;
    I64DivU "/u" (I64, I64) -> I64;
    I64RemS "%" (I64, I64) -> I64;
    I64RemU "%u" (I64, I64) -> I64;
    I64Or "|" (I64, I64) -> I64;
    I64Xor "^" (I64, I64) -> I64;
    I64ShrU ">>>" (I64, I64) -> I64;
    I64Eq "==" (I64, I64) -> I32;
    I64Ne "!=" (I64, I64) -> I32;
    I64LtU "<u" (I64, I64) -> I32;
    I64LeS "<=" (I64, I64) -> I32;
    I64GtS ">" (I64, I64) -> I32;
    I64GeS ">=" (I64, I64) -> I32;
    I64Clz "clz" (I64) -> I64;
    I64ExtendI32U "extend_u" (I32) -> I64;
    I64TruncSatF32S "trunc_sat" (F32) -> I64;
    I64TruncSatF64S "trunc_sat" (F64) -> I64;
    I64ReinterpretF64 "bits" (F64) -> I64;
    F32Sqrt "sqrt" (F32) -> F32;
    F32Ceil "ceil" (F32) -> F32;
    F32Floor "floor" (F32) -> F32;
    F32Trunc "trunc" (F32) -> F32;
    F32Nearest "nearest" (F32) -> F32;
    F32Ne "!=" (F32, F32) -> I32;
    F32ConvertI32U "convert_u" (I32) -> F32;
    F32ConvertI64S "convert" (I64) -> F32;
    F32ConvertI64U "convert_u" (I64) -> F32;
    F32DemoteF64 "demote" (F64) -> F32;
    F64Add "+" (F64, F64) -> F64;
    F64Sub "-" (F64, F64) -> F64;
    F64Mul "*" (F64, F64) -> F64;
    F64Div "/" (F64, F64) -> F64;
    F64Neg "neg" (F64) -> F64;
    F64Abs "abs" (F64) -> F64;
    F64Sqrt "sqrt" (F64) -> F64;
    F64Ceil "ceil" (F64) -> F64;
    F64Floor "floor" (F64) -> F64;
    F64Trunc "trunc" (F64) -> F64;
    F64Nearest "nearest" (F64) -> F64;
    F64Copysign "copysign" (F64, F64) -> F64;
    F64Eq "==" (F64, F64) -> I32;
    F64Ne "!=" (F64, F64) -> I32;
    F64Lt "<" (F64, F64) -> I32;
    F64Le "<=" (F64, F64) -> I32;
    F64Gt ">" (F64, F64) -> I32;
    F64Ge ">=" (F64, F64) -> I32;
    F64PromoteF32 "promote" (F32) -> F64;
    F64ConvertI32S "convert" (I32) -> F64;
    F64ConvertI64S "convert" (I64) -> F64;
    F64ConvertI64U "convert_u" (I64) -> F64;
    F64ReinterpretI64 "float" (I64) -> F64;
    I8x16Splat "splat" (I32) -> I8x16;
    I8x16Add "+" (I8x16, I8x16) -> I8x16;
    I8x16Sub "-" (I8x16, I8x16) -> I8x16;
    I8x16AddSatS "add_sat" (I8x16, I8x16) -> I8x16;
    I8x16Eq "==" (I8x16, I8x16) -> I8x16;
    I8x16LtS "<" (I8x16, I8x16) -> I8x16;
    I8x16LtU "<u" (I8x16, I8x16) -> I8x16;
    I16x8Splat "splat" (I32) -> I16x8;
    I16x8Add "+" (I16x8, I16x8) -> I16x8;
    I16x8SubSatS "sub_sat" (I16x8, I16x8) -> I16x8;
    I16x8Eq "==" (I16x8, I16x8) -> I16x8;
    I16x8LtS "<" (I16x8, I16x8) -> I16x8;
    I16x8MinS "min" (I16x8, I16x8) -> I16x8;
    I16x8MaxS "max" (I16x8, I16x8) -> I16x8;
    I16x8Shl "<<" (I16x8, I32) -> I16x8;
    I16x8ShrS ">>" (I16x8, I32) -> I16x8;
    I16x8ExtendHighI8x16S "extend_high" (I8x16) -> I16x8;
    I16x8ExtendHighI8x16U "extend_high_u" (I8x16) -> I16x8;
    I16x8Q15MulrSatS "q15mulr" (I16x8, I16x8) -> I16x8;
    I32x4Splat "splat" (I32) -> I32x4;
    I32x4Abs "abs" (I32x4) -> I32x4;
    I32x4Neg "neg" (I32x4) -> I32x4;
    I32x4MinS "min" (I32x4, I32x4) -> I32x4;
    I32x4MaxS "max" (I32x4, I32x4) -> I32x4;
    I32x4Eq "==" (I32x4, I32x4) -> I32x4;
    I32x4Ne "!=" (I32x4, I32x4) -> I32x4;
    I32x4LtS "<" (I32x4, I32x4) -> I32x4;
    I32x4GtS ">" (I32x4, I32x4) -> I32x4;
    I32x4ShrU ">>>" (I32x4, I32) -> I32x4;
    I32x4TruncSatF32x4S "trunc_sat" (F32x4) -> I32x4;
    I64x2Splat "splat" (I64) -> I64x2;
    I64x2Shl "<<" (I64x2, I32) -> I64x2;
    I64x2ShrS ">>" (I64x2, I32) -> I64x2;
    F32x4Abs "abs" (F32x4) -> F32x4;
    F32x4Neg "neg" (F32x4) -> F32x4;
    F32x4Sqrt "sqrt" (F32x4) -> F32x4;
    F32x4Ceil "ceil" (F32x4) -> F32x4;
    F32x4Floor "floor" (F32x4) -> F32x4;
    F32x4Trunc "trunc" (F32x4) -> F32x4;
    F32x4Nearest "nearest" (F32x4) -> F32x4;
    F32x4Ne "!=" (F32x4, F32x4) -> I32x4;
    F32x4Le "<=" (F32x4, F32x4) -> I32x4;
    F32x4Gt ">" (F32x4, F32x4) -> I32x4;
    F32x4Ge ">=" (F32x4, F32x4) -> I32x4;
    F32x4ConvertI32x4S "convert" (I32x4) -> F32x4;
    F32x4RelaxedMadd "relaxed_madd" (F32x4, F32x4, F32x4) -> F32x4;
    [Smlad "smlad" (I32, I32, I32);
    Smlabb "smlabb" (I32, I32, I32);
    Smlatt "smlatt" (I32, I32, I32);
    Sxtb16 "sxtb16" (I32);
    Sxtb16Ror8 "sxtb16_ror8" (I32);]
}

/// How memory is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// A whole value of the type.
    Whole(Ty),
    /// A signed byte as an i32.
    I8,
    /// An unsigned byte as an i32.
    U8,
    /// Two bytes, signed, as an i32.
    I16,
    /// Two bytes, unsigned, as an i32.
    U16,
    /// One 32-bit value in each of four lanes, as this type.
    Splat32(Ty),
    /// Two bytes in each of eight lanes.
    Splat16,
    /// One byte in each of sixteen lanes.
    Splat8,
    /// Eight signed bytes as 16-bit lanes.
    I8x8,
    /// Eight unsigned bytes as 16-bit lanes.
    U8x8,
    /// Four signed 16-bit integers as 32-bit lanes.
    I16x4,
    /// Two signed 32-bit integers as 64-bit lanes.
    I32x2,
    /// Four bytes in the lowest lane, as this type; zero in the others.
    Zero32(Ty),
    /// Eight bytes in the lowest lanes, as this type; zero in the others.
    Zero64(Ty),
}

impl Load {
    /// The type of the value read.
    pub fn ty(self) -> Ty {
        match self {
            Self::Whole(ty) | Self::Splat32(ty) | Self::Zero32(ty) | Self::Zero64(ty) => ty,
            Self::I8 | Self::U8 | Self::I16 | Self::U16 => Ty::I32,
            Self::Splat16 | Self::Splat8 => Ty::I8x16,
            Self::I8x8 | Self::U8x8 => Ty::I16x8,
            Self::I16x4 => Ty::I32x4,
            Self::I32x2 => Ty::I64x2,
        }
    }
}

/// How memory is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A whole value.
    Whole,
    /// The low byte of an i32.
    I8,
    /// The low two bytes of an i32.
    I16,
    /// So many bytes (1, 2, 4 or 8) of a vector: the lane of that size with this number.
    Lane {
        /// Bytes of the lane.
        bytes: u8,
        /// Its number.
        lane: u8,
    },
}

/// An expression without side effects.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// An i32.
    I32(i32),
    /// An i64.
    I64(i64),
    /// A binary32 by its bits, so that equality is of bits.
    F32(u32),
    /// A binary64 by its bits.
    F64(u64),
    /// A vector by its bytes in memory order.
    Vector(Ty, [u8; 16]),
    /// The value of a variable.
    Var(Var, Ty),
    /// What memory holds.
    Load(Load, Address),
    /// An instruction applied to operands.
    Op(Op, Vec<Expr>),
    /// The second where the first is not 0, else the third.
    Select(Box<[Expr; 3]>),
    /// The bits of the second where those of the first are 1, else those of the third.
    Bitselect(Box<[Expr; 3]>),
    /// Bytes picked from two vectors.
    Shuffle(Lanes, Box<[Expr; 2]>),
    /// The first lane, of 32 or 64 bits, of a vector of integers.
    First(Box<Expr>),
    /// A vector seen as other lanes.
    As(Ty, Box<Expr>),
}

impl Expr {
    /// A binary32 constant.
    pub fn f32(value: f32) -> Self {
        Self::F32(value.to_bits())
    }

    /// A binary64 constant.
    pub fn f64(value: f64) -> Self {
        Self::F64(value.to_bits())
    }

    /// A constant of `ty` with this value in every lane.
    pub fn constant(ty: Ty, value: i64) -> Self {
        match ty {
            Ty::I32 => Self::I32(value as i32),
            Ty::I64 => Self::I64(value),
            Ty::F32 => Self::f32(value as f32),
            Ty::F64 => Self::f64(value as f64),
            Ty::I8x16 => Self::Vector(ty, [value as u8; 16]),
            Ty::I16x8 => Self::repeat(ty, &(value as i16).to_le_bytes()),
            Ty::I32x4 => Self::repeat(ty, &(value as i32).to_le_bytes()),
            Ty::I64x2 => Self::repeat(ty, &value.to_le_bytes()),
            Ty::F32x4 => Self::repeat(ty, &(value as f32).to_le_bytes()),
        }
    }

    /// A constant of `ty` (F32 or F32x4) with this value in every lane.
    pub fn real(ty: Ty, value: f32) -> Self {
        if ty == Ty::F32 {
            Self::f32(value)
        } else {
            assert_eq!(ty, Ty::F32x4, "a type of binary32");
            Self::repeat(ty, &value.to_le_bytes())
        }
    }

    fn repeat(ty: Ty, lane: &[u8]) -> Self {
        Self::Vector(ty, std::array::from_fn(|i| lane[i % lane.len()]))
    }

    /// The type of the value.
    pub fn ty(&self) -> Ty {
        match self {
            Self::I32(_) => Ty::I32,
            Self::I64(_) => Ty::I64,
            Self::F32(_) => Ty::F32,
            Self::F64(_) => Ty::F64,
            Self::Vector(ty, _) | Self::Var(_, ty) | Self::As(ty, _) => *ty,
            Self::Load(load, _) => load.ty(),
            Self::Op(op, _) => op.result(),
            Self::Select(parts) | Self::Bitselect(parts) => parts[1].ty(),
            Self::Shuffle(_, parts) => parts[0].ty(),
            Self::First(vector) if vector.ty() == Ty::I64x2 => Ty::I64,
            Self::First(_) => Ty::I32,
        }
    }

    /// An instruction applied to operands of the types it takes.
    pub fn op<const N: usize>(op: Op, operands: [Expr; N]) -> Self {
        assert!(
            operands
                .iter()
                .map(Expr::ty)
                .eq(op.operands().iter().copied()),
            "{op:?} of {:?}",
            operands.each_ref().map(Expr::ty),
        );
        Self::Op(op, operands.into())
    }

    /// `self` where `condition` holds, else `other`; lane by lane where the condition is a mask.
    #[must_use]
    pub fn or_else(self, condition: Expr, other: Expr) -> Self {
        assert_eq!(self.ty(), other.ty(), "two values of one type");
        if condition.ty().is_vector() {
            Self::Bitselect(Box::new([condition, self, other]))
        } else {
            assert_eq!(condition.ty(), Ty::I32, "a truth value");
            Self::Select(Box::new([condition, self, other]))
        }
    }

    /// The same bits as lanes of another type.
    #[must_use]
    pub fn lanes(self, ty: Ty) -> Self {
        assert!(self.ty().is_vector() && ty.is_vector(), "a vector");
        Self::As(ty, Box::new(self))
    }

    /// The first lane of an I32x4 or I64x2.
    #[must_use]
    pub fn first(self) -> Self {
        assert!(
            matches!(self.ty(), Ty::I32x4 | Ty::I64x2),
            "lanes of integers"
        );
        Self::First(Box::new(self))
    }

    /// Bytes picked from `self`, whose numbers they are.
    #[must_use]
    pub fn shuffle_self(self, lanes: Lanes) -> Self {
        let ty = self.ty();
        self.clone().shuffle(self, lanes).lanes(ty)
    }

    /// Bytes picked from `self` and `other`.
    #[must_use]
    pub fn shuffle(self, other: Expr, lanes: Lanes) -> Self {
        assert!(self.ty().is_vector() && self.ty() == other.ty(), "vectors");
        Self::Shuffle(lanes, Box::new([self, other]))
    }

    /// 1, or all ones in a lane, where `self` is less than `other` (signed).
    #[must_use]
    pub fn lt(self, other: Expr) -> Self {
        let op = match self.ty() {
            Ty::I32 => Op::I32LtS,
            Ty::I64 => Op::I64LtS,
            Ty::F32 => Op::F32Lt,
            Ty::F64 => Op::F64Lt,
            Ty::F32x4 => Op::F32x4Lt,
            Ty::I8x16 => Op::I8x16LtS,
            Ty::I16x8 => Op::I16x8LtS,
            Ty::I32x4 => Op::I32x4LtS,
            Ty::I64x2 => unreachable!("no kernel compares {:?}", self.ty()),
        };
        Self::op(op, [self, other])
    }

    /// 1, or all ones in a lane, where `self` equals `other`.
    #[must_use]
    pub fn equals(self, other: Expr) -> Self {
        let op = match self.ty() {
            Ty::I32 => Op::I32Eq,
            Ty::F32 => Op::F32Eq,
            Ty::I64 => Op::I64Eq,
            Ty::F64 => Op::F64Eq,
            Ty::F32x4 => Op::F32x4Eq,
            Ty::I8x16 => Op::I8x16Eq,
            Ty::I16x8 => Op::I16x8Eq,
            Ty::I32x4 => Op::I32x4Eq,
            Ty::I64x2 => unreachable!("no kernel compares {:?}", self.ty()),
        };
        Self::op(op, [self, other])
    }
}

impl From<&Affine> for Expr {
    fn from(affine: &Affine) -> Self {
        let terms = affine.terms.iter().map(|(var, factor)| {
            let var = Expr::Var(*var, Ty::I32);
            if *factor == 1 {
                var
            } else {
                var * Expr::I32(*factor)
            }
        });
        let sum = terms.reduce(|a, b| a + b);
        match (sum, affine.constant) {
            (None, constant) => Expr::I32(constant),
            (Some(sum), 0) => sum,
            (Some(sum), constant) => sum + Expr::I32(constant),
        }
    }
}

/// Implements an operator of Rust by the instruction for the left operand's type.
macro_rules! operator {
    ($trait:ident $method:ident $($ty:ident $op:ident)*) => {
        impl ops::$trait for Expr {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                let ops = [$((Ty::$ty, Op::$op)),*];
                let (_, op) = ops
                    .into_iter()
                    .find(|(ty, _)| *ty == self.ty())
                    .expect("an instruction exists for the type");
                Expr::op(op, [self, other])
            }
        }
    };
}

operator!(Add add I32 I32Add I64 I64Add F32 F32Add F64 F64Add I8x16 I8x16Add I16x8 I16x8Add I32x4 I32x4Add I64x2 I64x2Add F32x4 F32x4Add);
operator!(Sub sub I32 I32Sub I64 I64Sub F32 F32Sub F64 F64Sub I8x16 I8x16Sub I16x8 I16x8Sub I32x4 I32x4Sub I64x2 I64x2Sub F32x4 F32x4Sub);
operator!(Mul mul I32 I32Mul I64 I64Mul F32 F32Mul F64 F64Mul I16x8 I16x8Mul I32x4 I32x4Mul I64x2 I64x2Mul F32x4 F32x4Mul);
operator!(Div div I32 I32DivS I64 I64DivS F32 F32Div F64 F64Div F32x4 F32x4Div);
operator!(Rem rem I32 I32RemS I64 I64RemS);
operator!(Shr shr I32 I32ShrS I64 I64ShrS I16x8 I16x8ShrS I32x4 I32x4ShrS I64x2 I64x2ShrS);
operator!(Shl shl I32 I32Shl I64 I64Shl I16x8 I16x8Shl I32x4 I32x4Shl I64x2 I64x2Shl);
operator!(BitAnd bitand I32 I32And I64 I64And);
operator!(BitOr bitor I32 I32Or I64 I64Or);
operator!(BitXor bitxor I32 I32Xor I64 I64Xor);
