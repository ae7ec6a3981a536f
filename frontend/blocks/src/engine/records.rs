//! One call of `init` or `shape`: the records it reads, the arenas it fills, and what it answers.

use rune_abi::limit;
use rune_ir::{
    args::Bound,
    block::{InitError, Instance},
    ty::{Dim, TensorType},
};

use super::{ALIGN, Machine, Stop};

/// Bytes of the context.
const CONTEXT: usize = 52;

/// How large the arenas are, and how far each lies above the memory before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    room: usize,
    gaps: [usize; 3],
}

impl Placement {
    /// Arenas of `room` bytes; `gaps` are those before the records, the frozen and the state arena.
    pub(crate) fn new(room: usize, gaps: [usize; 3]) -> Self {
        Self { room, gaps }
    }
}

/// A range of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) base: u32,
    pub(crate) bytes: u32,
}

impl Part {
    /// The offset of an address in the part or just past it.
    pub(crate) fn offset(self, address: u32) -> Option<u32> {
        let offset = address.wrapping_sub(self.base);
        (offset <= self.bytes).then_some(offset)
    }
}

/// An instance that `init` made, and where everything is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// Context, arguments and types.
    pub(crate) records: Part,
    /// What is used of the frozen arena.
    pub(crate) frozen: Part,
    /// What is used of the state arena.
    pub(crate) state: Part,
    pub(crate) instance: u32,
    pub(crate) scratch: u32,
    /// First node of the list of freed ranges of the frozen arena, or 0.
    pub(crate) freed: u32,
}

/// Room for each arena: enough for most, for large tables, and all that there is. Most of the time of checking
/// a block would go into zeroing room that it does not need.
const ROOMS: [usize; 4] = [16 << 10, 256 << 10, 4 << 20, 64 << 20];

/// Why there is no instance.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Perhaps for want of room: a block then refuses or traps in ways of its own.
    Room(InitError),
    /// Room would not help.
    Final(InitError),
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        Self::Final(error)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fuel(..) | Stop::Unwanted => Self::Final(stop.into()),
            Stop::Trap(..) | Stop::Memory => Self::Room(stop.into()),
        }
    }
}

/// Tries with little room first.
pub(crate) fn in_enough_room<T>(run: impl Fn(usize) -> Result<T, Failure>) -> Result<T, InitError> {
    let again = |result: Result<T, Failure>, room: &usize| match result {
        Err(Failure::Room(_)) => run(*room),
        settled => settled,
    };
    let first = run(ROOMS[0]);
    ROOMS[1..]
        .iter()
        .fold(first, again)
        .map_err(|(Failure::Room(error) | Failure::Final(error))| error)
}

/// What a call was given.
struct Given {
    context: Part,
    frozen: u32,
    state: u32,
    /// Address of the type records.
    types: u32,
    /// Address of the dimensions in each.
    dims: Vec<u32>,
}

/// Calls an export that takes a context. Gives what it was given and what it returned, which is not 0.
fn call(
    machine: &mut Machine,
    export: &str,
    instance: &Instance,
    placement: &Placement,
) -> Result<(Given, u32), Failure> {
    let [records_gap, frozen_gap, state_gap] = placement.gaps;
    let length = Records::new(0, instance).bytes.len();
    let context = machine.take(records_gap, length)?;
    let frozen = machine.take(frozen_gap, placement.room)?;
    let state = machine.take(state_gap, placement.room)?;
    let room = placement.room as u32;

    let mut records = Records::new(context, instance);
    for (word, value) in [frozen, frozen + room, state, state + room]
        .into_iter()
        .enumerate()
    {
        records.set(5 + word, value);
    }
    machine.write(context, &records.bytes);
    let result = machine.call(export, (context,))? as u32;
    if result == 0 {
        let word = |index: u32| machine.word(context + 4 * index);
        let message = machine
            .read(word(9), word(10).min(1 << 16))
            .unwrap_or_default();
        return Err(Failure::Room(InitError::Refused(match message {
            [] => "the block gives no reason".to_owned(),
            bytes => String::from_utf8_lossy(bytes).into_owned(),
        })));
    }
    let given = Given {
        context: Part {
            base: context,
            bytes: length as u32,
        },
        frozen,
        state,
        types: records.types,
        dims: records.dims,
    };
    Ok((given, result))
}

/// Calls `init`.
pub(crate) fn init(
    machine: &mut Machine,
    instance: &Instance,
    placement: &Placement,
) -> Result<Started, Failure> {
    let (given, address) = call(machine, "init", instance, placement)?;
    let word = |index: u32| machine.word(given.context.base + 4 * index);
    let room = placement.room as u32;
    let used = |base: u32, next: u32, what| {
        let bytes = next.wrapping_sub(base);
        // The arena is a multiple of a word, so the last word is all there.
        match bytes.checked_next_multiple_of(4) {
            Some(bytes) if bytes <= room => Ok(Part { base, bytes }),
            Some(bytes) if bytes < 1 << 31 => Err(Failure::Room(InitError::Broken(format!(
                "`init` took {bytes} bytes of {what} memory, and there are {room}"
            )))),
            _ => Err(Failure::Final(InitError::Broken(format!(
                "`init` left the {what} arena"
            )))),
        }
    };
    let started = Started {
        records: given.context,
        frozen: used(given.frozen, word(5), "frozen")?,
        state: used(given.state, word(7), "state")?,
        instance: address,
        scratch: word(11),
        freed: word(12),
    };
    if started.frozen.offset(address).is_none() {
        let message = "the instance is not in the frozen arena".to_owned();
        return Err(InitError::Broken(message).into());
    }
    Ok(started)
}

/// Calls `shape`: the dimensions of each output.
pub(crate) fn shape(
    machine: &mut Machine,
    question: &Instance,
    placement: &Placement,
) -> Result<Vec<Vec<Dim>>, Failure> {
    let (given, result) = call(machine, "shape", question, placement)?;
    let broken = |message: String| Failure::Final(InitError::Broken(message));
    if result != 1 {
        return Err(broken(format!(
            "`shape` returned {result}; it returns 1, or 0 and a message"
        )));
    }
    let first = question.inputs.len();
    let told = (first..first + question.outputs.len()).map(|index| {
        let record = given.types + 16 * index as u32;
        let (rank, bounds) = (machine.word(record + 4), machine.word(record + 12));
        if rank as usize > limit::RANK {
            return Err(broken(format!(
                "`shape` says that output {} has {rank} dimensions; there are at most {}",
                index - first,
                limit::RANK
            )));
        }
        let dim = |i: u32| {
            let n = machine.word(given.dims[index] + 4 * i);
            match bounds >> i & 1 {
                0 => Dim::Exact(n),
                _ => Dim::AtMost(n),
            }
        };
        Ok((0..rank).map(dim).collect())
    });
    told.collect()
}

/// The records of one instance at an address, the context first.
struct Records {
    base: u32,
    bytes: Vec<u8>,
    /// Address of the type records.
    types: u32,
    /// Address of the dimensions in each.
    dims: Vec<u32>,
}

impl Records {
    fn new(base: u32, instance: &Instance) -> Self {
        let mut records = Self {
            base,
            bytes: vec![0; CONTEXT],
            types: 0,
            dims: Vec::new(),
        };
        let args: Vec<[u32; 4]> = instance.args.iter().map(|a| records.arg(a)).collect();
        let types: Vec<[u32; 4]> = instance
            .inputs
            .iter()
            .chain(&instance.outputs)
            .map(|t| records.ty(t))
            .collect();
        let args_at = records.words(args.as_flattened());
        records.types = records.words(types.as_flattened());
        let head = [
            args_at,
            args.len() as u32,
            records.types,
            instance.inputs.len() as u32,
            instance.outputs.len() as u32,
        ];
        for (word, value) in head.into_iter().enumerate() {
            records.set(word, value);
        }
        records
    }

    /// Sets a word of the context.
    fn set(&mut self, word: usize, value: u32) {
        self.bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Appends and gives the address.
    fn push(&mut self, bytes: &[u8]) -> u32 {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        let address = self.base + self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        address
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.push(&bytes)
    }

    fn arg(&mut self, arg: &Bound) -> [u32; 4] {
        let halves = |bits: u64| [bits as u32, (bits >> 32) as u32];
        let (tag, length, [low, high]) = match arg {
            Bound::Integer(n) => (0, 0, halves(*n as u64)),
            Bound::Float(x) => (1, 0, halves(x.to_bits())),
            Bound::Text(text) => (2, text.len(), [self.push(text.as_bytes()), 0]),
            Bound::List(items) => {
                let pairs: Vec<[u32; 2]> = items
                    .iter()
                    .map(|item| [self.push(item.as_bytes()), item.len() as u32])
                    .collect();
                (3, items.len(), [self.words(pairs.as_flattened()), 0])
            }
            Bound::Bytes(bytes) => (4, bytes.len(), [self.push(bytes), 0]),
        };
        [tag, length as u32, low, high]
    }

    fn ty(&mut self, ty: &TensorType) -> [u32; 4] {
        // Room for as many as `shape` may tell.
        let mut words = ty.shape();
        words.resize(words.len().max(limit::RANK), 0);
        let dims = self.words(&words);
        self.dims.push(dims);
        let bounds = ty
            .dims
            .iter()
            .enumerate()
            .fold(0, |mask, (i, dim)| match dim {
                Dim::AtMost(_) if i < 32 => mask | 1 << i,
                Dim::AtMost(_) | Dim::Exact(_) => mask,
            });
        [ty.element as u32, ty.dims.len() as u32, dims, bounds]
    }
}
