//! The runes that are installed on the flash, by the state machine of `rune_install`.

use alloc::{boxed::Box, vec};

use embedded_storage::nor_flash::ErrorType;
use rune_core::{Engine, Policy, Table, Text, check, grant};
#[cfg(feature = "smp")]
use rune_install::Entry;
use rune_install::{
    Error, Fate, Identity, Installer, Name, OpenError, Opening, Options, Phase, Pool, Refused,
    Upload,
    nor::{Fault, Map, MapError, Nor},
};
use rune_link::{Digest, Install, Installed, Reply};
#[cfg(feature = "smp")]
use rune_smp::device::{ImageFault, Refusal};
use sha2::{Digest as _, Sha256};

use crate::{Chip, InPlace, Lending, node::Node};

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

type Store<F, const SLOTS: usize> =
    Installer<Nor<Lending<F>, SLOTS>, Box<[u8]>, SLOTS, FLOORS, STRIKES>;
type StoreError<F> = Error<Fault<<Lending<F> as ErrorType>::Error>>;

/// Why something was not done.
pub(crate) type Why = Text<256>;

/// What is installed.
pub(crate) struct Installs<F: InPlace, const SLOTS: usize> {
    /// Or why it cannot be used.
    store: Result<Store<F, SLOTS>, &'static str>,
    map: Map<SLOTS>,
}

impl<F: InPlace, const SLOTS: usize> Installs<F, SLOTS> {
    /// Opens what is on the flash, where the map says.
    pub(crate) fn open<C: Chip>(flash: F, map: Map<SLOTS>, chip: &mut C) -> Self {
        let nor = Nor::new(Lending::new(flash), map, Some(C::WATCHDOG));
        let store = nor.map_err(|error| match error {
            MapError::Sectors | MapError::Capacity | MapError::Overlap | MapError::Watchdog => {
                "the map of the flash does not fit it"
            }
        });
        let store = store.and_then(|nor| {
            let buffer = vec![0; Store::<F, SLOTS>::BUFFER_BYTES].into();
            Store::open(nor, buffer, OPTIONS).map_err(|error| match error {
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
                chip.say(format_args!(
                    "no record on the flash is whole; it begins anew"
                ));
            }
            Ok(_) => {}
            Err(why) => chip.say(format_args!("nothing is installed: {why}")),
        }
        Self { store, map }
    }

    /// Most bytes of a rune.
    pub(crate) fn most(&self) -> u32 {
        self.map.slot
    }

    fn store(&mut self) -> Result<&mut Store<F, SLOTS>, Why> {
        self.store.as_mut().map_err(|why| Text::of(*why))
    }

    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Store<F, SLOTS>) -> Result<T, StoreError<F>>,
    ) -> Result<T, Why> {
        act(self.store()?).map_err(Text::of)
    }

    /// What concerns the flash alone.
    pub(crate) fn answer<C: Chip>(&mut self, install: &Install<'_>) -> Result<Reply<'_>, Why> {
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
                let slot = self.end::<C>()?;
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
    fn end<C: Chip>(&mut self) -> Result<usize, Why> {
        // Which sensors it gets is known when it is tried.
        let table = Node::<C, SLOTS>::HOSTED;
        let slot = self.with(Store::end)?;
        let store = self.store()?;
        match verify::<C::Engine, F, SLOTS>(store, slot, table, &C::policy(), table.memory_bytes) {
            Ok(identity) => store.verified(identity).map_err(Text::of),
            Err(why) => {
                store.refused().map_err(Text::of)?;
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
    pub(crate) fn fits<E: Engine>(
        &mut self,
        digest: &Digest,
        table: &'static Table,
        policy: &Policy,
        left: u32,
    ) -> Result<(), Why> {
        let slot = self.holding(digest)?;
        verify::<E, F, SLOTS>(self.store()?, slot, table, policy, left).map(drop)
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
        let store = self.store.as_mut().map_err(|why| Text::of(*why))?;
        let bytes = store.pool().slots()[slot].bytes;
        let lent = store
            .storage_mut()
            .flash()
            .lend(self.map.slots[slot], bytes);
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
            unsafe { store.storage_mut().flash().release(self.map.slots[slot]) };
        }
    }

    /// Records that a rune is about to be started; false where another one is to be started, or nothing can be recorded.
    pub(crate) fn starts(&mut self, chip: &mut impl Chip, name: &str, digest: &Digest) -> bool {
        let started = named(name).and_then(|name| self.with(|store| store.start(name, digest)));
        started.unwrap_or_else(|why| {
            chip.say(format_args!("{name} is not started: {why}"));
            false
        })
    }

    /// A rune failed. Whether its trial is over by that.
    pub(crate) fn ended(
        &mut self,
        chip: &mut impl Chip,
        name: Name,
        digest: &Digest,
        is_final: bool,
    ) -> bool {
        match self.with(|store| store.ended(name, digest, is_final)) {
            Ok(fate) => fate == Fate::Over,
            Err(why) => {
                chip.say(format_args!("{name}: {why}"));
                false
            }
        }
    }

    /// A rune runs well.
    pub(crate) fn well(&mut self, chip: &mut impl Chip, name: Name, digest: &Digest) {
        match self.with(|store| store.well(name, digest)) {
            Ok(true) => chip.say(format_args!("{name}: it is healthy")),
            Ok(false) => {}
            Err(why) => chip.say(format_args!("{name}: {why}")),
        }
    }

    pub(crate) fn rollback(&mut self, name: Name) -> Result<(), Why> {
        self.with(|store| store.rollback(name)).map(drop)
    }

    pub(crate) fn remove(&mut self, name: Name) -> Result<(), Why> {
        self.with(|store| store.remove(name)).map(drop)
    }

    /// The device, where it can be used.
    pub(crate) fn flash(&mut self) -> Option<&mut F> {
        let store = self.store.as_mut().ok()?;
        Some(store.storage_mut().flash().flash())
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

/// What SMP asks for: why not is a code too.
#[cfg(feature = "smp")]
impl<F: InPlace, const SLOTS: usize> Installs<F, SLOTS> {
    /// What is known of the slots; all are EMPTY where the flash cannot be used.
    pub(crate) fn entries(&self) -> [Entry; SLOTS] {
        let mut entries = [Entry::EMPTY; SLOTS];
        if let Some(pool) = self.pool() {
            entries.copy_from_slice(pool.slots());
        }
        entries
    }

    /// Begins an upload, or goes on with it; gives how many bytes are there.
    pub(crate) fn begin(
        &mut self,
        digest: Digest,
        bytes: u32,
        anew: bool,
    ) -> Result<u32, (Refusal, Why)> {
        let begun = self.managed(|store| store.begin(digest, bytes, anew))?;
        Ok(match begun {
            Upload::From(offset) => offset,
            Upload::Present => bytes,
        })
    }

    /// Takes a part of the upload; gives where the next one belongs.
    pub(crate) fn part(&mut self, offset: u32, data: &[u8]) -> Result<u32, (Refusal, Why)> {
        self.managed(|store| match store.chunk(offset, data) {
            Err(Error::Refused(Refused::Offset { expected })) => Ok(expected),
            taken => Ok(offset + taken?),
        })
    }

    /// Verifies the upload.
    pub(crate) fn finish<C: Chip>(&mut self) -> Result<(), (Refusal, Why)> {
        self.end::<C>()
            .map(drop)
            .map_err(|why| (Refusal::Image(ImageFault::InvalidImage), why))
    }

    /// Gives up the slot of a digest.
    pub(crate) fn discard(&mut self, digest: Digest) -> Result<(), (Refusal, Why)> {
        self.managed(|store| store.discard(digest)).map(drop)
    }

    /// Confirms the trial of a name.
    pub(crate) fn confirm(&mut self, name: Name) -> Result<(), (Refusal, Why)> {
        self.managed(|store| store.confirm(name)).map(drop)
    }

    /// The bytes of a rune that is whole.
    pub(crate) fn bytes(&self, digest: &Digest) -> Option<&[u8]> {
        let store = self.store.as_ref().ok()?;
        let slot = store.pool().holding(digest)?;
        let entry = &store.pool().slots()[slot];
        store.storage().bytes(slot, entry.received as usize)
    }

    /// Does something with the store; why not is a code, and a text.
    fn managed<T>(
        &mut self,
        act: impl FnOnce(&mut Store<F, SLOTS>) -> Result<T, StoreError<F>>,
    ) -> Result<T, (Refusal, Why)> {
        let store = match &mut self.store {
            Ok(store) => store,
            Err(why) => return Err((Refusal::Image(ImageFault::Storage), Text::of(*why))),
        };
        act(store).map_err(|error| {
            let why = Text::of(&error);
            (error.into(), why)
        })
    }
}

/// What a complete upload is, where it is whole, keeps the contract, and the board has what it needs.
fn verify<E: Engine, F: InPlace, const SLOTS: usize>(
    store: &Store<F, SLOTS>,
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
    let features = E::FEATURES;
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
