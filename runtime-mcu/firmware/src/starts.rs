//! Counts the starts of a board on its flash, so that no two have the same number, whenever the power is cut.
//!
//! One sector has a number and its complement, and a word behind them for each start since, which is cleared before the
//! number is used. Where it is full the other sector goes on with the next number.

use embedded_storage::nor_flash::NorFlash;

/// Bytes of a word.
const WORD: u32 = 4;
/// Words of a sector before those of starts: the number and its complement.
const HEAD: u32 = 2;
const BLANK: [u8; 4] = [0xFF; 4];

/// Counts one more start in the two sectors at these offsets of the flash; gives its number, from 1 on. A board that had
/// none of them begins with 1.
///
/// # Errors
/// Where the flash does not work.
pub fn count_start<F: NorFlash>(flash: &mut F, sectors: [u32; 2]) -> Result<u32, F::Error> {
    let words = F::ERASE_SIZE as u32 / WORD - HEAD;
    let mut last: Option<(u32, usize)> = None;
    for (index, at) in sectors.into_iter().enumerate() {
        let base = number(flash, at)?;
        if let Some(base) = base.filter(|base| last.is_none_or(|(other, _)| *base > other)) {
            last = Some((base, index));
        }
    }
    let (next, to) = match last {
        Some((base, index)) => {
            let first = sectors[index] + HEAD * WORD;
            for used in 0..words {
                let at = first + used * WORD;
                let mut word = [0; 4];
                flash.read(at, &mut word)?;
                // One that was being cleared counts: its number was not used yet, and is not used now.
                if word == BLANK {
                    flash.write(at, &[0; 4])?;
                    return Ok(base.saturating_add(used + 1));
                }
            }
            (base.saturating_add(words + 1), 1 - index)
        }
        None => (1, 0),
    };
    let at = sectors[to];
    flash.erase(at, at + F::ERASE_SIZE as u32)?;
    let head = [next.to_le_bytes(), (!next).to_le_bytes()];
    flash.write(at, head.as_flattened())?;
    Ok(next)
}

/// The number that a sector begins with; `None` where it has none, or one that is torn.
fn number<F: NorFlash>(flash: &mut F, at: u32) -> Result<Option<u32>, F::Error> {
    let mut head = [[0; 4]; 2];
    flash.read(at, head.as_flattened_mut())?;
    let [number, complement] = head.map(u32::from_le_bytes);
    Ok((number == !complement).then_some(number))
}

#[cfg(test)]
mod tests {
    use embedded_storage::nor_flash::NorFlash as _;

    use super::count_start;
    use crate::sim::chip;

    const SECTORS: [u32; 2] = [8192, 12_288];

    #[test]
    fn every_start_has_a_number_of_its_own() {
        let mut flash = chip().0;
        // More than one sector has words for.
        for expected in 1..2500 {
            assert_eq!(count_start(&mut flash, SECTORS), Ok(expected));
        }
    }

    #[test]
    fn what_was_cut_uses_no_number_twice() {
        let mut flash = chip().0;
        for expected in 1..1023 {
            assert_eq!(count_start(&mut flash, SECTORS), Ok(expected));
        }
        // A word of which some bits were cleared.
        assert_eq!(flash.write(8192 + 4 * 1023, &[0xFE]), Ok(()));
        // The next sector, of which only half a number was written.
        assert_eq!(flash.write(12_288, &[0x12]), Ok(()));
        assert_eq!(count_start(&mut flash, SECTORS), Ok(1024));
        assert_eq!(count_start(&mut flash, SECTORS), Ok(1025));
    }
}
