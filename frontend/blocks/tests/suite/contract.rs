//! Every rule of the contract, broken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rune_abi::Fault;
use rune_blocks::{BlockError, Limits, Wasmi, read};
use rune_ir::{
    args::Bound,
    block::{BlockEngine, InitError, Instance, RunningBlock, Snapshot},
    eval::Data,
    ty::{Dim, ElementType, TensorType},
};

use crate::{block, fixture, instance};

/// Few steps are enough for blocks that do next to nothing.
fn engine() -> Wasmi {
    Wasmi::new(Limits {
        fuel: 1_000_000,
        ..Limits::default()
    })
}

fn faulty(rule: i64) -> (rune_ir::block::Block, Instance) {
    let block = block(fixture("faulty"));
    let texts = TensorType {
        element: ElementType::Utf8,
        dims: vec![Dim::AtMost(5)],
    };
    let input = TensorType::new(ElementType::U8, &[5]);
    let instance = instance(&block, &[Bound::Integer(rule)], &[input], &[texts]);
    (block, instance)
}

fn snapshot(rule: i64) -> Result<Arc<Snapshot>, InitError> {
    let (block, instance) = faulty(rule);
    engine().snapshot(&block, &instance)
}

fn start(rule: i64) -> Box<dyn RunningBlock> {
    let (block, instance) = faulty(rule);
    engine().start(&block, &instance).unwrap()
}

#[test]
fn an_init_that_depends_on_addresses_is_refused() {
    let cases = [
        (
            1,
            "word 4 of its frozen memory is computed from an address: ",
        ),
        (
            3,
            "word 4 of its frozen memory points into the stack, which is gone after `init`",
        ),
        (
            4,
            "word 4 of its frozen memory points at an argument, which is gone after `init`",
        ),
        (
            5,
            "word 4 of its frozen memory is computed from an address: ",
        ),
        (
            11,
            "it takes another amount of memory when it lies elsewhere",
        ),
        (14, "word 4 of its frozen memory points at 0x"),
    ];
    for (rule, why) in cases {
        match snapshot(rule) {
            Err(InitError::AddressDependent(message)) => {
                assert!(message.starts_with(why), "{rule}: {message}");
            }
            other => panic!("{rule}: {other:?}"),
        }
    }
    // The difference of two addresses is a number.
    assert!(snapshot(2).unwrap().frozen_words.is_empty());
}

#[test]
fn a_broken_init_is_told_from_a_refusal() {
    let cases = [
        (6, "`init` did not end within 1000000 steps"),
        (7, "`init` trapped: "),
        (8, "`init` changes the static `counter`"),
        (9, "the instance is not in the frozen arena"),
        (
            10,
            "`init` took 1073741832 bytes of frozen memory, and there are 67108864",
        ),
        (16, "`init` left the frozen arena"),
    ];
    for (rule, why) in cases {
        match snapshot(rule) {
            Err(
                InitError::Broken(message)
                | InitError::Endless(message)
                | InitError::Trapped(message),
            ) => {
                assert!(message.starts_with(why), "{rule}: {message}");
            }
            other => panic!("{rule}: {other:?}"),
        }
    }
    assert!(matches!(snapshot(6), Err(InitError::Endless(_))));
    assert!(matches!(snapshot(7), Err(InitError::Trapped(_))));
    assert_eq!(
        snapshot(12),
        Err(InitError::Refused("the block gives no reason".to_owned()))
    );
    assert_eq!(
        snapshot(15),
        Err(InitError::Refused("there is no more memory".to_owned()))
    );
}

#[test]
fn an_init_that_needs_much_memory_gets_it() {
    assert!(snapshot(13).unwrap().frozen.len() > 32 << 20);
}

#[test]
fn a_run_that_breaks_a_rule_is_a_fault() {
    let cases = [
        (20, Fault::Block),
        (21, Fault::Block),
        (22, Fault::Block),
        (23, Fault::Block),
        (24, Fault::Block),
        (25, Fault::Block),
        (26, Fault::BadValue),
    ];
    for (rule, fault) in cases {
        let result = start(rule).run(&[Data::Bytes(vec![0; 5])]);
        assert_eq!(result, Err(fault as i32), "{rule}");
    }
    let mut fine = start(0);
    let texts = |text: &str| Ok(Some(vec![Data::Strings(vec![text.to_owned()])]));
    assert_eq!(fine.run(&[Data::Bytes(vec![0; 5])]), texts("caf\u{e9}"));
    assert_eq!(fine.run(&[Data::Bytes(vec![0; 2])]), texts("ca"));
}

#[test]
fn inputs_of_the_wrong_kind_are_a_fault() {
    let mut block = start(0);
    let bad = Err(Fault::BadValue as i32);
    assert_eq!(block.run(&[]), bad);
    assert_eq!(block.run(&[Data::Bytes(vec![0; 6])]), bad);
    assert_eq!(block.run(&[Data::Strings(vec!["a".to_owned()])]), bad);
}

#[test]
fn a_module_that_imports_is_no_block() {
    match read(fixture("importing")) {
        Err(BlockError::Module(error)) => {
            assert!(error.to_string().contains("import"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// A section of a module: its number and bytes.
type Section = (u8, Vec<u8>);

/// The sections of a module whose lengths all fit.
fn sections(bytes: &[u8]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut at = 8;
    while at < bytes.len() {
        let id = bytes[at];
        let (mut length, mut shift) = (0, 0);
        loop {
            at += 1;
            length |= usize::from(bytes[at] & 0x7f) << shift;
            shift += 7;
            if bytes[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1;
        sections.push((id, bytes[at..at + length].to_vec()));
        at += length;
    }
    sections
}

fn module(sections: &[Section]) -> Arc<[u8]> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (id, body) in sections {
        bytes.push(*id);
        // Always five bytes, which is allowed.
        let n = body.len();
        bytes.extend([0, 7, 14, 21].map(|s| (n >> s & 0x7f) as u8 | 0x80));
        bytes.push((n >> 28) as u8);
        bytes.extend(body);
    }
    bytes.into()
}

fn is_signature(section: &Section) -> bool {
    section.0 == 0 && section.1.starts_with(b"\x0arune.block")
}

/// The fixture with its signature's text changed.
fn with_signature(change: impl Fn(&str) -> String) -> Result<rune_ir::block::Block, BlockError> {
    let mut sections = sections(&fixture("smooth"));
    for section in &mut sections {
        if is_signature(section) {
            let text = change(str::from_utf8(&section.1[11..]).unwrap());
            section.1 = [&b"\x0arune.block"[..], text.as_bytes()].concat();
        }
    }
    read(module(&sections))
}

#[test]
fn a_module_needs_one_readable_section() {
    let whole = sections(&fixture("smooth"));
    assert!(read(module(&whole)).is_ok());
    let without: Vec<Section> = whole.iter().filter(|s| !is_signature(s)).cloned().collect();
    assert_eq!(read(module(&without)), Err(BlockError::NoSection));
    let mut twice = whole.clone();
    twice.extend(whole.iter().find(|s| is_signature(s)).cloned());
    assert_eq!(read(module(&twice)), Err(BlockError::TwoSections));
    let mut binary = without;
    binary.push((0, b"\x0arune.block\xff".to_vec()));
    assert_eq!(read(module(&binary)), Err(BlockError::NotText));
    match with_signature(|text| text.replace("version", "vision")) {
        Err(BlockError::Signature(error)) => assert_eq!(error.line, 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn exports_are_those_of_the_signature() {
    let fault = |change: &dyn Fn(&str) -> String| match with_signature(change) {
        Err(BlockError::Export(message)) => message,
        other => panic!("{other:?}"),
    };
    let typed = |text: &str| {
        let text = text.replace("f32[n]", "T[n]");
        text.replace("[[inputs]]", "[types]\nT = [\"f32\", \"i8\"]\n[[inputs]]")
    };
    assert_eq!(fault(&typed), "the module exports no function `run.f32`");
    // What is `init` cannot be `run`: the names lie in the export section with their lengths.
    let renamed = |from: &[u8], to: &[u8]| {
        let mut sections = sections(&fixture("smooth"));
        for (id, body) in &mut sections {
            if *id == 7 {
                let at = body.windows(from.len()).position(|w| w == from).unwrap();
                body.splice(at..at + from.len(), to.iter().copied());
            }
        }
        match read(module(&sections)) {
            Err(BlockError::Export(message)) => message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        renamed(b"\x06memory", b"\x06Memory"),
        "the module exports no memory called `memory`"
    );
    assert_eq!(
        renamed(b"\x04init", b"\x04Init"),
        "the module exports no function `init`"
    );
    assert_eq!(
        renamed(b"\x03run", b"\x03Run"),
        "the module exports no function `run`"
    );
    assert_eq!(
        renamed(b"\x04init", b"\x06run.u8"),
        "the module exports no function `init`"
    );
}

#[test]
fn what_nobody_waits_for_is_stopped() {
    let (block, instance) = faulty(6);
    let limits = Limits {
        fuel: u64::MAX,
        ..Limits::default()
    };
    let flag = Arc::new(AtomicBool::new(false));
    let engine = Wasmi::new(limits).stopped_by(flag.clone());
    let running = thread::spawn(move || engine.snapshot(&block, &instance));
    thread::sleep(Duration::from_millis(50));
    assert!(!running.is_finished());
    // With so much fuel it would run for centuries.
    flag.store(true, Ordering::Relaxed);
    assert_eq!(running.join().unwrap(), Err(InitError::Later));
}

#[test]
fn a_call_that_may_be_stopped_has_as_many_steps() {
    let in_slices = || engine().stopped_by(Arc::default());
    for rule in [0, 1, 6, 7, 12, 13] {
        let (block, instance) = faulty(rule);
        let whole = engine().snapshot(&block, &instance);
        assert_eq!(whole, in_slices().snapshot(&block, &instance), "{rule}");
    }
}
