//! LEB128 numbers of up to 32 bits, as long as they must be or padded to five bytes.

/// Bytes a relocatable number takes.
pub(super) const PADDED: usize = 5;

/// The 32 bits of a number padded to [`PADDED`] bytes, signed or not; `None` if it is written otherwise.
pub(super) fn read_padded(bytes: &[u8]) -> Option<u32> {
    let place: &[u8; PADDED] = bytes.get(..PADDED)?.try_into().ok()?;
    let (last, rest) = place.split_last()?;
    (rest.iter().all(|b| b & 0x80 != 0) && last & 0x80 == 0).then(|| {
        place
            .iter()
            .enumerate()
            .fold(0, |value, (i, b)| value | u32::from(b & 0x7f) << (7 * i))
    })
}

/// How many bytes the number at the start of `bytes` takes; `None` if it does not end within five.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    Some(bytes.iter().take(PADDED).position(|b| b & 0x80 == 0)? + 1)
}

/// `value` as an unsigned number padded to [`PADDED`] bytes.
pub(super) fn padded_unsigned(value: u32) -> [u8; PADDED] {
    std::array::from_fn(|i| {
        let more = if i + 1 < PADDED { 0x80 } else { 0 };
        (value >> (7 * i)) as u8 & 0x7f | more
    })
}

/// `value` as a signed number padded to [`PADDED`] bytes.
pub(super) fn padded_signed(value: i32) -> [u8; PADDED] {
    std::array::from_fn(|i| {
        let more = if i + 1 < PADDED { 0x80 } else { 0 };
        (value >> (7 * i)) as u8 & 0x7f | more
    })
}

/// Appends `value` as an unsigned number.
pub(super) fn push_unsigned(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` as a signed number.
pub(super) fn push_signed(out: &mut Vec<u8>, mut value: i32) {
    while !(-64..64).contains(&value) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8 & 0x7f);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 63, 64, 127, 128, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            assert_eq!(read_padded(&padded_unsigned(value)), Some(value));
            assert_eq!(read_padded(&padded_signed(value as i32)), Some(value));
            let (mut unsigned, mut signed) = (Vec::new(), Vec::new());
            push_unsigned(&mut unsigned, value);
            push_signed(&mut signed, value as i32);
            assert_eq!(length(&unsigned), Some(unsigned.len()));
            let mut reader = wasmparser::BinaryReader::new(&unsigned, 0);
            assert_eq!(reader.read_var_u32().unwrap(), value);
            let mut reader = wasmparser::BinaryReader::new(&signed, 0);
            assert_eq!(reader.read_var_i32().unwrap(), value as i32);
        }
        assert_eq!(read_padded(&[0x80, 0, 0, 0, 0]), None);
    }
}
