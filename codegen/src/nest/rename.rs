//! Gives the variables of statements other numbers, so that one kernel can become part of another.

use super::{Address, Affine, Expr, Stmt, Var};

/// Adds `base` to the number of every variable. Their order stays, and with it that of affine terms.
pub(super) fn body(statements: &mut [Stmt], base: u32) {
    for statement in statements {
        match statement {
            Stmt::Let(var, e) | Stmt::Set(var, e) => {
                variable(var, base);
                expr(e, base);
            }
            Stmt::Store(_, at, e) => {
                address(at, base);
                expr(e, base);
            }
            Stmt::Leave(condition) => expr(condition, base),
            Stmt::Fill { at, .. } => address(at, base),
            Stmt::Copy { to, from, .. } => {
                address(to, base);
                address(from, base);
            }
            Stmt::For {
                var,
                from,
                to,
                body: inner,
                ..
            } => {
                variable(var, base);
                affine(from, base);
                affine(to, base);
                body(inner, base);
            }
            Stmt::If {
                condition,
                then,
                otherwise,
            } => {
                expr(condition, base);
                body(then, base);
                body(otherwise, base);
            }
            Stmt::While {
                before,
                condition,
                body: inner,
            } => {
                body(before, base);
                expr(condition, base);
                body(inner, base);
            }
        }
    }
}

fn variable(var: &mut Var, base: u32) {
    var.0 += base;
}

fn affine(affine: &mut Affine, base: u32) {
    for (var, _) in &mut affine.terms {
        variable(var, base);
    }
}

fn address(at: &mut Address, base: u32) {
    affine(&mut at.offset, base);
}

fn expr(e: &mut Expr, base: u32) {
    match e {
        Expr::Var(var, _) => variable(var, base),
        Expr::Load(_, at) => address(at, base),
        Expr::Op(_, operands) => operands.iter_mut().for_each(|e| expr(e, base)),
        Expr::Select(parts) | Expr::Bitselect(parts) => {
            parts.iter_mut().for_each(|e| expr(e, base));
        }
        Expr::Shuffle(_, parts) => parts.iter_mut().for_each(|e| expr(e, base)),
        Expr::As(_, inner) | Expr::First(inner) => expr(inner, base),
        Expr::I32(_) | Expr::I64(_) | Expr::F32(_) | Expr::F64(_) | Expr::Vector(..) => {}
    }
}
