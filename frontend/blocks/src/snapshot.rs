//! What `init` leaves behind, free of addresses: the words that follow the block when it is moved.
//!
//! The module runs twice, the second time with memory, table, stack and arenas elsewhere, each moved by a
//! distance of its own. A word that is the same in both runs is data. A word that differs by one of the
//! distances, and points into what was moved so, is an address or a table slot. Anything else depends on
//! where the block lay, and is refused.

use rune_ir::{
    block::{Block, InitError, Instance, Snapshot, SnapshotTarget, SnapshotWord},
    object::Object,
};

use crate::{
    engine::{Failure, Machine, Part, Placement, Started, Wasmi, in_enough_room, init},
    object::{self, Shift},
};

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
    let moved = object::rebase(&block.bytes, SHIFT)
        .map_err(|error| InitError::Broken(format!("it cannot be moved: {error}")))?;
    in_enough_room(|room| {
        let here = Run::new(engine, &block.bytes, block, instance, room, [0; 3])?;
        here.check_statics(block)?;
        let there = Run::new(engine, &moved, block, instance, room, GAPS)?;
        Ok(compare(&block.object, &here, &there)?)
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
        bytes: &[u8],
        block: &Block,
        instance: &Instance,
        room: usize,
        gaps: [usize; 3],
    ) -> Result<Self, Failure> {
        let mut machine = engine.machine(bytes)?;
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
                "`init` changes the static `{}`",
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
    let part = |of: fn(&Started) -> Part, name| {
        let mut bytes = here.part(of(a)).to_vec();
        let words = words(object, a, b, &mut bytes, there.part(of(b)), name)?;
        Ok((bytes, words))
    };
    let (frozen, frozen_words) = part(|s| s.frozen, "frozen")?;
    let (state, state_words) = part(|s| s.state, "state")?;
    Ok(Snapshot {
        frozen,
        state,
        frozen_words,
        state_words,
        instance: offset,
        scratch: a.scratch,
    })
}

/// Finds the words that moved, and clears them in `here`.
fn words(
    object: &Object,
    a: &Started,
    b: &Started,
    here: &mut [u8],
    there: &[u8],
    arena: &str,
) -> Result<Vec<SnapshotWord>, InitError> {
    let mut found = Vec::new();
    let pairs = here.chunks_exact_mut(4).zip(there.chunks_exact(4));
    for (index, (first, second)) in pairs.enumerate() {
        if first == second {
            continue;
        }
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let offset = 4 * index as u32;
        let target = target(object, a, b, word(first), word(second)).map_err(|why| {
            InitError::AddressDependent(format!("word {offset} of its {arena} memory {why}"))
        })?;
        found.push(SnapshotWord { offset, target });
        first.fill(0);
    }
    Ok(found)
}

/// What a word that was `first` and then `second` points at.
fn target(
    object: &Object,
    a: &Started,
    b: &Started,
    first: u32,
    second: u32,
) -> Result<SnapshotTarget, String> {
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
