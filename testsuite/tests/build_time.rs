//! What `init` leaves behind when the compiler runs it, against `init` run by the unlinked module itself:
//! the runes of a block that keeps everything Rust has do what the block does, and hold nothing else.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use rune_codegen::{
    Options,
    link::{InstanceRequest, Request, select},
};
use rune_ir::{
    block::Snapshot,
    check::{TypedKind, Verified},
};
use rune_testsuite::{
    costs,
    engines::{self, Feed},
    overlay::Overlay,
    random::Random,
    root,
};
use wasmparser::{Parser, Payload};

/// Two instances, one of which feeds the other.
const RUNEFILE: &str = r#"FROM runicos/base
CAPABILITY<F32[6]> RAW samples
PROC_BLOCK ./keeper.wasm first --start 0.5 --program $first
RESOURCE ./first.txt first
PROC_BLOCK ./keeper.wasm second --program "apply positive; gain -2; apply positive; formula 7 x +"
OUT SERIAL results
OUT SERIAL names
RUN samples first second results
RUN [first.1, second.1] names
"#;

const FIRST: &str = "\
gain 1.5 # MARKER that only init reads
filter 0.25 0.5 0.25
apply square
formula x 2 * x ~ 3 + *  # MARKER
filter 1 -1
apply half
last x 0.125 + x *
";

fn world() -> Overlay {
    Overlay::new(root().join("testsuite/fixtures")).with("./first.txt", FIRST.as_bytes())
}

fn verified() -> Verified {
    let checked = engines::check_text(RUNEFILE, &world());
    let rendered = engines::rendered(&checked);
    checked.output.unwrap_or_else(|| panic!("{rendered}"))
}

fn feeds() -> Vec<Feed> {
    let mut random = Random::new(8);
    let mut sample = || (random.below(4001) as f32 - 2000.0) / 500.0;
    (0..9)
        .map(|_| vec![(0..6).flat_map(|_| sample().to_le_bytes()).collect()])
        .collect()
}

#[test]
fn a_rune_does_what_the_block_does() {
    let verified = verified();
    let feeds = feeds();
    let expected = engines::evaluate(&verified, &feeds);
    assert_eq!(expected.len(), feeds.len());
    assert_ne!(expected[0], expected[1], "the calls tell something apart");
    for (variant, options) in engines::variants() {
        let output = engines::compile_text(RUNEFILE, &world(), &options)
            .output
            .unwrap();
        // After a reset all is as at the start.
        for (round, found) in engines::rounds(&output, &feeds, 3).iter().enumerate() {
            assert_eq!(*found, expected, "{variant}, round {round}");
        }
    }
}

#[test]
fn a_rune_holds_nothing_that_only_init_needs() {
    let verified = verified();
    let mut instances = Vec::new();
    let mut module = None;
    for stage in verified.stages() {
        if let TypedKind::Block {
            block,
            instance,
            snapshot,
            ..
        } = &stage.kind
        {
            module = Some(block);
            instances.push(InstanceRequest {
                export: &instance.export,
                snapshot,
            });
            kept(snapshot);
        }
    }
    let module = module.unwrap();
    let selection = select(&[Request {
        object: &module.object,
        instances,
    }])
    .unwrap();
    let names: Vec<&str> = selection.function_names().collect();
    // `run`, `next` of four steps, `value` of a tree, and of four functions the three that are applied.
    assert_eq!(names.len(), 9, "{names:?}");
    for idle in [
        "init",
        "alloc",
        "fmt",
        "read_",
        "drop",
        "from_str",
        "closure#3",
    ] {
        let mut known = module.object.functions.iter();
        assert!(
            known.any(|(_, f)| f.name.contains(idle)),
            "the block has no function like {idle}"
        );
        assert!(names.iter().all(|n| !n.contains(idle)), "{idle}: {names:?}");
    }

    let output = engines::compile_text(RUNEFILE, &world(), &Options::default())
        .output
        .unwrap();
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    let linked = code_and_data(&output.wasm);
    for kept in ["FILTER 1 -1", "GAIN -2", "LAST X 0.125 + X *"] {
        assert!(has(&linked, kept), "{kept} is a name");
    }
    for gone in ["MARKER", "READ BY INIT", "WASTED", "square", "filter"] {
        assert!(!has(&linked, gone), "{gone} is in the rune");
    }
    for left in ["READ BY INIT", "WASTED"] {
        assert!(has(&module.bytes, left), "{left} is in the block");
    }
    assert!(linked.len() < 6_000, "{} bytes", linked.len());
    assert_eq!(pages(&output.wasm), 1);
}

/// At its usual work no standard block links what only `init` calls.
#[test]
fn runes_of_standard_blocks_hold_only_what_runs() {
    for row in costs::rows() {
        let checked = engines::check_text(&row.stand.runefile, &row.stand.world);
        let verified = checked.output.unwrap();
        let stage = verified.stages().iter().find(|s| s.name == "block");
        holds_only_what_runs(&stage.unwrap().kind, &["panic"]);
    }
}

/// Of the example keyword neither the making of tables nor the reading of arguments is left.
#[test]
fn the_keyword_rune_holds_only_what_runs() {
    let checked = engines::check(&root().join("examples/keyword/Runefile"));
    let verified = checked.output.unwrap();
    let blocks = verified.stages().iter();
    let blocks = blocks.filter(|s| matches!(s.kind, TypedKind::Block { .. }));
    let linked = blocks
        .map(|s| holds_only_what_runs(&s.kind, &["libm"]))
        .count();
    assert_eq!(linked, 3, "features, scores and labels");
}

/// That a block links no function that `init` alone calls, nor one of these.
fn holds_only_what_runs(kind: &TypedKind, nor: &[&str]) {
    let TypedKind::Block {
        path,
        block,
        instance,
        snapshot,
    } = kind
    else {
        panic!("only blocks are linked");
    };
    let selection = select(&[Request {
        object: &block.object,
        instances: vec![InstanceRequest {
            export: &instance.export,
            snapshot,
        }],
    }])
    .unwrap();
    for name in selection.function_names() {
        for idle in ["init", "alloc", "fmt", "drop", "Setup", "Refusal"]
            .iter()
            .chain(nor)
        {
            assert!(!name.contains(idle), "{path} reaches {name}");
        }
    }
}

/// That a snapshot has no hole where the megabyte was.
fn kept(snapshot: &Snapshot) {
    let bytes = snapshot.frozen.len();
    assert!((100..1_500).contains(&bytes), "{bytes} bytes are kept");
    assert!((16..64).contains(&snapshot.state.len()));
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most of a module is neither"
)]
fn code_and_data(wasm: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::CodeSectionEntry(body) => all.extend_from_slice(body.as_bytes()),
            Payload::DataSection(section) => {
                for datum in section {
                    all.extend_from_slice(datum.unwrap().data);
                }
            }
            _ => {}
        }
    }
    all
}

fn pages(wasm: &[u8]) -> u64 {
    let mut sections = Parser::new(0).parse_all(wasm).map(Result::unwrap);
    let memory = sections.find_map(|payload| {
        if let Payload::MemorySection(section) = payload {
            return section.into_iter().next();
        }
        None
    });
    memory.unwrap().unwrap().initial
}
