//! The firmware of `boards/mps2-an500` on QEMU. Without QEMU or a compiler for it the tests say that they are skipped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "what was measured is for people")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "one thing is looked for among many"
)]

#[path = "qemu/cuts.rs"]
mod cuts;
#[path = "qemu/escapes.rs"]
mod escapes;
#[path = "qemu/hand.rs"]
mod hand;
#[path = "qemu/install.rs"]
mod install;
#[path = "qemu/memory.rs"]
mod memory;

use std::sync::OnceLock;

use rune_abi::CapabilityKind;
use rune_codegen::{Options, Simd};
use rune_link::{About, Crash, Frame, PROTOCOL, Reply, Request, Status};
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

fn about(machine: &mut Machine) -> (u16, u16, [u8; 2], u32, String) {
    let read = |reply: Reply<'_>| {
        let Reply::About(About {
            protocol,
            abi,
            slots,
            places,
            slot_bytes,
            board,
        }) = reply
        else {
            return None;
        };
        Some((protocol, abi, [slots, places], slot_bytes, board.to_owned()))
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

#[test]
fn a_board_boots_and_says_who_it_is() {
    let Some(firmware) = firmware("a_board_boots_and_says_who_it_is") else {
        return;
    };
    let mut machine = boot(firmware);
    let (protocol, abi, slots, slot_bytes, board) = about(&mut machine);
    assert_eq!((protocol, abi), (PROTOCOL, rune_abi::ABI_VERSION));
    assert_eq!((slots, board.as_str()), ([7, 4], "mps2-an500"));
    assert_eq!(slot_bytes, 2 << 20);
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
    for payload in [&[9, 200][..], &[9, 1, 99], &[9, 12, 99]] {
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
                assert!(text.contains("/fault.rs:"), "{text}");
            }
            Crash::Heap => {
                assert_eq!(found, Crash::Panic);
                assert!(
                    text.contains("the heap was full, 1073741824 bytes were asked for"),
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
            // Runes and all else go on, and yet nothing feeds the watchdog.
            Crash::Links => {
                assert_eq!(found, Crash::Watchdog);
                assert_eq!(text, "the watchdog was not fed");
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

#[test]
fn the_firmware_stays_within_its_bounds() {
    if firmware("the_firmware_stays_within_its_bounds").is_none() {
        return;
    }
    // As it ships: what tests ask of it is large.
    let firmware = &Firmware::build(&[]).unwrap();
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

/// An example, compiled without SIMD.
fn compiled(runefile: &str) -> Vec<u8> {
    let options = Options {
        simd: Simd::Off,
        ..Options::default()
    };
    let compiled = engines::compile(&root().join("examples").join(runefile), &options);
    compiled.output.unwrap().wasm
}

/// Runs an example on the board and on Linux, to the end of its input.
fn example(machine: &mut Machine, runefile: &str, flags: &[(CapabilityKind, &str)]) {
    first_calls(machine, runefile, flags, None);
}

/// The same with so many calls at most.
fn first_calls(
    machine: &mut Machine,
    runefile: &str,
    flags: &[(CapabilityKind, &str)],
    calls: Option<u64>,
) {
    let examples = root().join("examples");
    let bytes = compiled(runefile);
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
    let lines = same_lines(machine, &bytes, &bytes, &flags, calls);
    assert!(!lines.is_empty(), "{runefile}");
}

/// Runs a rune on Linux, and it or its image on the board, with so many calls at most: both give the same lines, which
/// are returned.
fn same_lines(
    machine: &mut Machine,
    rune: &[u8],
    installed: &[u8],
    flags: &[SourceFlag],
    calls: Option<u64>,
) -> String {
    let rune = Rune::load(rune.to_vec()).unwrap();
    let grant = rune.grant(flags, &Limits::default()).unwrap();
    let mut expected = String::new();
    let mut instance = rune.start(grant, Box::new(|_, _| {})).unwrap();
    for _ in 0..calls.unwrap_or(u64::MAX) {
        match instance.call().unwrap() {
            Call::Output(records) => expected += &(serial::line(rune.manifest(), records) + "\n"),
            Call::NoOutput => {}
            Call::End => break,
        }
        if instance.is_endless() {
            break;
        }
    }
    let name = &rune.manifest().name;
    let mut found = String::new();
    let inputs = rune.inputs(flags).unwrap();
    let ran = machine.run(installed, &rune, inputs, calls, |lines| found += lines);
    assert_eq!(ran, Ok(()), "{name}: {:?}", machine.console());
    assert_eq!(found, expected, "{name}");
    found
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
    // A call of it takes a second of an emulated board, so the first words must do.
    first_calls(
        &mut machine,
        "keyword/Runefile",
        &[(Sound, "keyword/words.wav")],
        Some(20),
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
    println!(
        "heap {} bytes at most, stack {}",
        last.heap_most_bytes, last.stack_most_bytes
    );
    assert_eq!(last.heap_bytes, first);
    assert_eq!(
        (last.lost_bytes, last.broken_frames, last.lost_text_bytes),
        (0, 0, 0)
    );
    assert_eq!(reason, None);
}
