//! What stands on the operand stack while translating: an expression of C without effect that cannot trap.

use std::fmt::Write as _;

use crate::module::{Constant, Ty};

/// How an expression may be put into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A name, a number or a call: as it is.
    Atom,
    /// In parentheses.
    Compound,
    /// A comparison, of type `int` in C and i32 in WebAssembly.
    Condition,
}

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) ty: Ty,
    pub(crate) text: String,
    pub(crate) form: Form,
    /// The locals it reads, which may change before it is used.
    pub(crate) locals: Vec<u32>,
    /// How deep it is nested.
    pub(crate) depth: u32,
    /// An i32 that is known.
    pub(crate) known: Option<u32>,
}

/// Longer or deeper expressions are kept in a variable: compilers have limits, and readers too.
const LONGEST: usize = 240;
const DEEPEST: u32 = 24;

impl Value {
    pub(crate) fn atom(ty: Ty, text: String) -> Self {
        Self {
            ty,
            text,
            form: Form::Atom,
            locals: Vec::new(),
            depth: 0,
            known: None,
        }
    }

    pub(crate) fn local(ty: Ty, index: u32) -> Self {
        Self {
            locals: vec![index],
            ..Self::atom(ty, format!("l{index}"))
        }
    }

    pub(crate) fn constant(value: Constant) -> Self {
        let (ty, text) = literal(value);
        let known = match value {
            Constant::I32(value) => Some(value),
            Constant::I64(_) | Constant::F32(_) | Constant::F64(_) | Constant::V128(_) => None,
        };
        Self {
            // A negative number is no primary expression.
            form: if text.starts_with('-') {
                Form::Compound
            } else {
                Form::Atom
            },
            known,
            ..Self::atom(ty, text)
        }
    }

    /// An expression of others: in `pattern`, `$0` stands for the first one as an operand and `@0` as an argument.
    pub(crate) fn of(ty: Ty, form: Form, pattern: &str, parts: &[&Self]) -> Self {
        let mut text = String::with_capacity(pattern.len() + 16);
        let mut chars = pattern.chars();
        while let Some(char) = chars.next() {
            match (char, chars.clone().next().and_then(|c| c.to_digit(10))) {
                ('$', Some(index)) => {
                    parts[index as usize].operand(&mut text);
                    chars.next();
                }
                ('@', Some(index)) => {
                    text.push_str(&parts[index as usize].text);
                    chars.next();
                }
                (char, _) => text.push(char),
            }
        }
        let mut locals: Vec<u32> = parts.iter().flat_map(|p| &p.locals).copied().collect();
        locals.sort_unstable();
        locals.dedup();
        Self {
            ty,
            text,
            form,
            locals,
            depth: 1 + parts.iter().map(|p| p.depth).max().unwrap_or(0),
            known: None,
        }
    }

    fn operand(&self, out: &mut String) {
        let written = match self.form {
            Form::Atom => write!(out, "{}", self.text),
            Form::Compound => write!(out, "({})", self.text),
            Form::Condition => write!(out, "(uint32_t)({})", self.text),
        };
        written.expect("a text takes all");
    }

    /// Whether it is 0: an expression for it.
    pub(crate) fn is_zero(&self) -> Self {
        let pattern = match (self.form, self.ty) {
            (Form::Condition, _) => "!(@0)",
            (_, Ty::I64) => "$0 == 0",
            _ => "$0 == 0u",
        };
        Self::of(Ty::I32, Form::Condition, pattern, &[self])
    }

    /// Itself as what C takes for a truth.
    pub(crate) fn condition(mut self) -> Self {
        if self.form == Form::Condition {
            self.form = Form::Atom;
        }
        self
    }

    /// Whether it should get a variable of its own.
    pub(crate) fn is_large(&self) -> bool {
        self.text.len() > LONGEST || self.depth > DEEPEST
    }
}

/// A constant as C.
pub(crate) fn literal(value: Constant) -> (Ty, String) {
    match value {
        Constant::I32(value) => (Ty::I32, format!("{value}u")),
        Constant::I64(value) => (Ty::I64, format!("UINT64_C({value})")),
        Constant::F32(bits) => (Ty::F32, float(bits)),
        Constant::F64(bits) => (Ty::F64, double(bits)),
        Constant::V128(bytes) => {
            let (low, high) = bytes.split_at(8);
            let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("half of 16"));
            let text = format!(
                "r_v128_const(UINT64_C(0x{:x}), UINT64_C(0x{:x}))",
                half(low),
                half(high)
            );
            (Ty::V128, text)
        }
    }
}

/// Hexadecimal, so that every bit is kept; what is not finite by its bits.
fn float(bits: u32) -> String {
    let (exponent, mantissa) = (bits >> 23 & 0xff, bits & 0x7f_ffff);
    let sign = if bits >> 31 == 1 { "-" } else { "" };
    match (exponent, mantissa) {
        (0xff, _) => format!("r_f32_bits(0x{bits:08x}u)"),
        (0, 0) => format!("{sign}0.0f"),
        (0, _) => format!("{sign}0x0.{:06x}p-126f", mantissa << 1),
        _ => format!("{sign}0x1.{:06x}p{}f", mantissa << 1, exponent as i32 - 127),
    }
}

fn double(bits: u64) -> String {
    let (exponent, mantissa) = (bits >> 52 & 0x7ff, bits & 0xf_ffff_ffff_ffff);
    let sign = if bits >> 63 == 1 { "-" } else { "" };
    match (exponent, mantissa) {
        (0x7ff, _) => format!("r_f64_bits(UINT64_C(0x{bits:016x}))"),
        (0, 0) => format!("{sign}0.0"),
        (0, _) => format!("{sign}0x0.{mantissa:013x}p-1022"),
        _ => format!("{sign}0x1.{mantissa:013x}p{}", exponent as i64 - 1023),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_every_bit() {
        assert_eq!(float(1.5f32.to_bits()), "0x1.800000p0f");
        assert_eq!(float(0x8000_0000), "-0.0f");
        assert_eq!(float(1), "0x0.000002p-126f");
        assert_eq!(float(0x7fc0_0001), "r_f32_bits(0x7fc00001u)");
        assert_eq!(double((-0.1f64).to_bits()), "-0x1.999999999999ap-4");
        assert_eq!(double(1), "0x0.0000000000001p-1022");
    }

    #[test]
    fn operands_are_parenthesised_where_they_must_be() {
        let a = Value::local(Ty::I32, 0);
        let sum = Value::of(Ty::I32, Form::Compound, "$0 + $1", &[&a, &a]);
        let less = Value::of(Ty::I32, Form::Condition, "$0 < $1", &[&sum, &a]);
        let of = Value::of(Ty::I32, Form::Compound, "$0 - r_f(@1, @0)", &[&less, &sum]);
        assert_eq!(
            of.text,
            "(uint32_t)((l0 + l0) < l0) - r_f(l0 + l0, (l0 + l0) < l0)"
        );
        assert_eq!((of.locals, of.depth), (vec![0], 3));
    }
}
