//! The runes that are installed on the flash, by the state machine of `rune_install`.

use core::time::Duration;

use embedded_storage::nor_flash::NorFlashErrorKind;
use rune_core::{Engine, Interpreter, Policy, Table, Text, check, grant};
use rune_install::{
    Error, Fate, Identity, Installer, Name, OpenError, Opening, Options, Phase, Pool, Refused,
    Upload,
    nor::{Fault, Map, MapError, Nor},
};
use rune_link::{Digest, Install, Installed, Reply};
use sha2::{Digest as _, Sha256};

use crate::{nor::Flash, sensors::TABLE, uart::say, watchdog};

/// Slots: more than the runes that may run, so that there is one for an upload, and others for what was before.
pub(crate) const SLOTS: usize = 7;
/// Most bytes of a rune.
pub(crate) const MOST: u32 = 2 << 20;
/// Names whose security counters are kept.
const FLOORS: usize = 8;
/// Digests that were rolled back and are remembered.
const STRIKES: usize = 8;
/// Starts of a trial before it has to be healthy, and how often a digest may be rolled back, as on Linux.
const OPTIONS: Options = Options {
    tries: 3,
    strikes: 2,
    // Nobody may be near who could decide, and a cut in the very first record looks like damage.
    format: true,
};

/// Two areas of 8 KiB, then the slots; an upload that was cut goes on at a multiple of 16 KiB.
const MAP: Map<SLOTS> = Map::consecutive(0, 8 << 10, MOST, 16 << 10);

/// Bytes of the buffer for a record.
const BUFFER: usize =
    Pool::<SLOTS, FLOORS, STRIKES>::RECORD_BYTES.next_multiple_of(rune_install::BUFFER_ALIGN);

type Store = Installer<Nor<Flash, SLOTS>, [u8; BUFFER], SLOTS, FLOORS, STRIKES>;
type StoreError = Error<Fault<NorFlashErrorKind>>;

/// Why something was not done.
pub(crate) type Why = Text<256>;

/// What is installed.
pub(crate) struct Installs {
    /// Or why it cannot be used.
    store: Result<Store, &'static str>,
}

impl Installs {
    /// Opens what is on the flash.
    pub(crate) fn open(flash: Flash) -> Self {
        let period = Duration::from_secs(watchdog::SECONDS.into());
        let store = Nor::new(flash, MAP, Some(period)).map_err(|error| match error {
            MapError::Sectors | MapError::Capacity | MapError::Overlap | MapError::Watchdog => {
                "the map of the flash does not fit it"
            }
        });
        let store = store.and_then(|nor| {
            Store::open(nor, [0; BUFFER], OPTIONS).map_err(|error| match error {
                OpenError::Foreign => "the flash was written by another version",
                OpenError::Storage(_)
                | OpenError::Differs
                | OpenError::Damaged
                | OpenError::Buffer
                | OpenError::Geometry => "the flash does not work",
            })
        });
        match &store {
            Ok(store) if store.opening() == Opening::Damaged => {
                say!("no record on the flash is whole; it begins anew");
            }
            Ok(_) => {}
            Err(why) => say!("nothing is installed: {why}"),
        }
        Self { store }
    }

    fn store(&mut self) -> Result<&mut Store, Why> {
        self.store.as_mut().map_err(|why| Text::of(*why))
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Store) -> Result<T, StoreError>) -> Result<T, Why> {
        act(self.store()?).map_err(said)
    }

    /// What concerns the flash alone.
    pub(crate) fn answer(
        &mut self,
        install: &Install<'_>,
        policy: &Policy,
    ) -> Result<Reply<'_>, Why> {
        match *install {
            Install::Begin {
                bytes,
                digest,
                anew,
            } => match self.with(|store| store.begin(digest, bytes, anew))? {
                Upload::From(offset) => Ok(Reply::Upload { offset }),
                Upload::Present => self.look(self.holding(&digest)?).map(Reply::Installed),
            },
            Install::Chunk { offset, data } => {
                let taken = self.with(|store| store.chunk(offset, data))?;
                Ok(Reply::Upload {
                    offset: offset + taken,
                })
            }
            Install::End => {
                let slot = self.end(policy)?;
                self.look(slot).map(Reply::Installed)
            }
            Install::Slot(slot) => self.look(slot.into()).map(Reply::Installed),
            Install::Confirm(name) => {
                let name = named(name)?;
                self.with(|store| store.confirm(name)).map(|_| Reply::Done)
            }
            Install::Try(_) | Install::Rollback(_) | Install::Remove(_) => {
                Err(Text::of("runes that run are concerned"))
            }
        }
    }

    /// Verifies an upload that is complete; gives its slot. It is BAD if it is refused.
    fn end(&mut self, policy: &Policy) -> Result<usize, Why> {
        let slot = self.with(Store::end)?;
        let store = self.store()?;
        match verify(store, slot, &TABLE, policy, TABLE.memory_bytes) {
            Ok(identity) => store.verified(identity).map_err(said),
            Err(why) => {
                store.refused().map_err(said)?;
                Err(why)
            }
        }
    }

    /// The slot of a digest.
    fn holding(&self, digest: &Digest) -> Result<usize, Why> {
        let slot = self.pool().and_then(|pool| pool.holding(digest));
        slot.ok_or_else(|| Text::of(Refused::Unknown))
    }

    fn pool(&self) -> Option<&Pool<SLOTS, FLOORS, STRIKES>> {
        self.store.as_ref().ok().map(Store::pool)
    }

    /// The names that have a rune in trial or a confirmed one, one by one.
    pub(crate) fn name(&self, slot: usize) -> Option<Name> {
        let entry = self.pool()?.slots().get(slot)?;
        let runs = matches!(entry.phase, Phase::Trial | Phase::Confirmed);
        runs.then_some(entry.identity.name)
    }

    /// What is to run under a name.
    pub(crate) fn candidate(&self, name: &Name) -> Option<Digest> {
        let store = self.store.as_ref().ok()?;
        let slot = store.candidate(name)?;
        Some(store.pool().slots()[slot].digest)
    }

    /// Whether the rune of a digest is whole and gets what it needs of a table, where so much memory is left.
    pub(crate) fn fits(
        &mut self,
        digest: &Digest,
        table: &'static Table,
        policy: &Policy,
        left: u32,
    ) -> Result<(), Why> {
        let slot = self.holding(digest)?;
        verify(self.store()?, slot, table, policy, left).map(drop)
    }

    /// The name of the rune of a digest that is VERIFIED, in TRIAL or CONFIRMED.
    pub(crate) fn name_of(&self, digest: &Digest) -> Result<Name, Why> {
        let slot = self.holding(digest)?;
        let entry = self.pool().map(|pool| &pool.slots()[slot]);
        let is_whole = |phase| matches!(phase, Phase::Verified | Phase::Trial | Phase::Confirmed);
        match entry {
            Some(entry) if is_whole(entry.phase) => Ok(entry.identity.name),
            Some(entry) => Err(Text::of(format_args!("it is {}", entry.phase))),
            None => Err(Text::of(Refused::Unknown)),
        }
    }

    /// Lends the bytes of a rune in place, if they are whole, until [`release`](Self::release) of the slot.
    pub(crate) fn lend(&mut self, digest: &Digest) -> Result<(usize, &'static [u8]), Why> {
        let slot = self.holding(digest)?;
        let store = self.store()?;
        let bytes = store.pool().slots()[slot].bytes;
        let lent = store.storage_mut().flash().lend(MAP.slots[slot], bytes);
        let lent = lent.ok_or_else(|| Text::of("the slot cannot be read"))?;
        if Sha256::digest(lent)[..] != *digest {
            // SAFETY: nobody else has seen it.
            unsafe { self.release(slot) };
            return Err(Text::of("its bytes are damaged"));
        }
        Ok((slot, lent))
    }

    /// Takes back what was lent of a slot.
    ///
    /// # Safety
    /// Nobody reads it any more.
    pub(crate) unsafe fn release(&mut self, slot: usize) {
        if let Ok(store) = &mut self.store {
            // SAFETY: the caller says so.
            unsafe { store.storage_mut().flash().release(MAP.slots[slot]) };
        }
    }

    /// Records that a rune is about to be started; false where another one is to be started, or nothing can be recorded.
    pub(crate) fn starts(&mut self, name: &str, digest: &Digest) -> bool {
        let started = named(name).and_then(|name| self.with(|store| store.start(name, digest)));
        started.unwrap_or_else(|why| {
            say!("{name} is not started: {why}");
            false
        })
    }

    /// A rune failed. Whether its trial is over by that.
    pub(crate) fn ended(&mut self, name: Name, digest: &Digest, is_final: bool) -> bool {
        match self.with(|store| store.ended(name, digest, is_final)) {
            Ok(fate) => fate == Fate::Over,
            Err(why) => {
                say!("{name}: {why}");
                false
            }
        }
    }

    /// A rune runs well.
    pub(crate) fn well(&mut self, name: Name, digest: &Digest) {
        match self.with(|store| store.well(name, digest)) {
            Ok(true) => say!("{name}: it is healthy"),
            Ok(false) => {}
            Err(why) => say!("{name}: {why}"),
        }
    }

    pub(crate) fn rollback(&mut self, name: Name) -> Result<(), Why> {
        self.with(|store| store.rollback(name)).map(drop)
    }

    pub(crate) fn remove(&mut self, name: Name) -> Result<(), Why> {
        self.with(|store| store.remove(name)).map(drop)
    }

    /// Lets the flash stop.
    #[cfg(feature = "crash")]
    pub(crate) fn stop(&mut self, stop: crate::nor::Stop) {
        if let Ok(store) = &mut self.store {
            store.storage_mut().flash().stop(stop);
        }
    }

    /// What is in a slot.
    fn look(&mut self, slot: usize) -> Result<Installed<'_>, Why> {
        let store = self.store()?;
        let entry = store.pool().slots().get(slot);
        let entry = entry.ok_or_else(|| Text::of("there is no such slot"))?;
        Ok(Installed {
            slot: slot as u8,
            state: entry.phase,
            attempts: entry.attempts,
            tries: store.limits().tries,
            version: entry.identity.version,
            counter: entry.identity.counter,
            bytes: entry.bytes,
            received: entry.received,
            digest: entry.digest,
            name: entry.identity.name.as_str(),
        })
    }
}

/// What a complete upload is, where it is whole, keeps the contract, and the board has what it needs.
fn verify(
    store: &Store,
    slot: usize,
    table: &'static Table,
    policy: &Policy,
    left: u32,
) -> Result<Identity, Why> {
    let entry = &store.pool().slots()[slot];
    let bytes = store.storage().bytes(slot, entry.bytes as usize);
    let bytes = bytes.ok_or_else(|| Text::of("the slot cannot be read"))?;
    if Sha256::digest(bytes)[..] != entry.digest {
        return Err(Text::of("its bytes have another digest"));
    }
    let rune = check(bytes).map_err(Text::of)?;
    let features = <Interpreter as Engine>::FEATURES;
    grant(&rune, table, policy, features, left).map_err(Text::of)?;
    let manifest = rune.manifest();
    let version = manifest.version;
    Ok(Identity {
        name: named(manifest.name)?,
        version: [version.major, version.minor, version.patch],
        counter: manifest.security_counter,
    })
}

pub(crate) fn named(name: &str) -> Result<Name, Why> {
    Name::new(name).ok_or_else(|| Text::of("a name has 1 to 64 bytes"))
}

fn said(error: StoreError) -> Why {
    Text::of(error)
}
