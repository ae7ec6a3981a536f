//! Lowers a kernel to WebAssembly instructions.
//!
//! An address is a memory offset, into which the buffer's address and the constant part go, on top of a
//! *pointer*: the variable part of the affine offset. Every pointer has a local of its own, set where the
//! last of its variables is defined and, where that is a loop's, moved on by one addition per iteration;
//! addresses that differ only in buffer or constant share it. A loop variable that nothing else needs
//! has no local, the loop then ends where its first pointer does. Loops are tested at the bottom.

use std::collections::{BTreeMap, BTreeSet};

use rune_abi::WasmFeatures;
use wasm_encoder::{BlockType, Encode, Function, Instruction, MemArg, ValType};

use super::{
    Address, Affine, Code, Expr, Kernel, Load, Op, Stmt, Store, Ty, Var,
    code::{Base, Filling, Form},
};

/// The variable part of an address: variables with their factors, by rising variable.
type Terms = Vec<(Var, i32)>;

/// The function of a kernel, wherever its buffers will lie.
pub(super) fn code(kernel: &Kernel) -> Code {
    let mut uses = Uses::default();
    uses.body(&kernel.body);
    let mut lowering = Lowering {
        kernel,
        uses,
        locals: Vec::new(),
        variables: BTreeMap::new(),
        pointers: BTreeMap::new(),
        vectors: BTreeMap::new(),
        code: Vec::new(),
        gaps: Vec::new(),
    };
    lowering.vectors();
    lowering.body(&kernel.body);
    lowering.finish()
}

/// The features of the code [`code`] makes.
pub(super) fn features(kernel: &Kernel) -> WasmFeatures {
    fn expr(e: &Expr, found: &mut WasmFeatures) {
        let mut add = |feature| *found = found.union(feature);
        if e.ty().is_vector() {
            add(WasmFeatures::SIMD);
        }
        match e {
            Expr::Op(op, operands) => {
                if *op == Op::F32x4RelaxedMadd {
                    add(WasmFeatures::RELAXED_SIMD);
                }
                // What their functions widen with.
                if op.instruction().is_err() {
                    add(WasmFeatures::SIGN_EXT);
                }
                if matches!(
                    op,
                    Op::I32TruncSatF32S
                        | Op::I32TruncSatF64S
                        | Op::I64TruncSatF32S
                        | Op::I64TruncSatF64S
                ) {
                    add(WasmFeatures::SATURATING_FLOAT_TO_INT);
                }
                for operand in operands {
                    expr(operand, found);
                }
            }
            Expr::Select(parts) | Expr::Bitselect(parts) => {
                parts.iter().for_each(|e| expr(e, found));
            }
            Expr::Shuffle(_, parts) => parts.iter().for_each(|e| expr(e, found)),
            Expr::As(_, inner) | Expr::First(inner) => expr(inner, found),
            Expr::I32(_)
            | Expr::I64(_)
            | Expr::F32(_)
            | Expr::F64(_)
            | Expr::Vector(..)
            | Expr::Var(..)
            | Expr::Load(..) => {}
        }
    }
    fn body(statements: &[Stmt], found: &mut WasmFeatures) {
        for statement in statements {
            match statement {
                Stmt::Let(_, e) | Stmt::Set(_, e) | Stmt::Store(_, _, e) | Stmt::Leave(e) => {
                    expr(e, found);
                }
                Stmt::Fill { .. } | Stmt::Copy { .. } => {
                    *found = found.union(WasmFeatures::BULK_MEMORY);
                }
                Stmt::For { body: inner, .. } => body(inner, found),
                Stmt::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    expr(condition, found);
                    body(then, found);
                    body(otherwise, found);
                }
                Stmt::While {
                    before,
                    condition,
                    body: inner,
                } => {
                    body(before, found);
                    expr(condition, found);
                    body(inner, found);
                }
            }
        }
    }
    let mut found = WasmFeatures::default();
    body(&kernel.body, &mut found);
    found
}

/// What a kernel needs of its variables.
#[derive(Default)]
struct Uses {
    /// The pointers whose last variable this is.
    pointers: BTreeMap<Var, BTreeSet<Terms>>,
    /// The variables whose value is needed, not only pointers made of them.
    values: BTreeSet<Var>,
    /// How often each vector constant is written.
    vectors: BTreeMap<[u8; 16], u32>,
}

impl Uses {
    fn body(&mut self, statements: &[Stmt]) {
        for statement in statements {
            match statement {
                Stmt::Let(_, e) | Stmt::Leave(e) => self.expr(e),
                Stmt::Set(var, e) => {
                    self.values.insert(*var);
                    self.expr(e);
                }
                Stmt::Store(_, at, e) => {
                    self.terms(&at.offset.terms);
                    self.expr(e);
                }
                Stmt::Fill { at, .. } => self.terms(&at.offset.terms),
                Stmt::Copy { to, from, .. } => {
                    self.terms(&to.offset.terms);
                    self.terms(&from.offset.terms);
                }
                Stmt::For { from, to, body, .. } => {
                    let bounds = from.terms.iter().chain(&to.terms);
                    self.values.extend(bounds.map(|t| t.0));
                    self.body(body);
                }
                Stmt::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    self.expr(condition);
                    self.body(then);
                    self.body(otherwise);
                }
                Stmt::While {
                    before,
                    condition,
                    body,
                } => {
                    self.body(before);
                    self.expr(condition);
                    self.body(body);
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(var, _) => {
                self.values.insert(*var);
            }
            Expr::Load(_, at) => self.terms(&at.offset.terms),
            Expr::Op(_, operands) => operands.iter().for_each(|e| self.expr(e)),
            Expr::Select(parts) | Expr::Bitselect(parts) => {
                parts.iter().for_each(|e| self.expr(e));
            }
            Expr::Shuffle(_, parts) => parts.iter().for_each(|e| self.expr(e)),
            Expr::As(_, inner) | Expr::First(inner) => self.expr(inner),
            Expr::Vector(_, bytes) => *self.vectors.entry(*bytes).or_default() += 1,
            Expr::I32(_) | Expr::I64(_) | Expr::F32(_) | Expr::F64(_) => {}
        }
    }

    fn terms(&mut self, terms: &[(Var, i32)]) {
        match terms {
            [] => {}
            [(var, 1)] => {
                self.values.insert(*var);
            }
            [before @ .., (last, _)] => {
                self.pointers
                    .entry(*last)
                    .or_default()
                    .insert(terms.to_vec());
                self.terms(before);
            }
        }
    }
}

struct Lowering<'a> {
    kernel: &'a Kernel,
    uses: Uses,
    /// The type of each local.
    locals: Vec<ValType>,
    /// The local of each variable that has one.
    variables: BTreeMap<Var, u32>,
    /// The local of each pointer.
    pointers: BTreeMap<Terms, u32>,
    /// The local of each vector constant that has one.
    vectors: BTreeMap<[u8; 16], u32>,
    /// Instructions, with 0 for what depends on where something is.
    code: Vec<Instruction<'static>>,
    /// What goes there, by the position of the instruction.
    gaps: Vec<(usize, Filling)>,
}

impl Lowering<'_> {
    /// Puts vector constants that are written more than once, 18 bytes each time, into locals. That of
    /// zeros has its value from the start.
    fn vectors(&mut self) {
        let uses = std::mem::take(&mut self.uses.vectors);
        for (bytes, _) in uses.into_iter().filter(|(_, count)| *count > 1) {
            let local = self.local(ValType::V128);
            if bytes != [0; 16] {
                self.code.extend([
                    Instruction::V128Const(i128::from_le_bytes(bytes)),
                    Instruction::LocalSet(local),
                ]);
            }
            self.vectors.insert(bytes, local);
        }
    }

    fn body(&mut self, statements: &[Stmt]) {
        for statement in statements {
            match statement {
                Stmt::Let(var, value) => self.define(*var, value),
                Stmt::Set(var, value) => {
                    self.expr(value);
                    self.code.push(Instruction::LocalSet(self.variables[var]));
                }
                Stmt::Store(how, at, value) => self.store(*how, at, value),
                Stmt::Fill { at, byte, bytes } => {
                    self.whole_address(at);
                    self.code.extend([
                        Instruction::I32Const(i32::from(*byte)),
                        Instruction::I32Const(*bytes as i32),
                        Instruction::MemoryFill(0),
                    ]);
                }
                Stmt::Copy { to, from, bytes } => {
                    self.whole_address(to);
                    self.whole_address(from);
                    self.code.push(Instruction::I32Const(*bytes as i32));
                    self.depends(Form::Source, from);
                    self.code.push(Instruction::MemoryCopy {
                        src_mem: 0,
                        dst_mem: 0,
                    });
                }
                Stmt::For {
                    var,
                    from,
                    to,
                    step,
                    body,
                } => self.range(*var, from, to, *step, body),
                // The label of a loop is that of its next round, the block around it its end.
                Stmt::Leave(condition) => {
                    self.expr(condition);
                    self.code.push(Instruction::BrIf(1));
                }
                Stmt::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    self.expr(condition);
                    self.code.push(Instruction::If(BlockType::Empty));
                    self.body(then);
                    if !otherwise.is_empty() {
                        self.code.push(Instruction::Else);
                        self.body(otherwise);
                    }
                    self.code.push(Instruction::End);
                }
                Stmt::While {
                    before,
                    condition,
                    body,
                } => {
                    self.code.push(Instruction::Loop(BlockType::Empty));
                    self.body(before);
                    self.expr(condition);
                    self.code.push(Instruction::If(BlockType::Empty));
                    self.body(body);
                    self.code
                        .extend([Instruction::Br(1), Instruction::End, Instruction::End]);
                }
            }
        }
    }

    fn define(&mut self, var: Var, value: &Expr) {
        self.expr(value);
        let local = self.variable(var);
        self.code.push(Instruction::LocalSet(local));
        self.start_pointers(var, &Affine::var(var));
    }

    /// Sets the pointers that end with `var` to their value where `var` is `from`.
    fn start_pointers(&mut self, var: Var, from: &Affine) {
        for terms in self.pointers_of(var) {
            let (before, factor) = (&terms[..terms.len() - 1], terms[terms.len() - 1].1);
            self.affine(&(Affine::from(from) * factor as u32));
            if !before.is_empty() {
                let added = matches!(self.code.last(), Some(Instruction::I32Const(0)));
                if added {
                    self.code.pop();
                }
                self.pointer(before);
                if !added {
                    self.code.push(Instruction::I32Add);
                }
            }
            let local = self.local(ValType::I32);
            self.code.push(Instruction::LocalSet(local));
            self.pointers.insert(terms, local);
        }
    }

    fn pointers_of(&self, var: Var) -> Vec<Terms> {
        let pointers = self.uses.pointers.get(&var);
        pointers.into_iter().flatten().cloned().collect()
    }

    fn range(&mut self, var: Var, from: &Affine, to: &Affine, step: i32, body: &[Stmt]) {
        let constant = from.as_constant().zip(to.as_constant());
        if constant.is_none() {
            // A clipped range may be empty.
            self.affine(from);
            self.affine(to);
            self.code.push(Instruction::I32LtS);
            self.code.push(Instruction::If(BlockType::Empty));
        }
        self.start_pointers(var, from);
        let pointers: Vec<(u32, i32)> = self
            .pointers_of(var)
            .iter()
            .map(|terms| (self.pointers[terms], terms[terms.len() - 1].1))
            .collect();
        // Where the test looks: the variable, or the first pointer, and where that ends.
        let counts = self.uses.values.contains(&var) || pointers.is_empty();
        let (counter, end) = if counts {
            self.affine(from);
            let local = self.variable(var);
            self.code.push(Instruction::LocalSet(local));
            (local, self.operand(to))
        } else {
            let (pointer, factor) = pointers[0];
            let alone = self
                .pointers_of(var)
                .first()
                .is_some_and(|terms| terms.len() == 1);
            let end = match constant {
                Some((_, to)) if alone => Instruction::I32Const(to * factor),
                _ => {
                    self.code.push(Instruction::LocalGet(pointer));
                    let span = to.clone() + Affine::from(from) * -1i32 as u32;
                    self.affine(&(span * factor as u32));
                    self.code.push(Instruction::I32Add);
                    let local = self.local(ValType::I32);
                    self.code.push(Instruction::LocalSet(local));
                    Instruction::LocalGet(local)
                }
            };
            (pointer, end)
        };
        let leaves = body.iter().any(|s| matches!(s, Stmt::Leave(_)));
        if leaves {
            self.code.push(Instruction::Block(BlockType::Empty));
        }
        self.code.push(Instruction::Loop(BlockType::Empty));
        self.body(body);
        let moves = pointers
            .iter()
            .map(|(pointer, factor)| (*pointer, factor * step));
        let moves: Vec<(u32, i32)> = if counts {
            moves.chain([(counter, step)]).collect()
        } else {
            moves.rev().collect()
        };
        for (local, by) in moves {
            self.code.extend([
                Instruction::LocalGet(local),
                Instruction::I32Const(by),
                Instruction::I32Add,
                Instruction::LocalSet(local),
            ]);
        }
        self.code.extend([
            Instruction::LocalGet(counter),
            end,
            Instruction::I32LtS,
            Instruction::BrIf(0),
            Instruction::End,
        ]);
        if leaves {
            self.code.push(Instruction::End);
        }
        if constant.is_none() {
            self.code.push(Instruction::End);
        }
    }

    /// An instruction that gives the value of a bound again and again.
    fn operand(&mut self, bound: &Affine) -> Instruction<'static> {
        match (&bound.terms[..], bound.constant) {
            ([], constant) => Instruction::I32Const(constant),
            ([(var, 1)], 0) => Instruction::LocalGet(self.variables[var]),
            _ => {
                self.affine(bound);
                let local = self.local(ValType::I32);
                self.code.push(Instruction::LocalSet(local));
                Instruction::LocalGet(local)
            }
        }
    }

    fn affine(&mut self, affine: &Affine) {
        self.expr(&Expr::from(affine));
    }

    /// Pushes the variable part of an address.
    fn pointer(&mut self, terms: &[(Var, i32)]) {
        self.code.push(match terms {
            [] => Instruction::I32Const(0),
            [(var, 1)] => Instruction::LocalGet(self.variables[var]),
            _ => Instruction::LocalGet(self.pointers[terms]),
        });
    }

    /// Pushes an address as a whole.
    fn whole_address(&mut self, at: &Address) {
        if !at.offset.terms.is_empty() {
            self.pointer(&at.offset.terms);
        }
        self.depends(Form::Constant, at);
        self.code.push(Instruction::I32Const(0));
        if !at.offset.terms.is_empty() {
            self.code.push(Instruction::I32Add);
        }
    }

    /// Notes that the next instruction depends on the constant part of an address, or that others may go
    /// before it.
    fn depends(&mut self, form: Form, at: &Address) {
        let base = Base {
            buffer: at.buffer,
            constant: at.offset.constant,
        };
        self.gaps
            .push((self.code.len(), Filling::Address(form, base)));
    }

    /// Pushes the variable part of an address. The constant part will be the offset of an instruction, which
    /// [depends](Self::depends) on it.
    fn place(&mut self, at: &Address, bytes: u32) -> MemArg {
        self.pointer(&at.offset.terms);
        // A window's padding can make the constant part negative, but never the whole address.
        if at.offset.constant < 0 {
            self.depends(Form::Addition, at);
        }
        MemArg {
            offset: 0,
            align: bytes.trailing_zeros(),
            target: wasm_encoder::MemArgTarget::default(),
            ordering: None,
        }
    }

    fn store(&mut self, how: Store, at: &Address, value: &Expr) {
        let ty = value.ty();
        let bytes = match how {
            Store::Whole => lane_bytes(ty),
            Store::I8 => 1,
            Store::I16 => 2,
            Store::Lane { bytes, .. } => u32::from(bytes).min(4),
        };
        let memarg = self.place(at, bytes);
        self.expr(value);
        self.depends(Form::Offset, at);
        self.code.push(match how {
            Store::Whole => match ty {
                Ty::I32 => Instruction::I32Store(memarg),
                Ty::I64 => Instruction::I64Store(memarg),
                Ty::F32 => Instruction::F32Store(memarg),
                Ty::F64 => Instruction::F64Store(memarg),
                Ty::I8x16 | Ty::I16x8 | Ty::I32x4 | Ty::I64x2 | Ty::F32x4 => {
                    Instruction::V128Store(memarg)
                }
            },
            Store::I8 => Instruction::I32Store8(memarg),
            Store::I16 => Instruction::I32Store16(memarg),
            Store::Lane { bytes: 1, lane } => Instruction::V128Store8Lane { memarg, lane },
            Store::Lane { bytes: 2, lane } => Instruction::V128Store16Lane { memarg, lane },
            Store::Lane { bytes: 4, lane } => Instruction::V128Store32Lane { memarg, lane },
            Store::Lane { lane, .. } => Instruction::V128Store64Lane { memarg, lane },
        });
    }

    fn load(&mut self, load: Load, at: &Address) {
        let memarg = self.place(
            at,
            match load {
                Load::Whole(ty) | Load::Splat32(ty) => lane_bytes(ty),
                Load::I16 | Load::U16 | Load::I16x4 => 2,
                Load::I32x2 | Load::Zero32(_) | Load::Zero64(_) => 4,
                Load::I8 | Load::U8 | Load::Splat16 | Load::Splat8 | Load::I8x8 | Load::U8x8 => 1,
            },
        );
        self.depends(Form::Offset, at);
        self.code.push(match load {
            Load::Whole(Ty::I32) => Instruction::I32Load(memarg),
            Load::Whole(Ty::I64) => Instruction::I64Load(memarg),
            Load::Whole(Ty::F32) => Instruction::F32Load(memarg),
            Load::Whole(Ty::F64) => Instruction::F64Load(memarg),
            Load::Whole(_) => Instruction::V128Load(memarg),
            Load::I8 => Instruction::I32Load8S(memarg),
            Load::U8 => Instruction::I32Load8U(memarg),
            Load::I16 => Instruction::I32Load16S(memarg),
            Load::U16 => Instruction::I32Load16U(memarg),
            Load::Splat32(_) => Instruction::V128Load32Splat(memarg),
            Load::Splat16 => Instruction::V128Load16Splat(memarg),
            Load::Splat8 => Instruction::V128Load8Splat(memarg),
            Load::I8x8 => Instruction::V128Load8x8S(memarg),
            Load::U8x8 => Instruction::V128Load8x8U(memarg),
            Load::I16x4 => Instruction::V128Load16x4S(memarg),
            Load::I32x2 => Instruction::V128Load32x2S(memarg),
            Load::Zero32(_) => Instruction::V128Load32Zero(memarg),
            Load::Zero64(_) => Instruction::V128Load64Zero(memarg),
        });
    }

    fn expr(&mut self, expr: &Expr) {
        let instruction = match expr {
            Expr::I32(value) => Instruction::I32Const(*value),
            Expr::I64(value) => Instruction::I64Const(*value),
            Expr::F32(bits) => Instruction::F32Const(f32::from_bits(*bits).into()),
            Expr::F64(bits) => Instruction::F64Const(f64::from_bits(*bits).into()),
            Expr::Vector(_, bytes) => match self.vectors.get(bytes) {
                Some(local) => Instruction::LocalGet(*local),
                None => Instruction::V128Const(i128::from_le_bytes(*bytes)),
            },
            Expr::Var(var, _) => Instruction::LocalGet(self.variables[var]),
            Expr::Load(load, at) => return self.load(*load, at),
            Expr::Op(op, operands) => {
                for operand in operands {
                    self.expr(operand);
                }
                op.instruction().unwrap_or_else(|intrinsic| {
                    let gap = Filling::Function(intrinsic);
                    self.gaps.push((self.code.len(), gap));
                    Instruction::Call(0)
                })
            }
            Expr::Select(parts) | Expr::Bitselect(parts) => {
                let [condition, yes, no] = &**parts;
                for part in [yes, no, condition] {
                    self.expr(part);
                }
                if matches!(expr, Expr::Select(_)) {
                    Instruction::Select
                } else {
                    Instruction::V128Bitselect
                }
            }
            Expr::Shuffle(lanes, parts) => {
                parts.iter().for_each(|e| self.expr(e));
                Instruction::I8x16Shuffle(*lanes)
            }
            Expr::As(_, inner) => return self.expr(inner),
            Expr::First(inner) => {
                self.expr(inner);
                if inner.ty() == Ty::I64x2 {
                    Instruction::I64x2ExtractLane(0)
                } else {
                    Instruction::I32x4ExtractLane(0)
                }
            }
        };
        self.code.push(instruction);
    }

    fn variable(&mut self, var: Var) -> u32 {
        let local = self.local(machine(self.kernel.variables[var.0 as usize].ty));
        self.variables.insert(var, local);
        local
    }

    fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.locals.len() as u32 - 1
    }

    /// The function, with locals grouped by type and stores followed by loads of one local merged.
    fn finish(self) -> Code {
        let mut order: Vec<u32> = (0..self.locals.len() as u32).collect();
        let key = |local: &u32| match self.locals[*local as usize] {
            ValType::I32 => 0,
            ValType::I64 => 1,
            ValType::F32 => 2,
            ValType::F64 => 3,
            ValType::V128 | ValType::Ref(_) => 4,
        };
        order.sort_by_key(key);
        let mut new = vec![0; order.len()];
        for (to, from) in order.iter().enumerate() {
            new[*from as usize] = to as u32;
        }
        let types = order.iter().map(|local| self.locals[*local as usize]);
        let mut code = Code::new(Function::new_with_locals_types(types).into_raw_body());
        let mut gaps = self.gaps.into_iter().peekable();
        let mut instructions = self.code.into_iter().enumerate().peekable();
        while let Some((index, mut instruction)) = instructions.next() {
            if let Instruction::LocalSet(set) = instruction {
                let same = |(_, i): &(usize, Instruction<'_>)| matches!(i, Instruction::LocalGet(l) if *l == set);
                if instructions.next_if(same).is_some() {
                    instruction = Instruction::LocalTee(set);
                }
            }
            if let Instruction::LocalGet(local)
            | Instruction::LocalSet(local)
            | Instruction::LocalTee(local) = &mut instruction
            {
                *local = new[*local as usize];
            }
            let before = |gap: &(usize, Filling)| {
                gap.0 == index && matches!(gap.1, Filling::Address(Form::Addition, _))
            };
            if let Some((_, filling)) = gaps.next_if(before) {
                code.leave(filling, 0);
            }
            instruction.encode(code.bytes());
            if let Some((_, filling)) = gaps.next_if(|gap| gap.0 == index) {
                // The 0 is one byte, and the last one but for the number of a lane.
                code.leave(filling, usize::from(has_lane(&instruction)));
            }
        }
        Instruction::End.encode(code.bytes());
        code.shrink();
        code
    }
}

/// Whether an instruction that accesses memory names a lane behind the offset.
fn has_lane(instruction: &Instruction<'_>) -> bool {
    matches!(
        instruction,
        Instruction::V128Store8Lane { .. }
            | Instruction::V128Store16Lane { .. }
            | Instruction::V128Store32Lane { .. }
            | Instruction::V128Store64Lane { .. }
    )
}

/// The machine type of a value.
fn machine(ty: Ty) -> ValType {
    match ty {
        Ty::I32 => ValType::I32,
        Ty::I64 => ValType::I64,
        Ty::F32 => ValType::F32,
        Ty::F64 => ValType::F64,
        Ty::I8x16 | Ty::I16x8 | Ty::I32x4 | Ty::I64x2 | Ty::F32x4 => ValType::V128,
    }
}

/// The alignment an address of such a value surely has: that of a lane.
fn lane_bytes(ty: Ty) -> u32 {
    match ty {
        Ty::I8x16 => 1,
        Ty::I16x8 => 2,
        Ty::I32 | Ty::F32 | Ty::I32x4 | Ty::F32x4 => 4,
        Ty::I64 | Ty::F64 | Ty::I64x2 => 8,
    }
}
