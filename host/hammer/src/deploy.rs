//! Brings a rune onto a device: uploaded, verified there, tried, and kept if it is healthy.

use std::{fmt, time::Duration};

use rune_smp::{Digest, own};
use sha2::{Digest as _, Sha256};

use crate::{
    client::{About, Client, Error, RuneState},
    link::Link,
};

/// A file that a device may take.
#[derive(Clone, Debug)]
pub struct Package {
    bytes: Vec<u8>,
    sha256: Digest,
    /// The name of the rune.
    pub name: String,
    /// Its capabilities, by their kinds, each once.
    pub kinds: Vec<&'static str>,
    memory_bytes: u32,
}

impl Package {
    /// Reads a rune or an image of one.
    ///
    /// # Errors
    /// It is none; says why.
    pub fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let checked = rune_core::check(&bytes).map_err(|error| error.to_string())?;
        let manifest = checked.manifest();
        let mut kinds: Vec<&'static str> = manifest
            .capabilities
            .iter()
            .map(|capability| capability.kind.spec().name)
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let (name, memory_bytes) = (manifest.name.to_owned(), checked.memory_bytes());
        Ok(Self {
            sha256: Sha256::digest(&bytes).into(),
            bytes,
            name,
            kinds,
            memory_bytes,
        })
    }

    /// The bytes that a device gets.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is asked of a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// That it was rolled back before is forgotten.
    pub anew: bool,
    /// It stays on trial; the device goes back by itself if it fails.
    pub trial: bool,
    /// Nothing is changed.
    pub dry_run: bool,
    /// How long to wait for the first call that ends well.
    pub watch: Duration,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The device was asked what it is, and what its runtime is.
    Provider(&'a About),
    /// So many bytes of so many are there.
    Uploading(usize, usize),
    /// The device has verified what arrived.
    Verified,
    /// It has what the rune wants of this kind.
    Capability(&'a str),
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs and stays; calls that ended well so far.
    Confirmed(u64),
    /// It is on trial, as was wished; calls that ended well so far.
    Trial(u64),
    /// It is on trial, and was not called yet: only calls show whether it is healthy.
    NotCalled,
    /// It would have been deployed.
    Possible,
}

/// Why a deployment failed.
#[derive(Debug)]
pub enum Failed {
    /// The device did not do something; says what.
    Device(&'static str, Error),
    /// It does not have what the rune wants: these kinds.
    Capabilities(Vec<&'static str>),
    /// The rune wants more memory than this.
    Memory {
        /// What it wants, in bytes.
        wants: u32,
        /// What the device has for one.
        has: u32,
    },
    /// The file has more bytes than this.
    Size {
        /// Of the file.
        bytes: usize,
        /// Of a slot.
        slot: u32,
    },
    /// It failed on its trial, and is gone; in the words of the device.
    RolledBack(String),
    /// It keeps failing, and is still on trial; in the words of the device.
    Failing(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(what, error) => write!(f, "{what}: {error}"),
            Self::Capabilities(kinds) => write!(
                f,
                "it has no {}; nothing was changed",
                kinds.join(" and no ")
            ),
            Self::Memory { wants, has } => write!(
                f,
                "the rune wants {wants} bytes of memory, and it has {has} for one; nothing was changed"
            ),
            Self::Size { bytes, slot } => write!(
                f,
                "the file has {bytes} bytes, and its slots {slot}; nothing was changed"
            ),
            Self::RolledBack(why) => {
                f.write_str("the rune failed on its trial, and what ran before runs again")?;
                tell(f, why)
            }
            Self::Failing(why) => {
                f.write_str("the rune fails, and is tried again until its tries are used up")?;
                tell(f, why)
            }
        }
    }
}

fn tell(f: &mut fmt::Formatter<'_>, why: &str) -> fmt::Result {
    if why.is_empty() {
        return Ok(());
    }
    write!(f, ": {why}")
}

impl std::error::Error for Failed {}

/// Deploys a rune; `show` is told each step. Whatever was done before is not done again, so that a repeat finishes what
/// was cut off.
///
/// # Errors
/// It cannot be there, or did not get there, or failed.
pub fn cast<L: Link>(
    client: &mut Client<L>,
    package: &Package,
    wish: &Wish,
    mut show: impl FnMut(Step<'_>),
) -> Result<Outcome, Failed> {
    let on = |what| move |error| Failed::Device(what, error);
    let about = client.meet().map_err(on("asking what it is"))?;
    show(Step::Provider(&about));
    fits(package, &about)?;
    let has = client.capabilities().map_err(on("asking what it has"))?;
    let missing: Vec<_> = package
        .kinds
        .iter()
        .copied()
        .filter(|kind| !has.iter().any(|has| has == kind))
        .collect();
    if !missing.is_empty() {
        return Err(Failed::Capabilities(missing));
    }
    if wish.dry_run {
        package
            .kinds
            .iter()
            .for_each(|kind| show(Step::Capability(kind)));
        return Ok(Outcome::Possible);
    }
    let there = find(client, package).map_err(on("asking what runs"))?;
    let is_running = there.is_some_and(|rune| matches!(&*rune.state, "trial" | "confirmed"));
    if !is_running {
        let all = package.bytes.len();
        client
            .upload(&package.bytes, &package.sha256, wish.anew, |at| {
                show(Step::Uploading(at, all));
            })
            .map_err(on("uploading"))?;
    }
    show(Step::Verified);
    package
        .kinds
        .iter()
        .for_each(|kind| show(Step::Capability(kind)));
    if !is_running {
        match client.set(&package.sha256, false) {
            Ok(()) => {}
            // It was done, and the answer lost; what it does now says so.
            Err(Error::Refused(_)) if runs(client, package) => {}
            Err(error) => return Err(Failed::Device("starting its trial", error)),
        }
    }
    let calls = watch(client, package, wish)?;
    if wish.trial {
        return Ok(if calls > 0 {
            Outcome::Trial(calls)
        } else {
            Outcome::NotCalled
        });
    }
    if calls == 0 {
        return Ok(Outcome::NotCalled);
    }
    client
        .set(&package.sha256, true)
        .map_err(on("confirming it"))?;
    Ok(Outcome::Confirmed(calls))
}

/// Whether there is room for it.
fn fits(package: &Package, about: &About) -> Result<(), Failed> {
    if package.bytes.len() as u64 > u64::from(about.slot_bytes) {
        return Err(Failed::Size {
            bytes: package.bytes.len(),
            slot: about.slot_bytes,
        });
    }
    if package.memory_bytes > about.memory_bytes {
        return Err(Failed::Memory {
            wants: package.memory_bytes,
            has: about.memory_bytes,
        });
    }
    Ok(())
}

/// What the device says of the file, if it has it in a place.
fn find<L: Link>(client: &mut Client<L>, package: &Package) -> Result<Option<RuneState>, Error> {
    let runes = client.runes()?;
    Ok(runes.into_iter().find(|rune| rune.sha256 == package.sha256))
}

fn runs<L: Link>(client: &mut Client<L>, package: &Package) -> bool {
    let found = find(client, package).ok().flatten();
    found.is_some_and(|rune| matches!(&*rune.state, "trial" | "confirmed"))
}

/// Waits until the rune has ended a call well; gives how many, 0 where there was none in time.
fn watch<L: Link>(client: &mut Client<L>, package: &Package, wish: &Wish) -> Result<u64, Failed> {
    const PAUSE: Duration = Duration::from_millis(100);
    let on = |what| move |error| Failed::Device(what, error);
    let until = client.link().now() + wish.watch;
    let mut why = String::new();
    loop {
        let found = find(client, package).map_err(on("asking how it does"))?;
        let Some(rune) = found else {
            // Another one has its place, or nobody.
            return Err(Failed::RolledBack(why));
        };
        if !rune.error.is_empty() {
            why.clone_from(&rune.error);
        }
        if rune.state == "bad" {
            return Err(Failed::RolledBack(why));
        }
        let counters = client.counters(Some(&rune.name));
        let counters = counters.map_err(on("asking how it does"))?;
        let of = |wanted: &str| {
            let found = counters.iter().find(|(name, _)| name == wanted);
            found.map_or(0, |(_, value)| *value)
        };
        let calls = of("with_output") + of("without_output");
        if rune.doing == "running" && calls > 0 {
            return Ok(calls);
        }
        if client.link().now() >= until {
            return if rune.doing == "waiting" {
                Err(Failed::Failing(why))
            } else {
                Ok(0)
            };
        }
        client.link().pause(PAUSE);
    }
}

/// Ends the trial of a rune, or brings the one before back.
///
/// # Errors
/// The device does not, or does not answer.
pub fn roll_back<L: Link>(client: &mut Client<L>, name: &str) -> Result<(), Error> {
    let runes = client.runes()?;
    let runs = runes.into_iter().find(|rune| rune.name == name);
    let sha256 = runs.map(|rune| rune.sha256);
    client.act(own::command::ROLLBACK, name, sha256.as_ref())
}
