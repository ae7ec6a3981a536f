//! A rune that was started, and its calls.

use std::{
    fmt,
    time::{Duration, Instant},
};

use rune_abi::{CallResult, Fault, export};
use rune_core::TABLE_ENTRIES;
use rune_saga::{Failure, Outcome};
use wasmtime::{Extern, Module, Store, StoreLimitsBuilder, Trap, TypedFunc};

use super::{
    Health, Listener, Runtime, TICK, Tracer,
    imports::{Host, Turn, link, nanoseconds},
};
use crate::{
    Grants, Limits, Rune,
    capability::SourceError,
    output::{Record, Records},
};

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Call<'a> {
    /// The rune wrote these records, in the order of its writing, at most one per output. The next call takes
    /// their memory.
    Output(&'a [Record]),
    /// It wrote nothing this time.
    NoOutput,
    /// A capability has no more data.
    End,
}

/// Why a call failed. The instance has stopped for good.
#[derive(Clone, Debug, PartialEq)]
pub struct CallError {
    /// The stage that was running, where the rune marks its stages.
    pub stage: Option<String>,
    /// What happened.
    pub cause: Cause,
}

/// What made a call fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The rune returned a fault code, perhaps with a reason.
    Fault(i32, Option<String>),
    /// Its code trapped.
    Trap(String),
    /// It did not end in time.
    Deadline(Duration),
    /// It broke the contract in what it asked of the host.
    Contract(String),
    /// A source failed.
    Source(SourceError),
    /// It had stopped before this call.
    Stopped,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stage) = &self.stage {
            write!(f, "in stage `{stage}`: ")?;
        }
        match &self.cause {
            Cause::Fault(code, reason) => {
                match Fault::from_code(*code) {
                    Some(fault) => f.write_str(fault.message())?,
                    None => write!(f, "the rune failed with code {code}")?,
                }
                match reason {
                    Some(reason) => write!(f, ": {reason}"),
                    None => Ok(()),
                }
            }
            Cause::Trap(what) => write!(f, "the rune was stopped by a trap: {what}"),
            Cause::Deadline(time) => {
                write!(
                    f,
                    "the rune was stopped: one call took longer than {time:?}"
                )
            }
            Cause::Contract(what) => {
                write!(f, "the rune was stopped for breaking the contract: {what}")
            }
            Cause::Source(error) => error.fmt(f),
            Cause::Stopped => f.write_str("the rune has stopped and must be started anew"),
        }
    }
}

impl std::error::Error for CallError {}

/// A rune that is ready to be called.
pub struct Instance {
    guest: Guest,
    call: TypedFunc<(), i32>,
    reset: Option<TypedFunc<(), ()>>,
    /// Counts its deadlines.
    _runtime: Runtime,
}

/// What runs, and how long.
struct Guest {
    store: Store<Host>,
    limits: Limits,
    /// How many ticks a call may take.
    ticks: u64,
    stopped: bool,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("rune", &self.guest.store.data().manifest.name)
            .field("stopped", &self.guest.stopped)
            .finish_non_exhaustive()
    }
}

impl Instance {
    /// Links exactly the imports that a rune declares. Nothing of it has run but the filling of its memory.
    pub(super) fn new(
        runtime: &Runtime,
        module: &Module,
        rune: &Rune,
        grants: Grants,
        listener: Listener,
        mut health: Health,
    ) -> wasmtime::Result<Self> {
        let manifest = rune.manifest();
        health.started();
        health.memory(u64::from(manifest.memory_bytes));
        let host = Host {
            manifest: manifest.clone(),
            sources: grants.sources,
            listener,
            limiter: StoreLimitsBuilder::new()
                .memory_size(usize::try_from(grants.limits.memory_bytes).unwrap_or(usize::MAX))
                .memories(1)
                .tables(1)
                .table_elements(TABLE_ENTRIES as usize)
                .instances(1)
                .build(),
            memory: None,
            turn: Turn::default(),
            records: Records::default(),
            health,
            tracer: None,
        };
        let engine = runtime.engine();
        let mut store = Store::new(engine, host);
        store.limiter(|host| &mut host.limiter);
        store.epoch_deadline_trap();
        // Filling memory and table runs code too.
        let ticks = ticks(&grants.limits);
        store.set_epoch_deadline(ticks);
        let instance = link(engine, &rune.imports)?.instantiate(&mut store, module)?;
        store.data_mut().memory = instance.get_memory(&mut store, export::MEMORY);
        let call = instance.get_typed_func(&mut store, export::CALL)?;
        let reset = match instance.get_export(&mut store, export::RESET) {
            Some(Extern::Func(reset)) => Some(reset.typed(&store)?),
            _ => None,
        };
        Ok(Self {
            guest: Guest {
                store,
                limits: grants.limits,
                ticks,
                stopped: false,
            },
            call,
            reset,
            _runtime: runtime.clone(),
        })
    }

    /// Whether every source gives samples for ever, so that calls never come to an end.
    pub fn is_endless(&self) -> bool {
        self.guest
            .store
            .data()
            .sources
            .iter()
            .all(|s| s.is_endless())
    }

    /// Runs the pipeline once. After an error every further call is one too.
    pub fn call(&mut self) -> Result<Call<'_>, CallError> {
        self.ready()?;
        let began = Instant::now();
        let result = self.run(began);
        let host = self.guest.store.data_mut();
        let outcome = match &result {
            Ok(CallResult::EndOfData) => return Ok(Call::End),
            Ok(_) if host.records.as_slice().is_empty() => Outcome::NoOutput,
            Ok(_) => Outcome::Output,
            Err((_, failure)) => Outcome::Failed(*failure),
        };
        let took = nanoseconds(began.elapsed());
        host.health.call(took, outcome);
        host.trace(None, began, took);
        if let Err((error, _)) = result {
            return Err(error);
        }
        let records = host.records.as_slice();
        if records.is_empty() {
            return Ok(Call::NoOutput);
        }
        for record in records {
            // It was copied out of a memory of 32 bits.
            let bytes = u32::try_from(record.bytes()).unwrap_or(u32::MAX);
            host.health.written(record.output, bytes);
        }
        Ok(Call::Output(records))
    }

    /// One call that does not end in a fault.
    fn run(&mut self, began: Instant) -> Result<CallResult, (CallError, Failure)> {
        let code = self.guest.enter(&self.call, began)?;
        let host = self.guest.store.data_mut();
        if code >= 0 {
            // A stage that gives nothing ends the call.
            host.end_stage();
        }
        let result = CallResult::from_code(code);
        if let CallResult::Fault(code) = result {
            self.guest.stopped = true;
            let turn = std::mem::take(&mut host.turn);
            let error = CallError {
                stage: host.stage_name(turn.stage),
                cause: Cause::Fault(code, turn.reason),
            };
            return Err((error, Failure::from_code(code)));
        }
        Ok(result)
    }

    /// Puts the rune's own state back to what it was at the start; the sources stay where they are.
    pub fn reset(&mut self) -> Result<(), CallError> {
        self.ready()?;
        match &self.reset {
            Some(reset) => {
                let result = self.guest.enter(reset, Instant::now());
                result.map_err(|(error, _)| error)
            }
            None => Ok(()),
        }
    }

    /// What it did so far.
    pub fn health(&self) -> &Health {
        &self.guest.store.data().health
    }

    /// For each stage, how long it has run in all calls together: of a rune that was compiled to mark its
    /// stages, otherwise zeros.
    pub fn stage_times(&self) -> impl Iterator<Item = (&str, Duration)> {
        let host = self.guest.store.data();
        let names = host.manifest.stages.iter().map(String::as_str);
        let times = host.health.stages().iter().map(|s| s.total().summary());
        names.zip(times.map(|t| Duration::from_nanos(t.sum_ns())))
    }

    /// [`health`](Self::health), for whoever counts what happens to it outside of calls, or begins new intervals.
    pub fn health_mut(&mut self) -> &mut Health {
        &mut self.guest.store.data_mut().health
    }

    /// Says who is told of the spans of its calls from now on.
    pub fn set_tracer(&mut self, tracer: Option<Tracer>) {
        self.guest.store.data_mut().tracer = tracer;
    }

    /// Discards everything but what it did, which goes on where the rune is [started anew](Runtime::resume).
    pub fn into_health(self) -> Health {
        self.guest.store.into_data().health
    }

    fn ready(&self) -> Result<(), CallError> {
        if self.guest.stopped {
            return Err(CallError {
                stage: None,
                cause: Cause::Stopped,
            });
        }
        Ok(())
    }
}

impl Guest {
    /// Runs one export to its end, or stops the instance.
    fn enter<R: wasmtime::WasmResults>(
        &mut self,
        export: &TypedFunc<(), R>,
        began: Instant,
    ) -> Result<R, (CallError, Failure)> {
        let host = self.store.data_mut();
        host.records.clear();
        host.turn = Turn::default();
        host.turn.deadline = began.checked_add(self.limits.call_time);
        self.store.set_epoch_deadline(self.ticks);
        export.call(&mut self.store, ()).map_err(|error| {
            self.stopped = true;
            let host = self.store.data_mut();
            let turn = std::mem::take(&mut host.turn);
            let (cause, failure) =
                turn.refusal
                    .unwrap_or_else(|| match error.downcast_ref::<Trap>() {
                        Some(Trap::Interrupt) => {
                            (Cause::Deadline(self.limits.call_time), Failure::Deadline)
                        }
                        Some(trap) => (Cause::Trap(trap_name(*trap)), kind_of(*trap)),
                        None => (Cause::Trap(format!("{error:#}")), Failure::OtherTrap),
                    });
            let error = CallError {
                stage: self.store.data().stage_name(turn.stage),
                cause,
            };
            (error, failure)
        })
    }
}

/// How many ticks from now a call is stopped.
fn ticks(limits: &Limits) -> u64 {
    let ticks = limits.call_time.as_nanos().div_ceil(TICK.as_nanos());
    // The first tick may come at once, so one more is waited for.
    u64::try_from(ticks).unwrap_or(u64::MAX).min(u64::MAX / 2) + 1
}

/// A trap in words, without wasmtime's prefix.
fn trap_name(trap: Trap) -> String {
    let text = trap.to_string();
    text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
}

/// What Saga counts a trap as.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others are of features that no rune has"
)]
fn kind_of(trap: Trap) -> Failure {
    match trap {
        Trap::UnreachableCodeReached => Failure::Unreachable,
        Trap::MemoryOutOfBounds | Trap::HeapMisaligned => Failure::MemoryBounds,
        Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature => {
            Failure::TableAccess
        }
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => {
            Failure::Arithmetic
        }
        Trap::StackOverflow => Failure::StackOverflow,
        _ => Failure::OtherTrap,
    }
}
