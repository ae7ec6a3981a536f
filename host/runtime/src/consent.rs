//! Leave for sensors: a flag that names one is not enough, a person at the terminal is asked, and what they allow for
//! always is remembered.
//!
//! What is remembered lies in the file `consent` of the state folder of the user, a line of JSON for each rune,
//! capability and device. A rune of other bytes, or another device, is asked for anew. The file is replaced as a whole;
//! one that cannot be understood allows nothing and is an error.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, ErrorKind, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use rune_abi::{Capability, CapabilityKind};
use rustix::termios::{QueueSelector, tcflush};
use serde::{Deserialize, Serialize};

use crate::{
    GrantError, Policy, Rune, SourceError,
    capability::{self, Setup, describe},
    cli::Console,
    private,
};

/// Answers that are neither yes nor no before it is no.
const TRIES: u32 = 3;
/// Most bytes of what is remembered.
const MOST_BYTES: u64 = 1 << 20;
/// Digits of a digest that people see.
pub(crate) const DIGITS: usize = 12;

/// A sensor that a flag names for a capability, and no policy does.
pub(crate) struct Wish<'a> {
    pub(crate) capability: &'a Capability,
    pub(crate) setup: Setup,
    /// The very device, as people and the memory know it.
    pub(crate) place: String,
}

/// How a rune comes by leave for sensors.
pub(crate) struct Consent<'a> {
    rune: &'a Rune,
    /// The capabilities that a person allows on the command line.
    allow: &'a [String],
    console: Console,
}

impl<'a> Consent<'a> {
    pub(crate) fn new(rune: &'a Rune, allow: &'a [String], console: Console) -> Self {
        Self {
            rune,
            allow,
            console,
        }
    }

    /// Checks that the command line allows only what the rune has.
    ///
    /// # Errors
    /// The first name that is none of a capability.
    pub(crate) fn check(&self) -> Result<(), GrantError> {
        let capabilities = &self.rune.manifest().capabilities;
        for name in self.allow {
            if capabilities.iter().all(|c| c.name != *name) {
                let what = format!(
                    "`--allow {name}` allows nothing: the rune reads {}",
                    capability::list(capabilities)
                );
                return Err(GrantError::Flags(what));
            }
        }
        Ok(())
    }

    /// Those of the wishes that neither the command line nor the memory allows.
    ///
    /// # Errors
    /// Where the memory cannot be read.
    pub(crate) fn open<'w>(&self, mut wishes: Vec<Wish<'w>>) -> Result<Vec<Wish<'w>>, GrantError> {
        wishes.retain(|wish| !self.allow.contains(&wish.capability.name));
        if !wishes.is_empty()
            && let Ok(memory) = Memory::of_user()
        {
            let remembered = memory.load().map_err(GrantError::Source)?;
            wishes.retain(|wish| !remembered.contains(&self.record(wish)));
        }
        Ok(wishes)
    }

    /// Why nobody can be asked, if so; `input` is the capability that standard input feeds.
    pub(crate) fn silence(&self, input: Option<&str>) -> Option<String> {
        if let Some(name) = input {
            Some(format!(
                "standard input feeds `{name}`, so nobody can be asked"
            ))
        } else if self.console.json {
            Some("with --json nobody is asked".to_owned())
        } else if io::stdin().is_terminal() && io::stderr().is_terminal() {
            None
        } else {
            Some("there is no terminal to ask at".to_owned())
        }
    }

    /// Asks the person at the terminal for all of it at once.
    ///
    /// # Errors
    /// That they refused.
    pub(crate) fn ask(&self, wishes: &[Wish<'_>]) -> Result<(), GrantError> {
        if wishes.is_empty() {
            return Ok(());
        }
        let manifest = self.rune.manifest();
        let signed = match self.rune.signers() {
            [] => "not signed".to_owned(),
            [one] => format!("signed by {one}"),
            [one, rest @ ..] => format!("signed by {one} and {} more", rest.len()),
        };
        let mut text = format!(
            "{} {} ({}, {signed}) wants to read, at every call:\n",
            manifest.name.escape_debug(),
            manifest.version,
            &self.rune.digest_hex()[..DIGITS]
        );
        text.extend(wishes.iter().map(|wish| {
            let (name, words) = (&wish.capability.name, words(wish.capability));
            // Characters that could rearrange the question are shown by their numbers.
            let (name, place) = (name.escape_debug(), wish.place.escape_debug());
            format!("  {name}: {words} from {place}\n")
        }));
        let refused = || {
            let refused = wishes.iter().map(|wish| {
                let shown = describe(wish.capability);
                format!(
                    "the rune reads {shown} from {}, which was refused",
                    wish.place
                )
            });
            Err(GrantError::Refused(refused.collect()))
        };
        // What was typed before it could be read is no answer to it.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        for _ in 0..TRIES {
            text += "Allow? [y]es, once / [a]lways for this rune / [N]o: ";
            // Who cannot see the question cannot answer it.
            if io::stderr().write_all(text.as_bytes()).is_err() {
                return refused();
            }
            let mut answer = vec![];
            let read = io::stdin().lock().read_until(b'\n', &mut answer);
            if !matches!(read, Ok(1..)) {
                let _ = io::stderr().write_all(b"\n");
                return refused();
            }
            let answer = String::from_utf8_lossy(&answer).trim().to_ascii_lowercase();
            match answer.as_str() {
                "y" | "yes" => return Ok(()),
                "a" | "always" => {
                    let remembered = Memory::of_user().map_err(|e| e.to_string());
                    let remembered = remembered.and_then(|memory| {
                        let added = wishes.iter().map(|wish| self.record(wish));
                        let changed = memory.change(|records| {
                            for record in added {
                                if !records.contains(&record) {
                                    records.push(record);
                                }
                            }
                        });
                        changed.map_err(|e| e.to_string())
                    });
                    if let Err(what) = remembered {
                        let what = format!("allowed now, but not remembered: {what}");
                        self.console.say(2, &what);
                    }
                    return Ok(());
                }
                "" | "n" | "no" => return refused(),
                _ => "Please answer y, a or n.\n".clone_into(&mut text),
            }
        }
        refused()
    }

    fn record(&self, wish: &Wish<'_>) -> Record {
        let manifest = self.rune.manifest();
        Record {
            digest: self.rune.digest_hex(),
            rune: format!("{} {}", manifest.name, manifest.version),
            capability: wish.capability.name.clone(),
            source: wish.place.clone(),
        }
    }
}

impl Wish<'_> {
    /// That there is no leave, why nobody can be asked, and what would give it.
    pub(crate) fn denied(&self, why: &str, policy: Option<&Policy>) -> String {
        let name = &self.capability.name;
        format!(
            "the rune reads {} from {}, a sensor, and {why}; `--allow {name}` would allow it, and {}",
            describe(self.capability),
            self.place,
            Policy::sensor_line(policy, self.capability, &self.setup)
        )
    }
}

/// What a call reads, in words.
fn words(capability: &Capability) -> String {
    let ty = &capability.ty;
    let elements = u64::from(ty.elements());
    let count = |n: u64, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let text = match capability.kind {
        CapabilityKind::Accel => count(elements / 3, "reading") + " of 3 axes",
        CapabilityKind::Temperature => count(elements, "reading") + " of temperature",
        CapabilityKind::Gpio => count(elements, "level") + " of a pin",
        CapabilityKind::Sound => count(elements, "sample") + " of sound",
        CapabilityKind::Image | CapabilityKind::FloatImage => {
            let dims: Vec<String> = ty.dims().iter().map(|d| d.bound().to_string()).collect();
            format!("a picture of {}", dims.join(" x "))
        }
        CapabilityKind::Raw => count(u64::from(ty.bytes()), "byte"),
        CapabilityKind::Rand => count(elements, "random number"),
    };
    let hz = capability::integer(capability, "hz");
    hz.map_or(text.clone(), |hz| format!("{text} at {hz} Hz"))
}

/// One rune that may read one device for one capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// SHA-256 of the rune, in hexadecimal.
    pub(crate) digest: String,
    /// Its name and version, for people.
    pub(crate) rune: String,
    pub(crate) capability: String,
    pub(crate) source: String,
}

/// What was allowed for always.
pub(crate) struct Memory {
    folder: PathBuf,
}

impl Memory {
    /// The one of this user.
    ///
    /// # Errors
    /// Where they have no home.
    pub(crate) fn of_user() -> io::Result<Self> {
        let folder = private::state()?;
        Ok(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.join("consent")
    }

    fn fail(&self, what: impl std::fmt::Display) -> SourceError {
        SourceError::new(self.path().display(), what)
    }

    /// All records; none where nothing was ever remembered.
    ///
    /// # Errors
    /// Where the file cannot be read or understood, or somebody else may have written it.
    pub(crate) fn load(&self) -> Result<Vec<Record>, SourceError> {
        let damaged = |what: &dyn std::fmt::Display| {
            self.fail(format_args!(
                "{what}, so nothing in it counts; `rune consent forget --all` begins anew"
            ))
        };
        // Of what is no file, none waits for a writer.
        let options = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(self.path());
        let text = match options {
            Ok(file) => {
                let metadata = file.metadata().map_err(|e| self.fail(e))?;
                if !metadata.is_file() || metadata.len() > MOST_BYTES {
                    return Err(damaged(&"it is not what was written there"));
                }
                if !private::is_own(&metadata) {
                    let what = "others may write to it, so nothing in it counts; look through it, then `chmod 600` it, or remove it";
                    return Err(self.fail(what));
                }
                io::read_to_string(file).map_err(|e| damaged(&e))?
            }
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(self.fail(e)),
        };
        let records = text.lines().enumerate().map(|(index, line)| {
            serde_json::from_str(line)
                .map_err(|e| damaged(&format_args!("line {} is damaged ({e})", index + 1)))
        });
        records.collect()
    }

    /// Changes the records; another process that does so waits.
    ///
    /// # Errors
    /// As [`load`](Self::load), or where the file cannot be written.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<Record>)) -> Result<(), SourceError> {
        let _lock = self.lock().map_err(|e| self.fail(e))?;
        let mut records = self.load()?;
        change(&mut records);
        self.store(&records).map_err(|e| self.fail(e))
    }

    /// Forgets everything, whatever it is.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub(crate) fn clear(&self) -> Result<(), SourceError> {
        let _lock = self.lock().map_err(|e| self.fail(e))?;
        match fs::remove_file(self.path()) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(self.fail(e)),
            _ => Ok(()),
        }
    }

    /// Held while the file is changed.
    fn lock(&self) -> io::Result<File> {
        private::folder(&self.folder)?;
        let folder = File::open(&self.folder)?;
        folder.lock()?;
        Ok(folder)
    }

    /// Writes all records, which is done or not done.
    fn store(&self, records: &[Record]) -> io::Result<()> {
        let mut text = String::new();
        for record in records {
            text += &serde_json::to_string(record)?;
            text.push('\n');
        }
        let new = self.folder.join("consent.new");
        // A process that was stopped may have left one.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, self.path())
    }
}
