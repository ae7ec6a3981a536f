//! The text form of a kernel, for people and for snapshots.

use std::fmt::{self, Display, Formatter};

use super::{Address, Affine, Expr, Kernel, Load, Role, Stmt, Store, Ty, Var};

impl Display for Kernel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "kernel {}(", self.name)?;
        for (i, operand) in self.operands.iter().enumerate() {
            let role = match operand.role {
                Role::Read => "read",
                Role::Write => "write",
                Role::Keep => "keep",
            };
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{role} {} {:?}", operand.name, operand.buffer)?;
        }
        f.write_str(") {\n")?;
        self.body(f, &self.body, 1)?;
        f.write_str("}\n")
    }
}

/// A value shown the way `.0` writes it.
struct Show<F>(F);

impl<F: Fn(&mut Formatter<'_>) -> fmt::Result> Display for Show<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

impl Kernel {
    fn body(&self, f: &mut Formatter<'_>, statements: &[Stmt], depth: usize) -> fmt::Result {
        for statement in statements {
            write!(f, "{:1$}", "", 2 * depth)?;
            match statement {
                Stmt::Let(var, value) => {
                    let ty = value.ty().name();
                    writeln!(f, "let {}: {ty} = {}", self.var(*var), self.expr(value, 0))?;
                }
                Stmt::Set(var, value) => {
                    writeln!(f, "{} = {}", self.var(*var), self.expr(value, 0))?;
                }
                Stmt::Store(how, at, value) => {
                    let at = self.place(at);
                    let value_text = self.expr(value, 0);
                    match how {
                        Store::Whole => writeln!(f, "{at}.{} = {value_text}", value.ty().name())?,
                        Store::I8 => writeln!(f, "{at}.i8 = {value_text}")?,
                        Store::I16 => writeln!(f, "{at}.i16 = {value_text}")?,
                        Store::Lane { bytes, lane } => {
                            let bits = 8 * bytes;
                            writeln!(f, "{at}.i{bits} = lane {lane} of {value_text}")?;
                        }
                    }
                }
                Stmt::Fill { at, byte, bytes } => {
                    writeln!(f, "fill {bytes} bytes of {} with {byte}", self.place(at))?;
                }
                Stmt::Copy { to, from, bytes } => {
                    let (to, from) = (self.place(to), self.place(from));
                    writeln!(f, "copy {bytes} bytes of {from} to {to}")?;
                }
                Stmt::Leave(condition) => {
                    writeln!(f, "leave if {}", self.expr(condition, 0))?;
                }
                Stmt::For {
                    var,
                    from,
                    to,
                    step,
                    body,
                } => {
                    let (from, to) = (self.affine(from), self.affine(to));
                    write!(f, "for {} in {from}..{to}", self.var(*var))?;
                    if *step != 1 {
                        write!(f, " step {step}")?;
                    }
                    f.write_str(" {\n")?;
                    self.body(f, body, depth + 1)?;
                    writeln!(f, "{:1$}}}", "", 2 * depth)?;
                }
                Stmt::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    writeln!(f, "if {} {{", self.expr(condition, 0))?;
                    self.body(f, then, depth + 1)?;
                    if !otherwise.is_empty() {
                        writeln!(f, "{:1$}}} else {{", "", 2 * depth)?;
                        self.body(f, otherwise, depth + 1)?;
                    }
                    writeln!(f, "{:1$}}}", "", 2 * depth)?;
                }
                Stmt::While {
                    before,
                    condition,
                    body,
                } => {
                    f.write_str("loop {\n")?;
                    self.body(f, before, depth + 1)?;
                    let condition = self.expr(condition, 0);
                    writeln!(f, "{:1$}}} while {condition} {{", "", 2 * depth)?;
                    self.body(f, body, depth + 1)?;
                    writeln!(f, "{:1$}}}", "", 2 * depth)?;
                }
            }
        }
        Ok(())
    }

    /// A variable's name, with its number where an earlier one has the same.
    fn var(&self, var: Var) -> impl Display {
        let index = var.0 as usize;
        let name = self.variables[index].name;
        let shared = self.variables.iter().filter(|v| v.name == name).count() > 1;
        Show(move |f: &mut Formatter<'_>| {
            f.write_str(name)?;
            if shared { write!(f, "{index}") } else { Ok(()) }
        })
    }

    fn affine<'a>(&'a self, affine: &'a Affine) -> impl Display + 'a {
        Show(move |f: &mut Formatter<'_>| {
            for (i, (var, factor)) in affine.terms.iter().enumerate() {
                let plus = if i > 0 { " + " } else { "" };
                write!(f, "{plus}{}", self.var(*var))?;
                if *factor != 1 {
                    write!(f, "*{factor}")?;
                }
            }
            match affine.constant {
                constant if affine.terms.is_empty() => write!(f, "{constant}"),
                0 => Ok(()),
                constant if constant < 0 => write!(f, " - {}", constant.unsigned_abs()),
                constant => write!(f, " + {constant}"),
            }
        })
    }

    fn place<'a>(&'a self, at: &'a Address) -> impl Display + 'a {
        let name = self
            .operands
            .iter()
            .find(|o| o.buffer == at.buffer)
            .map_or("?", |o| o.name);
        Show(move |f: &mut Formatter<'_>| write!(f, "{name}[{}]", self.affine(&at.offset)))
    }

    /// An expression; between the operands of another it is in parentheses if it has a symbol itself.
    fn expr<'a>(&'a self, expr: &'a Expr, depth: u32) -> Box<dyn Display + 'a> {
        let inner = move |e: &'a Expr| self.expr(e, depth + 1);
        match expr {
            Expr::I32(value) => Box::new(value),
            Expr::I64(value) => Box::new(value),
            Expr::F32(bits) => Box::new(Show(move |f: &mut Formatter<'_>| {
                write!(f, "{:?}", f32::from_bits(*bits))
            })),
            Expr::F64(bits) => Box::new(Show(move |f: &mut Formatter<'_>| {
                write!(f, "{:?}", f64::from_bits(*bits))
            })),
            Expr::Vector(ty, bytes) => {
                Box::new(Show(move |f: &mut Formatter<'_>| vector(f, *ty, bytes)))
            }
            Expr::Var(var, _) => Box::new(self.var(*var)),
            Expr::Load(load, at) => Box::new(Show(move |f: &mut Formatter<'_>| {
                write!(f, "{}.{}", self.place(at), load_name(*load))
            })),
            Expr::Op(op, operands) => Box::new(Show(move |f: &mut Formatter<'_>| {
                let symbol = !op.text().starts_with(char::is_alphabetic);
                match &operands[..] {
                    [a, b] if symbol && depth == 0 => {
                        write!(f, "{} {} {}", inner(a), op.text(), inner(b))
                    }
                    [a, b] if symbol => write!(f, "({} {} {})", inner(a), op.text(), inner(b)),
                    operands => {
                        write!(f, "{}(", op.text())?;
                        for (i, operand) in operands.iter().enumerate() {
                            let comma = if i > 0 { ", " } else { "" };
                            write!(f, "{comma}{}", self.expr(operand, 0))?;
                        }
                        f.write_str(")")
                    }
                }
            })),
            Expr::Select(parts) | Expr::Bitselect(parts) => {
                let [condition, yes, no] = &**parts;
                Box::new(Show(move |f: &mut Formatter<'_>| {
                    let (yes, no) = (self.expr(yes, 0), self.expr(no, 0));
                    write!(f, "select({}, {yes}, {no})", self.expr(condition, 0))
                }))
            }
            Expr::Shuffle(lanes, parts) => {
                let [a, b] = &**parts;
                Box::new(Show(move |f: &mut Formatter<'_>| {
                    write!(f, "shuffle({}, {}, ", self.expr(a, 0), self.expr(b, 0))?;
                    for lane in lanes {
                        write!(f, "{lane:02x}")?;
                    }
                    f.write_str(")")
                }))
            }
            Expr::As(_, value) => self.expr(value, depth),
            Expr::First(value) => Box::new(Show(move |f: &mut Formatter<'_>| {
                write!(f, "first({})", self.expr(value, 0))
            })),
        }
    }
}

/// A vector constant: one lane where all are equal.
fn vector(f: &mut Formatter<'_>, ty: Ty, bytes: &[u8; 16]) -> fmt::Result {
    if let ([low, high], []) = bytes.as_chunks::<8>()
        && ty == Ty::I64x2
        && low == high
    {
        return write!(f, "{}", i64::from_le_bytes(*low));
    }
    let words = || bytes.chunks_exact(4).map(|c| [c[0], c[1], c[2], c[3]]);
    let first = [bytes[0], bytes[1], bytes[2], bytes[3]];
    if !words().all(|w| w == first) {
        f.write_str("lanes")?;
        return bytes.iter().try_for_each(|b| write!(f, " {b:02x}"));
    }
    if ty == Ty::F32x4 {
        write!(f, "{:?}", f32::from_le_bytes(first))
    } else if ty == Ty::I16x8 && first[..2] == first[2..] {
        write!(f, "{}", i16::from_le_bytes([first[0], first[1]]))
    } else if ty == Ty::I8x16 && first == [first[0]; 4] {
        write!(f, "{}", first[0] as i8)
    } else {
        write!(f, "{}", i32::from_le_bytes(first))
    }
}

fn load_name(load: Load) -> &'static str {
    match load {
        Load::Whole(ty) => ty.name(),
        Load::I8 => "i8",
        Load::U8 => "u8",
        Load::I16 => "i16",
        Load::U16 => "u16",
        Load::Splat32(_) => "splat32",
        Load::Splat16 => "splat16",
        Load::Splat8 => "splat8",
        Load::I8x8 => "i8x8",
        Load::U8x8 => "u8x8",
        Load::I16x4 => "i16x4",
        Load::I32x2 => "i32x2",
        Load::Zero32(_) => "zero32",
        Load::Zero64(_) => "zero64",
    }
}
