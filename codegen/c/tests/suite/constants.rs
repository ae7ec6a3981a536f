//! A second memory that is only read: an array of constants in C.

use std::fmt::Write as _;

use rune_c::{Error, Mode, Options, emit};

use crate::{
    edges,
    machine::{self, Case, Loose, Ty},
    native,
};

/// Bytes of the second memory; no multiple of any alignment.
const BYTES: u32 = 77;

/// Segments over each other and beside each other, and zeros between and behind them.
const MEMORIES: &str = r#"(memory $m (export "memory") 1) (memory $k 77 77 (pagesize 1))
    (data (memory $k) (i32.const 3) "\01\02\83\04\05\f6\07\08\09\0a\8b\0c\0d\0e\0f\90\91\92\93\94\95\96\97\98")
    (data (memory $k) (i32.const 10) "over") (data (memory $k) (i32.const 24) "end and beyond")
    (data (memory $k) (i32.const 60) "x") (data (memory $k) (i32.const 59) "xyz") (data (memory $k) (i32.const 2) "")
    (data (memory $m) (i32.const 100) "in memory") (data $p "passive")"#;

/// A function for each instruction that loads, at an address with each of the offsets and at a known one.
fn module(offsets: &[u32]) -> String {
    let mut text = format!("(module {MEMORIES}\n");
    for (name, result, lane) in edges::loads() {
        let (vector, number) = if lane {
            ("(v128.const i64x2 5 -6)", " 1")
        } else {
            ("", "")
        };
        for offset in offsets {
            writeln!(
                text,
                "(func (export \"{name} {offset}\") (param i32) (result {result}) \
                 ({name} $k offset={offset}{number} (local.get 0) {vector}))"
            )
            .unwrap();
        }
        writeln!(
            text,
            "(func (export \"{name} known\") (result {result}) ({name} $k offset=9{number} (i32.const 4) {vector}))"
        )
        .unwrap();
    }
    text + r#"(func (export "copy") (param i32 i32 i32)
        (memory.copy $m $k (local.get 0) (local.get 1) (local.get 2)))
      (func (export "within") (memory.copy $m $m (i32.const 200) (i32.const 98) (i32.const 20)))
      (func (export "init") (memory.init $m $p (i32.const 300) (i32.const 1) (i32.const 4)))
      (func (export "sizes") (result i32) (memory.size $m)))"#
}

fn values(_: &str, ty: Ty) -> Vec<u128> {
    assert_eq!(ty, Ty::I32);
    let near = [
        0,
        1,
        5,
        7,
        20,
        60,
        BYTES - 16,
        BYTES - 8,
        BYTES - 7,
        BYTES - 4,
        BYTES - 1,
        BYTES,
    ];
    near.into_iter()
        .chain([65_536, u32::MAX])
        .map(u128::from)
        .collect()
}

/// Exact in all of memory, at its end and beyond.
#[test]
fn constants_are_read_as_from_a_second_memory() {
    let engine = machine::engine();
    let wasm = wat::parse_str(module(&[0, 1, 70])).unwrap_or_else(|e| panic!("{e}"));
    let case = Case::new(&engine, "constants", wasm, |_| Loose::Exact, values);
    let expected = case.expected(&engine);
    let traps = expected.lines().filter(|line| *line == "traps 2").count();
    assert!(
        traps > 200 && expected.lines().count() > 3 * traps / 2,
        "{traps}"
    );
    for compiler in native::compilers() {
        let found = native::run(
            &native::folder("constants"),
            std::slice::from_ref(&case),
            Mode::Bounds,
            compiler,
        );
        for (found, expected) in found[0].lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{compiler:?}");
        }
        assert_eq!(found[0].lines().count(), expected.lines().count());
    }
}

#[test]
fn the_other_modes_read_the_same_constants() {
    let engine = machine::engine();
    let wasm = wat::parse_str(module(&[0, 1])).unwrap();
    let inside = |_: &str, _| [0_u32, 1, 3].map(u128::from).into();
    let case = Case::new(&engine, "constants", wasm, |_| Loose::Exact, inside);
    let expected = case.expected(&engine);
    assert!(!expected.contains("traps"));
    for compiler in native::compilers() {
        for mode in [Mode::Mask, Mode::None] {
            let folder = native::folder("constants-modes");
            let found = native::run(&folder, std::slice::from_ref(&case), mode, compiler);
            assert_eq!(found[0], expected, "{compiler:?} {mode:?}");
        }
    }
}

/// In mode `Mask` nothing beyond the array is read: that traps.
#[test]
fn masked_constants_end_where_they_end() {
    let engine = machine::engine();
    let wasm = wat::parse_str(module(&[1])).unwrap();
    let beyond = |_: &str, _| [BYTES, 65_536, u32::MAX].map(u128::from).into();
    let mut case = Case::new(&engine, "constants", wasm, |_| Loose::Exact, beyond);
    case.calls.retain(|calls| calls.export.ends_with(" 1"));
    let expected = case.expected(&engine);
    for compiler in native::compilers() {
        let folder = native::folder("constants-mask");
        let found = native::run(&folder, std::slice::from_ref(&case), Mode::Mask, compiler);
        assert_eq!(found[0], expected, "{compiler:?}");
    }
}

/// They are no part of memory, and no code puts them there.
#[test]
fn constants_take_no_memory() {
    let text = format!(
        "(module (memory 1) (memory 4096 4096 (pagesize 1)) (data (memory 1) (i32.const 0) \"{}\")
         (func (export \"f\") (param i32) (result i32) (i32.load 1 (local.get 0))))",
        "constant".repeat(512)
    );
    let wasm = wat::parse_str(text).unwrap();
    let options = Options {
        memory_bytes: Some(16),
        ..Options::default()
    };
    let output = emit(&wasm, &options).unwrap();
    assert!(output.header.contains("#define RUNE_MEMORY_BYTES 16u"));
    assert!(output.header.contains("#define RUNE_CONSTANT_BYTES 4096u"));
    assert!(
        !output.source.contains("memcpy(c->memory"),
        "{}",
        output.source
    );
}

#[test]
fn what_would_change_constants_is_refused() {
    for (code, name) in [
        ("(i32.store $k (i32.const 0) (i32.const 1))", "i32.store"),
        (
            "(v128.store8_lane $k 0 (i32.const 0) (v128.const i64x2 0 0))",
            "v128.store8_lane",
        ),
        ("(drop (memory.grow $k (i32.const 1)))", "memory.grow"),
        ("(drop (memory.size $k))", "memory.size"),
        (
            "(memory.fill $k (i32.const 0) (i32.const 0) (i32.const 1))",
            "memory.fill",
        ),
        (
            "(memory.init $k $p (i32.const 0) (i32.const 0) (i32.const 1))",
            "memory.init",
        ),
        (
            "(memory.copy $k $m (i32.const 0) (i32.const 0) (i32.const 1))",
            "memory.copy",
        ),
        (
            "(memory.copy $k $k (i32.const 0) (i32.const 0) (i32.const 1))",
            "memory.copy",
        ),
    ] {
        let text = format!("(module {MEMORIES} (func) (func (export \"f\") {code}))");
        let error = emit(&wat::parse_str(&text).unwrap(), &Options::default()).unwrap_err();
        let Error::Unsupported {
            what,
            function,
            offset,
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(
            what,
            &format!("{name} of the second memory, which is constant")
        );
        assert_eq!(*function, Some(1));
        assert!(*offset > 0);
    }
}
