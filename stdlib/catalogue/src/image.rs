//! Base images: what a class of devices offers a rune, read from the TOML files in `images/`.

use std::sync::LazyLock;

use toml::{Table, Value};

/// A base image: what a class of devices offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Canonical name, such as `runicos/base`.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// One sentence for help and hover.
    pub doc: String,
    /// What runs a rune there.
    pub engine: String,
    /// Cycles per second of its processor, where it has one of its own.
    pub clock_hz: Option<u64>,
    /// Its processor, where C made for it has schedules of its own: `cortex-m7`.
    pub cpu: Option<String>,
    /// What a rune's memory is rounded up to, in bytes; 1 where every byte is given.
    pub page_bytes: u64,
    /// Names of the WebAssembly features its engine runs.
    pub wasm: Vec<String>,
    /// How it reaches the rest of the world.
    pub radios: Vec<String>,
    /// The capability kinds it has.
    pub capabilities: Vec<Capability>,
    /// Names of the output kinds it has.
    pub outputs: Vec<String>,
    /// Banks of memory; where none is for runes there is no limit.
    pub memory: Vec<Bank>,
    /// Banks of flash; where none is for runes there is no limit.
    pub flash: Vec<Bank>,
}

/// A capability kind of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Capability {
    /// Its canonical name, such as `SOUND`.
    pub kind: String,
    /// What its parameters may be; one that is not here may be whatever the kind allows.
    pub params: Vec<(String, Range)>,
}

/// The values of a parameter that a device can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// Whole numbers from the first to the second, both included.
    Integers(i64, i64),
    /// These words.
    Words(Vec<String>),
}

/// A bank of memory or flash: one piece of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bank {
    /// What the manual calls it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Whether runes may lie in it; the rest is the firmware's.
    pub for_runes: bool,
    /// How many runes share it, in parts of one size.
    pub slots: u64,
    /// One sentence about it.
    pub doc: String,
}

impl Bank {
    /// The bytes that one rune may have of it.
    pub fn share(&self) -> u64 {
        self.bytes / self.slots
    }
}

impl Image {
    /// The bank that gives a rune the most memory: a rune's memory is one piece. `None`: no limit.
    pub fn largest_memory(&self) -> Option<&Bank> {
        largest(&self.memory)
    }

    /// The bank that gives a rune the most flash. `None`: no limit.
    pub fn largest_flash(&self) -> Option<&Bank> {
        largest(&self.flash)
    }

    /// The capability of a kind, by its canonical name.
    pub fn capability(&self, kind: &str) -> Option<&Capability> {
        self.capabilities.iter().find(|c| c.kind == kind)
    }

    /// Whether a rune must be compiled to know that it fits.
    pub fn has_limits(&self) -> bool {
        self.largest_memory().is_some() || self.largest_flash().is_some()
    }

    /// The last part of its name, which `--for` takes too.
    pub fn short_name(&self) -> &str {
        crate::last_part(&self.name)
    }
}

fn largest(banks: &[Bank]) -> Option<&Bank> {
    // Of two of one size the first, as the file has them in the order they are filled.
    let mut best: Option<&Bank> = None;
    for bank in banks.iter().filter(|b| b.for_runes) {
        if best.is_none_or(|b| bank.share() > b.share()) {
            best = Some(bank);
        }
    }
    best
}

/// The texts of the images, the one to begin with first.
const TEXTS: &[&str] = &[
    include_str!("../images/base.toml"),
    include_str!("../images/linux.toml"),
    include_str!("../images/portenta-h7.toml"),
    include_str!("../images/mps2-an500.toml"),
    include_str!("../images/web.toml"),
];

static IMAGES: LazyLock<Vec<Image>> = LazyLock::new(|| {
    let images = TEXTS.iter().map(|text| Image::read(text));
    images
        .map(|i| i.expect("the tests read every image"))
        .collect()
});

/// Every base image, the one to begin with first.
pub fn images() -> impl Iterator<Item = &'static Image> {
    IMAGES.iter()
}

/// The base image of a name, which may end in `@latest` or `@` and its version.
pub fn image(name: &str) -> Option<&'static Image> {
    let (name, version) = name.split_once('@').unwrap_or((name, "latest"));
    images().find(|i| i.name == name && (version == "latest" || i.version == version))
}

/// Whether there is a base image of a name, as [`image`] reads it.
pub fn has_image(name: &str) -> bool {
    image(name).is_some()
}

impl Image {
    /// Reads an image.
    ///
    /// # Errors
    /// What is wrong with the file, in one sentence: a key too many is as bad as one too few.
    fn read(text: &str) -> Result<Self, String> {
        let table = text.parse::<Table>().map_err(|e| e.to_string())?;
        let mut keys = Keys(table);
        let image = Self {
            name: keys.text("name")?,
            version: keys.text("version")?,
            doc: keys.text("doc")?,
            engine: keys.text("engine")?,
            clock_hz: keys.number("clock-hz")?,
            cpu: keys.maybe_text("cpu")?,
            page_bytes: keys.number("page-bytes")?.unwrap_or(1),
            wasm: keys.texts("wasm")?,
            radios: keys.maybe_texts("radios")?,
            capabilities: keys.capabilities()?,
            outputs: keys.texts("outputs")?,
            memory: keys.banks("memory")?,
            flash: keys.banks("flash")?,
        };
        keys.end()?;
        if image.page_bytes == 0 {
            return Err("`page-bytes` is 0".to_owned());
        }
        Ok(image)
    }
}

/// The keys of a table that have not been read.
struct Keys(Table);

impl Keys {
    fn take(&mut self, key: &str) -> Result<Value, String> {
        self.0
            .remove(key)
            .ok_or_else(|| format!("there is no `{key}`"))
    }

    fn text(&mut self, key: &str) -> Result<String, String> {
        let value = self.take(key)?;
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("`{key}` is a {}, not a string", value.type_str()))
    }

    fn maybe_text(&mut self, key: &str) -> Result<Option<String>, String> {
        if self.0.contains_key(key) {
            self.text(key).map(Some)
        } else {
            Ok(None)
        }
    }

    fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        texts(&self.take(key)?).ok_or_else(|| format!("`{key}` is no list of strings"))
    }

    fn maybe_texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        if self.0.contains_key(key) {
            self.texts(key)
        } else {
            Ok(Vec::new())
        }
    }

    fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.0.remove(key) else {
            return Ok(None);
        };
        let number = value.as_integer().and_then(|n| u64::try_from(n).ok());
        number
            .map(Some)
            .ok_or_else(|| format!("`{key}` is no number from 0"))
    }

    fn capabilities(&mut self) -> Result<Vec<Capability>, String> {
        let Value::Table(kinds) = self.take("capabilities")? else {
            return Err("`capabilities` is no table".to_owned());
        };
        let kinds = kinds.into_iter().map(|(kind, params)| {
            let Value::Table(params) = params else {
                return Err(format!("`{kind}` is no table of parameters"));
            };
            let params = params.into_iter().map(|(name, range)| {
                let range = range_of(&range).ok_or_else(|| {
                    format!("`{name}` of {kind} is neither two numbers nor words")
                })?;
                Ok((name, range))
            });
            let params = params.collect::<Result<_, String>>()?;
            Ok(Capability { kind, params })
        });
        kinds.collect()
    }

    fn banks(&mut self, key: &str) -> Result<Vec<Bank>, String> {
        let Some(value) = self.0.remove(key) else {
            return Ok(Vec::new());
        };
        let Value::Array(banks) = value else {
            return Err(format!("`{key}` is no list of banks"));
        };
        let banks = banks.into_iter().map(|bank| {
            let Value::Table(bank) = bank else {
                return Err(format!("`{key}` has something that is no bank"));
            };
            let mut keys = Self(bank);
            let bank = Bank {
                name: keys.text("name")?,
                bytes: keys.number("bytes")?.ok_or("a bank has no `bytes`")?,
                for_runes: match keys.text("use")?.as_str() {
                    "runes" => true,
                    "firmware" => false,
                    other => return Err(format!("`use` is `runes` or `firmware`, not `{other}`")),
                },
                slots: keys.number("slots")?.unwrap_or(1),
                doc: keys.text("doc")?,
            };
            keys.end()?;
            if bank.slots == 0 {
                return Err(format!("bank {} has no slots", bank.name));
            }
            Ok(bank)
        });
        banks.collect()
    }

    /// Says so if a key is left.
    fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(key) => Err(format!("nothing reads `{key}`")),
            None => Ok(()),
        }
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?.iter();
    items.map(|item| item.as_str().map(str::to_owned)).collect()
}

fn range_of(value: &Value) -> Option<Range> {
    let Value::Array(items) = value else {
        return None;
    };
    match items.as_slice() {
        [Value::Integer(least), Value::Integer(most)] => {
            (least <= most).then_some(Range::Integers(*least, *most))
        }
        _ => texts(value).filter(|w| !w.is_empty()).map(Range::Words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_reads_and_has_a_name_of_its_own() {
        let mut names: Vec<String> = Vec::new();
        for text in TEXTS {
            let image = Image::read(text).unwrap_or_else(|e| panic!("{e} in\n{text}"));
            assert!(image.name.starts_with("runicos/"), "{}", image.name);
            assert!(image.doc.ends_with('.'), "{}", image.name);
            assert_eq!(image.version.split('.').count(), 3, "{}", image.name);
            assert!(!names.contains(&image.name), "{} comes twice", image.name);
            names.push(image.name);
        }
        assert_eq!(names[0], "runicos/base");
    }

    #[test]
    fn the_base_image_has_versions_and_no_limits() {
        let base = image("runicos/base").expect("it is there");
        for name in [
            "runicos/base@latest",
            &format!("runicos/base@{}", base.version),
        ] {
            assert_eq!(image(name), Some(base), "{name}");
        }
        for name in ["runicos/base@9", "runicos", "base", ""] {
            assert!(!has_image(name), "{name}");
        }
        assert!(base.capability("SOUND").is_some());
        assert_eq!(base.outputs, ["SERIAL"]);
        assert!(!base.has_limits());
    }

    #[test]
    fn the_portenta_is_the_board() {
        let board = image("runicos/portenta-h7").expect("it is there");
        let internal = board.memory.iter().filter(|b| b.name != "SDRAM");
        // 1 MB as it is sold: 1056 KiB but the 4 KiB that a battery keeps.
        assert_eq!(internal.map(|b| b.bytes).sum::<u64>(), 1056 << 10);
        assert_eq!(board.flash.iter().map(|b| b.bytes).sum::<u64>(), 2 << 20);
        let largest = board.largest_memory().expect("it has banks");
        assert_eq!((largest.name.as_str(), largest.share()), ("SDRAM", 8 << 20));
        let flash = board.largest_flash().expect("it has flash");
        assert_eq!(flash.share(), 512 << 10);
    }

    #[test]
    fn a_damaged_image_is_an_error() {
        let good = TEXTS[2];
        for (from, to) in [
            ("name = \"runicos/portenta-h7\"", ""),
            ("engine =", "motor ="),
            ("cpu = \"cortex-m7\"", "cpu = 7"),
            ("page-bytes = 0x1_0000", "page-bytes = 0"),
            ("page-bytes = 0x1_0000", "page-bytes = -1"),
            ("clock-hz = 480_000_000", "clock-hz = \"fast\""),
            ("radios = [\"BLE\", \"WIFI\"]", "radios = [1]"),
            ("[8000, 48000]", "[48000, 8000]"),
            ("[8000, 48000]", "[]"),
            ("RAND = {}", "RAND = 1"),
            ("use = \"runes\"", "use = \"all\""),
            ("slots = 2", "slots = 0"),
            ("slots = 2", "slot = 2"),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good, "{from}");
            assert!(Image::read(&bad).is_err(), "{from} as {to}");
        }
    }
}
