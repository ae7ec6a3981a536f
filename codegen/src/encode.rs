//! Writes a module: its sections, in the order WebAssembly asks for.

use rune_abi::{Import, export, section};
use rune_ir::object::{FunctionType, Machine};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType, ImportSection,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

/// Size of a page of memory.
const PAGE: u64 = 1 << 16;

/// Slots of the table before the first function: a null pointer calls nothing.
const FIRST_SLOT: u32 = 1;

/// What a module is made of, with every index final.
pub(crate) struct Sections<'a> {
    /// The types that functions name.
    pub(crate) types: &'a [FunctionType],
    /// The imported functions, with their types.
    pub(crate) imports: &'a [(Import, u32)],
    /// The types of the functions of the module's own.
    pub(crate) functions: &'a [u32],
    /// The functions in the table.
    pub(crate) table: &'a [u32],
    /// Bytes of memory in use.
    pub(crate) memory_bytes: u32,
    /// Bytes of the second memory, if there is one.
    pub(crate) flash_bytes: Option<u32>,
    /// First value of the stack pointer, which is global 0 where there is one.
    pub(crate) stack_top: Option<u32>,
    /// Exported functions by name; the memory is exported too.
    pub(crate) exports: &'a [(&'static str, u32)],
    /// The bodies of the module's own functions.
    pub(crate) bodies: &'a [Vec<u8>],
    /// First contents of memory.
    pub(crate) data: &'a [(u32, Vec<u8>)],
    /// Contents of the second memory.
    pub(crate) flash: &'a [(u32, Vec<u8>)],
    /// The custom section that names the functions of intrinsics; none if it is empty.
    pub(crate) intrinsics: &'a str,
    /// The custom section with the manifest.
    pub(crate) manifest: &'a [u8],
    /// The custom section with the typed pipeline.
    pub(crate) graph: &'a str,
}

/// The bytes of the module.
pub(crate) fn encode(sections: &Sections<'_>) -> Vec<u8> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    for ty in sections.types {
        let machines = |list: &[Machine]| list.iter().map(|m| machine(*m)).collect::<Vec<_>>();
        types
            .ty()
            .function(machines(&ty.params), machines(&ty.results));
    }
    module.section(&types);
    if !sections.imports.is_empty() {
        let mut imports = ImportSection::new();
        for (import, ty) in sections.imports {
            imports.import(Import::MODULE, import.name(), EntityType::Function(*ty));
        }
        module.section(&imports);
    }
    let mut functions = FunctionSection::new();
    for ty in sections.functions {
        functions.function(*ty);
    }
    module.section(&functions);
    if !sections.table.is_empty() {
        module.section(&table(sections.table.len() as u32 + FIRST_SLOT));
    }
    module.section(&memories(sections.memory_bytes, sections.flash_bytes));
    if let Some(top) = sections.stack_top {
        module.section(&stack_pointer(top));
    }
    let mut exports = ExportSection::new();
    exports.export(export::MEMORY, ExportKind::Memory, 0);
    for (name, function) in sections.exports {
        exports.export(name, ExportKind::Func, *function);
    }
    module.section(&exports);
    if !sections.table.is_empty() {
        let mut elements = ElementSection::new();
        let first = ConstExpr::i32_const(FIRST_SLOT.cast_signed());
        elements.active(None, &first, Elements::Functions(sections.table.into()));
        module.section(&elements);
    }
    // The large sections are made one after the other, so that they do not take memory at the same time.
    module.section(&code(sections.bodies));
    module.section(&data(&[sections.data, sections.flash]));
    if !sections.intrinsics.is_empty() {
        module.section(&CustomSection {
            name: rune_c::INTRINSICS.into(),
            data: sections.intrinsics.as_bytes().into(),
        });
    }
    for (name, bytes) in [
        (section::MANIFEST, sections.manifest),
        (section::GRAPH, sections.graph.as_bytes()),
    ] {
        module.section(&CustomSection {
            name: name.into(),
            data: bytes.into(),
        });
    }
    module.finish()
}

fn code(bodies: &[Vec<u8>]) -> CodeSection {
    let mut code = CodeSection::new();
    for body in bodies {
        code.raw(body);
    }
    code
}

/// The contents of each memory.
fn data(memories: &[&[(u32, Vec<u8>)]]) -> DataSection {
    let mut data = DataSection::new();
    for (index, segments) in (0..).zip(memories) {
        for (address, bytes) in *segments {
            let address = ConstExpr::i32_const(address.cast_signed());
            data.active(index, &address, bytes.iter().copied());
        }
    }
    data
}

fn table(slots: u32) -> TableSection {
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(slots),
        maximum: Some(u64::from(slots)),
        shared: false,
    });
    tables
}

/// A memory that neither grows nor has to, and one of constants, whose pages are bytes.
fn memories(bytes: u32, flash: Option<u32>) -> MemorySection {
    let pages = u64::from(bytes).div_ceil(PAGE).max(1);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    if let Some(bytes) = flash {
        memories.memory(MemoryType {
            minimum: bytes.into(),
            maximum: Some(bytes.into()),
            memory64: false,
            shared: false,
            page_size_log2: Some(0),
        });
    }
    memories
}

fn stack_pointer(top: u32) -> GlobalSection {
    let mut globals = GlobalSection::new();
    let ty = GlobalType {
        val_type: ValType::I32,
        mutable: true,
        shared: false,
    };
    globals.global(ty, &ConstExpr::i32_const(top.cast_signed()));
    globals
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
