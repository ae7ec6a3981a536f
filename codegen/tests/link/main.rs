//! The linker: linked blocks do what the blocks do, and hold nothing else.
#![expect(clippy::unwrap_used, reason = "in a test a panic is a finding")]

mod world;

use rune_blocks::object::{self, Shift};
use rune_codegen::link::{InstanceRequest, Request, Selection, select};
use rune_ir::{block::Snapshot, object::Object};
use world::{Rune, Whole, request, snapshot};

const TABLES: &[u8] = include_bytes!("fixtures/tables.wasm");
const STACK: &[u8] = include_bytes!("fixtures/stack.wasm");
const FAULTS: &[u8] = include_bytes!("fixtures/faults.wasm");
const SHAPES: &[u8] = include_bytes!("fixtures/shapes.wasm");

fn read(bytes: &[u8]) -> Object {
    object::read(bytes).unwrap()
}

fn functions<'s>(selection: &'s Selection<'_>) -> Vec<&'s str> {
    selection.function_names().collect()
}

/// Links one instance per argument and compares call after call with the blocks as they came.
fn agrees(bytes: &[u8], export: &str, arguments: &[i32], inputs: &[&[u32]]) -> Rune {
    let object = read(bytes);
    let snapshots: Vec<Snapshot> = arguments
        .iter()
        .map(|a| snapshot(bytes, &object, *a))
        .collect();
    let mut rune = Rune::new(&[request(&object, export, &snapshots)]);
    let mut wholes: Vec<Whole> = arguments
        .iter()
        .map(|a| Whole::new(bytes, Shift::default(), *a))
        .collect();
    for input in inputs {
        for (i, whole) in wholes.iter_mut().enumerate() {
            assert_eq!(
                rune.run(i, input),
                whole.run(export, input),
                "instance {i} on {input:?}"
            );
        }
    }
    rune
}

#[test]
fn instances_of_a_c_block_agree_with_the_unlinked_block() {
    let inputs: &[&[u32]] = &[&[1, 2, 3, 4], &[5, 6, 7, 8, 9, 10], &[0], &[u32::MAX, 3]];
    let rune = agrees(TABLES, "run", &[0, 1, 2, 3, 17, 1], inputs);
    // Equal arguments, yet state of their own, which the frozen arena points at.
    let instances = &rune.linked.instances;
    assert_ne!(instances[1].address, instances[5].address);
    assert!(
        instances
            .iter()
            .all(|i| i.run == instances[0].run && i.scratch == 32)
    );
}

#[test]
fn trait_objects_survive_in_a_snapshot() {
    let rune = agrees(SHAPES, "run", &[0, 5, 3], &[&[1], &[7], &[100]]);
    // `area`, `name` and `corners` of both shapes; no `stretch`, which only `init` calls.
    assert_eq!(rune.linked.table.len(), 6);
    let names: Vec<&str> = rune
        .linked
        .functions
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    assert!(
        !names
            .iter()
            .any(|n| n.contains("stretch") || n.contains("core::fmt")),
        "{names:?}"
    );
    assert!(names.len() <= 10, "{names:?}");
}

#[test]
fn moving_a_block_changes_nothing_it_computes() {
    let input = [3, 1, 4, 1, 5];
    let shifts = [
        Shift {
            memory: 16,
            table: 1,
            stack: 0,
        },
        Shift {
            memory: 1 << 20,
            table: 300,
            stack: 1 << 16,
        },
        Shift {
            memory: 48,
            table: 0,
            stack: 48,
        },
    ];
    for bytes in [TABLES, SHAPES] {
        for argument in [0, 4] {
            let mut still = Whole::new(bytes, Shift::default(), argument);
            let expected = still.run("run", &input);
            for shift in shifts {
                let mut moved = Whole::new(bytes, shift, argument);
                assert_eq!(moved.run("run", &input), expected, "{shift:?}");
            }
        }
    }
}

#[test]
fn several_blocks_share_one_rune() {
    let (tables, shapes) = (read(TABLES), read(SHAPES));
    let first = [snapshot(TABLES, &tables, 1), snapshot(TABLES, &tables, 2)];
    let second = [snapshot(SHAPES, &shapes, 4)];
    let mut rune = Rune::new(&[
        request(&tables, "run", &first),
        request(&shapes, "run", &second),
    ]);
    let mut wholes = [
        Whole::new(TABLES, Shift::default(), 1),
        Whole::new(TABLES, Shift::default(), 2),
        Whole::new(SHAPES, Shift::default(), 4),
    ];
    for input in [[1, 2], [30, 40], [0, 9]] {
        for (i, whole) in wholes.iter_mut().enumerate() {
            let (linked, unlinked) = (rune.run(i, &input), whole.run("run", &input));
            assert_eq!(linked[0], unlinked[0], "instance {i}");
        }
    }
}

#[test]
fn only_what_run_reaches_is_linked() {
    let object = read(TABLES);
    let snapshots = [snapshot(TABLES, &object, 1)];
    let whole = select(&[request(&object, "run", &snapshots)]).unwrap();
    // Of three operations that `init` chooses from, the one it chose.
    let mut names = functions(&whole);
    names.sort_unstable();
    assert_eq!(names, ["grade", "run", "square"]);
    let mut data: Vec<&str> = whole.datum_names().collect();
    data.sort_unstable();
    assert_eq!(
        data,
        [
            ".L.str",
            ".L.str.2",
            ".Lswitch.table.grade",
            "names",
            "squares"
        ]
    );
    let rune = Rune::of(&whole);
    assert_eq!(rune.linked.table.len(), 1);
    // 64 of squares, 28 of grades, 16 of names, 12 and 6 of text, 32 of the instance.
    let bytes = 32 + 64 + 16 + 28 + 12 + 6;
    assert!((bytes..bytes + 16).contains(&rune.linked.readonly.len()));

    let variant = select(&[request(&object, "run.u8", &snapshots)]).unwrap();
    assert!(!functions(&variant).contains(&"run"));
    assert_eq!(object.functions.len(), 8);
}

#[test]
fn equal_snapshots_without_state_are_one() {
    let object = read(STACK);
    let snapshots = [snapshot(STACK, &object, 0), snapshot(STACK, &object, 1)];
    let rune = Rune::new(&[request(&object, "run.leaf", &snapshots)]);
    assert_eq!(
        rune.linked.instances[0].address,
        rune.linked.instances[1].address
    );
    assert_eq!(rune.linked.readonly.len(), 16);
}

#[test]
fn the_stack_is_what_the_calls_take() {
    let object = read(STACK);
    // A leaf's 48 bytes; 64 reserved and up to 63 lost to alignment, above it; 80; 32 of arguments.
    let expected = [
        ("run.leaf", 48),
        ("run.aligned", 64 + 63 + 48),
        ("run.loops", 80 + 48),
        ("run.variadic", 16 + 16),
        ("run.indirect", 16 + 64 + 63 + 48),
    ];
    for (export, bytes) in expected {
        let snapshots = [snapshot(STACK, &object, 0)];
        let selection = select(&[request(&object, export, &snapshots)]).unwrap();
        let mut rune = Rune::of(&selection);
        let mut whole = Whole::new(STACK, Shift::default(), 0);
        for x in [1, 2, 7] {
            assert_eq!(rune.run(0, &[x]), whole.run(export, &[x]), "{export}");
        }
        assert_eq!(
            selection.stack_bytes(),
            u32::next_multiple_of(bytes, 16),
            "{export}"
        );
        // Nothing but alignment is left over.
        let slack = if bytes > 128 { 64 + 64 } else { 64 };
        assert!(
            rune.deepest().is_some_and(|at| at < slack),
            "{export} {:?}",
            rune.deepest()
        );
    }
}

/// A block of one `run`, in text, that may use the stack pointer as `$sp`.
fn with_stack(body: &str) -> Object {
    // Version 2; a symbol table of one symbol: hidden global 0.
    let symbols = r"\02\08\14\01\02\04\00\0f__stack_pointer";
    let text = format!(
        r#"(module
            (global $sp (mut i32) (i32.const 4096))
            (func $leaf (drop (i32.sub (global.get $sp) (i32.const 8))))
            (func (export "run") (param i32 i32 i32 i32) (result i32) (local $f i32)
                {body}
                (i32.const 0))
            (@custom "linking" "{symbols}"))"#
    );
    read(&wat::parse_str(text).unwrap())
}

/// Stack that a `run` of this body needs, or why that cannot be said.
fn stack(body: &str) -> Result<u32, String> {
    let object = with_stack(body);
    select(&[request(&object, "run", &[Snapshot::default()])])
        .map(|s| s.stack_bytes())
        .map_err(|e| e.message)
}

#[test]
fn the_stack_is_followed_through_every_path() {
    let reserve = |n: u32| {
        format!("(global.set $sp (local.tee $f (i32.sub (global.get $sp) (i32.const {n}))))")
    };
    let release = |n: u32| format!("(global.set $sp (i32.add (local.get $f) (i32.const {n})))");
    let frame = |n: u32, inside: &str| format!("{} {inside} {}", reserve(n), release(n));

    assert_eq!(stack(""), Ok(0));
    assert_eq!(stack(&frame(48, "")), Ok(48));
    // The deeper of two branches, and a call from each.
    let both = format!(
        "(if (local.get 0) (then {}) (else {}))",
        frame(16, "(call $leaf)"),
        frame(96, "(call $leaf)")
    );
    assert_eq!(stack(&both), Ok(112));
    // Round a loop, each time put back.
    let round = format!("(loop $l {} (br_if $l (local.get 0)))", frame(32, ""));
    assert_eq!(stack(&round), Ok(32));
    // A way out of the middle that puts it back behind the block.
    let out = format!(
        "{} (block (br_if 0 (local.get 0)) (call $leaf)) {}",
        reserve(64),
        release(64)
    );
    assert_eq!(stack(&out), Ok(80));
    // Behind a return nothing runs.
    let dead = format!("(return (i32.const 1)) {} (loop (br 0))", reserve(512));
    assert_eq!(stack(&dead), Ok(0));
    // A local of a caller's frame that an `if` may overwrite is no longer known.
    let lost = format!(
        "{} (if (local.get 0) (then (local.set $f (i32.const 9)))) {}",
        reserve(16),
        release(16)
    );
    assert!(
        stack(&lost)
            .unwrap_err()
            .contains("not known when compiling")
    );

    let kept = reserve(32);
    assert!(
        stack(&kept)
            .unwrap_err()
            .contains("without putting the stack pointer back")
    );
    let one_way = format!("(if (local.get 0) (then {kept}))");
    assert!(
        stack(&one_way)
            .unwrap_err()
            .contains("without putting the stack pointer back")
    );
    let growing = format!("(loop $l {kept} (br_if $l (local.get 0)))");
    assert!(
        stack(&growing)
            .unwrap_err()
            .contains("not known when compiling")
    );
    let foreign = "(global.set $sp (local.get 0))";
    assert!(
        stack(foreign)
            .unwrap_err()
            .contains("not known when compiling")
    );
}

#[test]
fn faults_say_what_and_why() {
    let object = read(FAULTS);
    let snapshot = Snapshot::default();
    let fault = |export: &str| {
        let instances = vec![InstanceRequest {
            export,
            snapshot: &snapshot,
        }];
        let error = select(&[Request {
            object: &object,
            instances,
        }])
        .unwrap_err();
        format!("{} | {}", error.message, error.hint.unwrap_or_default())
    };
    let cases = [
        (
            "run.static",
            "`run_static` reaches the mutable static `calls` | Keep",
        ),
        (
            "run.allocates",
            "`run_allocates` (by way of `allocate`) allocates memory",
        ),
        ("run.grows", "`run_grows` grows the memory"),
        (
            "run.recursive",
            "recurse, so its stack has no bound: `fibonacci` calls `fibonacci` |",
        ),
        (
            "run.mutual",
            "may recurse, so its stack has no bound: `odd` calls `",
        ),
        (
            "run.alloca",
            "`run_alloca` reserves stack by an amount that is not known",
        ),
        ("run.f64", "it has no export `run.f64`"),
    ];
    for (export, message) in cases {
        assert!(
            fault(export).contains(message),
            "{export}: {}",
            fault(export)
        );
    }
}

#[test]
fn a_snapshot_that_points_outside_is_refused() {
    use rune_ir::{
        arena::Id,
        block::{SnapshotTarget, SnapshotWord},
    };
    let object = read(TABLES);
    let targets = [
        SnapshotTarget::Frozen(33),
        SnapshotTarget::State(1),
        SnapshotTarget::Slot(Id::from_index(1000)),
        SnapshotTarget::Datum(Id::from_index(1000), 0),
    ];
    for target in targets {
        let mut bad = Snapshot {
            frozen: vec![0; 32],
            ..Snapshot::default()
        };
        bad.frozen_words.push(SnapshotWord { offset: 4, target });
        assert!(select(&[request(&object, "run", &[bad])]).is_err());
    }
    let beyond = Snapshot {
        frozen: vec![0; 4],
        frozen_words: vec![SnapshotWord {
            offset: 1,
            target: SnapshotTarget::Frozen(0),
        }],
        ..Snapshot::default()
    };
    assert!(select(&[request(&object, "run", &[beyond])]).is_err());
}

#[test]
fn linking_twice_gives_the_same_bytes() {
    let object = read(SHAPES);
    let snapshots = [snapshot(SHAPES, &object, 6), snapshot(SHAPES, &object, 0)];
    let module = || Rune::new(&[request(&object, "run", &snapshots)]).module;
    assert_eq!(module(), module());
}

#[test]
fn nothing_asked_for_is_nothing_linked() {
    let selection = select(&[]).unwrap();
    assert_eq!((selection.functions(), selection.stack_bytes()), (0, 0));
    assert_eq!(
        (selection.readonly_bytes(), selection.state_bytes()),
        (0, 0)
    );
    assert!(!selection.uses_stack());
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

/// The first byte of a module's code; what its data, symbols and relocations are follows.
fn code(bytes: &[u8]) -> usize {
    let mut payloads = wasmparser::Parser::new(0).parse_all(bytes);
    let start = payloads.find_map(|payload| {
        let section = payload.unwrap().as_section();
        section
            .filter(|(id, _)| *id == 10)
            .map(|(_, range)| range.start as usize)
    });
    start.unwrap()
}

#[test]
fn damaged_blocks_are_linked_or_refused() {
    let mut random = Random(0x1171_ced0_b10c);
    let (mut linked, mut refused) = (0, 0);
    for round in 0..1000 {
        let bytes = [TABLES, SHAPES, STACK][round % 3];
        let code = code(bytes);
        let mut bytes = bytes.to_vec();
        for _ in 0..=random.below(2) {
            let at = code + random.below(bytes.len() - code);
            bytes[at] ^= 1 << random.below(8);
        }
        let Ok(object) = object::read(&bytes) else {
            refused += 1;
            continue;
        };
        for (export, _) in object
            .exports
            .iter()
            .filter(|(name, _)| name.starts_with("run"))
        {
            // Emitted modules are validated where they are made.
            match select(&[request(&object, export, &[Snapshot::default()])]) {
                Ok(selection) => {
                    Rune::of(&selection);
                    linked += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        linked > 100 && refused > 100,
        "{linked} linked, {refused} refused"
    );
}

#[test]
fn every_variant_of_the_catalogue_links() {
    let snapshots = [Snapshot::default()];
    for block in rune_catalogue::entries() {
        let object = read(block.bytes);
        let runs = object.exports.iter().map(|(name, _)| name.as_str());
        for export in runs.filter(|name| *name == "run" || name.starts_with("run.")) {
            let selection = select(&[request(&object, export, &snapshots)])
                .unwrap_or_else(|e| panic!("{} {export}: {e}", block.name));
            let rune = Rune::of(&selection);
            let code: usize = rune.linked.functions.iter().map(|f| f.body.len()).sum();
            assert!(
                code < block.bytes.len() / 2,
                "{} {export}: {code} bytes",
                block.name
            );
            let stack = selection.stack_bytes();
            // To round a float right, `parse` has up to 768 digits there; no other needs a third of it.
            let most = if block.name == "runicos/parse" {
                2048
            } else {
                640
            };
            assert!(stack <= most, "{} {export}: {stack} bytes", block.name);
        }
    }
}
