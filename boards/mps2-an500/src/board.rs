//! What the board is.
//!
//! Its sensors are the host's: those that it plays, which are adapted here, and whole samples of every other kind.

use core::{fmt, ops::Range, time::Duration};

use cortex_m::peripheral::SCB;
use rune_abi::OutputKind;
use rune_core::{Engines, Interpreter, Policy, Schedule, Table};
use rune_cortex_m::Images;
use rune_firmware::{Chip, WHOLE};
use rune_install::nor::Map;

use crate::{
    clock,
    links::Links,
    memory,
    nor::Flash,
    uart::say,
    watchdog::{self, Watchdog},
};

/// Slots: more than the runes that may run, so that there is one for an upload, and others for what was before.
pub(crate) const SLOTS: usize = 7;

/// Bytes of a slot. Each begins at a multiple of that, so that one region of the protection unit covers what it holds.
const SLOT: u32 = 2 << 20;

/// Slots, and behind them two areas of 8 KiB; an upload that was cut goes on at a multiple of 16 KiB.
pub(crate) const MAP: Map<SLOTS> = Map {
    areas: [SLOTS as u32 * SLOT, SLOTS as u32 * SLOT + AREA],
    area: AREA,
    slots: [0, SLOT, 2 * SLOT, 3 * SLOT, 4 * SLOT, 5 * SLOT, 6 * SLOT],
    slot: SLOT,
    step: 16 << 10,
};
const AREA: u32 = 8 << 10;

/// The public key of the secret one whose seed is 32 bytes of 7, for tests; no board in the field has it.
#[cfg(feature = "crash")]
const NATIVE_KEYS: &[[u8; 32]] = &[[
    0xea, 0x4a, 0x6c, 0x63, 0xe2, 0x9c, 0x52, 0x0a, 0xbe, 0xf5, 0x50, 0x7b, 0x13, 0x2e, 0xc5, 0xf9,
    0x95, 0x47, 0x76, 0xae, 0xbe, 0xbe, 0x7b, 0x92, 0x42, 0x1e, 0xea, 0x69, 0x14, 0x46, 0xd2, 0x2c,
]];
#[cfg(not(feature = "crash"))]
const NATIVE_KEYS: &[[u8; 32]] = &[];

static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &WHOLE,
    outputs: &[OutputKind::Serial],
    memory_bytes: 2 << 20,
    code_bytes: 256 << 10,
    native_keys: NATIVE_KEYS,
};

/// The slot around an address of the chip of flash.
fn slot(address: u32) -> Range<u32> {
    let flash = Flash::address();
    let offset = address.saturating_sub(flash);
    let slot = MAP
        .slots
        .iter()
        .find(|slot| (**slot..**slot + SLOT).contains(&offset));
    slot.map_or(address..address, |slot| flash + slot..flash + slot + SLOT)
}

/// There is nothing at it.
#[cfg(feature = "crash")]
const NOWHERE: usize = 0x9000_0000;

/// The board.
pub(crate) struct Board {
    pub(crate) watchdog: Watchdog,
    /// Where the flash did not count this start, nobody may change anything.
    #[cfg(feature = "locked")]
    pub(crate) lock: Option<crate::lock::Lock>,
}

impl Chip for Board {
    type Links = Links;
    type Flash = Flash;
    type Engine = Engines<Interpreter, Images>;

    const NAME: &'static str = "mps2-an500";
    const TABLE: &'static Table = &TABLE;
    const WATCHDOG: Duration = Duration::from_secs(watchdog::SECONDS as u64);

    fn engine(&self) -> Self::Engine {
        Engines {
            modules: Interpreter,
            images: Images {
                now_ns: clock::now_ns,
                slot,
            },
        }
    }

    fn now_ns() -> u64 {
        clock::now_ns()
    }

    /// It is called when the host asks for it, and shorter than the watchdog's period.
    fn policy() -> Policy {
        Policy {
            schedule: Schedule::Trigger,
            memory_bytes: TABLE.memory_bytes,
            ..Policy::default()
        }
    }

    fn say(&mut self, text: fmt::Arguments<'_>) {
        say!("{text}");
    }

    fn feed_watchdog(&mut self) {
        self.watchdog.feed();
    }

    fn heap(&self) -> [usize; 3] {
        memory::heap()
    }

    fn stack(&self) -> [usize; 2] {
        rune_cortex_m::stack::used(0)
    }

    fn reset(&mut self) -> ! {
        SCB::sys_reset()
    }

    #[cfg(feature = "locked")]
    fn lock(&self) -> Option<rune_smp::device::Lock> {
        let nobody = rune_smp::device::Lock {
            device: [0; 16],
            nonce: [0; 16],
        };
        self.lock
            .as_ref()
            .map_or(Some(nobody), crate::lock::Lock::closed)
    }

    #[cfg(feature = "locked")]
    fn vouches(&self, key: &[u8; 32], parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        let lock = self.lock.as_ref();
        lock.is_some_and(|lock| lock.vouches(key, parts, signature))
    }

    #[cfg(feature = "locked")]
    fn settings(&self) -> Option<rune_smp::settings::Settings> {
        self.lock.as_ref().map(crate::lock::Lock::settings)
    }

    #[cfg(feature = "locked")]
    fn keep(
        &mut self,
        flash: &mut Flash,
        settings: &rune_smp::settings::Settings,
    ) -> Result<(), &'static str> {
        let lock = self.lock.as_mut().ok_or("the flash does not work")?;
        lock.keep(flash, settings)
    }

    #[cfg(feature = "crash")]
    fn crash(&mut self, how: rune_link::Crash) -> Result<(), &'static str> {
        if how != rune_link::Crash::Links {
            rune_cortex_m::fault::crash(how, NOWHERE);
        }
        Ok(())
    }

    #[cfg(feature = "crash")]
    fn sums(&mut self) -> Result<[u32; 4], &'static str> {
        use rune_cortex_m::state::{self, Sum};

        // From behind what the protection unit forbids to its end.
        const CODE: Range<u32> = 0x400..0x40_0000;
        // The end of the stack, which is never used so far; the end of the heap; what is kept.
        const MEMORY: [Range<u32>; 2] = [0x2000_0000..0x2000_1000, 0x2030_0000..0x2040_0000];
        let (mut code, mut memory, mut chip) = (Sum::default(), Sum::default(), Sum::default());
        // SAFETY: that is all of the map, see `memory.x`.
        unsafe {
            code.words(CODE);
            for addresses in MEMORY {
                memory.words(addresses);
            }
        }
        crate::chip::settings(|word| chip.add(word));
        Ok([
            state::processor(),
            chip.value(),
            code.value(),
            memory.value(),
        ])
    }

    #[cfg(feature = "crash")]
    fn stop_flash(flash: &mut Flash, after: u32, is_torn: bool) -> Result<(), &'static str> {
        flash.stop(crate::nor::Stop { after, is_torn });
        Ok(())
    }
}
