//! Assembles the module: sections in order, every index and address final.

use rune_abi::{Import, WasmFeatures, export, section};
use rune_ir::{
    check::Verified,
    object::{FunctionType, Machine},
};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Instruction, MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection,
    ValType,
};

use crate::{
    call::{self, Names},
    describe, features,
    link::{Bases, Selection},
    plan::Plan,
    program::{Action, Program},
};

/// Size of a page of memory.
const PAGE: u64 = 1 << 16;
/// Zeros between two pieces of data that cost more than starting a segment anew.
const GAP: usize = 16;

/// The types of a module, each once.
#[derive(Default)]
struct Types(Vec<FunctionType>);

impl Types {
    fn index(&mut self, ty: &FunctionType) -> u32 {
        let index = self.0.iter().position(|t| t == ty).unwrap_or_else(|| {
            self.0.push(ty.clone());
            self.0.len() - 1
        });
        index as u32
    }
}

/// Assembles a rune. `manifest` is complete but for memory, stack and features, which are set here.
///
/// # Errors
/// What is wrong with the manifest: a name it cannot hold.
pub(crate) fn module(
    program: &Program,
    verified: &Verified,
    selection: &Selection,
    plan: &Plan,
    manifest: &mut rune_abi::Manifest,
) -> Result<Vec<u8>, String> {
    let signature = |params: usize, results: usize| FunctionType {
        params: vec![Machine::I32; params],
        results: vec![Machine::I32; results],
    };
    let imports = imports(program);
    let mut types = Types::default();
    let import_types: Vec<u32> = imports
        .iter()
        .map(|i| types.index(&signature(i.signature().0.len(), i.signature().1.len())))
        .collect();
    let getter = types.index(&signature(0, 1));
    let action = types.index(&signature(0, 0));

    // Functions: imports, `_manifest`, `_call`, `_reset`, kernels, blocks.
    let manifest_function = imports.len() as u32;
    let call_function = manifest_function + 1;
    let has_state = selection.state_bytes() > 0;
    let reset_function = call_function + 1;
    let first_kernel = reset_function + u32::from(has_state);
    let kernels: Vec<usize> = program
        .steps
        .iter()
        .enumerate()
        .filter(|(_, s)| matches!(s.action, Action::Kernel(_)))
        .map(|(i, _)| i)
        .collect();
    let first_linked = first_kernel + kernels.len() as u32;

    let mut memory = Memory {
        end: plan.readonly,
        ..Memory::default()
    };
    let linked = {
        let mut type_index = |ty: &FunctionType| types.index(ty);
        let linked = selection.place(&mut Bases {
            readonly: plan.readonly,
            state: plan.state,
            first_function: first_linked,
            first_slot: 1,
            stack_pointer: 0,
            type_index: &mut type_index,
        });
        memory.put(plan.readonly, &linked.readonly);
        linked
    };
    let linked_types: Vec<u32> = linked
        .functions
        .iter()
        .map(|f| types.index(&f.ty))
        .collect();

    let names: Vec<(u32, u32)> = stage_names(program, verified, &mut memory);
    for id in &plan.constants {
        if let Some(data) = &program.buffers[*id].data {
            memory.put(plan.address(*id), data);
        }
    }
    descriptors(program, plan, &mut memory);
    let initial_state = memory.state(plan, &linked.state);

    let body = call::body(
        program,
        verified,
        &Names {
            import: &|import| {
                imports
                    .iter()
                    .position(|i| *i == import)
                    .expect("every import a step needs is there") as u32
            },
            kernel: &|step| {
                first_kernel
                    + kernels
                        .iter()
                        .position(|k| *k == step)
                        .expect("the step is a kernel") as u32
            },
            block: &|step| {
                let instance = &linked.instances[block_instance(program, step)];
                (instance.run, instance.address)
            },
            address: &|buffer| plan.address(buffer),
            stage_name: &|stage| names[stage],
        },
    );
    let mut bodies: Vec<Vec<u8>> = vec![body.into_raw_body()];
    if has_state {
        bodies.push(reset(plan.state, selection.state_bytes(), initial_state).into_raw_body());
    }
    for step in &kernels {
        if let Action::Kernel(kernel) = &program.steps[*step].action {
            bodies.push(kernel.function(&|b| plan.address(b)).into_raw_body());
        }
    }
    bodies.extend(linked.functions.iter().map(|f| f.body.clone()));

    // The manifest lies last: its size is known before its contents are.
    manifest.stack_bytes = selection.stack_bytes();
    manifest.features = bodies
        .iter()
        .try_fold(WasmFeatures::default(), |all, b| {
            features::of_body(b).map(|f| all.union(f))
        })
        .map_err(|e| e.to_string())?;
    let at = memory.end.next_multiple_of(4);
    manifest.memory_bytes = at;
    let size = manifest.to_bytes().map_err(|e| e.to_string())?.len() as u32;
    manifest.memory_bytes = at + size;
    let manifest_bytes = manifest.to_bytes().map_err(|e| e.to_string())?;
    memory.put(at, &manifest_bytes);

    let mut module = Module::new();
    let mut section_types = TypeSection::new();
    for ty in &types.0 {
        section_types.ty().function(
            ty.params.iter().map(|m| machine(*m)),
            ty.results.iter().map(|m| machine(*m)),
        );
    }
    module.section(&section_types);
    let mut section_imports = ImportSection::new();
    for (import, ty) in imports.iter().zip(&import_types) {
        section_imports.import(Import::MODULE, import.name(), EntityType::Function(*ty));
    }
    if !imports.is_empty() {
        module.section(&section_imports);
    }
    let mut functions = FunctionSection::new();
    functions.function(getter).function(getter);
    if has_state {
        functions.function(action);
    }
    for _ in &kernels {
        functions.function(action);
    }
    for ty in &linked_types {
        functions.function(*ty);
    }
    module.section(&functions);
    if !linked.table.is_empty() {
        let slots = linked.table.len() as u64 + 1;
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: slots,
            maximum: Some(slots),
            shared: false,
        });
        module.section(&tables);
    }
    let pages = u64::from(manifest.memory_bytes).div_ceil(PAGE).max(1);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    module.section(&memories);
    if selection.uses_stack() {
        let mut globals = GlobalSection::new();
        globals.global(
            GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            },
            &ConstExpr::i32_const(plan.stack_top().cast_signed()),
        );
        module.section(&globals);
    }
    let mut exports = ExportSection::new();
    exports.export(export::MEMORY, ExportKind::Memory, 0);
    exports.export(export::MANIFEST, ExportKind::Func, manifest_function);
    exports.export(export::CALL, ExportKind::Func, call_function);
    if has_state {
        exports.export(export::RESET, ExportKind::Func, reset_function);
    }
    module.section(&exports);
    if !linked.table.is_empty() {
        let mut elements = ElementSection::new();
        elements.active(
            None,
            &ConstExpr::i32_const(1),
            Elements::Functions((&linked.table[..]).into()),
        );
        module.section(&elements);
    }
    let mut code = CodeSection::new();
    let mut manifest_body = Function::new([]);
    manifest_body
        .instruction(&Instruction::I32Const(at.cast_signed()))
        .instruction(&Instruction::End);
    code.function(&manifest_body);
    for body in &bodies {
        code.raw(body);
    }
    module.section(&code);
    let mut data = DataSection::new();
    for (address, bytes) in memory.segments() {
        data.active(
            0,
            &ConstExpr::i32_const(address.cast_signed()),
            bytes.iter().copied(),
        );
    }
    module.section(&data);
    module.section(&CustomSection {
        name: section::MANIFEST.into(),
        data: manifest_bytes.into(),
    });
    module.section(&CustomSection {
        name: section::GRAPH.into(),
        data: describe::graph(verified).into_bytes().into(),
    });
    Ok(module.finish())
}

/// The imports a program needs, in the order of the contract.
fn imports(program: &Program) -> Vec<Import> {
    let needs = |import: Import| {
        program.steps.iter().any(|s| match (&s.action, import) {
            (Action::Read { .. }, Import::Read)
            | (Action::Write { .. }, Import::Write)
            | (Action::Block(_), Import::Fault) => true,
            (
                Action::Read { .. } | Action::Write { .. } | Action::Block(_) | Action::Kernel(_),
                _,
            ) => false,
        })
    };
    Import::ALL.into_iter().filter(|i| needs(*i)).collect()
}

/// Which instance of the linked blocks a step runs: they are counted block by block.
fn block_instance(program: &Program, step: usize) -> usize {
    let block_of = |s: usize| match &program.steps[s].action {
        Action::Block(call) => Some(call.block),
        Action::Read { .. } | Action::Kernel(_) | Action::Write { .. } => None,
    };
    let this = block_of(step).expect("the step runs a block");
    (0..program.steps.len())
        .filter(|s| block_of(*s).is_some_and(|b| b < this || (b == this && *s < step)))
        .count()
}

/// Puts the names of the stages that can fault into memory: address and length, by position of the stage.
fn stage_names(program: &Program, verified: &Verified, memory: &mut Memory) -> Vec<(u32, u32)> {
    let faulting = |position: usize| {
        program
            .steps
            .iter()
            .any(|s| s.stage == position && matches!(s.action, Action::Block(_)))
    };
    verified
        .stages()
        .iter()
        .enumerate()
        .map(|(position, stage)| {
            let name = stage.name.as_bytes();
            if faulting(position) {
                (memory.append(name), name.len() as u32)
            } else {
                (0, 0)
            }
        })
        .collect()
}

/// Fills the descriptors of blocks and the records of outputs that never change.
fn descriptors(program: &Program, plan: &Plan, memory: &mut Memory) {
    for step in &program.steps {
        match &step.action {
            Action::Block(call) if !call.is_bounded() => {
                let words = call
                    .inputs
                    .iter()
                    .chain(&call.outputs)
                    .flat_map(|p| [plan.address(p.buffer), p.ty.elements() as u32]);
                memory.put(plan.address(call.descriptors), &bytes(words));
            }
            Action::Write {
                tensors, record, ..
            } if tensors.iter().all(|t| t.length.is_none()) => {
                let words = tensors.iter().flat_map(|t| {
                    let head = [
                        plan.address(t.buffer),
                        t.ty.bytes() as u32,
                        t.ty.dims.len() as u32,
                    ];
                    head.into_iter().chain(t.ty.dims.iter().map(|d| d.bound()))
                });
                memory.put(plan.address(*record), &bytes(words));
            }
            Action::Block(_) | Action::Write { .. } | Action::Read { .. } | Action::Kernel(_) => {}
        }
    }
}

fn bytes(words: impl Iterator<Item = u32>) -> Vec<u8> {
    words.flat_map(u32::to_le_bytes).collect()
}

/// The body of `_reset`: state back to its first value, which lies at `from` unless it is all zero.
fn reset(state: u32, bytes: u32, from: Option<u32>) -> Function {
    let mut function = Function::new([]);
    function.instruction(&Instruction::I32Const(state.cast_signed()));
    if let Some(from) = from {
        function.instruction(&Instruction::I32Const(from.cast_signed()));
        function.instruction(&Instruction::I32Const(bytes.cast_signed()));
        function.instruction(&Instruction::MemoryCopy {
            src_mem: 0,
            dst_mem: 0,
        });
    } else {
        function.instruction(&Instruction::I32Const(0));
        function.instruction(&Instruction::I32Const(bytes.cast_signed()));
        function.instruction(&Instruction::MemoryFill(0));
    }
    function.instruction(&Instruction::End);
    function
}

/// The first contents of memory.
#[derive(Default)]
struct Memory {
    pieces: Vec<(u32, Vec<u8>)>,
    /// One past the last byte that has a use.
    end: u32,
}

impl Memory {
    fn put(&mut self, address: u32, bytes: &[u8]) {
        self.end = self.end.max(address + bytes.len() as u32);
        self.pieces.push((address, bytes.to_vec()));
    }

    /// Puts bytes behind everything else.
    fn append(&mut self, bytes: &[u8]) -> u32 {
        let at = self.end;
        self.put(at, bytes);
        at
    }

    /// Puts the first value of state in its place and, unless it is all zero, behind everything for `_reset`.
    fn state(&mut self, plan: &Plan, state: &[u8]) -> Option<u32> {
        if state.iter().all(|b| *b == 0) {
            return None;
        }
        self.put(plan.state, state);
        self.end = self.end.next_multiple_of(4);
        Some(self.append(state))
    }

    /// Segments by rising address, without long runs of zeros: memory is zero from the start.
    fn segments(&self) -> Vec<(u32, Vec<u8>)> {
        let mut pieces: Vec<&(u32, Vec<u8>)> =
            self.pieces.iter().filter(|(_, b)| !b.is_empty()).collect();
        pieces.sort_by_key(|(address, _)| *address);
        let mut segments: Vec<(u32, Vec<u8>)> = Vec::new();
        for (address, bytes) in pieces {
            let mut at = 0;
            while let Some(start) = bytes[at..].iter().position(|b| *b != 0).map(|i| at + i) {
                let mut end = start;
                let mut next = start;
                while next < bytes.len() && next - end <= GAP {
                    if bytes[next] != 0 {
                        end = next + 1;
                    }
                    next += 1;
                }
                let begin = address + start as u32;
                match segments.last_mut() {
                    Some((last, data)) if (begin - (*last + data.len() as u32)) as usize <= GAP => {
                        data.resize((begin - *last) as usize, 0);
                        data.extend_from_slice(&bytes[start..end]);
                    }
                    _ => segments.push((begin, bytes[start..end].to_vec())),
                }
                at = end;
            }
        }
        segments
    }
}

fn machine(ty: Machine) -> ValType {
    match ty {
        Machine::I32 => ValType::I32,
        Machine::I64 => ValType::I64,
        Machine::F32 => ValType::F32,
        Machine::F64 => ValType::F64,
        Machine::V128 => ValType::V128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_leave_out_zeros() {
        let mut memory = Memory::default();
        memory.put(100, &[0, 0, 1, 2, 0, 3]);
        memory.put(200, &[0; 50]);
        memory.put(90, &[7]);
        let mut long = vec![9];
        long.extend([0; 40]);
        long.push(8);
        memory.put(300, &long);
        let mut joined = vec![7];
        joined.extend([0; 11]);
        joined.extend([1, 2, 0, 3]);
        assert_eq!(
            memory.segments(),
            [(90, joined), (300, vec![9]), (341, vec![8])]
        );
    }
}
