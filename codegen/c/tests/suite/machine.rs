//! What is asked of a module, and what wasmtime answers.

use std::fmt::Write as _;

use wasmtime::{
    Config, Engine, ExternType, Func, Instance, Linker, Memory, Module, Store, Trap, Val, ValType,
};

/// A type that a function takes or gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    I32,
    I64,
    F32,
    F64,
    V128,
}

impl Ty {
    fn of(ty: &ValType) -> Self {
        match ty {
            ValType::I32 => Self::I32,
            ValType::I64 => Self::I64,
            ValType::F32 => Self::F32,
            ValType::F64 => Self::F64,
            ValType::V128 => Self::V128,
            ValType::Ref(_) => panic!("the modules have no references"),
        }
    }
}

/// Which NaNs of results may differ, since WebAssembly leaves them open: those of lanes of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loose {
    Exact,
    F32,
    F64,
}

/// Calls of one exported function with every combination of the values for each parameter, as bits.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    pub(crate) export: String,
    pub(crate) values: Vec<(Ty, Vec<u128>)>,
    pub(crate) results: Vec<Ty>,
    pub(crate) loose: Loose,
}

/// A module, and what is called in it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) wasm: Vec<u8>,
    pub(crate) calls: Vec<Calls>,
    /// Exported globals: index, name, type.
    pub(crate) globals: Vec<(u32, String, Ty)>,
    pub(crate) memory: Option<String>,
}

pub(crate) fn engine() -> Engine {
    let mut config = Config::new();
    config.max_wasm_stack(1 << 20);
    config.wasm_custom_page_sizes(true);
    Engine::new(&config).unwrap()
}

impl Case {
    /// A module of which every exported function is called with what `values` gives for its parameters.
    pub(crate) fn new(
        engine: &Engine,
        name: &str,
        wasm: Vec<u8>,
        loose: impl Fn(&str) -> Loose,
        mut values: impl FnMut(&str, Ty) -> Vec<u128>,
    ) -> Self {
        let module = Module::new(engine, &wasm).unwrap();
        let mut case = Self {
            name: name.to_owned(),
            calls: Vec::new(),
            globals: Vec::new(),
            memory: None,
            wasm: Vec::new(),
        };
        let mut indices = std::collections::BTreeMap::new();
        for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
            if let wasmparser::Payload::ExportSection(exports) = payload.unwrap() {
                for export in exports {
                    let export = export.unwrap();
                    indices.insert(export.name.to_owned(), export.index);
                }
            }
        }
        for export in module.exports() {
            let name = export.name().to_owned();
            match export.ty() {
                ExternType::Func(ty) => case.calls.push(Calls {
                    values: ty
                        .params()
                        .map(|ty| (Ty::of(&ty), values(&name, Ty::of(&ty))))
                        .collect(),
                    results: ty.results().map(|ty| Ty::of(&ty)).collect(),
                    loose: loose(&name),
                    export: name,
                }),
                ExternType::Global(ty) => {
                    if ty.mutability() == wasmtime::Mutability::Var {
                        let index = indices[&name];
                        case.globals.push((index, name, Ty::of(ty.content())));
                    }
                }
                ExternType::Memory(_) => case.memory = Some(name),
                ExternType::Table(_) | ExternType::Tag(_) => {}
            }
        }
        case.wasm = wasm;
        case
    }

    /// What wasmtime makes of it: a line for each call, each global, and the memory.
    pub(crate) fn expected(&self, engine: &Engine) -> String {
        let module = Module::new(engine, &self.wasm).unwrap();
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        // Imports give the sum of what they take, and 7.
        linker
            .func_wrap("host", "add", |a: i32, b: i32| {
                a.wrapping_add(b).wrapping_add(7)
            })
            .unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let mut out = String::new();
        for calls in &self.calls {
            let function = instance.get_func(&mut store, &calls.export).unwrap();
            let mut at = vec![0; calls.values.len()];
            'all: loop {
                let arguments = calls.values.iter().zip(&at);
                let arguments: Vec<Val> = arguments
                    .map(|((ty, values), at)| value(*ty, values[*at]))
                    .collect();
                call(&mut store, function, &arguments, calls, &mut out);
                for place in (0..at.len()).rev() {
                    at[place] += 1;
                    if at[place] < calls.values[place].1.len() {
                        continue 'all;
                    }
                    at[place] = 0;
                }
                break;
            }
        }
        self.state(&mut store, instance, &mut out);
        out
    }

    fn state(&self, store: &mut Store<()>, instance: Instance, out: &mut String) {
        for (index, name, _) in &self.globals {
            let global = instance.get_global(&mut *store, name).unwrap();
            let value = global.get(&mut *store);
            writeln!(out, "global {index}{}", shown(&value, Loose::Exact)).unwrap();
        }
        if let Some(name) = &self.memory {
            let memory: Memory = instance.get_memory(&mut *store, name).unwrap();
            let bytes = memory.data(&*store);
            let mut hash = 0xcbf2_9ce4_8422_2325_u64;
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
            writeln!(out, "memory {} {hash:016x}", bytes.len()).unwrap();
        }
    }
}

fn call(store: &mut Store<()>, function: Func, arguments: &[Val], calls: &Calls, out: &mut String) {
    let mut results = vec![Val::I32(0); calls.results.len()];
    match function.call(store, arguments, &mut results) {
        Ok(()) => {
            out.push_str("gives");
            for result in &results {
                out.push_str(&shown(result, calls.loose));
            }
            out.push('\n');
        }
        Err(error) => {
            let trap: &Trap = error.downcast_ref().unwrap();
            writeln!(out, "traps {}", why(*trap)).unwrap();
        }
    }
}

/// The number of the header of C.
#[expect(clippy::wildcard_enum_match_arm, reason = "no rune can trap otherwise")]
fn why(trap: Trap) -> u32 {
    match trap {
        Trap::UnreachableCodeReached => 1,
        Trap::MemoryOutOfBounds => 2,
        Trap::IntegerDivisionByZero => 3,
        Trap::IntegerOverflow => 4,
        Trap::BadConversionToInteger => 5,
        Trap::TableOutOfBounds => 6,
        Trap::IndirectCallToNull => 7,
        Trap::BadSignature => 8,
        Trap::StackOverflow => 9,
        other => panic!("{other}"),
    }
}

fn value(ty: Ty, bits: u128) -> Val {
    match ty {
        Ty::I32 => Val::I32(bits as i32),
        Ty::I64 => Val::I64(bits as i64),
        Ty::F32 => Val::F32(bits as u32),
        Ty::F64 => Val::F64(bits as u64),
        Ty::V128 => Val::V128(bits.into()),
    }
}

/// Bits as C prints them.
fn shown(value: &Val, loose: Loose) -> String {
    match value {
        Val::I32(value) => format!(" {value:08x}"),
        Val::I64(value) => format!(" {value:016x}"),
        Val::F32(bits) => format!(" {:08x}", single(*bits, loose)),
        Val::F64(bits) => format!(" {:016x}", double(*bits, loose)),
        Val::V128(value) => {
            let bits = value.as_u128();
            let (low, high) = (bits as u64, (bits >> 64) as u64);
            format!(" {:016x}.{:016x}", half(low, loose), half(high, loose))
        }
        Val::FuncRef(_) | Val::ExternRef(_) | Val::AnyRef(_) | Val::ExnRef(_) | Val::ContRef(_) => {
            panic!("{value:?}")
        }
    }
}

fn half(bits: u64, loose: Loose) -> u64 {
    match loose {
        Loose::Exact => bits,
        Loose::F32 => {
            let high = single((bits >> 32) as u32, loose);
            u64::from(high) << 32 | u64::from(single(bits as u32, loose))
        }
        Loose::F64 => double(bits, loose),
    }
}

/// A quiet NaN for every quiet one. One that is not quiet is never open.
fn single(bits: u32, loose: Loose) -> u32 {
    if loose != Loose::Exact && bits & 0x7fc0_0000 == 0x7fc0_0000 {
        0x7fc0_0000
    } else {
        bits
    }
}

fn double(bits: u64, loose: Loose) -> u64 {
    if loose != Loose::Exact && bits & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000 {
        0x7ff8_0000_0000_0000
    } else {
        bits
    }
}
