//! The firmware of `boards/mps2-an500` on QEMU. Without QEMU or a compiler for it the tests say that they are skipped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{env, fs, path::PathBuf, process, sync::OnceLock};

use rune_abi::{CapabilityKind, Manifest, Version, WasmFeatures};
use rune_codegen::{Options, Simd};
use rune_link::{About, Crash, DATA_BYTES, Frame, PROTOCOL, Reply, Request, Status};
use rune_runtime::{Call, Limits, Rune, SourceFlag, serial};
use rune_testsuite::{
    engines,
    qemu::{Boot, Firmware, Machine, Sizes, missing},
    random::Random,
    root, skip,
};

/// The firmware that can be asked to fail; `None` where there is nothing to build or run it with.
fn firmware(test: &str) -> Option<&'static Firmware> {
    static FIRMWARE: OnceLock<Firmware> = OnceLock::new();
    if let Some(why) = missing() {
        skip(test, &why);
        return None;
    }
    Some(FIRMWARE.get_or_init(|| Firmware::build(&["crash"]).unwrap()))
}

/// A board whose time goes fast, so that nobody waits for its watchdog.
fn boot(firmware: &Firmware) -> Machine {
    let boot = Boot {
        shift: 6,
        ..Boot::default()
    };
    Machine::boot(firmware, &boot).unwrap()
}

fn about(machine: &mut Machine) -> (u16, u16, u8, u32, String) {
    let read = |reply: Reply<'_>| {
        let Reply::About(About {
            protocol,
            abi,
            slots,
            slot_bytes,
            board,
        }) = reply
        else {
            return None;
        };
        Some((protocol, abi, slots, slot_bytes, board.to_owned()))
    };
    machine.ask(&Request::About, read).unwrap()
}

/// The status, and the reason as crash, instruction, address and text.
fn status(machine: &mut Machine) -> (Status<'static>, Option<(Crash, u32, u32, String)>) {
    let read = |reply: Reply<'_>| {
        let Reply::Status(status) = reply else {
            return None;
        };
        Some((
            Status {
                reason: None,
                ..status
            },
            status
                .reason
                .map(|r| (r.crash, r.pc, r.address, r.text.to_owned())),
        ))
    };
    machine.ask(&Request::Status, read).unwrap()
}

/// Length and digest of the rune in a slot.
fn slot(machine: &mut Machine, slot: u8) -> Result<(u32, [u8; 32]), String> {
    machine.ask(&Request::Slot { slot }, |reply| {
        let Reply::Slot { bytes, digest } = reply else {
            return None;
        };
        Some((bytes, digest))
    })
}

#[test]
fn a_board_boots_and_says_who_it_is() {
    let Some(firmware) = firmware("a_board_boots_and_says_who_it_is") else {
        return;
    };
    let mut machine = boot(firmware);
    let (protocol, abi, slots, slot_bytes, board) = about(&mut machine);
    assert_eq!((protocol, abi), (PROTOCOL, rune_abi::ABI_VERSION));
    assert_eq!((slots, board.as_str()), (8, "mps2-an500"));
    assert_eq!(slot_bytes, (2 << 20) - 4096);
    let (first, reason) = status(&mut machine);
    assert_eq!(reason, None);
    assert!(first.heap_most_bytes >= first.heap_bytes && first.heap_all_bytes > 3 << 20);
    assert!(first.stack_most_bytes > 0 && first.stack_most_bytes < first.stack_all_bytes);
    assert_eq!((first.lost_bytes, first.broken_frames), (0, 0));
    let (second, _) = status(&mut machine);
    assert!(second.time_ns > first.time_ns);
}

#[test]
fn garbage_and_broken_frames_are_survived() {
    let Some(firmware) = firmware("garbage_and_broken_frames_are_survived") else {
        return;
    };
    let mut machine = boot(firmware);
    let mut random = Random::new(7);
    let garbage = random.bytes(1000);
    machine.send(&garbage).unwrap();
    about(&mut machine);
    let (after_garbage, _) = status(&mut machine);
    assert!(after_garbage.broken_frames > 0);
    // A request of which every byte was changed in turn, one cut short, and one that is too long.
    let whole = Frame::new(&[1, 0]);
    let bytes = whole.as_bytes();
    let mut broken = 1;
    for place in 1..bytes.len() - 1 {
        let mut changed = bytes.to_vec();
        changed[place] ^= 0x10;
        machine.send(&changed).unwrap();
        broken += 1;
    }
    machine.send(&bytes[..3]).unwrap();
    machine.send(&vec![5; 5000]).unwrap();
    machine.send(&[0]).unwrap();
    about(&mut machine);
    let (after, reason) = status(&mut machine);
    assert_eq!(after.broken_frames - after_garbage.broken_frames, broken);
    assert_eq!(reason, None);
    // Payloads that are whole and mean nothing are refused, those with a number by it.
    for payload in [&[9, 200][..], &[9, 1, 2], &[9, 12, 99]] {
        machine.send(Frame::new(payload).as_bytes()).unwrap();
    }
    about(&mut machine);
    let (last, _) = status(&mut machine);
    assert_eq!(last.broken_frames, after.broken_frames);
}

#[test]
fn every_failure_starts_the_board_anew_and_its_reason_is_kept() {
    let Some(firmware) = firmware("every_failure_starts_the_board_anew_and_its_reason_is_kept")
    else {
        return;
    };
    let mut machine = boot(firmware);
    for (starts, crash) in (2..).zip(Crash::ALL) {
        machine.tell(&Request::Crash(crash)).unwrap();
        machine.wait_for_start(starts).unwrap();
        let (status, reason) = status(&mut machine);
        let (found, pc, address, text) = reason.unwrap_or_else(|| panic!("no reason: {crash:?}"));
        assert_eq!(status.broken_frames, 0, "it began anew");
        let at_an_instruction = (0x400..4 << 20).contains(&pc);
        match crash {
            Crash::Panic => {
                assert_eq!(found, Crash::Panic);
                assert!(
                    text.contains("a panic was asked for") && text.contains("fault.rs:"),
                    "{text}"
                );
            }
            Crash::Heap => {
                assert_eq!(found, Crash::Panic);
                assert!(
                    text.contains("memory allocation of 1073741824 bytes"),
                    "{text}"
                );
            }
            Crash::Stack => {
                assert!([Crash::MemManage, Crash::HardFault].contains(&found));
                assert_eq!(text, "the stack ran into its end");
            }
            Crash::MemManage => {
                assert_eq!((found, address), (crash, 0));
                assert!(at_an_instruction);
                assert_eq!(text, "null was accessed");
            }
            Crash::BusFault => {
                assert_eq!((found, address), (crash, 0x9000_0000));
                assert!(at_an_instruction);
            }
            Crash::HardFault | Crash::UsageFault | Crash::Watchdog => {
                assert_eq!(found, crash);
                assert!(at_an_instruction);
            }
        }
        let said = machine.console();
        let said = said
            .iter()
            .rev()
            .find(|line| line.starts_with("the run before"));
        assert!(said.unwrap().contains(found.name()), "{said:?}");
    }
    // The reason of a run that did not fail is none.
    machine.tell(&Request::Reset).unwrap();
    machine.wait_for_start(Crash::ALL.len() + 2).unwrap();
    assert_eq!(status(&mut machine).1, None);
}

/// A file that goes with the value.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[test]
fn slots_outlive_the_board() {
    let Some(firmware) = firmware("slots_outlive_the_board") else {
        return;
    };
    let file = Scratch(env::temp_dir().join(format!("rune-flash-{}", process::id())));
    let boot = Boot {
        flash: Some(&file.0),
        ..Boot::default()
    };
    let mut random = Random::new(3);
    let rune = random.bytes(10_000);
    let whole = (rune.len() as u32, rune_ir::digest(&rune));
    let mut machine = Machine::boot(firmware, &boot).unwrap();
    assert!(slot(&mut machine, 3).is_err());
    machine.load(3, &rune).unwrap();
    assert_eq!(slot(&mut machine, 3), Ok(whole));
    // One that is written and not sealed.
    let (bytes, data) = (1000, &rune[..1000]);
    machine.request(&Request::Erase { slot: 4, bytes }).unwrap();
    let part = Request::Write {
        slot: 4,
        offset: 0,
        data,
    };
    machine.request(&part).unwrap();
    drop(machine);

    let at = |slot: usize| slot * (2 << 20);
    let chip = fs::read(&file.0).unwrap();
    assert_eq!(chip.len(), 16 << 20);
    assert_eq!(chip[at(3) + 4096..][..rune.len()], rune);
    // What was erased and not written, up to the end of the sector.
    assert!(
        chip[at(3) + 4096 + rune.len()..at(3) + 4 * 4096]
            .iter()
            .all(|b| *b == 0xFF)
    );
    assert_eq!(chip[at(4) + 4096..][..data.len()], *data);

    let mut machine = Machine::boot(firmware, &boot).unwrap();
    assert_eq!(slot(&mut machine, 3), Ok(whole));
    assert!(slot(&mut machine, 4).is_err());
    let digest = rune_ir::digest(data);
    machine
        .request(&Request::Seal {
            slot: 4,
            bytes,
            digest,
        })
        .unwrap();
    assert_eq!(slot(&mut machine, 4), Ok((bytes, digest)));
    // Flash that was not erased keeps the bits that were cleared, and the digest shows it.
    let inverse: Vec<u8> = data.iter().map(|b| !b).collect();
    machine
        .request(&Request::Write {
            slot: 4,
            offset: 0,
            data: &inverse,
        })
        .unwrap();
    assert!(slot(&mut machine, 4).is_err());
    drop(machine);
    let chip = fs::read(&file.0).unwrap();
    assert!(chip[at(4) + 4096..][..data.len()].iter().all(|b| *b == 0));
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(firmware) = firmware("what_does_not_fit_is_refused") else {
        return;
    };
    let mut machine = boot(firmware);
    let most = (2 << 20) - 4096;
    let data = &[0; DATA_BYTES][..];
    let refused = [
        Request::Erase { slot: 8, bytes: 1 },
        Request::Erase {
            slot: 0,
            bytes: most + 1,
        },
        Request::Erase {
            slot: 0,
            bytes: u32::MAX,
        },
        Request::Write {
            slot: 255,
            offset: 0,
            data,
        },
        Request::Write {
            slot: 0,
            offset: most - 100,
            data,
        },
        Request::Write {
            slot: 0,
            offset: u32::MAX,
            data,
        },
        Request::Seal {
            slot: 0,
            bytes: u32::MAX,
            digest: [0; 32],
        },
        Request::Seal {
            slot: 0,
            bytes: 10,
            digest: [0; 32],
        },
        Request::Call,
        Request::Start { slot: 0 },
        Request::Start { slot: 99 },
        Request::Feed {
            capability: 0,
            offset: 0,
            data,
        },
    ];
    for request in refused {
        let reply = machine.request(&request);
        assert!(
            reply.is_err_and(|why| !why.contains("reply")),
            "{request:?}"
        );
    }
    machine.load(7, &[]).unwrap();
    assert_eq!(slot(&mut machine, 7), Ok((0, rune_ir::digest(&[]))));
    assert_eq!(status(&mut machine).1, None);
}

#[test]
fn the_firmware_stays_within_its_bounds() {
    let Some(firmware) = firmware("the_firmware_stays_within_its_bounds") else {
        return;
    };
    let sizes = firmware.sizes().unwrap();
    let mut machine = boot(firmware);
    let (status, _) = status(&mut machine);
    assert_eq!(sizes.check(false), Ok(()));
    let ram = sizes.ram() + u64::from(status.heap_most_bytes + status.stack_all_bytes);
    assert!(ram <= 128 << 10, "{ram}");
    assert!(
        Sizes {
            text: 1 << 20,
            ..sizes
        }
        .check(false)
        .is_err()
    );
}

/// Runs an example on the board and on Linux.
fn example(machine: &mut Machine, runefile: &str, flags: &[(CapabilityKind, &str)]) {
    let examples = root().join("examples");
    let options = Options {
        simd: Simd::Off,
        ..Options::default()
    };
    let compiled = engines::compile(&examples.join(runefile), &options);
    let bytes = compiled.output.unwrap().wasm;
    let rune = Rune::load(bytes.clone()).unwrap();
    let flags: Vec<SourceFlag> = flags
        .iter()
        .map(|(kind, value)| SourceFlag {
            kind: *kind,
            value: if *kind == CapabilityKind::Rand {
                (*value).to_owned()
            } else {
                examples.join(value).display().to_string()
            },
        })
        .collect();
    let grant = || rune.grant(&flags, &Limits::default()).unwrap();
    let mut expected = String::new();
    let mut instance = rune.start(grant(), Box::new(|_, _| {})).unwrap();
    loop {
        match instance.call().unwrap() {
            Call::Output(records) => expected += &(serial::line(rune.manifest(), records) + "\n"),
            Call::NoOutput => {}
            Call::End => break,
        }
        if instance.is_endless() {
            break;
        }
    }
    let mut found = String::new();
    let sources = grant().into_sources();
    let ran = machine.run(&bytes, &rune, sources, None, |lines| found += lines);
    assert_eq!(ran, Ok(()), "{runefile}: {:?}", machine.console());
    assert!(!expected.is_empty());
    assert_eq!(found, expected, "{runefile}");
}

/// A rune without inputs and outputs, with this body of its call and so many pages of memory.
fn bare(body: &str, pages: u32) -> Vec<u8> {
    let manifest = Manifest {
        abi_version: rune_abi::ABI_VERSION,
        features: WasmFeatures(0),
        security_counter: 0,
        memory_bytes: pages << 16,
        stack_bytes: 0,
        name: "bare".to_owned(),
        version: Version::default(),
        bases: vec![],
        capabilities: vec![],
        outputs: vec![],
        models: vec![],
        stages: vec![],
    };
    let bytes = manifest.to_bytes().unwrap();
    let quoted = bytes
        .iter()
        .fold(String::new(), |text, b| text + &format!("\\{b:02x}"));
    let text = format!(
        r#"(module (memory (export "memory") {pages} {pages})
          (data (i32.const 1024) "{quoted}")
          (@custom "rune.manifest" "{quoted}")
          (func (export "_manifest") (result i32) i32.const 1024)
          (func (export "_call") (result i32) {body}))"#
    );
    wat::parse_str(text).unwrap()
}

/// Runes that are none, need too much, trap, or never end: each is refused or stopped, with its reason, and the board
/// goes on.
#[test]
fn hostile_runes_are_stopped_and_the_board_goes_on() {
    let Some(firmware) = firmware("hostile_runes_are_stopped_and_the_board_goes_on") else {
        return;
    };
    let boot = Boot {
        shift: 1,
        ..Boot::default()
    };
    let mut machine = Machine::boot(firmware, &boot).unwrap();
    let whole = bare("i32.const 0", 1);
    let refused = [
        (b"no rune".to_vec(), "module"),
        (whole[..whole.len() / 2].to_vec(), "module"),
        (bare("i32.const 0", 200), "13107200 bytes of memory"),
    ];
    for (rune, why) in refused {
        machine.load(1, &rune).unwrap();
        let started = machine.request(&Request::Start { slot: 1 }).unwrap_err();
        assert!(started.contains(why), "{started}");
        assert_eq!(
            machine.request(&Request::Call),
            Err("no rune runs".to_owned())
        );
    }
    let stopped = [
        ("unreachable", "unreachable"),
        ("(loop (br 0)) i32.const 0", "took too long"),
        ("(drop (i32.load (i32.const 65536))) i32.const 0", "memory"),
        ("i32.const -4", "an index is out of range"),
    ];
    for (body, why) in stopped {
        machine.load(1, &bare(body, 1)).unwrap();
        machine.request(&Request::Start { slot: 1 }).unwrap();
        let called = machine.call(&[]).unwrap_err();
        assert!(called.contains(why), "{body}: {called}");
        machine.request(&Request::Stop).unwrap();
    }
    machine.load(1, &whole).unwrap();
    machine.request(&Request::Start { slot: 1 }).unwrap();
    assert_eq!(machine.call(&[]), Ok(String::new()));
    assert_eq!(status(&mut machine).1, None);
}

/// The same bytes as on Linux, one rune after the other on the same board.
#[test]
fn examples_give_the_lines_of_linux() {
    use CapabilityKind::{Accel, Image, Rand, Raw, Sound};
    let Some(firmware) = firmware("examples_give_the_lines_of_linux") else {
        return;
    };
    let boot = Boot {
        shift: 1,
        ..Boot::default()
    };
    let mut machine = Machine::boot(firmware, &boot).unwrap();
    example(&mut machine, "sine/Runefile", &[(Rand, "0")]);
    example(
        &mut machine,
        "sine/raw.Runefile",
        &[(Raw, "sine/input.bin")],
    );
    example(
        &mut machine,
        "sine/int8.Runefile",
        &[(Raw, "sine/input.bin")],
    );
    for input in ["ring", "wing", "slope", "unknown"] {
        let file = format!("gesture/{input}.csv");
        example(&mut machine, "gesture/Runefile", &[(Accel, &file)]);
    }
    let first = status(&mut machine).0.heap_bytes;
    for input in ["0", "3", "7", "7-large", "9"] {
        let file = format!("digits/{input}.png");
        example(&mut machine, "digits/Runefile", &[(Image, &file)]);
    }
    example(
        &mut machine,
        "keyword/Runefile",
        &[(Sound, "keyword/words.wav")],
    );
    example(
        &mut machine,
        "paper/Runefile",
        &[(Sound, "paper/input.wav")],
    );
    // What runes took of the heap has come back.
    example(
        &mut machine,
        "gesture/Runefile",
        &[(Accel, "gesture/ring.csv")],
    );
    let (last, reason) = status(&mut machine);
    assert_eq!(last.heap_bytes, first);
    assert_eq!(
        (last.lost_bytes, last.broken_frames, last.lost_text_bytes),
        (0, 0, 0)
    );
    assert_eq!(reason, None);
}
