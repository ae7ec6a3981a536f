//! Key files: what is written is read back, what is damaged is not, and nothing gives the secret away.

use super::*;

const ENCRYPTED: &str = include_str!("../../tests/minisign/secret.key");
const PLAIN: &str = include_str!("../../tests/minisign/plain.key");
const PUBLIC: &str = include_str!("../../tests/minisign/public.pub");

fn key() -> SecretKey {
    SecretKey::new(Class::Native, [7; 40])
}

/// Numbers that look random and are the same in every run.
fn random(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed as usize
}

#[test]
fn a_key_is_read_as_it_was_written() {
    let key = key();
    for protection in [Protection::None, Protection::Password(b"open")] {
        let text = key.to_text(protection, [3; 32]).unwrap();
        let back = SecretKey::parse(&text, protection).unwrap();
        assert_eq!(
            (back.id, back.secret, back.class),
            (key.id, key.secret, key.class)
        );
    }
    let public = PublicKey::parse(&key.public().to_text()).unwrap();
    assert_eq!(public, key.public());
    let line = key.public().to_text().lines().nth(1).unwrap().to_owned();
    assert_eq!(PublicKey::parse(&line).unwrap().signer, key.signer());
    let id = key.signer().to_string();
    assert_eq!(PublicKey::parse(&id).unwrap().signer, key.signer());
}

#[test]
fn the_wrong_password_is_none_and_none_is_asked_for() {
    let text = key()
        .to_text(Protection::Password(b"open"), [3; 32])
        .unwrap();
    let parse = |protection| SecretKey::parse(&text, protection).map(drop);
    assert_eq!(parse(Protection::None), Err(KeyError::Locked));
    assert_eq!(
        parse(Protection::Password(b"Open")),
        Err(KeyError::Password)
    );
}

#[test]
fn keys_that_minisign_made_are_read() {
    let plain = SecretKey::parse(PLAIN, Protection::None).unwrap();
    assert_eq!(plain.class(), Class::Rune);
    assert_eq!(plain.public(), PublicKey::parse(PUBLIC).unwrap());
    // The password of the other takes 1 GiB to try.
    let locked = SecretKey::parse(ENCRYPTED, Protection::None).map(drop);
    assert_eq!(locked, Err(KeyError::Locked));
}

#[test]
fn the_limits_of_libsodium_are_the_parameters_that_it_takes() {
    // Work and memory of its constants SENSITIVE and INTERACTIVE, and ours.
    assert_eq!(costs(33_554_432, 1_073_741_824), (20, 1));
    assert_eq!(costs(524_288, 16_777_216), (14, 1));
    assert_eq!(costs(WORK, MEMORY), (16, 1));
    assert_eq!(costs(0, u64::MAX), (10, 1));
}

#[test]
fn one_kind_of_key_is_not_taken_for_the_other() {
    let secret = key().to_text(Protection::None, [0; 32]).unwrap();
    let public = key().public().to_text();
    assert_eq!(PublicKey::parse(&secret), Err(KeyError::Secret));
    let parsed = SecretKey::parse(&public, Protection::None).map(drop);
    assert_eq!(parsed, Err(KeyError::Public));
}

#[test]
fn a_key_file_that_asks_for_all_memory_is_refused() {
    let mut head = vec![];
    head.extend(ALGORITHM);
    head.extend(SCRYPT);
    head.extend(CHECKSUM);
    head.extend([0; 32]);
    for (work, memory) in [
        (u64::MAX, 1 << 24),
        (1 << 20, u64::MAX),
        (1 << 20, (1 << 30) + 1),
    ] {
        let mut bytes = head.clone();
        bytes.extend(work.to_le_bytes());
        bytes.extend(memory.to_le_bytes());
        bytes.extend([0; HIDDEN_BYTES]);
        let text = file("x", &bytes);
        let parsed = SecretKey::parse(&text, Protection::Password(b"x")).map(drop);
        assert_eq!(parsed, Err(KeyError::Costly));
    }
}

#[test]
fn what_is_printed_of_a_secret_key_is_not_secret() {
    let key = key();
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("SecretKey(native, {})", key.signer()));
    let digits = key.secret[..8].iter().map(|b| format!("{b:02x}"));
    assert!(!shown.contains(&digits.collect::<String>()));
}

#[test]
fn damaged_files_are_refused_or_read_as_the_same_key() {
    let key = key();
    let secret = key.to_text(Protection::None, [0; 32]).unwrap();
    let public = key.public().to_text();
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (mut read, mut refused) = (0, 0);
    for round in 0..20_000 {
        let is_secret = round % 2 == 0;
        let mut bytes = if is_secret { &secret } else { &public }
            .clone()
            .into_bytes();
        for _ in 0..=random(&mut seed) % 3 {
            let at = random(&mut seed) % bytes.len();
            match random(&mut seed) % 4 {
                0 => bytes[at] = random(&mut seed) as u8,
                1 => bytes[at] ^= 1 << (random(&mut seed) % 8),
                2 => bytes.truncate(at + 1),
                _ => bytes.insert(at, random(&mut seed) as u8),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if is_secret {
            // A checksum is over all of it: nothing but its class, in the comment, can be altered.
            match SecretKey::parse(&text, Protection::None) {
                Ok(other) => {
                    assert_eq!((other.id, other.secret), (key.id, key.secret));
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        } else if PublicKey::parse(&text).is_ok() {
            read += 1;
        } else {
            refused += 1;
        }
    }
    assert!(
        read > 500 && refused > 5000,
        "{read} read, {refused} refused"
    );
}
