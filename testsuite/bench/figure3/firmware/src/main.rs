//! One line of Figure 3: calls of an application on QEMU's `mps2-an500`, natively or as a rune, and how many
//! instructions they took.
//!
//! What is to be run comes as `NAME MODE CALLS` on the command line of semihosting, see [`Mode`], and one line of
//! results goes back. Nothing interrupts the processor meanwhile.
#![no_std]
#![no_main]

extern crate alloc;

mod app;
mod clock;
mod native;
mod result;
mod rune;

use core::{
    panic::PanicInfo,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use cortex_m::{Peripherals, peripheral::scb::Exception};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln, syscall1};
use embedded_alloc::LlffHeap;
use rune_abi::image::Containment;
use rune_cortex_m::{gate, mpu};
use rune_firmware::mpu::Region;

use crate::{app::APPS, result::Form};

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// Bytes of the heap.
const HEAP_BYTES: usize = 2 << 20;

/// How often the processor was interrupted.
static EXCEPTIONS: AtomicU32 = AtomicU32::new(0);

/// How an application is run.
#[derive(Clone, Copy)]
enum Mode {
    /// Its kernels compiled into this firmware; capabilities and outputs are functions that they call.
    Native,
    /// As a rune, whose results are passed on in this form.
    Rune(Form),
    /// As an image, contained in this way, whose results are passed on as they are.
    Image(Containment),
}

impl Mode {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "native" => Self::Native,
            "struct" => Self::Rune(Form::Struct),
            "protobuf" => Self::Rune(Form::Protobuf),
            _ => Self::Image(Containment::from_name(name)?),
        })
    }
}

/// What a span of calls came to.
struct Span {
    ticks: u64,
    /// Of all results, the same for all modes.
    sum: u32,
    /// Supervisor calls of an image.
    services: u32,
}

/// Flash and RAM, for the runtime alone.
const REGIONS: [(Region, u32); 2] = [
    (Region::whole(0, 22), mpu::CACHED | mpu::READ),
    (
        Region::whole(0x2000_0000, 22),
        mpu::CACHED | mpu::READ_WRITE | mpu::NO_EXECUTE,
    ),
];

#[entry]
fn main() -> ! {
    static mut MEMORY: [u8; HEAP_BYTES] = [0; HEAP_BYTES];
    // SAFETY: this is called once, and nothing else uses the memory.
    unsafe { HEAP.init(MEMORY.as_ptr() as usize, HEAP_BYTES) };
    let mut cortex = Peripherals::take().expect("the firmware starts once");
    gate::start(&mut cortex.SCB, &mut cortex.DCB, &mut cortex.FPU);
    for fault in [
        Exception::MemoryManagement,
        Exception::BusFault,
        Exception::UsageFault,
    ] {
        cortex.SCB.enable(fault);
    }
    // SAFETY: code can be run, and RAM written; all else is as without the unit.
    unsafe { mpu::start(&mut cortex.MPU, &REGIONS) };
    let mut buffer = [0; 256];
    let Some((app, mode, calls)) = command_line(&mut buffer).and_then(parse) else {
        hprintln!("the command line is: NAME native|struct|protobuf|mpu|bounds|mask CALLS");
        end(false);
    };
    let span = match mode {
        Mode::Native => native::run(app, calls),
        Mode::Rune(form) => rune::run(app, app.rune, form, calls),
        Mode::Image(containment) => {
            let mut all = Containment::ALL.iter();
            let index = all.position(|c| *c == containment).unwrap_or_default();
            rune::run(app, app.images[index].image, Form::Struct, calls)
        }
    };
    hprintln!(
        "{} {} {:08x} {}",
        calls,
        span.ticks,
        span.sum,
        EXCEPTIONS.load(Ordering::Relaxed) + span.services
    );
    end(true)
}

fn parse(line: &str) -> Option<(&'static app::App, Mode, u32)> {
    // The first is the program's.
    let mut words = line.split_ascii_whitespace().skip(1);
    let (name, mode, calls) = (words.next()?, words.next()?, words.next()?);
    let app = APPS.iter().find(|app| app.name == name)?;
    let calls = calls.parse().ok()?;
    words
        .next()
        .is_none()
        .then_some((app, Mode::parse(mode)?, calls))
}

/// What semihosting was given as arguments.
fn command_line(buffer: &mut [u8; 256]) -> Option<&str> {
    #[repr(C)]
    struct Block {
        buffer: *mut u8,
        len: usize,
    }
    let mut block = Block {
        buffer: buffer.as_mut_ptr(),
        len: buffer.len(),
    };
    // SAFETY: the block is what the call takes, and its buffer is as long as it says.
    let failed = unsafe { syscall1!(GET_CMDLINE, ptr::from_mut(&mut block)) };
    let text = buffer.get(..block.len).filter(|_| failed == 0)?;
    core::str::from_utf8(text).ok()
}

/// Ends the run.
fn end(is_well: bool) -> ! {
    debug::exit(if is_well {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("QEMU has ended")
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::nop();
    }
}

/// A fault that is no image's.
#[unsafe(no_mangle)]
extern "C" fn rune_own_fault(_: *const u32) -> ! {
    panic!("a fault of the runtime")
}

/// Nothing interrupts the processor, so nobody asks.
#[unsafe(no_mangle)]
extern "C" fn rune_tick() -> u64 {
    clock::now_ns()
}

#[exception]
unsafe fn DefaultHandler(_: i16) {
    EXCEPTIONS.fetch_add(1, Ordering::Relaxed);
}
