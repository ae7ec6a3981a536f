//! The end of a run: every fault and panic leaves its reason where a reset does not reach, and starts the board anew.

use core::{
    arch::global_asm,
    panic::{Location, PanicInfo},
};

use cortex_m::{
    asm, interrupt,
    peripheral::{MPU, SCB, scb},
};
use embassy_stm32::pac;
use rune_firmware::fault::{Kept, PUSHED_LR, PUSHED_PC, Registers};
use rune_link::{Crash, Reason};

use crate::{
    guard::{NULL_BYTES, STACK_GUARD, STACK_GUARD_BYTES},
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

/// Takes the reason why the run before ended, into `bytes`: what it has left, or that the watchdog ended it.
pub(crate) fn take(bytes: &mut [u8; Reason::BYTES]) -> Option<Reason<'_>> {
    let flags = pac::RCC.rsr().read();
    pac::RCC.rsr().modify(|w| w.set_rmvf(true));
    let place = &raw mut _kept;
    // SAFETY: the place is there, whatever it holds is a value of the type, and only this module touches it: here, and
    // where nothing runs any more.
    let kept = unsafe { place.read_volatile() };
    put(&Kept::NONE);
    let watchdog = Reason {
        crash: Crash::Watchdog,
        pc: 0,
        lr: 0,
        cfsr: 0,
        address: 0,
        text: "the watchdog was not fed",
    };
    let reason = kept.reason(bytes);
    reason.or_else(|| flags.iwdg1rstf().then_some(watchdog))
}

/// Writes it word by word, as the memory's ECC wants it, and through the data cache: while faults are handled the
/// protection unit does not keep it out.
fn put(kept: &Kept) {
    let place = &raw mut _kept;
    for (i, word) in kept.words.iter().enumerate() {
        // SAFETY: as in `take`.
        unsafe { (&raw mut (*place).words[i]).write_volatile(*word) };
    }
    // SAFETY: cleaning only writes back what was written.
    let mut scb = unsafe { cortex_m::Peripherals::steal() }.SCB;
    scb.clean_dcache_by_address(place as usize, size_of::<Kept>());
    asm::dsb();
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
    put(&Kept::panic(place, memory::refused()));
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
        // An interrupt that is not masked is no watchdog here: nothing is known of it but that it came.
        exception: if icsr & 0x1FF == 2 { 3 } else { icsr & 0x1FF },
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
    let guard = STACK_GUARD..STACK_GUARD + STACK_GUARD_BYTES;
    put(&Kept::new(&registers.reason(
        pushed,
        &guard,
        &(0..NULL_BYTES),
    )));
    SCB::sys_reset()
}

/// Fails as asked.
#[cfg(feature = "crash")]
pub(crate) fn crash(how: Crash) -> ! {
    use core::hint::black_box;

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
        Crash::HardFault => unsafe { core::arch::asm!("cpsid i", "udf #0") },
        Crash::MemManage => access(0),
        // Reserved addresses behind SRAM4.
        Crash::BusFault => access(0x3900_0000),
        // SAFETY: an undefined instruction.
        Crash::UsageFault => unsafe { core::arch::asm!("udf #0") },
        Crash::Watchdog => {
            interrupt::disable();
            loop {
                asm::nop();
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
