//! A rune that was started, and its calls.

use std::{
    fmt,
    time::{Duration, Instant},
};

use rune_abi::{CallResult, Fault, export};
use rune_saga::{Failure, Outcome};
use wasmtime::{Extern, Module, Store, StoreLimitsBuilder, Trap, TypedFunc};

use super::{
    Health, Listener, Runtime, TICK, Tracer,
    imports::{Host, Turn, link, nanoseconds},
};
use crate::{Grants, Limits, Rune, capability::SourceError, check::TABLE_ENTRIES, output::Record};

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// The rune wrote these records, in the order of its writing, at most one per output.
    Output(Vec<Record>),
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
    store: Store<Host>,
    call: TypedFunc<(), i32>,
    reset: Option<TypedFunc<(), ()>>,
    limits: Limits,
    stopped: bool,
    /// Counts its deadlines.
    _runtime: Runtime,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("rune", &self.store.data().manifest.name)
            .field("stopped", &self.stopped)
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
            health,
            tracer: None,
        };
        let engine = runtime.engine();
        let mut store = Store::new(engine, host);
        store.limiter(|host| &mut host.limiter);
        store.epoch_deadline_trap();
        // Filling memory and table runs code too.
        store.set_epoch_deadline(ticks(&grants.limits));
        let instance = link(engine, &rune.imports)?.instantiate(&mut store, module)?;
        store.data_mut().memory = instance.get_memory(&mut store, export::MEMORY);
        let call = instance.get_typed_func(&mut store, export::CALL)?;
        let reset = match instance.get_export(&mut store, export::RESET) {
            Some(Extern::Func(reset)) => Some(reset.typed(&store)?),
            _ => None,
        };
        Ok(Self {
            store,
            call,
            reset,
            limits: grants.limits,
            stopped: false,
            _runtime: runtime.clone(),
        })
    }

    /// Whether every source gives samples for ever, so that calls never come to an end.
    pub fn is_endless(&self) -> bool {
        self.store.data().sources.iter().all(|s| s.is_endless())
    }

    /// Runs the pipeline once. After an error every further call is one too.
    pub fn call(&mut self) -> Result<Call, CallError> {
        self.ready()?;
        let began = Instant::now();
        let result = self.run();
        let outcome = match &result {
            Ok(Call::Output(_)) => Outcome::Output,
            Ok(Call::NoOutput) => Outcome::NoOutput,
            Ok(Call::End) => return Ok(Call::End),
            Err((_, failure)) => Outcome::Failed(*failure),
        };
        let host = self.store.data_mut();
        let took = nanoseconds(began);
        host.health.call(took, outcome);
        host.trace(None, took);
        result.map_err(|(error, _)| error)
    }

    fn run(&mut self) -> Result<Call, (CallError, Failure)> {
        let call = self.call.clone();
        let code = self.enter(&call)?;
        let host = self.store.data_mut();
        if code >= 0 {
            // A stage that gives nothing ends the call.
            host.end_stage();
        }
        let turn = std::mem::take(&mut host.turn);
        match CallResult::from_code(code) {
            CallResult::EndOfData => Ok(Call::End),
            CallResult::Output | CallResult::NoOutput if !turn.records.is_empty() => {
                for record in &turn.records {
                    host.health.written(record.output, record.bytes());
                }
                Ok(Call::Output(turn.records))
            }
            CallResult::Output | CallResult::NoOutput => Ok(Call::NoOutput),
            CallResult::Fault(code) => {
                self.stopped = true;
                let error = CallError {
                    stage: self.store.data().stage_name(turn.stage),
                    cause: Cause::Fault(code, turn.reason),
                };
                Err((error, Failure::from_code(code)))
            }
        }
    }

    /// Puts the rune's own state back to what it was at the start; the sources stay where they are.
    pub fn reset(&mut self) -> Result<(), CallError> {
        match self.reset.clone() {
            Some(reset) => {
                self.ready()?;
                self.enter(&reset).map_err(|(error, _)| error)
            }
            None => self.ready(),
        }
    }

    /// What it did so far.
    pub fn health(&self) -> &Health {
        &self.store.data().health
    }

    /// For each stage, how long it has run in all calls together: of a rune that was compiled to mark its
    /// stages, otherwise zeros.
    pub fn stage_times(&self) -> impl Iterator<Item = (&str, Duration)> {
        let host = self.store.data();
        let names = host.manifest.stages.iter().map(String::as_str);
        let times = host.health.stages().iter().map(|s| s.total().summary());
        names.zip(times.map(|t| Duration::from_nanos(t.sum_ns())))
    }

    /// [`health`](Self::health), for whoever counts what happens to it outside of calls, or begins new intervals.
    pub fn health_mut(&mut self) -> &mut Health {
        &mut self.store.data_mut().health
    }

    /// Says who is told of the spans of its calls from now on.
    pub fn set_tracer(&mut self, tracer: Option<Tracer>) {
        self.store.data_mut().tracer = tracer;
    }

    /// Discards everything but what it did, which goes on where the rune is [started anew](Runtime::resume).
    pub fn into_health(self) -> Health {
        self.store.into_data().health
    }

    fn ready(&self) -> Result<(), CallError> {
        if self.stopped {
            return Err(CallError {
                stage: None,
                cause: Cause::Stopped,
            });
        }
        Ok(())
    }

    /// Runs one export to its end, or stops the instance.
    fn enter<R: wasmtime::WasmResults>(
        &mut self,
        export: &TypedFunc<(), R>,
    ) -> Result<R, (CallError, Failure)> {
        let turn = &mut self.store.data_mut().turn;
        *turn = Turn::default();
        turn.deadline = Instant::now().checked_add(self.limits.call_time);
        self.store.set_epoch_deadline(ticks(&self.limits));
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
