//! Installing on the emulated board: the states of runes, several at once, hostile ones, and QEMU killed in the middle.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use rune_abi::{
    Capability, CapabilityKind, Dim, ElementType, Manifest, TensorType, Version, WasmFeatures,
};
use rune_install::Phase;
use rune_link::{Doing, Install, Request, Run, When};
use rune_runtime::{Call, Limits, Rune, SourceFlag, serial};
use rune_saga::Failure;
use rune_testsuite::{
    qemu::{Boot, Firmware, Machine, Slot},
    random::Random,
    skip,
};

use super::{
    compiled, firmware,
    hand::{self, Hand},
    status,
};

/// How far the slots are apart on the chip.
pub(crate) const SLOT: usize = 2 << 20;
/// Where the records are.
const RECORDS: std::ops::Range<usize> = 7 * SLOT..7 * SLOT + (16 << 10);
/// An upload that was cut goes on at a multiple of it.
pub(crate) const STEP: u32 = 16 << 10;

/// A file of flash that goes with the value.
pub(crate) struct Flash(pub(crate) PathBuf);

impl Flash {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("rune-flash-{}-{count}", process::id())))
    }

    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        fs::copy(&self.0, &copy.0).unwrap();
        copy
    }

    /// Boots a board with it, whose time goes fast.
    pub(crate) fn boot(&self, firmware: &Firmware) -> Machine {
        let boot = Boot {
            flash: Some(&self.0),
            shift: 6,
            ..Boot::default()
        };
        Machine::boot(firmware, &boot).unwrap()
    }
}

impl Drop for Flash {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// A rune of a name and a version without inputs and outputs, with so many pages of memory and other fields of the
/// module.
fn module(name: &str, version: u16, pages: u32, call: &str, more: &str) -> Vec<u8> {
    let manifest = Manifest {
        memory_bytes: pages << 16,
        version: Version {
            major: version,
            minor: 0,
            patch: 0,
        },
        ..manifest(name, vec![])
    };
    written(&manifest, pages, call, more)
}

/// A module with a manifest, whose memory has so many pages whatever the manifest says.
fn written(manifest: &Manifest, pages: u32, call: &str, more: &str) -> Vec<u8> {
    let quoted = quoted(&manifest.to_bytes().unwrap());
    let text = format!(
        r#"(module
          (import "runicos" "read" (func $read (param i32 i32 i32) (result i32)))
          (memory (export "memory") {pages} {pages})
          (data (i32.const 1024) "{quoted}")
          (@custom "rune.manifest" "{quoted}")
          (func (export "_manifest") (result i32) i32.const 1024)
          (func $call (export "_call") (result i32) {call})
          {more})"#
    );
    let text = if manifest.capabilities.is_empty() {
        text.replace(
            r#"(import "runicos" "read" (func $read (param i32 i32 i32) (result i32)))"#,
            "",
        )
    } else {
        text
    };
    wat::parse_str(text).unwrap()
}

fn quoted(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        write!(text, "\\{b:02x}").unwrap();
        text
    })
}

/// A rune that runs well, of a version.
pub(crate) type Made = fn(u16) -> Vec<u8>;

/// As a module.
pub(crate) fn version(version: u16) -> Vec<u8> {
    module("bare", version, 1, "i32.const 1", "")
}

/// As an image.
pub(crate) fn image(version: u16) -> Vec<u8> {
    let image = Hand {
        version,
        ..Hand::new("bare", "movs r0, #1\nsvc #0")
    };
    image.bytes()
}

/// The firmware, where the test needs an assembler too.
pub(crate) fn firmware_for_images(test: &str) -> Option<&'static Firmware> {
    let firmware = firmware(test)?;
    if let Some(why) = hand::missing() {
        skip(test, why);
        return None;
    }
    Some(firmware)
}

/// One of some 40 KB.
pub(crate) fn large(version: u16) -> Vec<u8> {
    let data = quoted(&Random::new(version.into()).bytes(40_000));
    let more = format!("(data (i32.const 8192) \"{data}\")");
    module("bare", version, 1, "i32.const 1", &more)
}

/// The states in slots, in order.
fn states(machine: &mut Machine) -> Vec<(Phase, [u8; 32])> {
    let mut all: Vec<_> = machine
        .slots()
        .unwrap()
        .into_iter()
        .map(|Slot { state, digest, .. }| (state, digest))
        .collect();
    all.sort_unstable();
    all
}

/// What there is of a rune.
pub(crate) fn slot(machine: &mut Machine, rune: &[u8]) -> Option<Slot> {
    let digest = rune_ir::digest(rune);
    let mut all = machine.slots().unwrap().into_iter();
    all.find(|slot| slot.digest == digest)
}

pub(crate) fn state(machine: &mut Machine, rune: &[u8]) -> Phase {
    slot(machine, rune).map_or(Phase::Empty, |slot| slot.state)
}

/// The digest of the one rune that runs, which is called once.
pub(crate) fn running(machine: &mut Machine) -> [u8; 32] {
    let before = machine.look(0).unwrap();
    assert_eq!(before.doing, Doing::Running);
    assert_eq!(machine.call(0, &[]), Ok(String::new()));
    let after = machine.look(0).unwrap();
    assert_eq!(
        (after.well, after.failures),
        (before.well + 1, before.failures)
    );
    for place in 1..4 {
        let why = machine.look(place).unwrap_err();
        assert_eq!(why, "no rune runs in this place");
    }
    after.digest
}

#[test]
fn runes_are_installed_tried_confirmed_and_rolled_back() {
    if let Some(firmware) = firmware("runes_are_installed_tried_confirmed_and_rolled_back") {
        lives(firmware, version);
    }
}

#[test]
fn images_are_installed_tried_confirmed_and_rolled_back() {
    let test = "images_are_installed_tried_confirmed_and_rolled_back";
    if let Some(firmware) = firmware_for_images(test) {
        lives(firmware, image);
    }
}

fn lives(firmware: &Firmware, version: Made) {
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    assert_eq!(states(&mut machine), []);
    let [one, two, three] = [1, 2, 3].map(version);
    let id = |rune: &[u8]| rune_ir::digest(rune);

    let verified = machine.upload(&one).unwrap();
    assert_eq!(
        (verified.state, verified.name.as_str()),
        (Phase::Verified, "bare")
    );
    assert!(machine.look(0).is_err());
    let place = machine.install(&one).unwrap();
    assert_eq!(place, 0);
    // Asked twice it is one trial, and one attempt.
    assert_eq!(machine.install(&one), Ok(0));
    let trial = slot(&mut machine, &one).unwrap();
    assert_eq!((trial.state, trial.attempts), (Phase::Trial, 1));
    assert_eq!(running(&mut machine), id(&one));
    machine.confirm("bare").unwrap();
    assert_eq!(state(&mut machine, &one), Phase::Confirmed);
    assert!(machine.confirm("bare").unwrap_err().contains("CONFIRMED"));
    let none = machine.rollback("bare").unwrap_err();
    assert_eq!(none, "there is none to go back to");
    assert_eq!(running(&mut machine), id(&one));

    // A trial takes the place of the confirmed one, which comes back.
    assert_eq!(machine.install(&two), Ok(0));
    assert_eq!(running(&mut machine), id(&two));
    machine.rollback("bare").unwrap();
    assert_eq!(running(&mut machine), id(&one));
    assert_eq!(state(&mut machine, &two), Phase::Bad);

    // One that is confirmed leaves the one before to go back to, also after a start.
    assert_eq!(machine.install(&three), Ok(0));
    machine.confirm("bare").unwrap();
    drop(machine);
    let mut machine = flash.boot(firmware);
    assert_eq!(running(&mut machine), id(&three));
    assert_eq!(state(&mut machine, &one), Phase::Previous);
    // It runs in place: these bytes are on the chip.
    let place = slot(&mut machine, &three).unwrap().slot;
    let chip = fs::read(&flash.0).unwrap();
    let bytes = &chip[usize::from(place) * SLOT..][..three.len()];
    assert_eq!(bytes, three);
    machine.rollback("bare").unwrap();
    assert_eq!(running(&mut machine), id(&one));
    machine.remove("bare").unwrap();
    assert_eq!(states(&mut machine), []);
    assert!(machine.look(0).is_err());
    let unknown = machine.remove("bare").unwrap_err();
    assert_eq!(unknown, "there is no such rune or upload");
}

#[test]
fn what_is_not_fit_is_refused() {
    let Some(firmware) = firmware("what_is_not_fit_is_refused") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    let good = version(1);
    machine.install(&good).unwrap();
    machine.confirm("bare").unwrap();
    let lying = written(&manifest("liar", vec![]), 2, "i32.const 0", "");
    let refused = [
        (b"no rune".to_vec(), "module"),
        (good[..good.len() / 2].to_vec(), "module"),
        (
            module("large", 1, 200, "i32.const 0", ""),
            "13107200 bytes of memory",
        ),
        (lying, "memory"),
    ];
    for (rune, why) in refused {
        let said = machine.upload(&rune).unwrap_err();
        assert!(said.contains(why), "{said}");
        assert_eq!(state(&mut machine, &rune), Phase::Bad);
        let tried = machine.try_out(&rune_ir::digest(&rune)).unwrap_err();
        assert!(tried.contains("BAD"), "{tried}");
    }
    // Not the bytes that were announced.
    let announced = large(2);
    let mut sent = announced.clone();
    sent[30_000] ^= 1;
    assert_eq!(machine.begin(&announced, false), Ok(Ok(0)));
    machine.chunks(&sent, 0, sent.len() as u32).unwrap();
    let said = machine.verify().unwrap_err();
    assert!(said.contains("digest"), "{said}");

    // Out of order, too much, too large, unknown.
    assert_eq!(machine.begin(&announced, true), Ok(Ok(0)));
    assert!(machine.verify().unwrap_err().contains("at byte 0"));
    let gap = Install::Chunk {
        offset: 1016,
        data: &[1],
    };
    let said = machine.request(&Request::Install(gap)).unwrap_err();
    assert_eq!(said, "the upload goes on at byte 0");
    let begin = Install::Begin {
        bytes: (SLOT + 1) as u32,
        digest: [9; 32],
        anew: false,
    };
    let said = machine.request(&Request::Install(begin)).unwrap_err();
    assert_eq!(said, "it is larger than a slot");
    for request in [
        Request::Install(Install::Slot(7)),
        Request::Install(Install::Try([3; 32])),
        Request::Install(Install::Confirm("nobody")),
        Request::Install(Install::Rollback("nobody")),
        Request::Install(Install::Remove("")),
        Request::Run {
            place: 4,
            run: Run::Call,
        },
        Request::Run {
            place: 255,
            run: Run::Lines,
        },
        Request::Feed {
            place: 0,
            capability: 0,
            offset: 0,
            data: &[1],
        },
        Request::Feed {
            place: 9,
            capability: 0,
            offset: 0,
            data: &[1],
        },
    ] {
        let reply = machine.request(&request);
        assert!(
            reply.as_ref().is_err_and(|why| !why.contains("no reply")),
            "{request:?}: {reply:?}"
        );
    }
    // All the while the good one has run.
    assert_eq!(running(&mut machine), rune_ir::digest(&good));
    assert_eq!(status(&mut machine).1, None);
}

fn manifest(name: &str, capabilities: Vec<Capability>) -> Manifest {
    Manifest {
        abi_version: rune_abi::ABI_VERSION,
        features: WasmFeatures(0),
        security_counter: 0,
        memory_bytes: 1 << 16,
        stack_bytes: 0,
        name: name.to_owned(),
        version: Version::default(),
        bases: vec![],
        capabilities,
        outputs: vec![],
        models: vec![],
        stages: vec![],
    }
}

#[test]
fn a_trial_that_fails_or_is_not_healthy_is_rolled_back() {
    let Some(firmware) = firmware("a_trial_that_fails_or_is_not_healthy_is_rolled_back") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    let (old, new) = (version(1), module("bare", 2, 1, "unreachable", ""));
    machine.install(&old).unwrap();
    machine.confirm("bare").unwrap();
    // It traps in each call, and is started three times.
    machine.install(&new).unwrap();
    for attempt in 1..=3 {
        loop {
            let unit = machine.look(0).unwrap();
            assert_eq!(unit.digest, rune_ir::digest(&new));
            if unit.doing == Doing::Running {
                assert_eq!(unit.starts, attempt);
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let trial = slot(&mut machine, &new).unwrap();
        assert_eq!(
            (trial.state, u32::from(trial.attempts)),
            (Phase::Trial, attempt)
        );
        machine.tell_rune(0, Run::Call).unwrap();
    }
    assert_eq!(running(&mut machine), rune_ir::digest(&old));
    assert_eq!(state(&mut machine, &new), Phase::Bad);
    let said = machine.console();
    let said = said
        .iter()
        .any(|line| line.contains("unreachable; its trial is over"));
    assert!(said, "{:?}", machine.console());

    // One that no call shows to be healthy is started at three starts of the board, and no more.
    let idle = version(3);
    machine.install(&idle).unwrap();
    for attempt in 2..=3 {
        drop(machine);
        machine = flash.boot(firmware);
        let trial = slot(&mut machine, &idle).unwrap();
        assert_eq!((trial.state, trial.attempts), (Phase::Trial, attempt));
        assert_eq!(machine.look(0).unwrap().digest, trial.digest);
    }
    drop(machine);
    machine = flash.boot(firmware);
    assert_eq!(state(&mut machine, &idle), Phase::Bad);
    assert_eq!(running(&mut machine), rune_ir::digest(&old));
    // A rune that cannot be translated is rolled back at once.
    let invalid = module("bare", 4, 1, "i64.const 1", "");
    let said = machine.install(&invalid).unwrap_err();
    assert!(said.contains("not a valid module"), "{said}");
    assert_eq!(state(&mut machine, &invalid), Phase::Bad);
    assert_eq!(running(&mut machine), rune_ir::digest(&old));
}

#[test]
fn a_trial_that_runs_well_has_all_tries_again() {
    let Some(firmware) = firmware("a_trial_that_runs_well_has_all_tries_again") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    let rune = version(1);
    machine.install(&rune).unwrap();
    drop(machine);
    let mut machine = flash.boot(firmware);
    assert_eq!(slot(&mut machine, &rune).unwrap().attempts, 2);
    machine.call(0, &[]).unwrap();
    assert_eq!(slot(&mut machine, &rune).unwrap().attempts, 2);
    for _ in 0..200 {
        if slot(&mut machine, &rune).unwrap().attempts == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let trial = slot(&mut machine, &rune).unwrap();
    assert_eq!((trial.state, trial.attempts), (Phase::Trial, 0));
}

#[test]
fn a_damaged_rune_is_refused_and_the_others_run() {
    let Some(firmware) = firmware("a_damaged_rune_is_refused_and_the_others_run") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    let (broken, whole) = (large(1), module("whole", 1, 1, "i32.const 1", ""));
    for (rune, name) in [(&broken, "bare"), (&whole, "whole")] {
        machine.install(rune).unwrap();
        machine.confirm(name).unwrap();
    }
    let place = slot(&mut machine, &broken).unwrap().slot;
    drop(machine);
    let mut chip = fs::read(&flash.0).unwrap();
    chip[usize::from(place) * SLOT + 20_000] ^= 0x20;
    fs::write(&flash.0, chip).unwrap();
    let mut machine = flash.boot(firmware);
    assert_eq!(running(&mut machine), rune_ir::digest(&whole));
    let said = "bare: its bytes are damaged".to_owned();
    assert!(machine.console().contains(&said));
    let tried = machine.try_out(&rune_ir::digest(&broken)).unwrap_err();
    assert!(tried.contains("another digest"), "{tried}");
    // It is there to be removed, and installed anew.
    machine.remove("bare").unwrap();
    machine.install(&broken).unwrap();
    // Records that no one can read: nothing is installed any more, and the board says so.
    drop(machine);
    let mut chip = fs::read(&flash.0).unwrap();
    chip[RECORDS].fill(0x55);
    fs::write(&flash.0, chip).unwrap();
    let mut machine = flash.boot(firmware);
    assert_eq!(states(&mut machine), []);
    let said = "no record on the flash is whole; it begins anew".to_owned();
    assert!(machine.console().contains(&said));
    machine.install(&whole).unwrap();
}

/// A rune that reads a byte, which is 1, or 0 to let it fail.
fn fed(name: &str) -> Vec<u8> {
    let capability = Capability {
        kind: CapabilityKind::Raw,
        name: "raw".to_owned(),
        ty: TensorType::new(ElementType::U8, &[Dim::Exact(1)]).unwrap(),
        params: vec![],
    };
    let read = "(drop (call $read (i32.const 0) (i32.const 64) (i32.const 1)))
                (i32.div_u (i32.const 1) (i32.load8_u (i32.const 64)))";
    written(&manifest(name, vec![capability]), 1, read, "")
}

#[test]
fn four_runes_run_at_once_each_on_its_schedule() {
    let Some(firmware) = firmware("four_runes_run_at_once_each_on_its_schedule") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    let named = |name| module(name, 1, 1, "i32.const 1", "");
    let timed = machine.install(&named("timed")).unwrap();
    let asked = machine.install(&named("asked")).unwrap();
    let first = machine.install(&fed("first")).unwrap();
    let second = machine.install(&fed("second")).unwrap();
    assert_eq!([timed, asked, first, second], [0, 1, 2, 3]);
    let full = machine.install(&named("fifth")).unwrap_err();
    assert_eq!(full, "all 4 places for runes are taken");
    let fifth = state(&mut machine, &named("fifth"));
    assert_eq!(fifth, Phase::Verified);

    for place in [first, second] {
        let input = Run::Schedule(When::Input);
        machine.tell_rune(place, input).unwrap();
    }
    let every = When::Every(40);
    machine.tell_rune(timed, Run::Schedule(every)).unwrap();
    assert_eq!(machine.look(timed).unwrap().when, every);
    machine.tell_rune(asked, Run::Call).unwrap();
    machine.tell_rune(asked, Run::Call).unwrap();
    // Each has its own input: one is fed what it fails by.
    machine.feed(first, &[vec![1]]).unwrap();
    machine.feed(second, &[vec![0]]).unwrap();
    let counts = |machine: &mut Machine| {
        [timed, asked, first, second].map(|place| {
            let unit = machine.look(place).unwrap();
            (unit.well, unit.failures[Failure::Arithmetic as usize])
        })
    };
    for _ in 0..500 {
        let [(times, 0), ..] = counts(&mut machine) else {
            panic!("the timed one does not fail");
        };
        if times >= 5 {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let [(times, _), rest @ ..] = counts(&mut machine);
    assert!(times >= 5);
    assert_eq!(rest, [(2, 0), (1, 0), (0, 1)]);
    let failed = machine.lines(second).unwrap_err();
    assert!(failed.contains("arithmetic"), "{failed}");
    assert_eq!(machine.lines(first), Ok(String::new()));

    // One that is stopped is called no more, and the others are.
    machine.tell_rune(timed, Run::Want(false)).unwrap();
    let [(stopped, _), ..] = counts(&mut machine);
    assert_eq!(machine.look(timed).unwrap().doing, Doing::Stopped);
    machine.feed(first, &[vec![1]]).unwrap();
    thread::sleep(Duration::from_millis(200));
    let [(times, _), (asks, _), (firsts, _), _] = counts(&mut machine);
    assert_eq!((times, asks, firsts), (stopped, 2, 2));
    machine.tell_rune(timed, Run::Want(true)).unwrap();
    thread::sleep(Duration::from_millis(500));
    assert!(counts(&mut machine)[0].0 > stopped);
    // All are there again after a start, and a place that becomes free is taken.
    drop(machine);
    let mut machine = flash.boot(firmware);
    let mut names: Vec<String> = (0..4).map(|p| machine.look(p).unwrap().name).collect();
    names.sort();
    assert_eq!(names, ["asked", "first", "second", "timed"]);
    machine.remove("asked").unwrap();
    machine.install(&named("fifth")).unwrap();
    assert_eq!(status(&mut machine).1, None);
}

/// Runs the well-behaved rune, beside whatever else runs, and compares what it writes.
fn behaves(machine: &mut Machine, place: u8, sample: &[Vec<u8>], expected: &str) {
    let before = machine.look(place).unwrap();
    let lines = machine.call(place, sample).unwrap();
    assert_eq!(lines, expected);
    let after = machine.look(place).unwrap();
    assert_eq!((after.well, after.starts), (before.well + 1, 1));
    assert_eq!(after.failures.iter().sum::<u32>(), 0);
}

/// What `rune run` writes in its first call, and the samples of that.
fn on_linux(bytes: &[u8], flag: &SourceFlag) -> (Vec<Vec<u8>>, String) {
    let rune = Rune::load(bytes.to_vec()).unwrap();
    let grant = || {
        rune.grant(std::slice::from_ref(flag), &Limits::default())
            .unwrap()
    };
    let capabilities = rune.manifest().capabilities.iter();
    let samples = capabilities
        .zip(grant().into_sources())
        .map(|(capability, mut source)| {
            let mut sample = vec![0; capability.ty.bytes() as usize];
            let deadline = std::time::Instant::now() + Duration::from_secs(9);
            source.read(&mut sample, deadline).unwrap();
            sample
        })
        .collect();
    let mut instance = rune.start(grant(), Box::new(|_, _| {})).unwrap();
    let Call::Output(records) = instance.call().unwrap() else {
        panic!("it writes in its first call");
    };
    let line = serial::line(rune.manifest(), records) + "\n";
    (samples, line)
}

/// Hostile runes that are confirmed end each with its cause, are started anew later and later, and do no harm to the
/// one beside them.
#[test]
fn hostile_runes_fail_alone_and_are_started_anew() {
    let Some(firmware) = firmware("hostile_runes_fail_alone_and_are_started_anew") else {
        return;
    };
    let boot = Boot {
        shift: 1,
        ..Boot::default()
    };
    let mut machine = Machine::boot(firmware, &boot).unwrap();
    let good = compiled("sine/raw.Runefile");
    let flag = SourceFlag {
        kind: CapabilityKind::Raw,
        value: super::root()
            .join("examples/sine/input.bin")
            .display()
            .to_string(),
    };
    let (sample, expected) = on_linux(&good, &flag);
    let place = machine.install(&good).unwrap();
    behaves(&mut machine, place, &sample, &expected);
    let grown = "(drop (memory.grow (i32.const 16)))
                 (i32.store (i32.const 131072) (i32.const 1)) i32.const 1";
    let hostile = [
        ("trap", "unreachable", Failure::Unreachable),
        ("memory", grown, Failure::MemoryBounds),
        ("stack", "(call $call)", Failure::StackOverflow),
        (
            "zero",
            "(i32.div_u (i32.const 1) (i32.const 0))",
            Failure::Arithmetic,
        ),
        ("fault", "i32.const -4", Failure::OutOfRange),
        ("loop", "(loop (br 0)) i32.const 0", Failure::Deadline),
    ];
    for three in hostile.chunks(3) {
        let mut places = vec![];
        for (name, body, failure) in three {
            let rune = module(name, 1, 1, body, "");
            let place = machine.install(&rune).unwrap();
            machine.confirm(name).unwrap();
            // A loop takes all the steps that a call may have: once is enough.
            let is_slow = *failure == Failure::Deadline;
            let run = if is_slow {
                Run::Call
            } else {
                Run::Schedule(When::Every(10))
            };
            machine.tell_rune(place, run).unwrap();
            places.push((place, *failure, if is_slow { 1 } else { 3 }));
        }
        for (other, failure, fails) in places {
            // It fails, and comes back, while the other one is called.
            let mut tries = 0..400;
            loop {
                behaves(&mut machine, place, &sample, &expected);
                let unit = machine.look(other).unwrap();
                let own = unit.failures[failure as usize];
                assert_eq!(own, unit.failures.iter().sum::<u32>(), "{unit:?}");
                assert_eq!(unit.well, 0, "{unit:?}");
                if own >= fails && unit.starts > 1 {
                    assert!(unit.starts <= own + 1 && !unit.error.is_empty(), "{unit:?}");
                    break;
                }
                assert!(tries.next().is_some(), "{unit:?}");
                thread::sleep(Duration::from_millis(50));
            }
        }
        for (name, ..) in three {
            machine.remove(name).unwrap();
        }
        behaves(&mut machine, place, &sample, &expected);
    }
    assert_eq!(status(&mut machine).1, None);
}
