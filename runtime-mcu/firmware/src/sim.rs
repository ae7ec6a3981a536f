//! A chip of flash as its data sheet says, for tests: what a driver must not do ends the test.

use alloc::{rc::Rc, vec, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    ops::Range,
    time::Duration,
};

use embedded_storage::nor_flash::NorFlash as _;

use crate::{Bus, BusTimeout, Lines, Part, SerialNor};

/// The chip of the tests.
pub(crate) struct Small;

impl Part for Small {
    const ID: [u8; 3] = [0xC2, 0x20, 0x18];
    const BYTES: usize = 256 << 10;
    const ERASE: Duration = Duration::from_millis(400);
    const PROGRAM: Duration = Duration::from_millis(3);
    const STATUS: Duration = Duration::from_millis(40);
}

/// What went over the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Instruction, address, bytes of data.
    Instruction(u8, Option<u32>, usize),
    Map(u8, Lines, Range<u32>),
    Unmap,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a way in which a chip may fail"
)]
pub(crate) struct State {
    pub(crate) bytes: Vec<u8>,
    pub(crate) status: u8,
    pub(crate) security: u8,
    pub(crate) id: [u8; 3],
    /// Never ends what it begins.
    pub(crate) hangs: bool,
    /// Forgets to take instructions that write.
    pub(crate) locked: bool,
    /// The status register cannot be written.
    pub(crate) fixed_status: bool,
    /// The next operation ends badly.
    pub(crate) fails: bool,
    /// As many instructions still come through.
    pub(crate) left: u32,
    pub(crate) log: Vec<Sent>,
    busy_until: u64,
    is_mapped: bool,
    reset_enabled: bool,
}

/// The bus with the chip. All clones are one.
#[derive(Clone)]
pub(crate) struct Sim {
    pub(crate) state: Rc<RefCell<State>>,
    now: Rc<Cell<u64>>,
    /// What is mapped, as of the last time.
    shown: &'static [u8],
}

impl Sim {
    pub(crate) fn new() -> Self {
        let state = State {
            bytes: vec![0xFF; Small::BYTES],
            status: 0,
            security: 0,
            id: Small::ID,
            hangs: false,
            locked: false,
            fixed_status: false,
            fails: false,
            left: u32::MAX,
            log: Vec::new(),
            busy_until: 0,
            is_mapped: false,
            reset_enabled: false,
        };
        Self {
            state: Rc::new(RefCell::new(state)),
            now: Rc::default(),
            shown: &[],
        }
    }

    pub(crate) fn log(&self) -> Vec<Sent> {
        core::mem::take(&mut self.state.borrow_mut().log)
    }
}

impl State {
    fn begin(&mut self, now: u64, time: Duration) {
        assert!(self.status & 2 != 0, "it was not enabled");
        self.status &= !2;
        // Most take less than the data sheet says.
        self.busy_until = now + time.as_nanos() as u64 / 2;
        if self.hangs {
            self.busy_until = u64::MAX;
        }
        self.security = 0;
    }

    fn take(&mut self, now: u64, instruction: u8) -> Result<(), BusTimeout> {
        assert!(!self.is_mapped, "the bus is mapped");
        self.left = self.left.checked_sub(1).ok_or(BusTimeout)?;
        let is_busy = now < self.busy_until;
        assert!(!is_busy || instruction == 0x05, "the chip is busy");
        self.status = self.status & !1 | u8::from(is_busy);
        Ok(())
    }
}

// SAFETY: what is shown is leaked and never changed: who has an older one sees the chip as it was.
unsafe impl Bus for Sim {
    fn now_ns(&self) -> u64 {
        self.now.set(self.now.get() + 10_000);
        self.now.get()
    }

    fn send(&mut self, op: u8, address: Option<u32>, data: &[u8]) -> Result<(), BusTimeout> {
        let now = self.now_ns();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.take(now, op)?;
        state.log.push(Sent::Instruction(op, address, data.len()));
        let reset_enabled = core::mem::take(&mut state.reset_enabled);
        match (op, address, data) {
            (0x06, None, []) => state.status |= u8::from(!state.locked) << 1,
            (0x66, None, []) => state.reset_enabled = true,
            (0x99, None, []) => {
                assert!(reset_enabled);
                state.status &= !2;
            }
            (0xAB, None, []) => {}
            (0x01, None, [status]) => {
                state.begin(now, Small::STATUS);
                if !state.fixed_status {
                    state.status = status & !3;
                }
            }
            (0x20, Some(at), []) => {
                state.begin(now, Small::ERASE);
                assert!(at % 4096 == 0);
                if core::mem::take(&mut state.fails) {
                    state.security = 1 << 6;
                } else {
                    state.bytes[at as usize..][..4096].fill(0xFF);
                }
            }
            (0x02, Some(at), data) => {
                state.begin(now, Small::PROGRAM);
                assert!((1..=256).contains(&data.len()));
                if core::mem::take(&mut state.fails) {
                    state.security = 1 << 5;
                    return Ok(());
                }
                for (i, byte) in data.iter().enumerate() {
                    // Behind the end of a page comes its start.
                    let at = at as usize & !255 | (at as usize + i) & 255;
                    state.bytes[at] &= byte;
                }
            }
            _ => panic!("no instruction: {op:#x} {address:?} {data:?}"),
        }
        Ok(())
    }

    fn ask(&mut self, op: u8, into: &mut [u8]) -> Result<(), BusTimeout> {
        let now = self.now_ns();
        let mut state = self.state.borrow_mut();
        state.take(now, op)?;
        let answer: &[u8] = match op {
            0x05 => &[state.status],
            0x2B => &[state.security],
            0x9F => &state.id,
            _ => panic!("no instruction: {op:#x}"),
        };
        into.copy_from_slice(&answer[..into.len()]);
        Ok(())
    }

    fn map(
        &mut self,
        op: u8,
        dummy: u8,
        lines: Lines,
        changed: Range<u32>,
    ) -> Result<(), BusTimeout> {
        let now = self.now_ns();
        let mut state = self.state.borrow_mut();
        assert!(!state.is_mapped && dummy == 8);
        state.left = state.left.checked_sub(1).ok_or(BusTimeout)?;
        assert!(now >= state.busy_until || state.hangs, "the chip is busy");
        assert!(lines == Lines::One || state.status & 1 << 6 != 0);
        state.is_mapped = true;
        state.log.push(Sent::Map(op, lines, changed));
        self.shown = state.bytes.clone().leak();
        Ok(())
    }

    fn unmap(&mut self) -> Result<(), BusTimeout> {
        let mut state = self.state.borrow_mut();
        state.left = state.left.checked_sub(1).ok_or(BusTimeout)?;
        state.is_mapped = false;
        state.log.push(Sent::Unmap);
        Ok(())
    }

    fn mapped(&self) -> &[u8] {
        assert!(self.state.borrow().is_mapped, "nobody can read this now");
        self.shown
    }
}

/// A chip that works, with its bus.
pub(crate) fn chip() -> (SerialNor<Sim, Small>, Sim) {
    let sim = Sim::new();
    let chip = SerialNor::start(sim.clone()).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(SerialNor::<Sim, Small>::ERASE_SIZE, 4096);
    (chip, sim)
}
