//! Flash whose bytes are lent to runes that run in place.

use core::{ops::Range, slice, time::Duration};

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use rune_install::nor::{Device, Operation};

use crate::PLACES;

/// Flash whose bytes have addresses.
///
/// # Safety
/// What [`mapped`](Device::mapped) gives can be read at its address as long as the program runs, but for the time in
/// which the device erases or programs, and nothing but that changes it.
pub unsafe trait InPlace: Device + MultiwriteNorFlash {}

/// Why flash was not read, erased or programmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LendingError<E> {
    /// The bytes are lent.
    Lent,
    /// The device says so.
    Flash(E),
}

impl<E: NorFlashError> NorFlashError for LendingError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Lent => NorFlashErrorKind::Other,
            Self::Flash(error) => error.kind(),
        }
    }
}

/// A device, of which what is lent is neither erased nor programmed, whoever asks.
#[derive(Debug)]
pub struct Lending<F> {
    flash: F,
    lent: [Option<Range<u32>>; PLACES],
}

impl<F: InPlace> Lending<F> {
    /// Nothing is lent yet.
    pub const fn new(flash: F) -> Self {
        Self {
            flash,
            lent: [const { None }; PLACES],
        }
    }

    /// Lends bytes of the device in place: nothing changes them until they are [released](Self::release). `None` where
    /// they do not lie in the device, or it is not mapped, or as much is lent as can be.
    pub fn lend(&mut self, offset: u32, bytes: u32) -> Option<&'static [u8]> {
        let end = offset.checked_add(bytes)?;
        let mapped = self.flash.mapped()?;
        let lent = mapped.get(offset as usize..end as usize)?;
        // SAFETY: they can be read as long as the program runs, and what is lent is not changed.
        let lent = unsafe { slice::from_raw_parts(lent.as_ptr(), lent.len()) };
        let free = self.lent.iter_mut().find(|lent| lent.is_none())?;
        *free = Some(offset..end);
        Some(lent)
    }

    /// Takes back what was lent from an offset on.
    ///
    /// # Safety
    /// Nobody reads it any more.
    pub unsafe fn release(&mut self, offset: u32) {
        for lent in &mut self.lent {
            lent.take_if(|range| range.start == offset);
        }
    }

    /// The device. Whoever changes it leaves alone what is lent.
    pub fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Refuses what would change lent bytes.
    fn check(&self, from: u32, to: u32) -> Result<(), LendingError<F::Error>> {
        let mut lent = self.lent.iter().flatten();
        if lent.any(|range| from < range.end && range.start < to) {
            return Err(LendingError::Lent);
        }
        Ok(())
    }
}

impl<F: InPlace> ErrorType for Lending<F> {
    type Error = LendingError<F::Error>;
}

impl<F: InPlace> ReadNorFlash for Lending<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.flash.read(offset, bytes).map_err(LendingError::Flash)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: InPlace> NorFlash for Lending<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.check(from, to)?;
        self.flash.erase(from, to).map_err(LendingError::Flash)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.check(offset, offset.saturating_add(bytes.len() as u32))?;
        self.flash.write(offset, bytes).map_err(LendingError::Flash)
    }
}

impl<F: InPlace> MultiwriteNorFlash for Lending<F> {}

impl<F: InPlace> Device for Lending<F> {
    const LONGEST_ERASE: Duration = F::LONGEST_ERASE;

    fn is_torn(error: &Self::Error) -> bool {
        match error {
            LendingError::Lent => false,
            LendingError::Flash(error) => F::is_torn(error),
        }
    }

    fn before(&mut self, operation: Operation) {
        self.flash.before(operation);
    }

    fn mapped(&self) -> Option<&[u8]> {
        self.flash.mapped()
    }
}

#[cfg(test)]
mod tests {
    use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind, ReadNorFlash};

    use super::{Lending, LendingError};
    use crate::{PLACES, SerialNorError, sim::chip};

    #[test]
    fn what_is_lent_is_neither_erased_nor_programmed() {
        let mut flash = Lending::new(chip().0);
        assert_eq!(flash.write(8192, &[1, 2, 3]), Ok(()));
        assert_eq!(flash.lend(8192, 3), Some(&[1, 2, 3][..]));
        assert_eq!(flash.erase(8192, 12_288), Err(LendingError::Lent));
        assert_eq!(flash.erase(0, 12_288), Err(LendingError::Lent));
        assert_eq!(flash.write(8194, &[0]), Err(LendingError::Lent));
        assert_eq!(flash.write(8191, &[0; 2]), Err(LendingError::Lent));
        assert_eq!(flash.write(8195, &[7]), Ok(()));
        assert_eq!(flash.erase(4096, 8192), Ok(()));
        // SAFETY: what was lent was read.
        unsafe { flash.release(8192) };
        assert_eq!(flash.erase(8192, 12_288), Ok(()));
        let mut byte = [0];
        assert_eq!((flash.read(8192, &mut byte), byte), (Ok(()), [0xFF]));
    }

    #[test]
    fn no_more_is_lent_than_can_run_nor_beyond_the_end() {
        let mut flash = Lending::new(chip().0);
        let end = flash.capacity() as u32;
        assert_eq!(flash.lend(end, 1), None);
        assert_eq!(flash.lend(u32::MAX, 2), None);
        for place in 0..PLACES as u32 {
            assert!(flash.lend(place * 4096, 10).is_some());
        }
        assert_eq!(flash.lend(end - 1, 1), None);
        // SAFETY: nobody reads it.
        unsafe { flash.release(0) };
        assert_eq!(flash.lend(end - 1, 1), Some(&[0xFF][..]));
        let beyond = flash.erase(end, end + 4096);
        assert_eq!(
            beyond,
            Err(LendingError::Flash(SerialNorError::OutOfBounds))
        );
        let kinds = [
            LendingError::Lent,
            LendingError::Flash(SerialNorError::NotAligned),
        ]
        .map(|error| embedded_storage::nor_flash::NorFlashError::kind(&error));
        assert_eq!(
            kinds,
            [NorFlashErrorKind::Other, NorFlashErrorKind::NotAligned]
        );
    }
}
