//! What `init` leaves behind, free of addresses: the words that follow the block when it is moved.
//!
//! The module runs twice, the second time with memory, table, stack and arenas elsewhere, each moved by a
//! distance of its own. A word that is the same in both runs is data. A word that differs by one of the
//! distances, and points into what was moved so, is an address or a table slot. Anything else depends on
//! where the block lay, and is refused. What `init` allocated and freed again is left out.

mod freed;

use rune_ir::{
    block::{Block, InitError, Instance, Snapshot, SnapshotTarget, SnapshotWord},
    object::Object,
};

use crate::{
    engine::{Failure, Machine, Part, Placement, Started, Wasmi, in_enough_room, init},
    object::Shift,
};
use freed::{Compaction, Freed};

/// How far the module moves in the second run. No two parts move alike, and every alignment up to 1 KiB
/// is kept, apart from the stack's, which has one of 16. Stack and data stay apart but for the 16 bytes
/// at the stack's far end in a module that has its stack above its data.
const SHIFT: Shift = Shift {
    memory: 0x2_0c00,
    table: 1009,
    stack: 0x2_0bf0,
};

/// How much further the records, the frozen and the state arena lie in the second run.
const GAPS: [usize; 3] = [0x400, 0x800, 0x1000];

/// Runs `init` twice and compares.
pub(crate) fn take(
    engine: &Wasmi,
    block: &Block,
    instance: &Instance,
) -> Result<Snapshot, InitError> {
    in_enough_room(|room| {
        let here = Run::new(engine, None, block, instance, room, [0; 3])?;
        here.check_statics(block)?;
        let there = Run::new(engine, Some(SHIFT), block, instance, room, GAPS)?;
        let snapshot = compare(&block.object, &here, &there);
        engine.retire([here.machine, there.machine]);
        Ok(snapshot?)
    })
}

/// A machine after `init`.
struct Run {
    machine: Machine,
    started: Started,
    /// Static data as it was before.
    statics: Vec<Vec<u8>>,
}

impl Run {
    fn new(
        engine: &Wasmi,
        shift: Option<Shift>,
        block: &Block,
        instance: &Instance,
        room: usize,
        gaps: [usize; 3],
    ) -> Result<Self, Failure> {
        let mut machine = engine.machine(&block.bytes, shift)?;
        let statics = statics(&machine, block);
        let started = init(&mut machine, instance, &Placement::new(room, gaps))?;
        Ok(Self {
            machine,
            started,
            statics,
        })
    }

    /// Whether static data is what it was; for the run at the module's own addresses.
    fn check_statics(&self, block: &Block) -> Result<(), InitError> {
        let after = statics(&self.machine, block);
        let changed = block
            .object
            .data
            .values()
            .zip(self.statics.iter().zip(&after))
            .find(|(_, (before, after))| before != after);
        match changed {
            None => Ok(()),
            Some((datum, _)) => Err(InitError::Broken(format!(
                "`init` changes the static `{}`, which all instances share; what it makes belongs in its arenas",
                datum.name
            ))),
        }
    }

    fn part(&self, part: Part) -> &[u8] {
        self.machine
            .read(part.base, part.bytes)
            .expect("the arenas lie in the memory")
    }
}

/// The bytes of every datum at its own address.
fn statics(machine: &Machine, block: &Block) -> Vec<Vec<u8>> {
    let bytes = |datum: &rune_ir::object::Datum| {
        let bytes = machine.read(datum.address, datum.bytes.len() as u32);
        bytes.unwrap_or_default().to_vec()
    };
    block.object.data.values().map(bytes).collect()
}

fn compare(object: &Object, here: &Run, there: &Run) -> Result<Snapshot, InitError> {
    let (a, b) = (&here.started, &there.started);
    let offset = a.instance - a.frozen.base;
    if a.frozen.bytes != b.frozen.bytes
        || a.state.bytes != b.state.bytes
        || a.scratch != b.scratch
        || offset != b.instance - b.frozen.base
    {
        let message = "it takes another amount of memory when it lies elsewhere";
        return Err(InitError::AddressDependent(message.to_owned()));
    }
    let freed = freed_alike(here, there)?;
    let mut frozen = here.part(a.frozen).to_vec();
    let mut state = here.part(a.state).to_vec();
    let find = Finder { object, a, b };
    let live = |offset| !freed.contains(offset);
    let mut frozen_words = find.words(&mut frozen, there.part(b.frozen), "frozen", live)?;
    let mut state_words = find.words(&mut state, there.part(b.state), "state", |_| true)?;

    let compaction = Compaction::new(&freed, a.frozen.bytes);
    let gone = |what: &str| InitError::Broken(format!("{what} memory that was freed"));
    for (words, arena) in [(&mut frozen_words, "frozen"), (&mut state_words, "state")] {
        for word in words {
            if let SnapshotTarget::Frozen(at) = &mut word.target {
                let what = format!("word {} of its {arena} memory points at", word.offset);
                *at = compaction.offset(*at).ok_or_else(|| gone(&what))?;
            }
        }
    }
    for word in &mut frozen_words {
        let moved = compaction.offset(word.offset);
        word.offset = moved.expect("only live words are looked at");
    }
    let instance = Some(offset).filter(|at| live(*at));
    Ok(Snapshot {
        frozen: compaction.apply(&frozen),
        state,
        frozen_words,
        state_words,
        instance: instance
            .and_then(|at| compaction.offset(at))
            .ok_or_else(|| gone("the instance lies in"))?,
        scratch: a.scratch,
    })
}

/// The memory that `init` freed, the same in both runs.
fn freed_alike(here: &Run, there: &Run) -> Result<Freed, InitError> {
    let read = |run: &Run| {
        let frozen = run.started.frozen;
        let freed = Freed::read(run.part(frozen), frozen.base, run.started.freed);
        freed.map_err(InitError::Broken)
    };
    let freed = read(here)?;
    if read(there)? != freed {
        let message = "it frees other memory when it lies elsewhere";
        return Err(InitError::AddressDependent(message.to_owned()));
    }
    Ok(freed)
}

/// Finds the words that moved between two runs.
struct Finder<'a> {
    object: &'a Object,
    a: &'a Started,
    b: &'a Started,
}

impl Finder<'_> {
    /// The words of an arena that moved, of those that are looked at; clears them in `here`.
    fn words(
        &self,
        here: &mut [u8],
        there: &[u8],
        arena: &str,
        looked_at: impl Fn(u32) -> bool,
    ) -> Result<Vec<SnapshotWord>, InitError> {
        let mut found = Vec::new();
        let pairs = here.chunks_exact_mut(4).zip(there.chunks_exact(4));
        for (index, (first, second)) in pairs.enumerate() {
            let offset = 4 * index as u32;
            if first == second || !looked_at(offset) {
                continue;
            }
            let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
            let target = self.target(word(first), word(second)).map_err(|why| {
                InitError::AddressDependent(format!("word {offset} of its {arena} memory {why}"))
            })?;
            found.push(SnapshotWord { offset, target });
            first.fill(0);
        }
        Ok(found)
    }

    /// What a word that was `first` and then `second` points at.
    fn target(&self, first: u32, second: u32) -> Result<SnapshotTarget, String> {
        let Self { object, a, b } = self;
        let moved = second.wrapping_sub(first);
        let within = |of: fn(&Started) -> Part| {
            let (a, b) = (of(a), of(b));
            a.offset(first).filter(|_| moved == b.base - a.base)
        };
        if let Some(offset) = within(|s| s.frozen) {
            return Ok(SnapshotTarget::Frozen(offset));
        }
        if let Some(offset) = within(|s| s.state) {
            return Ok(SnapshotTarget::State(offset));
        }
        if within(|s| s.records).is_some() {
            return Err("points at an argument, which is gone after `init`".to_owned());
        }
        if moved == SHIFT.memory {
            return match object.datum_at(first) {
                Some((datum, offset)) => Ok(SnapshotTarget::Datum(datum, offset)),
                None => Err(format!(
                    "points at {first:#x}, where there is no static data"
                )),
            };
        }
        if moved == SHIFT.table {
            let slot = first.wrapping_sub(object.table_base) as usize;
            return match object.table.get(slot) {
                Some(function) => Ok(SnapshotTarget::Slot(*function)),
                None => Err(format!("is the table slot {first}, which has no function")),
            };
        }
        if moved == SHIFT.stack {
            return Err("points into the stack, which is gone after `init`".to_owned());
        }
        Err(format!(
            "is computed from an address: {first:#x} here, {second:#x} elsewhere"
        ))
    }
}
