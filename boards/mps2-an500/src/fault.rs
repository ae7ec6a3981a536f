//! The end of a run: every fault and panic leaves its reason where a reset does not reach, and starts the board anew.

use core::{
    arch::global_asm,
    panic::{Location, PanicInfo},
};

use cortex_m::{
    interrupt,
    peripheral::{MPU, SCB, scb},
};
use rune_firmware::fault::{Kept, PUSHED_LR, PUSHED_PC, Registers};
use rune_link::{Crash, Reason};

use crate::{
    guard::{BELOW_STACK, NULL_GUARD_BYTES, STACK_GUARD, STACK_GUARD_BYTES},
    memory,
};

unsafe extern "C" {
    /// The linker's place for it, in no section.
    static mut _kept: Kept;
    static _stack_end: u32;
    static _stack_start: u32;
}

/// Lets every fault come to its own handler. To be called once, at the start.
pub(crate) fn start(scb: &mut SCB) {
    scb.enable(scb::Exception::MemoryManagement);
    scb.enable(scb::Exception::BusFault);
    scb.enable(scb::Exception::UsageFault);
}

/// Takes the reason that the run before has left, into `bytes`.
pub(crate) fn take(bytes: &mut [u8; Reason::BYTES]) -> Option<Reason<'_>> {
    // SAFETY: the place is there, whatever it holds is a value of the type, and only this module touches it: here, and
    // where nothing runs any more.
    let kept = unsafe { (&raw mut _kept).read_volatile() };
    leave(&Kept::NONE);
    kept.reason(bytes)
}

/// Leaves a reason for the next run, or none.
fn leave(kept: &Kept) {
    // SAFETY: as in `take`.
    unsafe { (&raw mut _kept).write_volatile(*kept) };
}

// Nobody asks for the words of a panic as long as the compiler sees that: so this is short enough to become a part of where
// it is called, see `Kept::panic`.
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
    leave(&Kept::panic(place, memory::refused()));
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

extern "C" fn failed(pushed: *const u32) -> ! {
    // SAFETY: the registers of the system are always there, and nothing else runs any more. Without the protection unit
    // the reason can be written wherever it lies.
    let (scb, icsr) = unsafe {
        (*MPU::PTR).ctrl.write(0);
        let scb = &*SCB::PTR;
        (scb, scb.icsr.read())
    };
    let registers = Registers {
        exception: icsr & 0x1FF,
        cfsr: scb.cfsr.read(),
        mmfar: scb.mmfar.read(),
        bfar: scb.bfar.read(),
    };
    let stack = &raw const _stack_end..&raw const _stack_start;
    let pushed = (registers.was_pushed() && stack.contains(&pushed)).then(|| {
        // SAFETY: the processor has pushed eight words there, on the stack.
        let word = |index| unsafe { pushed.add(index).read_volatile() };
        (word(PUSHED_LR), word(PUSHED_PC))
    });
    let guard = BELOW_STACK..STACK_GUARD + STACK_GUARD_BYTES as u32;
    let reason = registers.reason(pushed, &guard, &(0..NULL_GUARD_BYTES));
    leave(&Kept::new(&reason));
    if reason.crash == Crash::Watchdog {
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
