//! Clocks, and time since the start.
//!
//! 400 MHz, at which the firmware of `MicroPython` and of `OpenMV` runs on this board too (micropython,
//! `ports/stm32/boards/ARDUINO_PORTENTA_H7/mpconfigboard.h`; openmv,
//! `src/omv/boards/ARDUINO_PORTENTA_H7/omv_boardconfig.h`):
//! 480 MHz need voltage scale 0, which nobody has tried here.

use core::cell::Cell;

use critical_section::Mutex;
use embassy_stm32::{
    Config, pac,
    rcc::{
        AHBPrescaler, APBPrescaler, Hse, HseMode, LsConfig, Pll, PllDiv, PllMul, PllPreDiv,
        PllSource, SMPSSupplyVoltage, SupplyConfig, Sysclk, VoltageScale, mux,
    },
    time::Hertz,
};

/// Ticks per second of the processor.
pub(crate) const HERTZ: u32 = 400_000_000;
/// Of TIM5: twice APB1, which is a quarter of the processor's.
const TIMER_HERTZ: u32 = 200_000_000;

/// Where Arduino's bootloader says what board it is for: a magic byte, its version, and eleventh the MHz of the
/// oscillator, from version 14 on (arduino/ArduinoCore-mbed, libraries/PDM/src/portenta/audio.c, `isBoardRev2`).
const BOARD: *const u8 = 0x0801_F000 as *const u8;

/// Whether the oscillator is known to have 25 MHz. The first boards had 27 MHz.
fn has_25_mhz() -> bool {
    // SAFETY: flash of the bootloader, which is always there.
    let [magic, version, mhz] = [0, 1, 10].map(|i| unsafe { BOARD.add(i).read_volatile() });
    magic == 0xA0 && version >= 14 && mhz == 25
}

/// Lets the oscillator run: PH1 (micropython,
/// `ports/stm32/boards/ARDUINO_PORTENTA_H7/pins.csv`, OSCEN). To be called before the clocks are set, which waits for
/// it.
pub(crate) fn enable_oscillator() {
    const PIN: usize = 1;
    pac::RCC.ahb4enr().modify(|w| w.set_gpiohen(true));
    // Reading back waits until the port has its clock.
    let _ = pac::RCC.ahb4enr().read();
    pac::GPIOH.bsrr().write(|w| w.set_bs(PIN, true));
    pac::GPIOH
        .moder()
        .modify(|w| w.set_moder(PIN, pac::gpio::vals::Moder::OUTPUT));
    // A millisecond at most at the bootloader's speed.
    cortex_m::asm::delay(480_000);
}

/// The clocks, and whether they come from the oscillator; else from the chip's own, which is 1 % off at worst.
pub(crate) fn config() -> (Config, bool) {
    let is_known = has_25_mhz();
    let mut config = Config::default();
    let rcc = &mut config.rcc;
    // 5 MHz from 25, 4 MHz from 64: both make 800 MHz.
    let (source, prediv, mul) = if is_known {
        rcc.hse = Some(Hse {
            freq: Hertz::mhz(25),
            mode: HseMode::Bypass,
        });
        (PllSource::HSE, PllPreDiv::DIV5, PllMul::MUL160)
    } else {
        (PllSource::HSI, PllPreDiv::DIV16, PllMul::MUL200)
    };
    rcc.pll1 = Some(Pll {
        source,
        prediv,
        mul,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    // Sound: 344 / 7 MHz, or 49.143; Arduino has the same (audio.c as above).
    let (prediv, mul) = if is_known {
        (PllPreDiv::DIV25, PllMul::MUL344)
    } else {
        (PllPreDiv::DIV32, PllMul::MUL172)
    };
    rcc.pll3 = Some(Pll {
        source,
        prediv,
        mul,
        divp: Some(PllDiv::DIV7),
        divq: None,
        divr: None,
    });
    rcc.sys = Sysclk::PLL1_P;
    rcc.ahb_pre = AHBPrescaler::DIV2;
    rcc.apb1_pre = APBPrescaler::DIV2;
    rcc.apb2_pre = APBPrescaler::DIV2;
    rcc.apb3_pre = APBPrescaler::DIV2;
    rcc.apb4_pre = APBPrescaler::DIV2;
    rcc.voltage_scale = VoltageScale::Scale1;
    // The board's wiring: the step-down converter feeds the linear regulator (mpconfigboard.h as above,
    // PWR_SMPS_1V8_SUPPLIES_LDO). Another choice does not start, and can only be undone without power.
    rcc.supply_config = SupplyConfig::SMPSLDO(SMPSSupplyVoltage::V1_8);
    // The registers beside the RTC are how the bootloader knows a double tap, and changing its clock clears them.
    rcc.ls = LsConfig::off();
    rcc.mux.usbsel = mux::Usbsel::HSI48;
    rcc.mux.rngsel = mux::Rngsel::HSI48;
    (config, is_known)
}

/// Ticks of TIM5 when it was last read, and all until then.
static TICKS: Mutex<Cell<(u32, u64)>> = Mutex::new(Cell::new((0, 0)));

/// Starts to count time. To be called when the clocks are set.
pub(crate) fn start() {
    pac::RCC.apb1lenr().modify(|w| w.set_tim5en(true));
    let _ = pac::RCC.apb1lenr().read();
    let timer = pac::TIM5;
    timer.arr().write_value(u32::MAX);
    timer.egr().write(|w| w.set_ug(true));
    timer.cr1().modify(|w| w.set_cen(true));
}

/// Nanoseconds since the start, in steps of 5. The timer begins anew every 21 seconds; the interrupt that wakes the
/// processor asks a hundred times a second.
pub(crate) fn now_ns() -> u64 {
    const TICK_NS: u64 = 1_000_000_000 / TIMER_HERTZ as u64;
    critical_section::with(|cs| {
        let ticks = TICKS.borrow(cs);
        let (last, total) = ticks.get();
        let value = pac::TIM5.cnt().read();
        let total = total + u64::from(value.wrapping_sub(last));
        ticks.set((value, total));
        total * TICK_NS
    })
}

/// Waits so many microseconds, or longer.
pub(crate) fn wait_us(us: u64) {
    let end = now_ns() + us * 1_000;
    while now_ns() < end {}
}
