//! The end of a run: every fault and panic of the runtime leaves its reason where a reset does not reach, and starts the
//! board anew.

use core::{
    ops::Range,
    panic::{Location, PanicInfo},
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
};

use cortex_m::{
    asm, interrupt,
    peripheral::{MPU, SCB, scb},
};
use rune_firmware::fault::{Kept, PUSHED_LR, PUSHED_PC, Registers};
use rune_link::{Crash, Reason};

unsafe extern "C" {
    /// The linker's place for it, in no section.
    static mut _kept: Kept;
    static _stack_end: u32;
    static _stack_start: u32;
}

/// What faults of a board mean.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// The end of the stack, which may not be accessed.
    pub guard: Range<u32>,
    /// The addresses from null on that may not be accessed.
    pub null: Range<u32>,
    /// The interrupt that cannot be masked is the watchdog's, whose second period resets more than the processor can.
    pub nmi_is_watchdog: bool,
}

static MEANING: AtomicPtr<Meaning> = AtomicPtr::new(core::ptr::null_mut());

/// Bytes for which the heap had no room, the last time that was so.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Lets every fault come to its own handler. To be called once, at the start.
pub fn start(scb: &mut SCB, meaning: &'static Meaning) {
    MEANING.store(core::ptr::from_ref(meaning).cast_mut(), Ordering::Relaxed);
    scb.enable(scb::Exception::MemoryManagement);
    scb.enable(scb::Exception::BusFault);
    scb.enable(scb::Exception::UsageFault);
}

/// The heap says that it had no room for so many bytes: where a panic follows, that is why.
pub fn refused(bytes: usize) {
    REFUSED.store(bytes, Ordering::Relaxed);
}

/// Takes the reason that the run before has left, into `bytes`.
pub fn take(bytes: &mut [u8; Reason::BYTES]) -> Option<Reason<'_>> {
    // SAFETY: the place is there, whatever it holds is a value of the type, and only this module touches it: here, and
    // where nothing runs any more.
    let kept = unsafe { (&raw mut _kept).read_volatile() };
    leave(&Kept::NONE);
    kept.reason(bytes)
}

/// Leaves a reason for the next run, or none: word by word, as memory with an ECC wants it, and through the data cache:
/// while faults are handled the protection unit does not keep it out.
fn leave(kept: &Kept) {
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
    leave(&Kept::panic(place, REFUSED.load(Ordering::Relaxed)));
    SCB::sys_reset()
}

/// Every fault that is not an image's comes here, from [`gate`](crate::gate).
#[unsafe(no_mangle)]
extern "C" fn rune_own_fault(pushed: *const u32) -> ! {
    // SAFETY: the registers of the system are always there, and nothing else runs any more. Without the protection unit
    // the reason can be written wherever it lies.
    let (scb, icsr) = unsafe {
        (*MPU::PTR).ctrl.write(0);
        let scb = &*SCB::PTR;
        (scb, scb.icsr.read())
    };
    // SAFETY: `start` has it from a reference for ever, if it has.
    let meaning = unsafe { MEANING.load(Ordering::Relaxed).as_ref() };
    let is_watchdog = meaning.is_some_and(|meaning| meaning.nmi_is_watchdog);
    let exception = icsr & 0x1FF;
    let registers = Registers {
        exception: if exception == 2 && !is_watchdog {
            3
        } else {
            exception
        },
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
    let nowhere = 0..0;
    let (guard, null) = meaning.map_or((&nowhere, &nowhere), |m| (&m.guard, &m.null));
    let reason = registers.reason(pushed, guard, null);
    leave(&Kept::new(&reason));
    if reason.crash == Crash::Watchdog {
        loop {
            asm::nop();
        }
    }
    SCB::sys_reset()
}

/// Fails as asked; there is nothing at `nowhere`.
///
/// # Panics
/// As asked, or where it does not fail as asked.
#[cfg(feature = "crash")]
pub fn crash(how: Crash, nowhere: usize) -> ! {
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
        Crash::BusFault => access(nowhere),
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
