//! `RunicOS` on `mps2-an500`, the Cortex-M7 that QEMU has: the board's part of it, and `main`.
//!
//! UART0 is a console for people, UART1 takes requests, see `rune_link`. Runes lie in slots of the PSRAM, which
//! stands for a chip of flash.
#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod chip;
mod clock;
mod fault;
mod guard;
mod memory;
mod nor;
mod server;
mod slots;
mod uart;
mod watchdog;

use cortex_m::{
    Peripherals, asm,
    peripheral::{SYST, syst::SystClkSource},
};
use cortex_m_rt::{entry, exception};
use rune_link::Reason;

use crate::{
    board::Board,
    chip::Interrupt,
    nor::Nor,
    server::{Command, Server},
    slots::Slots,
    uart::{Console, Link, say},
    watchdog::Watchdog,
};
use rune_core::{Id, Interpreter, Phase, Scheduler};

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
    // SAFETY: the board starts once, see above.
    let chip = unsafe { Nor::take() };
    let server = Server::new(Link::start(), Slots::new(chip), reason);
    wake_regularly(&mut cortex.SYST);
    let board = Board::new(server, Watchdog::start());
    let mut runes = Runes {
        scheduler: Scheduler::new(Interpreter, board),
        running: None,
    };
    say!("ready");
    loop {
        runes.turn();
        asm::wfi();
    }
}

/// The runes of the board: at most one runs.
struct Runes {
    scheduler: Scheduler<Interpreter, Board, 1>,
    /// And whether it was seen to have failed.
    running: Option<(Id, bool)>,
}

impl Runes {
    /// Lets the rune go on, and the links, and does what was asked for.
    fn turn(&mut self) {
        self.scheduler.poll();
        self.look();
        let Some(command) = self.scheduler.board().server.command() else {
            return;
        };
        match command {
            Command::Start { slot } => self.start(slot),
            Command::Stop => {
                self.stop();
                self.scheduler.board().server.done(Ok(()));
            }
            Command::Lines => {
                let Board {
                    server, exchange, ..
                } = self.scheduler.board();
                server.lines(exchange);
            }
            Command::Call => {
                let called = self
                    .running
                    .is_some_and(|(id, _)| self.scheduler.trigger(id));
                let result = called.then_some(()).ok_or(format_args!("no rune runs"));
                self.scheduler.board().server.done(result);
            }
        }
    }

    /// Tells the server when the rune fails.
    fn look(&mut self) {
        let Some((id, seen)) = self.running else {
            return;
        };
        let Some(unit) = self.scheduler.unit(id) else {
            return;
        };
        let error = (unit.phase() != Phase::Running)
            .then(|| unit.error().copied())
            .flatten();
        self.running = Some((id, error.is_some()));
        if let (Some(error), false) = (error, seen) {
            self.scheduler.board().server.fail(format_args!("{error}"));
        }
    }

    fn start(&mut self, slot: u8) {
        self.stop();
        let lent = self.scheduler.board().server.slots.lend(slot);
        let (rune, digest) = match lent {
            Ok(lent) => lent,
            Err(why) => {
                return self
                    .scheduler
                    .board()
                    .server
                    .done(Err(format_args!("{why}")));
            }
        };
        match self.scheduler.add(rune, digest, board::policy()) {
            Ok(id) => {
                self.running = Some((id, false));
                self.scheduler.board().server.done(Ok(()));
            }
            Err(error) => {
                // The error reads the rune, so this comes first.
                let server = &mut self.scheduler.board().server;
                server.done(Err(format_args!("{error}")));
                self.stop();
            }
        }
    }

    /// Lets the rune go, and its slot.
    fn stop(&mut self) {
        if let Some((id, _)) = self.running.take() {
            self.scheduler.remove(id);
        }
        let Board {
            server, exchange, ..
        } = self.scheduler.board();
        server.forget();
        exchange.clear();
        // SAFETY: the scheduler has no rune, and of what `add` gives nothing is kept.
        unsafe { server.slots.release() };
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

/// Waking is all it is for.
#[exception]
fn SysTick() {}

/// Every interrupt of the board.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == Interrupt::Uart1Receive as i16 {
        uart::take_received();
    } else {
        panic!("interrupt {number} was not asked for");
    }
}
