//! The 16 MB of PSRAM as a chip of NOR flash, so that what holds on QEMU holds on a board.
//!
//! As on a QSPI chip a sector is erased to ones, and programming only clears bits. QEMU keeps the memory in a file.

use core::slice;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase,
    check_read, check_write,
};

/// Bytes of the chip.
pub(crate) const BYTES: usize = 16 << 20;
/// Bytes of a sector.
pub(crate) const SECTOR: usize = 4096;

unsafe extern "C" {
    /// Where the linker has the chip.
    static mut _psram: u8;
}

/// The chip. There is one.
pub(crate) struct Nor(());

impl Nor {
    /// Takes the chip.
    ///
    /// # Safety
    /// Only once.
    pub(crate) unsafe fn take() -> Self {
        Self(())
    }

    fn at(offset: u32) -> *mut u8 {
        (&raw mut _psram).wrapping_add(offset as usize)
    }

    /// Bytes of the chip in place.
    ///
    /// # Safety
    /// They must be erased and written no more.
    pub(crate) unsafe fn mapped(
        &self,
        offset: u32,
        bytes: usize,
    ) -> Result<&'static [u8], NorFlashErrorKind> {
        check_read(self, offset, bytes)?;
        // SAFETY: they lie in the chip, and the caller sees to it that they stay as they are.
        Ok(unsafe { slice::from_raw_parts(Self::at(offset), bytes) })
    }
}

impl ErrorType for Nor {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Nor {
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

impl NorFlash for Nor {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        // SAFETY: the bytes lie in the chip; `mapped` ones are not erased.
        unsafe { Self::at(from).write_bytes(0xFF, (to - from) as usize) };
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        for (at, byte) in (offset..).zip(bytes) {
            // SAFETY: as in `erase`.
            unsafe { *Self::at(at) &= byte };
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Nor {}
