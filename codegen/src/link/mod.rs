//! The linker: of several blocks, just what their `run`s reach, at addresses the rune has chosen.
//!
//! Two phases, since the rune's plan lies between them. [`select`] walks from the exports in use and
//! from the snapshots to every function, datum and table slot they reach, lays the data out, and works
//! out the stack. [`Selection::place`], told where things go, writes functions and bytes. Neither looks
//! at what the other did not hand over, and nothing but [`Selection`] passes between them.
//!
//! A block is linked once, whatever the number of its instances: an instance is a root with a snapshot.

mod frame;
mod place;
mod reach;
mod stack;

use std::fmt;

use rune_ir::{
    arena::Id,
    block::Snapshot,
    object::{FunctionId, FunctionType, Object},
};

pub(crate) use place::PartCost;
pub use place::{Bases, Linked, LinkedFunction, LinkedInstance};

use place::Layout;
use reach::Reach;

/// Alignment that [`Selection::place`] needs of its bases, and that a frozen or state arena has.
pub const ALIGN: u32 = 16;

/// A block and the instances to make of it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The block's code; one request for each distinct block.
    pub object: &'a Object,
    /// Its instances.
    pub instances: Vec<InstanceRequest<'a>>,
}

/// One instance of a block.
#[derive(Clone, Copy, Debug)]
pub struct InstanceRequest<'a> {
    /// The export that runs it.
    pub export: &'a str,
    /// What `init` left behind.
    pub snapshot: &'a Snapshot,
}

/// Why a block cannot be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkError {
    /// Which of the requests.
    pub request: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What the author of the block can do about it.
    pub hint: Option<String>,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LinkError {}

/// A fault of one block, before it is known which request that is.
struct Fault {
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}

/// What is linked, without addresses: made by [`select`], used by [`place`](Selection::place).
#[derive(Debug)]
pub struct Selection<'a> {
    parts: Vec<Part<'a>>,
    layout: Layout,
    stack_bytes: u32,
}

/// What is linked of one block.
#[derive(Debug)]
struct Part<'a> {
    object: &'a Object,
    reach: Reach,
    /// Per instance: its snapshot, the function that runs it, and its need of stack.
    instances: Vec<Root<'a>>,
}

#[derive(Debug)]
struct Root<'a> {
    snapshot: &'a Snapshot,
    run: FunctionId,
    stack_bytes: u32,
}

/// Finds what the instances of these blocks reach.
///
/// # Errors
/// The first fault found: an export or function is missing, `run` reaches data that code may write
/// (so it keeps state where it must not, or allocates), calls may recurse, or a function moves the
/// stack pointer by an amount that cannot be bounded.
pub fn select<'a>(requests: &[Request<'a>]) -> Result<Selection<'a>, LinkError> {
    let parts: Vec<Part<'a>> = requests
        .iter()
        .enumerate()
        .map(|(request, r)| {
            part(r).map_err(|Fault { message, hint }| LinkError {
                request,
                message,
                hint,
            })
        })
        .collect::<Result<_, _>>()?;
    let layout = Layout::new(&parts)?;
    let roots = parts.iter().flat_map(|part| &part.instances);
    let stack_bytes = roots.map(|root| root.stack_bytes).max().unwrap_or(0);
    Ok(Selection {
        parts,
        layout,
        stack_bytes,
    })
}

fn part<'a>(request: &Request<'a>) -> Result<Part<'a>, Fault> {
    let object = request.object;
    let mut roots = Vec::new();
    for instance in &request.instances {
        reach::check_snapshot(object, instance.snapshot)?;
        let found = object
            .exports
            .iter()
            .find(|(name, _)| name == instance.export);
        let Some((_, run)) = found else {
            return Err(Fault::new(format!(
                "it has no export `{}`",
                instance.export
            )));
        };
        roots.push((*run, instance.snapshot));
    }
    let reach = Reach::from_roots(object, &roots)?;
    let needs = stack::needs(object, &reach)?;
    let instances = roots
        .into_iter()
        .map(|(run, snapshot)| Root {
            snapshot,
            run,
            stack_bytes: needs[run].next_multiple_of(ALIGN),
        })
        .collect();
    Ok(Part {
        object,
        reach,
        instances,
    })
}

impl Selection<'_> {
    /// Bytes of shadow stack that the deepest `run` needs, a multiple of [`ALIGN`].
    pub fn stack_bytes(&self) -> u32 {
        self.stack_bytes
    }

    /// Bytes of shadow stack that one instance needs; instances are counted request by request.
    pub fn stack_bytes_of(&self, instance: usize) -> Option<u32> {
        let mut roots = self.parts.iter().flat_map(|part| &part.instances);
        roots.nth(instance).map(|root| root.stack_bytes)
    }

    /// Whether any function names the stack pointer, so that the rune must have one.
    pub fn uses_stack(&self) -> bool {
        self.parts.iter().any(|part| {
            let functions = part.object.functions.ids();
            functions.filter(|f| part.reach.function(*f)).any(|f| {
                let relocations = &part.object.functions[f].relocations;
                relocations
                    .iter()
                    .any(|r| r.target == rune_ir::object::Target::StackPointer)
            })
        })
    }

    /// Bytes of state of all instances.
    pub fn state_bytes(&self) -> u32 {
        self.layout.state_bytes
    }

    /// Bytes of read-only data.
    pub fn readonly_bytes(&self) -> u32 {
        self.layout.readonly_bytes
    }

    /// How many functions are linked.
    pub fn functions(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.reach.functions().count())
            .sum()
    }

    /// Names of the linked functions, request by request, in the order of [`Linked::functions`].
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| {
            part.reach
                .functions()
                .map(|f| part.object.functions[f].name.as_str())
        })
    }

    /// Names of the linked data symbols, request by request.
    pub fn datum_names(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .flat_map(|part| part.reach.data().map(|d| part.object.data[d].name.as_str()))
    }
}

/// The type of a function, or the fault of an object that lacks it.
fn type_at(object: &Object, index: u32) -> Result<&FunctionType, Fault> {
    let ty = object.types.get(index as usize);
    ty.ok_or_else(|| Fault::new(format!("it has no type {index}")))
}

/// That an id is of this arena, or the fault of an object that is broken.
fn known<T>(arena: &rune_ir::arena::Arena<T>, id: Id<T>) -> Result<(), Fault> {
    match arena.get(id) {
        Some(_) => Ok(()),
        None => Err(Fault::new(format!("it has no part {id:?}"))),
    }
}
