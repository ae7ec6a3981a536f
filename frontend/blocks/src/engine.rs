//! Blocks run as they came, under wasmi: for `init` while compiling, and for the evaluator.
//!
//! Steps and memory are limited, time never, so the outcome is the same on every machine.

mod records;
mod running;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rune_ir::{
    block::{Block, BlockEngine, InitError, Instance, RunningBlock, Snapshot},
    ty::Dim,
};
use wasmi::{
    CompilationMode, Config, Engine, Memory, Module, Store, StoreLimits, StoreLimitsBuilder,
    TrapCode, TypedFunc, TypedResumableCall, WasmParams, WasmTyList,
};

pub(crate) use records::{Failure, Part, Placement, Started, in_enough_room, init};

use crate::{
    object::{self, Shift},
    snapshot,
};

/// What a block may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps of one call of `init` or `run`, about one per instruction.
    pub fuel: u64,
    /// Bytes of memory, that of the module included.
    pub memory: usize,
}

impl Default for Limits {
    /// About two seconds of work and 256 MiB.
    fn default() -> Self {
        Self {
            fuel: 1_000_000_000,
            memory: 256 << 20,
        }
    }
}

/// The engine. Clones share the modules it has translated.
#[derive(Clone, Debug)]
pub struct Wasmi {
    engine: Engine,
    modules: Arc<Mutex<Vec<Translated>>>,
    spent: Arc<Mutex<Spent>>,
    limits: Limits,
    stop: Option<Arc<AtomicBool>>,
}

/// What keeps the allocator from giving the memory of every run back to the system and taking it anew, which
/// was four fifths of the time of checking many blocks. It is about glibc's, which gives back only what lies
/// above all else; others lose nothing by it. Blocks linked with a smaller stack than 1 MB would not need it.
#[derive(Debug, Default)]
struct Spent {
    /// Those of the last run.
    machines: Vec<Machine>,
    /// Taken while the machines of two runs are there, and so likely above them.
    ballast: Option<Box<[u8]>>,
}

/// A module ready to run, known by the allocation of its bytes, which it keeps.
#[derive(Clone, Debug)]
struct Translated {
    bytes: Arc<[u8]>,
    shift: Option<Shift>,
    module: Module,
}

/// Bytes that allocators take from the heap and not from the system, and that fit in no gap of it.
const BALLAST: usize = 100 << 10;

/// Most bytes of memory of a machine that is kept after its run.
const MOST_SPENT: usize = 4 << 20;

/// How many modules are kept: every block of a large project.
const MOST_MODULES: usize = 128;

impl Default for Wasmi {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Wasmi {
    /// An engine with these limits.
    pub fn new(limits: Limits) -> Self {
        let mut config = Config::default();
        config
            .consume_fuel(true)
            .ignore_custom_sections(true)
            // Lazy translation would be paid for in steps of whichever run comes first.
            .compilation_mode(CompilationMode::Eager);
        Self {
            engine: Engine::new(&config),
            modules: Arc::default(),
            spent: Arc::default(),
            limits,
            stop: None,
        }
    }

    /// The same engine, whose calls end with [`InitError::Later`] soon after the flag is set.
    #[must_use]
    pub fn stopped_by(self, flag: Arc<AtomicBool>) -> Self {
        Self {
            stop: Some(flag),
            ..self
        }
    }

    /// Drops the machines of the last run but one, and not yet these.
    pub(crate) fn retire(&self, machines: [Machine; 2]) {
        let is_small = |machine: &Machine| machine.bytes().len() <= MOST_SPENT;
        let machines: Vec<Machine> = machines.into_iter().filter(is_small).collect();
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if !spent.machines.is_empty() && spent.ballast.is_none() {
            spent.ballast = Some(vec![0; BALLAST].into());
        }
        let before = std::mem::replace(&mut spent.machines, machines);
        drop(spent);
        drop(before);
    }

    /// The module of these bytes, or of what they are when moved, ready to run.
    fn module(&self, bytes: &Arc<[u8]>, shift: Option<Shift>) -> Result<Module, InitError> {
        let lock = || self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |known: &Translated| Arc::ptr_eq(&known.bytes, bytes) && known.shift == shift;
        let mut modules = lock();
        if let Some(at) = modules.iter().position(is_it) {
            // The last used stands last.
            modules[at..].rotate_left(1);
            return Ok(modules[modules.len() - 1].module.clone());
        }
        drop(modules);
        let moved = shift.map(|shift| object::rebase(bytes, shift)).transpose();
        let moved =
            moved.map_err(|error| InitError::Broken(format!("it cannot be moved: {error}")))?;
        let module = Module::new(&self.engine, moved.as_deref().unwrap_or(bytes))
            .map_err(|error| InitError::Broken(format!("it cannot be loaded: {error}")))?;
        let mut modules = lock();
        if modules.len() == MOST_MODULES {
            modules.remove(0);
        }
        modules.push(Translated {
            bytes: bytes.clone(),
            shift,
            module: module.clone(),
        });
        Ok(module)
    }

    /// The module, moved or not, in memory of its own, nothing called yet.
    pub(crate) fn machine(
        &self,
        bytes: &Arc<[u8]>,
        shift: Option<Shift>,
    ) -> Result<Machine, InitError> {
        let broken =
            |error: wasmi::Error| InitError::Broken(format!("it cannot be loaded: {error}"));
        let module = self.module(bytes, shift)?;
        let memory = module.get_export(rune_abi::export::MEMORY);
        let pages = memory.and_then(|ty| Some(ty.memory()?.minimum()));
        if pages.is_some_and(|pages| pages > self.limits.memory as u64 >> 16) {
            return Err(InitError::Broken(format!(
                "its module has {} MiB of memory, and a block may have {}",
                pages.unwrap_or_default() >> 4,
                self.limits.memory >> 20
            )));
        }
        let limits = StoreLimitsBuilder::new()
            .memory_size(self.limits.memory)
            .table_elements(1 << 16)
            .build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        let instance = wasmi::Instance::new(&mut store, &module, &[]).map_err(broken)?;
        let memory = instance
            .get_memory(&store, rune_abi::export::MEMORY)
            .ok_or_else(|| InitError::Broken("it exports no memory".to_owned()))?;
        let top = memory.data_size(&store);
        Ok(Machine {
            store,
            instance,
            memory,
            limits: self.limits,
            stop: self.stop.clone(),
            top,
        })
    }
}

impl BlockEngine for Wasmi {
    fn shape(&self, block: &Block, question: &Instance) -> Result<Vec<Vec<Dim>>, InitError> {
        in_enough_room(|room| {
            let mut machine = self.machine(&block.bytes, None)?;
            records::shape(&mut machine, question, &Placement::new(room, [0; 3]))
        })
    }

    fn snapshot(&self, block: &Block, instance: &Instance) -> Result<Arc<Snapshot>, InitError> {
        snapshot::take(self, block, instance).map(Arc::new)
    }

    fn start(
        &self,
        block: &Block,
        instance: &Instance,
    ) -> Result<Box<dyn RunningBlock>, InitError> {
        let (machine, started) = in_enough_room(|room| {
            let mut machine = self.machine(&block.bytes, None)?;
            let started = init(&mut machine, instance, &Placement::new(room, [0; 3]))?;
            Ok((machine, started))
        })?;
        Ok(Box::new(running::Running::new(machine, &started, instance)))
    }
}

/// Why a call did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The export took more than its steps.
    Fuel(String, u64),
    /// The export trapped, or cannot be called.
    Trap(String, String),
    /// There is not so much memory.
    Memory,
    /// The result is no longer wanted.
    Unwanted,
}

impl From<Stop> for InitError {
    fn from(stop: Stop) -> Self {
        let what = stop.to_string();
        match stop {
            Stop::Fuel(..) => Self::Endless(what),
            Stop::Trap(..) => Self::Trapped(what),
            Stop::Memory => Self::Broken(what),
            Stop::Unwanted => Self::Later,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fuel(export, steps) => write!(f, "`{export}` did not end within {steps} steps"),
            Self::Trap(export, why) => write!(f, "`{export}` trapped: {why}"),
            Self::Memory => f.write_str("it needs more memory than a block may have"),
            Self::Unwanted => f.write_str("it was stopped"),
        }
    }
}

/// A module with its memory, above which room can be taken.
#[derive(Debug)]
pub(crate) struct Machine {
    store: Store<StoreLimits>,
    instance: wasmi::Instance,
    memory: Memory,
    limits: Limits,
    stop: Option<Arc<AtomicBool>>,
    /// First byte nobody has taken.
    top: usize,
}

/// Steps between two looks at whether the result is still wanted: some milliseconds.
const SLICE: u64 = 2_000_000;

/// Every piece of memory given to a block begins at a multiple of this.
const ALIGN: usize = 16;

impl Machine {
    /// Takes `bytes` zeroed bytes after a gap, and gives their address.
    pub(crate) fn take(&mut self, gap: usize, bytes: usize) -> Result<u32, Stop> {
        let address = (self.top + gap).next_multiple_of(ALIGN);
        let end = address + bytes;
        if end > self.limits.memory || end > u32::MAX as usize {
            return Err(Stop::Memory);
        }
        let have = self.memory.data_size(&self.store);
        if end > have {
            let pages = (end - have).div_ceil(1 << 16) as u64;
            self.memory
                .grow(&mut self.store, pages)
                .map_err(|_| Stop::Memory)?;
        }
        self.top = end;
        Ok(address as u32)
    }

    /// Gives back everything from `top` up, zeroed.
    pub(crate) fn release(&mut self, top: usize) {
        let end = std::mem::replace(&mut self.top, top);
        self.memory.data_mut(&mut self.store)[top..end].fill(0);
    }

    /// First byte nobody has taken.
    pub(crate) fn top(&self) -> usize {
        self.top
    }

    /// All of the memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.data(&self.store)
    }

    /// Bytes that the block may have named; none if they lie outside the memory.
    pub(crate) fn read(&self, address: u32, length: u32) -> Option<&[u8]> {
        self.bytes().get(address as usize..)?.get(..length as usize)
    }

    /// A word of memory that was taken.
    pub(crate) fn word(&self, address: u32) -> u32 {
        let at = address as usize;
        let bytes = self.bytes()[at..at + 4].try_into();
        u32::from_le_bytes(bytes.expect("four bytes"))
    }

    /// Writes into memory that was taken.
    pub(crate) fn write(&mut self, address: u32, bytes: &[u8]) {
        let at = address as usize;
        self.memory.data_mut(&mut self.store)[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Calls an exported function. The memory cannot grow meanwhile.
    pub(crate) fn call<P>(&mut self, export: &str, params: P) -> Result<i32, Stop>
    where
        P: WasmParams + WasmTyList,
    {
        let trap = |error: wasmi::Error| Stop::Trap(export.to_owned(), error.to_string());
        let function = self
            .instance
            .get_typed_func::<P, i32>(&self.store, export)
            .map_err(trap)?;
        let limit = |bytes| {
            StoreLimitsBuilder::new()
                .memory_size(bytes)
                .table_elements(0)
                .build()
        };
        *self.store.data_mut() = limit(self.memory.data_size(&self.store));
        let result = self.steps(export, function, params);
        *self.store.data_mut() = limit(self.limits.memory);
        result
    }

    /// Runs a function to its end, or the end of its steps; in slices where somebody may stop it, which
    /// changes neither its result nor how many steps it has.
    fn steps<P>(
        &mut self,
        export: &str,
        function: TypedFunc<P, i32>,
        params: P,
    ) -> Result<i32, Stop>
    where
        P: WasmParams + WasmTyList,
    {
        let trap = |error: wasmi::Error| match error.as_trap_code() {
            Some(TrapCode::OutOfFuel) => Stop::Fuel(export.to_owned(), self.limits.fuel),
            Some(code) => Stop::Trap(export.to_owned(), code.to_string()),
            None => Stop::Trap(export.to_owned(), error.to_string()),
        };
        let Some(stop) = self.stop.clone() else {
            self.store.set_fuel(self.limits.fuel).map_err(trap)?;
            return function.call(&mut self.store, params).map_err(trap);
        };
        let mut left = self.limits.fuel;
        let mut grant = |store: &mut Store<StoreLimits>, needed: u64| {
            if stop.load(Ordering::Relaxed) {
                return Err(Stop::Unwanted);
            }
            let have = store.get_fuel().map_err(trap)?;
            let more = SLICE.max(needed.saturating_sub(have)).min(left);
            if more == 0 || have + more < needed {
                return Err(Stop::Fuel(export.to_owned(), self.limits.fuel));
            }
            left -= more;
            store.set_fuel(have + more).map_err(trap)
        };
        self.store.set_fuel(0).map_err(trap)?;
        grant(&mut self.store, 0)?;
        let mut call = function
            .call_resumable(&mut self.store, params)
            .map_err(trap)?;
        loop {
            call = match call {
                TypedResumableCall::Finished(result) => return Ok(result),
                TypedResumableCall::OutOfFuel(paused) => {
                    grant(&mut self.store, paused.required_fuel())?;
                    paused.resume(&mut self.store).map_err(trap)?
                }
                TypedResumableCall::HostTrap(error) => {
                    return Err(Stop::Trap(
                        export.to_owned(),
                        error.host_error().to_string(),
                    ));
                }
            };
        }
    }
}
