//! Random modules. `RUNE_C_MODULES=2000` asks for more of them than a usual run has.

use std::{fs, path::Path, thread};

use arbitrary::Unstructured;
use rune_c::{Error, Mode, Options};
use wasm_smith::{Config, Module};
use wasmparser::{Parser, Payload};
use wasmtime::Engine;

use crate::{
    machine::{self, Case, Loose, Ty},
    metal, native,
};

/// How many modules one program has.
const TOGETHER: usize = 20;

/// Half of what comes has next to no code; such modules are passed over.
const LEAST_CODE: u32 = 200;

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

/// The bytes of all code of a module.
fn code_bytes(wasm: &[u8]) -> u32 {
    let code = |payload| {
        if let Payload::CodeSectionStart { size, .. } = payload {
            size
        } else {
            0
        }
    };
    let payloads = Parser::new(0).parse_all(wasm);
    payloads.map(|payload| code(payload.unwrap())).sum()
}

/// The module of a seed, if it is one that a rune may be and has something to compare.
fn module(engine: &Engine, seed: u64) -> Option<Case> {
    let mut random = Random(seed);
    let config = config(&mut random);
    let bytes: Vec<u8> = (0..500).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut module = Module::new(config, &mut Unstructured::new(&bytes)).unwrap();
    module.ensure_termination(300).unwrap();
    let wasm = module.to_bytes();
    if code_bytes(&wasm) < LEAST_CODE {
        return None;
    }
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

/// How many modules are wanted: of each `share` of them one.
fn wanted(share: usize) -> usize {
    std::env::var("RUNE_C_MODULES").map_or(200, |text| text.parse().unwrap()) / share
}

/// What was compared.
#[derive(Clone, Copy, Default)]
struct Count {
    modules: usize,
    calls: usize,
    traps: usize,
    unchecked: usize,
}

/// Modules in batches on two threads; `same` runs a batch.
fn each(
    name: &str,
    wanted: usize,
    first: u64,
    same: impl Fn(&Path, &Engine, &[Case], usize, &mut Count) + Sync,
) -> Count {
    // Deep recursion of wasmtime's side needs stack.
    let worker = |part: usize, parts: usize| {
        let engine = machine::engine();
        let folder = native::folder(&format!("{name}-{part}"));
        let mut count = Count::default();
        let mut seeds = (first..).filter(|seed| *seed as usize % parts == part);
        let mut turn = 0;
        while count.modules < wanted / parts {
            let many = TOGETHER.min(wanted / parts - count.modules);
            let cases: Vec<Case> = seeds
                .by_ref()
                .filter_map(|seed| module(&engine, seed))
                .take(many)
                .collect();
            same(&folder, &engine, &cases, turn, &mut count);
            count.modules += cases.len();
            turn += 1;
        }
        count
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|part| {
                let worker = &worker;
                let builder = thread::Builder::new().stack_size(64 << 20);
                builder
                    .spawn_scoped(scope, move || worker(part, 2))
                    .unwrap()
            })
            .collect();
        let results = workers.into_iter().map(|w| w.join().unwrap());
        results.fold(Count::default(), |a, b| Count {
            modules: a.modules + b.modules,
            calls: a.calls + b.calls,
            traps: a.traps + b.traps,
            unchecked: a.unchecked + b.unchecked,
        })
    })
}

/// Compares what was found with what wasmtime gives, and keeps a module that differs.
fn compare(folder: &Path, cases: &[Case], found: &[String], expected: &[String], how: &str) {
    assert_eq!(found.len(), cases.len(), "{how}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found != expected {
            let _ = fs::copy(
                folder.join(format!("m{index}.wasm")),
                folder.join("different.wasm"),
            );
            assert_eq!(found, expected, "{} {how}", cases[index].name);
        }
    }
}

/// Whether a module does without checks what it does with them: no access traps. Where addresses are masked, memory is a
/// power of two and never grows.
fn equals_unchecked(case: &Case, expected: &str, mode: Mode) -> bool {
    let memory = expected.lines().find_map(|line| {
        let size = line.strip_prefix("memory ")?.split(' ').next()?;
        size.parse::<usize>().ok()
    });
    let grows = || {
        let output = rune_c::emit(&case.wasm, &Options::default()).unwrap();
        output.header.contains("memory_capacity;")
    };
    !expected.contains("traps 2")
        && (mode == Mode::None || memory.is_some_and(usize::is_power_of_two) && !grows())
}

#[test]
fn random_modules_do_the_same() {
    let compilers = native::compilers();
    if compilers.is_empty() {
        return;
    }
    let whole = std::env::var_os("RUNE_C_MODULES").is_some();
    let count = each(
        "smith",
        wanted(1),
        0,
        |folder, engine, cases, turn, count| {
            let expected: Vec<String> = cases.iter().map(|case| case.expected(engine)).collect();
            // When more are asked for, each one with the checks of each compiler and as others compile, in turn; otherwise
            // with one compiler in turn.
            let mut plain = compilers.iter().filter(|c| !c.is_checked()).cycle();
            let plain = plain.nth(turn).unwrap();
            let chosen: Vec<_> = if whole {
                let checked = compilers.iter().filter(|c| c.is_checked());
                checked.chain([plain]).collect()
            } else {
                vec![&compilers[turn % compilers.len()]]
            };
            for compiler in chosen {
                let found = native::run(folder, cases, Mode::Bounds, *compiler);
                compare(folder, cases, &found, &expected, &format!("{compiler:?}"));
            }
            for mode in [Mode::Mask, Mode::None] {
                let same = cases.iter().zip(&expected);
                let same = same.filter(|(case, expected)| equals_unchecked(case, expected, mode));
                let (cases, expected): (Vec<Case>, Vec<String>) = same
                    .map(|(case, expected)| (case.clone(), expected.clone()))
                    .unzip();
                if !cases.is_empty() && (whole || turn % 2 == usize::from(mode == Mode::Mask)) {
                    let found = native::run(folder, &cases, mode, *plain);
                    let how = format!("{mode:?} {plain:?}");
                    compare(folder, &cases, &found, &expected, &how);
                    count.unchecked += cases.len();
                }
            }
            for expected in &expected {
                count.calls +=
                    expected.matches("gives").count() + expected.matches("traps").count();
                count.traps += expected.matches("traps").count();
            }
        },
    );
    let Count {
        modules,
        calls,
        traps,
        unchecked,
    } = count;
    println!(
        "{modules} modules, {calls} calls, of which {traps} trap; {unchecked} times without checks"
    );
    assert!(calls > modules && traps < calls && unchecked > 0);
}

/// A tenth of the modules, others than above, as code of a Cortex-M7.
#[test]
fn random_modules_do_the_same_on_a_board() {
    let compilers = metal::compilers();
    if compilers.is_empty() {
        return;
    }
    let count = each(
        "board",
        wanted(10),
        1 << 32,
        |folder, engine, cases, turn, count| {
            let expected: Vec<String> = cases.iter().map(|case| case.expected(engine)).collect();
            let main = native::write(folder, cases, Mode::Bounds);
            let mut sources: Vec<String> = (0..cases.len()).map(|i| format!("m{i}.c")).collect();
            sources.push(main.to_owned());
            let cross = &compilers[turn % compilers.len()];
            let program = metal::build(folder, cross, &sources, &["-O2"]);
            let found = native::texts(&metal::run(&program));
            compare(folder, cases, &found, &expected, &cross.program);
            for expected in &expected {
                count.calls +=
                    expected.matches("gives").count() + expected.matches("traps").count();
            }
        },
    );
    println!("{} modules, {} calls", count.modules, count.calls);
    assert!(count.calls > count.modules);
}
