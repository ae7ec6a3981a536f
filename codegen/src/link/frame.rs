//! What one function does to the shadow stack.
//!
//! Compilers reserve stack by moving the global `__stack_pointer` down and back up. A body is run
//! abstractly, once, over values that are a constant, a distance from the stack pointer at entry, or
//! anything; Wasm's structured control flow makes one pass enough, since a loop can change only what is
//! assigned in it. The deepest point of a function is the lowest such distance it computes (leaf
//! functions use memory below the pointer without moving it), and a call starts from where the pointer
//! then stands.

use std::collections::{BTreeMap, BTreeSet};

use rune_ir::object::{Function, FunctionId, FunctionType, Object, Target};
use wasmparser::{
    BinaryReader, BlockType, ContType, FrameKind, FuncType, FunctionBody, ModuleArity, Operator,
    RefType, SubType,
};

use super::{Fault, type_at};

/// What one body does to the stack.
#[derive(Clone)]
pub(super) struct Frame<'a> {
    /// How far below the pointer at entry it reaches.
    pub(super) depth: u32,
    /// Its calls, in order.
    pub(super) calls: Vec<Call<'a>>,
}

impl<'a> Frame<'a> {
    /// Runs a body abstractly. A fault's message goes behind the function's name.
    pub(super) fn of(object: &'a Object, function: &'a Function) -> Result<Self, Fault> {
        Body::new(object, function).run()
    }
}

/// One call in a body.
#[derive(Clone)]
pub(super) struct Call<'a> {
    pub(super) callee: Callee<'a>,
    /// How far below the pointer at entry the callee begins.
    pub(super) depth: u32,
}

/// Whom a call may reach.
#[derive(Clone, Copy)]
pub(super) enum Callee<'a> {
    Function(FunctionId),
    Indirect(&'a FunctionType),
}

/// What is known of a number on the operand stack.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Any,
    Constant(i32),
    /// The stack pointer at entry plus something.
    Stack(Distance),
}

/// The instructions that make one such number of two.
#[derive(Clone, Copy)]
enum Arithmetic {
    Add,
    Subtract,
    And,
}

/// A distance from the stack pointer at entry: at least `low`, at most `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Distance {
    low: i32,
    high: i32,
}

impl Distance {
    const ZERO: Self = Self { low: 0, high: 0 };

    fn plus(self, n: i32) -> Option<Self> {
        Some(Self {
            low: self.low.checked_add(n)?,
            high: self.high.checked_add(n)?,
        })
    }

    fn hull(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// How far it lies below the pointer at entry.
    fn depth(self) -> u32 {
        self.low.min(0).unsigned_abs()
    }
}

/// What is known at a point besides the operand stack.
#[derive(Clone, PartialEq)]
struct State {
    /// The locals that hold a distance.
    locals: BTreeMap<u32, Distance>,
    pointer: Distance,
}

impl State {
    /// What is known when either holds.
    fn join(self, other: &Self) -> Self {
        Self {
            locals: self
                .locals
                .iter()
                .filter_map(|(local, d)| Some((*local, d.hull(*other.locals.get(local)?))))
                .collect(),
            pointer: self.pointer.hull(other.pointer),
        }
    }
}

/// A block, loop, if, or the whole function, while it is open.
struct Open {
    kind: FrameKind,
    /// Height of the operand stack below its parameters.
    height: usize,
    results: usize,
    /// What holds where its branches land, from those seen so far; for a loop, at its head.
    exit: Option<State>,
    /// For an `if`: what holds at its `else`.
    entry: Option<State>,
}

/// One body on its abstract run.
struct Body<'a> {
    object: &'a Object,
    function: &'a Function,
    stack: Vec<Value>,
    /// None in code that is not reached.
    state: Option<State>,
    open: Vec<Open>,
    /// Blocks opened in code that is not reached.
    dead: usize,
    frame: Frame<'a>,
}

impl<'a> Body<'a> {
    fn new(object: &'a Object, function: &'a Function) -> Self {
        let state = State {
            locals: BTreeMap::new(),
            pointer: Distance::ZERO,
        };
        Self {
            object,
            function,
            stack: Vec::new(),
            state: Some(state),
            open: vec![Open {
                kind: FrameKind::Block,
                height: 0,
                results: function.ty.results.len(),
                exit: None,
                entry: None,
            }],
            dead: 0,
            frame: Frame {
                depth: 0,
                calls: Vec::new(),
            },
        }
    }

    fn run(mut self) -> Result<Frame<'a>, Fault> {
        let body = FunctionBody::new(BinaryReader::new(&self.function.body, 0));
        let damaged =
            |e: wasmparser::BinaryReaderError| Fault::new(format!("is damaged: {}", e.message()));
        let mut operators = Vec::new();
        let mut reader = body.get_operators_reader().map_err(damaged)?;
        while !reader.eof() {
            let (operator, at) = reader.read_with_offset().map_err(damaged)?;
            operators.push((operator, at as u32));
        }
        let assigned = assigned_in_loops(&operators);
        let mut loops = assigned.iter();
        let mut relocations = self.function.relocations.iter().peekable();
        for (operator, at) in &operators {
            let is_loop = matches!(operator, Operator::Loop { .. });
            let assigned = if is_loop { loops.next() } else { None };
            // The first relocation of an instruction is the index that says what it does.
            while relocations.next_if(|r| r.offset <= *at).is_some() {}
            let target = relocations
                .peek()
                .filter(|r| r.offset == at + 1)
                .map(|r| r.target);
            if self.state.is_none() {
                self.skip(operator)?;
            } else {
                self.step(operator, target, assigned)?;
            }
        }
        Ok(self.frame)
    }

    /// An instruction that is never reached: only the nesting counts.
    fn skip(&mut self, operator: &Operator<'_>) -> Result<(), Fault> {
        if matches!(
            operator,
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. }
        ) {
            self.dead += 1;
        } else if matches!(operator, Operator::End) {
            if self.dead > 0 {
                self.dead -= 1;
            } else {
                self.end()?;
            }
        } else if matches!(operator, Operator::Else) && self.dead == 0 {
            self.otherwise();
        }
        Ok(())
    }

    fn step(
        &mut self,
        operator: &Operator<'_>,
        target: Option<Target>,
        assigned: Option<&BTreeSet<u32>>,
    ) -> Result<(), Fault> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the rest is told by its arity alone"
        )]
        match operator {
            Operator::I32Const { value } if target.is_none() => {
                self.stack.push(Value::Constant(*value));
            }
            Operator::I32Add => self.arithmetic(Arithmetic::Add),
            Operator::I32Sub => self.arithmetic(Arithmetic::Subtract),
            Operator::I32And => self.arithmetic(Arithmetic::And),
            Operator::LocalGet { local_index } => {
                let known = self.state()?.locals.get(local_index).copied();
                self.stack.push(known.map_or(Value::Any, Value::Stack));
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.assign(*local_index, value)?;
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.assign(*local_index, value)?;
                self.stack.push(value);
            }
            Operator::GlobalGet { .. } => {
                let pointer = self.state()?.pointer;
                self.stack.push(Value::Stack(pointer));
            }
            Operator::GlobalSet { .. } => {
                let Value::Stack(to) = self.pop() else {
                    return Err(unbounded());
                };
                self.state()?.pointer = to;
            }
            Operator::Call { .. } => {
                let Some(Target::Function(callee)) = target else {
                    return Err(Fault::new("has a call without a target"));
                };
                let ty = &self.object.functions[callee].ty;
                self.call(Callee::Function(callee), ty)?;
            }
            Operator::CallIndirect { .. } => {
                let Some(Target::Type(index)) = target else {
                    return Err(Fault::new("has an indirect call without a type"));
                };
                self.pop();
                let ty = type_at(self.object, index)?;
                self.call(Callee::Indirect(ty), ty)?;
            }
            Operator::MemoryGrow { .. } => {
                return Err(
                    Fault::new("grows the memory, whose size is fixed in a rune")
                        .hint("Allocate in `init`; `run` has its scratch memory."),
                );
            }
            Operator::Block { blockty } => self.enter(FrameKind::Block, *blockty, target)?,
            Operator::If { blockty } => {
                self.pop();
                self.enter(FrameKind::If, *blockty, target)?;
            }
            Operator::Loop { blockty } => {
                let state = self.state()?;
                state
                    .locals
                    .retain(|l, _| !assigned.is_some_and(|a| a.contains(l)));
                self.enter(FrameKind::Loop, *blockty, target)?;
            }
            Operator::Else => {
                self.leave(0)?;
                self.otherwise();
            }
            Operator::End => self.end()?,
            Operator::Br { relative_depth } => {
                self.leave(*relative_depth)?;
                self.state = None;
            }
            Operator::BrIf { relative_depth } => {
                self.pop();
                self.leave(*relative_depth)?;
            }
            Operator::BrTable { targets } => {
                for depth in targets.targets() {
                    let depth = depth.map_err(|e| Fault::new(e.message().to_owned()))?;
                    self.leave(depth)?;
                }
                self.leave(targets.default())?;
                self.state = None;
            }
            Operator::Return => {
                let outermost = self.open.len() as u32 - 1;
                self.leave(outermost)?;
                self.state = None;
            }
            Operator::Unreachable => self.state = None,
            other => {
                let Some((takes, gives)) = other.operator_arity(&NoModule) else {
                    return Err(Fault::new(format!("uses {other:?}, which a rune may not")));
                };
                (0..takes).for_each(|_| {
                    self.pop();
                });
                self.stack.extend((0..gives).map(|_| Value::Any));
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<&mut State, Fault> {
        let state = self.state.as_mut();
        state.ok_or_else(|| Fault::new("is damaged: it goes on behind its end"))
    }

    /// The topmost operand of the innermost block.
    fn pop(&mut self) -> Value {
        let floor = self.open.last().map_or(0, |open| open.height);
        if self.stack.len() > floor {
            self.stack.pop().unwrap_or(Value::Any)
        } else {
            Value::Any
        }
    }

    fn assign(&mut self, local: u32, value: Value) -> Result<(), Fault> {
        let locals = &mut self.state()?.locals;
        match value {
            Value::Stack(distance) => locals.insert(local, distance),
            Value::Any | Value::Constant(_) => locals.remove(&local),
        };
        Ok(())
    }

    fn arithmetic(&mut self, operation: Arithmetic) {
        use Value::{Any, Constant, Stack};
        let (b, a) = (self.pop(), self.pop());
        let value = match (operation, a, b) {
            (Arithmetic::Add, Stack(d), Constant(n)) | (Arithmetic::Add, Constant(n), Stack(d)) => {
                d.plus(n).map_or(Any, Stack)
            }
            (Arithmetic::Subtract, Stack(d), Constant(n)) => {
                n.checked_neg().and_then(|n| d.plus(n)).map_or(Any, Stack)
            }
            // Rounds down to a multiple of a power of two.
            (Arithmetic::And, Stack(d), Constant(n)) | (Arithmetic::And, Constant(n), Stack(d))
                if n < 0 && n.unsigned_abs().is_power_of_two() =>
            {
                let low = d.low.checked_add(n + 1);
                low.map_or(Any, |low| Stack(Distance { low, high: d.high }))
            }
            _ => Any,
        };
        if let Stack(distance) = value {
            self.frame.depth = self.frame.depth.max(distance.depth());
        }
        self.stack.push(value);
    }

    fn call(&mut self, callee: Callee<'a>, ty: &FunctionType) -> Result<(), Fault> {
        let depth = self.state()?.pointer.depth();
        self.frame.calls.push(Call { callee, depth });
        ty.params.iter().for_each(|_| {
            self.pop();
        });
        self.stack.extend(ty.results.iter().map(|_| Value::Any));
        Ok(())
    }

    fn enter(
        &mut self,
        kind: FrameKind,
        ty: BlockType,
        target: Option<Target>,
    ) -> Result<(), Fault> {
        let (params, results) = match (ty, target) {
            (BlockType::Empty, _) => (0, 0),
            (BlockType::Type(_), _) => (0, 1),
            (BlockType::FuncType(_), Some(Target::Type(index))) => {
                let ty = type_at(self.object, index)?;
                (ty.params.len(), ty.results.len())
            }
            (BlockType::FuncType(_), _) => {
                return Err(Fault::new("has a block without a type"));
            }
        };
        let state = self.state()?.clone();
        self.open.push(Open {
            kind,
            height: self.stack.len().saturating_sub(params),
            results,
            exit: (kind == FrameKind::Loop).then(|| state.clone()),
            entry: (kind == FrameKind::If).then_some(state),
        });
        Ok(())
    }

    /// A branch to the block `depth` blocks out, or the fall to its end.
    fn leave(&mut self, depth: u32) -> Result<(), Fault> {
        let state = self.state()?.clone();
        let position = self.open.len().checked_sub(depth as usize + 1);
        let Some(position) = position else {
            return Err(Fault::new("is damaged: it branches out of itself"));
        };
        if position == 0 && state.pointer != Distance::ZERO {
            return Err(Fault::new("returns without putting the stack pointer back"));
        }
        let open = &mut self.open[position];
        match (&mut open.exit, open.kind) {
            (Some(head), FrameKind::Loop) => {
                if head.pointer != state.pointer {
                    return Err(unbounded());
                }
            }
            (exit, _) => {
                *exit = Some(match exit.take() {
                    Some(before) => before.join(&state),
                    None => state,
                });
            }
        }
        Ok(())
    }

    fn otherwise(&mut self) {
        if let Some(open) = self.open.last_mut() {
            self.stack.truncate(open.height);
            self.state = open.entry.take();
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        let falls = self.state.is_some();
        let last = self.open.last_mut();
        let is_loop = last
            .as_ref()
            .is_some_and(|open| open.kind == FrameKind::Loop);
        if falls && !is_loop {
            self.leave(0)?;
        }
        let Some(mut open) = self.open.pop() else {
            return Err(Fault::new("is damaged: it ends twice"));
        };
        if is_loop {
            // Branches to a loop go to its head, so only the fall leaves it.
        } else {
            self.state = open.exit.take();
            if let Some(skipped) = open.entry {
                // An `if` without an `else` may not have been entered.
                self.state = Some(match self.state.take() {
                    Some(state) => state.join(&skipped),
                    None => skipped,
                });
            }
        }
        self.stack.truncate(open.height);
        self.stack.extend((0..open.results).map(|_| Value::Any));
        Ok(())
    }
}

fn unbounded() -> Fault {
    Fault::new("reserves stack by an amount that is not known when compiling")
        .hint("Use an array of fixed size, or scratch memory, rather than alloca or a variable-length array.")
}

/// Per loop, in the order they begin: the locals that are assigned in it.
fn assigned_in_loops(operators: &[(Operator<'_>, u32)]) -> Vec<BTreeSet<u32>> {
    let mut loops: Vec<BTreeSet<u32>> = Vec::new();
    // For every open block, its number if it is a loop.
    let mut open: Vec<Option<usize>> = Vec::new();
    for (operator, _) in operators {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the rest opens and assigns nothing"
        )]
        match operator {
            Operator::Block { .. } | Operator::If { .. } => open.push(None),
            Operator::Loop { .. } => {
                loops.push(BTreeSet::new());
                open.push(Some(loops.len() - 1));
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some(inner) = open.iter().rev().find_map(|l| *l) {
                    loops[inner].insert(*local_index);
                }
            }
            Operator::End => {
                if let Some(Some(inner)) = open.pop()
                    && let Some(outer) = open.iter().rev().find_map(|l| *l)
                {
                    let inner = loops[inner].clone();
                    loops[outer].extend(inner);
                }
            }
            _ => {}
        }
    }
    loops
}

/// For the arity of instructions that name nothing.
struct NoModule;

impl ModuleArity for NoModule {
    fn sub_type_at(&self, _: u32) -> Option<&SubType> {
        None
    }
    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }
    fn type_index_of_function(&self, _: u32) -> Option<u32> {
        None
    }
    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }
    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }
    fn control_stack_height(&self) -> u32 {
        0
    }
    fn label_block(&self, _: u32) -> Option<(BlockType, FrameKind)> {
        None
    }
}
