//! A chip of serial NOR flash with four data lines, over whatever reaches it.
//!
//! Between operations the chip is mapped: its bytes have addresses and can be read in place. To erase or program it
//! the bus leaves that mode, and comes back before the operation ends, well or not. While it is away nothing can be
//! read, so nothing executes from a chip that is being written.

use core::time::Duration;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
    check_erase, check_read, check_write,
};
use rune_install::nor::{Device, Operation};

use crate::InPlace;

/// On how many lines data comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// One.
    One,
    /// Four.
    Four,
}

/// The bus did not do what it was asked for in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusTimeout;

/// What reaches a chip. Instructions, addresses of 24 bits and, but for mapped reading, data go over one line.
///
/// # Safety
/// What [`mapped`](Self::mapped) gives can be read at its address as long as the program runs, whenever the chip is
/// mapped, and nothing but instructions that are sent to the chip changes it.
pub unsafe trait Bus {
    /// Nanoseconds since some moment.
    fn now_ns(&self) -> u64;

    /// Sends an instruction, then an address if there is one, then data if there are any.
    ///
    /// # Errors
    /// Where it does not end.
    fn send(
        &mut self,
        instruction: u8,
        address: Option<u32>,
        data: &[u8],
    ) -> Result<(), BusTimeout>;

    /// Sends an instruction and reads what the chip answers.
    ///
    /// # Errors
    /// Where it does not end.
    fn ask(&mut self, instruction: u8, into: &mut [u8]) -> Result<(), BusTimeout>;

    /// Maps the chip: whoever reads its addresses makes the bus send this instruction, an address, `dummy` cycles, and
    /// take data on so many lines. `changed` are the bytes that changed since it was mapped last; nothing older of them
    /// may be read.
    ///
    /// # Errors
    /// Where the bus is busy and stays so.
    fn map(
        &mut self,
        instruction: u8,
        dummy: u8,
        lines: Lines,
        changed: core::ops::Range<u32>,
    ) -> Result<(), BusTimeout>;

    /// Ends that, so that instructions can be sent, and nobody can read the addresses.
    ///
    /// # Errors
    /// Where the bus is busy and stays so.
    fn unmap(&mut self) -> Result<(), BusTimeout>;

    /// All bytes of the chip; only read while it is mapped.
    fn mapped(&self) -> &[u8];
}

/// A kind of chip, by its data sheet.
pub trait Part {
    /// Manufacturer, type, size: what it answers when it is asked who it is.
    const ID: [u8; 3];
    /// Bytes.
    const BYTES: usize;
    /// Longest time to erase 4 KiB.
    const ERASE: Duration;
    /// Longest time to program a page of 256 bytes.
    const PROGRAM: Duration;
    /// Longest time to write the status register.
    const STATUS: Duration;
}

/// Instructions that chips of all makers have.
mod instruction {
    pub(super) const WRITE_STATUS: u8 = 0x01;
    pub(super) const PROGRAM: u8 = 0x02;
    pub(super) const STATUS: u8 = 0x05;
    pub(super) const WRITE_ENABLE: u8 = 0x06;
    pub(super) const FAST_READ: u8 = 0x0B;
    pub(super) const ERASE: u8 = 0x20;
    /// Of Macronix: how the last operation ended.
    pub(super) const SECURITY: u8 = 0x2B;
    pub(super) const RESET_ENABLE: u8 = 0x66;
    pub(super) const FAST_READ_FOUR: u8 = 0x6B;
    pub(super) const RESET: u8 = 0x99;
    pub(super) const ID: u8 = 0x9F;
    pub(super) const WAKE: u8 = 0xAB;
}

/// Bits of the status register of Macronix's chips.
const BUSY: u8 = 1;
const WRITE_ENABLED: u8 = 1 << 1;
const FOUR_LINES: u8 = 1 << 6;
/// Bits of their security register.
const PROGRAM_FAILED: u8 = 1 << 5;
const ERASE_FAILED: u8 = 1 << 6;

/// Cycles between address and data of both fast reads.
const DUMMY: u8 = 8;
/// Bytes of a page, beyond which an instruction to program does not go.
const PAGE: usize = 256;
/// More than chips take to wake up or to reset.
const WAKE_NS: u64 = 100_000;

/// Why a chip does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialNorError {
    /// The access does not begin or end with a sector.
    NotAligned,
    /// It goes beyond the chip.
    OutOfBounds,
    /// The bus does not work.
    Bus(BusTimeout),
    /// It is another chip, or none: what it answers.
    Id([u8; 3]),
    /// It took longer than the data sheet says.
    Late,
    /// The chip does not take instructions to write.
    Locked,
    /// The chip says that erasing or programming failed.
    Failed,
    /// It is not mapped, since the bus did not work before.
    Unmapped,
}

impl From<BusTimeout> for SerialNorError {
    fn from(timeout: BusTimeout) -> Self {
        Self::Bus(timeout)
    }
}

impl From<NorFlashErrorKind> for SerialNorError {
    fn from(kind: NorFlashErrorKind) -> Self {
        match kind {
            NorFlashErrorKind::NotAligned => Self::NotAligned,
            NorFlashErrorKind::OutOfBounds => Self::OutOfBounds,
            NorFlashErrorKind::Other | _ => Self::Failed,
        }
    }
}

impl NorFlashError for SerialNorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::Bus(_)
            | Self::Id(_)
            | Self::Late
            | Self::Locked
            | Self::Failed
            | Self::Unmapped => NorFlashErrorKind::Other,
        }
    }
}

/// A chip on a bus.
pub struct SerialNor<B, P> {
    bus: B,
    lines: Lines,
    is_mapped: bool,
    part: core::marker::PhantomData<P>,
}

impl<B: Bus, P: Part> SerialNor<B, P> {
    /// Wakes the chip, looks whether it is the right one, and maps it. It reads on four lines, if the chip can be told
    /// to; the bit for that is written only where it is not set, since it wears.
    ///
    /// # Errors
    /// Where the bus or the chip does not work.
    pub fn start(bus: B) -> Result<Self, SerialNorError> {
        let mut chip = Self {
            bus,
            lines: Lines::One,
            is_mapped: false,
            part: core::marker::PhantomData,
        };
        chip.bus.unmap()?;
        for instruction in [
            instruction::WAKE,
            instruction::RESET_ENABLE,
            instruction::RESET,
        ] {
            chip.bus.send(instruction, None, &[])?;
            if instruction != instruction::RESET_ENABLE {
                let end = chip.bus.now_ns() + WAKE_NS;
                while chip.bus.now_ns() < end {}
            }
        }
        let mut id = [0; 3];
        chip.bus.ask(instruction::ID, &mut id)?;
        if id != P::ID {
            return Err(SerialNorError::Id(id));
        }
        // A reset may have ended an erasure, which takes its time.
        let status = chip.wait(P::ERASE)?;
        chip.lines = chip.four_lines(status)?;
        chip.map(0..0)?;
        Ok(chip)
    }

    /// On how many lines it is read.
    pub const fn lines(&self) -> Lines {
        self.lines
    }

    fn four_lines(&mut self, status: u8) -> Result<Lines, SerialNorError> {
        let is_set = if status & FOUR_LINES == 0 {
            self.enable()?;
            let status = [status | FOUR_LINES];
            self.bus.send(instruction::WRITE_STATUS, None, &status)?;
            self.wait(P::STATUS)? & FOUR_LINES != 0
        } else {
            true
        };
        Ok(if is_set { Lines::Four } else { Lines::One })
    }

    fn register(&mut self, instruction: u8) -> Result<u8, SerialNorError> {
        let mut register = [0];
        self.bus.ask(instruction, &mut register)?;
        Ok(register[0])
    }

    /// Waits until the chip is not busy; gives its status.
    fn wait(&mut self, most: Duration) -> Result<u8, SerialNorError> {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let end = self.bus.now_ns().saturating_add(most);
        loop {
            // The time is taken before: whoever was interrupted looks once more.
            let is_late = self.bus.now_ns() > end;
            let status = self.register(instruction::STATUS)?;
            if status & BUSY == 0 {
                return Ok(status);
            }
            if is_late {
                return Err(SerialNorError::Late);
            }
        }
    }

    /// Lets the next instruction write.
    fn enable(&mut self) -> Result<(), SerialNorError> {
        self.bus.send(instruction::WRITE_ENABLE, None, &[])?;
        if self.register(instruction::STATUS)? & WRITE_ENABLED == 0 {
            return Err(SerialNorError::Locked);
        }
        Ok(())
    }

    fn map(&mut self, changed: core::ops::Range<u32>) -> Result<(), SerialNorError> {
        let instruction = match self.lines {
            Lines::One => instruction::FAST_READ,
            Lines::Four => instruction::FAST_READ_FOUR,
        };
        self.bus.map(instruction, DUMMY, self.lines, changed)?;
        self.is_mapped = true;
        Ok(())
    }

    /// Does something that changes these bytes, out of mapped mode.
    fn change(
        &mut self,
        changed: core::ops::Range<u32>,
        how: impl FnOnce(&mut Self) -> Result<(), SerialNorError>,
    ) -> Result<(), SerialNorError> {
        self.is_mapped = false;
        self.bus.unmap()?;
        let result = how(self);
        // Also where it went wrong, what is there can be read.
        let mapped = self.map(changed);
        result.and(mapped)
    }

    /// One instruction that writes, and its end.
    fn operate(
        &mut self,
        (instruction, failed): (u8, u8),
        address: u32,
        data: &[u8],
        most: Duration,
    ) -> Result<(), SerialNorError> {
        self.enable()?;
        self.bus.send(instruction, Some(address), data)?;
        self.wait(most)?;
        if self.register(instruction::SECURITY)? & failed != 0 {
            return Err(SerialNorError::Failed);
        }
        Ok(())
    }
}

impl<B, P> ErrorType for SerialNor<B, P> {
    type Error = SerialNorError;
}

impl<B: Bus, P: Part> ReadNorFlash for SerialNor<B, P> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        let mapped = self.mapped().ok_or(SerialNorError::Unmapped)?;
        bytes.copy_from_slice(&mapped[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        P::BYTES
    }
}

impl<B: Bus, P: Part> NorFlash for SerialNor<B, P> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        const ERASE: (u8, u8) = (instruction::ERASE, ERASE_FAILED);
        check_erase(self, from, to)?;
        self.change(from..to, |chip| {
            let mut sectors = (from..to).step_by(Self::ERASE_SIZE);
            sectors.try_for_each(|sector| chip.operate(ERASE, sector, &[], P::ERASE))
        })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        const PROGRAM: (u8, u8) = (instruction::PROGRAM, PROGRAM_FAILED);
        check_write(self, offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.change(offset..offset + bytes.len() as u32, |chip| {
            let (mut at, mut rest) = (offset, bytes);
            while !rest.is_empty() {
                let len = rest.len().min(PAGE - at as usize % PAGE);
                let (part, behind) = rest.split_at(len);
                chip.operate(PROGRAM, at, part, P::PROGRAM)?;
                at += len as u32;
                rest = behind;
            }
            Ok(())
        })
    }
}

impl<B: Bus, P: Part> MultiwriteNorFlash for SerialNor<B, P> {}

impl<B: Bus, P: Part> Device for SerialNor<B, P> {
    const LONGEST_ERASE: Duration = P::ERASE;

    /// Such chips have no ECC that can be seen.
    fn is_torn(_: &Self::Error) -> bool {
        false
    }

    /// A chunk is as long as one request: the scheduler feeds the watchdog between them.
    fn before(&mut self, _: Operation) {}

    fn mapped(&self) -> Option<&[u8]> {
        self.is_mapped.then(|| self.bus.mapped())
    }
}

// SAFETY: it is mapped but for the time of an operation, and the bus promises the rest.
unsafe impl<B: Bus, P: Part> InPlace for SerialNor<B, P> {}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
    use rune_install::nor::Device;

    use super::{BusTimeout, Lines, SerialNor, SerialNorError};
    use crate::sim::{Sent, Sim, Small, chip};

    #[test]
    fn a_start_wakes_the_chip_and_sets_the_bit_for_four_lines_once() {
        let (chip, sim) = chip();
        let told = |i| Sent::Instruction(i, None, 0);
        let first = [Sent::Unmap, told(0xAB), told(0x66), told(0x99)];
        let set = [told(0x06), Sent::Instruction(0x01, None, 1)];
        let map = [Sent::Map(0x6B, Lines::Four, 0..0)];
        assert_eq!(sim.log(), [&first[..], &set, &map].concat());
        assert_eq!(chip.lines(), Lines::Four);
        drop(chip);
        let again = SerialNor::<_, Small>::start(sim.clone());
        assert_eq!(again.map(|c| c.lines()), Ok(Lines::Four));
        assert_eq!(sim.log(), [&first[..], &map].concat());
    }

    #[test]
    fn a_chip_that_cannot_be_told_is_read_on_one_line() {
        let sim = Sim::new();
        sim.state.borrow_mut().fixed_status = true;
        let chip = SerialNor::<_, Small>::start(sim.clone());
        assert_eq!(chip.map(|c| c.lines()), Ok(Lines::One));
        assert_eq!(sim.log().last(), Some(&Sent::Map(0x0B, Lines::One, 0..0)));
    }

    #[test]
    fn another_chip_or_none_is_refused() {
        let sim = Sim::new();
        sim.state.borrow_mut().id = [0xFF; 3];
        let started = SerialNor::<_, Small>::start(sim.clone());
        assert_eq!(started.err(), Some(SerialNorError::Id([0xFF; 3])));
        sim.state.borrow_mut().id = [0xC2, 0x20, 0x18];
        sim.state.borrow_mut().left = 3;
        let started = SerialNor::<_, Small>::start(sim);
        assert_eq!(started.err(), Some(SerialNorError::Bus(BusTimeout)));
    }

    #[test]
    fn bytes_go_page_by_page_and_are_read_in_place() {
        let (mut chip, sim) = chip();
        sim.log();
        let bytes: Vec<u8> = (0..600).map(|i| (i % 251) as u8).collect();
        assert_eq!(chip.erase(4096, 8192), Ok(()));
        assert_eq!(chip.write(4096 + 200, &bytes), Ok(()));
        let programs: Vec<Sent> = sim.log();
        let programs: Vec<&Sent> = programs
            .iter()
            .filter(|s| matches!(s, Sent::Instruction(0x02, ..)))
            .collect();
        let sent = |at, len| Sent::Instruction(0x02, Some(at), len);
        let all = [
            sent(4296, 56),
            sent(4352, 256),
            sent(4608, 256),
            sent(4864, 32),
        ];
        assert_eq!(programs, all.iter().collect::<Vec<_>>());
        let mut read = vec![0; 602];
        assert_eq!(chip.read(4096 + 199, &mut read), Ok(()));
        assert_eq!((read[0], read[601]), (0xFF, 0xFF));
        assert_eq!(read[1..601], bytes);
        assert_eq!(chip.mapped().map(|m| &m[4296..4896]), Some(&bytes[..]));
        // Programming clears bits, erasing sets those of whole sectors only.
        assert_eq!(chip.write(4296, &[0xF0]), Ok(()));
        assert_eq!(chip.mapped().map(|m| m[4296]), Some(0));
        assert_eq!(chip.erase(8192, 12288), Ok(()));
        assert_eq!(chip.mapped().map(|m| m[4297]), Some(1));
        let last = sim.log().into_iter().next_back();
        assert_eq!(last, Some(Sent::Map(0x6B, Lines::Four, 8192..12288)));
    }

    #[test]
    fn what_goes_wrong_is_said_and_the_chip_is_mapped_again() {
        let (mut chip, sim) = chip();
        sim.state.borrow_mut().fails = true;
        assert_eq!(chip.erase(0, 4096), Err(SerialNorError::Failed));
        sim.state.borrow_mut().fails = true;
        assert_eq!(chip.write(0, &[1]), Err(SerialNorError::Failed));
        sim.state.borrow_mut().locked = true;
        assert_eq!(chip.write(0, &[1]), Err(SerialNorError::Locked));
        sim.state.borrow_mut().locked = false;
        assert!(chip.mapped().is_some());
        sim.state.borrow_mut().hangs = true;
        assert_eq!(chip.write(0, &[1]), Err(SerialNorError::Late));
        assert!(chip.mapped().is_some());
    }

    #[test]
    fn a_bus_that_stops_anywhere_ends_with_an_error() {
        for left in 0..60 {
            let (mut chip, sim) = chip();
            sim.state.borrow_mut().left = left;
            let result = chip.erase(0, 4096).and_then(|()| chip.write(0, &[0; 300]));
            let mut byte = [0];
            if let Err(error) = result {
                assert_eq!(error, SerialNorError::Bus(BusTimeout));
                assert_eq!(error.kind(), NorFlashErrorKind::Other);
                assert!(matches!(
                    chip.read(0, &mut byte),
                    Ok(()) | Err(SerialNorError::Unmapped)
                ));
            } else {
                assert!(left > 20, "it does not take so few");
            }
        }
    }

    #[test]
    fn accesses_beyond_the_chip_or_a_sector_change_nothing() {
        let (mut chip, sim) = chip();
        sim.log();
        let end = chip.capacity() as u32;
        assert_eq!(chip.erase(0, 100), Err(SerialNorError::NotAligned));
        assert_eq!(
            chip.erase(end, end + 4096),
            Err(SerialNorError::OutOfBounds)
        );
        assert_eq!(
            chip.write(end - 1, &[0, 0]),
            Err(SerialNorError::OutOfBounds)
        );
        assert_eq!(chip.read(end, &mut [0]), Err(SerialNorError::OutOfBounds));
        assert_eq!(chip.write(end, &[]), Ok(()));
        assert_eq!(sim.log(), []);
    }
}
