//! What the runtime tells of one rune, as it happens.

use crate::{
    Counters, Failure, Histogram, Subject, Summary, TooSmall, Writes,
    counters::{Counter, add},
    wire::{self, Spans},
};

/// What a call came to. A call that only learned that a source has ended is none, and not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It wrote output.
    Output,
    /// It ended well and wrote nothing.
    NoOutput,
    /// It failed.
    Failed(Failure),
}

/// The durations of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    total: Histogram,
    interval: Summary,
}

impl Stage {
    /// That never ran.
    pub const fn new() -> Self {
        Self {
            total: Histogram::new(),
            interval: Summary::new(),
        }
    }

    /// Since the recorder was made.
    pub const fn total(&self) -> &Histogram {
        &self.total
    }

    /// Since the last heartbeat.
    pub const fn interval(&self) -> &Summary {
        &self.interval
    }
}

/// What went to one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub(crate) earlier: Writes,
    records: Counter,
    bytes: Counter,
    dropped: u64,
}

impl Output {
    /// That nothing was written to.
    pub const fn new() -> Self {
        Self {
            earlier: Writes::new(),
            records: Counter::ZERO,
            bytes: Counter::ZERO,
            dropped: 0,
        }
    }

    /// Since the recorder was made.
    pub fn total(&self) -> Writes {
        let mut total = self.earlier;
        total.merge(&self.interval());
        total
    }

    /// Since the last heartbeat.
    pub const fn interval(&self) -> Writes {
        Writes {
            records: self.records.get(),
            bytes: self.bytes.get(),
            dropped: self.dropped,
        }
    }
}

/// Records of one rune. Stages and outputs are numbered as in its manifest and lie in whatever the
/// runtime has: arrays, slices of static memory, or boxes.
///
/// Recording takes a few nanoseconds and cannot fail. A stage or output without a place is not recorded.
#[derive(Clone, Debug)]
pub struct Recorder<S, O> {
    /// Recording touches the interval alone; what was before is added where a total is asked for.
    earlier: Counters,
    /// But for the calls with output: they are those that are in the durations and nowhere else.
    interval: Counters,
    earlier_latency: Histogram,
    interval_latency: Histogram,
    memory_peak: u64,
    made: u64,
    interval_began: u64,
    beats: u64,
    stages: S,
    outputs: O,
}

impl<S, O> Recorder<S, O>
where
    S: AsRef<[Stage]> + AsMut<[Stage]>,
    O: AsRef<[Output]> + AsMut<[Output]>,
{
    /// A recorder with these places, at instant `now`.
    pub const fn new(stages: S, outputs: O, now_ns: u64) -> Self {
        Self {
            earlier: Counters::new(),
            interval: Counters::new(),
            earlier_latency: Histogram::new(),
            interval_latency: Histogram::new(),
            memory_peak: 0,
            made: now_ns,
            interval_began: now_ns,
            beats: 0,
            stages,
            outputs,
        }
    }

    /// The rune was started.
    pub fn started(&mut self) {
        add(&mut self.interval.starts, 1);
    }

    /// A call ended and took this long, host functions included.
    #[inline(always)]
    pub fn call(&mut self, took_ns: u64, outcome: Outcome) {
        self.interval_latency.record(took_ns);
        match outcome {
            Outcome::Output => {}
            Outcome::NoOutput => add(&mut self.interval.without_output, 1),
            Outcome::Failed(kind) => add(&mut self.interval.failures[kind as usize], 1),
        }
    }

    /// A stage ended and took this long.
    #[inline]
    pub fn stage(&mut self, index: usize, took_ns: u64) {
        if let Some(stage) = self.stages.as_mut().get_mut(index) {
            stage.total.record(took_ns);
            stage.interval.record(took_ns);
        }
    }

    /// An output took a record with so many bytes in its tensors.
    #[inline(always)]
    pub fn written(&mut self, index: usize, bytes: u32) {
        if let Some(output) = self.outputs.as_mut().get_mut(index) {
            output.records.count();
            output.bytes.add(bytes);
        }
    }

    /// So many records of an output were lost on the way to its sink.
    pub fn dropped(&mut self, index: usize, records: u64) {
        if let Some(output) = self.outputs.as_mut().get_mut(index) {
            add(&mut output.dropped, records);
        }
    }

    /// So many samples were lost because the rune did not read them in time.
    pub fn overran(&mut self, samples: u64) {
        add(&mut self.interval.overruns, samples);
    }

    /// The rune holds so many bytes of memory now; the most are kept.
    pub fn memory(&mut self, bytes: u64) {
        self.memory_peak = self.memory_peak.max(bytes);
    }

    /// Counters since the recorder was made.
    pub fn total(&self) -> Counters {
        let mut total = self.earlier;
        total.merge(&self.interval());
        total
    }

    /// Counters since the last heartbeat.
    pub fn interval(&self) -> Counters {
        let mut interval = self.interval;
        let others = interval.calls();
        interval.with_output = self.interval_latency.count().saturating_sub(others);
        interval
    }

    /// Durations of all calls since the recorder was made.
    pub fn latency(&self) -> Histogram {
        let mut total = self.earlier_latency.clone();
        total.merge(&self.interval_latency);
        total
    }

    /// Durations of the calls since the last heartbeat.
    pub const fn interval_latency(&self) -> &Histogram {
        &self.interval_latency
    }

    /// Most bytes of memory the rune ever held.
    pub const fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak
    }

    /// The stages that have a place.
    pub fn stages(&self) -> &[Stage] {
        self.stages.as_ref()
    }

    /// The outputs that have a place.
    pub fn outputs(&self) -> &[Output] {
        self.outputs.as_ref()
    }

    /// Writes everything recorded to the front of `out`, as [`Snapshot::decode`](crate::Snapshot::decode) reads
    /// it, and gives back the bytes. Changes nothing here.
    pub fn encode<'o>(
        &self,
        subject: &Subject<'_>,
        now_ns: u64,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], TooSmall> {
        wire::encode(subject, &self.spans(now_ns), out)
    }

    /// Does the same and begins a new interval. Where the record does not fit, the interval goes on and
    /// nothing is lost.
    pub fn heartbeat<'o>(
        &mut self,
        subject: &Subject<'_>,
        now_ns: u64,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], TooSmall> {
        let record = wire::encode(subject, &self.spans(now_ns), out)?;
        self.begin_interval(now_ns);
        Ok(record)
    }

    /// Adds the interval to what was before and begins a new one.
    pub fn begin_interval(&mut self, now_ns: u64) {
        self.earlier = self.total();
        self.interval = Counters::new();
        self.earlier_latency.merge(&self.interval_latency);
        self.interval_latency = Histogram::new();
        for stage in self.stages.as_mut() {
            stage.interval = Summary::new();
        }
        for output in self.outputs.as_mut() {
            *output = Output {
                earlier: output.total(),
                ..Output::new()
            };
        }
        self.interval_began = now_ns;
        add(&mut self.beats, 1);
    }

    fn spans(&self, now_ns: u64) -> Spans<'_> {
        Spans {
            beats: self.beats,
            uptime: now_ns.saturating_sub(self.made),
            interval_length: now_ns.saturating_sub(self.interval_began),
            memory_peak: self.memory_peak,
            earlier: &self.earlier,
            interval: self.interval(),
            earlier_latency: &self.earlier_latency,
            interval_latency: &self.interval_latency,
            stages: self.stages.as_ref(),
            outputs: self.outputs.as_ref(),
        }
    }
}
