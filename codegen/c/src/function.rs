//! One function to C: the operand stack becomes expressions, and whatever may trap, read memory or change something
//! becomes a statement of its own, in the order of the instructions.
//!
//! So an expression that waits on the stack depends on nothing but variables, and of those only on locals that change: it
//! is kept in a variable when such a local is set, and before every block.

use std::{collections::BTreeSet, fmt::Write as _};

use wasmparser::{BlockType, MemArg, Operator, OperatorsReader};

use crate::{
    Error,
    calls::Calls,
    ends::Ends,
    flow::{Frame, Kind, Label, Line, Lines},
    module::{Constant, Layout, Module, Signature, Ty},
    operator, unit,
    value::{Form, Value},
};

/// More values that wait for locals than this are kept in variables, so that setting a local looks at few.
const WAITING: usize = 64;
/// Blocks of C within each other: clang takes 256.
const NESTING: usize = 60;

/// A translated function.
pub(crate) struct Function {
    /// Its body in C, with declarations.
    pub(crate) body: String,
    /// Every name in it.
    pub(crate) names: BTreeSet<String>,
}

/// Translates the function with this place among those that are not imported; an empty text for one not needed.
pub(crate) fn translate(
    module: &Module<'_>,
    layout: &Layout,
    calls: &Calls,
    ends: &Ends,
    index: usize,
) -> Result<Option<Function>, Error> {
    if !calls.needed[index] {
        return Ok(None);
    }
    let number = (module.imports.len() + index) as u32;
    let signature = module.signature(number);
    let body = &module.bodies[index];
    let mut locals = signature.params.clone();
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        let ty = Ty::of(ty, body.range().start)?;
        locals.extend(std::iter::repeat_n(ty, count as usize));
    }
    let mut translation = Translation {
        module,
        layout,
        calls,
        ends,
        number,
        locals,
        lines: Lines::default(),
        stack: Vec::new(),
        waiting: Vec::new(),
        frames: Vec::new(),
        dead: None,
        names: 0,
    };
    let outermost = translation.label(signature.results.clone());
    translation.frames.push(Frame {
        kind: Kind::Function,
        height: 0,
        results: signature.results.len(),
        label: outermost,
    });
    translation.body(body.get_operators_reader()?)?;
    Ok(Some(translation.finish(signature)))
}

struct Translation<'a> {
    module: &'a Module<'a>,
    layout: &'a Layout,
    calls: &'a Calls,
    ends: &'a Ends,
    number: u32,
    locals: Vec<Ty>,
    lines: Lines,
    stack: Vec<Value>,
    /// The places on the stack of values that read locals, rising.
    waiting: Vec<usize>,
    frames: Vec<Frame>,
    /// In code that nothing reaches: how many blocks of it are open.
    dead: Option<u32>,
    /// Variables and labels so far.
    names: u32,
}

impl Translation<'_> {
    fn body(&mut self, mut operators: OperatorsReader<'_>) -> Result<(), Error> {
        while !self.frames.is_empty() {
            let (operator, offset) = operators.read_with_offset()?;
            if let Some(open) = self.dead {
                self.skip(&operator, open);
            } else if !self.control(&operator) && !self.effect(&operator, offset) {
                let changes = operator::of_constants(&operator);
                let computes = operator::computes(&operator).filter(|_| !changes);
                let Some(computes) = computes else {
                    let name = operator::name(&operator).replacen('_', ".", 1);
                    return Err(Error::Unsupported {
                        what: if changes {
                            format!("{name} of the second memory, which is constant")
                        } else {
                            name
                        },
                        function: Some(self.number),
                        offset,
                    });
                };
                let operands = self.pop_many(computes.operands);
                let operands: Vec<&Value> = operands.iter().collect();
                let value = Value::of(computes.result, computes.form, &computes.pattern, &operands);
                if computes.traps {
                    let value = self.once(value.ty, value.text);
                    self.push(value);
                } else {
                    self.push(value);
                }
            }
        }
        Ok(())
    }

    /// Code that nothing reaches is left out.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest opens and ends nothing"
    )]
    fn skip(&mut self, operator: &Operator<'_>, open: u32) {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.dead = Some(open + 1);
            }
            Operator::End if open > 0 => self.dead = Some(open - 1),
            Operator::End => self.end(),
            Operator::Else if open == 0 => self.otherwise(),
            _ => {}
        }
    }

    // Values.

    fn label(&mut self, types: Vec<Ty>) -> Label {
        self.names += 1;
        Label {
            id: self.names,
            types,
            used: false,
        }
    }

    fn push(&mut self, value: Value) {
        let value = if value.is_large() {
            self.once(value.ty, value.text)
        } else {
            value
        };
        if !value.locals.is_empty() {
            self.waiting.push(self.stack.len());
        }
        self.stack.push(value);
        if self.waiting.len() > WAITING {
            let place = self.waiting.remove(0);
            self.keep(place);
        }
    }

    fn pop(&mut self) -> Value {
        let value = self.stack.pop().expect("the module is valid");
        if self.waiting.last() == Some(&self.stack.len()) {
            self.waiting.pop();
        }
        value
    }

    fn pop_many(&mut self, count: usize) -> Vec<Value> {
        let mut values: Vec<Value> = (0..count).map(|_| self.pop()).collect();
        values.reverse();
        values
    }

    fn truncate(&mut self, height: usize) {
        while self.stack.len() > height {
            self.pop();
        }
    }

    /// A variable for a value.
    fn once(&mut self, ty: Ty, text: String) -> Value {
        self.once_of(ty.c().to_owned(), ty, text)
    }

    fn once_of(&mut self, c: String, ty: Ty, text: String) -> Value {
        self.names += 1;
        let name = format!("t{}", self.names);
        self.lines.push(Line::Once(c, name.clone(), text));
        Value::atom(ty, name)
    }

    fn keep(&mut self, place: usize) {
        let Value { ty, text, .. } = self.stack[place].clone();
        self.stack[place] = self.once(ty, text);
    }

    /// Keeps what reads a local that is about to change, or with none, what reads any.
    fn settle(&mut self, local: Option<u32>) {
        for place in std::mem::take(&mut self.waiting) {
            if local.is_none_or(|local| self.stack[place].locals.contains(&local)) {
                self.keep(place);
            } else {
                self.waiting.push(place);
            }
        }
    }

    /// The uppermost values as names and numbers, which may be written several times.
    fn simple(&mut self, count: usize) -> Vec<Value> {
        let values = self.pop_many(count);
        for value in values {
            let value = if value.form == Form::Atom && value.depth == 0 {
                value
            } else {
                self.once(value.ty, value.text)
            };
            self.push(value);
        }
        self.stack[self.stack.len() - count..].to_vec()
    }

    // Blocks.

    #[expect(clippy::wildcard_enum_match_arm, reason = "`effect` takes the rest")]
    fn control(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Block { blockty } => {
                let (params, results) = self.block_type(*blockty);
                self.settle(None);
                self.enter(Kind::Block, params.len(), results.clone(), results.len());
                self.declare();
            }
            Operator::Loop { blockty } => {
                let (params, results) = self.block_type(*blockty);
                self.settle(None);
                self.enter(Kind::Loop, params.len(), params, results.len());
                self.declare();
                let label = self.frames.last().expect("it was entered").label.clone();
                let values = self.pop_many(label.types.len());
                self.assign(&label, &values);
                for value in label.values() {
                    self.push(value);
                }
                self.lines.push(Line::Label(label.name()));
            }
            Operator::If { blockty } => {
                let condition = self.pop();
                let (params, results) = self.block_type(*blockty);
                self.settle(None);
                let params = self.simple(params.len());
                let deep = |f: &&Frame| matches!(f.kind, Kind::If { .. } | Kind::Else { .. });
                let braces = self.frames.iter().rev().filter(deep).count() < NESTING;
                let (count, arity) = (params.len(), results.len());
                self.enter(Kind::If { params, braces }, count, results, arity);
                self.declare();
                if braces {
                    self.lines.open(format!("if ({}) {{", condition.text));
                } else {
                    let label = self.frames.last().expect("it was entered").label.id;
                    let text = format!("if ({}) goto E{label};", condition.is_zero().text);
                    self.lines.statement(text);
                }
            }
            Operator::Else => self.otherwise(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => {
                let values = self.jump_values(*relative_depth, false);
                self.jump(*relative_depth, &values);
                self.die();
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop();
                let values = self.jump_values(*relative_depth, true);
                self.lines.open(format!("if ({}) {{", condition.text));
                self.jump(*relative_depth, &values);
                self.lines.close("}");
            }
            Operator::BrTable { targets } => {
                let index = self.pop();
                // The index is a number of the text, too, where a compiler may warn about cases that never come.
                let index = self.once(Ty::I32, index.text);
                let targets_of: Vec<u32> = targets.targets().flatten().collect();
                self.switch(&index, &targets_of, targets.default());
                self.die();
            }
            Operator::Return => {
                let outermost = self.frames.len() as u32 - 1;
                let values = self.jump_values(outermost, false);
                self.jump(outermost, &values);
                self.die();
            }
            Operator::Unreachable => {
                self.lines.statement("r_trap(c, R_UNREACHABLE);");
                self.die();
            }
            _ => return false,
        }
        true
    }

    fn die(&mut self) {
        self.dead = Some(0);
    }

    fn block_type(&self, ty: BlockType) -> (Vec<Ty>, Vec<Ty>) {
        match ty {
            BlockType::Empty => (Vec::new(), Vec::new()),
            BlockType::Type(ty) => (
                Vec::new(),
                vec![Ty::of(ty, 0).expect("the module has no references")],
            ),
            BlockType::FuncType(index) => {
                let Signature { params, results } = &self.module.types[index as usize];
                (params.clone(), results.clone())
            }
        }
    }

    fn enter(&mut self, kind: Kind, params: usize, label: Vec<Ty>, results: usize) {
        let label = self.label(label);
        self.frames.push(Frame {
            kind,
            height: self.stack.len() - params,
            results,
            label,
        });
    }

    /// Declares the variables of the innermost label.
    fn declare(&mut self) {
        let label = &self.frames.last().expect("a block is open").label;
        for (index, ty) in label.types.iter().enumerate() {
            self.lines
                .push(Line::Declaration(*ty, label.variable(index)));
        }
    }

    fn assign(&mut self, label: &Label, values: &[Value]) {
        for (index, value) in values.iter().enumerate() {
            let name = label.variable(index);
            if value.text != name {
                self.lines.push(Line::Assignment(name, value.text.clone()));
            }
        }
    }

    /// The values for a jump, ready to be assigned; they stay on the stack if they are `kept`.
    fn jump_values(&mut self, depth: u32, kept: bool) -> Vec<Value> {
        let frame = &self.frames[self.frames.len() - 1 - depth as usize];
        let count = frame.label.types.len();
        let values = if kept {
            self.simple(count)
        } else {
            self.pop_many(count)
        };
        let parallel = matches!(frame_kind(&self.frames, depth), Kind::Loop) && count > 1;
        if !parallel {
            return values;
        }
        // A loop's variables may be among the values for them.
        let copy = |value: Value| self.once(value.ty, value.text);
        values.into_iter().map(copy).collect()
    }

    /// Sets the values and goes to a label.
    fn jump(&mut self, depth: u32, values: &[Value]) {
        let place = self.frames.len() - 1 - depth as usize;
        if place == 0 {
            let text = match values {
                [] => "return;".to_owned(),
                [value] => format!("return {};", value.text),
                values => {
                    let ty = tuple(&self.frames[0].label.types);
                    let list: Vec<&str> = values.iter().map(|v| v.text.as_str()).collect();
                    format!("return ({ty}){{{}}};", list.join(", "))
                }
            };
            self.lines.statement(text);
            return;
        }
        self.frames[place].label.used = true;
        let label = self.frames[place].label.clone();
        self.assign(&label, values);
        self.lines.statement(format!("goto {};", label.name()));
    }

    fn switch(&mut self, index: &Value, targets: &[u32], default: u32) {
        let loops = |depth: &u32| matches!(frame_kind(&self.frames, *depth), Kind::Loop);
        // All take values of the same types; where one is a loop, they are copied for all.
        let all = || targets.iter().chain([&default]);
        let depth = all().copied().find(loops).unwrap_or(default);
        let count = self.frames[self.frames.len() - 1 - depth as usize]
            .label
            .types
            .len();
        self.simple(count);
        let values = self.jump_values(depth, false);
        let mut cases = std::collections::BTreeMap::<u32, Vec<usize>>::new();
        for (case, depth) in targets.iter().enumerate() {
            if *depth != default {
                cases.entry(*depth).or_default().push(case);
            }
        }
        if cases.is_empty() {
            self.jump(default, &values);
            return;
        }
        self.lines.open(format!("switch ({}) {{", index.text));
        for (depth, list) in cases {
            for case in list {
                self.lines.statement(format!("case {case}u:"));
            }
            self.lines.open("{");
            self.jump(depth, &values);
            self.lines.close("}");
        }
        self.lines.open("default: {");
        self.jump(default, &values);
        self.lines.close("}");
        self.lines.close("}");
    }

    fn otherwise(&mut self) {
        let mut frame = self.frames.pop().expect("the module is valid");
        let reached = self.dead.take().is_none();
        if reached {
            let results = self.pop_many(frame.results);
            self.assign(&frame.label, &results);
        }
        self.truncate(frame.height);
        let Kind::If { params, braces } = frame.kind else {
            unreachable!("the module is valid")
        };
        if braces {
            self.lines.close("} else {");
            self.lines.open_last();
        } else {
            if reached {
                self.lines
                    .statement(format!("goto {};", frame.label.name()));
            }
            self.lines.push(Line::Label(format!("E{}", frame.label.id)));
        }
        frame.kind = Kind::Else { braces, reached };
        self.frames.push(frame);
        for value in params {
            self.push(value);
        }
    }

    fn end(&mut self) {
        let frame = self.frames.pop().expect("the module is valid");
        let live = self.dead.take().is_none();
        let label = frame.label;
        let reached = match frame.kind {
            Kind::Function => {
                if live {
                    let results = self.pop_many(frame.results);
                    self.frames.push(Frame {
                        kind: Kind::Function,
                        height: 0,
                        results: frame.results,
                        label,
                    });
                    // What falls off the end may be left out where there is nothing to return.
                    if !results.is_empty() {
                        self.jump(0, &results);
                    }
                    self.frames.pop();
                }
                return;
            }
            // The values of a loop, and of a block to whose end nothing jumps, stay where they are.
            Kind::Loop => {
                return self.leave(live, frame.height);
            }
            Kind::Block if !label.used => {
                return self.leave(live, frame.height);
            }
            Kind::Block => {
                if live {
                    let results = self.pop_many(frame.results);
                    self.assign(&label, &results);
                }
                true
            }
            Kind::If { params, braces } => {
                if live {
                    let results = self.pop_many(frame.results);
                    self.assign(&label, &results);
                }
                // Without an `else` the parameters are the results.
                if params.is_empty() {
                    if braces {
                        self.lines.close("}");
                    }
                } else if braces {
                    self.lines.close("} else {");
                    self.lines.open_last();
                    self.assign(&label, &params);
                    self.lines.close("}");
                }
                if !braces {
                    if live && !params.is_empty() {
                        self.lines.statement(format!("goto {};", label.name()));
                    }
                    self.lines.push(Line::Label(format!("E{}", label.id)));
                    self.assign(&label, &params);
                }
                true
            }
            Kind::Else { braces, reached } => {
                if live {
                    let results = self.pop_many(frame.results);
                    self.assign(&label, &results);
                }
                if braces {
                    self.lines.close("}");
                }
                live || reached || label.used
            }
        };
        self.truncate(frame.height);
        if !reached {
            return self.die();
        }
        self.lines.push(Line::Label(label.name()));
        for value in label.values() {
            self.push(value);
        }
    }

    fn leave(&mut self, live: bool, height: usize) {
        if !live {
            self.truncate(height);
            self.die();
        }
    }

    // Memory, variables and calls.

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest computes, or is told as not supported"
    )]
    fn effect(&mut self, operator: &Operator<'_>, offset: u64) -> bool {
        match operator {
            Operator::Nop => {}
            Operator::Drop => {
                self.pop();
            }
            Operator::Select => {
                let [one, other, condition] = self.three();
                let value = Value::of(
                    one.ty,
                    Form::Compound,
                    "($2) ? $0 : $1",
                    &[&one, &other, &condition.condition()],
                );
                self.push(value);
            }
            Operator::I32Eqz | Operator::I64Eqz => {
                let value = self.pop().is_zero();
                self.push(value);
            }
            Operator::LocalGet { local_index } => {
                let ty = self.locals[*local_index as usize];
                self.push(Value::local(ty, *local_index));
            }
            Operator::LocalSet { local_index } => self.set_local(*local_index),
            Operator::LocalTee { local_index } => {
                self.set_local(*local_index);
                let ty = self.locals[*local_index as usize];
                self.push(Value::local(ty, *local_index));
            }
            Operator::GlobalGet { global_index } => {
                let global = &self.module.globals[*global_index as usize];
                let value = if global.mutable {
                    self.once(global.ty, format!("c->g{global_index}"))
                } else {
                    Value::constant(global.initial)
                };
                self.push(value);
            }
            Operator::GlobalSet { global_index } => {
                let value = self.pop();
                self.lines
                    .statement(format!("c->g{global_index} = {};", value.text));
            }
            Operator::I32Const { value } => {
                self.push(Value::constant(Constant::I32(value.cast_unsigned())));
            }
            Operator::I64Const { value } => {
                self.push(Value::constant(Constant::I64(value.cast_unsigned())));
            }
            Operator::F32Const { value } => {
                self.push(Value::constant(Constant::F32(value.bits())));
            }
            Operator::F64Const { value } => {
                self.push(Value::constant(Constant::F64(value.bits())));
            }
            Operator::V128Const { value } => {
                self.push(Value::constant(Constant::V128(*value.bytes())));
            }
            Operator::Call { function_index }
                if self.module.intrinsics.contains_key(function_index) =>
            {
                let intrinsic = self.module.intrinsics[function_index];
                let operands = self.pop_many(intrinsic.operands());
                let operands: Vec<&Value> = operands.iter().collect();
                let pattern = intrinsic.pattern();
                self.push(Value::of(Ty::I32, Form::Atom, &pattern, &operands));
            }
            Operator::Call { function_index } => {
                let signature = self.module.signature(*function_index).clone();
                let arguments = self.arguments(signature.params.len());
                let text = match self.module.imports.get(*function_index as usize) {
                    Some(_) => {
                        let import = unit::import(self.module, *function_index as usize);
                        let end = self.end_at(offset);
                        format!("{}{arguments})", unit::ask(self.layout, end, &import))
                    }
                    None => format!("f{function_index}(c{arguments})"),
                };
                self.call(text, &signature.results);
            }
            Operator::CallIndirect { type_index, .. } => {
                let index = self.pop();
                let signature = self.module.types[*type_index as usize].clone();
                let arguments = self.arguments(signature.params.len());
                let ty = self.calls.canonical[*type_index as usize];
                let text = format!("r_indirect{ty}(c, {}{arguments})", index.text);
                self.call(text, &signature.results);
            }
            Operator::MemorySize { mem: 0 } => {
                let value = if self.layout.grows {
                    self.once(Ty::I32, "c->memory_bytes >> 16".to_owned())
                } else {
                    Value::constant(Constant::I32(self.layout.pages))
                };
                self.push(value);
            }
            Operator::MemoryGrow { mem: 0 } => {
                let pages = self.pop();
                let text = if self.layout.grows {
                    format!("r_memory_grow(c, {})", pages.text)
                } else {
                    let most = self.layout.pages;
                    Value::of(
                        Ty::I32,
                        Form::Compound,
                        &format!("$0 == 0u ? {most}u : 4294967295u"),
                        &[&pages],
                    )
                    .text
                };
                let value = self.once(Ty::I32, text);
                self.push(value);
            }
            Operator::MemoryCopy {
                dst_mem: 0,
                src_mem: 0,
            } => self.bulk("r_memory_copy(c, m, @0, @1, @2);"),
            Operator::MemoryCopy { dst_mem: 0, .. } => {
                self.bulk("r_memory_copy_constants(c, m, @0, @1, @2);");
            }
            Operator::MemoryFill { mem: 0 } => self.bulk("r_memory_fill(c, m, @0, @1, @2);"),
            Operator::MemoryInit { data_index, mem: 0 } => {
                let segment = &self.module.segments[*data_index as usize];
                // An active segment is dropped once it is in memory.
                let pattern = if segment.at.is_some() || segment.bytes.is_empty() {
                    "r_memory_init_none(c, @0, @1, @2);".to_owned()
                } else {
                    format!(
                        "r_memory_init(c, m, d{data_index}, c->dropped[{data_index}] ? 0u : {}u, @0, @1, @2);",
                        segment.bytes.len()
                    )
                };
                self.bulk(&pattern);
            }
            Operator::DataDrop { data_index } => {
                if self.module.segments[*data_index as usize].at.is_none() {
                    self.lines
                        .statement(format!("c->dropped[{data_index}] = 1u;"));
                }
            }
            _ => return self.access(operator),
        }
        true
    }

    /// What the name of a request at this place begins with.
    fn end_at(&self, offset: u64) -> &'static str {
        let first = self.ends.first.as_ref();
        if first.is_some_and(|(_, at)| *at == offset) {
            "first_"
        } else if self.ends.last == Some(offset) {
            "last_"
        } else {
            ""
        }
    }

    fn three(&mut self) -> [Value; 3] {
        let third = self.pop();
        let second = self.pop();
        [self.pop(), second, third]
    }

    fn set_local(&mut self, local: u32) {
        let value = self.pop();
        self.settle(Some(local));
        let name = format!("l{local}");
        if value.text != name {
            self.lines.push(Line::Assignment(name, value.text));
        }
    }

    fn arguments(&mut self, count: usize) -> String {
        let values = self.pop_many(count);
        values.iter().fold(String::new(), |mut text, value| {
            let _ = write!(text, ", {}", value.text);
            text
        })
    }

    fn call(&mut self, text: String, results: &[Ty]) {
        match results {
            [] => self.lines.statement(format!("{text};")),
            [ty] => {
                let value = self.once(*ty, text);
                self.push(value);
            }
            types => {
                let all = self.once_of(tuple(types), Ty::I32, text);
                for (index, ty) in types.iter().enumerate() {
                    self.push(Value::atom(*ty, format!("{}.v{index}", all.text)));
                }
            }
        }
    }

    fn bulk(&mut self, pattern: &str) {
        let [to, from, count] = self.three();
        let value = Value::of(Ty::I32, Form::Atom, pattern, &[&to, &from, &count]);
        self.lines.statement(value.text);
    }

    /// Loads and stores.
    fn access(&mut self, operator: &Operator<'_>) -> bool {
        let name = operator::name(operator);
        let Some((memory, lane)) = operator::memory_argument(operator) else {
            return false;
        };
        if operator::is_constant(memory) && name.contains("_store") {
            return false;
        }
        let width = operator::width(name);
        let value = (lane.is_some() || name.contains("_store")).then(|| self.pop());
        let place = self.place(memory, width);
        let mut text = format!("r_{name}({place}");
        for part in value
            .map(|v| v.text)
            .into_iter()
            .chain(lane.map(|l| l.to_string()))
        {
            let _ = write!(text, ", {part}");
        }
        text.push(')');
        if name.contains("_store") {
            self.lines.statement(format!("{text};"));
        } else {
            let ty = match name.split_once('_').map(|(ty, _)| ty) {
                Some("i32") => Ty::I32,
                Some("i64") => Ty::I64,
                Some("f32") => Ty::F32,
                Some("f64") => Ty::F64,
                _ => Ty::V128,
            };
            let value = self.once(ty, text);
            self.push(value);
        }
        true
    }

    /// Where an access goes: an address known to lie within memory needs no check.
    fn place(&mut self, memory: &MemArg, width: u32) -> String {
        let address = self.pop();
        let known = address.known.map(u64::from);
        let (base, at, bytes) = if operator::is_constant(memory) {
            let bytes = self.module.constants.unwrap_or(0);
            ("r_constants", "R_CONSTANT", bytes)
        } else {
            ("m", "R_AT", self.layout.bytes)
        };
        let inside = |a: &u64| a + memory.offset + u64::from(width) <= u64::from(bytes);
        match known.filter(inside) {
            Some(known) => format!("{base} + {}u", known + memory.offset),
            None => format!("{at}({}, {}u, {width}u)", address.text, memory.offset),
        }
    }

    /// The body with the declarations of its locals, which is all that is missing.
    fn finish(self, signature: &Signature) -> Function {
        let (text, mut names) = self.lines.finish();
        let mut body = String::new();
        let unused = |body: &mut String, name: &str| {
            let _ = writeln!(body, "    (void){name};");
        };
        let at_memory = names.contains("R_AT");
        if at_memory || names.contains("m") {
            body.push_str("    uint8_t *const m = R_MEMORY(c);\n");
        } else if !names.contains("c") {
            unused(&mut body, "c");
        }
        for index in 0..signature.params.len() {
            unused(&mut body, &format!("l{index}"));
        }
        // Of locals there may be very many; those in the text are few.
        let number = |name: &String| name.strip_prefix('l')?.parse::<usize>().ok();
        let mut numbers: Vec<usize> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        for index in numbers.into_iter().filter(|i| *i >= signature.params.len()) {
            let ty = self.locals[index];
            let zero = if ty == Ty::V128 { "{0}" } else { "0" };
            let _ = writeln!(body, "    {} l{index} = {zero};", ty.c());
            unused(&mut body, &format!("l{index}"));
            // The parts of the runtime are found by the names in the text.
            names.insert(ty.c().to_owned());
        }
        body.push_str(&text);
        Function { body, names }
    }
}

fn frame_kind(frames: &[Frame], depth: u32) -> &Kind {
    &frames[frames.len() - 1 - depth as usize].kind
}

/// The type in C of several results.
pub(crate) fn tuple(types: &[Ty]) -> String {
    let letters: String = types.iter().map(|ty| ty.letter()).collect();
    format!("r_values_{letters}")
}
