//! The SDRAM: 8 MB at 0xC0000000, an AS4C4M16SA on the FMC.

use embassy_stm32::{Peri, fmc::Fmc, peripherals as p};
use embedded_hal::delay::DelayNs;
use stm32_fmc::{SdramChip, SdramConfiguration, SdramTiming};

use crate::{clock, guard};

/// Bytes.
const BYTES: usize = 8 << 20;

/// The chip, at 100 MHz. Geometry and times are those of `MicroPython` for this board (mpconfigboard.h,
/// `MICROPY_HW_SDRAM_*`), but for the latency, which is one cycle more.
struct As4c4m16sa;

impl SdramChip for As4c4m16sa {
    /// Bursts of one word, a latency of three cycles, single writes.
    const MODE_REGISTER: u16 = 0x0230;

    const CONFIG: SdramConfiguration = SdramConfiguration {
        column_bits: 8,
        row_bits: 12,
        memory_data_width: 16,
        internal_banks: 4,
        cas_latency: 3,
        write_protection: false,
        read_burst: true,
        read_pipe_delay_cycles: 0,
    };

    const TIMING: SdramTiming = SdramTiming {
        startup_delay_ns: 200_000,
        max_sd_clock_hz: 100_000_000,
        // 64 ms for 4096 rows.
        refresh_period_ns: 15_625,
        mode_register_to_active: 2,
        exit_self_refresh: 7,
        active_to_precharge: 5,
        row_cycle: 7,
        row_precharge: 3,
        row_to_column: 3,
    };
}

struct Delay;

impl DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        clock::wait_us(u64::from(ns.div_ceil(1_000)));
    }
}

/// Pins (mpconfigboard.h as above, `MICROPY_HW_FMC_*`).
pub(crate) struct Pins {
    pub(crate) a0: Peri<'static, p::PF0>,
    pub(crate) a1: Peri<'static, p::PF1>,
    pub(crate) a2: Peri<'static, p::PF2>,
    pub(crate) a3: Peri<'static, p::PF3>,
    pub(crate) a4: Peri<'static, p::PF4>,
    pub(crate) a5: Peri<'static, p::PF5>,
    pub(crate) a6: Peri<'static, p::PF12>,
    pub(crate) a7: Peri<'static, p::PF13>,
    pub(crate) a8: Peri<'static, p::PF14>,
    pub(crate) a9: Peri<'static, p::PF15>,
    pub(crate) a10: Peri<'static, p::PG0>,
    pub(crate) a11: Peri<'static, p::PG1>,
    pub(crate) ba0: Peri<'static, p::PG4>,
    pub(crate) ba1: Peri<'static, p::PG5>,
    pub(crate) d0: Peri<'static, p::PD14>,
    pub(crate) d1: Peri<'static, p::PD15>,
    pub(crate) d2: Peri<'static, p::PD0>,
    pub(crate) d3: Peri<'static, p::PD1>,
    pub(crate) d4: Peri<'static, p::PE7>,
    pub(crate) d5: Peri<'static, p::PE8>,
    pub(crate) d6: Peri<'static, p::PE9>,
    pub(crate) d7: Peri<'static, p::PE10>,
    pub(crate) d8: Peri<'static, p::PE11>,
    pub(crate) d9: Peri<'static, p::PE12>,
    pub(crate) d10: Peri<'static, p::PE13>,
    pub(crate) d11: Peri<'static, p::PE14>,
    pub(crate) d12: Peri<'static, p::PE15>,
    pub(crate) d13: Peri<'static, p::PD8>,
    pub(crate) d14: Peri<'static, p::PD9>,
    pub(crate) d15: Peri<'static, p::PD10>,
    pub(crate) nbl0: Peri<'static, p::PE0>,
    pub(crate) nbl1: Peri<'static, p::PE1>,
    pub(crate) cke: Peri<'static, p::PH2>,
    pub(crate) clk: Peri<'static, p::PG8>,
    pub(crate) ncas: Peri<'static, p::PG15>,
    pub(crate) ne: Peri<'static, p::PH3>,
    pub(crate) nras: Peri<'static, p::PF11>,
    pub(crate) nwe: Peri<'static, p::PH5>,
}

/// Starts it, and says whether it keeps what is written to it.
pub(crate) fn start(fmc: Peri<'static, p::FMC>, pins: Pins) -> bool {
    let Pins {
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        a6,
        a7,
        a8,
        a9,
        a10,
        a11,
        ba0,
        ba1,
        d0,
        d1,
        d2,
        d3,
        d4,
        d5,
        d6,
        d7,
        d8,
        d9,
        d10,
        d11,
        d12,
        d13,
        d14,
        d15,
        nbl0,
        nbl1,
        cke,
        clk,
        ncas,
        ne,
        nras,
        nwe,
    } = pins;
    let mut sdram = Fmc::sdram_a12bits_d16bits_4banks_bank1(
        fmc, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, ba0, ba1, d0, d1, d2, d3, d4, d5,
        d6, d7, d8, d9, d10, d11, d12, d13, d14, d15, nbl0, nbl1, cke, clk, ncas, ne, nras, nwe,
        As4c4m16sa,
    );
    keeps(sdram.init(&mut Delay))
}

/// Writes a number of its own to every word, and looks whether it is there: lines that are broken or touch each other
/// show, and rows that are not refreshed.
fn keeps(sdram: *mut u32) -> bool {
    let words = 0..BYTES / 4;
    let number = |i: usize| (i as u32).wrapping_mul(0x9E37_79B1);
    for i in words.clone() {
        // SAFETY: the words are the SDRAM's, which nobody uses yet.
        unsafe { sdram.add(i).write_volatile(number(i)) };
    }
    guard::clean_and_invalidate();
    let mut good = words.map(|i| {
        // SAFETY: as above.
        unsafe { sdram.add(i).read_volatile() == number(i) }
    });
    good.all(|good| good)
}
