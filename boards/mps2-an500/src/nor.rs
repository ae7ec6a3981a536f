//! The 16 MB of PSRAM as a chip of NOR flash, so that what holds on QEMU holds on a board.
//!
//! As on a QSPI chip a sector is erased to ones, and programming only clears bits. QEMU keeps the memory in a file.

use core::{slice, time::Duration};

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase,
    check_read, check_write,
};
use rune_firmware::InPlace;
use rune_install::nor::{Device, Operation};

/// Bytes of the chip.
pub(crate) const BYTES: usize = 16 << 20;
/// Bytes of a sector.
pub(crate) const SECTOR: usize = 4096;

unsafe extern "C" {
    /// Where the linker has the chip.
    static mut _psram: u8;
}

/// The chip. There is one.
pub(crate) struct Flash {
    #[cfg(feature = "crash")]
    stop: Option<Stop>,
}

/// When the chip stops for ever, as if the power were cut.
#[cfg(feature = "crash")]
#[derive(Clone, Copy)]
pub(crate) struct Stop {
    /// After so many operations.
    pub(crate) after: u32,
    /// The next one is done by half.
    pub(crate) is_torn: bool,
}

impl Flash {
    /// Takes the chip.
    ///
    /// # Safety
    /// Only once.
    pub(crate) unsafe fn take() -> Self {
        Self {
            #[cfg(feature = "crash")]
            stop: None,
        }
    }

    /// Where it is mapped.
    pub(crate) fn address() -> u32 {
        (&raw const _psram) as u32
    }

    fn at(offset: u32) -> *mut u8 {
        (&raw mut _psram).wrapping_add(offset as usize)
    }

    /// Lets the chip stop.
    #[cfg(feature = "crash")]
    pub(crate) fn stop(&mut self, stop: Stop) {
        self.stop = Some(stop);
    }

    /// An operation begins, on so many bytes: how many of them it gets to.
    #[cfg(feature = "crash")]
    fn reach(&mut self, bytes: usize) -> usize {
        match &mut self.stop {
            Some(Stop { after: 0, is_torn }) if *is_torn => bytes / 2,
            Some(Stop { after: 0, .. }) => 0,
            Some(Stop { after, .. }) => {
                *after -= 1;
                bytes
            }
            None => bytes,
        }
    }

    #[cfg(not(feature = "crash"))]
    #[expect(clippy::unused_self, reason = "as in builds for tests")]
    fn reach(&mut self, bytes: usize) -> usize {
        bytes
    }

    /// An operation has ended that got to so many of its bytes.
    fn end(reached: usize, bytes: usize) {
        if reached < bytes {
            crate::uart::say!("the flash has stopped");
            cortex_m::interrupt::disable();
            loop {
                cortex_m::asm::nop();
            }
        }
    }
}

impl Device for Flash {
    /// Of a W25Q128JV.
    const LONGEST_ERASE: Duration = Duration::from_millis(400);

    fn is_torn(_: &Self::Error) -> bool {
        false
    }

    // One operation takes less than a turn of the scheduler may, and nothing else reads the chip meanwhile.
    fn before(&mut self, _: Operation) {}

    fn mapped(&self) -> Option<&[u8]> {
        // SAFETY: that is where the chip is; it is changed only by who has it alone.
        Some(unsafe { slice::from_raw_parts(Self::at(0), BYTES) })
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        // SAFETY: the bytes lie in the chip, and elsewhere than those of the caller.
        unsafe { Self::at(offset).copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let bytes = (to - from) as usize;
        let reached = self.reach(bytes);
        // SAFETY: the bytes lie in the chip, and nobody reads them.
        unsafe { Self::at(from).write_bytes(0xFF, reached) };
        Self::end(reached, bytes);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let reached = self.reach(bytes.len());
        for (at, byte) in (offset..).zip(&bytes[..reached]) {
            // SAFETY: as in `erase`.
            unsafe { *Self::at(at) &= byte };
        }
        Self::end(reached, bytes.len());
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}

// SAFETY: it is always mapped, and only erasing and programming writes there.
unsafe impl InPlace for Flash {}
