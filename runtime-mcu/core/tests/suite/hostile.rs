//! Runes that mean harm, or are damaged: each ends with the right kind of error, and a well-behaved rune beside it goes
//! on. The runes are those of the tests of Linux, and so are the kinds.

use rune_abi::{CapabilityKind, ElementType, Manifest};
use rune_core::{AddError, Backoff, Failed, LoadError, Phase, StartError};
use rune_saga::Failure;

use crate::{
    bench::{Then, add, flash, policy, runtime},
    runes::{
        INPUT, MANIFEST, RECORD, bare, capability, echo, manifest, output, quoted, record, text,
        ty, wasm,
    },
};

/// Where a hostile rune's way ends.
#[derive(Debug)]
enum End {
    Load(LoadError<'static>),
    Start(StartError),
    Call(Failure),
    /// It was called so many times, and nothing happened.
    None,
}

const CALLS: u32 = 4;

/// Runs a rune beside a good one, which reads and writes in every turn.
fn end(bytes: Vec<u8>) -> End {
    end_with(bytes, Then::Zeros)
}

fn end_with(bytes: Vec<u8>, then: Then) -> End {
    let mut runtime = runtime();
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[4]));
    let good = add(&mut runtime, echo(raw));
    runtime.board().samples.then = then;
    let end = match runtime.add(flash(bytes), [0; 32], policy()) {
        Err(AddError::Load(error)) => End::Load(error),
        Err(AddError::Start(error)) => End::Start(error),
        Err(other) => panic!("{other}"),
        Ok(id) => {
            let failed = (0..CALLS).find_map(|_| {
                runtime.poll();
                runtime.unit(id).unwrap().error().copied()
            });
            let unit = runtime.unit(id).unwrap();
            match failed {
                None => End::None,
                Some(Failed::Call(error)) => {
                    let total = unit.saga().total();
                    let kind = error.cause.failure();
                    assert_eq!(total.failed(kind), total.failed_calls(), "{error}");
                    assert_eq!(unit.phase(), Phase::Waiting);
                    // It is started anew, and the memory for that is there.
                    let wait = Backoff::WAITS.0.as_nanos() as u64;
                    runtime.board().clock.pass(wait);
                    runtime.poll();
                    assert_eq!(runtime.unit(id).unwrap().saga().total().starts, 2);
                    End::Call(kind)
                }
                Some(failed) => panic!("{failed}"),
            }
        }
    };
    let before = runtime.unit(good).unwrap().saga().total();
    for _ in 0..3 {
        runtime.poll();
    }
    let after = runtime.unit(good).unwrap().saga().total();
    assert_eq!(after.failed_calls(), 0);
    assert_eq!(after.with_output, before.with_output + 3);
    assert!(runtime.board().feeds > 0);
    end
}

/// Asserts where a rune's way ends.
macro_rules! ends {
    ($bytes:expr, $pattern:pat) => {{
        let end = end($bytes);
        assert!(matches!(&end, $pattern), "{end:?}");
    }};
}

fn wired_manifest() -> Manifest {
    let ty = ty(ElementType::U8, &[4]);
    let raw = capability(CapabilityKind::Raw, "raw", ty);
    manifest(vec![raw], vec![output("serial", &[ty])])
}

/// A rune of one input and one output of four bytes, and this `_call`.
fn wired(call: &str, more: &str) -> Vec<u8> {
    wasm(&text(&wired_manifest(), call, more))
}

#[test]
fn loops_without_end_are_stopped() {
    ends!(
        bare("(loop (br 0)) i32.const 0"),
        End::Call(Failure::Deadline)
    );
    let asks = format!(
        "(loop (drop (call $read (i32.const 0) (i32.const {INPUT}) (i32.const 4))) (br 0)) i32.const 0"
    );
    ends!(wired(&asks, ""), End::Call(Failure::Deadline));
    let marks = "(loop (call $mark (i32.const -1) (i32.const 0)) (br 0)) i32.const 0";
    ends!(bare(marks), End::Call(Failure::Deadline));
    let logs =
        "(loop (call $log (i32.const 1) (i32.const 0) (i32.const 60000)) (br 0)) i32.const 0";
    ends!(bare(logs), End::Call(Failure::Deadline));
}

#[test]
fn recursion_ends_at_the_stack_limit() {
    let deep = |locals: &str| {
        let function = format!(
            "(func $deep (result i32) (local {locals}) (i32.add (call $deep) (call $deep)))"
        );
        wasm(&text(&manifest(vec![], vec![]), "call $deep", &function))
    };
    // By the number of calls, and by what they need.
    ends!(deep(""), End::Call(Failure::StackOverflow));
    ends!(deep(&"i64 ".repeat(900)), End::Call(Failure::StackOverflow));
}

#[test]
fn memory_does_not_grow() {
    let call =
        "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) i32.const 0";
    ends!(bare(call), End::None);
    ends!(
        bare("(i32.load (i32.const 65533))"),
        End::Call(Failure::MemoryBounds)
    );
    ends!(
        bare("(memory.fill (i32.const 1) (i32.const 0) (i32.const -1)) i32.const 0"),
        End::Call(Failure::MemoryBounds)
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
        ends!(wired(call, ""), End::Call(Failure::Contract));
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
            End::Call(Failure::Contract)
        );
    }
}

#[test]
fn strings_are_bounded_and_utf_8() {
    let texts = ty(ElementType::Utf8, &[2]);
    let manifest = manifest(vec![], vec![output("serial", &[texts])]);
    let write = |pairs: [u32; 4]| {
        let pairs: Vec<u8> = pairs.iter().flat_map(|w| w.to_le_bytes()).collect();
        let data = format!(
            "{} (data (i32.const {INPUT}) \"{}\") (data (i32.const 4000) \"\\ff\")",
            record(INPUT, &texts),
            quoted(&pairs)
        );
        let call = format!("(call $write (i32.const 0) (i32.const {RECORD}))");
        end(wasm(&text(&manifest, &call, &data)))
    };
    assert!(matches!(write([5000, 512, 5000, 512]), End::None));
    for bad in [
        // More than the policy allows, more than memory, outside of it, and no text.
        [5000, 512, 5000, 513],
        [0, 40_000, 0, 40_000],
        [65_535, 2, 0, 0],
        [4000, 1, 0, 0],
    ] {
        assert!(
            matches!(write(bad), End::Call(Failure::Contract)),
            "{bad:?}"
        );
    }
}

#[test]
fn floods_of_output_end_with_the_second_record() {
    let flood = "(loop (drop (call $write (i32.const 0) (i32.const 512))) (br 0)) i32.const 0";
    let data = record(INPUT, &ty(ElementType::U8, &[4]));
    ends!(wired(flood, &data), End::Call(Failure::Contract));
}

#[test]
fn alignment_beyond_the_natural_is_no_module() {
    // The text form does not say such things: the exponent 2 of the one load becomes 31.
    let rune = bare("(i32.load (i32.const 16))");
    let load = [0x41, 0x10, 0x28, 0x02, 0x00];
    let at = rune.windows(5).position(|w| w == load).unwrap() + 3;
    let mut absurd = rune;
    absurd[at] = 31;
    ends!(absurd, End::Start(StartError::Module(_)));
}

#[test]
fn manifests_that_lie_are_refused() {
    let honest = manifest(vec![], vec![]);
    let mut larger = honest.clone();
    larger.memory_bytes *= 2;
    let rune = text(&honest, "i32.const 0", "");
    let quote = |m: &Manifest| quoted(&m.to_bytes().unwrap());
    let swapped = wasm(&rune.replace(&quote(&honest), &quote(&larger)));
    ends!(swapped, End::Load(LoadError::Contract(_)));
    let mut fewer = honest.clone();
    fewer.features = rune_abi::WasmFeatures(0);
    let code = text(&fewer, "(i32.extend8_s (i32.const 1))", "");
    ends!(wasm(&code), End::Start(StartError::Module(_)));
    // It reads what its manifest does not name.
    let call = "(call $read (i32.const 0) (i32.const 0) (i32.const 4))";
    let import = r#"(import "runicos" "read" (func $read (param i32 i32 i32) (result i32)))"#;
    let code = text(&honest, call, "").replacen("(import", &format!("{import} (import"), 1);
    ends!(wasm(&code), End::Load(LoadError::Contract(_)));
    let elsewhere = rune.replacen(
        &format!("(result i32) i32.const {MANIFEST})"),
        "(result i32) i32.const -1)",
        1,
    );
    ends!(wasm(&elsewhere), End::Load(LoadError::Contract(_)));
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
    let with = |more: &str| wasm(&text(&manifest(vec![], vec![]), "i32.const 0", more));
    let beyond = format!("(data (i32.const 65535) \"{}\")", quoted(&[1; 2]));
    ends!(with(&beyond), End::Start(StartError::Data));
    // The same for a module whose data the engine copies.
    let counted = format!("{beyond} (data $passive \"x\") (func (data.drop $passive))");
    ends!(with(&counted), End::Start(StartError::Data));
    ends!(
        with("(table 1 funcref) (func $f) (elem (i32.const 1) $f)"),
        End::Start(StartError::Instance)
    );
}

#[test]
fn sections_cut_anywhere_are_no_module() {
    let rune = bare("i32.const 0");
    // Only without its last section, of names, it is whole still.
    let whole = |len: &usize| !matches!(end(rune[..*len].to_vec()), End::Load(_) | End::Start(_));
    assert_eq!((0..rune.len()).filter(whole).count(), 1);
    // A section that says it is longer than the file.
    let mut longer = rune;
    longer[9] = 0x7f;
    ends!(longer, End::Load(_));
}

#[test]
fn a_rune_that_traps_in_every_second_call_begins_anew() {
    let count = "(global $n (mut i32) (i32.const 0))";
    let call = "(global.set $n (i32.add (global.get $n) (i32.const 1)))
        (if (i32.eqz (i32.rem_u (global.get $n) (i32.const 2))) (then unreachable)) i32.const 0";
    let rune = wasm(&text(&manifest(vec![], vec![]), call, count));
    ends!(rune, End::Call(Failure::Unreachable));
}

#[test]
fn codes_that_nobody_knows_are_faults() {
    for code in [i32::MIN, i32::MAX] {
        ends!(
            bare(&format!("i32.const {code}")),
            End::Call(Failure::UnknownCode)
        );
    }
}

#[test]
fn traps_are_counted_by_kind() {
    let table = "(table 1 funcref) (type $t (func))";
    let with = |call: &str| wasm(&text(&manifest(vec![], vec![]), call, table));
    for index in [5, 0] {
        ends!(
            with(&format!(
                "(call_indirect (type $t) (i32.const {index})) i32.const 0"
            )),
            End::Call(Failure::TableAccess)
        );
    }
    ends!(
        bare("(i32.div_s (i32.const 1) (i32.const 0))"),
        End::Call(Failure::Arithmetic)
    );
    ends!(
        bare("(i32.trunc_f32_s (f32.const nan))"),
        End::Call(Failure::Arithmetic)
    );
}

#[test]
fn sensors_that_never_answer_or_break_fail_the_call() {
    let mut runtime = runtime();
    let every = rune_core::Schedule::Every(std::time::Duration::from_millis(10));
    let timed = rune_core::Policy {
        schedule: every,
        ..policy()
    };
    for then in [Then::Silence, Then::Fault] {
        runtime.board().samples.then = then;
        let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[4]));
        let id = runtime.add(flash(echo(raw)), [0; 32], timed).unwrap();
        let good = add(&mut runtime, bare("i32.const 1"));
        runtime.poll();
        let unit = runtime.unit(id).unwrap();
        assert_eq!(unit.saga().total().failed(Failure::Source), 1);
        assert_eq!(unit.phase(), Phase::Waiting);
        assert_eq!(runtime.unit(good).unwrap().saga().total().calls(), 1);
        assert!(runtime.remove(id) && runtime.remove(good));
    }
    // A rune that runs on input is not even called.
    runtime.board().samples.then = Then::Silence;
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[4]));
    let id = add(&mut runtime, echo(raw));
    runtime.poll();
    assert_eq!(runtime.unit(id).unwrap().saga().total().calls(), 0);
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

#[test]
fn no_mutation_of_a_rune_panics() {
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::I16, &[4]));
    let good = echo(raw);
    let mut random = Random(7);
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..2000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.insert(at, random.below(256) as u8),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let mut runtime = runtime();
        if runtime.add(flash(bytes), [0; 32], policy()).is_err() {
            refused += 1;
            continue;
        }
        ran += 1;
        for _ in 0..3 {
            runtime.poll();
        }
    }
    assert!(ran > 20 && refused > 500, "{ran}, {refused}");
}
