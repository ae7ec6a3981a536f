//! No call of a rune takes memory from the heap, and a rune that is started anew takes no more than it had.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unsafe_code, reason = "an allocator is no other way")]
#![allow(dead_code, reason = "the small runes are for other tests too")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use rune_abi::{CapabilityKind, CapabilityView, ElementType, OutputKind};
use rune_core::{
    Board, Gives, Id, Interpreter, Phase, Policy, Read, Scheduler, Sensor, Source, SourceError,
    Table, Written,
};

mod runes;
use runes::{INPUT, MANIFEST, RECORD, capability, manifest, output, record, text, ty, wasm};

thread_local! {
    /// How often this thread took memory, and how much it has.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        HELD.set(HELD.get() + layout.size() as i64);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &[Sensor {
        name: "zeros",
        kind: CapabilityKind::Raw,
        gives: Gives::Exact,
        ranges: &[],
    }],
    outputs: &[OutputKind::Serial],
    memory_bytes: 1 << 20,
    code_bytes: 1 << 16,
    native_keys: &[],
};

/// The time, and the bytes of the lines.
#[derive(Default)]
struct Quiet {
    bytes: usize,
}

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

fn now() -> u64 {
    NOW.set(NOW.get() + 1000);
    NOW.get()
}

struct Counter(usize);

impl std::fmt::Write for Counter {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

struct Zeros;

impl Source for Zeros {
    fn is_ready(&mut self, _: u64) -> bool {
        true
    }

    fn read(&mut self, out: &mut [u8], _: u64) -> Result<Read, SourceError> {
        out.fill(0);
        Ok(Read::SAMPLE)
    }
}

impl Board for Quiet {
    type Clock = fn() -> u64;

    fn clock(&self) -> fn() -> u64 {
        now
    }

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn open(
        &mut self,
        _: usize,
        _: usize,
        _: &CapabilityView<'static>,
    ) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(Zeros))
    }

    fn write(&mut self, written: &Written<'_>) -> bool {
        let mut counter = Counter(0);
        written.line(&mut counter).unwrap();
        self.bytes += counter.0;
        true
    }

    fn say(&mut self, _: u32, _: &str, line: &str) {
        self.bytes += line.len();
    }

    fn poll_links(&mut self) -> bool {
        true
    }

    fn feed_watchdog(&mut self, _: rune_core::Progress) {}
}

/// A rune that uses all of the contract in each call, calls itself 40 deep, and counts; it traps in call 20,001.
fn busy() -> &'static [u8] {
    let floats = ty(ElementType::F32, &[3]);
    let raw = capability(CapabilityKind::Raw, "raw", floats);
    let manifest = manifest(vec![raw], vec![output("serial", &[floats])]);
    let call = format!(
        "(call $mark (i32.const 0) (i32.const 0))
         (drop (call $read (i32.const 0) (i32.const {INPUT}) (i32.const 12)))
         (call $mark (i32.const 0) (i32.const 1))
         (call $log (i32.const 3) (i32.const {MANIFEST}) (i32.const 4))
         (drop (call $deep (i32.const 40)))
         (global.set $n (i32.add (global.get $n) (i32.const 1)))
         (if (i32.gt_u (global.get $n) (i32.const 20000)) (then unreachable))
         (call $write (i32.const 0) (i32.const {RECORD}))"
    );
    let more = format!(
        "{} (global $n (mut i32) (i32.const 0))
         (func $deep (param i32) (result i32)
           (if (result i32) (local.get 0)
             (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 7))))",
        record(INPUT, &floats)
    );
    Box::leak(wasm(&text(&manifest, &call, &more)).into_boxed_slice())
}

type Runtime = Scheduler<Interpreter, Quiet, 2>;

fn start() -> (Runtime, Id) {
    let mut runtime = Scheduler::new(Interpreter, Quiet::default());
    let id = runtime.add(busy(), [0; 32], Policy::default()).unwrap();
    (runtime, id)
}

#[test]
fn ten_thousand_calls_take_no_memory() {
    let (mut runtime, id) = start();
    // The list of functions that call each other grows to its length when they do so for the first time.
    let before = TAKEN.get();
    runtime.poll();
    let first = TAKEN.get() - before;
    assert!(first <= 6, "the first call took memory {first} times");
    let (taken, held) = (TAKEN.get(), HELD.get());
    for _ in 0..10_000 {
        runtime.poll();
    }
    assert_eq!(TAKEN.get() - taken, 0);
    assert_eq!(HELD.get(), held);
    let unit = runtime.unit(id).unwrap();
    assert_eq!(unit.saga().total().with_output, 10_001);
    assert!(runtime.board().bytes > 10_001 * 50);
}

#[test]
fn starting_anew_and_letting_go_give_all_memory_back() {
    let empty = HELD.get();
    let (mut runtime, id) = start();
    runtime.poll();
    let held = HELD.get();
    for round in 0..3 {
        while runtime.unit(id).unwrap().phase() == Phase::Running {
            runtime.poll();
        }
        assert!(HELD.get() < held);
        while runtime.unit(id).unwrap().phase() == Phase::Waiting {
            NOW.set(NOW.get() + 1_000_000_000);
            runtime.poll();
        }
        runtime.poll();
        assert_eq!(HELD.get(), held, "round {round}");
    }
    let taken = runtime.unit(id).unwrap().saga().total();
    assert_eq!((taken.starts, taken.failed_calls()), (4, 3));
    assert!(runtime.remove(id));
    drop(runtime);
    // The bytes of the rune are as in flash.
    assert!(HELD.get() - empty <= busy().len() as i64 * 2);
}
