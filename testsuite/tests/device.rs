//! Examples on the core of devices: the same lines as on Linux, byte for byte, and no memory taken in a call.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unsafe_code, reason = "an allocator is no other way")]
#![allow(
    clippy::print_stdout,
    reason = "what runes take of a device is printed"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    rc::Rc,
};

use rune_codegen::{Level, Options, Output, Simd};
use rune_runtime::{Call, Limits, Read, Rune, Source, SourceError, SourceFlag, serial};
use rune_testsuite::{
    device::{Device, TEXT_BYTES},
    engines,
    examples::EXAMPLES,
    root,
};

thread_local! {
    /// How often this thread took memory; what it has, and the most that it had.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
    static MOST: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        HELD.set(HELD.get() + layout.size() as i64);
        MOST.set(MOST.get().max(HELD.get()));
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

fn compile(runefile: &str, level: Level, simd: Simd) -> Output {
    let options = Options {
        level,
        simd,
        ..Options::default()
    };
    let compiled = engines::compile(&root().join("examples").join(runefile), &options);
    let rendered = engines::rendered(&compiled);
    compiled.output.unwrap_or_else(|| panic!("{rendered}"))
}

fn sources(rune: &Rune, flag: &SourceFlag) -> Vec<Box<dyn Source>> {
    let grants = rune.grant(std::slice::from_ref(flag), &Limits::default());
    grants.unwrap().into_sources()
}

/// What Linux prints: of an endless rune one line.
fn on_linux(output: &Output, flag: &SourceFlag) -> Vec<String> {
    let rune = Rune::load(output.wasm.clone()).unwrap();
    let grants = rune
        .grant(std::slice::from_ref(flag), &Limits::default())
        .unwrap();
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    let mut lines = vec![];
    loop {
        match instance.call().unwrap() {
            Call::Output(records) => lines.push(serial::line(rune.manifest(), records)),
            Call::NoOutput => {}
            Call::End => return lines,
        }
        if instance.is_endless() {
            return lines;
        }
    }
}

/// What a device prints, until there are so many lines or the data end.
fn on_device(output: &Output, flag: &SourceFlag, most: usize) -> Vec<String> {
    let rune = Rune::load(output.wasm.clone()).unwrap();
    let lines = Rc::new(Cell::new(vec![]));
    let taken = lines.clone();
    let mut device = Device::start(&output.wasm, sources(&rune, flag), move |written| {
        let mut line = String::new();
        written.line(&mut line).unwrap();
        let mut lines = taken.take();
        lines.push(line);
        taken.set(lines);
    });
    loop {
        let goes_on = device.call().unwrap();
        let so_far = lines.take();
        if !goes_on || so_far.len() >= most && flag.kind == rune_abi::CapabilityKind::Rand {
            return so_far;
        }
        lines.set(so_far);
    }
}

#[test]
fn every_example_gives_the_lines_of_linux() {
    for example in EXAMPLES {
        let expected = root().join("examples").join(example.expected);
        let expected = fs::read_to_string(expected).unwrap().lines().count();
        for simd in [Simd::Off, Simd::On] {
            let output = compile(example.runefile, Level::O1, simd);
            let flag = example.flag();
            let linux = on_linux(&output, &flag);
            assert_eq!(linux.len(), expected, "{example:?}");
            assert_eq!(
                on_device(&output, &flag, expected),
                linux,
                "{example:?} {simd:?}"
            );
        }
    }
}

/// Gives zeros for ever, and takes no memory.
struct Zeros;

impl Source for Zeros {
    fn read(&mut self, out: &mut [u8], _: std::time::Instant) -> Result<Read, SourceError> {
        out.fill(0);
        Ok(Read::Sample)
    }
}

/// Prints what each example takes, and asserts that a call takes nothing.
#[test]
fn no_call_of_an_example_takes_memory() {
    let names = ["sine/Runefile", "sine/int8.Runefile", "gesture/Runefile"];
    let names = names
        .into_iter()
        .chain(["digits/Runefile", "keyword/Runefile"]);
    for name in names {
        let output = compile(name, Level::O1, Simd::Off);
        let checked = rune_core::check(&output.wasm).unwrap();
        let linear = i64::from(output.manifest.memory_bytes.next_multiple_of(1 << 16));
        let sources = output.manifest.capabilities.iter();
        let sources = sources.map(|_| Box::new(Zeros) as Box<dyn Source>);
        let before = HELD.get();
        MOST.set(before);
        let mut device = Device::start(&output.wasm, sources.collect(), |_| {});
        // The bytes of the rune lie in flash, on a device.
        let flash = output.wasm.len() as i64;
        let other = flash + linear + i64::from(TEXT_BYTES);
        let (peak, held) = (MOST.get() - before - other, HELD.get() - before - other);
        let begin = TAKEN.get();
        assert!(device.call().unwrap());
        let first = TAKEN.get() - begin;
        assert!(
            first <= 5,
            "{name}: the first call took memory {first} times"
        );
        let begin = TAKEN.get();
        for _ in 0..20 {
            assert!(device.call().unwrap());
        }
        assert_eq!(TAKEN.get() - begin, 0, "{name}");
        println!(
            "{name}: {flash} bytes, {} of code; memory {}; heap besides {held}, {peak} while starting; first call {first}",
            checked.code_bytes(),
            output.manifest.memory_bytes,
        );
        // What bounds the heap of a board: the code, at so many bytes for each of its own.
        let bound = 40_000 + 40 * checked.code_bytes() as i64;
        assert!(peak < bound, "{name}: {peak} and not {bound}");
    }
}
