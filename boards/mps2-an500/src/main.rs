//! `RunicOS` on `mps2-an500`, the Cortex-M7 that QEMU has: the board's part of it, and `main`.
//!
//! UART0 is a console for people, UART1 takes requests, see `rune_link`, and so does Ethernet with the feature
//! `ethernet`. Runes are installed in the PSRAM, which stands for a chip of flash.
#![no_std]
#![no_main]
#![allow(
    clippy::result_large_err,
    reason = "an error is of a fixed size: it has no other place"
)]

extern crate alloc;

mod board;
mod chip;
mod clock;
#[cfg(feature = "ethernet")]
mod ethernet;
mod fault;
mod guard;
mod installs;
mod links;
mod memory;
mod nor;
mod runes;
mod sensors;
mod server;
mod uart;
mod watchdog;

use alloc::boxed::Box;

use cortex_m::{
    Peripherals, asm,
    peripheral::{SYST, syst::SystClkSource},
};
use cortex_m_rt::{entry, exception};
use rune_link::Reason;

use crate::{
    board::Board,
    chip::Interrupt,
    installs::Installs,
    links::Links,
    nor::Flash,
    runes::Runes,
    server::Server,
    uart::{Console, say},
    watchdog::Watchdog,
};

/// How often the processor wakes where nothing comes, per second.
const WAKES: u32 = 100;

#[entry]
fn main() -> ! {
    // Of the reason of the run before.
    static mut REASON: [u8; Reason::BYTES] = [0; Reason::BYTES];

    memory::start();
    let mut cortex = Peripherals::take().expect("the board starts once");
    fault::start(&mut cortex.SCB);
    guard::start(&mut cortex.MPU);
    clock::start();
    Console::start();
    say!("RunicOS {} on mps2-an500", env!("CARGO_PKG_VERSION"));
    let reason = fault::take(REASON);
    if let Some(Reason {
        crash,
        pc,
        lr,
        cfsr,
        address,
        text,
    }) = &reason
    {
        say!(
            "the run before ended with a {}: {text} (pc {pc:#010x}, lr {lr:#010x}, cfsr {cfsr:#010x}, \
             address {address:#010x})",
            crash.name()
        );
    }
    wake_regularly(&mut cortex.SYST);
    let mut runes = assemble(reason);
    runes.boot();
    say!("ready");
    loop {
        runes.turn();
        asm::wfi();
    }
}

/// The board with nothing running yet. Its parts are on the stack only while this puts them together.
#[inline(never)]
fn assemble(reason: Option<Reason<'static>>) -> Box<Runes> {
    // SAFETY: it is called once, as the board starts once.
    let flash = unsafe { Flash::take() };
    let server = Server::new(Links::start(), reason);
    let watchdog = Watchdog::start();
    let board = Board::new(server, Installs::open(flash), watchdog);
    Box::new(Runes::new(board))
}

/// Interrupts the sleep of the processor [`WAKES`] times a second.
fn wake_regularly(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(chip::HERTZ / WAKES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Waking is all it is for.
#[exception]
fn SysTick() {}

/// Every interrupt of the board.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == Interrupt::Uart1Receive as i16 {
        uart::take_received();
        return;
    }
    #[cfg(feature = "ethernet")]
    if number == Interrupt::Ethernet as i16 {
        ethernet::woken();
        return;
    }
    panic!("interrupt {number} was not asked for");
}
