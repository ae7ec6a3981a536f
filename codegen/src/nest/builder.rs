//! Writes a kernel statement by statement, with closures for bodies.

use rune_ir::arena::Id;

use super::{
    Address, Affine, Buffer, Expr, Kernel, Operand, Role, Stmt, Store, Ty, Var, Variable, rename,
};

/// A kernel being written.
#[derive(Debug)]
pub struct Builder {
    kernel: Kernel,
}

impl Builder {
    /// An empty kernel for an operator.
    pub fn new(name: &str) -> Self {
        Self {
            kernel: Kernel {
                name: name.to_owned(),
                operands: Vec::new(),
                variables: Vec::new(),
                body: Vec::new(),
            },
        }
    }

    /// Says that the kernel uses a buffer, under which name and how. A buffer that is used twice keeps the
    /// first name, and is one that it writes where either use writes it.
    pub fn operand(&mut self, role: Role, name: &'static str, buffer: Id<Buffer>) {
        let known = self.kernel.operands.iter_mut().find(|o| o.buffer == buffer);
        match known {
            Some(known) if known.role == Role::Read => known.role = role,
            Some(_) => {}
            None => self.kernel.operands.push(Operand { name, buffer, role }),
        }
    }

    /// The finished kernel.
    pub fn finish(self) -> Kernel {
        self.kernel
    }

    fn define(&mut self, name: &'static str, ty: Ty) -> Var {
        self.kernel.variables.push(Variable { name, ty });
        Var(self.kernel.variables.len() as u32 - 1)
    }

    /// Computes a value once, to use it often. A variable stands for itself: what it is then set to shows.
    pub fn value(&mut self, name: &'static str, value: Expr) -> Expr {
        if matches!(value, Expr::Var(..)) {
            return value;
        }
        self.accumulator(name, value)
    }

    /// A variable that [`set`](Self::set) may change.
    pub fn accumulator(&mut self, name: &'static str, value: Expr) -> Expr {
        let ty = value.ty();
        let var = self.define(name, ty);
        self.kernel.body.push(Stmt::Let(var, value));
        Expr::Var(var, ty)
    }

    /// Computes an i32 once, to use it in addresses and bounds.
    pub fn index(&mut self, name: &'static str, value: Expr) -> Affine {
        if let Expr::I32(constant) = value {
            return constant.into();
        }
        assert_eq!(value.ty(), Ty::I32, "an index is an i32");
        let var = self.define(name, Ty::I32);
        self.kernel.body.push(Stmt::Let(var, value));
        Affine::var(var)
    }

    /// Gives an accumulator another value.
    pub fn set(&mut self, accumulator: &Expr, value: Expr) {
        let Expr::Var(var, ty) = accumulator else {
            unreachable!("only an accumulator can be set")
        };
        assert_eq!(*ty, value.ty(), "a value of the accumulator's type");
        self.kernel.body.push(Stmt::Set(*var, value));
    }

    /// Writes memory.
    pub fn store(&mut self, how: Store, at: Address, value: Expr) {
        self.kernel.body.push(Stmt::Store(how, at, value));
    }

    /// Sets so many bytes of memory to `byte`.
    pub fn fill(&mut self, at: Address, byte: u8, bytes: u32) {
        self.kernel.body.push(Stmt::Fill { at, byte, bytes });
    }

    /// Copies so many bytes of one buffer to another.
    pub fn copy(&mut self, to: Address, from: Address, bytes: u32) {
        self.kernel.body.push(Stmt::Copy { to, from, bytes });
    }

    /// Runs `body` with a variable from `from` in steps of `step` while it is below `to`. A body that
    /// runs exactly once gets the constant, one that never runs is left out.
    pub fn range(
        &mut self,
        name: &'static str,
        from: impl Into<Affine>,
        to: impl Into<Affine>,
        step: u32,
        body: impl FnOnce(&mut Self, &Affine),
    ) {
        let (from, to) = (from.into(), to.into());
        if let (Some(first), Some(end)) = (from.as_constant(), to.as_constant()) {
            if first >= end {
                return;
            }
            if first + step as i32 >= end {
                return body(self, &from);
            }
        }
        let var = self.define(name, Ty::I32);
        let body = self.nested(|b| body(b, &Affine::var(var)));
        self.kernel.body.push(Stmt::For {
            var,
            from,
            to,
            step: step as i32,
            body,
        });
    }

    /// As [`range`](Self::range), but `body` is written so many `times` for each round of the loop: what a
    /// round costs, which is saving all vectors where a runtime may interrupt it, is shared by them.
    ///
    /// Between two of them the loop ends where its end is reached. Where it cannot be, the test still keeps a
    /// compiler from doing the loads of all of them first.
    pub fn unrolled(
        &mut self,
        name: &'static str,
        (from, to): (&Affine, &Affine),
        step: u32,
        times: u32,
        mut body: impl FnMut(&mut Self, &Affine),
    ) {
        if let (Some(first), Some(end)) = (from.as_constant(), to.as_constant())
            && (end - first).max(0).cast_unsigned() <= step * times
        {
            for at in (first..end).step_by(step as usize) {
                body(self, &at.into());
            }
            return;
        }
        self.range(name, from, to, step * times, |b, var| {
            for time in 0..times {
                let at = var + step * time;
                if time > 0 {
                    let last = Expr::from(&(to.clone() + -1));
                    b.leave(last.lt(Expr::from(&at)));
                }
                body(b, &at);
            }
        });
    }

    /// Runs `body`, under a condition that always holds: `index`, a loop's, is not negative. A compiler that
    /// orders the code between two branches anew then does not do the loads of many bodies first.
    pub fn apart(&mut self, index: Option<&Affine>, body: impl FnOnce(&mut Self)) {
        let Some(index) = index else {
            return body(self);
        };
        let holds = Expr::I32(-1).lt(Expr::from(index));
        self.branch(holds, body, |_| {});
    }

    /// Ends the loop whose body this is, if `condition` is not 0.
    fn leave(&mut self, condition: Expr) {
        self.kernel.body.push(Stmt::Leave(condition));
    }

    /// Runs `body` for every index below `count`.
    pub fn each(&mut self, name: &'static str, count: u32, body: impl FnOnce(&mut Self, &Affine)) {
        self.range(name, 0, count, 1, body);
    }

    /// Runs `then` where `condition` is not 0, else `otherwise`.
    pub fn branch(
        &mut self,
        condition: Expr,
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        let then = self.nested(then);
        let otherwise = self.nested(otherwise);
        self.kernel.body.push(Stmt::If {
            condition,
            then,
            otherwise,
        });
    }

    /// Runs `body` for as long as the condition that `test` computes is not 0.
    pub fn repeat(&mut self, test: impl FnOnce(&mut Self) -> Expr, body: impl FnOnce(&mut Self)) {
        let mut condition = None;
        let before = self.nested(|b| condition = Some(test(b)));
        let body = self.nested(body);
        self.kernel.body.push(Stmt::While {
            before,
            condition: condition.expect("the test was run"),
            body,
        });
    }

    /// Does what another kernel does, at this place.
    pub fn inline(&mut self, kernel: Kernel) {
        let base = self.kernel.variables.len() as u32;
        for Operand { name, buffer, role } in kernel.operands {
            self.operand(role, name, buffer);
        }
        self.kernel.variables.extend(kernel.variables);
        let mut body = kernel.body;
        rename::body(&mut body, base);
        self.kernel.body.extend(body);
    }

    fn nested(&mut self, body: impl FnOnce(&mut Self)) -> Vec<Stmt> {
        let outer = std::mem::take(&mut self.kernel.body);
        body(self);
        std::mem::replace(&mut self.kernel.body, outer)
    }
}
