//! The flash chip on the QUADSPI: 16 MB, where runes lie.

use core::{ops::Range, slice, time::Duration};

use embassy_stm32::{
    Peri,
    mode::Blocking,
    pac::{QUADSPI, quadspi::regs::Ccr},
    peripherals,
    qspi::{
        Config, Qspi,
        enums::{AddressSize, ChipSelectHighTime, FIFOThresholdLevel, MemorySize, SampleShifting},
    },
};
use rune_firmware::{Bus, BusTimeout, Lines, Part, SerialNor};
use rune_install::nor::Map;

use crate::{clock, guard};

/// The chip: MX25L12833F. The times are not of its data sheet, which was not at hand: they are more than those of its
/// relatives (MX25L12835F: 120 ms, 1.5 ms, 40 ms), and only make an error come later.
pub(crate) struct Mx25l12833f;

impl Part for Mx25l12833f {
    const ID: [u8; 3] = [0xC2, 0x20, 0x18];
    const BYTES: usize = 16 << 20;
    const ERASE: Duration = Duration::from_millis(400);
    const PROGRAM: Duration = Duration::from_millis(5);
    const STATUS: Duration = Duration::from_millis(100);
}

/// The chip with its bus.
pub(crate) type Flash = SerialNor<Quadspi, Mx25l12833f>;

/// Slots for runes.
pub(crate) const SLOTS: usize = 6;

/// Areas and slots. The first and the last MiB stay as they are: there Arduino keeps files, and the firmware of the
/// radio (mpconfigboard.h of `MicroPython`: "Reserve 1MiB at the end"; arduino/ArduinoCore-mbed, `WiFiFirmwareUpdater`).
pub(crate) const MAP: Map<SLOTS> = Map::consecutive(1 << 20, 64 << 10, 2 << 20, 64 << 10);
const _: () = assert!(MAP.slots[SLOTS - 1] + MAP.slot <= 15 << 20);

/// Longer than any transfer that is not mapped takes: 260 bytes at 50 Mbit/s.
const LONGEST_NS: u64 = 10_000_000;

/// How CCR says what it is used for.
const WRITE: u8 = 0;
const READ: u8 = 1;
const MAPPED: u8 = 3;
const ONE_LINE: u8 = 1;
const FOUR_LINES: u8 = 3;
const ADDRESS_OF_24_BITS: u8 = 2;

unsafe extern "C" {
    static _qspi: u8;
}

/// The slot around an address at which the chip is mapped.
pub(crate) fn slot(address: u32) -> Range<u32> {
    let chip = (&raw const _qspi) as u32;
    let offset = address.saturating_sub(chip);
    let mut slots = MAP.slots.iter();
    let slot = slots.find(|slot| (**slot..**slot + MAP.slot).contains(&offset));
    slot.map_or(address..address, |slot| chip + slot..chip + slot + MAP.slot)
}

/// The QUADSPI. The driver of the HAL sets it up; what it then does is here, since that one waits without end and
/// cannot leave mapped mode.
pub(crate) struct Quadspi {
    _pins: Qspi<'static, peripherals::QUADSPI, Blocking>,
}

/// Pins (micropython, `ports/stm32/boards/ARDUINO_PORTENTA_H7/pins.csv`, `QSPI2_CS` to `QSPI2_D3`).
pub(crate) struct Pins {
    pub(crate) d0: Peri<'static, peripherals::PD11>,
    pub(crate) d1: Peri<'static, peripherals::PD12>,
    pub(crate) d2: Peri<'static, peripherals::PF7>,
    pub(crate) d3: Peri<'static, peripherals::PD13>,
    pub(crate) clock: Peri<'static, peripherals::PF10>,
    pub(crate) select: Peri<'static, peripherals::PG6>,
}

impl Quadspi {
    pub(crate) fn new(quadspi: Peri<'static, peripherals::QUADSPI>, pins: Pins) -> Self {
        let mut config = Config::default();
        config.memory_size = MemorySize::_16MiB;
        config.address_size = AddressSize::_24bit;
        // 200 MHz / 4: half of what MicroPython uses, for a beginning.
        config.prescaler = 3;
        config.fifo_threshold = FIFOThresholdLevel::_1Bytes;
        config.cs_high_time = ChipSelectHighTime::_5Cycle;
        config.sample_shifting = SampleShifting::HalfCycle;
        let Pins {
            d0,
            d1,
            d2,
            d3,
            clock,
            select,
        } = pins;
        Self {
            _pins: Qspi::new_blocking_bank1(quadspi, d0, d1, d2, d3, clock, select, config),
        }
    }

    /// Waits until something is so.
    fn until(is: impl Fn() -> bool) -> Result<(), BusTimeout> {
        let end = clock::now_ns() + LONGEST_NS;
        loop {
            // The time is taken before: whoever was interrupted looks once more.
            let is_late = clock::now_ns() > end;
            if is() {
                return Ok(());
            }
            if is_late {
                return Err(BusTimeout);
            }
        }
    }

    /// Ends whatever goes on. Mapped mode goes on from the first read until then.
    fn abort() -> Result<(), BusTimeout> {
        if QUADSPI.sr().read().busy() {
            QUADSPI.cr().modify(|w| w.set_abort(true));
        }
        Self::until(|| !QUADSPI.cr().read().abort() && !QUADSPI.sr().read().busy())
    }

    fn begin(how: u8, instruction: u8, address: Option<u32>, len: usize) -> Result<(), BusTimeout> {
        Self::until(|| !QUADSPI.sr().read().busy())?;
        QUADSPI.fcr().write(|w| {
            w.set_ctcf(true);
            w.set_ctef(true);
        });
        if len > 0 {
            QUADSPI.dlr().write(|w| w.set_dl(len as u32 - 1));
        }
        let mut ccr = Ccr(0);
        ccr.set_fmode(how);
        ccr.set_instruction(instruction);
        ccr.set_imode(ONE_LINE);
        ccr.set_admode(if address.is_some() { ONE_LINE } else { 0 });
        ccr.set_adsize(ADDRESS_OF_24_BITS);
        ccr.set_dmode(if len > 0 { ONE_LINE } else { 0 });
        QUADSPI.ccr().write_value(ccr);
        if let Some(address) = address {
            QUADSPI.ar().write(|w| w.set_address(address));
        }
        Ok(())
    }

    fn end() -> Result<(), BusTimeout> {
        Self::until(|| QUADSPI.sr().read().tcf())?;
        QUADSPI.fcr().write(|w| w.set_ctcf(true));
        Self::until(|| !QUADSPI.sr().read().busy())
    }

    /// The data register, of which one byte is accessed.
    fn data() -> *mut u8 {
        QUADSPI.dr().as_ptr().cast()
    }

    fn send_now(instruction: u8, address: Option<u32>, data: &[u8]) -> Result<(), BusTimeout> {
        Self::begin(WRITE, instruction, address, data.len())?;
        for byte in data {
            Self::until(|| QUADSPI.sr().read().ftf())?;
            // SAFETY: the register takes bytes, and there is room for one.
            unsafe { Self::data().write_volatile(*byte) };
        }
        Self::end()
    }

    fn ask_now(instruction: u8, into: &mut [u8]) -> Result<(), BusTimeout> {
        Self::begin(READ, instruction, None, into.len())?;
        for byte in into {
            Self::until(|| QUADSPI.sr().read().flevel() > 0)?;
            // SAFETY: the register gives bytes, and there is one.
            *byte = unsafe { Self::data().read_volatile() };
        }
        Self::end()
    }

    /// Leaves the bus fit for the next transfer.
    fn or_abort(result: Result<(), BusTimeout>) -> Result<(), BusTimeout> {
        result.inspect_err(|_| {
            // Whether this works, the next transfer finds out.
            let _ = Self::abort();
        })
    }
}

// SAFETY: the chip has an address that stays while it is mapped, and whoever changes it has the cache emptied before it is
// mapped again.
unsafe impl Bus for Quadspi {
    fn now_ns(&self) -> u64 {
        clock::now_ns()
    }

    fn send(
        &mut self,
        instruction: u8,
        address: Option<u32>,
        data: &[u8],
    ) -> Result<(), BusTimeout> {
        Self::or_abort(Self::send_now(instruction, address, data))
    }

    fn ask(&mut self, instruction: u8, into: &mut [u8]) -> Result<(), BusTimeout> {
        Self::or_abort(Self::ask_now(instruction, into))
    }

    fn map(
        &mut self,
        instruction: u8,
        dummy: u8,
        lines: Lines,
        changed: Range<u32>,
    ) -> Result<(), BusTimeout> {
        Self::until(|| !QUADSPI.sr().read().busy())?;
        if !changed.is_empty() {
            guard::clean_and_invalidate();
        }
        let mut ccr = Ccr(0);
        ccr.set_fmode(MAPPED);
        ccr.set_instruction(instruction);
        ccr.set_imode(ONE_LINE);
        ccr.set_admode(ONE_LINE);
        ccr.set_adsize(ADDRESS_OF_24_BITS);
        ccr.set_dcyc(dummy);
        ccr.set_dmode(match lines {
            Lines::One => ONE_LINE,
            Lines::Four => FOUR_LINES,
        });
        QUADSPI.ccr().write_value(ccr);
        guard::allow_qspi(true);
        Ok(())
    }

    fn unmap(&mut self) -> Result<(), BusTimeout> {
        // Before it: a read that comes in between would never end.
        guard::allow_qspi(false);
        Self::abort()
    }

    fn mapped(&self) -> &[u8] {
        // SAFETY: the chip is as large as that, and mapped when this is called.
        unsafe { slice::from_raw_parts(&raw const _qspi, Mx25l12833f::BYTES) }
    }
}
