//! What is no rune is refused with a reason, and nothing panics.

use rune_c::{Error, Mode, Options, emit};

fn refused(text: &str) -> Error {
    emit(&wat::parse_str(text).unwrap(), &Options::default()).unwrap_err()
}

#[test]
fn what_no_rune_has_is_named() {
    let error = refused(
        "(module (table 2 funcref) (func) (func (table.copy (i32.const 0) (i32.const 1) (i32.const 1))) (export \"f\" (func 1)))",
    );
    let Error::Unsupported {
        what,
        function,
        offset,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((what.as_str(), *function), ("table.copy", Some(1)));
    assert!(*offset > 0);
    assert!(error.to_string().contains("function 1"), "{error}");
    for text in [
        "(module (import \"a\" \"b\" (memory 1)))",
        "(module (func $s) (start $s))",
        "(module (memory 65536))",
        "(module (table 70000 funcref))",
        "(module (memory 1) (memory 1) (memory 1))",
        "(module (memory 1) (memory 65536))",
        "(module (memory 1 (pagesize 1)))",
    ] {
        let error = refused(text);
        assert!(
            matches!(error, Error::Unsupported { .. }),
            "{text}: {error:?}"
        );
    }
    for text in [
        "(module (memory 1) (data (i32.const 65530) \"too long\"))",
        "(module (memory 1) (memory 8 (pagesize 1)) (data (memory 1) (i32.const 4) \"wrong\"))",
        "(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))",
    ] {
        let error = refused(text);
        assert!(
            matches!(error, Error::Instantiation { .. }),
            "{text}: {error:?}"
        );
    }
    for text in [
        "(module (func (result i32) (i32.const 1) (return_call 0)))",
        "(module (func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0))))",
    ] {
        let error = refused(text);
        assert!(matches!(error, Error::Invalid { .. }), "{text}: {error:?}");
    }
}

#[test]
fn options_that_cannot_be_met_are_told() {
    let wasm = wat::parse_str("(module (memory 1) (data (i32.const 9) \"abc\") (func (export \"f\") (drop (memory.grow (i32.const 1)))))").unwrap();
    for name in ["", "9a", "a b", "ä", "a;"] {
        let options = Options {
            name: name.to_owned(),
            ..Options::default()
        };
        assert!(
            matches!(emit(&wasm, &options), Err(Error::Options(_))),
            "{name}"
        );
    }
    let options = Options {
        memory_bytes: Some(20),
        ..Options::default()
    };
    assert!(matches!(emit(&wasm, &options), Err(Error::Options(_))));
    let fixed = wat::parse_str("(module (memory 1) (data (i32.const 9) \"abc\"))").unwrap();
    let output = emit(&fixed, &options).unwrap();
    assert!(output.header.contains("#define RUNE_MEMORY_BYTES 20u"));
    let options = Options {
        memory_bytes: Some(11),
        ..Options::default()
    };
    assert!(matches!(emit(&fixed, &options), Err(Error::Options(_))));
    for memory_align in [0, 12, 32] {
        let options = Options {
            memory_align,
            ..Options::default()
        };
        assert!(
            matches!(emit(&fixed, &options), Err(Error::Options(_))),
            "{memory_align}"
        );
    }
    let options = Options {
        mode: Mode::Mask,
        memory_bytes: Some(20),
        ..Options::default()
    };
    let output = emit(&fixed, &options).unwrap();
    assert!(output.header.contains("#define RUNE_MEMORY_BYTES 48u"));
}

/// Modules cut off and with bytes changed are refused or translated.
#[test]
fn no_bytes_panic() {
    let text = "(module (memory 1) (table 2 funcref) (elem (i32.const 0) $f) (data (i32.const 0) \"x\")
        (global (mut f32) (f32.const 1)) (func $f (export \"f\") (param i32) (result i32)
        (block (br_if 0 (local.get 0))) (if (result i32) (local.get 0) (then (i32.load8_u (local.get 0)))
        (else (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0))))))";
    let wasm = wat::parse_str(text).unwrap();
    let mut translated = 0;
    for length in 0..wasm.len() {
        translated += usize::from(emit(&wasm[..length], &Options::default()).is_ok());
    }
    for place in 8..wasm.len() {
        for change in 1..=255_u8 {
            let mut bytes = wasm.clone();
            bytes[place] ^= change;
            translated += usize::from(emit(&bytes, &Options::default()).is_ok());
        }
    }
    assert!(translated > 100, "{translated}");
}
