//! Instructions that only compute: how each is written in C.

use wasmparser::{MemArg, MemArgTarget, Operator};

use crate::{module::Ty, value::Form};

macro_rules! table {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident (arity $($arity:tt)*))*) => {
        /// The proposal of an instruction, its name and its arity, as wasmparser's table has them.
        fn row(operator: &Operator<'_>) -> [&'static str; 3] {
            match operator {
                $(Operator::$op { .. } => [
                    stringify!($proposal),
                    stringify!($visit),
                    stringify!($($arity)*),
                ],)*
                _ => ["", "", ""],
            }
        }
    };
}
wasmparser::for_each_operator!(table);

/// An instruction's name with `_` for `.`.
pub(crate) fn name(operator: &Operator<'_>) -> &'static str {
    let [_, name, _] = row(operator);
    name.strip_prefix("visit_").unwrap_or(name)
}

/// An instruction that takes values, gives one, and does nothing else unless it traps.
pub(crate) struct Computes {
    pub(crate) operands: usize,
    pub(crate) result: Ty,
    pub(crate) form: Form,
    /// For `Value::of`.
    pub(crate) pattern: String,
    pub(crate) traps: bool,
}

/// How an instruction is written that only computes; nothing for others.
pub(crate) fn computes(operator: &Operator<'_>) -> Option<Computes> {
    let [proposal, _, arity] = row(operator);
    let name = name(operator);
    let known = ["mvp", "sign_extension", "saturating_float_to_int", "simd"];
    let operands = usize::from(arity.bytes().next().filter(u8::is_ascii_digit)? - b'0');
    if !known.contains(&proposal) || operands == 0 || !arity.ends_with('1') {
        return None;
    }
    let (prefix, rest) = name.split_once('_')?;
    let scalar = match prefix {
        "i32" => Some(Ty::I32),
        "i64" => Some(Ty::I64),
        "f32" => Some(Ty::F32),
        "f64" => Some(Ty::F64),
        _ => None,
    };
    let Some(ty) = scalar else {
        return vector(operator, prefix, rest, operands);
    };
    let computes = |form, pattern: String| Computes {
        operands,
        result: if form == Form::Condition { Ty::I32 } else { ty },
        form,
        pattern,
        traps: false,
    };
    if let Some((form, pattern)) = infix(ty, rest) {
        return Some(computes(form, pattern));
    }
    let traps = ["div_s", "div_u", "rem_s", "rem_u"].contains(&rest)
        || rest.starts_with("trunc_f") && matches!(ty, Ty::I32 | Ty::I64);
    let context = if traps { "c, " } else { "" };
    let arguments = if operands == 1 { "@0" } else { "@0, @1" };
    Some(Computes {
        traps,
        ..computes(Form::Atom, format!("r_{name}({context}{arguments})"))
    })
}

/// What C has an operator for.
fn infix(ty: Ty, rest: &str) -> Option<(Form, String)> {
    let (signed, mask) = match ty {
        Ty::I32 => ("(int32_t)", 31),
        Ty::I64 | Ty::F32 | Ty::F64 | Ty::V128 => ("(int64_t)", 63),
    };
    let unsigned = ty.c();
    let integer = matches!(ty, Ty::I32 | Ty::I64);
    let binary = |op: &str| Some((Form::Compound, format!("$0 {op} $1")));
    let compare = |op: &str| Some((Form::Condition, format!("$0 {op} $1")));
    let less = |op: &str| Some((Form::Condition, format!("{signed}$0 {op} {signed}$1")));
    let cast = |pattern: &str| Some((Form::Compound, pattern.to_owned()));
    match rest {
        "add" => binary("+"),
        "sub" => binary("-"),
        "mul" => binary("*"),
        "div" => binary("/"),
        "and" => binary("&"),
        "or" => binary("|"),
        "xor" => binary("^"),
        "shl" => cast(&format!("$0 << ($1 & {mask}u)")),
        "shr_u" => cast(&format!("$0 >> ($1 & {mask}u)")),
        "shr_s" => cast(&format!("({unsigned})({signed}$0 >> ($1 & {mask}u))")),
        "eq" => compare("=="),
        "ne" => compare("!="),
        "lt_u" | "lt" => compare("<"),
        "gt_u" | "gt" => compare(">"),
        "le_u" | "le" => compare("<="),
        "ge_u" | "ge" => compare(">="),
        "lt_s" => less("<"),
        "gt_s" => less(">"),
        "le_s" => less("<="),
        "ge_s" => less(">="),
        "neg" if !integer => cast("-$0"),
        "wrap_i64" => cast("(uint32_t)$0"),
        "extend_i32_u" => cast("(uint64_t)$0"),
        "extend_i32_s" => cast("(uint64_t)(int64_t)(int32_t)$0"),
        "extend8_s" => cast(&format!("({unsigned}){signed}(int8_t)$0")),
        "extend16_s" => cast(&format!("({unsigned}){signed}(int16_t)$0")),
        "extend32_s" => cast("(uint64_t)(int64_t)(int32_t)$0"),
        "convert_i32_s" => cast(&format!("({})(int32_t)$0", ty.c())),
        "convert_i64_s" => cast(&format!("({})(int64_t)$0", ty.c())),
        "convert_i32_u" | "convert_i64_u" | "demote_f64" => cast(&format!("({})$0", ty.c())),
        _ => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other instructions have no lanes"
)]
fn vector(operator: &Operator<'_>, prefix: &str, rest: &str, operands: usize) -> Option<Computes> {
    let lanes = match operator {
        Operator::I8x16Shuffle { lanes } => lanes.map(|lane| format!(", {lane}")).concat(),
        Operator::I8x16ExtractLaneS { lane }
        | Operator::I8x16ExtractLaneU { lane }
        | Operator::I8x16ReplaceLane { lane }
        | Operator::I16x8ExtractLaneS { lane }
        | Operator::I16x8ExtractLaneU { lane }
        | Operator::I16x8ReplaceLane { lane }
        | Operator::I32x4ExtractLane { lane }
        | Operator::I32x4ReplaceLane { lane }
        | Operator::I64x2ExtractLane { lane }
        | Operator::I64x2ReplaceLane { lane }
        | Operator::F32x4ExtractLane { lane }
        | Operator::F32x4ReplaceLane { lane }
        | Operator::F64x2ExtractLane { lane }
        | Operator::F64x2ReplaceLane { lane } => format!(", {lane}"),
        _ => String::new(),
    };
    let result = if rest.starts_with("extract_lane") {
        match prefix {
            "i64x2" => Ty::I64,
            "f32x4" => Ty::F32,
            "f64x2" => Ty::F64,
            _ => Ty::I32,
        }
    } else if ["any_true", "all_true", "bitmask"].contains(&rest) {
        Ty::I32
    } else {
        Ty::V128
    };
    let arguments = ["", "@0", "@0, @1", "@0, @1, @2"].get(operands)?;
    Some(Computes {
        operands,
        result,
        form: Form::Atom,
        pattern: format!("r_{prefix}_{rest}({arguments}{lanes})"),
        traps: false,
    })
}

/// How many bytes a load or store touches.
pub(crate) fn width(name: &str) -> u32 {
    let (ty, access) = name.split_once('_').unwrap_or((name, ""));
    let access = access
        .trim_start_matches("load")
        .trim_start_matches("store");
    let digits = access.split(|c: char| !c.is_ascii_digit()).next();
    match (digits.and_then(|d| d.parse::<u32>().ok()), ty) {
        // A load of 8 lanes of 8 bits and the like.
        (Some(_), "v128") if access.contains('x') => 8,
        (Some(bits), _) => bits / 8,
        (None, "v128") => 16,
        (None, "i64" | "f64") => 8,
        (None, _) => 4,
    }
}

macro_rules! arguments {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// What a load or store says besides its values: offset, and for some a lane.
        pub(crate) fn memory_argument<'o>(operator: &'o Operator<'_>) -> Option<(&'o MemArg, Option<u8>)> {
            $(arguments!(@one operator, $proposal, $op $({ $($arg),* })?);)*
            None
        }
    };
    (@one $operator:ident, mvp, $op:ident { memarg }) => {
        if let Operator::$op { memarg } = $operator { return Some((memarg, None)); }
    };
    (@one $operator:ident, simd, $op:ident { memarg }) => {
        if let Operator::$op { memarg } = $operator { return Some((memarg, None)); }
    };
    (@one $operator:ident, simd, $op:ident { memarg, lane }) => {
        if let Operator::$op { memarg, lane } = $operator { return Some((memarg, Some(*lane))); }
    };
    (@one $operator:ident, $proposal:ident, $($rest:tt)*) => {};
}
wasmparser::for_each_operator!(arguments);

/// Whether a load or store is one of the second memory.
pub(crate) fn is_constant(memory: &MemArg) -> bool {
    memory.target != MemArgTarget::Memory(0)
}

/// Whether an instruction has to do with the second memory.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest loads or stores")]
pub(crate) fn of_constants(operator: &Operator<'_>) -> bool {
    match operator {
        Operator::MemorySize { mem }
        | Operator::MemoryGrow { mem }
        | Operator::MemoryFill { mem }
        | Operator::MemoryInit { mem, .. } => *mem > 0,
        Operator::MemoryCopy { dst_mem, .. } => *dst_mem > 0,
        _ => memory_argument(operator).is_some_and(|(memory, _)| is_constant(memory)),
    }
}

#[cfg(test)]
mod tests {
    use super::width;

    #[test]
    fn widths_are_those_of_the_names() {
        let all = [
            ("i32_load", 4),
            ("f64_store", 8),
            ("i64_load32_s", 4),
            ("i32_store16", 2),
            ("v128_load", 16),
            ("v128_load16x4_u", 8),
            ("v128_load8_splat", 1),
            ("v128_load64_zero", 8),
            ("v128_store32_lane", 4),
        ];
        for (name, bytes) in all {
            assert_eq!(width(name), bytes, "{name}");
        }
    }
}
