//! Control, calls, memory and tables in modules written by hand, and what firmware needs of the C.

use std::fmt::Write as _;

use std::process::Command;

use rune_c::{Mode, Options};

use crate::{
    machine::{self, Case, Loose, Ty},
    native,
};

/// Values that small tests take: counts and addresses.
fn values(_: &str, ty: Ty) -> Vec<u128> {
    match ty {
        Ty::I32 => [0_u32, 1, 2, 3, 5, 12, 65_535, 0xffff_ffff]
            .map(u128::from)
            .into(),
        Ty::I64 | Ty::F32 | Ty::F64 | Ty::V128 => [0_u64, 1, 7, 20].map(u128::from).into(),
    }
}

const MODULES: &[(&str, &str)] = &[
    (
        "order",
        r#"(module (memory (export "memory") 1) (global $g (export "g") (mut i32) (i32.const 5))
        ;; The load is done before the store, the variable is read before it is set, and the first trap counts.
        (func (export "load_store") (param i32) (result i32)
          (i32.load (i32.const 8)) (i32.store (i32.const 8) (i32.add (local.get 0) (i32.const 3))))
        (func (export "local") (param i32) (result i32)
          local.get 0 (local.set 0 (i32.const 9)) local.get 0 i32.sub)
        (func (export "global") (param i32) (result i32)
          global.get $g local.get 0 global.set $g global.get $g i32.sub)
        (func (export "traps") (param i32 i32) (result i32)
          (i32.add (i32.load (local.get 0)) (i32.div_u (i32.const 7) (local.get 1))))
        (func (export "before") (param i32 i32)
          (i32.store8 (i32.const 100) (local.get 1)) (i32.store8 (local.get 0) (i32.const 1))))"#,
    ),
    (
        "warnings",
        r#"(module
        ;; A number that no float is.
        (func (export "promoted") (param f32) (result i32)
          (i32.or
            (f64.eq (f64.const 0x1.a594f3a83c562p-996) (f64.promote_f32 (local.get 0)))
            (f64.ne (f64.promote_f32 (local.get 0)) (f64.const 0x1.a594f3a83c562p-996)))))"#,
    ),
    (
        "control",
        r#"(module
        (func (export "table") (param i32) (result i32)
          block $a block $b block $c
            local.get 0 br_table $a $b $a $c
          end i32.const 10 return end i32.const 20 return end i32.const 30)
        (func (export "values") (param i32) (result i32)
          block $a (result i32) block $b (result i32)
            i32.const 7 local.get 0 br_table $a $b $a end i32.const 100 i32.add end)
        (func (export "swap") (param i32) (result i32 i32)
          i32.const 1 i32.const 2
          loop $l (param i32 i32) (result i32 i32)
            local.get 0 i32.const 15 i32.and if (param i32 i32) (result i32 i32)
              local.get 0 i32.const 1 i32.sub local.set 0
              (call $flip) br $l
            end
          end)
        (func $flip (param i32 i32) (result i32 i32) local.get 1 local.get 0)
        (func (export "sum") (param i32) (result i32) (local i32)
          local.get 0 i32.const 255 i32.and local.set 0
          loop $l
            (local.set 1 (i32.add (local.get 1) (local.get 0)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
            local.get 0 i32.const 0 i32.gt_s br_if $l
          end local.get 1)
        (func (export "if") (param i32) (result i32)
          local.get 0 if (result i32) local.get 0 i32.const 3 i32.eq if (result i32) i32.const 1 else i32.const 2 end
          else unreachable end)
        (func (export "parameters") (param i32 i32) (result i32)
          local.get 0 local.get 1 if (param i32) (result i32) i32.const 5 i32.mul end)
        (func (export "dead") (param i32) (result i32)
          block $a (result i32) local.get 0 br $a i32.const 1 i32.add drop block end unreachable end
          local.get 0 if nop else i32.const 4 return end)
        (func (export "nothing") (param i32) local.get 0 br_if 0 unreachable)
        (func (export "select") (param i64 i64 i32) (result i64)
          (select (local.get 0) (local.get 1) (i32.lt_s (local.get 2) (i32.const 3)))))"#,
    ),
    (
        "calls",
        r#"(module (import "host" "add" (func $add (param i32 i32) (result i32)))
        (type $one (func (param i32) (result i32))) (type $same (func (param i32) (result i32)))
        (type $none (func))
        (table 8 funcref) (elem (i32.const 1) $double $half $nothing $fact)
        (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
        (func $half (type $same) (i32.shr_u (local.get 0) (i32.const 1)))
        (func $nothing)
        (func $fact (param i32) (result i32)
          (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (i32.const 1))
            (else (i32.mul (local.get 0)
              (call $fact (i32.and (i32.sub (local.get 0) (i32.const 1)) (i32.const 15)))))))
        (func (export "imported") (param i32 i32) (result i32)
          (call $add (call $add (local.get 0) (local.get 1)) (local.get 0)))
        (func (export "indirect") (param i32 i32) (result i32)
          (call_indirect (type $one) (local.get 0) (local.get 1)))
        (func (export "without") (param i32) (call_indirect (type $none) (local.get 0)))
        (export "direct" (func $add)))"#,
    ),
    (
        "bulk",
        r#"(module (memory (export "memory") 1 3) (data $p "passive") (data (i32.const 5) "active")
        (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
        (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init") (param i32 i32 i32) (memory.init $p (local.get 0) (local.get 1) (local.get 2)))
        (func (export "drop") (data.drop $p))
        (func (export "again") (param i32 i32 i32) (memory.init $p (local.get 0) (local.get 1) (local.get 2)))
        (func (export "active") (param i32 i32) (memory.init 1 (local.get 0) (i32.const 0) (local.get 1)))
        (func (export "grow") (param i32) (result i32 i32) (memory.grow (local.get 0)) memory.size)
        (func (export "after") (param i32) (result i64) (i64.load offset=65530 (local.get 0))))"#,
    ),
    (
        "deep",
        r#"(module (func (export "f") (param i32) (result i32)
        "#,
    ),
];

/// Blocks, expressions and branches nested deeper than a compiler takes them as they are.
fn deep() -> String {
    let mut text = MODULES.last().unwrap().1.to_owned();
    for _ in 0..400 {
        text.push_str("local.get 0 if (result i32) ");
    }
    text.push_str("local.get 0 ");
    for _ in 0..1000 {
        text.push_str("local.get 0 i32.const 3 i32.xor i32.add ");
    }
    for index in 0..400 {
        write!(text, "else i32.const {index} end ").unwrap();
    }
    text + "))"
}

fn cases() -> Vec<Case> {
    let engine = machine::engine();
    let case = |(name, text): &(&str, &str)| {
        let text = if *name == "deep" {
            deep()
        } else {
            (*text).to_owned()
        };
        let wasm = wat::parse_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        Case::new(&engine, name, wasm, |_| Loose::Exact, values)
    };
    MODULES.iter().map(case).collect()
}

#[test]
fn control_calls_and_memory_are_the_same() {
    let engine = machine::engine();
    let cases = cases();
    let expected: Vec<String> = cases.iter().map(|case| case.expected(&engine)).collect();
    for compiler in native::compilers() {
        let found = native::run(&native::folder("text"), &cases, Mode::Bounds, compiler);
        for (case, (found, expected)) in cases.iter().zip(found.iter().zip(&expected)) {
            assert_eq!(found, expected, "{} {compiler:?}", case.name);
        }
    }
}

#[test]
fn the_other_modes_are_the_same_where_no_access_traps() {
    let text = r#"(module (memory (export "memory") 1)
        (func (export "sum") (param i32) (result i32) (local i32)
          (local.set 0 (i32.and (local.get 0) (i32.const 4095)))
          loop $l
            (i32.store16 offset=3 (local.get 0) (i32.mul (local.get 0) (i32.const 77)))
            (local.set 1 (i32.add (local.get 1) (i32.load offset=1 (local.get 0))))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.eqz (i32.eqz (local.get 0))))))
          end
          (i32.add (local.get 1) (i32.div_u (i32.const 3) (i32.load (i32.const 4))))))"#;
    let engine = machine::engine();
    let wasm = wat::parse_str(text).unwrap();
    let case = Case::new(&engine, "modes", wasm, |_| Loose::Exact, values);
    let expected = case.expected(&engine);
    for compiler in native::compilers() {
        for mode in [Mode::Bounds, Mode::Mask, Mode::None] {
            let folder = native::folder("modes");
            let found = native::run(&folder, std::slice::from_ref(&case), mode, compiler);
            assert_eq!(found[0], expected, "{compiler:?} {mode:?}");
        }
    }
}

/// In mode `Mask` an access anywhere stays in memory: the sanitizer of the first compiler would see it otherwise.
#[test]
fn masked_accesses_stay_in_memory() {
    let text = r#"(module (memory 1)
        (func (export "write") (param i32 i64) (i64.store offset=65535 (local.get 0) (local.get 1)))
        (func (export "read") (param i32) (result i64) (i64.load offset=4294967295 (local.get 0))))"#;
    let engine = machine::engine();
    let wasm = wat::parse_str(text).unwrap();
    let case = Case::new(&engine, "mask", wasm, |_| Loose::Exact, values);
    for compiler in native::compilers() {
        let folder = native::folder("mask");
        let found = native::run(&folder, std::slice::from_ref(&case), Mode::Mask, compiler);
        assert!(!found[0].contains("traps"), "{compiler:?}");
    }
}

/// Alignments that a module states promise nothing: what is loaded as aligned follows from where memory begins.
#[test]
fn only_the_options_say_how_memory_is_aligned() {
    let text = r#"(module (memory 1) (func (export "f") (param i32) (result f32)
        (f32.load align=4 (local.get 0))))"#;
    let wasm = wat::parse_str(text).unwrap();
    let aligned = |memory_align| {
        let options = Options {
            memory_align,
            ..Options::default()
        };
        rune_c::emit(&wasm, &options).unwrap()
    };
    let any = rune_c::emit(&wasm, &Options::default()).unwrap();
    assert_eq!(any, aligned(1));
    assert!(any.header.contains("bytes, of any alignment"));
    assert!(any.source.contains("#define R_MEMORY(c) (c)->memory\n"));
    let aligned = aligned(8);
    assert!(aligned.header.contains("bytes, aligned to 8"));
    let promise = "#define R_MEMORY(c) R_ASSUME_ALIGNED((c)->memory, 8)\n";
    assert!(aligned.source.contains(promise));
    let body = |source: &str| source[source.find("static float f0(").unwrap()..].to_owned();
    assert_eq!(body(&aligned.source), body(&any.source));

    // At addresses that are no multiple of it, too, which the sanitizers of the first compiler would see.
    let engine = machine::engine();
    let one = |_: &str, _| vec![1];
    let case = Case::new(&engine, "odd", wasm, |_| Loose::Exact, one);
    for compiler in native::compilers() {
        let folder = native::folder("odd");
        let found = native::run(&folder, std::slice::from_ref(&case), Mode::Bounds, compiler);
        assert!(!found[0].contains("traps"), "{compiler:?}");
    }
}

#[test]
fn calls_without_end_trap() {
    let text = r#"(module (func $f (export "f") (param i32) (result i32)
        (i32.add (call $g (local.get 0)) (i32.const 1)))
        (func $g (param i32) (result i32) (call $f (local.get 0))))"#;
    let wasm = wat::parse_str(text).unwrap();
    let output = rune_c::emit(&wasm, &Options::default()).unwrap();
    assert!(output.header.contains("#define RUNE_CALL_LIMIT 256u"));
    let straight =
        wat::parse_str("(module (func $a) (func (export \"b\") call $a call $a))").unwrap();
    let output = rune_c::emit(&straight, &Options::default()).unwrap();
    assert!(output.header.contains("#define RUNE_CALL_DEPTH 2u"));
    assert!(!output.source.contains("depth++"));

    let engine = machine::engine();
    let one = |_: &str, _| vec![1];
    let case = Case::new(&engine, "endless", wasm, |_| Loose::Exact, one);
    for compiler in native::compilers() {
        let folder = native::folder("endless");
        // A limit of 100,000 calls is more than the sanitizer's stack has.
        if compiler.flags.contains(&"-O2") {
            let found = native::run(&folder, std::slice::from_ref(&case), Mode::Bounds, compiler);
            assert_eq!(found[0], "traps 9\n", "{compiler:?}");
        }
    }
}

/// No warning with the compilers of microcontrollers, and nothing of a library but what moves memory.
#[test]
fn firmware_can_have_it() {
    let cases = cases();
    let mut found = false;
    for (index, flags) in native::CROSS.iter().enumerate() {
        let folder = native::folder(&format!("cross-{index}"));
        native::write(&folder, &cases, Mode::Bounds);
        if Command::new(flags[0]).arg("--version").output().is_err() {
            eprintln!("skipped: {} is not here", flags[0]);
            continue;
        }
        found = true;
        for place in 0..cases.len() {
            let file = format!("m{place}.c");
            let done = Command::new(flags[0])
                .args(&flags[1..])
                .args([
                    "-std=c99",
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-ffp-contract=off",
                    "-c",
                ])
                .arg(&file)
                .args(["-o", "m.o"])
                .current_dir(&folder)
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{file} {flags:?}: {errors}");
            let symbols = Command::new("arm-none-eabi-nm")
                .args(["-u", "m.o"])
                .current_dir(&folder)
                .output()
                .unwrap();
            for symbol in String::from_utf8_lossy(&symbols.stdout).split_whitespace() {
                let known = ["U", "memcpy", "memmove", "memset"].contains(&symbol);
                // Those of the compiler's own library.
                assert!(known || symbol.starts_with("__"), "{symbol}");
            }
        }
    }
    if !found {
        eprintln!("skipped: no compiler for microcontrollers is here");
    }
}

/// Also where compilers prefer a call to a longer instruction: programs are linked without a library of mathematics.
#[test]
fn rounding_calls_no_library() {
    let mut wat = "(module\n".to_owned();
    for ty in ["f32", "f64"] {
        for rounds in ["nearest", "floor", "ceil", "trunc"] {
            writeln!(
                wat,
                "(func (export \"{ty}_{rounds}\") (param {ty}) (result {ty}) ({ty}.{rounds} (local.get 0)))"
            )
            .unwrap();
        }
    }
    let wasm = wat::parse_str(wat + ")").unwrap();
    let engine = machine::engine();
    let numbers = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e30, f64::INFINITY];
    let numbers = |_: &str, ty| {
        let bits = |x: &f64| {
            if ty == Ty::F32 {
                u128::from((*x as f32).to_bits())
            } else {
                u128::from(x.to_bits())
            }
        };
        numbers.iter().map(bits).collect()
    };
    let case = Case::new(&engine, "rounding", wasm, |_| Loose::Exact, numbers);
    let expected = case.expected(&engine);
    for compiler in native::compilers() {
        let small = native::Compiler {
            flags: &["-Os", "-march=native"],
            ..compiler
        };
        let folder = native::folder("rounding");
        let found = native::run(&folder, std::slice::from_ref(&case), Mode::Bounds, small);
        assert_eq!(found[0], expected, "{small:?}");
    }
}

/// The text of a module's `_call` whose requests at its ends have names of their own, and the first one.
fn ends(call: &str, more: &str) -> (String, Option<rune_c::First>) {
    let text = format!(
        r#"(module (import "runicos" "read" (func $read (param i32 i32 i32) (result i32)))
        (import "runicos" "write" (func $write (param i32 i32) (result i32))) (memory (export "memory") 1)
        (func $call (export "_call") (result i32) {call}) {more})"#
    );
    let options = Options {
        host: rune_c::Host::Unit,
        ends_of: Some("_call"),
        ..Options::default()
    };
    let output = rune_c::emit(&wat::parse_str(text).unwrap(), &options).unwrap();
    (output.source, output.first)
}

const READ: &str = "(drop (call $read (i32.const 2) (i32.const 64) (i32.const 4)))";
const WRITE: &str = "(if (result i32) (call $write (i32.const 0) (i32.const 8)) (then i32.const -1) (else i32.const 0))";

#[test]
fn the_ends_of_a_call_have_names_of_their_own() {
    let (source, first) = ends(&format!("{READ} {WRITE}"), "");
    assert!(
        source.contains("r_host_first_read(c, 2u, 64u, 4u)"),
        "{source}"
    );
    assert!(source.contains("r_host_last_write(c, 0u, 8u)"), "{source}");
    let first = first.unwrap();
    assert_eq!(
        (&*first.import, &*first.arguments),
        ("read", &[2, 64, 4][..])
    );
}

/// What changes memory after a record, may go back to it, or may call it otherwise, leaves it where it is.
#[test]
fn a_request_that_is_at_no_end_has_its_plain_name() {
    let store = "(i32.store (i32.const 8) (i32.const 1))";
    let written =
        format!("{store} (drop (call $write (i32.const 0) (i32.const 8))) {store} i32.const 0");
    let in_loop = "(loop $l (drop (call $write (i32.const 0) (i32.const 8))) (br_if $l (i32.const 0))) i32.const 0";
    for call in [&*written, in_loop] {
        let (source, first) = ends(call, "");
        assert!(
            source.contains("r_host_write(c") && first.is_none(),
            "{source}"
        );
    }
    let (source, first) = ends(&format!("{store} {READ} {WRITE}"), "");
    assert!(
        source.contains("r_host_read(c") && first.is_none(),
        "{source}"
    );
    // Another function calls it too.
    let other = r#"(func (export "_reset") (drop (call $call)))"#;
    let (source, first) = ends(&format!("{READ} {WRITE}"), other);
    assert!(
        source.contains("r_host_read(c") && source.contains("r_host_write(c"),
        "{source}"
    );
    assert!(first.is_none());
}
