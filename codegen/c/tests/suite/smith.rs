//! Random modules. `RUNE_C_MODULES=2000` asks for more of them than a usual run has.

use std::{fs, thread};

use arbitrary::Unstructured;
use rune_c::{Error, Mode, Options};
use wasm_smith::{Config, Module};
use wasmtime::Engine;

use crate::{
    machine::{self, Case, Loose, Ty},
    native,
};

/// How many modules one program has.
const TOGETHER: usize = 20;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

fn config(random: &mut Random) -> Config {
    // Instructions that change tables come with bulk memory, and no rune has them.
    let tables = random.next().is_multiple_of(2);
    Config {
        allow_start_export: false,
        bulk_memory_enabled: !tables,
        canonicalize_nans: true,
        custom_page_sizes_enabled: false,
        // Most calls of modules that may trap do so soon.
        disallow_traps: !random.next().is_multiple_of(3),
        exceptions_enabled: false,
        export_everything: true,
        extended_const_enabled: false,
        gc_enabled: false,
        generate_custom_sections: false,
        max_data_segments: 4,
        max_funcs: 12,
        max_globals: 6,
        max_imports: 0,
        max_instructions: 400,
        max_memories: 1,
        max_memory32_bytes: 4 << 16,
        max_nesting_depth: 100,
        max_table_elements: 20,
        max_tables: usize::from(tables),
        memory64_enabled: false,
        memory_max_size_required: true,
        min_funcs: 4,
        min_globals: 1,
        multi_value_enabled: true,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: true,
        shared_everything_threads_enabled: false,
        sign_extension_ops_enabled: true,
        simd_enabled: random.next().is_multiple_of(3),
        table_max_size_required: true,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

fn values(random: &mut Random, ty: Ty) -> Vec<u128> {
    let lane = |random: &mut Random, narrow: bool| {
        let pick = random.next();
        let integers = [
            0,
            1,
            2,
            7,
            31,
            65_535,
            u64::MAX,
            1 << 31,
            (1 << 31) - 1,
            pick,
        ];
        let floats = [0.0, -0.0, 1.5, -2.5, 1e9, -1e19, f64::INFINITY, f64::NAN];
        match pick >> 8 & 1 {
            0 => integers[pick as usize % integers.len()],
            _ if narrow => u64::from((floats[pick as usize % floats.len()] as f32).to_bits()),
            _ => floats[pick as usize % floats.len()].to_bits(),
        }
    };
    let one = |random: &mut Random| match ty {
        Ty::I32 | Ty::F32 => u128::from(lane(random, true) as u32),
        Ty::I64 | Ty::F64 => u128::from(lane(random, false)),
        Ty::V128 => u128::from(lane(random, false)) << 64 | u128::from(lane(random, true)),
    };
    (0..3).map(|_| one(random)).collect()
}

/// The module of a seed, if it is one that a rune may be.
fn module(engine: &Engine, seed: u64) -> Option<Case> {
    let mut random = Random(seed);
    let config = config(&mut random);
    let bytes: Vec<u8> = (0..500).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut module = Module::new(config, &mut Unstructured::new(&bytes)).unwrap();
    module.ensure_termination(300).unwrap();
    let wasm = module.to_bytes();
    match rune_c::emit(&wasm, &Options::default()) {
        Ok(_) => {}
        // A segment that does not fit, or a table that changes.
        Err(Error::Instantiation { .. } | Error::Unsupported { .. }) => return None,
        Err(error) => panic!("seed {seed}: {error}"),
    }
    let name = format!("seed {seed}");
    let pick = |_: &str, ty| values(&mut random, ty);
    let mut case = Case::new(engine, &name, wasm, |_| Loose::Exact, pick);
    for calls in &mut case.calls {
        // Every combination is called, and there may be many parameters.
        let most = if calls.values.len() > 3 { 1 } else { 3 };
        calls
            .values
            .iter_mut()
            .for_each(|(_, values)| values.truncate(most));
    }
    Some(case)
}

#[test]
fn random_modules_do_the_same() {
    let wanted = std::env::var("RUNE_C_MODULES").map_or(200, |text| text.parse().unwrap());
    let compilers = native::compilers();
    if compilers.is_empty() {
        return;
    }
    // Deep recursion of wasmtime's side needs stack.
    let worker = |part: usize, parts: usize| {
        let engine = machine::engine();
        let folder = native::folder(&format!("smith-{part}"));
        let (mut calls, mut traps, mut modules) = (0, 0, 0);
        let mut seeds = (0_u64..).filter(|seed| *seed as usize % parts == part);
        let mut turn = 0;
        while modules < wanted / parts {
            let many = TOGETHER.min(wanted / parts - modules);
            let cases: Vec<Case> = seeds
                .by_ref()
                .filter_map(|seed| module(&engine, seed))
                .take(many)
                .collect();
            let compiler = compilers[turn % compilers.len()];
            let found = native::run(&folder, &cases, Mode::Bounds, compiler);
            for (index, (case, found)) in cases.iter().zip(&found).enumerate() {
                let expected = case.expected(&engine);
                if *found != expected {
                    let _ = fs::copy(
                        folder.join(format!("m{index}.wasm")),
                        folder.join("different.wasm"),
                    );
                    assert_eq!(*found, expected, "{} {compiler:?}", case.name);
                }
                calls += expected.matches("gives").count() + expected.matches("traps").count();
                traps += expected.matches("traps").count();
            }
            assert_eq!(found.len(), cases.len());
            modules += cases.len();
            turn += 1;
        }
        (modules, calls, traps)
    };
    let found = thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|part| {
                let work = move || worker(part, 2);
                let builder = thread::Builder::new().stack_size(64 << 20);
                builder.spawn_scoped(scope, work).unwrap()
            })
            .collect();
        let results = workers.into_iter().map(|w| w.join().unwrap());
        results.fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2))
    });
    let (modules, calls, traps) = found;
    println!("{modules} modules, {calls} calls, of which {traps} trap");
    assert!(calls > modules && traps < calls);
}
