//! The body of `_call`: every step in order, and what to do when one gives nothing or fails.

use rune_abi::{Fault, Import};
use rune_ir::check::Verified;
use wasm_encoder::{BlockType, Function, Instruction, MemArg, MemArgTarget, ValType};

use crate::{
    nest::BufferId,
    program::{Action, BlockCall, DESCRIPTOR, Port, Program, Step},
};

/// What the body needs to know of the rest of the module.
pub(crate) struct Names<'a> {
    /// Index of an imported function.
    pub(crate) import: &'a dyn Fn(Import) -> u32,
    /// Index of the function of the kernel of this step.
    pub(crate) kernel: &'a dyn Fn(usize) -> u32,
    /// Index of `run` and address of the instance for the block of this step.
    pub(crate) block: &'a dyn Fn(usize) -> (u32, u32),
    /// Address of a buffer.
    pub(crate) address: &'a dyn Fn(BufferId) -> u32,
    /// Address and length of the name of a stage.
    pub(crate) stage_name: &'a dyn Fn(usize) -> (u32, u32),
}

/// A word of memory at the address on the stack.
const WORD: MemArg = MemArg {
    offset: 0,
    align: 2,
    target: MemArgTarget::Memory(0),
    ordering: None,
};

/// Local: what the last import or block returned.
const RESULT: u32 = 0;
/// Local: whether an output was written.
const WROTE: u32 = 1;

/// Builds the body of `_call`.
///
/// A block may answer that it has nothing this time. Where every later step depends on it the call ends
/// there; otherwise a local remembers it and the steps that depend on it are passed over.
/// With `marks` the host is told where a stage begins and ends; it sees itself that the call has ended.
pub(crate) fn body(
    program: &Program,
    verified: &Verified,
    names: &Names<'_>,
    marks: bool,
) -> Function {
    let after = Dependents::new(program, verified);
    let flags: Vec<usize> = (0..program.steps.len())
        .filter(|s| after.needs_flag(*s))
        .collect();
    let flag = |step: usize| flags.iter().position(|f| *f == step).map(|i| 2 + i as u32);
    let mut code = Code {
        function: Function::new([(2 + flags.len() as u32, ValType::I32)]),
        names,
    };
    for (index, step) in program.steps.iter().enumerate() {
        let skips: Vec<u32> = after
            .upstream(index)
            .iter()
            .filter_map(|s| flag(*s))
            .collect();
        if !skips.is_empty() {
            code.emit(Instruction::Block(BlockType::Empty));
            for local in &skips {
                code.emit(Instruction::LocalGet(*local));
                code.emit(Instruction::BrIf(0));
            }
        }
        let is_same = |other: Option<&Step>| other.is_some_and(|o| o.stage == step.stage);
        if marks && !is_same(index.checked_sub(1).map(|i| &program.steps[i])) {
            code.mark(step.stage, 0);
        }
        code.step(index, step, flag(index));
        if marks && !is_same(program.steps.get(index + 1)) {
            code.mark(step.stage, 1);
        }
        if !skips.is_empty() {
            code.emit(Instruction::End);
        }
    }
    // 0 where an output was written, 1 where none was.
    code.emit(Instruction::LocalGet(WROTE));
    code.emit(Instruction::I32Eqz);
    code.emit(Instruction::End);
    code.function
}

/// Which steps depend on which block steps.
struct Dependents {
    /// For each step, the earlier block steps its stage depends on, however far.
    upstream: Vec<Vec<usize>>,
    blocks: Vec<bool>,
}

impl Dependents {
    fn new(program: &Program, verified: &Verified) -> Self {
        let blocks: Vec<bool> = program
            .steps
            .iter()
            .map(|s| matches!(s.action, Action::Block(_)))
            .collect();
        let mut of_stage: Vec<Vec<usize>> = Vec::new();
        for (position, stage) in verified.stages().iter().enumerate() {
            let mut all: Vec<usize> = Vec::new();
            for input in &stage.inputs {
                all.extend(&of_stage[input.stage]);
                all.extend(
                    program
                        .steps
                        .iter()
                        .enumerate()
                        .filter(|(i, s)| s.stage == input.stage && blocks[*i])
                        .map(|(i, _)| i),
                );
            }
            all.sort_unstable();
            all.dedup();
            debug_assert_eq!(of_stage.len(), position);
            of_stage.push(all);
        }
        Self {
            upstream: program
                .steps
                .iter()
                .map(|s| of_stage[s.stage].clone())
                .collect(),
            blocks,
        }
    }

    fn upstream(&self, step: usize) -> &[usize] {
        &self.upstream[step]
    }

    /// Whether some later step, or an earlier output, is independent of this block step.
    fn needs_flag(&self, step: usize) -> bool {
        self.blocks[step]
            && (step + 1..self.upstream.len()).any(|later| !self.upstream[later].contains(&step))
    }
}

struct Code<'a> {
    function: Function,
    names: &'a Names<'a>,
}

impl Code<'_> {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "instructions are written where they are emitted"
    )]
    fn emit(&mut self, instruction: Instruction<'_>) {
        self.function.instruction(&instruction);
    }

    fn constant(&mut self, value: u32) {
        self.emit(Instruction::I32Const(value.cast_signed()));
    }

    /// Tells the host that a stage begins (0) or ends (1).
    fn mark(&mut self, stage: usize, phase: i32) {
        self.constant(stage as u32);
        self.emit(Instruction::I32Const(phase));
        self.emit(Instruction::Call((self.names.import)(Import::Mark)));
    }

    fn step(&mut self, index: usize, step: &Step, flag: Option<u32>) {
        match &step.action {
            Action::Read { index, into, bytes } => self.read(*index, *into, *bytes),
            // What it moved is where it should be.
            Action::Kernel(kernel) if kernel.is_empty() => {}
            Action::Kernel(_) => {
                let function = (self.names.kernel)(index);
                self.emit(Instruction::Call(function));
            }
            Action::Block(call) => self.block(index, step.stage, call, flag),
            Action::Write {
                index,
                tensors,
                record,
            } => self.write(*index, tensors, *record),
        }
    }

    fn read(&mut self, capability: u32, into: BufferId, bytes: u32) {
        let address = (self.names.address)(into);
        self.constant(capability);
        self.constant(address);
        self.constant(bytes);
        self.emit(Instruction::Call((self.names.import)(Import::Read)));
        self.emit(Instruction::LocalTee(RESULT));
        self.constant(bytes);
        self.emit(Instruction::I32Ne);
        self.emit(Instruction::If(BlockType::Empty));
        // 2 at the end of the data, the host's fault, or ours for a host that gave another length.
        self.emit(Instruction::I32Const(2));
        self.emit(Instruction::LocalGet(RESULT));
        self.emit(Instruction::I32Const(Fault::Read as i32));
        self.emit(Instruction::LocalGet(RESULT));
        self.emit(Instruction::I32Const(0));
        self.emit(Instruction::I32LtS);
        self.emit(Instruction::Select);
        self.emit(Instruction::LocalGet(RESULT));
        self.emit(Instruction::I32Eqz);
        self.emit(Instruction::Select);
        self.emit(Instruction::Return);
        self.emit(Instruction::End);
    }

    fn block(&mut self, index: usize, stage: usize, call: &BlockCall, flag: Option<u32>) {
        let (run, instance) = (self.names.block)(index);
        let inputs = (self.names.address)(call.descriptors);
        let outputs = inputs + call.inputs.len() as u32 * DESCRIPTOR;
        if call.is_bounded() {
            self.fill_descriptors(call, inputs);
        }
        self.constant(instance);
        let scratch = call.scratch.map_or(0, |s| (self.names.address)(s));
        self.constant(scratch);
        self.constant(inputs);
        self.constant(outputs);
        self.emit(Instruction::Call(run));
        self.emit(Instruction::LocalTee(RESULT));
        self.emit(Instruction::If(BlockType::Empty));
        self.emit(Instruction::LocalGet(RESULT));
        self.emit(Instruction::I32Const(0));
        self.emit(Instruction::I32LtS);
        self.emit(Instruction::If(BlockType::Empty));
        self.fail(stage);
        self.emit(Instruction::End);
        if let Some(local) = flag {
            self.emit(Instruction::I32Const(1));
            self.emit(Instruction::LocalSet(local));
        } else {
            self.emit(Instruction::LocalGet(WROTE));
            self.emit(Instruction::I32Eqz);
            self.emit(Instruction::Return);
        }
        self.emit(Instruction::End);
        for (port, output) in call.outputs.iter().enumerate() {
            let Some(length) = output.length else {
                continue;
            };
            self.load(outputs + port as u32 * DESCRIPTOR + 4);
            self.emit(Instruction::LocalTee(RESULT));
            self.constant(output.ty.elements() as u32);
            self.emit(Instruction::I32GtU);
            self.emit(Instruction::If(BlockType::Empty));
            self.emit(Instruction::I32Const(Fault::Block as i32));
            self.emit(Instruction::LocalSet(RESULT));
            self.fail(stage);
            self.emit(Instruction::End);
            let length = (self.names.address)(length);
            self.constant(length);
            self.emit(Instruction::LocalGet(RESULT));
            self.store();
        }
    }

    /// Says that a stage failed with the code in `RESULT`, and returns it.
    fn fail(&mut self, stage: usize) {
        let (name, length) = (self.names.stage_name)(stage);
        self.emit(Instruction::LocalGet(RESULT));
        self.constant(name);
        self.constant(length);
        let fault = (self.names.import)(Import::Fault);
        self.emit(Instruction::Call(fault));
        self.emit(Instruction::LocalGet(RESULT));
        self.emit(Instruction::Return);
    }

    /// Writes the descriptors of a call with bounded tensors: the others are constant data.
    fn fill_descriptors(&mut self, call: &BlockCall, at: u32) {
        for (i, port) in call.inputs.iter().chain(&call.outputs).enumerate() {
            let descriptor = at + i as u32 * DESCRIPTOR;
            self.constant(descriptor);
            let address = (self.names.address)(port.buffer);
            self.constant(address);
            self.store();
            self.constant(descriptor + 4);
            match port.length {
                Some(length) if i < call.inputs.len() => {
                    let length = (self.names.address)(length);
                    self.load(length);
                }
                _ => self.constant(port.ty.elements() as u32),
            }
            self.store();
        }
    }

    fn write(&mut self, output: u32, tensors: &[Port], record: BufferId) {
        let at = (self.names.address)(record);
        if tensors.iter().any(|t| t.length.is_some()) {
            self.fill_record(tensors, at);
        }
        self.constant(output);
        self.constant(at);
        self.emit(Instruction::Call((self.names.import)(Import::Write)));
        self.emit(Instruction::LocalTee(RESULT));
        self.emit(Instruction::If(BlockType::Empty));
        self.emit(Instruction::LocalGet(RESULT));
        self.emit(Instruction::I32Const(Fault::Write as i32));
        self.emit(Instruction::LocalGet(RESULT));
        self.emit(Instruction::I32Const(0));
        self.emit(Instruction::I32LtS);
        self.emit(Instruction::Select);
        self.emit(Instruction::Return);
        self.emit(Instruction::End);
        self.emit(Instruction::I32Const(1));
        self.emit(Instruction::LocalSet(WROTE));
    }

    /// Writes the record of an output with bounded tensors.
    fn fill_record(&mut self, tensors: &[Port], at: u32) {
        let mut word = at;
        for port in tensors {
            let address = (self.names.address)(port.buffer);
            self.constant(word);
            self.constant(address);
            self.store();
            self.constant(word + 4);
            self.elements(port);
            self.constant(port.ty.element.size());
            self.emit(Instruction::I32Mul);
            self.store();
            self.constant(word + 8);
            self.constant(port.ty.dims.len() as u32);
            self.store();
            word += 12;
            for (i, dim) in port.ty.dims.iter().enumerate() {
                self.constant(word);
                match port.bounded() {
                    Some((at, others)) if at == i => {
                        self.elements(port);
                        self.constant(others);
                        self.emit(Instruction::I32DivU);
                    }
                    _ => self.constant(dim.bound()),
                }
                self.store();
                word += 4;
            }
        }
    }

    /// Pushes the number of elements a port has this time.
    fn elements(&mut self, port: &Port) {
        match port.length {
            Some(length) => {
                let length = (self.names.address)(length);
                self.load(length);
            }
            None => self.constant(port.ty.elements() as u32),
        }
    }

    fn load(&mut self, address: u32) {
        self.constant(address);
        self.emit(Instruction::I32Load(WORD));
    }

    fn store(&mut self) {
        self.emit(Instruction::I32Store(WORD));
    }
}

impl BlockCall {
    /// Whether its descriptors change from call to call.
    pub(crate) fn is_bounded(&self) -> bool {
        self.inputs
            .iter()
            .chain(&self.outputs)
            .any(|p| p.length.is_some())
    }
}
