//! Into an image and out of it.
//!
//! An image runs in thread mode on the process stack, unprivileged where the protection unit contains it; the runtime
//! runs in thread mode on the main stack. [`enter`] saves the runtime's registers on the main stack, and above them what
//! the processor would have pushed for an exception that interrupted it; it empties every register and goes to the image.
//! From there only exceptions lead back. Each of their handlers looks where it comes from, as `EXC_RETURN` says: thread
//! mode and process stack is the image, and only it. Then the handler notes what happened, and returns from the exception
//! to the frame on the main stack: to the end of `enter`. All else is done there, in thread mode, where the deadline of a
//! call and faults of the runtime are what they always are.
//!
//! Floating-point registers are pushed at once and not lazily: nothing of an image is left to be saved when the runtime
//! goes on, so that neither its own handlers can fault by where an image had its stack, nor can registers come to light
//! later.

use core::{
    arch::global_asm,
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use cortex_m::peripheral::{DCB, FPU, SCB, scb::SystemHandler};

/// What led back.
pub(crate) mod cause {
    pub(crate) const SVC: u32 = 0;
    pub(crate) const FAULT: u32 = 1;
}

/// How an image is entered. `rune_enter` knows its layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The process stack pointer.
    pub(crate) stack: u32,
    /// Where the image goes on.
    pub(crate) resume: u32,
    /// What it gets in `r0`, `r1` and `r2`.
    pub(crate) arguments: [u32; 3],
    /// The register CONTROL.
    pub(crate) control: u32,
}

/// What led back from an image. The handlers know its layout.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Back {
    /// The process stack pointer after the exception.
    pub(crate) stack: u32,
    /// What led back, see [`cause`].
    pub(crate) cause: u32,
    pub(crate) exc_return: u32,
    pub(crate) cfsr: u32,
    pub(crate) hfsr: u32,
    pub(crate) dfsr: u32,
    pub(crate) mmfar: u32,
    pub(crate) bfar: u32,
}

/// Thread mode on the process stack, unprivileged and privileged.
pub(crate) const UNPRIVILEGED: u32 = 0b11;
pub(crate) const PRIVILEGED: u32 = 0b10;

/// In thread mode the one thread has it, in handlers the one handler that leaves an image.
#[repr(transparent)]
struct Shared(UnsafeCell<Back>);

// SAFETY: there is one thread, and a handler writes to it only while that waits in `rune_enter`.
unsafe impl Sync for Shared {}

static BACK: Shared = Shared(UnsafeCell::new(Back {
    stack: 0,
    cause: 0,
    exc_return: 0,
    cfsr: 0,
    hfsr: 0,
    dfsr: 0,
    mmfar: 0,
    bfar: 0,
}));

/// When the image that runs is stopped.
struct Deadline {
    /// In nanoseconds of the clock, the lower half first: written while none runs.
    halves: [AtomicU32; 2],
    /// The time of the image was over when the interrupt came to its host.
    is_late: AtomicBool,
}

static DEADLINE: Deadline = Deadline {
    halves: [AtomicU32::new(u32::MAX), AtomicU32::new(u32::MAX)],
    is_late: AtomicBool::new(false),
};

unsafe extern "C" {
    fn rune_enter(entry: *const Entry);
    /// Given by the board: it is called in the interrupt that comes regularly, and gives the time in nanoseconds.
    safe fn rune_tick() -> u64;
    static rune_gate: u8;
}

/// The bytes of the code with which an image is entered: who enters must be able to run it with the rights of the image.
pub const GATE_BITS: u8 = 5;

/// Where that code is.
pub fn address() -> u32 {
    // The address of a function says that it is Thumb.
    (&raw const rune_gate) as u32 & !1
}

/// Orders the exceptions: faults may interrupt supervisor calls, and those everything else, so that what an image does
/// ends it and never the board. To be called once, at the start, before interrupts that may come are enabled.
pub fn start(scb: &mut SCB, dcb: &mut DCB, fpu: &mut FPU) {
    /// Automatic saving of floating-point registers, at once.
    const AUTOMATIC: u32 = 1 << 31;
    const LAZY: u32 = 1 << 30;
    /// `bkpt` and the like are exceptions, see DEMCR.
    const MONITOR: u32 = 1 << 16;
    // SAFETY: nothing has been masked by priority yet, and all handlers are in place; nobody waits for lazy saving.
    unsafe {
        for fault in [
            SystemHandler::MemoryManagement,
            SystemHandler::BusFault,
            SystemHandler::UsageFault,
            SystemHandler::DebugMonitor,
        ] {
            scb.set_priority(fault, 0);
        }
        scb.set_priority(SystemHandler::SVCall, 0x40);
        scb.set_priority(SystemHandler::PendSV, INTERRUPTS);
        scb.set_priority(SystemHandler::SysTick, INTERRUPTS);
        dcb.demcr.modify(|demcr| demcr | MONITOR);
        fpu.fpccr.modify(|fpccr| fpccr & !LAZY | AUTOMATIC);
    }
}

/// The priority of interrupts: below faults and supervisor calls.
pub const INTERRUPTS: u8 = 0x80;

/// Lets an image run until it comes back, and says how it did: until one is entered again.
///
/// # Safety
/// The entry says where the image is, with a stack and rights that keep it there; the protection unit is set for it.
/// What came back before is not used any more.
#[inline]
pub(crate) unsafe fn enter<'a>(entry: &Entry) -> &'a Back {
    // SAFETY: the caller's promise; no handler touches what is shared before the image runs, nor after it has come back.
    unsafe {
        rune_enter(entry);
        &*BACK.0.get()
    }
}

/// Says when the image that is entered next is stopped.
#[inline]
pub(crate) fn set_deadline(deadline_ns: u64) {
    let [low, high] = &DEADLINE.halves;
    low.store(deadline_ns as u32, Ordering::Relaxed);
    high.store((deadline_ns >> 32) as u32, Ordering::Relaxed);
    // After them: what an interrupt made of the deadline before, or of half of each, does not count.
    DEADLINE.is_late.store(false, Ordering::Relaxed);
}

/// Whether the time of the image is over that waits for its host.
#[inline]
pub(crate) fn is_late() -> bool {
    DEADLINE.is_late.load(Ordering::Relaxed)
}

/// The interrupt that comes regularly. Whether it has come to an image whose time is over.
extern "C" fn ticked(exc_return: u32) -> bool {
    let now = rune_tick();
    let halves = DEADLINE.halves.each_ref();
    let [low, high] = halves.map(|half| u64::from(half.load(Ordering::Relaxed)));
    let is_late = now > (high << 32 | low);
    DEADLINE.is_late.store(is_late, Ordering::Relaxed);
    exc_return & 0xF == 0xD && is_late
}

global_asm!(
    ".fpu fpv5-d16",
    ".section .text.rune_gate, \"ax\"",
    // The only code of the runtime that an image may run too: it can do nothing with it. With the pushes behind it are
    // 32 bytes, as much as a region has at least, so nothing else is in them.
    ".p2align 5",
    ".global rune_gate",
    ".type rune_gate,%function",
    ".thumb_func",
    "rune_gate:",
    "msr control, r12",
    "isb",
    "mov.w r12, #0",
    "bx lr",
    ".p2align 5",
    "",
    ".global rune_enter",
    ".type rune_enter,%function",
    ".thumb_func",
    "rune_enter:",
    "push {{r4-r11, lr}}",
    "sub sp, #4",
    "vpush {{d8-d15}}",
    "vmrs r1, fpscr",
    "push {{r1, r2}}",
    // What an exception here would have pushed: the way back.
    "ldr r1, =1f",
    "mov.w r2, #0x01000000",
    "push {{r1, r2}}",
    "sub sp, #24",
    "ldrd r2, lr, [r0]",
    "msr psp, r2",
    "ldr r12, [r0, #20]",
    "ldr r2, =rune_zeros",
    "vldmia r2, {{d0-d15}}",
    "ldmia.w r2, {{r3-r11}}",
    "add r0, #8",
    "ldmia.w r0, {{r0-r2}}",
    "vmsr fpscr, r3",
    "msr apsr_nzcvq, r3",
    "b rune_gate",
    "1:",
    "pop {{r1, r2}}",
    "vmsr fpscr, r1",
    "vpop {{d8-d15}}",
    "add sp, #4",
    "pop {{r4-r11, pc}}",
    ".ltorg",
    "",
    ".global SVCall",
    ".type SVCall,%function",
    ".thumb_func",
    "SVCall:",
    "mov.w r0, #{SVC}",
    "and r1, lr, #15",
    "cmp r1, #13",
    "bne 9f",
    "2:",
    "ldr r3, ={back}",
    "mrs r1, psp",
    "strd r1, r0, [r3]",
    "str lr, [r3, #8]",
    // Back to the main stack, with the runtime's rights.
    "mov.w r1, #0",
    "msr control, r1",
    "mvn lr, #6",
    "bx lr",
    "",
    ".global MemoryManagement",
    ".type MemoryManagement,%function",
    ".thumb_func",
    "MemoryManagement:",
    ".global BusFault",
    ".type BusFault,%function",
    ".thumb_func",
    "BusFault:",
    ".global UsageFault",
    ".type UsageFault,%function",
    ".thumb_func",
    "UsageFault:",
    ".global DebugMonitor",
    ".type DebugMonitor,%function",
    ".thumb_func",
    "DebugMonitor:",
    ".global HardFault",
    ".type HardFault,%function",
    ".thumb_func",
    "HardFault:",
    "and r1, lr, #15",
    "cmp r1, #13",
    "bne 9f",
    "ldr r3, ={back}",
    // CFSR, HFSR, DFSR: kept and cleared. MMFAR, BFAR.
    "ldr r2, =0xE000ED28",
    "ldrd r0, r1, [r2]",
    // A vector that cannot be read is no image's doing.
    "lsls r12, r1, #30",
    "bmi 9f",
    "strd r0, r1, [r3, #12]",
    "strd r0, r1, [r2]",
    "ldr r0, [r2, #8]",
    "str r0, [r3, #20]",
    "str r0, [r2, #8]",
    "ldrd r0, r1, [r2, #12]",
    "strd r0, r1, [r3, #24]",
    // What could not be pushed for another exception has left that pending: faults and supervisor calls are the image's.
    "ldr r0, [r2, #-4]",
    "bic r0, #0xF000",
    "str r0, [r2, #-4]",
    "ldr r2, =0xE000EDFC",
    "ldr r0, [r2]",
    "bic r0, #0x20000",
    "str r0, [r2]",
    "mov.w r0, #{FAULT}",
    "b 2b",
    "",
    ".global SysTick",
    ".type SysTick,%function",
    ".thumb_func",
    "SysTick:",
    "push {{r4, lr}}",
    "mov r0, lr",
    "bl {ticked}",
    "pop {{r4, lr}}",
    "cmp r0, #0",
    "it eq",
    "bxeq lr",
    "mov.w r0, #{LATE}",
    "b 2b",
    "",
    ".global NonMaskableInt",
    ".type NonMaskableInt,%function",
    ".thumb_func",
    "NonMaskableInt:",
    // The runtime's own. Its stack may be what is broken.
    "9:",
    "mrs r0, msp",
    "ldr r1, =_fault_stack",
    "msr msp, r1",
    "b rune_own_fault",
    ".ltorg",
    "",
    ".section .rodata.rune_zeros, \"a\"",
    ".p2align 3",
    "rune_zeros:",
    ".space 128",
    SVC = const cause::SVC,
    FAULT = const cause::FAULT,
    LATE = const 2,
    back = sym BACK,
    ticked = sym ticked,
);
