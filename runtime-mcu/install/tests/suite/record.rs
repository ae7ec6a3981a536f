//! Records: what is written is read, and any bytes are taken without a panic.

use rune_install::{DecodeError, Pool};

use crate::{
    laws::{self, LIMITS},
    random::Random,
};

type Small = Pool<5, 4, 3>;

#[test]
fn what_is_written_is_read() {
    let mut buffer = [0; Small::RECORD_BYTES];
    for seed in 0..200 {
        let pool = laws::wander::<5, 4, 3>(seed, 60, |_, _| {});
        let len = pool.encode(seed << 32 | 7, LIMITS.step, &mut buffer);
        let (back, sequence) = Small::decode(&buffer[..len]).unwrap();
        assert_eq!(sequence, seed << 32 | 7);
        let mut again = [0; Small::RECORD_BYTES];
        assert_eq!(back.encode(sequence, LIMITS.step, &mut again), len);
        assert_eq!(again[..len], buffer[..len]);
        // What is read is what the machine makes of it when the device starts.
        let input = rune_install::Input::Boot { doubt: false };
        assert_eq!(pool.step(&LIMITS, input).unwrap().pool, back);
        // More slots can be added, and those that hold something cannot be taken away.
        assert!(Pool::<6, 5, 4>::decode(&buffer[..len]).is_ok());
        let fits = pool.slots()[2..]
            .iter()
            .all(|e| e.phase == rune_install::Phase::Empty);
        match Pool::<2, 4, 3>::decode(&buffer[..len]) {
            Ok(_) => assert!(fits),
            Err(error) => assert!(!fits || error == DecodeError::Foreign),
        }
    }
}

#[test]
fn any_bytes_are_taken() {
    let mut random = Random::new(11);
    let mut buffer = [0; Small::RECORD_BYTES];
    let pool = laws::wander::<5, 4, 3>(3, 80, |_, _| {});
    let len = pool.encode(9, LIMITS.step, &mut buffer);
    for bit in 0..len * 8 {
        let mut bytes = buffer;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            Small::decode(&bytes[..len]),
            Err(DecodeError::Damaged),
            "bit {bit}"
        );
    }
    for cut in 0..len {
        assert_eq!(Small::decode(&buffer[..cut]), Err(DecodeError::Damaged));
    }
    for _ in 0..20_000 {
        // Damage that the checksum does not show: what is then read still keeps the laws.
        let mut bytes = buffer;
        for _ in 0..=random.below(4) {
            bytes[random.below(len - 4)] = random.next() as u8;
        }
        let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
        if let Some(end) = length.checked_sub(4).filter(|end| *end < bytes.len() - 4) {
            let sum = crc32(&bytes[..end]);
            bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
        }
        if let Ok((pool, _)) = Small::decode(&bytes) {
            assert!(pool.is_lawful());
        }
        let noise: Vec<u8> = (0..random.below(200))
            .map(|_| random.next() as u8)
            .collect();
        assert!(Small::decode(&noise).is_err());
    }
}

/// CRC-32 (ISO-HDLC), another time.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    !crc
}
