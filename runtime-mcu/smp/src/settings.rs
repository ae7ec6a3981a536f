//! What is set on a device by hand: its name, its wireless network, and whom it obeys.
//!
//! A setting is written, and counts once it is committed or saved, all that was written before at once. Only the name is
//! read: nobody learns the rest from a device.

use core::fmt;

use crate::{Code, GroupCode, group};

/// Names of settings.
pub mod name {
    /// What the device is called: letters, digits and `-`, a letter or a digit first, at most 40.
    pub const NAME: &str = "rune/name";
    /// The network that it joins: at most 32 bytes.
    pub const WIFI_SSID: &str = "rune/wifi/ssid";
    /// The key of that network: 8 to 63 characters of ASCII, or nothing of an open network. It is secret.
    pub const WIFI_KEY: &str = "rune/wifi/key";
    /// Begins the names of public keys, 32 bytes each: `rune/keys/0` and on. Once there is one the device is locked.
    pub const KEYS: &str = "rune/keys/";
}

/// Most keys that are set.
pub const KEYS: usize = 4;

/// A value of at most `N` bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Short<N> {
    /// Nothing.
    pub const EMPTY: Self = Self {
        bytes: [0; N],
        used: 0,
    };

    /// `None` of what is too long.
    pub fn new(value: &[u8]) -> Option<Self> {
        let mut short = Self::EMPTY;
        short.bytes.get_mut(..value.len())?.copy_from_slice(value);
        short.used = value.len();
        Some(short)
    }

    /// What it is.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// Everything that is set. What is empty is not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// See [`name::NAME`].
    pub name: Short<40>,
    /// See [`name::WIFI_SSID`].
    pub wifi_ssid: Short<32>,
    /// See [`name::WIFI_KEY`].
    pub wifi_key: Short<63>,
    /// See [`name::KEYS`].
    pub keys: [Option<[u8; 32]>; KEYS],
}

impl Settings {
    /// Of a new device.
    pub const NONE: Self = Self {
        name: Short::EMPTY,
        wifi_ssid: Short::EMPTY,
        wifi_key: Short::EMPTY,
        keys: [None; KEYS],
    };

    /// Sets one.
    ///
    /// # Errors
    /// There is none of this name, or the value is none for it.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), SettingFault> {
        const WRONG: SettingFault = SettingFault::Value;
        match name {
            name::NAME => {
                let is_fine = |(at, byte): (usize, &u8)| {
                    byte.is_ascii_alphanumeric() || at > 0 && *byte == b'-'
                };
                if !value.iter().enumerate().all(is_fine) {
                    return Err(WRONG);
                }
                self.name = Short::new(value).ok_or(WRONG)?;
            }
            name::WIFI_SSID => self.wifi_ssid = Short::new(value).ok_or(WRONG)?,
            name::WIFI_KEY => {
                let is_fine = value.iter().all(|byte| (b' '..=b'~').contains(byte));
                if !is_fine || (1..8).contains(&value.len()) {
                    return Err(WRONG);
                }
                self.wifi_key = Short::new(value).ok_or(WRONG)?;
            }
            _ => {
                let key = self.key(name)?;
                *key = Some(value.try_into().map_err(|_| WRONG)?);
            }
        }
        Ok(())
    }

    /// Bytes of [`to_bytes`](Self::to_bytes).
    pub const BYTES: usize = 41 + 33 + 64 + KEYS * 33;

    /// For memory that keeps them: each with its length before it and zeros behind it.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let mut rest = &mut bytes[..];
        let mut put = |value: &[u8], room: usize| {
            let (own, others) = core::mem::take(&mut rest).split_at_mut(room + 1);
            own[0] = value.len() as u8;
            own[1..=value.len()].copy_from_slice(value);
            rest = others;
        };
        put(self.name.as_bytes(), 40);
        put(self.wifi_ssid.as_bytes(), 32);
        put(self.wifi_key.as_bytes(), 63);
        for key in &self.keys {
            put(key.as_ref().map_or(&[], |key| &key[..]), 32);
        }
        bytes
    }

    /// What was kept so; `None` of what never was.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut rest = &bytes[..];
        let mut take = |room: usize| {
            let (own, others) = rest.split_at_checked(room + 1)?;
            rest = others;
            own.get(1..)?.get(..usize::from(own[0]))
        };
        let mut settings = Self::NONE;
        let [name, ssid, key] = [take(40)?, take(32)?, take(63)?];
        settings.set(name::NAME, name).ok()?;
        settings.set(name::WIFI_SSID, ssid).ok()?;
        settings.set(name::WIFI_KEY, key).ok()?;
        for key in &mut settings.keys {
            *key = match take(32)? {
                [] => None,
                bytes => Some(bytes.try_into().ok()?),
            };
        }
        Some(settings)
    }

    /// Removes one.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn remove(&mut self, name: &str) -> Result<(), SettingFault> {
        match name {
            name::NAME => self.name = Short::EMPTY,
            name::WIFI_SSID => self.wifi_ssid = Short::EMPTY,
            name::WIFI_KEY => self.wifi_key = Short::EMPTY,
            _ => *self.key(name)? = None,
        }
        Ok(())
    }

    fn key(&mut self, name: &str) -> Result<&mut Option<[u8; 32]>, SettingFault> {
        let number = name.strip_prefix(name::KEYS);
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let key = number.and_then(|number| self.keys.get_mut(number));
        key.ok_or(SettingFault::Unknown)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().flatten().count();
        let name = core::str::from_utf8(self.name.as_bytes()).unwrap_or_default();
        write!(f, "Settings of `{name}` with {keys} keys")
    }
}

/// What concerns whom a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anybody.
    Plain,
    /// Whoever gets hold of the device by it.
    Key,
    /// Whoever must not see it on the way.
    Secret,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Self {
        if name == name::WIFI_KEY {
            Self::Secret
        } else if name.starts_with(name::KEYS) {
            Self::Key
        } else {
            Self::Plain
        }
    }
}

/// Why something is not done with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SettingFault {
    /// There is none of this name.
    Unknown,
    /// The value is none for it.
    Value,
    /// It is never read.
    WriteOnly,
    /// It is the key of an open device, and came over a network.
    Unowned,
    /// It is secret, and came over a network, which carries what it is given as it is.
    Seen,
    /// The last key of a device cannot be removed: who else would it obey?
    LastKey,
}

impl SettingFault {
    /// In words.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Unknown => "there is no such setting",
            Self::Value => "it is no value for this setting",
            Self::WriteOnly => "it is written and never read",
            Self::Unowned => {
                "the device is open, and its first key is not taken over a network, where anybody could be first: use a \
                 serial port or Bluetooth"
            }
            Self::Seen => {
                "a secret is not taken over a network, which carries it as it is: use a serial port or Bluetooth"
            }
            Self::LastKey => "its last key cannot be removed",
        }
    }

    /// The error of the group of settings.
    pub const fn code(self) -> GroupCode {
        let (number, nearest) = match self {
            Self::Unknown => (3, Code::NoEntry),
            Self::Value => (1, Code::Invalid),
            Self::WriteOnly => (4, Code::NotSupported),
            Self::Unowned | Self::Seen => (6, Code::AccessDenied),
            Self::LastKey => (7, Code::BadState),
        };
        GroupCode {
            group: group::SETTINGS,
            number,
            nearest,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::{SettingFault, Settings, name};

    #[test]
    fn values_are_checked_and_replace_each_other() {
        let mut settings = Settings::NONE;
        for (name, right) in [
            (name::NAME, &b"kitchen-2"[..]),
            (name::WIFI_SSID, b"our network"),
            (name::WIFI_KEY, b"correct horse"),
            ("rune/keys/3", &[7; 32]),
        ] {
            assert_eq!(settings.set(name, right), Ok(()), "{name}");
        }
        assert_eq!(settings.wifi_key.as_bytes(), b"correct horse");
        assert_eq!(settings.keys[3], Some([7; 32]));
        let before = settings;
        for (name, wrong) in [
            (name::NAME, &b"-a"[..]),
            (name::NAME, b"a.b"),
            (name::NAME, &[b'a'; 41]),
            (name::WIFI_SSID, &[b'a'; 33]),
            (name::WIFI_KEY, b"7 chars"),
            (name::WIFI_KEY, &[b'a'; 64]),
            (name::WIFI_KEY, b"correct\nhorse"),
            ("rune/keys/0", &[7; 31]),
        ] {
            assert_eq!(
                settings.set(name, wrong),
                Err(SettingFault::Value),
                "{name}"
            );
        }
        for name in ["rune/keys/4", "rune/keys/", "rune/keys/-1", "bt/name", ""] {
            assert_eq!(settings.set(name, &[7; 32]), Err(SettingFault::Unknown));
            assert_eq!(settings.remove(name), Err(SettingFault::Unknown));
        }
        assert_eq!(settings, before);
        let mut bytes = settings.to_bytes();
        assert_eq!(Settings::from_bytes(&bytes), Some(settings));
        for wrong in 0..=255 {
            bytes[41] = wrong;
            let read = Settings::from_bytes(&bytes);
            assert_eq!(read.is_some(), wrong <= 32, "a length of {wrong}");
        }
        assert_eq!(settings.remove(name::WIFI_KEY), Ok(()));
        assert_eq!(settings.remove("rune/keys/3"), Ok(()));
        assert_eq!(settings.wifi_key.as_bytes(), b"");
        assert_eq!(settings.keys, [None; 4]);
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut settings = Settings::NONE;
        assert_eq!(settings.set(name::WIFI_KEY, b"correct horse"), Ok(()));
        assert!(!format!("{settings:?}").contains("correct"));
    }
}
