//! The end of a run: every fault and panic leaves its reason where a reset does not reach, and starts the board anew.

use core::{
    arch::global_asm,
    fmt::{self, Write as _},
    panic::{Location, PanicInfo},
};

use cortex_m::{
    interrupt,
    peripheral::{MPU, SCB, scb},
};
use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use rune_link::{Crash, Reason};

use crate::{
    guard::{BELOW_STACK, NULL_GUARD_BYTES, STACK_GUARD, STACK_GUARD_BYTES},
    memory,
};

/// Encoded reason, its length, their checksum.
#[repr(C)]
struct Kept {
    reason: [u8; Reason::BYTES],
    len: u32,
    sum: u32,
}

unsafe extern "C" {
    /// The linker's place for it, in no section.
    static mut _kept: Kept;
    static _stack_end: u32;
    static _stack_start: u32;
}

impl Kept {
    /// The checksum of a reason and its length.
    fn sum(bytes: &[u8]) -> u32 {
        const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
        CRC.checksum(bytes) ^ bytes.len() as u32
    }
}

/// Lets every fault come to its own handler. To be called once, at the start.
pub(crate) fn start(scb: &mut SCB) {
    scb.enable(scb::Exception::MemoryManagement);
    scb.enable(scb::Exception::BusFault);
    scb.enable(scb::Exception::UsageFault);
}

/// Takes the reason that the run before has left, into `bytes`.
pub(crate) fn take(bytes: &mut [u8; Reason::BYTES]) -> Option<Reason<'_>> {
    let kept = &raw mut _kept;
    // SAFETY: the place is there, whatever it holds is a value of the type, and only this module touches it: here, and
    // where nothing runs any more.
    let Kept { reason, len, sum } = unsafe { kept.read_volatile() };
    // SAFETY: as above.
    unsafe { (&raw mut (*kept).sum).write_volatile(!sum) };
    *bytes = reason;
    let bytes = bytes.get(..len as usize)?;
    (Kept::sum(bytes) == sum).then(|| Reason::decode(bytes).ok())?
}

/// Leaves a reason for the next run.
fn leave(reason: &Reason<'_>) {
    let mut bytes = [0; Reason::BYTES];
    let encoded = reason.encode(&mut bytes);
    let (len, sum) = (encoded.len() as u32, Kept::sum(encoded));
    let kept = Kept {
        reason: bytes,
        len,
        sum,
    };
    // SAFETY: as in `take`; nothing else runs any more.
    unsafe { (&raw mut _kept).write_volatile(kept) };
}

/// The first part of what it is given, cut where there is no more room.
struct Text {
    bytes: [u8; Reason::TEXT_BYTES],
    len: usize,
}

impl Text {
    fn of(what: fmt::Arguments<'_>) -> Self {
        let mut text = Self {
            bytes: [0; Reason::TEXT_BYTES],
            len: 0,
        };
        // What is cut off is all that can go wrong.
        let _ = text.write_fmt(what);
        text
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - self.len;
        let part = &text[..text.floor_char_boundary(room)];
        self.bytes[self.len..][..part.len()].copy_from_slice(part.as_bytes());
        self.len += part.len();
        if part.len() < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

// It says where, and not in whose words: those of all panics, with what they show, are 60 KB. They are left out as long as
// nobody asks for them, and the compiler sees that: so this is short enough to become a part of where it is called.
#[panic_handler]
#[expect(
    unused_attributes,
    clippy::inline_always,
    reason = "the compiler says that it ignores it, and does not"
)]
#[inline(always)]
fn panicked(info: &PanicInfo<'_>) -> ! {
    end_at(info.location())
}

#[inline(never)]
fn end_at(place: Option<&Location<'_>>) -> ! {
    interrupt::disable();
    let (file, line) = place.map_or(("?", 0), |l| (l.file(), l.line()));
    let text = match memory::refused() {
        // One that was refused earlier need not have ended anything.
        bytes if bytes == 0 || !file.ends_with("alloc/src/alloc.rs") => {
            Text::of(format_args!("{file}:{line}"))
        }
        bytes => Text::of(format_args!(
            "{file}:{line}: the heap was full, {bytes} bytes were asked for"
        )),
    };
    leave(&Reason {
        crash: Crash::Panic,
        pc: 0,
        lr: 0,
        cfsr: 0,
        address: 0,
        text: text.as_str(),
    });
    SCB::sys_reset()
}

// The stack may be what is broken: the handlers use one of their own, above what is kept.
global_asm!(
    ".section .text.faults, \"ax\"",
    ".global HardFault",
    ".global MemoryManagement",
    ".global BusFault",
    ".global UsageFault",
    ".global NonMaskableInt",
    ".type HardFault,%function",
    ".type MemoryManagement,%function",
    ".type BusFault,%function",
    ".type UsageFault,%function",
    ".type NonMaskableInt,%function",
    ".thumb_func",
    "HardFault:",
    ".thumb_func",
    "MemoryManagement:",
    ".thumb_func",
    "BusFault:",
    ".thumb_func",
    "UsageFault:",
    ".thumb_func",
    "NonMaskableInt:",
    "mrs r0, msp",
    "ldr r1, =_fault_stack",
    "msr msp, r1",
    "b {failed}",
    failed = sym failed,
);

/// Of what was pushed when the exception came: the words that hold `lr` and `pc`.
const PUSHED_LR: usize = 5;
const PUSHED_PC: usize = 6;

/// Bits of the CFSR.
const NOT_PUSHED: u32 = 1 << 4 | 1 << 12;
const MEMORY_ADDRESS: u32 = 1 << 7;
const BUS_ADDRESS: u32 = 1 << 15;

extern "C" fn failed(pushed: *const u32) -> ! {
    // SAFETY: the registers of the system are always there, and nothing else runs any more. Without the protection unit
    // the reason can be written wherever it lies.
    let (scb, icsr, cfsr) = unsafe {
        (*MPU::PTR).ctrl.write(0);
        let scb = &*SCB::PTR;
        (scb, scb.icsr.read(), scb.cfsr.read())
    };
    let crash = match icsr & 0x1FF {
        2 => Crash::Watchdog,
        4 => Crash::MemManage,
        5 => Crash::BusFault,
        6 => Crash::UsageFault,
        _ => Crash::HardFault,
    };
    let address = match cfsr {
        c if c & MEMORY_ADDRESS != 0 => scb.mmfar.read(),
        c if c & BUS_ADDRESS != 0 => scb.bfar.read(),
        _ => 0,
    };
    let stack = &raw const _stack_end..&raw const _stack_start;
    let was_pushed = cfsr & NOT_PUSHED == 0 && stack.contains(&pushed);
    let word = |index: usize| {
        if was_pushed {
            // SAFETY: the processor has pushed eight words there, on the stack.
            unsafe { pushed.add(index).read_volatile() }
        } else {
            0
        }
    };
    let in_guard = (BELOW_STACK..STACK_GUARD + STACK_GUARD_BYTES as u32).contains(&address);
    let text = if crash == Crash::Watchdog {
        "the watchdog was not fed"
    } else if in_guard || cfsr & NOT_PUSHED != 0 {
        "the stack ran into its end"
    } else if cfsr & MEMORY_ADDRESS != 0 && address < NULL_GUARD_BYTES {
        "null was accessed"
    } else {
        ""
    };
    leave(&Reason {
        crash,
        pc: word(PUSHED_PC),
        lr: word(PUSHED_LR),
        cfsr,
        address,
        text,
    });
    if crash == Crash::Watchdog {
        // Its second period resets more than the processor can.
        loop {
            cortex_m::asm::nop();
        }
    }
    SCB::sys_reset()
}

/// Fails as asked.
#[cfg(feature = "crash")]
pub(crate) fn crash(how: Crash) -> ! {
    use core::{arch::asm, hint::black_box};

    /// More of the stack for every level.
    #[expect(unconditional_recursion, reason = "the end of the stack ends it")]
    fn deeper(level: &[u32; 64]) -> u32 {
        let mut next = *level;
        next[0] += 1;
        black_box(deeper(black_box(&next))) + next[0]
    }

    let access = |address: usize| {
        // SAFETY: that nothing may be read there is the point.
        let word = unsafe { (black_box(address) as *const u32).read_volatile() };
        black_box(word);
    };
    match how {
        Crash::Panic => panic!("a panic was asked for"),
        // SAFETY: an undefined instruction, and a handler of it that may not run.
        Crash::HardFault => unsafe { asm!("cpsid i", "udf #0") },
        Crash::MemManage => access(0),
        Crash::BusFault => access(0x9000_0000),
        // SAFETY: an undefined instruction.
        Crash::UsageFault => unsafe { asm!("udf #0") },
        Crash::Watchdog => {
            interrupt::disable();
            loop {
                cortex_m::asm::nop();
            }
        }
        Crash::Stack => {
            black_box(deeper(&[0; 64]));
        }
        Crash::Heap => {
            black_box(alloc::vec![0u8; 1 << 30]);
        }
        // The server's own.
        Crash::Links => {}
    }
    panic!("{} did not come", how.name())
}
