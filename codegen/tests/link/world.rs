//! Blocks as they come and blocks as they are linked, run side by side in an interpreter.

use rune_blocks::object::{self, Shift};
use rune_codegen::link::{ALIGN, Bases, InstanceRequest, Linked, Request, Selection, select};
use rune_ir::{
    block::{Snapshot, SnapshotTarget, SnapshotWord},
    object::{FunctionType, Machine, Object},
};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportKind, ExportSection,
    FunctionSection, GlobalSection, GlobalType, MemorySection, MemoryType, Module, RefType,
    TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{Validator, WasmFeatures};

/// Room for each arena, for scratch, and for tensors.
const ARENA: u32 = 4096;
const PAGE: u32 = 1 << 16;

/// A module in an interpreter.
pub(crate) struct Engine {
    store: wasmi::Store<()>,
    instance: wasmi::Instance,
}

impl Engine {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let engine = wasmi::Engine::default();
        let module = wasmi::Module::new(&engine, bytes).unwrap();
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Instance::new(&mut store, &module, &[]).unwrap();
        Self { store, instance }
    }

    fn memory(&self) -> wasmi::Memory {
        self.instance.get_memory(&self.store, "memory").unwrap()
    }

    /// Adds memory that nobody uses yet, and gives its address.
    fn room(&mut self) -> u32 {
        let memory = self.memory();
        memory.grow(&mut self.store, 1).unwrap() as u32 * PAGE
    }

    pub(crate) fn write(&mut self, address: u32, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let memory = self.memory();
        memory
            .write(&mut self.store, address as usize, &bytes)
            .unwrap();
    }

    pub(crate) fn bytes(&self, address: u32, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        self.memory()
            .read(&self.store, address as usize, &mut bytes)
            .unwrap();
        bytes
    }

    fn words(&self, address: u32, count: u32) -> Vec<u32> {
        words(&self.bytes(address, count * 4))
    }

    pub(crate) fn call(&mut self, name: &str, args: &[u32]) -> u32 {
        let function = self.instance.get_func(&self.store, name).unwrap();
        let args: Vec<wasmi::Val> = args
            .iter()
            .map(|a| wasmi::Val::I32(a.cast_signed()))
            .collect();
        let mut result = [wasmi::Val::I32(0)];
        function.call(&mut self.store, &args, &mut result).unwrap();
        result[0].i32().unwrap().cast_unsigned()
    }

    /// Runs `name` on one tensor, with descriptors and tensors in the page at `room`.
    fn run(
        &mut self,
        name: &str,
        instance: u32,
        scratch: u32,
        room: u32,
        input: &[u32],
    ) -> Vec<u32> {
        let count = input.len() as u32;
        let (from, to) = (room + 16, room + 2 * ARENA);
        self.write(room, &[from, count, to, count]);
        self.write(from, input);
        assert_eq!(self.call(name, &[instance, scratch, room, room + 8]), 0);
        self.words(to, count)
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|w| u32::from_le_bytes(w.try_into().unwrap()))
        .collect()
}

/// A block that has run its `init`, as it came but for where it lies.
pub(crate) struct Whole {
    pub(crate) engine: Engine,
    instance: u32,
    frozen: u32,
    state: u32,
    frozen_used: u32,
    state_used: u32,
    scratch: u32,
}

impl Whole {
    /// Moves the block by `shift` and runs `init` with one integer argument.
    pub(crate) fn new(bytes: &[u8], shift: Shift, argument: i32) -> Self {
        let mut engine = Engine::new(&object::rebase(bytes, shift).unwrap());
        let room = engine.room();
        let (frozen, state) = (room + ARENA, room + 2 * ARENA);
        let context = room + 64;
        engine.write(
            room,
            &[
                0,
                0,
                argument.cast_unsigned(),
                (argument >> 31).cast_unsigned(),
            ],
        );
        engine.write(
            context,
            &[
                room,
                1,
                0,
                0,
                0,
                frozen,
                state,
                state,
                state + ARENA,
                0,
                0,
                0,
            ],
        );
        let instance = engine.call("init", &[context]);
        let after = engine.words(context, 12);
        Self {
            engine,
            instance,
            frozen,
            state,
            frozen_used: after[5] - frozen,
            state_used: after[7] - state,
            scratch: after[11],
        }
    }

    /// One call with a tensor in and a tensor of the same size out.
    pub(crate) fn run(&mut self, export: &str, input: &[u32]) -> Vec<u32> {
        let room = self.engine.room();
        let scratch = self.engine.room();
        self.engine.run(export, self.instance, scratch, room, input)
    }
}

/// The snapshot of a block by the rule of `docs/abi.md`: what differs between two places is a pointer.
pub(crate) fn snapshot(bytes: &[u8], object: &Object, argument: i32) -> Snapshot {
    let near = Whole::new(bytes, Shift::default(), argument);
    let shift = Shift {
        memory: 7 * PAGE,
        table: 13,
        stack: 3 * PAGE,
    };
    let far = Whole::new(bytes, shift, argument);
    let find = |at: u32, used: u32| {
        let here = near.engine.words(at, used / 4);
        let there = far.engine.words(at + 7 * PAGE, used / 4);
        let pairs = here
            .into_iter()
            .zip(there)
            .enumerate()
            .filter(|(_, (a, b))| a != b);
        pairs
            .map(|(i, (a, b))| SnapshotWord {
                offset: 4 * i as u32,
                target: target(&near, object, a, b - a),
            })
            .collect::<Vec<_>>()
    };
    Snapshot {
        frozen: near.engine.bytes(near.frozen, near.frozen_used),
        state: near.engine.bytes(near.state, near.state_used),
        frozen_words: find(near.frozen, near.frozen_used),
        state_words: find(near.state, near.state_used),
        instance: near.instance - near.frozen,
        scratch: near.scratch,
    }
}

fn target(near: &Whole, object: &Object, value: u32, moved: u32) -> SnapshotTarget {
    let within = |start: u32| {
        (start..start + ARENA)
            .contains(&value)
            .then(|| value - start)
    };
    if moved == 13 {
        return SnapshotTarget::Slot(object.table[(value - object.table_base) as usize]);
    }
    assert_eq!(moved, 7 * PAGE, "{value} moved by {moved}");
    if let Some(at) = within(near.frozen) {
        SnapshotTarget::Frozen(at)
    } else if let Some(at) = within(near.state) {
        SnapshotTarget::State(at)
    } else {
        let (datum, offset) = object.datum_at(value).unwrap();
        SnapshotTarget::Datum(datum, offset)
    }
}

/// A module of nothing but linked blocks: instance `i` runs as export `i`.
pub(crate) struct Rune {
    pub(crate) linked: Linked,
    pub(crate) module: Vec<u8>,
    pub(crate) stack: u32,
    room: u32,
    engine: Engine,
}

impl Rune {
    /// Links and instantiates, everything at bases that are unlike the blocks' own.
    pub(crate) fn new(requests: &[Request<'_>]) -> Self {
        Self::of(&select(requests).unwrap())
    }

    pub(crate) fn of(selection: &Selection<'_>) -> Self {
        let stack = selection.stack_bytes();
        let state = stack;
        let room = (state + selection.state_bytes()).next_multiple_of(PAGE);
        let readonly = room + 2 * PAGE + 5 * ALIGN;
        let mut types: Vec<FunctionType> = Vec::new();
        let mut type_index = |ty: &FunctionType| {
            types.iter().position(|t| t == ty).unwrap_or_else(|| {
                types.push(ty.clone());
                types.len() - 1
            }) as u32
        };
        let linked = selection.place(&mut Bases {
            readonly,
            state,
            first_function: 0,
            first_slot: 3,
            stack_pointer: 0,
            type_index: &mut type_index,
        });
        let signatures: Vec<u32> = linked.functions.iter().map(|f| type_index(&f.ty)).collect();
        assert_eq!(linked.functions.len(), selection.functions());
        assert_eq!(linked.readonly.len(), selection.readonly_bytes() as usize);
        assert_eq!(linked.state.len(), selection.state_bytes() as usize);
        let module = module(&linked, &types, &signatures, (readonly, state, stack));
        Validator::new_with_features(features())
            .validate_all(&module)
            .unwrap();
        let engine = Engine::new(&module);
        Self {
            linked,
            module,
            stack,
            room,
            engine,
        }
    }

    /// One call of an instance.
    pub(crate) fn run(&mut self, instance: usize, input: &[u32]) -> Vec<u32> {
        let address = self.linked.instances[instance].address;
        let scratch = self.room + PAGE;
        self.engine
            .run(&instance.to_string(), address, scratch, self.room, input)
    }

    /// The lowest byte of the stack that is not zero.
    pub(crate) fn deepest(&self) -> Option<u32> {
        let stack = self.engine.bytes(0, self.stack);
        stack.iter().position(|b| *b != 0).map(|at| at as u32)
    }
}

/// What `docs/abi.md` lets a rune use, written the short way.
fn features() -> WasmFeatures {
    WasmFeatures::WASM1
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::SIMD
}

fn module(
    linked: &Linked,
    types: &[FunctionType],
    signatures: &[u32],
    (readonly, state, stack): (u32, u32, u32),
) -> Vec<u8> {
    let machine = |machine: &Machine| match machine {
        Machine::I32 => ValType::I32,
        Machine::I64 => ValType::I64,
        Machine::F32 => ValType::F32,
        Machine::F64 => ValType::F64,
        Machine::V128 => ValType::V128,
    };
    let mut all = Module::new();
    let mut section = TypeSection::new();
    for ty in types {
        section.ty().function(
            ty.params.iter().map(machine),
            ty.results.iter().map(machine),
        );
    }
    all.section(&section);
    let mut section = FunctionSection::new();
    for ty in signatures {
        section.function(*ty);
    }
    all.section(&section);
    let slots = linked.table.len() as u64 + 3;
    let mut section = TableSection::new();
    section.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: slots,
        maximum: Some(slots),
        shared: false,
    });
    all.section(&section);
    let pages = (readonly + linked.readonly.len() as u32).div_ceil(PAGE);
    let mut section = MemorySection::new();
    section.memory(MemoryType {
        minimum: u64::from(pages),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    all.section(&section);
    let mut section = GlobalSection::new();
    section.global(
        GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        },
        &ConstExpr::i32_const(stack.cast_signed()),
    );
    all.section(&section);
    let mut section = ExportSection::new();
    section.export("memory", ExportKind::Memory, 0);
    for (i, instance) in linked.instances.iter().enumerate() {
        section.export(&i.to_string(), ExportKind::Func, instance.run);
    }
    all.section(&section);
    let mut section = ElementSection::new();
    section.active(
        None,
        &ConstExpr::i32_const(3),
        Elements::Functions((&linked.table[..]).into()),
    );
    all.section(&section);
    let mut section = CodeSection::new();
    for function in &linked.functions {
        section.raw(&function.body);
    }
    all.section(&section);
    let mut section = DataSection::new();
    section.active(
        0,
        &ConstExpr::i32_const(state.cast_signed()),
        linked.state.iter().copied(),
    );
    section.active(
        0,
        &ConstExpr::i32_const(readonly.cast_signed()),
        linked.readonly.iter().copied(),
    );
    all.section(&section);
    all.finish()
}

/// The requests for instances of one block with these snapshots.
pub(crate) fn request<'a>(
    object: &'a Object,
    export: &'a str,
    snapshots: &'a [Snapshot],
) -> Request<'a> {
    let instances = snapshots
        .iter()
        .map(|snapshot| InstanceRequest { export, snapshot })
        .collect();
    Request { object, instances }
}
