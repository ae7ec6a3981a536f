//! What is set on this device by SMP, in a file of the served folder that only its owner reads.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use rune_smp::settings::Settings;
use rune_terminal::write;
use serde::Deserialize;
use serde_json::Value;

use crate::Signer;

/// The file.
const FILE: &str = "device-settings";

/// What is in it, in TOML. What is not set is left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct File {
    name: String,
    wifi_ssid: String,
    wifi_key: String,
    /// `ed25519:` and 64 digits each, or empty where one was removed.
    keys: Vec<String>,
}

/// What is set, and where it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    settings: Settings,
    keys: Vec<Signer>,
}

impl Kept {
    /// What is set on the device of a folder.
    ///
    /// # Errors
    /// The file, and what is wrong with it: then nobody knows whom the device obeys.
    pub(super) fn read(folder: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let path = folder.join(FILE);
        let settings = match fs::read_to_string(&path) {
            Ok(text) => text.parse::<toml::Table>().map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(toml::Table::new()),
            Err(error) => Err(error),
        };
        let settings = settings
            .and_then(|table| table.try_into().map_err(io::Error::other))
            .and_then(|file| read(&file).map_err(io::Error::other));
        match settings {
            Ok(settings) => {
                let keys = signers(&settings);
                Ok(Self {
                    path,
                    settings,
                    keys,
                })
            }
            Err(error) => Err((path, error)),
        }
    }

    /// What is set.
    pub(super) fn settings(&self) -> Settings {
        self.settings
    }

    /// What the device is called.
    pub(super) fn name(&self) -> Option<String> {
        let name = String::from_utf8_lossy(self.settings.name.as_bytes());
        Some(name.into_owned()).filter(|name| !name.is_empty())
    }

    /// Whom it obeys.
    pub(super) fn keys(&self) -> &[Signer] {
        &self.keys
    }

    /// Whether it obeys anybody.
    pub(super) fn has_key(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Keeps what is set from now on.
    ///
    /// # Errors
    /// A sentence: it cannot be written, and what was set before counts.
    pub(super) fn keep(&mut self, settings: &Settings) -> Result<(), String> {
        let shown = self.path.display();
        let [name, ssid, key] = [
            settings.name.as_bytes(),
            settings.wifi_ssid.as_bytes(),
            settings.wifi_key.as_bytes(),
        ]
        .map(std::str::from_utf8);
        let ssid = ssid.map_err(|_| "the name of its network is to be UTF-8 on Linux")?;
        let keys = settings.keys.iter().map(|key| {
            let signer = key.map(Signer::new);
            signer.map_or(String::new(), |signer| signer.to_string())
        });
        let mut keys: Vec<String> = keys.collect();
        while keys.pop_if(|key| key.is_empty()).is_some() {}
        let mut bytes = String::new();
        let mut line = |key: &str, value: Value, is_set: bool| {
            // Texts of JSON are texts of TOML; a string takes everything.
            if is_set {
                let _ = writeln!(bytes, "{key} = {value}");
            }
        };
        for (key, value) in [
            ("name", name.unwrap_or_default()),
            ("wifi-ssid", ssid),
            ("wifi-key", key.unwrap_or_default()),
        ] {
            line(key, value.into(), !value.is_empty());
        }
        let is_set = !keys.is_empty();
        line("keys", keys.into(), is_set);
        write::private(&self.path, bytes.as_bytes(), true).map_err(|e| format!("{shown}: {e}"))?;
        self.settings = *settings;
        self.keys = signers(settings);
        Ok(())
    }
}

/// What a file says, if each is a value of its setting.
fn read(file: &File) -> Result<Settings, String> {
    use rune_smp::settings::name;

    let mut settings = Settings::NONE;
    let mut set = |name: &str, value: &[u8]| {
        let set = settings.set(name, value);
        set.map_err(|fault| format!("{name}: {}", fault.why()))
    };
    set(name::NAME, file.name.as_bytes())?;
    set(name::WIFI_SSID, file.wifi_ssid.as_bytes())?;
    set(name::WIFI_KEY, file.wifi_key.as_bytes())?;
    for (number, key) in file
        .keys
        .iter()
        .enumerate()
        .filter(|(_, key)| !key.is_empty())
    {
        let signer: Signer = key.parse().map_err(|e| format!("`{key}`: {e}"))?;
        set(&format!("{}{number}", name::KEYS), signer.bytes())?;
    }
    Ok(settings)
}

fn signers(settings: &Settings) -> Vec<Signer> {
    settings
        .keys
        .iter()
        .flatten()
        .copied()
        .map(Signer::new)
        .collect()
}
