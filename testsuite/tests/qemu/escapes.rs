//! Images that try to get out: each is installed and called beside a well-behaved one, and what no image may change is
//! compared before and after it. That something faulted is not what counts.

use std::fs;

use rune_abi::{
    Import,
    image::{Containment, FirstRead, LAST_ADDRESS_BITS, service},
};
use rune_install::Phase;
use rune_link::{Reply, Request, Run};
use rune_saga::Failure;
use rune_testsuite::qemu::Machine;

use super::{
    hand::{BLOCK, Hand, sign},
    install::{Flash, SLOT, firmware_for_images, slot},
    status,
};

/// What comes of a try.
enum Then {
    /// It is stopped, and that is counted as this.
    Killed(Failure),
    /// Nothing: the processor leaves it out, or it is allowed.
    Nothing,
}

use Then::{Killed, Nothing};

const MEMORY: Then = Killed(Failure::MemoryBounds);
const STACK: Then = Killed(Failure::StackOverflow);
const OTHER: Then = Killed(Failure::OtherTrap);

/// Every register but those for arguments is empty when an image begins and when its host has answered: adds up all bits
/// that are not, in `r1`.
const EMPTY: &str = "
    .irp r, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12
    orr r1, \\r
    .endr
    .irp s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmov r2, r3, d\\s
    orr r1, r2
    orr r1, r3
    .endr
    vmrs r2, fpscr
    orr r1, r2";

/// Reads a word, and writes three times it and one, whether a register was not empty, and where its block is.
fn witness() -> Hand {
    let (read, write) = (service::of(Import::Read), service::of(Import::Write));
    let call = format!(
        "
        mov r1, #0
        {EMPTY}
        push {{r0, r1}}
        movs r0, #0
        movs r1, #0x40
        movs r2, #4
        svc #{read}
        subs r0, #4
        orr r1, r0
        {EMPTY}
        pop {{r4, r5}}
        orr r5, r1
        ldr r1, [r4, #0x40]
        add r1, r1, r1, lsl #1
        adds r1, #1
        str r1, [r4, #0x80]
        str r5, [r4, #0x84]
        str r4, [r4, #0x88]
        movs r0, #0x80
        movs r1, #12
        movs r2, #1
        movs r3, #3
        add r5, r4, #0xC0
        stm r5, {{r0, r1, r2, r3}}
        movs r0, #0
        movs r1, #0xC0
        svc #{write}
        movs r0, #0
        svc #0"
    );
    Hand {
        reads: 4,
        writes: 3,
        ..Hand::new("witness", &call)
    }
}

/// Calls the witness; gives where its block is.
fn witnessed(machine: &mut Machine, place: u8, number: u32) -> u32 {
    let lines = machine
        .call(place, &[number.to_le_bytes().to_vec()])
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
    let elements = &line["serial"][0]["elements"];
    let word = |index: usize| elements[index].as_u64().unwrap() as u32;
    assert_eq!(word(0), number * 3 + 1, "{lines}");
    assert_eq!(word(1), 0, "a register was not empty: {lines}");
    let unit = machine.look(place).unwrap();
    assert_eq!((unit.starts, unit.failures.iter().sum::<u32>()), (1, 0));
    word(2)
}

/// What no rune may change, as the board has it.
fn sums(machine: &mut Machine) -> Vec<u8> {
    let read = |reply: Reply<'_>| match reply {
        Reply::Text(sums) => Some(sums.to_vec()),
        _ => None,
    };
    machine.ask(&Request::Sums, read).unwrap()
}

/// Addresses that tries are made on.
struct Places {
    /// Of the block of the witness, and of its image.
    other: u32,
    other_image: u32,
    gate: u32,
    enter: u32,
}

/// A try: what it is, its code, and what comes of it. In `r0` is the address of its block.
fn tries(places: &Places) -> Vec<(&'static str, String, Then)> {
    let Places {
        other,
        other_image,
        gate,
        enter,
    } = places;
    let read = |address: u32| format!("ldr r1, ={address:#x}\nldr r2, [r1]");
    let write = |address: u32| format!("ldr r1, ={address:#x}\nldr r2, =0x5AFE5AFE\nstr r2, [r1]");
    let set = |address: u32, word: u32| {
        format!("ldr r1, ={address:#x}\nldr r2, ={word:#x}\nstr r2, [r1]")
    };
    let to = |address: u32| format!("ldr r1, ={:#x}\nbx r1", address | 1);
    let own = "mov r1, pc\nbic r1, #3".to_owned();
    let outside = format!(
        "{own}\n1: subs r1, #32\nldr r2, [r1]\nldr r3, =0xDF00DF00\ncmp r2, r3\nbne 1b\nadds r1, #1\nbx r1"
    );
    vec![
        ("read the runtime's stack", read(0x2000_FF00), MEMORY),
        ("write the end of the runtime's stack", write(0x2000_0010), MEMORY),
        ("write the runtime's stack", write(0x2000_FF00), MEMORY),
        ("read variables of the runtime", read(0x2001_0000), MEMORY),
        ("write the stack of faults", write(0x203F_FF00), MEMORY),
        ("write the heap behind its block", format!("add r0, #{BLOCK}\nadd r0, #8192\nstr r0, [r0]"), MEMORY),
        ("read the runtime's code", read(0x400), MEMORY),
        ("write the runtime's code", write(0x1000), MEMORY),
        ("read the vectors", read(0), MEMORY),
        ("write the vectors", write(0x38), MEMORY),
        ("write a serial port", set(0x4000_5008, 0), MEMORY),
        ("read a timer", read(0x4000_0004), MEMORY),
        ("stop the watchdog", format!("{}\n{}", set(0x4000_8C00, 0x1ACC_E551), set(0x4000_8008, 0)), MEMORY),
        ("read another image's memory", read(*other), MEMORY),
        ("write another image's memory", write(other + 0x40), MEMORY),
        ("read another image", read(*other_image), MEMORY),
        ("write another image", write(other_image + 0x200), MEMORY),
        ("write the records of what is installed", write(0x60E0_0000), MEMORY),
        ("read bytes as if it were privileged", format!("ldr r1, ={:#x}\nldrbt r2, [r1]", 0x2000_FF00), MEMORY),
        ("load many across the end of its block", format!("ldr r1, ={BLOCK}\nadd r1, r0\nsubs r1, #8\nldm r1, {{r2-r12}}\nadd r1, #512\nldm r1, {{r2-r12}}"), MEMORY),
        ("switch the protection unit off", set(0xE000_ED94, 0), MEMORY),
        ("give itself a region", format!("{}\n{}", set(0xE000_ED9C, 0x2000_0017), set(0xE000_EDA0, 0x0300_003F)), MEMORY),
        ("move the vectors", set(0xE000_ED08, 0x2002_0000), MEMORY),
        ("reset the board", set(0xE000_ED0C, 0x05FA_0004), MEMORY),
        ("let no fault through", set(0xE000_ED24, 0), MEMORY),
        ("stop the clock of deadlines", set(0xE000_E010, 0), MEMORY),
        ("mask an interrupt", set(0xE000_E180, !0), MEMORY),
        ("pend an exception", set(0xE000_ED04, 1 << 28), MEMORY),
        ("pend an interrupt", set(0xE000_EF00, 2), MEMORY),
        ("become privileged", format!("movs r1, #0\nmsr control, r1\nisb\n{}", read(0x2000_FF00)), MEMORY),
        ("mask everything", "movs r1, #0xFF\nmsr basepri, r1\nmsr primask, r1\nmsr faultmask, r1\ncpsid i\ncpsid f".to_owned(), Nothing),
        ("move the main stack", "movs r1, #0\nmsr msp, r1\nmsr psp, r1".to_owned(), Nothing),
        ("look at the state of the processor", "mrs r1, msp\nmrs r2, psp\nmrs r3, ipsr\nmrs r4, control\norrs r1, r2\norrs r1, r3\nldr r2, =0\nstr r1, [r0]".to_owned(), Nothing),
        ("ask from the runtime's stack", "ldr r1, =0x2000FF00\nmov sp, r1\nmovs r0, #0\nsvc #0".to_owned(), STACK),
        ("ask from a peripheral's stack", "ldr r1, =0x40004100\nmov sp, r1\nmovs r0, #0\nsvc #0".to_owned(), STACK),
        ("ask from another image's stack", format!("ldr r1, ={:#x}\nmov sp, r1\nmovs r0, #0\nsvc #0", other - 64), STACK),
        ("ask from a stack that is not aligned", "sub sp, #4\nmovs r1, #7\nstr r1, [r0]\nmovs r0, #1\nsvc #0".to_owned(), Nothing),
        // Eight words fit below it, and what is pushed of floating point does not.
        ("ask with registers pushed behind its block", format!("vmov s0, r0\nvadd.f32 s1, s0, s0\nldr r1, ={BLOCK}\nadd r1, r0\nadd r1, #8192\nmov sp, r1\nmovs r0, #0\nsvc #0"), STACK),
        ("wait on the runtime's stack for an interrupt", "ldr r1, =0x2000FF00\nmov sp, r1\n1: b 1b".to_owned(), STACK),
        ("divide nothing on the runtime's stack", "ldr r1, =0x2000FF00\nmov sp, r1\nudf #0".to_owned(), STACK),
        ("stop in a debugger on the runtime's stack", "ldr r1, =0x2000FF00\nmov sp, r1\nbkpt #0".to_owned(), STACK),
        ("use up its stack", "1: push {r0-r7}\nb 1b".to_owned(), STACK),
        ("call itself", "b 2f\n1: push {r4, lr}\nbl 1b\npop {r4, pc}\n2: bl 1b".to_owned(), STACK),
        ("leap over the end of its stack", "sub sp, #2048\nstr r0, [sp]".to_owned(), STACK),
        ("run its data", "ldr r1, =0x4770\nstrh r1, [r0, #64]\nadds r0, #65\nblx r0".to_owned(), MEMORY),
        ("run its stack", "ldr r1, =0x47704770\npush {r1}\nmov r1, sp\nadds r1, #1\nblx r1".to_owned(), MEMORY),
        ("run the runtime's code", to(*enter), MEMORY),
        ("run another image", to(other_image + 0x200), MEMORY),
        ("run a peripheral", to(0x4000_4000), MEMORY),
        ("run the gate", format!("movs r1, #0\nmov r12, r1\nadr r1, 1f\nadds r1, #1\nmov lr, r1\n{}\n.p2align 2\n1: ldr r1, =0x2000FF00\nldr r2, [r1]", to(*gate).replace("r1", "r2")), MEMORY),
        ("return from an exception there is none of", "ldr r1, =0xFFFFFFF9\nbx r1".to_owned(), MEMORY),
        ("return to a handler", "ldr r1, =0xFFFFFFF1\nbx r1".to_owned(), MEMORY),
        ("leave Thumb", "adr r1, 1f\nbx r1\n.p2align 2\n1: nop".to_owned(), OTHER),
        ("ask for a service there is none of", "svc #2".to_owned(), OTHER),
        ("ask for one beyond the last", "svc #255".to_owned(), OTHER),
        ("ask for what its header does not name", format!("svc #{}", service::of(Import::Mark)), OTHER),
        ("ask in a conditional block", "cmp r0, r0\nitt eq\nsvceq #2\nmoveq r0, #1".to_owned(), OTHER),
        // The constants are in front of the code. They may be run where regions are coarse, and ask for nothing.
        ("ask from outside of its code", outside.clone(), MEMORY),
        ("ask from outside of its code, where that can be run", format!("{outside}\n.ltorg\n.space 70000"), OTHER),
        ("log what is not its own", format!("movs r0, #1\nldr r1, =0xFFFFFFF0\nmovs r2, #64\nsvc #{}", service::of(Import::Log)), Killed(Failure::Contract)),
        ("log from the end of memory", format!("movs r0, #1\nldr r1, ={}\nmovs r2, #64\nsvc #{}", BLOCK - 8, service::of(Import::Log)), Killed(Failure::Contract)),
        ("say that it trapped, with a number there is none of", "movs r0, #77\nsvc #1".to_owned(), OTHER),
        ("say that it trapped", "movs r0, #1\nsvc #1".to_owned(), Killed(Failure::Unreachable)),
        ("load two words that are not aligned", "adds r0, #2\nldrd r2, r3, [r0]".to_owned(), OTHER),
        ("stop in a debugger", "bkpt #0".to_owned(), OTHER),
        ("be undefined", "udf #1".to_owned(), OTHER),
        ("divide by zero", "movs r2, #0\nmovs r3, #7\nudiv r3, r3, r2\nsdiv r3, r3, r2\nstr r3, [r0]".to_owned(), Nothing),
        ("use a coprocessor there is none of", "mcr p1, #0, r0, c0, c0, #0".to_owned(), OTHER),
        ("leave its floating point behind a fault", "vmov s0, r0\nvadd.f32 s31, s0, s0\nvmov d8, r0, r0\nldr r1, =0x00C00000\nvmsr fpscr, r1\nudf #0".to_owned(), OTHER),
        ("leave all registers behind", format!("mvn r1, #0\n.irp s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\nvmov d\\s, r1, r1\n.endr\n.irp r, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12\nmvn r\\r, #0\n.endr\nmovs r0, #1\nldr r1, =0\nmovs r2, #0\nsvc #{}", service::of(Import::Log)), Nothing),
        ("write its code", format!("{own}\nstr r1, [r1]"), MEMORY),
        ("write its constants", format!("{own}\nsubs r1, #64\nstr r1, [r1]"), MEMORY),
        ("lock a word of the runtime", "ldr r1, =0x2000FF00\nldrex r2, [r1]\nstrex r3, r2, [r1]".to_owned(), MEMORY),
        ("leave a lock behind", "ldrex r2, [r0]\nmovs r3, #9".to_owned(), Nothing),
        ("sleep for ever", "1: wfi\nb 1b".to_owned(), Killed(Failure::Deadline)),
        ("wait for ever",
            // QEMU takes long for each.
            "1: wfe\nsev\nldr r1, =100000\n2: subs r1, #1\nbne 2b\nb 1b".to_owned(), Killed(Failure::Deadline)),
        ("go on for ever", "1: b 1b".to_owned(), Killed(Failure::Deadline)),
    ]
}

#[test]
fn no_image_gets_out() {
    let Some(firmware) = firmware_for_images("no_image_gets_out") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    let good = witness().signed();
    let place = machine.install(&good).unwrap();
    machine.confirm("witness").unwrap();
    let at = usize::from(slot(&mut machine, &good).unwrap().slot) * SLOT;
    let places = Places {
        other: witnessed(&mut machine, place, 5),
        other_image: 0x6000_0000 + at as u32,
        gate: firmware.symbol("rune_gate").unwrap(),
        enter: firmware.symbol("rune_enter").unwrap(),
    };
    let tries = tries(&places);
    assert!(tries.len() >= 30);
    for (number, (what, code, then)) in (0u32..).zip(&tries) {
        let image = Hand {
            constants: [0x00, 0xDF].repeat(16).try_into().unwrap(),
            ..Hand::new("escape", &format!("{code}\nmovs r0, #1\nsvc #0"))
        };
        let image = image.signed();
        let before = sums(&mut machine);
        let other = machine
            .install(&image)
            .unwrap_or_else(|why| panic!("{what}: {why}"));
        machine.tell_rune(other, Run::Call).unwrap();
        let unit = machine
            .look(other)
            .unwrap_or_else(|why| panic!("{what}: {why}"));
        let failed: u32 = unit.failures.iter().sum();
        match then {
            Nothing => assert_eq!((unit.well, failed), (1, 0), "{what}: {unit:?}"),
            Killed(failure) => {
                let own = unit.failures[*failure as usize];
                assert_eq!((unit.well, failed, own), (0, 1, 1), "{what}: {unit:?}");
            }
        }
        assert_eq!(
            sums(&mut machine),
            before,
            "{what}: processor, chip, code, memory"
        );
        // The other one goes on, where it was, and none of its bytes is another.
        let where_it_is = witnessed(&mut machine, place, number);
        assert_eq!(where_it_is, places.other, "{what}");
        let chip = fs::read(&flash.0).unwrap();
        assert_eq!(chip[at..at + good.len()], good, "{what}");
        let own = usize::from(slot(&mut machine, &image).unwrap().slot) * SLOT;
        assert_eq!(chip[own..own + image.len()], image, "{what}");
        machine.remove("escape").unwrap();
    }
    let (after, reason) = status(&mut machine);
    assert_eq!(reason, None);
    assert_eq!((after.lost_bytes, after.broken_frames), (0, 0));
    // It was never started anew.
    let starts = machine.console();
    assert_eq!(starts.iter().filter(|line| *line == "ready").count(), 1);
    println!("{} tries, and the witness is where it was", tries.len());
}

/// What is read before a call and written after it, in place of two calls of the host, is looked at as those are.
#[test]
fn the_ends_of_a_call_are_no_way_out() {
    let Some(firmware) = firmware_for_images("the_ends_of_a_call_are_no_way_out") else {
        return;
    };
    let mut machine = Flash::new().boot(firmware);
    let place = machine.install(&witness().signed()).unwrap();
    let other = witnessed(&mut machine, place, 3);
    let record = "movs r1, #0x40\nmovs r2, #12\nmovs r3, #1\nmovs r4, #3\nadd r5, r0, #0xC0\nstm r5, {r1, r2, r3, r4}";
    let ends = |output: u32, at: u32| {
        let last = (output + 1) << LAST_ADDRESS_BITS | at;
        let call = format!("{record}\nldr r1, ={last:#x}\nmovs r0, #1\nsvc #0");
        Hand {
            reads: 4,
            writes: 3,
            ..Hand::new("ends", &call)
        }
    };
    let begins = |capability: u32, at: u32, bytes: u32| Hand {
        reads: 4,
        first_read: Some(FirstRead {
            capability,
            at,
            bytes,
        }),
        ..Hand::new("ends", "movs r0, #1\nmovs r1, #0\nsvc #0")
    };
    let none = Hand {
        reads: 0,
        writes: 0,
        ..ends(0, 0xC0)
    };
    let most = (1 << LAST_ADDRESS_BITS) - 1;
    let contract = || Killed(Failure::Contract);
    let cases = [
        ("a record as it should be", ends(0, 0xC0), Nothing),
        ("a record without the import for it", none, OTHER),
        (
            "a record of an output there is none of",
            ends(1, 0xC0),
            contract(),
        ),
        (
            "a record of the last output there may be",
            ends(14, 0xC0),
            contract(),
        ),
        ("a record behind its memory", ends(0, BLOCK), contract()),
        (
            "a record half behind its memory",
            ends(0, BLOCK - 8),
            contract(),
        ),
        ("a record as far as can be said", ends(0, most), contract()),
        ("a sample as it should be", begins(0, 0x40, 4), Nothing),
        (
            "a sample at the end of its memory",
            begins(0, BLOCK - 4, 4),
            Nothing,
        ),
        (
            "a sample of a capability there is none of",
            begins(1, 0x40, 4),
            contract(),
        ),
        (
            "a sample of the last one there may be",
            begins(u32::MAX, 0x40, 4),
            contract(),
        ),
        (
            "a sample behind its memory",
            begins(0, BLOCK, 4),
            contract(),
        ),
        (
            "a sample half behind its memory",
            begins(0, BLOCK - 2, 4),
            contract(),
        ),
        (
            "a sample before its memory",
            begins(0, u32::MAX - 3, 4),
            contract(),
        ),
        ("a sample of another length", begins(0, 0x40, 8), contract()),
        (
            "a sample of all bytes there are",
            begins(0, 0x40, u32::MAX),
            contract(),
        ),
    ];
    for (number, (what, image, then)) in (10u32..).zip(cases) {
        let before = sums(&mut machine);
        let own = machine
            .install(&image.signed())
            .unwrap_or_else(|why| panic!("{what}: {why}"));
        let samples: Vec<Vec<u8>> = (0..image.reads.min(1)).map(|_| vec![1, 2, 3, 4]).collect();
        let lines = machine.call(own, &samples);
        let unit = machine.look(own).unwrap();
        let failed: u32 = unit.failures.iter().sum();
        match then {
            Nothing => assert_eq!((unit.well, failed), (1, 0), "{what}: {unit:?} {lines:?}"),
            Killed(failure) => {
                let counted = unit.failures[failure as usize];
                assert_eq!((unit.well, failed, counted), (0, 1, 1), "{what}: {unit:?}");
            }
        }
        machine.remove("ends").unwrap();
        assert_eq!(sums(&mut machine), before, "{what}");
        assert_eq!(witnessed(&mut machine, place, number), other, "{what}");
    }
}

/// A record that keeps its place is looked at once. An image that promised so and then describes another one has its own
/// elements passed on, from where they were; without the promise it is stopped.
#[test]
fn a_record_that_does_not_keep_its_place_is_no_way_out() {
    let test = "a_record_that_does_not_keep_its_place_is_no_way_out";
    let Some(firmware) = firmware_for_images(test) else {
        return;
    };
    let mut machine = Flash::new().boot(firmware);
    let place = machine.install(&witness().signed()).unwrap();
    let other = witnessed(&mut machine, place, 3);
    let last = 1 << LAST_ADDRESS_BITS | 0xC0;
    // The first element is the number of the call; from the second call on the record names what is not the image's.
    let call = format!(
        "ldr r5, [r0, #0x80]\nadds r5, #1\nstr r5, [r0, #0x80]\nstr r5, [r0, #0x40]\n\
         movs r1, #0x40\ncmp r5, #1\nbeq 1f\nldr r1, =0x10000000\n1:\n\
         movs r2, #12\nmovs r3, #1\nmovs r4, #3\nadd r5, r0, #0xC0\nstm r5, {{r1, r2, r3, r4}}\n\
         ldr r1, ={last:#x}\nmovs r0, #0\nsvc #0"
    );
    for (number, keeps_records) in [(10u32, true), (11, false)] {
        let before = sums(&mut machine);
        let image = Hand {
            writes: 3,
            keeps_records,
            ..Hand::new("keeps", &call)
        };
        let own = machine.install(&image.signed()).unwrap();
        let calls = if keeps_records { 3 } else { 2 };
        let lines: String = (0..calls)
            .map(|_| machine.call(own, &[]).unwrap_or_default())
            .collect();
        let unit = machine.look(own).unwrap();
        let broken = unit.failures[Failure::Contract as usize];
        let has = |call| lines.contains(&format!("[{call}, 0, 0]"));
        if keeps_records {
            assert_eq!((unit.well, broken), (3, 0), "{lines}");
            assert!([1, 2, 3].into_iter().all(has), "{lines}");
        } else {
            assert_eq!((unit.well, broken), (1, 1), "{lines}");
            assert!(has(1) && !has(2), "{lines}");
        }
        machine.remove("keeps").unwrap();
        assert_eq!(sums(&mut machine), before);
        assert_eq!(witnessed(&mut machine, place, number), other);
    }
}

#[test]
fn what_traps_is_named_by_its_function() {
    let Some(firmware) = firmware_for_images("what_traps_is_named_by_its_function") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    // The prefix of every call is shorter than 32 bytes.
    let code = "b 1f\n.p2align 5\n1: movs r1, #0\nldr r1, [r1]";
    let image = Hand {
        functions: vec![(0, "enter".to_owned()), (32, "convolve".to_owned())],
        ..Hand::new("named", code)
    };
    let place = machine.install(&image.bytes()).unwrap();
    machine.tell_rune(place, Run::Call).unwrap();
    let unit = machine.look(place).unwrap();
    assert_eq!(
        unit.error,
        "the rune was stopped by trap_memory_bounds in `convolve`"
    );
}

/// The same bytes in three slots, and three blocks of RAM.
#[test]
fn an_image_runs_wherever_it_lies() {
    let Some(firmware) = firmware_for_images("an_image_runs_wherever_it_lies") else {
        return;
    };
    let good = witness().signed();
    let (mut slots, mut blocks) = (vec![], vec![]);
    for others in 0..3 {
        let flash = Flash::new();
        let mut machine = flash.boot(firmware);
        // Others are before it, in flash and in RAM.
        for other in 0..others {
            let image = Hand {
                version: other,
                ..Hand::new(&format!("other{other}"), "movs r0, #1\nsvc #0")
            };
            machine.install(&image.bytes()).unwrap();
        }
        let place = machine.install(&good).unwrap();
        let block = witnessed(&mut machine, place, 77);
        blocks.push(block);
        slots.push(slot(&mut machine, &good).unwrap().slot);
    }
    blocks.dedup();
    slots.dedup();
    assert_eq!((slots.len(), blocks.len()), (3, 3), "{slots:?} {blocks:?}");
}

#[test]
fn images_that_are_not_right_are_refused() {
    let Some(firmware) = firmware_for_images("images_that_are_not_right_are_refused") else {
        return;
    };
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    let call = "movs r0, #1\nsvc #0";
    let bounds = Hand {
        containment: Containment::Bounds,
        ..Hand::new("native", call)
    };
    let changed = |mut image: Vec<u8>, at: usize| {
        image[at] ^= 1;
        image
    };
    let no_key = "no key that this runtime trusts with that has signed it";
    let signed = bounds.signed();
    let mut refused = vec![
        (bounds.bytes(), no_key),
        (sign(bounds.bytes(), 8), no_key),
        // The signature, and the key of it.
        (changed(signed.clone(), signed.len() - 1), no_key),
        (changed(signed.clone(), signed.len() - 96), no_key),
        (signed[..signed.len() - 1].to_vec(), "not signatures"),
    ];
    let plain = Hand::new("plain", call).bytes();
    refused.push((changed(plain.clone(), 12), "an unknown target"));
    // In the code, and in the manifest.
    refused.push((changed(plain.clone(), 260), "another digest"));
    refused.push((changed(plain.clone(), 170), "another digest"));
    refused.push((plain[..plain.len() - 1].to_vec(), "another length"));
    refused.push((plain[..100].to_vec(), "the header is cut off"));
    for (image, why) in refused {
        let said = machine.upload(&image).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
        let slot = slot(&mut machine, &image).unwrap();
        assert_eq!(slot.state, Phase::Bad);
    }
    // With the key for tests it runs, also where another one has signed it too.
    let both = sign(sign(bounds.bytes(), 8), 7);
    for image in [signed, both] {
        let place = machine.install(&image).unwrap();
        machine.tell_rune(place, Run::Call).unwrap();
        assert_eq!(machine.look(place).unwrap().well, 1);
        machine.remove("native").unwrap();
    }
    assert_eq!(status(&mut machine).1, None);
}
