//! Reading and moving block modules: what comes out of real linkers' bytes, and what is refused.
#![expect(clippy::unwrap_used, reason = "in a test a panic is a finding")]

use rune_blocks::object::{Shift, read, rebase};
use rune_ir::object::{Encoding, Object, Target};
use wasmparser::{Validator, WasmFeatures};

const TABLES: &[u8] = include_bytes!("../../../codegen/tests/link/fixtures/tables.wasm");
const SHAPES: &[u8] = include_bytes!("../../../codegen/tests/link/fixtures/shapes.wasm");
const STACK: &[u8] = include_bytes!("../../../codegen/tests/link/fixtures/stack.wasm");
const FAULTS: &[u8] = include_bytes!("../../../codegen/tests/link/fixtures/faults.wasm");

/// A block that a person wrote: memory is reached through parameters alone.
const PLAIN: &str = r#"(module
    (memory (export "memory") 1)
    (func $init (export "init") (param i32) (result i32)
        (i32.load offset=20 (local.get 0)))
    (func $scale (param f32) (result f32) (f32.mul (local.get 0) (f32.const 2)))
    (func $run (export "run") (param i32 i32 i32 i32) (result i32)
        (f32.store (i32.load (local.get 3)) (call $scale (f32.load (i32.load (local.get 2)))))
        (i32.const 0)))"#;

fn datum<'o>(object: &'o Object, name: &str) -> &'o rune_ir::object::Datum {
    object
        .data
        .values()
        .find(|d| d.name == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn fault(text: &str) -> String {
    read(&wat::parse_str(text).unwrap())
        .unwrap_err()
        .to_string()
}

#[test]
fn data_symbols_become_data() {
    let object = read(TABLES).unwrap();
    let squares = datum(&object, "squares");
    assert_eq!((squares.bytes.len(), squares.writable), (64, false));
    assert_eq!(squares.bytes[8..12], 4u32.to_le_bytes());
    assert_eq!(squares.address % squares.align, 0);
    // Three literals share one tail, and are one datum.
    let text = datum(&object, ".L.str");
    assert_eq!(text.bytes, b"one and two\0");
    let names = datum(&object, "names");
    let offsets: Vec<_> = names
        .relocations
        .iter()
        .filter_map(|r| {
            if let Target::Address(id, offset) = r.target {
                return Some((object.data[id].name.as_str(), offset));
            }
            None
        })
        .collect();
    assert_eq!(
        offsets,
        [(".L.str", 0), (".L.str", 4), (".L.str.2", 0), (".L.str", 8)]
    );
    assert!(
        names
            .relocations
            .iter()
            .all(|r| r.encoding == Encoding::Word)
    );
    let addresses: Vec<u32> = object.data.values().map(|d| d.address).collect();
    assert!(addresses.is_sorted());
    let end = text.address + 12;
    assert_eq!(
        object.datum_at(text.address + 4).map(|(_, offset)| offset),
        Some(4)
    );
    assert_eq!(object.datum_at(end - 1).map(|(_, offset)| offset), Some(11));
    assert_eq!(object.datum_at(0), None);
}

#[test]
fn the_table_holds_the_functions_that_data_names() {
    let object = read(TABLES).unwrap();
    let operations = datum(&object, "operations");
    let slots: Vec<_> = operations.relocations.iter().map(|r| r.target).collect();
    let named = |name: &str| {
        let function = object.functions.iter().find(|(_, f)| f.name == name);
        function.map(|(id, _)| Target::Slot(id)).unwrap()
    };
    assert_eq!(slots, [named("twice"), named("square"), named("negate")]);
    let mut table: Vec<_> = object
        .table
        .iter()
        .map(|id| &object.functions[*id].name[..])
        .collect();
    table.sort_unstable();
    assert_eq!(table, ["negate", "square", "twice"]);
    assert_eq!(object.table_base, 1);
}

#[test]
fn statics_and_the_linkers_own_symbols_are_writable() {
    let object = read(FAULTS).unwrap();
    assert!(datum(&object, "calls").writable);
    let heap = datum(&object, "__heap_base");
    assert!(heap.writable && heap.bytes.is_empty());
    let zeros = datum(&object, "cursor");
    assert_eq!(zeros.bytes, [0; 4]);
}

#[test]
fn names_are_readable() {
    let object = read(SHAPES).unwrap();
    let has = |name: &str| object.functions.values().any(|f| f.name == name);
    assert!(has("<shapes::Square as shapes::Shape>::area"));
    assert!(
        object
            .data
            .values()
            .any(|d| d.name.starts_with("shapes::ARENA"))
    );
}

#[test]
fn a_block_without_static_memory_needs_no_relocations() {
    let object = read(&wat::parse_str(PLAIN).unwrap()).unwrap();
    assert_eq!(object.functions.len(), 3);
    assert!(object.data.is_empty() && object.table.is_empty());
    let exports: Vec<&str> = object
        .exports
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(exports, ["init", "run"]);
    // The call is found without anybody's help.
    let run = object.exports[1].1;
    let targets: Vec<_> = object.functions[run]
        .relocations
        .iter()
        .map(|r| r.target)
        .collect();
    let scale = object.functions.ids().nth(1).unwrap();
    assert_eq!(targets, [Target::Function(scale)]);
}

#[test]
fn static_memory_without_relocations_is_refused() {
    let missing = "linked without --emit-relocs";
    assert!(fault(r#"(module (memory 1) (data (i32.const 8) "x"))"#).contains(missing));
    assert!(
        fault("(module (table 1 funcref) (func $f) (elem (i32.const 0) $f))").contains(missing)
    );
    let load = "(module (memory 1) (func (result i32) (i32.load (i32.const 1024))))";
    assert!(fault(load).contains(missing));
    let global =
        "(module (global $g (mut i32) (i32.const 0)) (func (global.set $g (i32.const 1))))";
    assert!(fault(global).contains("it uses a global"));
    // The same module, but for its linking section.
    let stripped = without(TABLES, |name| {
        name == "linking" || name.starts_with("reloc.")
    });
    let error = read(&stripped).unwrap_err().to_string();
    assert!(error.contains(missing), "{error}");
    assert!(rebase(&stripped, Shift::default()).is_err());
}

/// The module without some custom sections.
fn without(bytes: &[u8], drop: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut out = bytes[..8].to_vec();
    let mut from = 8;
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        let payload = payload.unwrap();
        let Some((_, range)) = payload.as_section() else {
            continue;
        };
        let end = range.end as usize;
        let dropped = matches!(&payload, wasmparser::Payload::CustomSection(c) if drop(c.name()));
        if !dropped {
            out.extend_from_slice(&bytes[from..end]);
        }
        from = end;
    }
    out
}

#[test]
fn what_cannot_be_linked_is_named() {
    let cases = [
        (
            r#"(module (import "env" "f" (func)))"#,
            "it imports `f` from `env`",
        ),
        ("(module (func $f) (start $f))", "it has a start function"),
        ("(module (memory 1) (memory 1))", "it has several memories"),
        (
            "(module (table 1 funcref) (table 1 funcref))",
            "it has several tables",
        ),
        ("(module (memory i64 1))", "its memory is 64-bit or shared"),
        (
            r#"(module (@custom "dylink.0" "") (func))"#,
            "it is position-independent",
        ),
        ("(module (func (param externref)))", "reference types"),
        (
            "(module (memory 1) (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))) (data \"x\"))",
            "bulk-memory",
        ),
        (
            r#"(module (@custom "linking" "\01") (func))"#,
            "linking section is damaged",
        ),
    ];
    for (text, message) in cases {
        assert!(fault(text).contains(message), "{text}: {}", fault(text));
    }
    assert!(read(b"").is_err());
    assert!(read(b"\0asm\x01\0\0\0").is_ok());
}

#[test]
fn a_relocation_that_contradicts_the_bytes_is_refused() {
    let object = read(TABLES).unwrap();
    // Any byte of any patched number, changed, is noticed.
    let run = object
        .exports
        .iter()
        .find(|(name, _)| name == "run")
        .unwrap()
        .1;
    let function = &object.functions[run];
    let body = TABLES
        .windows(function.body.len())
        .position(|w| w == function.body)
        .unwrap();
    for relocation in &function.relocations {
        let mut bytes = TABLES.to_vec();
        bytes[body + relocation.offset as usize] ^= 1;
        assert!(read(&bytes).is_err(), "{relocation:?}");
    }
}

#[test]
fn a_moved_block_is_the_same_block() {
    let shift = Shift {
        memory: 0x12340,
        table: 77,
        stack: 0x400,
    };
    for bytes in [TABLES, SHAPES, STACK, FAULTS] {
        let moved = rebase(bytes, shift).unwrap();
        Validator::new_with_features(WasmFeatures::default())
            .validate_all(&moved)
            .unwrap();
        assert!(!moved.windows(10).any(|w| w == b"reloc.CODE"));
        assert_eq!(
            rebase(bytes, Shift::default()).unwrap(),
            without(bytes, |name| {
                name == "linking" || name.starts_with("reloc.")
            })
        );
        assert!(
            rebase(
                bytes,
                Shift {
                    memory: u32::MAX - 16,
                    ..shift
                }
            )
            .is_err()
        );
    }
}

/// Small and repeatable (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[test]
fn damaged_modules_are_read_or_refused() {
    let mut random = Random(0x005e_ed0b_1ec7);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..1000 {
        let mut bytes = [TABLES, SHAPES, STACK, FAULTS][round % 4].to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.truncate(at.max(1)),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let shift = Shift {
            memory: 4096,
            table: 9,
            stack: 256,
        };
        if let Ok(object) = read(&bytes) {
            taken += 1;
            for function in object.functions.values() {
                let mut end = 0;
                for relocation in &function.relocations {
                    assert!(relocation.offset as usize >= end);
                    end = relocation.offset as usize + 1;
                }
                assert!(end <= function.body.len());
            }
            if let Ok(moved) = rebase(&bytes, shift) {
                Validator::new_with_features(WasmFeatures::default())
                    .validate_all(&moved)
                    .unwrap();
            }
        } else {
            refused += 1;
        }
    }
    assert!(
        taken > 50 && refused > 500,
        "{taken} taken, {refused} refused"
    );
}
