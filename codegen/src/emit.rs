//! Makes the module's parts: every index and address final, every body written.

use rune_abi::{Import, WasmFeatures, export};
use rune_c::Intrinsic;
use rune_ir::{
    check::Verified,
    object::{FunctionType, Machine},
};
use wasm_encoder::{Function, Instruction};

use crate::{
    Options,
    call::{self, Names},
    encode::{Sections, encode},
    features,
    graph::Graph,
    link::{Bases, Selection},
    memory::Memory,
    nest::{Links, Place},
    plan::Plan,
    program::{Action, Program},
    report::{self, Finished, Report},
};

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

/// Assembles a rune and counts what it costs. `manifest` is complete but for memory, stack and features,
/// which are set here.
///
/// # Errors
/// What is wrong with the manifest: a name it cannot hold.
pub(crate) fn module(
    program: &Program,
    verified: &Verified,
    selection: &Selection,
    plan: &Plan,
    options: &Options,
    manifest: &mut rune_abi::Manifest,
) -> Result<(Vec<u8>, Report), String> {
    let signature = |params: usize, results: usize| FunctionType {
        params: vec![Machine::I32; params],
        results: vec![Machine::I32; results],
    };
    let marks = options.marks;
    let imports = imports(program, marks);
    let mut types = Types::default();
    let import_types: Vec<u32> = imports
        .iter()
        .map(|i| types.index(&signature(i.signature().0.len(), i.signature().1.len())))
        .collect();
    let getter = types.index(&signature(0, 1));
    let action = types.index(&signature(0, 0));

    // Functions: imports, `_manifest`, `_call`, `_reset`, intrinsics, kernels, blocks.
    let manifest_function = imports.len() as u32;
    let call_function = manifest_function + 1;
    let has_state = plan.state_bytes > 0;
    let reset_function = call_function + 1;
    let first_intrinsic = reset_function + u32::from(has_state);
    let uses_intrinsics = program
        .steps
        .iter()
        .any(|s| matches!(&s.action, Action::Kernel(kernel) if kernel.has_intrinsics()));
    let intrinsics: &[Intrinsic] = if uses_intrinsics {
        &Intrinsic::ALL
    } else {
        &[]
    };
    let intrinsic_types: Vec<u32> = intrinsics
        .iter()
        .map(|i| types.index(&signature(i.operands(), 1)))
        .collect();
    let first_kernel = first_intrinsic + intrinsics.len() as u32;
    let kernels: Vec<usize> = program
        .steps
        .iter()
        .enumerate()
        .filter(|(_, s)| matches!(&s.action, Action::Kernel(kernel) if !kernel.is_empty()))
        .map(|(i, _)| i)
        .collect();
    let first_linked = first_kernel + kernels.len() as u32;

    let mut memory = Memory::new(plan.readonly);
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
    let tables_end = memory.end;
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
    let mut flash = Memory::new(plan.flash_bytes);
    for id in &plan.flash {
        if let Some(data) = &program.buffers[*id].data {
            flash.put(plan.place(*id).address, data);
        }
    }
    descriptors(program, plan, &mut memory);
    let mut state = linked.state.clone();
    state.resize(plan.state_bytes as usize, 0);
    for id in &plan.kept {
        if let Some(initial) = &program.buffers[*id].initial {
            let at = (plan.address(*id) - plan.state) as usize;
            state[at..at + initial.len()].copy_from_slice(initial);
        }
    }
    let initial_state = state.iter().any(|b| *b != 0).then(|| {
        memory.put(plan.state, &state);
        // For `_reset`, which is ours.
        let (number, behind) = if options.flash {
            (1, &mut flash)
        } else {
            (0, &mut memory)
        };
        behind.end = behind.end.next_multiple_of(4);
        Place {
            memory: number,
            address: behind.append(&state),
        }
    });

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
                first_kernel + kernels.binary_search(&step).expect("the step is a kernel") as u32
            },
            block: &|step| {
                let instance = &linked.instances[block_instance(program, step)];
                (instance.run, instance.address)
            },
            address: &|buffer| plan.address(buffer),
            stage_name: &|stage| names[stage],
        },
        marks,
    );
    let mut bodies: Vec<Vec<u8>> = vec![body.into_raw_body()];
    if has_state {
        bodies.push(reset(plan.state, plan.state_bytes, initial_state).into_raw_body());
    }
    bodies.extend(intrinsics.iter().map(|i| i.body().to_vec()));
    let links = Links {
        place: &|buffer| plan.place(buffer),
        intrinsics: first_intrinsic,
    };
    for step in &kernels {
        if let Action::Kernel(kernel) = &program.steps[*step].action {
            bodies.push(kernel.body(&links));
        }
    }
    bodies.extend(linked.functions.iter().map(|f| f.body.clone()));

    // The manifest lies last: its size is known before its contents are.
    manifest.stack_bytes = selection.stack_bytes();
    let of_types = linked
        .functions
        .iter()
        .map(|f| Ok(features::of_type(&f.ty)));
    let of_bodies = bodies.iter().map(|body| features::of_body(body));
    manifest.features = of_types
        .chain(of_bodies)
        .try_fold(WasmFeatures::default(), |all, found: Result<_, String>| {
            Ok::<_, String>(all.union(found?))
        })?;
    let at = memory.end.next_multiple_of(4);
    manifest.memory_bytes = at;
    let size = manifest.to_bytes().map_err(|e| e.to_string())?.len() as u32;
    manifest.memory_bytes = at + size;
    if manifest.memory_bytes > 1 << 31 {
        return Err("the rune needs more than 2 GiB of memory".to_owned());
    }
    let manifest_bytes = manifest.to_bytes().map_err(|e| e.to_string())?;
    memory.put(at, &manifest_bytes);

    let mut functions: Vec<u32> = vec![getter, getter];
    functions.extend(has_state.then_some(action));
    functions.extend(intrinsic_types);
    functions.extend(kernels.iter().map(|_| action));
    functions.extend(linked_types);
    let mut exports = vec![
        (export::MANIFEST, manifest_function),
        (export::CALL, call_function),
    ];
    exports.extend(has_state.then_some((export::RESET, reset_function)));
    bodies.insert(0, constant(at).into_raw_body());
    let report = report::report(
        program,
        verified,
        selection,
        plan,
        &Finished {
            bodies: &bodies.iter().map(|b| b.len() as u32).collect::<Vec<_>>(),
            entries: exports.len() + intrinsics.len(),
            kernels: &kernels,
            tables_end,
            memory_bytes: manifest.memory_bytes,
            flash_bytes: flash.end,
        },
    );
    let graph = Graph::new(verified, &manifest.models, &report).to_string();
    let wasm = encode(&Sections {
        types: &types.0,
        imports: &imports.into_iter().zip(import_types).collect::<Vec<_>>(),
        functions: &functions,
        table: &linked.table,
        memory_bytes: manifest.memory_bytes,
        flash_bytes: options.flash.then_some(flash.end),
        stack_top: selection.uses_stack().then(|| plan.stack_top()),
        exports: &exports,
        bodies: &bodies,
        data: &memory.segments(),
        flash: &flash.segments(),
        intrinsics: &intrinsics
            .iter()
            .zip(first_intrinsic..)
            .map(|(intrinsic, function)| format!("{} {function}\n", intrinsic.name()))
            .collect::<Vec<_>>()
            .concat(),
        manifest: &manifest_bytes,
        graph: &graph,
    });
    Ok((wasm, report))
}

/// The body of `_manifest`: the address, and nothing else.
fn constant(address: u32) -> Function {
    let mut function = Function::new([]);
    function.instruction(&Instruction::I32Const(address.cast_signed()));
    function.instruction(&Instruction::End);
    function
}

/// The imports a program needs, in the order of the contract.
fn imports(program: &Program, marks: bool) -> Vec<Import> {
    let needs = |import: Import| {
        marks && import == Import::Mark
            || program.steps.iter().any(|s| match (&s.action, import) {
                (Action::Read { .. }, Import::Read)
                | (Action::Write { .. }, Import::Write)
                | (Action::Block(_), Import::Fault) => true,
                (
                    Action::Read { .. }
                    | Action::Write { .. }
                    | Action::Block(_)
                    | Action::Kernel(_),
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
fn reset(state: u32, bytes: u32, from: Option<Place>) -> Function {
    let mut function = Function::new([]);
    function.instruction(&Instruction::I32Const(state.cast_signed()));
    if let Some(from) = from {
        function.instruction(&Instruction::I32Const(from.address.cast_signed()));
        function.instruction(&Instruction::I32Const(bytes.cast_signed()));
        function.instruction(&Instruction::MemoryCopy {
            src_mem: from.memory,
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
