//! What a rune may ask during a call: the five functions of the contract, what they work on, and how a call ends.

use alloc::boxed::Box;
use core::fmt;

use rune_abi::{CallResult, Fault, Import, ManifestView};
use rune_saga::{Failure, Outcome, Recorder};

use crate::{
    Clock,
    engine::{Host, Stop},
    record::{RecordError, Records},
    source::{Read, Source, SourceError},
    text::{LINE_BYTES, Log, Text},
};

/// Most lines a rune may log in one call.
pub const LOG_LINES: u32 = 1000;

/// The clock is looked at once in so many calls of functions of the contract.
const LOOKS: u32 = 16;

/// How a rune broke the contract in what it asked of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse<'a> {
    /// It read a capability that it does not have.
    NoCapability(u32),
    /// It read another number of bytes than the capability gives.
    Length {
        /// What it read.
        len: u32,
        /// Of the capability.
        name: &'a str,
        /// What it gives.
        bytes: u32,
    },
    /// It read to a place outside its memory.
    ReadOutside,
    /// It wrote to an output that it does not have.
    NoOutput(u32),
    /// It wrote to an output twice.
    WrittenTwice(&'a str),
    /// What it wrote is no record of the output.
    Record(&'a str, RecordError),
    /// It logged a text outside its memory.
    LogOutside,
    /// It gave a reason outside its memory.
    ReasonOutside,
}

impl fmt::Display for Misuse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCapability(index) => {
                write!(f, "it read capability {index}, which it does not have")
            }
            Self::Length { len, name, bytes } => {
                write!(f, "it read {len} bytes of `{name}`, which gives {bytes}")
            }
            Self::ReadOutside => f.write_str("it read to a place outside its memory"),
            Self::NoOutput(index) => {
                write!(f, "it wrote to output {index}, which it does not have")
            }
            Self::WrittenTwice(name) => write!(f, "it wrote to `{name}` twice in one call"),
            Self::Record(name, error) => write!(f, "`{name}`: {error}"),
            Self::LogOutside => f.write_str("it logged a text outside its memory"),
            Self::ReasonOutside => f.write_str("it gave a reason outside its memory"),
        }
    }
}

/// What made a call fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The rune returned a fault code, perhaps with a reason.
    Fault(i32, Option<Text<LINE_BYTES>>),
    /// Its code trapped; in this function, where that is known.
    Trap(Failure, Option<&'static str>),
    /// It did not end in time, or with the fuel it had.
    Deadline,
    /// It broke the contract in what it asked of the host.
    Contract(Misuse<'static>),
    /// A source failed; of the capability of this name.
    Source(&'static str, SourceError),
}

impl Cause {
    /// What Saga counts it as.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Fault(code, _) => Failure::from_code(*code),
            Self::Trap(failure, _) => *failure,
            Self::Deadline => Failure::Deadline,
            Self::Contract(_) => Failure::Contract,
            Self::Source(..) => Failure::Source,
        }
    }
}

/// Why a call failed. The rune is started anew before it is called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The stage that was running, where the rune marks its stages.
    pub stage: Option<&'static str>,
    /// What happened.
    pub cause: Cause,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stage) = self.stage {
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
            Cause::Trap(failure, function) => {
                write!(f, "the rune was stopped by {}", failure.name())?;
                match function {
                    Some(function) => write!(f, " in `{function}`"),
                    None => Ok(()),
                }
            }
            Cause::Deadline => f.write_str("the rune was stopped: one call took too long"),
            Cause::Contract(misuse) => {
                write!(
                    f,
                    "the rune was stopped for breaking the contract: {misuse}"
                )
            }
            Cause::Source(name, error) => write!(f, "`{name}`: {error}"),
        }
    }
}

impl core::error::Error for CallError {}

/// Saga's record of a rune.
pub type Saga = Recorder<Box<[rune_saga::Stage]>, Box<[rune_saga::Output]>>;

/// Bytes of the lines that are kept of a rune.
pub(crate) const LOG_BYTES: usize = 512;

/// The host of one rune.
pub(crate) struct Calls<C> {
    pub(crate) clock: C,
    pub(crate) manifest: ManifestView<'static>,
    /// Of each capability, in the order of the manifest, its name and the bytes it gives.
    capabilities: Box<[(&'static str, u32)]>,
    /// One per capability.
    pub(crate) sources: Box<[Box<dyn Source>]>,
    pub(crate) records: Records,
    pub(crate) saga: Saga,
    /// What it logged in the last call.
    pub(crate) log: Log<LOG_BYTES>,
    turn: Turn,
}

/// What has happened in the current call.
#[derive(Default)]
struct Turn {
    began_ns: u64,
    deadline_ns: u64,
    /// Index of the stage that is running.
    stage: Option<u32>,
    /// Since when; between two stages, when the one ended, for nothing runs before the next begins.
    since_ns: Option<u64>,
    /// What `fault` said.
    reason: Option<Text<LINE_BYTES>>,
    /// Why the host stopped the rune.
    refusal: Option<Cause>,
    /// Calls of functions of the contract.
    asked: u32,
    /// The function that trapped.
    function: Option<&'static str>,
    log_lines: u32,
}

impl<C: Clock> Calls<C> {
    pub(crate) fn new(
        clock: C,
        manifest: ManifestView<'static>,
        records: Records,
        saga: Saga,
    ) -> Self {
        let capabilities = manifest.capabilities.iter();
        Self {
            clock,
            manifest,
            capabilities: capabilities.map(|c| (c.name, c.ty.bytes())).collect(),
            sources: Box::default(),
            records,
            saga,
            log: Log::new(),
            turn: Turn::default(),
        }
    }

    /// A call begins now, and may take so long.
    pub(crate) fn begin(&mut self, now_ns: u64, call_ns: u64) {
        self.records.clear();
        self.log.clear();
        let turn = &mut self.turn;
        turn.began_ns = now_ns;
        turn.deadline_ns = now_ns.saturating_add(call_ns);
        turn.stage = None;
        turn.since_ns = None;
        turn.reason = None;
        turn.refusal = None;
        turn.asked = 0;
        turn.function = None;
        turn.log_lines = 0;
    }

    /// A call ended now, with what `_call` returned or why it did not: records it. `None` where the data have ended.
    pub(crate) fn end(
        &mut self,
        now_ns: u64,
        returned: Result<i32, Stop>,
    ) -> Result<Option<Outcome>, CallError> {
        let failed = match returned {
            Ok(code) => {
                if code >= 0 {
                    // A stage that gives nothing ends the call.
                    self.end_stage(now_ns);
                }
                match CallResult::from_code(code) {
                    CallResult::Fault(code) => Some(Cause::Fault(code, self.turn.reason)),
                    CallResult::EndOfData => return Ok(None),
                    CallResult::Output | CallResult::NoOutput => None,
                }
            }
            Err(Stop::Trap(Failure::Deadline)) => Some(Cause::Deadline),
            Err(Stop::Trap(failure)) => Some(Cause::Trap(failure, self.turn.function)),
            Err(Stop::Host) => Some(self.turn.refusal.unwrap_or(Cause::Deadline)),
        };
        let outcome = match &failed {
            Some(cause) => Outcome::Failed(cause.failure()),
            None if self.records.is_empty() => Outcome::NoOutput,
            None => Outcome::Output,
        };
        let took = now_ns.saturating_sub(self.turn.began_ns);
        self.saga.call(took, outcome);
        for source in &mut self.sources {
            match source.overruns() {
                0 => {}
                lost => self.saga.overran(lost),
            }
        }
        match failed {
            None => Ok(Some(outcome)),
            Some(cause) => {
                let stage = self.turn.stage.take();
                let stage = stage.and_then(|stage| self.manifest.stages.get(stage as usize));
                Err(CallError { stage, cause })
            }
        }
    }

    /// Takes the time of the stage that is running, if one is, until now.
    fn end_stage(&mut self, now_ns: u64) {
        if let (Some(stage), Some(since)) = (self.turn.stage.take(), self.turn.since_ns) {
            self.turn.since_ns = Some(now_ns);
            self.saga
                .stage(stage as usize, now_ns.saturating_sub(since));
        }
    }

    fn read(&mut self, memory: &mut [u8], [index, at, len]: [u32; 3]) -> Result<i32, Cause> {
        let capability = self.capabilities.get(index as usize);
        let source = self.sources.get_mut(index as usize);
        let (Some(capability), Some(source)) = (capability, source) else {
            return Err(Cause::Contract(Misuse::NoCapability(index)));
        };
        let out = sample(memory, *capability, at, len).map_err(Cause::Contract)?;
        match source.read(out, self.turn.deadline_ns) {
            Ok(Read::Sample { .. }) => Ok(len as i32),
            Ok(Read::End) => Ok(Import::END),
            Err(error) => Err(Cause::Source(capability.0, error)),
        }
    }

    fn write(&mut self, memory: &[u8], index: u32, at: u32) -> Result<i32, Misuse<'static>> {
        let bytes = self.records.take(memory, index, at)?;
        self.saga.written(index as usize, bytes.into());
        Ok(0)
    }

    fn log(&mut self, level: u32, text: Option<&[u8]>) -> Result<i32, Misuse<'static>> {
        let text = text.ok_or(Misuse::LogOutside)?;
        self.turn.log_lines = self.turn.log_lines.saturating_add(1);
        if self.turn.log_lines <= LOG_LINES {
            self.log.push(level, &Text::printable(text));
        } else if self.turn.log_lines == LOG_LINES + 1 {
            let rest = "the rune logs too much; the rest of this call is left out";
            self.log.push(2, &Text::of(rest));
        }
        Ok(0)
    }

    fn mark(&mut self, stage: u32, phase: u32) {
        if phase == 0 {
            self.turn.stage = Some(stage);
            let clock = &self.clock;
            self.turn.since_ns.get_or_insert_with(|| clock.now_ns());
        } else {
            self.end_stage(self.clock.now_ns());
        }
    }
}

/// The place in memory for a sample of a capability, given by its name and how many bytes it gives.
pub fn sample<'m, 'a>(
    memory: &'m mut [u8],
    (name, bytes): (&'a str, u32),
    at: u32,
    len: u32,
) -> Result<&'m mut [u8], Misuse<'a>> {
    if len != bytes {
        return Err(Misuse::Length { len, name, bytes });
    }
    let rest = memory.get_mut(at as usize..);
    rest.and_then(|rest| rest.get_mut(..len as usize))
        .ok_or(Misuse::ReadOutside)
}

impl<C: Clock> Host for Calls<C> {
    fn import(
        &mut self,
        import: Import,
        [a, b, c]: [u32; 3],
        memory: &mut [u8],
    ) -> Result<i32, Stop> {
        // They are short, or wait no longer than the deadline, so that it is enough to look now and then.
        self.turn.asked = self.turn.asked.wrapping_add(1);
        if self.turn.asked.is_multiple_of(LOOKS) && self.clock.now_ns() > self.turn.deadline_ns {
            self.turn.refusal = Some(Cause::Deadline);
            return Err(Stop::Host);
        }
        let text =
            |memory| -> Option<&[u8]> { <[u8]>::get(memory, b as usize..)?.get(..c as usize) };
        let result = match import {
            Import::Read => self.read(memory, [a, b, c]),
            Import::Write => self.write(memory, a, b).map_err(Cause::Contract),
            Import::Log => self.log(a, text(memory)).map_err(Cause::Contract),
            Import::Fault => match text(memory) {
                Some(reason) => {
                    self.turn.reason = Some(Text::printable(reason));
                    Ok(0)
                }
                None => Err(Cause::Contract(Misuse::ReasonOutside)),
            },
            Import::Mark => {
                self.mark(a, b);
                Ok(0)
            }
        };
        result.map_err(|cause| {
            self.turn.refusal = Some(cause);
            Stop::Host
        })
    }

    fn deadline_ns(&self) -> u64 {
        self.turn.deadline_ns
    }

    fn trapped(&mut self, function: &'static str) {
        self.turn.function = Some(function);
    }
}
