//! Where the linked data lies, and the bytes of everything once the bases are known.

use std::{cmp::Reverse, fmt};

use rune_ir::{
    arena::Side,
    block::{Snapshot, SnapshotTarget, SnapshotWord},
    object::{Datum, DatumId, Encoding, Function, FunctionType, Relocation, Target},
};
use wasm_encoder::Encode;

use super::{ALIGN, LinkError, Part, Selection};

/// Offsets of all data from the bases.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) readonly_bytes: u32,
    pub(super) state_bytes: u32,
    /// The power of two that the read-only offsets count from; they leave room to reach it.
    align: u32,
    /// Per part.
    parts: Vec<PartLayout>,
}

#[derive(Debug)]
struct PartLayout {
    data: Side<Datum, u32>,
    /// Offset of each instance's frozen arena; equal ones may share it.
    frozen: Vec<u32>,
    /// Offset of each instance's state.
    state: Vec<u32>,
}

/// A piece of read-only data: a datum, or the frozen arena of an instance and those that share it.
#[derive(Clone, Copy)]
enum Piece {
    Datum(DatumId),
    Frozen(usize),
}

impl Layout {
    /// Lays out the data of every part: the strictest alignment first, so that little is lost between.
    pub(super) fn new(parts: &[Part<'_>]) -> Result<Self, LinkError> {
        let mut pieces = Vec::new();
        let mut layouts = Vec::new();
        let mut owners: Vec<Vec<usize>> = Vec::new();
        for (part, p) in parts.iter().enumerate() {
            for id in p.reach.data() {
                let datum = &p.object.data[id];
                pieces.push((datum.align, part, Piece::Datum(id), datum.bytes.len()));
            }
            let owner: Vec<usize> = (0..p.instances.len()).map(|i| owner(p, i)).collect();
            for (i, instance) in p
                .instances
                .iter()
                .enumerate()
                .filter(|(i, _)| owner[*i] == *i)
            {
                pieces.push((
                    ALIGN,
                    part,
                    Piece::Frozen(i),
                    instance.snapshot.frozen.len(),
                ));
            }
            owners.push(owner);
            layouts.push(PartLayout {
                data: Side::filled(&p.object.data, 0),
                frozen: vec![0; p.instances.len()],
                state: vec![0; p.instances.len()],
            });
        }
        pieces.sort_by_key(|(align, ..)| Reverse(*align));
        let align = pieces
            .first()
            .map_or(ALIGN, |(align, ..)| (*align).max(ALIGN));
        let mut end = Cursor(0);
        for (align, part, piece, bytes) in pieces {
            let at = end.take(align, bytes).ok_or_else(|| too_large(part))?;
            match piece {
                Piece::Datum(id) => layouts[part].data[id] = at,
                Piece::Frozen(i) => layouts[part].frozen[i] = at,
            }
        }
        let mut state = Cursor(0);
        for (part, p) in parts.iter().enumerate() {
            for (i, instance) in p.instances.iter().enumerate() {
                layouts[part].frozen[i] = layouts[part].frozen[owners[part][i]];
                layouts[part].state[i] = state
                    .take(ALIGN, instance.snapshot.state.len())
                    .ok_or_else(|| too_large(part))?;
            }
        }
        let readonly_bytes = end.take(1, (align - ALIGN) as usize).map(|_| end.0);
        Ok(Self {
            readonly_bytes: readonly_bytes.ok_or_else(|| too_large(0))?,
            state_bytes: state.0,
            align,
            parts: layouts,
        })
    }
}

/// The first instance whose frozen arena serves this one too: equal, and free of pointers to state,
/// which every instance has for itself.
fn owner(part: &Part<'_>, instance: usize) -> usize {
    let snapshot = part.instances[instance].snapshot;
    let points_at_state = |word: &SnapshotWord| matches!(word.target, SnapshotTarget::State(_));
    if snapshot.frozen_words.iter().any(points_at_state) {
        return instance;
    }
    let same = |other: &Snapshot| {
        other.frozen == snapshot.frozen && other.frozen_words == snapshot.frozen_words
    };
    let before = part.instances[..instance].iter();
    before
        .map(|root| root.snapshot)
        .position(same)
        .unwrap_or(instance)
}

/// The next free offset of a region of at most 2^31 bytes.
struct Cursor(u32);

impl Cursor {
    fn take(&mut self, align: u32, bytes: usize) -> Option<u32> {
        let at = self.0.checked_next_multiple_of(align)?;
        let end = at.checked_add(u32::try_from(bytes).ok()?)?;
        self.0 = end;
        (end <= 1 << 31).then_some(at)
    }
}

fn too_large(request: usize) -> LinkError {
    LinkError {
        request,
        message: "the data of the blocks does not fit in a 32-bit memory".to_owned(),
        hint: None,
    }
}

/// What is linked of one block, in bytes.
pub(crate) struct PartCost {
    /// Its data.
    pub(crate) data: u32,
    /// How many functions it has among the linked ones.
    pub(crate) functions: usize,
    /// What each instance has for itself.
    pub(crate) instances: Vec<InstanceCost>,
}

/// What an instance of a block has for itself, in bytes.
pub(crate) struct InstanceCost {
    /// What `init` left; 0 where it shares that of another.
    pub(crate) frozen: u32,
    /// Its state.
    pub(crate) state: u32,
    /// The stack that a call needs.
    pub(crate) stack: u32,
}

/// What the rune has decided: where each kind of thing begins.
pub struct Bases<'a> {
    /// Address of the read-only data, a multiple of [`ALIGN`].
    pub readonly: u32,
    /// Address of the state, a multiple of [`ALIGN`].
    pub state: u32,
    /// Index of the first function.
    pub first_function: u32,
    /// The first table slot; 0 would be a null function pointer.
    pub first_slot: u32,
    /// Index of the global that holds the stack pointer, if the selection uses it.
    pub stack_pointer: u32,
    /// Gives the index of a type in the rune.
    pub type_index: &'a mut dyn FnMut(&FunctionType) -> u32,
}

impl fmt::Debug for Bases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bases")
            .field("readonly", &self.readonly)
            .field("state", &self.state)
            .field("first_function", &self.first_function)
            .field("first_slot", &self.first_slot)
            .field("stack_pointer", &self.stack_pointer)
            .finish_non_exhaustive()
    }
}

/// Linked code and data, every index and address final.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Linked {
    /// The functions, from [`Bases::first_function`] up.
    pub functions: Vec<LinkedFunction>,
    /// The bytes from [`Bases::readonly`] up; [`Selection::readonly_bytes`] of them.
    pub readonly: Vec<u8>,
    /// The first bytes of the state from [`Bases::state`] up; [`Selection::state_bytes`] of them.
    pub state: Vec<u8>,
    /// Indices of the functions in the table from [`Bases::first_slot`] up. Slots of functions that
    /// are never called have numbers past these.
    pub table: Vec<u32>,
    /// The instances, request by request.
    pub instances: Vec<LinkedInstance>,
}

/// One linked function.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkedFunction {
    /// Its name in the block.
    pub name: String,
    /// Its type.
    pub ty: FunctionType,
    /// Locals and instructions, without the length before them.
    pub body: Vec<u8>,
}

/// One linked instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkedInstance {
    /// Index of the function that runs it.
    pub run: u32,
    /// Its first argument: the address of what `init` made.
    pub address: u32,
    /// Bytes of scratch it needs, at an address that is a multiple of [`ALIGN`].
    pub scratch: u32,
}

/// The final numbers of one part's things.
struct Numbers<'s> {
    layout: &'s PartLayout,
    functions: Side<Function, u32>,
    slots: Side<Function, u32>,
    readonly: u32,
    state: u32,
}

impl Selection<'_> {
    /// What is linked, block by block in the order of the requests.
    pub(crate) fn costs(&self) -> Vec<PartCost> {
        let parts = self.parts.iter();
        parts
            .map(|part| PartCost {
                data: part
                    .reach
                    .data()
                    .map(|d| part.object.data[d].bytes.len() as u32)
                    .sum(),
                functions: part.reach.functions().count(),
                instances: part
                    .instances
                    .iter()
                    .enumerate()
                    .map(|(i, root)| InstanceCost {
                        frozen: if owner(part, i) == i {
                            root.snapshot.frozen.len() as u32
                        } else {
                            0
                        },
                        state: root.snapshot.state.len() as u32,
                        stack: root.stack_bytes,
                    })
                    .collect(),
            })
            .collect()
    }

    /// Patches everything for these bases. The caller has seen to it that both regions fit in memory.
    pub fn place(&self, bases: &mut Bases<'_>) -> Linked {
        let mut linked = Linked {
            readonly: vec![0; self.layout.readonly_bytes as usize],
            state: vec![0; self.layout.state_bytes as usize],
            ..Linked::default()
        };
        let numbers = self.number(bases, &mut linked.table);
        let readonly = bases.readonly.next_multiple_of(self.layout.align);
        let skipped = (readonly - bases.readonly) as usize;
        for (part, numbers) in self.parts.iter().zip(&numbers) {
            for id in part.reach.functions() {
                let function = &part.object.functions[id];
                linked.functions.push(LinkedFunction {
                    name: function.name.clone(),
                    ty: function.ty.clone(),
                    body: numbers.body(function, part, bases),
                });
            }
            for id in part.reach.data() {
                let datum = &part.object.data[id];
                let at = skipped + numbers.layout.data[id] as usize;
                let bytes = &mut linked.readonly[at..at + datum.bytes.len()];
                bytes.copy_from_slice(&datum.bytes);
                for relocation in &datum.relocations {
                    let value = numbers.value(relocation, part, bases);
                    patch(bytes, relocation.offset, value);
                }
            }
            for (i, root) in part.instances.iter().enumerate() {
                let snapshot = root.snapshot;
                let at = skipped + numbers.layout.frozen[i] as usize;
                let bytes = &mut linked.readonly[at..at + snapshot.frozen.len()];
                numbers.arena(bytes, &snapshot.frozen, &snapshot.frozen_words, i);
                let at = numbers.layout.state[i] as usize;
                let bytes = &mut linked.state[at..at + snapshot.state.len()];
                numbers.arena(bytes, &snapshot.state, &snapshot.state_words, i);
                linked.instances.push(LinkedInstance {
                    run: numbers.functions[root.run],
                    address: numbers.frozen(i) + snapshot.instance,
                    scratch: snapshot.scratch,
                });
            }
        }
        linked
    }

    /// Gives every function its index and every taken slot its number: first, over all parts, the slots
    /// that calls may end in, which make the table; then those that are only compared and copied.
    fn number(&self, bases: &Bases<'_>, table: &mut Vec<u32>) -> Vec<Numbers<'_>> {
        let mut next = bases.first_function;
        let mut numbers: Vec<Numbers<'_>> = Vec::new();
        for (part, layout) in self.parts.iter().zip(&self.layout.parts) {
            let mut numbering = Numbers {
                layout,
                functions: Side::filled(&part.object.functions, 0),
                slots: Side::filled(&part.object.functions, 0),
                readonly: bases.readonly.next_multiple_of(self.layout.align),
                state: bases.state,
            };
            for id in part.reach.functions() {
                numbering.functions[id] = next;
                next += 1;
            }
            for id in part.reach.called_slots() {
                numbering.slots[id] = bases.first_slot + table.len() as u32;
                table.push(numbering.functions[id]);
            }
            numbers.push(numbering);
        }
        let mut slot = bases.first_slot + table.len() as u32;
        for (part, numbering) in self.parts.iter().zip(&mut numbers) {
            for id in part.reach.slots().filter(|id| !part.reach.function(*id)) {
                numbering.slots[id] = slot;
                slot += 1;
            }
        }
        numbers
    }
}

impl Numbers<'_> {
    fn datum(&self, id: DatumId) -> u32 {
        self.readonly + self.layout.data[id]
    }

    fn frozen(&self, instance: usize) -> u32 {
        self.readonly + self.layout.frozen[instance]
    }

    fn value(&self, relocation: &Relocation, part: &Part<'_>, bases: &mut Bases<'_>) -> u32 {
        match relocation.target {
            Target::Function(f) => self.functions[f],
            Target::Slot(f) => self.slots[f],
            Target::Type(index) => (bases.type_index)(&part.object.types[index as usize]),
            Target::Address(datum, offset) => self.datum(datum).wrapping_add_signed(offset),
            Target::StackPointer => bases.stack_pointer,
            Target::Table => 0,
        }
    }

    /// The body with every number in place. What lies between the numbers is copied: Wasm has no jumps
    /// by distance, so each number may be written as short as it goes.
    fn body(&self, function: &Function, part: &Part<'_>, bases: &mut Bases<'_>) -> Vec<u8> {
        let mut body = Vec::with_capacity(function.body.len());
        let mut copied = 0;
        for relocation in &function.relocations {
            let at = relocation.offset as usize;
            body.extend_from_slice(&function.body[copied..at]);
            let value = self.value(relocation, part, bases);
            match relocation.encoding {
                Encoding::Leb => value.encode(&mut body),
                Encoding::Sleb => value.cast_signed().encode(&mut body),
                Encoding::Word => body.extend_from_slice(&value.to_le_bytes()),
            }
            copied = at + width(relocation.encoding, &function.body[at..]);
        }
        body.extend_from_slice(&function.body[copied..]);
        body
    }

    /// An arena of instance `i`, with its words in place.
    fn arena(&self, out: &mut [u8], bytes: &[u8], words: &[SnapshotWord], i: usize) {
        out.copy_from_slice(bytes);
        for word in words {
            let value = match word.target {
                SnapshotTarget::Frozen(at) => self.frozen(i) + at,
                SnapshotTarget::State(at) => self.state + self.layout.state[i] + at,
                SnapshotTarget::Datum(id, offset) => self.datum(id).wrapping_add_signed(offset),
                SnapshotTarget::Slot(f) => self.slots[f],
            };
            patch(out, word.offset, value);
        }
    }
}

/// How many bytes the number at the start of `bytes` takes.
fn width(encoding: Encoding, bytes: &[u8]) -> usize {
    match encoding {
        Encoding::Leb | Encoding::Sleb => bytes.iter().take_while(|b| **b & 0x80 != 0).count() + 1,
        Encoding::Word => 4,
    }
}

fn patch(bytes: &mut [u8], at: u32, value: u32) {
    let at = at as usize;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}
