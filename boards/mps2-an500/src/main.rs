//! `RunicOS` on `mps2-an500`, the Cortex-M7 that QEMU has: the board's part of it, and `main`.
//!
//! UART0 is a console for people, UART1 takes requests, see `rune_link`, and so does Ethernet with the feature
//! `ethernet`; with the feature `ble` a Bluetooth controller is at UART2. Runes are installed in the PSRAM, which stands for a chip of flash.
#![no_std]
#![no_main]

#[cfg(all(feature = "ble", feature = "ethernet"))]
extern crate alloc;

mod board;
mod chip;
mod clock;
#[cfg(feature = "ethernet")]
mod ethernet;
mod guard;
mod links;
#[cfg(feature = "locked")]
mod lock;
mod memory;
mod nor;
mod uart;
mod watchdog;

use cortex_m::{
    Peripherals, asm,
    peripheral::{SYST, syst::SystClkSource},
};
use cortex_m_rt::{entry, exception};
use rune_cortex_m::{fault, gate, stack};
use rune_firmware::{Runes, fault::Before};
use rune_link::Reason;

use crate::{
    board::Board,
    chip::Interrupt,
    links::Links,
    nor::Flash,
    uart::{Console, say},
    watchdog::Watchdog,
};

/// How often the processor wakes where nothing comes, per second.
const WAKES: u32 = 100;

#[entry]
fn main() -> ! {
    // Of the reason of the run before.
    static mut REASON: [u8; Reason::BYTES] = [0; Reason::BYTES];

    stack::mark(0);
    memory::start();
    let mut cortex = Peripherals::take().expect("the board starts once");
    fault::start(&mut cortex.SCB, &guard::MEANING);
    gate::start(&mut cortex.SCB, &mut cortex.DCB, &mut cortex.FPU);
    guard::start(&mut cortex.MPU);
    for interrupt in chip::INTERRUPTS {
        // SAFETY: nothing is masked by priority.
        unsafe { cortex.NVIC.set_priority(*interrupt, gate::INTERRUPTS) };
    }
    clock::start();
    Console::start();
    say!("RunicOS {} on mps2-an500", env!("CARGO_PKG_VERSION"));
    let reason = fault::take(REASON);
    if let Some(reason) = &reason {
        say!("{}", Before(reason));
    }
    wake_regularly(&mut cortex.SYST);
    // SAFETY: it is called once, as the board starts once.
    let flash = unsafe { Flash::take() };
    let links = Links::start();
    #[cfg(feature = "locked")]
    let (mut flash, address) = (flash, links.hardware_address());
    let board = Board {
        watchdog: Watchdog::start(),
        #[cfg(feature = "locked")]
        lock: lock::start(&mut flash, address),
    };
    let mut runes = Runes::new(board, links, flash, board::MAP, reason);
    runes.boot();
    loop {
        runes.turn();
        asm::wfi();
    }
}

/// Interrupts the sleep of the processor [`WAKES`] times a second.
fn wake_regularly(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(chip::HERTZ / WAKES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Waking is what it is for, and the time of images.
#[unsafe(no_mangle)]
extern "C" fn rune_tick() -> u64 {
    clock::now_ns()
}

/// Every interrupt of the board.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == Interrupt::Uart1Receive as i16 {
        uart::take_received();
        return;
    }
    #[cfg(feature = "ble")]
    if number == Interrupt::Uart2Receive as i16 {
        uart::take_from_controller();
        return;
    }
    #[cfg(feature = "ethernet")]
    if number == Interrupt::Ethernet as i16 {
        ethernet::woken();
        return;
    }
    panic!("interrupt {number} was not asked for");
}
