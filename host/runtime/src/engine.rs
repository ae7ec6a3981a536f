//! Step two of starting a rune, and its calls: the only file that knows wasmtime.

use std::{
    fmt, io,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use rune_abi::{CallResult, Fault, Import, Manifest, WasmFeatures, export};
use wasmtime::{
    Caller, Config, Engine, Extern, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder,
    Trap, TypedFunc,
};

use crate::{
    Grants, Limits, Rune,
    capability::{Read, Source, SourceError},
    check::TABLE_ENTRIES,
    output::{Record, take_record},
};

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(10);
/// Most lines a rune may log in one call, and most bytes of one.
const LOG_LINES: u32 = 1000;
const LOG_BYTES: usize = 4096;

/// Where notes and a rune's log lines go: the level, 1 (error) to 5 (trace), and a text without control
/// characters.
pub type Listener = Box<dyn FnMut(u32, &str) + Send>;

/// Why a rune could not be compiled or instantiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rune could not be started: {}", self.0)
    }
}

impl std::error::Error for StartError {}

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
    /// Declared last: it stops when everything else is gone.
    _ticker: Ticker,
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
    /// Compiles a rune and links exactly the imports it declares. Runs nothing of it.
    pub(crate) fn start(
        rune: &Rune,
        grants: Grants,
        listener: Listener,
    ) -> Result<Self, StartError> {
        let manifest = rune.manifest();
        let (wanted, given) = (manifest.capabilities.len(), grants.sources.len());
        if wanted != given {
            return Err(StartError(format!(
                "it has {wanted} capabilities and {given} sources were given"
            )));
        }
        let fail = |e: wasmtime::Error| StartError(format!("{e:#}"));
        let engine = Engine::new(&config(manifest.features)).map_err(fail)?;
        let ticker = Ticker::start(engine.clone())
            .map_err(|e| StartError(format!("no thread for its deadlines: {e}")))?;
        let module = Module::new(&engine, &rune.bytes).map_err(fail)?;
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
            times: vec![Duration::ZERO; manifest.stages.len()],
        };
        let mut store = Store::new(&engine, host);
        store.limiter(|host| &mut host.limiter);
        store.epoch_deadline_trap();
        // Filling memory and table runs code too.
        store.set_epoch_deadline(ticks(&grants.limits));
        let linker = link(&engine, &rune.imports).map_err(fail)?;
        let instance = linker.instantiate(&mut store, &module).map_err(fail)?;
        store.data_mut().memory = instance.get_memory(&mut store, export::MEMORY);
        let call = instance
            .get_typed_func(&mut store, export::CALL)
            .map_err(fail)?;
        let reset = match instance.get_export(&mut store, export::RESET) {
            Some(Extern::Func(reset)) => Some(reset.typed(&store).map_err(fail)?),
            _ => None,
        };
        Ok(Self {
            store,
            call,
            reset,
            limits: grants.limits,
            stopped: false,
            _ticker: ticker,
        })
    }

    /// Whether every source gives samples for ever, so that calls never come to an end.
    pub fn is_endless(&self) -> bool {
        self.store.data().sources.iter().all(|s| s.is_endless())
    }

    /// Runs the pipeline once. After an error every further call is one too.
    pub fn call(&mut self) -> Result<Call, CallError> {
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
                Ok(Call::Output(turn.records))
            }
            CallResult::Output | CallResult::NoOutput => Ok(Call::NoOutput),
            CallResult::Fault(code) => {
                self.stopped = true;
                Err(CallError {
                    stage: self.store.data().stage_name(turn.stage),
                    cause: Cause::Fault(code, turn.reason),
                })
            }
        }
    }

    /// Puts the rune's own state back to what it was at the start; the sources stay where they are.
    pub fn reset(&mut self) -> Result<(), CallError> {
        match self.reset.clone() {
            Some(reset) => self.enter(&reset),
            None => self.ready(),
        }
    }

    /// For each stage, how long it has run in all calls together: of a rune that was compiled to mark its
    /// stages, otherwise zeros.
    pub fn stage_times(&self) -> impl Iterator<Item = (&str, Duration)> {
        let host = self.store.data();
        let names = host.manifest.stages.iter().map(String::as_str);
        names.zip(host.times.iter().copied())
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
    ) -> Result<R, CallError> {
        self.ready()?;
        self.store.data_mut().turn = Turn::default();
        self.store.set_epoch_deadline(ticks(&self.limits));
        export.call(&mut self.store, ()).map_err(|error| {
            self.stopped = true;
            let host = self.store.data_mut();
            let turn = std::mem::take(&mut host.turn);
            let cause = turn
                .refusal
                .unwrap_or_else(|| match error.downcast_ref::<Trap>() {
                    Some(Trap::Interrupt) => Cause::Deadline(self.limits.call_time),
                    Some(trap) => Cause::Trap(trap_name(*trap)),
                    None => Cause::Trap(format!("{error:#}")),
                });
            CallError {
                stage: self.store.data().stage_name(turn.stage),
                cause,
            }
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

/// Which features a module may use was decided in step one, so only what costs something is set.
fn config(features: WasmFeatures) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_relaxed_simd(features.contains(WasmFeatures::RELAXED_SIMD));
    config
}

/// Counts epochs for one engine until it is dropped.
struct Ticker {
    /// Dropping it wakes and ends the thread.
    _stop: mpsc::Sender<()>,
}

impl Ticker {
    fn start(engine: Engine) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// What the imports work on.
struct Host {
    manifest: Manifest,
    sources: Vec<Box<dyn Source>>,
    listener: Listener,
    limiter: StoreLimits,
    memory: Option<Memory>,
    turn: Turn,
    /// Time spent in each stage since the start, where the rune marks its stages.
    times: Vec<Duration>,
}

/// What has happened in the current call.
#[derive(Default)]
struct Turn {
    /// Index of the stage that is running.
    stage: Option<u32>,
    /// Since when.
    since: Option<Instant>,
    /// What `fault` said.
    reason: Option<String>,
    /// Why the host stopped the rune.
    refusal: Option<Cause>,
    records: Vec<Record>,
    log_lines: u32,
}

impl Host {
    /// Takes the time of the stage that is running, if one is.
    fn end_stage(&mut self) {
        let stage = self.turn.stage.take();
        let time = stage.and_then(|stage| self.times.get_mut(stage as usize));
        if let (Some(time), Some(since)) = (time, self.turn.since.take()) {
            *time += since.elapsed();
        }
    }

    fn stage_name(&self, stage: Option<u32>) -> Option<String> {
        self.manifest.stages.get(stage? as usize).cloned()
    }

    /// Stops the rune from inside an import.
    fn refuse(&mut self, cause: Cause) -> wasmtime::Error {
        self.turn.refusal = Some(cause);
        wasmtime::Error::msg("stopped by the host")
    }

    fn breach(&mut self, what: impl Into<String>) -> wasmtime::Error {
        self.refuse(Cause::Contract(what.into()))
    }
}

/// A linker with these imports and nothing else.
fn link(engine: &Engine, imports: &[Import]) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    for import in imports {
        let (module, name) = (Import::MODULE, import.name());
        match import {
            Import::Read => linker.func_wrap(module, name, read)?,
            Import::Write => linker.func_wrap(module, name, write)?,
            Import::Log => linker.func_wrap(module, name, log)?,
            Import::Fault => linker.func_wrap(module, name, fault)?,
            Import::Mark => linker.func_wrap(module, name, mark)?,
        };
    }
    Ok(linker)
}

/// The rune's memory and the host's side of it.
fn open<'a>(caller: &'a mut Caller<'_, Host>) -> (&'a mut [u8], &'a mut Host) {
    let memory = caller.data().memory.expect("nothing runs before it is set");
    memory.data_and_store_mut(caller)
}

fn read(mut caller: Caller<'_, Host>, index: u32, at: u32, len: u32) -> wasmtime::Result<i32> {
    let (memory, host) = open(&mut caller);
    let Some(capability) = host.manifest.capabilities.get(index as usize) else {
        return Err(host.breach(format!(
            "it read capability {index}, which it does not have"
        )));
    };
    let bytes = capability.ty.bytes();
    if len != bytes {
        let what = format!(
            "it read {len} bytes of `{}`, which gives {bytes}",
            capability.name
        );
        return Err(host.breach(what));
    }
    let out = memory
        .get_mut(at as usize..)
        .and_then(|rest| rest.get_mut(..len as usize));
    let Some(out) = out else {
        return Err(host.breach("it read to a place outside its memory"));
    };
    match host.sources[index as usize].read(out) {
        Ok(Read::Sample) => Ok(len as i32),
        Ok(Read::End { note }) => {
            for line in note.iter().flat_map(|note| note.lines()) {
                (host.listener)(3, line);
            }
            Ok(Import::END)
        }
        Err(error) => Err(host.refuse(Cause::Source(error))),
    }
}

fn write(mut caller: Caller<'_, Host>, index: u32, at: u32) -> wasmtime::Result<i32> {
    let (memory, host) = open(&mut caller);
    let Some(output) = host.manifest.outputs.get(index as usize) else {
        return Err(host.breach(format!(
            "it wrote to output {index}, which it does not have"
        )));
    };
    let taken =
        take_record(memory, output, at).map_err(|what| format!("`{}`: {what}", output.name));
    let again = format!("it wrote to `{}` twice in one call", output.name);
    if host.turn.records.iter().any(|r| r.output == index as usize) {
        return Err(host.breach(again));
    }
    match taken {
        Ok(tensors) => host.turn.records.push(Record {
            output: index as usize,
            tensors,
        }),
        Err(what) => return Err(host.breach(what)),
    }
    Ok(0)
}

fn log(mut caller: Caller<'_, Host>, level: u32, at: u32, len: u32) -> wasmtime::Result<()> {
    let (memory, host) = open(&mut caller);
    let Some(text) = text(memory, at, len) else {
        return Err(host.breach("it logged a text outside its memory"));
    };
    host.turn.log_lines = host.turn.log_lines.saturating_add(1);
    if host.turn.log_lines <= LOG_LINES {
        let text = format!("{}: {text}", host.manifest.name);
        (host.listener)(level.clamp(1, 5), &text);
    } else if host.turn.log_lines == LOG_LINES + 1 {
        (host.listener)(
            2,
            "the rune logs too much; the rest of this call is left out",
        );
    }
    Ok(())
}

fn fault(mut caller: Caller<'_, Host>, _code: i32, at: u32, len: u32) -> wasmtime::Result<()> {
    let (memory, host) = open(&mut caller);
    match text(memory, at, len) {
        Some(text) => host.turn.reason = Some(text),
        None => return Err(host.breach("it gave a reason outside its memory")),
    }
    Ok(())
}

fn mark(mut caller: Caller<'_, Host>, stage: u32, phase: u32) {
    let host = caller.data_mut();
    if phase == 0 {
        host.turn.stage = Some(stage);
        host.turn.since = Some(Instant::now());
    } else {
        host.end_stage();
    }
}

/// A text in a rune's memory, at most [`LOG_BYTES`] of it, fit for a terminal; `None` if it lies outside.
fn text(memory: &[u8], at: u32, len: u32) -> Option<String> {
    let bytes = memory.get(at as usize..)?.get(..len as usize)?;
    let bytes = &bytes[..bytes.len().min(LOG_BYTES)];
    let text = String::from_utf8_lossy(bytes);
    Some(
        text.trim_end()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    )
}
