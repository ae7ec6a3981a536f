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

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It wrote output.
    Output,
    /// It ended well and wrote nothing.
    NoOutput,
    /// There are no more data.
    Over,
    /// It failed, see [`Calls::failed`].
    Failed,
}

/// The host of one rune.
pub(crate) struct Calls<C> {
    pub(crate) clock: C,
    pub(crate) manifest: ManifestView<'static>,
    /// Name and bytes of each capability, which the manifest would have to be read for.
    inputs: Box<[(&'static str, u32)]>,
    /// One per capability, in the order of the manifest.
    pub(crate) sources: Box<[Box<dyn Source>]>,
    pub(crate) records: Records,
    pub(crate) saga: Saga,
    /// What it logged in the last call.
    pub(crate) log: Log<LOG_BYTES>,
    /// The engine itself stops what runs too long.
    is_timed: bool,
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
    /// The function that trapped.
    function: Option<&'static str>,
    log_lines: u32,
    /// Whether anything but the times is set: most calls leave it all as it was.
    is_marked: bool,
}

impl<C: Clock> Calls<C> {
    pub(crate) fn new(
        clock: C,
        manifest: ManifestView<'static>,
        sources: Box<[Box<dyn Source>]>,
        records: Records,
        saga: Saga,
        is_timed: bool,
    ) -> Self {
        let inputs = manifest.capabilities.iter();
        Self {
            clock,
            manifest,
            inputs: inputs.map(|c| (c.name, c.ty.bytes())).collect(),
            sources,
            records,
            saga,
            log: Log::new(),
            is_timed,
            turn: Turn::default(),
        }
    }

    /// A call begins now, and may take so long.
    #[inline]
    pub(crate) fn begin(&mut self, now_ns: u64, call_ns: u64) {
        self.records.clear();
        self.turn.began_ns = now_ns;
        self.turn.deadline_ns = now_ns.saturating_add(call_ns);
        if self.turn.is_marked {
            self.forget();
        }
    }

    /// Forgets what was set in the last call.
    #[inline(never)]
    fn forget(&mut self) {
        self.log.clear();
        // One by one: most of it is texts that are not there.
        let turn = &mut self.turn;
        turn.stage = None;
        turn.since_ns = None;
        turn.reason = None;
        turn.refusal = None;
        turn.function = None;
        turn.log_lines = 0;
        turn.is_marked = false;
    }

    /// Whether the call logged lines.
    pub(crate) fn has_logged(&self) -> bool {
        self.turn.log_lines > 0
    }

    /// A call has ended now, with what `_call` returned or why it did not: records it, but for a failure, of which
    /// [`failed`](Self::failed) makes an error.
    #[inline]
    pub(crate) fn end(&mut self, returned: Result<i32, Stop>, now_ns: u64) -> Ended {
        let Ok(code) = returned else {
            return Ended::Failed;
        };
        let outcome = match CallResult::from_code(code) {
            CallResult::Fault(_) => return Ended::Failed,
            CallResult::EndOfData => {
                self.end_stage();
                return Ended::Over;
            }
            // A stage that gives nothing ends the call.
            CallResult::Output | CallResult::NoOutput if self.records.is_empty() => {
                Outcome::NoOutput
            }
            CallResult::Output | CallResult::NoOutput => Outcome::Output,
        };
        self.end_stage();
        self.count(outcome, now_ns);
        match outcome {
            Outcome::Output => Ended::Output,
            Outcome::NoOutput | Outcome::Failed(_) => Ended::NoOutput,
        }
    }

    /// Records a call that failed, and says why.
    #[cold]
    #[inline(never)]
    pub(crate) fn failed(&mut self, returned: Result<i32, Stop>, now_ns: u64) -> CallError {
        let cause = match returned {
            Ok(code) => Cause::Fault(code, self.turn.reason),
            Err(Stop::Trap(Failure::Deadline)) => Cause::Deadline,
            Err(Stop::Trap(failure)) => Cause::Trap(failure, self.turn.function),
            Err(Stop::Host) => self.turn.refusal.unwrap_or(Cause::Deadline),
        };
        self.count(Outcome::Failed(cause.failure()), now_ns);
        let stage = self.turn.stage.take();
        let stage = stage.and_then(|stage| self.manifest.stages.get(stage as usize));
        CallError { stage, cause }
    }

    #[inline]
    fn count(&mut self, outcome: Outcome, now_ns: u64) {
        let took = now_ns.checked_sub(self.turn.began_ns);
        self.saga.call(took.unwrap_or(0), outcome);
        for source in &mut self.sources {
            let lost = source.overruns();
            if lost > 0 {
                self.saga.overran(lost);
            }
        }
    }

    /// Takes the time of the stage that is running, if one is.
    #[inline]
    fn end_stage(&mut self) {
        if self.turn.is_marked {
            self.end_marked();
        }
    }

    #[inline(never)]
    fn end_marked(&mut self) {
        if let (Some(stage), Some(since)) = (self.turn.stage.take(), self.turn.since_ns) {
            let now = self.clock.now_ns();
            self.turn.since_ns = Some(now);
            self.saga.stage(stage as usize, now.saturating_sub(since));
        }
    }

    /// The rune is to be stopped, because of this.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, cause: Cause) -> Stop {
        self.turn.is_marked = true;
        self.turn.refusal = Some(cause);
        Stop::Host
    }

    #[inline]
    fn read(&mut self, memory: &mut [u8], [index, at, len]: [u32; 3]) -> Result<i32, Stop> {
        let input = self.inputs.get(index as usize).copied();
        let source = self.sources.get_mut(index as usize);
        let (Some((name, bytes)), Some(source)) = (input, source) else {
            return Err(self.refuse(Cause::Contract(Misuse::NoCapability(index))));
        };
        let out = match sample(memory, (name, bytes), at, len) {
            Ok(out) => out,
            Err(misuse) => return Err(self.refuse(Cause::Contract(misuse))),
        };
        match source.read(out, self.turn.deadline_ns) {
            Ok(Read::Sample { .. }) => Ok(len as i32),
            Ok(Read::End) => Ok(Import::END),
            Err(error) => Err(self.refuse(Cause::Source(name, error))),
        }
    }

    #[inline]
    fn write(&mut self, memory: &[u8], index: u32, at: u32) -> Result<i32, Stop> {
        match self.records.take(memory, index, at) {
            Ok(bytes) => {
                self.saga.written(index as usize, bytes);
                Ok(0)
            }
            Err(misuse) => Err(self.refuse(Cause::Contract(misuse))),
        }
    }

    #[inline(never)]
    fn log(&mut self, level: u32, text: Option<&[u8]>) -> Result<i32, Stop> {
        let Some(text) = text else {
            return Err(self.refuse(Cause::Contract(Misuse::LogOutside)));
        };
        self.turn.is_marked = true;
        self.turn.log_lines = self.turn.log_lines.saturating_add(1);
        if self.turn.log_lines <= LOG_LINES {
            self.log.push(level, &Text::printable(text));
        } else if self.turn.log_lines == LOG_LINES + 1 {
            let rest = "the rune logs too much; the rest of this call is left out";
            self.log.push(2, &Text::of(rest));
        }
        Ok(0)
    }

    #[inline(never)]
    fn reason(&mut self, text: Option<&[u8]>) -> Result<i32, Stop> {
        let Some(text) = text else {
            return Err(self.refuse(Cause::Contract(Misuse::ReasonOutside)));
        };
        self.turn.is_marked = true;
        self.turn.reason = Some(Text::printable(text));
        Ok(0)
    }

    #[inline(never)]
    fn mark(&mut self, stage: u32, phase: u32) {
        self.turn.is_marked = true;
        if phase == 0 {
            self.turn.stage = Some(stage);
            let now = self.clock.now_ns();
            self.turn.since_ns.get_or_insert(now);
        } else {
            self.end_stage();
        }
    }
}

/// The place in memory for a sample of a capability, given by its name and how many bytes it gives.
#[inline]
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

/// The text of a rune at a place in its memory; `None` outside of it.
fn text(memory: &[u8], at: u32, len: u32) -> Option<&[u8]> {
    memory.get(at as usize..)?.get(..len as usize)
}

impl<C: Clock> Host for Calls<C> {
    fn import(
        &mut self,
        import: Import,
        [a, b, c]: [u32; 3],
        memory: &mut [u8],
    ) -> Result<i32, Stop> {
        if !self.is_timed && self.clock.now_ns() > self.turn.deadline_ns {
            return Err(self.refuse(Cause::Deadline));
        }
        match import {
            Import::Read => self.read(memory, [a, b, c]),
            Import::Write => self.write(memory, a, b),
            Import::Log => self.log(a, text(memory, b, c)),
            Import::Fault => self.reason(text(memory, b, c)),
            Import::Mark => {
                self.mark(a, b);
                Ok(0)
            }
        }
    }

    fn deadline_ns(&self) -> u64 {
        self.turn.deadline_ns
    }

    fn trapped(&mut self, function: &'static str) {
        self.turn.is_marked = true;
        self.turn.function = Some(function);
    }
}
