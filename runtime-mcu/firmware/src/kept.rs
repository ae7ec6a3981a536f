//! What is set on a board, in two sectors of its flash, so that what was set before or what is set now counts, whenever the
//! power is cut.
//!
//! A sector has a number, the settings, and a digest of both. The greater number counts; what is set goes to the other one.

use embedded_storage::nor_flash::NorFlash;
use rune_smp::settings::Settings;
use sha2::{Digest as _, Sha256};

/// Bytes of the number and the settings, and of all.
const BODY: usize = 4 + Settings::BYTES;
const RECORD: usize = (BODY + 32).next_multiple_of(64);

/// What is set, by the two sectors at these offsets of the flash; nothing where they have nothing.
///
/// # Errors
/// Where the flash does not work.
pub fn settings<F: NorFlash>(flash: &mut F, sectors: [u32; 2]) -> Result<Settings, F::Error> {
    Ok(last(flash, sectors)?.map_or(Settings::NONE, |last| last.settings))
}

/// Keeps what is set from now on.
///
/// # Errors
/// Where the flash does not work; what was set before counts.
pub fn keep_settings<F: NorFlash>(
    flash: &mut F,
    sectors: [u32; 2],
    settings: &Settings,
) -> Result<(), F::Error> {
    let last = last(flash, sectors)?;
    let (number, to) = last.map_or((1, 0), |last| (last.number + 1, 1 - last.sector));
    let mut record = [0xFF; RECORD];
    record[..4].copy_from_slice(&number.to_le_bytes());
    record[4..BODY].copy_from_slice(&settings.to_bytes());
    let digest = Sha256::digest(&record[..BODY]);
    record[BODY..BODY + 32].copy_from_slice(&digest);
    let at = sectors[to];
    flash.erase(at, at + F::ERASE_SIZE as u32)?;
    flash.write(at, &record)
}

/// The record that counts.
struct Last {
    number: u32,
    sector: usize,
    settings: Settings,
}

fn last<F: NorFlash>(flash: &mut F, sectors: [u32; 2]) -> Result<Option<Last>, F::Error> {
    let mut last: Option<Last> = None;
    for (sector, at) in sectors.into_iter().enumerate() {
        let mut record = [0; RECORD];
        flash.read(at, &mut record)?;
        let (body, digest) = record.split_at(BODY);
        if digest[..32] != Sha256::digest(body)[..] {
            continue;
        }
        let (number, bytes) = body.split_at(4);
        let number = number.try_into().map_or(0, u32::from_le_bytes);
        let settings = bytes.try_into().ok().and_then(Settings::from_bytes);
        let is_newer = last.as_ref().is_none_or(|last| number > last.number);
        // The last number has none behind it.
        if let Some(settings) = settings.filter(|_| is_newer && number < u32::MAX) {
            last = Some(Last {
                number,
                sector,
                settings,
            });
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use embedded_storage::nor_flash::NorFlash as _;
    use rune_smp::settings::{Settings, name};

    use super::{RECORD, keep_settings, settings};
    use crate::sim::chip;

    const SECTORS: [u32; 2] = [16_384, 20_480];

    fn named(text: &str) -> Settings {
        let mut settings = Settings::NONE;
        assert_eq!(settings.set(name::NAME, text.as_bytes()), Ok(()));
        settings
    }

    #[test]
    fn what_was_set_last_counts_and_what_was_cut_does_not() {
        let mut flash = chip().0;
        assert_eq!(settings(&mut flash, SECTORS), Ok(Settings::NONE));
        for text in ["one", "two", "three"] {
            assert_eq!(keep_settings(&mut flash, SECTORS, &named(text)), Ok(()));
            assert_eq!(settings(&mut flash, SECTORS), Ok(named(text)));
        }
        // The next one goes over the one before, wherever it is cut: erased, and written in part.
        let mut record = [0; RECORD];
        for cut in (0..RECORD).step_by(64) {
            assert_eq!(flash.erase(SECTORS[1], SECTORS[1] + 4096), Ok(()));
            record[..cut].fill(7);
            if cut > 0 {
                assert_eq!(flash.write(SECTORS[1], &record[..cut]), Ok(()));
            }
            assert_eq!(settings(&mut flash, SECTORS), Ok(named("three")));
        }
        assert_eq!(keep_settings(&mut flash, SECTORS, &named("four")), Ok(()));
        assert_eq!(settings(&mut flash, SECTORS), Ok(named("four")));
    }
}
