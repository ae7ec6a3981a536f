//! `RunicOS` on the Arduino Portenta H7, an STM32H747 of which this is the Cortex-M7: the board's part of it, and
//! `main`. None of it has run on a board yet, see `docs/book/portenta.md`.
//!
//! The host's link is USB, with requests as `rune_link` describes them; the UART is a console for people. Runes are
//! installed on the flash chip on the QUADSPI. Drivers that must not wait for a rune run in an interrupt of low priority.
#![no_std]
#![no_main]

extern crate alloc;

#[cfg(feature = "bluetooth")]
mod bluetooth;
mod board;
mod boot;
mod camera;
mod clock;
mod guard;
mod links;
mod memory;
mod microphone;
mod qspi;
mod sdram;
mod usb;

use alloc::boxed::Box;

use cortex_m::{
    asm,
    peripheral::{SYST, syst::SystClkSource},
};
use cortex_m_rt::entry;
use embassy_executor::InterruptExecutor;
use embassy_stm32::{
    Peri, SharedData, bind_interrupts,
    gpio::{AnyPin, Level, Output, Speed},
    i2c::I2c,
    interrupt,
    interrupt::{InterruptExt, Priority},
    pac, peripherals, rng,
    usart::{self, UartTx},
    wdg::IndependentWatchdog,
};
use rune_cortex_m::{fault, gate, stack};
use rune_firmware::{Chip as _, Runes, SerialNor, fault::Before};
use rune_link::{Crash, Reason};

use crate::{
    board::{Console, Lamps, Portenta},
    links::Links,
    qspi::{Flash, Quadspi},
};

bind_interrupts!(struct Interrupts {
    RNG => rng::InterruptHandler<peripherals::RNG>;
});

/// How often the processor wakes where nothing comes, per second.
const WAKES: u32 = 100;

/// Runs the drivers, in an interrupt that nothing else uses.
static DRIVERS: InterruptExecutor = InterruptExecutor::new();

/// Of the HAL, for the Cortex-M4, which does not run.
#[unsafe(link_section = ".sram4")]
static SHARED: core::mem::MaybeUninit<SharedData> = core::mem::MaybeUninit::uninit();

#[entry]
fn main() -> ! {
    // Of the reason of the run before.
    static mut REASON: [u8; Reason::BYTES] = [0; Reason::BYTES];

    let mut runes = start(REASON);
    runes.boot();
    loop {
        runes.turn();
        asm::wfi();
    }
}

/// Starts everything. `bytes` is for the reason of the run before.
#[expect(clippy::too_many_lines, reason = "it names every pin of the board")]
fn start(bytes: &'static mut [u8; Reason::BYTES]) -> Box<Runes<Portenta, { qspi::SLOTS }>> {
    stack::mark(guard::STACK_GUARD_BYTES as usize);
    memory::start();
    let mut cortex = cortex_m::Peripherals::take().expect("the board starts once");
    fault::start(&mut cortex.SCB, &guard::MEANING);
    gate::start(&mut cortex.SCB, &mut cortex.DCB, &mut cortex.FPU);
    guard::start(&mut cortex.MPU, &mut cortex.SCB, &mut cortex.CPUID);
    let reason = reason(bytes);
    clock::enable_oscillator();
    let (config, has_oscillator) = clock::config();
    let p = embassy_stm32::init_primary(config, &SHARED);
    clock::start();
    let period = u32::try_from(Portenta::WATCHDOG.as_micros()).unwrap_or(u32::MAX);
    let mut watchdog = IndependentWatchdog::new(p.IWDG1, period);
    watchdog.unleash();
    // The bootloader may have left them off.
    // SAFETY: every handler is in place.
    unsafe { cortex_m::interrupt::enable() };
    wake_regularly(&mut cortex.SYST);
    interrupt::CEC.set_priority(Priority::P6);
    let drivers = DRIVERS.start(interrupt::CEC);

    // Pins: micropython, ports/stm32/boards/ARDUINO_PORTENTA_H7/{mpconfigboard.h,pins.csv}: UART1, LEDR, LEDG, LEDB.
    let uart = UartTx::new_blocking(p.USART1, p.PA9, usart::Config::default());
    let mut console = Console(uart.expect("115,200 bits a second can be made of any clock"));
    console.say(format_args!(
        "RunicOS {} on portenta-h7",
        env!("CARGO_PKG_VERSION")
    ));
    if !has_oscillator {
        console.say(format_args!(
            "the bootloader does not say that the oscillator has 25 MHz: the chip's own clock is used"
        ));
    }
    if let Some(reason) = &reason {
        console.say(format_args!("{}", Before(reason)));
    }
    // Before SDRAM draws current.
    let mut i2c = I2c::new_blocking(p.I2C1, p.PB6, p.PB7, embassy_stm32::i2c::Config::default());
    // 1.5 A for SW1 of the power controller, "fixes power glitches with Eth and SDRAM" (board_init.c as above).
    if i2c.blocking_write(0x08, &[0x36, 0x02]).is_err() {
        console.say(format_args!("the power controller does not answer"));
    }
    let lamp = |pin: Peri<'static, AnyPin>| Output::new(pin, Level::High, Speed::Low);
    let mut lamps = Lamps {
        red: lamp(p.PK5.into()),
        green: lamp(p.PK6.into()),
        blue: lamp(p.PK7.into()),
    };
    let pins = sdram::Pins {
        a0: p.PF0,
        a1: p.PF1,
        a2: p.PF2,
        a3: p.PF3,
        a4: p.PF4,
        a5: p.PF5,
        a6: p.PF12,
        a7: p.PF13,
        a8: p.PF14,
        a9: p.PF15,
        a10: p.PG0,
        a11: p.PG1,
        ba0: p.PG4,
        ba1: p.PG5,
        d0: p.PD14,
        d1: p.PD15,
        d2: p.PD0,
        d3: p.PD1,
        d4: p.PE7,
        d5: p.PE8,
        d6: p.PE9,
        d7: p.PE10,
        d8: p.PE11,
        d9: p.PE12,
        d10: p.PE13,
        d11: p.PE14,
        d12: p.PE15,
        d13: p.PD8,
        d14: p.PD9,
        d15: p.PD10,
        nbl0: p.PE0,
        nbl1: p.PE1,
        cke: p.PH2,
        clk: p.PG8,
        ncas: p.PG15,
        ne: p.PH3,
        nras: p.PF11,
        nwe: p.PH5,
    };
    if sdram::start(p.FMC, pins) {
        // SAFETY: it works, and this comes once.
        unsafe { memory::add_sdram() };
    } else {
        console.say(format_args!(
            "SDRAM does not keep what is written to it, and is not used"
        ));
    }
    let pins = usb::Pins {
        clk: p.PA5,
        dir: p.PI11,
        nxt: p.PH4,
        stp: p.PC0,
        d0: p.PA3,
        d1: p.PB0,
        d2: p.PB1,
        d3: p.PB10,
        d4: p.PB11,
        d5: p.PB12,
        d6: p.PB13,
        d7: p.PB5,
        reset: p.PJ4,
    };
    usb::start(drivers, p.USB_OTG_HS, pins);
    let microphone = microphone::Pins {
        clock: p.PE2,
        data: p.PB2,
        dma: p.BDMA_CH1,
    };
    microphone::start(drivers, microphone);
    let pins = camera::Pins {
        dcmi: p.DCMI,
        dma: p.DMA2_CH3,
        d0: p.PH9,
        d1: p.PH10,
        d2: p.PH11,
        d3: p.PH12,
        d4: p.PH14,
        d5: p.PI4,
        d6: p.PI6,
        d7: p.PI7,
        vsync: p.PI5,
        hsync: p.PA4,
        pixel_clock: p.PA6,
        timer: p.TIM1,
        clock: p.PK1,
        power: p.PC13,
        i2c: p.I2C3,
        scl: p.PH7,
        sda: p.PH8,
    };
    let camera = camera::start(drivers, pins);
    if let Err(why) = &camera {
        console.say(format_args!("no camera: {why}"));
    }
    #[cfg(feature = "bluetooth")]
    let bluetooth = {
        let pins = bluetooth::Pins {
            uart: p.UART7,
            tx: p.PA15,
            rx: p.PF6,
            rts: p.PF8,
            cts: p.PF9,
            power: p.PJ12,
        };
        bluetooth::Bluetooth::start(drivers, pins).ok()
    };
    let seed = rng::Rng::new(p.RNG, Interrupts).next_u64();
    let quadspi = Quadspi::new(
        p.QUADSPI,
        qspi::Pins {
            d0: p.PD11,
            d1: p.PD12,
            d2: p.PF7,
            d3: p.PD13,
            clock: p.PF10,
            select: p.PG6,
        },
    );
    let flash: Flash = match SerialNor::start(quadspi) {
        Ok(flash) => flash,
        Err(why) => {
            console.say(format_args!("the flash chip does not work: {why:?}"));
            // Time to see it, before the board starts anew.
            lamps.red.set_low();
            clock::wait_us(10_000_000);
            panic!("the flash chip does not work: {why:?}");
        }
    };
    console.say(format_args!("flash on {:?} lines", flash.lines()));
    let chip = Portenta {
        console,
        lamps,
        watchdog,
        seed,
        has_camera: camera.is_ok(),
    };
    let links = Links::new(
        #[cfg(feature = "bluetooth")]
        bluetooth,
    );
    Runes::new(chip, links, flash, qspi::MAP, reason)
}

/// Takes the reason why the run before ended: what it has left, or that the watchdog ended it.
fn reason(bytes: &mut [u8; Reason::BYTES]) -> Option<Reason<'_>> {
    let flags = pac::RCC.rsr().read();
    pac::RCC.rsr().modify(|w| w.set_rmvf(true));
    let watchdog = Reason {
        crash: Crash::Watchdog,
        pc: 0,
        lr: 0,
        cfsr: 0,
        address: 0,
        text: "the watchdog was not fed",
    };
    fault::take(bytes).or_else(|| flags.iwdg1rstf().then_some(watchdog))
}

/// Interrupts the sleep of the processor [`WAKES`] times a second.
fn wake_regularly(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(clock::HERTZ / WAKES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Wakes the processor, and asks for the time before its timer begins anew; images are stopped by it.
#[unsafe(no_mangle)]
extern "C" fn rune_tick() -> u64 {
    clock::now_ns()
}

/// Lets the drivers go on.
#[interrupt]
unsafe fn CEC() {
    // SAFETY: this is its interrupt, which is enabled when it is started.
    unsafe { DRIVERS.on_interrupt() };
}
