//! What a rune may ask of its host during a call: the functions of the contract, and what they work on.

use std::time::{Duration, Instant};

use rune_abi::{Import, Manifest};
use rune_core::{LOG_LINES, Misuse};
use rune_saga::Failure;
use wasmtime::{Caller, Engine, Linker, Memory, StoreLimits};

use super::{Cause, Health, Listener, Span, Tracer};
use crate::{
    capability::{Read, Source},
    output::Records,
};

/// Most bytes of a line that a rune logs.
const LOG_BYTES: usize = 4096;

/// What the imports work on.
pub(super) struct Host {
    pub(super) manifest: Manifest,
    pub(super) sources: Vec<Box<dyn Source>>,
    pub(super) listener: Listener,
    pub(super) limiter: StoreLimits,
    pub(super) memory: Option<Memory>,
    pub(super) turn: Turn,
    /// What it wrote in the current call.
    pub(super) records: Records,
    pub(super) health: Health,
    pub(super) tracer: Option<Tracer>,
}

/// What has happened in the current call.
#[derive(Default)]
pub(super) struct Turn {
    /// When it must have ended, for sources that wait.
    pub(super) deadline: Option<Instant>,
    /// Index of the stage that is running.
    pub(super) stage: Option<u32>,
    /// Since when; between two stages, when the one ended, for nothing runs before the next begins.
    since: Option<Instant>,
    /// What `fault` said.
    pub(super) reason: Option<String>,
    /// Why the host stopped the rune.
    pub(super) refusal: Option<(Cause, Failure)>,
    log_lines: u32,
}

impl Host {
    /// Takes the time of the stage that is running, if one is.
    pub(super) fn end_stage(&mut self) {
        if let (Some(stage), Some(since)) = (self.turn.stage.take(), self.turn.since) {
            let now = Instant::now();
            self.turn.since = Some(now);
            let took = nanoseconds(now - since);
            self.health.stage(stage as usize, took);
            self.trace(Some(stage as usize), since, took);
        }
    }

    /// Tells of a span that has ended.
    pub(super) fn trace(&mut self, stage: Option<usize>, began: Instant, took_ns: u64) {
        if let Some(tracer) = &mut self.tracer {
            tracer(Span {
                stage,
                began_ns: super::at(began),
                took_ns,
            });
        }
    }

    pub(super) fn stage_name(&self, stage: Option<u32>) -> Option<String> {
        self.manifest.stages.get(stage? as usize).cloned()
    }

    /// Stops the rune from inside an import.
    fn refuse(&mut self, cause: Cause, failure: Failure) -> wasmtime::Error {
        self.turn.refusal = Some((cause, failure));
        wasmtime::Error::msg("stopped by the host")
    }

    fn breach(&mut self, what: String) -> wasmtime::Error {
        self.refuse(Cause::Contract(what), Failure::Contract)
    }
}

/// A duration in whole nanoseconds.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A linker with these imports and nothing else.
pub(super) fn link(engine: &Engine, imports: &[Import]) -> wasmtime::Result<Linker<Host>> {
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
    let out = match host.manifest.capabilities.get(index as usize) {
        None => Err(Misuse::NoCapability(index)),
        Some(c) => rune_core::sample(memory, (&c.name, c.ty.bytes()), at, len),
    };
    // The words are made here, while the name they need is at hand.
    let out = out.map_err(|misuse| misuse.to_string());
    let out = out.map_err(|what| host.breach(what))?;
    let deadline = host.turn.deadline.unwrap_or_else(Instant::now);
    let source = &mut host.sources[index as usize];
    match source.read(out, deadline) {
        Ok(Read::Sample) => {
            if let Some(warning) = source.warning() {
                (host.listener)(2, &warning);
            }
            Ok(len as i32)
        }
        Ok(Read::End { note }) => {
            for line in note.iter().flat_map(|note| note.lines()) {
                (host.listener)(3, line);
            }
            Ok(Import::END)
        }
        Err(error) => Err(host.refuse(Cause::Source(error), Failure::Source)),
    }
}

fn write(mut caller: Caller<'_, Host>, index: u32, at: u32) -> wasmtime::Result<i32> {
    let (memory, host) = open(&mut caller);
    let Host {
        manifest, records, ..
    } = host;
    let taken = match manifest.outputs.get(index as usize) {
        None => Err(Misuse::NoOutput(index)),
        Some(output) => records.take(memory, index as usize, output, at),
    };
    let taken = taken.map_err(|misuse| misuse.to_string());
    taken.map_err(|what| host.breach(what)).map(|()| 0)
}

fn log(mut caller: Caller<'_, Host>, level: u32, at: u32, len: u32) -> wasmtime::Result<()> {
    let (memory, host) = open(&mut caller);
    let Some(text) = text(memory, at, len) else {
        return Err(host.breach(Misuse::LogOutside.to_string()));
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
        None => return Err(host.breach(Misuse::ReasonOutside.to_string())),
    }
    Ok(())
}

fn mark(mut caller: Caller<'_, Host>, stage: u32, phase: u32) {
    let host = caller.data_mut();
    if phase == 0 {
        host.turn.stage = Some(stage);
        host.turn.since.get_or_insert_with(Instant::now);
    } else {
        host.end_stage();
    }
}

/// A text in a rune's memory, at most [`LOG_BYTES`] of it, fit for a terminal; `None` if it lies outside.
fn text(memory: &[u8], at: u32, len: u32) -> Option<String> {
    let bytes = memory.get(at as usize..)?.get(..len as usize)?;
    let bytes = &bytes[..bytes.len().min(LOG_BYTES)];
    let text: String = rune_core::printable(bytes).collect();
    Some(text.trim_end().to_owned())
}
