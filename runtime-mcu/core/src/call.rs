//! What a rune may ask during a call: the five functions of the contract, what they work on, and how a call ends.

use alloc::boxed::Box;
use core::{fmt, ops::Range};

use rune_abi::{CallResult, Fault, Import, ManifestView};
use rune_saga::{Failure, Outcome, Recorder};

use crate::{
    Clock,
    engine::{Host, Stopped, place},
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

/// The longest time that is given to a call, 292 years, so that deadlines are times.
pub(crate) const LONGEST_CALL_NS: u64 = u64::MAX / 2;

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
// What every call needs comes first, where an instruction reaches it.
#[repr(C)]
pub(crate) struct Calls<C> {
    pub(crate) records: Records,
    pub(crate) clock: C,
    /// One per capability, in the order of the manifest; none while it rests.
    pub(crate) inputs: Box<[Input]>,
    turn: Turn,
    pub(crate) manifest: ManifestView<'static>,
    pub(crate) saga: Saga,
    /// What it logged in the last call.
    pub(crate) log: Log<LOG_BYTES>,
}

/// A capability, as far as the manifest would have to be read for it in every call.
pub(crate) struct Input {
    pub(crate) source: Box<dyn Source>,
    /// Of a sample.
    pub(crate) bytes: u32,
    pub(crate) name: &'static str,
}

/// What has happened in the current call.
#[derive(Default)]
#[repr(C)]
struct Turn {
    began_ns: u64,
    deadline_ns: u64,
    /// Whether anything but the times is set: most calls leave it all as it was.
    is_marked: bool,
    /// Index of the stage that is running.
    stage: Option<u32>,
    /// Since when; between two stages, when the one ended, for nothing runs before the next begins.
    since_ns: Option<u64>,
    /// What `fault` said.
    reason: Option<Text<LINE_BYTES>>,
    /// Why the rune was stopped.
    cause: Option<Cause>,
    log_lines: u32,
}

impl<C: Clock> Calls<C> {
    pub(crate) fn new(
        clock: C,
        manifest: ManifestView<'static>,
        records: Records,
        saga: Saga,
    ) -> Self {
        Self {
            clock,
            manifest,
            inputs: Box::default(),
            records,
            saga,
            log: Log::new(),
            turn: Turn::default(),
        }
    }

    /// A call begins now, and may take so long. Gives its deadline.
    #[inline]
    pub(crate) fn begin(&mut self, now_ns: u64, call_ns: u64) -> u64 {
        self.records.clear();
        self.turn.began_ns = now_ns;
        // Neither is beyond half of the range, see `LONGEST_CALL_NS`.
        self.turn.deadline_ns = now_ns.wrapping_add(call_ns);
        self.turn.deadline_ns
    }

    /// Forgets what was set in a call that is [marked](Self::is_marked) and has been dealt with.
    #[inline(never)]
    pub(crate) fn forget(&mut self) {
        self.log.clear();
        // One by one: most of it is texts that are not there.
        let turn = &mut self.turn;
        turn.stage = None;
        turn.since_ns = None;
        turn.reason = None;
        turn.cause = None;
        turn.log_lines = 0;
        turn.is_marked = false;
    }

    /// Whether the call has done more than to read and to write: logged a line, which is to be passed on, marked a stage,
    /// which is to be [ended](Self::end_stage), or been stopped. That is to be [forgotten](Self::forget) at its end.
    pub(crate) fn is_marked(&self) -> bool {
        self.turn.is_marked
    }

    /// A call has ended now, with what `_call` returned unless it was stopped: records it, but for a failure, of which
    /// [`failed`](Self::failed) makes an error.
    #[inline]
    pub(crate) fn end(&mut self, returned: Result<i32, Stopped>, now_ns: u64) -> Ended {
        let Ok(code) = returned else {
            return Ended::Failed;
        };
        match CallResult::from_code(code) {
            CallResult::Output | CallResult::NoOutput => {}
            CallResult::EndOfData => return Ended::Over,
            CallResult::Fault(_) => return Ended::Failed,
        }
        // A stage that gives nothing ends the call.
        let outcome = if self.records.is_empty() {
            Outcome::NoOutput
        } else {
            Outcome::Output
        };
        // The clock only goes forward.
        let took_ns = now_ns.wrapping_sub(self.turn.began_ns);
        self.saga.call(took_ns, outcome);
        match outcome {
            Outcome::Output => Ended::Output,
            Outcome::NoOutput | Outcome::Failed(_) => Ended::NoOutput,
        }
    }

    /// Records a call that failed, and says why.
    #[cold]
    #[inline(never)]
    pub(crate) fn failed(&mut self, returned: Result<i32, Stopped>, now_ns: u64) -> CallError {
        let cause = match returned {
            Ok(code) => Cause::Fault(code, self.turn.reason),
            Err(Stopped) => self.turn.cause.unwrap_or(Cause::Deadline),
        };
        let took_ns = now_ns.saturating_sub(self.turn.began_ns);
        self.saga.call(took_ns, Outcome::Failed(cause.failure()));
        let stage = self.turn.stage.take();
        let stage = stage.and_then(|stage| self.manifest.stages.get(stage as usize));
        CallError { stage, cause }
    }

    /// Takes the time of the stage that is running, if one is.
    #[inline(never)]
    pub(crate) fn end_stage(&mut self) {
        if let (Some(stage), Some(since)) = (self.turn.stage.take(), self.turn.since_ns) {
            let now = self.clock.now_ns();
            self.turn.since_ns = Some(now);
            self.saga.stage(stage as usize, now.saturating_sub(since));
        }
    }

    /// The rune is to be stopped, because of this.
    #[cold]
    #[inline(never)]
    fn stop(&mut self, cause: Cause) -> Stopped {
        self.turn.is_marked = true;
        self.turn.cause = Some(cause);
        Stopped
    }

    #[cold]
    #[inline(never)]
    fn misused(&mut self, misuse: Misuse<'static>) -> Stopped {
        self.stop(Cause::Contract(misuse))
    }

    /// It has read so many bytes of a capability that it does not have, or that gives others, or to a place outside
    /// memory.
    #[cold]
    #[inline(never)]
    fn misread(&mut self, index: u32, len: u32) -> Stopped {
        let misuse = match self.inputs.get(index as usize) {
            Some(input) => misread(len, input.name, input.bytes),
            None => Misuse::NoCapability(index),
        };
        self.misused(misuse)
    }

    /// A source has failed.
    #[cold]
    #[inline(never)]
    fn unread(&mut self, index: u32, error: SourceError) -> Stopped {
        let input = self.inputs.get(index as usize);
        let name = input.map_or("", |input| input.name);
        self.stop(Cause::Source(name, error))
    }

    /// It has written to an output twice, or to one that is not as it was.
    #[cold]
    #[inline(never)]
    fn unwritten(&mut self, output: u32) -> Stopped {
        let name = self.records.name(output);
        let misuse = name.map_or(Misuse::NoOutput(output), Misuse::WrittenTwice);
        self.misused(misuse)
    }

    /// Takes a record that is not as most are.
    #[inline(never)]
    fn write_any(&mut self, memory: &[u8], output: u32, at: u32) -> Result<(), Stopped> {
        match self.records.take_any(memory, output, at) {
            Ok(bytes) => {
                self.saga.written(output as usize, bytes);
                Ok(())
            }
            Err(misuse) => Err(self.misused(misuse)),
        }
    }
}

impl<C: Clock> Host for Calls<C> {
    fn read(&mut self, index: u32, bytes: u32, place: Option<&mut [u8]>) -> Result<i32, Stopped> {
        let input = self.inputs.get_mut(index as usize);
        let (Some(out), Some(input)) = (place, input.filter(|input| input.bytes == bytes)) else {
            return Err(self.misread(index, bytes));
        };
        match input.source.read(out, self.turn.deadline_ns) {
            Ok(Read::Sample { lost }) => {
                if lost > 0 {
                    self.saga.overran(lost.into());
                }
                Ok(bytes as i32)
            }
            Ok(Read::End) => Ok(Import::END),
            Err(error) => Err(self.unread(index, error)),
        }
    }

    fn write(&mut self, memory: &[u8], output: u32, at: u32) -> Result<(), Stopped> {
        if let Some(bytes) = self.records.take_plain(memory, output, at) {
            self.saga.written(output as usize, bytes);
            return Ok(());
        }
        self.write_any(memory, output, at)
    }

    fn elements(&self, memory: &[u8], output: u32, at: u32) -> Option<Range<usize>> {
        self.records.place(memory, output, at)
    }

    fn write_elements(&mut self, output: u32, elements: &[u8]) -> Result<(), Stopped> {
        if let Some(bytes) = self.records.take_elements(output, elements) {
            self.saga.written(output as usize, bytes);
            return Ok(());
        }
        Err(self.unwritten(output))
    }

    fn log(&mut self, level: u32, line: Option<&[u8]>) -> Result<(), Stopped> {
        let Some(line) = line else {
            return Err(self.misused(Misuse::LogOutside));
        };
        self.turn.is_marked = true;
        self.turn.log_lines = self.turn.log_lines.saturating_add(1);
        if self.turn.log_lines <= LOG_LINES {
            self.log.push(level, &Text::printable(line));
        } else if self.turn.log_lines == LOG_LINES + 1 {
            let rest = "the rune logs too much; the rest of this call is left out";
            self.log.push(2, &Text::of(rest));
        }
        Ok(())
    }

    fn fault(&mut self, reason: Option<&[u8]>) -> Result<(), Stopped> {
        let Some(reason) = reason else {
            return Err(self.misused(Misuse::ReasonOutside));
        };
        self.turn.is_marked = true;
        self.turn.reason = Some(Text::printable(reason));
        Ok(())
    }

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

    fn is_in_time(&mut self) -> Result<(), Stopped> {
        if self.clock.now_ns() > self.turn.deadline_ns {
            return Err(self.stop(Cause::Deadline));
        }
        Ok(())
    }

    fn trapped(&mut self, failure: Failure, function: Option<&'static str>) {
        self.stop(if failure == Failure::Deadline {
            Cause::Deadline
        } else {
            Cause::Trap(failure, function)
        });
    }
}

/// What is wrong with reading so many bytes of a capability, or to a place outside memory.
#[cold]
fn misread(len: u32, name: &str, bytes: u32) -> Misuse<'_> {
    if len == bytes {
        Misuse::ReadOutside
    } else {
        Misuse::Length { len, name, bytes }
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
    let found = place(memory, at, len).filter(|_| len == bytes);
    found.ok_or_else(|| misread(len, name, bytes))
}
