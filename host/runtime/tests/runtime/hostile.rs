//! Runes that mean harm, or are damaged: each ends with its own kind of error and within its limits, and a
//! well-behaved rune beside it goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rune_abi::{CapabilityKind, ElementType, Manifest};
use rune_runtime::{
    Call, CallError, Cause, CompileError, Compiler, Grants, Instance, Limits, LoadError, Rune,
    Runtime, StartError, WorkerLimits,
};
use rune_saga::Failure;

use crate::support::{
    self, INPUT, MANIFEST, Zeros, bare, capability, echo, manifest, output, quoted, record, text,
    ty, wasm,
};

/// Where a hostile rune's way ends.
#[derive(Debug)]
enum End {
    Load(LoadError),
    Start(StartError),
    Call(CallError, Failure),
    /// It was called so many times, and nothing happened.
    None,
}

const CALLS: u32 = 4;

fn limits() -> Limits {
    Limits {
        call_time: Duration::from_millis(100),
        ..Limits::default()
    }
}

fn runtime() -> Runtime {
    let compiler = Compiler::Worker {
        program: env!("CARGO_BIN_EXE_rune").into(),
        args: vec!["compile-worker".to_owned()],
        limits: WorkerLimits {
            cpu_seconds: 2,
            memory_bytes: 512 << 20,
        },
    };
    Runtime::new(compiler, None).unwrap()
}

fn launch(runtime: &Runtime, bytes: Vec<u8>) -> Result<Instance, End> {
    let rune = Rune::load(bytes).map_err(End::Load)?;
    let sources = rune.manifest().capabilities.iter();
    let sources = sources.map(|_| Box::new(Zeros(u32::MAX)) as Box<_>);
    let grants = Grants::new(sources.collect(), limits());
    runtime
        .start(&rune, grants, Box::new(|_, _| {}))
        .map_err(End::Start)
}

fn end(runtime: &Runtime, bytes: Vec<u8>) -> End {
    let mut instance = match launch(runtime, bytes) {
        Ok(instance) => instance,
        Err(end) => return end,
    };
    for _ in 0..CALLS {
        if let Err(error) = instance.call() {
            let again = instance.call().unwrap_err();
            assert_eq!(again.cause, Cause::Stopped, "after {error}");
            let total = instance.health().total();
            let counted = |kind: &&Failure| total.failed(**kind) > 0;
            let kinds: Vec<_> = Failure::ALL.iter().filter(counted).copied().collect();
            let [kind] = kinds[..] else {
                panic!("{error} is counted as {kinds:?}");
            };
            return End::Call(error, kind);
        }
    }
    End::None
}

/// A rune of one input and one output of four bytes, and this `_call`.
fn wired(call: &str, more: &str) -> Vec<u8> {
    wasm(&text(&wired_manifest(), call, more))
}

fn wired_manifest() -> Manifest {
    let ty = ty(ElementType::U8, &[4]);
    let raw = capability(CapabilityKind::Raw, "raw", ty);
    manifest(vec![raw], vec![output("serial", &[ty])])
}

/// A well-behaved rune on a thread of its own, for as long as this lives.
struct Neighbour {
    calls: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Neighbour {
    fn new(runtime: &Runtime) -> Self {
        let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[4]));
        let mut instance = launch(runtime, echo(raw)).unwrap();
        let (calls, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, stopped) = (calls.clone(), stop.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                assert!(matches!(instance.call(), Ok(Call::Output(_))));
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self {
            calls,
            stop,
            thread: Some(thread),
        }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// Runs a rune beside the neighbour and asserts where its way ends.
macro_rules! ends {
    ($bytes:expr, $pattern:pat $(if $guard:expr)?) => {{
        let runtime = runtime();
        let neighbour = Neighbour::new(&runtime);
        let end = end(&runtime, $bytes);
        assert!(matches!(&end, $pattern $(if $guard)?), "{end:?}");
        let before = neighbour.calls();
        while neighbour.calls() < before + 3 {
            thread::sleep(Duration::from_millis(1));
        }
    }};
}

/// What a test of this file says that runes end with, in the words of the book.
fn ends_of(test: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric());
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let ends = test.split("End::").skip(1).map(word);
    let ends = ends.filter(|end| end != "Call").map(|e| e.to_lowercase());
    let kinds = test.split("Failure::").skip(1).map(word).map(|kind| {
        let mut all = Failure::ALL.into_iter();
        let known = all.find(|failure| format!("{failure:?}") == kind);
        known.unwrap().name().to_owned()
    });
    ends.chain(kinds).collect()
}

#[test]
fn loops_without_end_are_stopped() {
    let quiet = "(loop (br 0)) i32.const 0";
    ends!(bare(quiet), End::Call(e, Failure::Deadline) if matches!(e.cause, Cause::Deadline(_)));
    let asks = format!(
        "(loop (drop (call $read (i32.const 0) (i32.const {INPUT}) (i32.const 4))) (br 0)) i32.const 0"
    );
    ends!(wired(&asks, ""), End::Call(e, Failure::Deadline) if matches!(e.cause, Cause::Deadline(_)));
    let marks = "(loop (call $mark (i32.const -1) (i32.const 0)) (br 0)) i32.const 0";
    ends!(bare(marks), End::Call(_, Failure::Deadline));
    let logs =
        "(loop (call $log (i32.const 1) (i32.const 0) (i32.const 60000)) (br 0)) i32.const 0";
    ends!(bare(logs), End::Call(_, Failure::Deadline));
}

#[test]
fn the_neighbour_is_called_while_another_loops() {
    let runtime = runtime();
    let neighbour = Neighbour::new(&runtime);
    let mut instance = launch(&runtime, bare("(loop (br 0)) i32.const 0")).unwrap();
    let before = neighbour.calls();
    instance.call().unwrap_err();
    assert!(neighbour.calls() > before);
}

#[test]
fn recursion_ends_at_the_stack_limit() {
    let rune = wasm(&text(
        &manifest(vec![], vec![]),
        "call $deep",
        "(func $deep (result i32) (i32.add (call $deep) (call $deep)))",
    ));
    ends!(rune, End::Call(_, Failure::StackOverflow));
}

#[test]
fn memory_does_not_grow() {
    let call =
        "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) i32.const 0";
    ends!(bare(call), End::None);
    ends!(
        bare("(i32.load (i32.const 65533))"),
        End::Call(_, Failure::MemoryBounds)
    );
    ends!(
        bare("(memory.fill (i32.const 1) (i32.const 0) (i32.const -1)) i32.const 0"),
        End::Call(_, Failure::MemoryBounds)
    );
}

#[test]
fn pointers_and_lengths_are_checked() {
    let calls = [
        "(call $read (i32.const 0) (i32.const -4) (i32.const 4))",
        "(call $read (i32.const 0) (i32.const 65533) (i32.const 4))",
        "(call $read (i32.const 0) (i32.const 0) (i32.const -1))",
        "(call $read (i32.const 1) (i32.const 0) (i32.const 4))",
        "(call $write (i32.const 0) (i32.const -1))",
        "(call $write (i32.const 0) (i32.const 65530))",
        "(call $write (i32.const -1) (i32.const 0))",
        "(call $log (i32.const 1) (i32.const -1) (i32.const 2)) i32.const 0",
        "(call $fault (i32.const -9) (i32.const 1) (i32.const -1)) i32.const -9",
    ];
    for call in calls {
        ends!(wired(call, ""), End::Call(e, Failure::Contract) if matches!(e.cause, Cause::Contract(_)));
    }
}

#[test]
fn records_may_lie_anywhere_and_say_only_what_is_so() {
    // At an odd address, as wide as it should be.
    let four = ty(ElementType::U8, &[4]);
    let odd = record(INPUT + 1, &four).replace("(i32.const 512)", "(i32.const 513)");
    ends!(
        wired("(call $write (i32.const 0) (i32.const 513))", &odd),
        End::None
    );
    for words in [
        [INPUT, 4, u32::MAX, 4],
        [INPUT, u32::MAX, 1, u32::MAX],
        [u32::MAX, 4, 1, 4],
    ] {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let data = format!("(data (i32.const 512) \"{}\")", quoted(&bytes));
        ends!(
            wired("(call $write (i32.const 0) (i32.const 512))", &data),
            End::Call(_, Failure::Contract)
        );
    }
}

#[test]
fn floods_of_output_end_with_the_second_record() {
    let flood = "(loop (drop (call $write (i32.const 0) (i32.const 512))) (br 0)) i32.const 0";
    let data = record(INPUT, &ty(ElementType::U8, &[4]));
    ends!(wired(flood, &data), End::Call(_, Failure::Contract));
}

#[test]
fn alignment_beyond_the_natural_is_no_module() {
    // The text form does not say such things: the exponent 2 of the one load becomes 31.
    let rune = bare("(i32.load (i32.const 16))");
    let load = [0x41, 0x10, 0x28, 0x02, 0x00];
    let at = rune.windows(5).position(|w| w == load).unwrap() + 3;
    let mut absurd = rune;
    absurd[at] = 31;
    ends!(absurd, End::Load(LoadError::Module { .. }));
}

#[test]
fn manifests_that_lie_are_refused() {
    let honest = manifest(vec![], vec![]);
    let mut larger = honest.clone();
    larger.memory_bytes *= 2;
    let rune = text(&honest, "i32.const 0", "");
    let swap = |from: &Manifest, to: &Manifest| {
        let quote = |m: &Manifest| quoted(&m.to_bytes().unwrap());
        wasm(&rune.replace(&quote(from), &quote(to)))
    };
    ends!(swap(&honest, &larger), End::Load(LoadError::Contract(_)));
    let mut fewer = honest.clone();
    fewer.features = rune_abi::WasmFeatures(0);
    let code = text(&fewer, "(i32.extend8_s (i32.const 1))", "");
    ends!(wasm(&code), End::Load(LoadError::Module { .. }));
    // It reads what its manifest does not name.
    let call = "(call $read (i32.const 0) (i32.const 0) (i32.const 4))";
    let import = r#"(import "runicos" "read" (func $read (param i32 i32 i32) (result i32)))"#;
    let code = text(&honest, call, "").replacen("(import", &format!("{import} (import"), 1);
    ends!(wasm(&code), End::Load(LoadError::Contract(_)));
}

#[test]
fn imports_of_others_are_refused() {
    let wasi = r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    let code = text(&manifest(vec![], vec![]), "i32.const 0", "");
    let code = code.replacen("(import", &format!("{wasi} (import"), 1);
    ends!(wasm(&code), End::Load(LoadError::Contract(_)));
}

#[test]
fn data_beyond_memory_never_gets_there() {
    let beyond = format!("(data (i32.const 65535) \"{}\")", quoted(&[1; 2]));
    let code = text(&manifest(vec![], vec![]), "i32.const 0", &beyond);
    ends!(wasm(&code), End::Start(StartError::Instance(_)));
    let huge = vec![0; Rune::MOST_BYTES as usize + 1];
    ends!(huge, End::Load(LoadError::Size));
}

#[test]
fn sections_cut_anywhere_are_no_module() {
    let rune = bare("i32.const 0");
    let whole = |len: &usize| Rune::load(rune[..*len].to_vec()).is_ok();
    // Only without its last section, of names, it is whole still.
    assert_eq!((0..rune.len()).filter(whole).count(), 1);
    // A section that says it is longer than the file.
    let mut longer = rune;
    longer[9] = 0x7f;
    ends!(longer, End::Load(_));
}

#[test]
fn an_instance_that_trapped_is_gone() {
    // It traps in every second call; nobody gets a third out of it.
    let count = "(global $n (mut i32) (i32.const 0))";
    let call = "(global.set $n (i32.add (global.get $n) (i32.const 1)))
        (if (i32.eqz (i32.rem_u (global.get $n) (i32.const 2))) (then unreachable)) i32.const 0";
    let rune = wasm(&text(&manifest(vec![], vec![]), call, count));
    ends!(rune, End::Call(_, Failure::Unreachable));
}

#[test]
fn codes_that_nobody_knows_are_faults() {
    ends!(bare("i32.const -2147483648"), End::Call(e, Failure::UnknownCode) if e.cause == Cause::Fault(i32::MIN, None));
    ends!(
        bare("i32.const 2147483647"),
        End::Call(_, Failure::UnknownCode)
    );
}

#[test]
fn traps_are_counted_by_kind() {
    let table = "(table 1 funcref) (type $t (func))";
    let with = |call: &str| wasm(&text(&manifest(vec![], vec![]), call, table));
    ends!(
        with("(call_indirect (type $t) (i32.const 5)) i32.const 0"),
        End::Call(_, Failure::TableAccess)
    );
    ends!(
        with("(call_indirect (type $t) (i32.const 0)) i32.const 0"),
        End::Call(_, Failure::TableAccess)
    );
    ends!(
        bare("(i32.div_s (i32.const 1) (i32.const 0))"),
        End::Call(_, Failure::Arithmetic)
    );
    ends!(
        bare("(i32.trunc_f32_s (f32.const nan))"),
        End::Call(_, Failure::Arithmetic)
    );
}

/// Many variables that live across many blocks: the compiler's tables grow with their product.
fn explosive(locals: usize, blocks: usize) -> Vec<u8> {
    let mut body = String::new();
    for n in 0..blocks {
        let (a, b) = (n % locals, (n * 7 + 3) % locals);
        write!(
            body,
            "(if (local.get {a}) (then (local.set {b} (i32.add (local.get {a}) (i32.const {n})))))"
        )
        .unwrap();
    }
    let sum = (0..locals).fold(String::new(), |mut sum, n| {
        write!(sum, "(local.set 0 (i32.add (local.get 0) (local.get {n})))").unwrap();
        sum
    });
    let types = " i32".repeat(locals);
    let function = format!(
        "(func $large (result i32) (local{types}) (loop {body} (br_if 0 (local.get 1))) {sum} (local.get 0))"
    );
    wasm(&text(&manifest(vec![], vec![]), "call $large", &function))
}

#[test]
fn what_explodes_in_the_compiler_ends_there() {
    ends!(
        explosive(20_000, 20_000),
        End::Start(StartError::Compile(
            CompileError::TooLong(_) | CompileError::TooLarge(_)
        ))
    );
    // What is merely large is compiled.
    ends!(explosive(50, 50), End::None);
}

#[test]
fn the_manifest_is_where_it_says() {
    let rune = text(&manifest(vec![], vec![]), "i32.const 0", "");
    let elsewhere = rune.replacen(
        &format!("(result i32) i32.const {MANIFEST})"),
        "(result i32) i32.const -1)",
        1,
    );
    ends!(wasm(&elsewhere), End::Load(LoadError::Contract(_)));
}

#[test]
fn the_page_of_the_book_has_every_rune_and_does_what_it_says() {
    let page = crate::policy::repository("docs/book/isolation.md");
    let source = include_str!("hostile.rs");
    let tests = source.split("\n#[test]\nfn ").skip(1);
    let tests: BTreeMap<&str, BTreeSet<String>> = tests
        .filter(|test| !test.starts_with("the_page_of_the_book"))
        .map(|test| (test.split('(').next().unwrap(), ends_of(test)))
        .collect();
    // What stands between backticks in a cell.
    let words = |cell: &str| -> BTreeSet<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let rows = page.split("| rune | what ends it | test |").nth(1).unwrap();
    let rows = rows
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows: BTreeMap<&str, BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            (cells[3].trim().trim_matches('`'), words(cells[2]))
        })
        .collect();
    assert_eq!(rows, tests, "left: the page; right: this file");
    for kind in Failure::ALL {
        assert!(page.contains(&format!("`{}`", kind.name())), "{kind:?}");
    }
    let commands = support::run_page(&support::folder("hostile", "book"), &page);
    assert_eq!(commands, 11);
}
