//! Where the samples of capabilities come from.

use alloc::{boxed::Box, vec};
use core::fmt;

use rune_abi::{CapabilityView, ValueView};
use rune_adapt::{ImagePlan, Plan, Stream};

use crate::{Clock, Rand, RandError};

/// Gives samples to one capability of one rune.
pub trait Source {
    /// Whether a sample can be read without waiting, or never again: what a rune that runs on input waits for.
    fn is_ready(&mut self, now_ns: u64) -> bool;

    /// Fills `out`, which is as long as the capability's type in the manifest, with the next sample. It may wait, but
    /// not beyond the deadline.
    ///
    /// # Errors
    /// [`SourceError::Late`] where there was no sample by the deadline.
    fn read(&mut self, out: &mut [u8], deadline_ns: u64) -> Result<Read, SourceError>;
}

/// What reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A sample.
    Sample {
        /// How many were lost since the one before, because the rune was too slow.
        lost: u32,
    },
    /// There is no more.
    End,
}

impl Read {
    /// A sample, with none lost before it.
    pub const SAMPLE: Self = Self::Sample { lost: 0 };
}

/// Why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// There was none by the deadline of the call.
    Late,
    /// It does not work; says why, without a final full stop.
    Failed(&'static str),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "it gave no sample within the time of the call",
            Self::Failed(why) => why,
        })
    }
}

impl core::error::Error for SourceError {}

/// Random numbers, of which there are always some.
impl Source for Rand {
    fn is_ready(&mut self, _: u64) -> bool {
        true
    }

    fn read(&mut self, out: &mut [u8], _: u64) -> Result<Read, SourceError> {
        self.fill(out);
        Ok(Read::SAMPLE)
    }
}

impl Rand {
    /// The generator that a capability, the one at `index` of the manifest, asks for.
    pub fn open(
        capability: &CapabilityView<'_>,
        index: usize,
        seed: u64,
    ) -> Result<Self, RandError> {
        let bound = |name, otherwise| match capability.params.value(name) {
            Some(ValueView::Float(x)) => x,
            Some(ValueView::Integer(n)) => n as f64,
            Some(ValueView::Text(_)) | None => otherwise,
        };
        let range = (bound("min", 0.0), bound("max", 1.0));
        Self::new(capability.ty.element(), range, index, seed)
    }
}

/// A sensor as its driver reads it: bytes of whatever form it says it gives.
pub trait Device {
    /// Takes what has come since the last time, as far as it fits. Does not wait. A device drops what is oldest
    /// where its memory is full.
    ///
    /// # Errors
    /// Where it does not work.
    fn take(&mut self, out: &mut [u8]) -> Result<Taken, SourceError>;
}

/// What a [`Device`] gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many bytes, at the front of the memory it was lent.
    pub bytes: usize,
    /// When the first frame that begins in them was measured, by the clock of the device.
    pub time_ns: Option<u64>,
    /// Frames that were lost right before them.
    pub lost: u64,
    /// Nothing will come behind them.
    pub is_end: bool,
}

/// Bytes taken from a device at once.
const CHUNK: usize = 256;

/// A device made into what a capability asks for by [`rune_adapt`].
pub struct Adapted<D, C> {
    device: D,
    clock: C,
    plan: Adapter,
    /// What the device gave and the plan has not taken yet.
    chunk: [u8; CHUNK],
    rest: (usize, usize),
    time_ns: Option<u64>,
    is_end: bool,
    lost: u64,
    told: u64,
}

/// A stream in memory of its own.
type OwnStream = Stream<Box<[f32]>, Box<[u8]>>;

enum Adapter {
    Stream(Box<OwnStream>),
    Image {
        plan: ImagePlan,
        picture: Box<[u8]>,
        have: usize,
    },
}

impl<D: Device, C: Clock> Adapted<D, C> {
    /// Memory for a plan that was found possible, and nothing read yet.
    pub fn new(plan: Plan, device: D, clock: C) -> Self {
        let plan = match plan {
            Plan::Stream(plan) => {
                let words = vec![0.0; plan.words()].into_boxed_slice();
                let ring = vec![0; plan.ring_bytes()].into_boxed_slice();
                let stream = Stream::new(plan, words, ring);
                Adapter::Stream(Box::new(
                    stream.expect("the memory is as large as the plan says"),
                ))
            }
            Plan::Image(plan) => Adapter::Image {
                picture: vec![0; plan.source_bytes()].into(),
                plan,
                have: 0,
            },
        };
        Self {
            device,
            clock,
            plan,
            chunk: [0; CHUNK],
            rest: (0, 0),
            time_ns: None,
            is_end: false,
            lost: 0,
            told: 0,
        }
    }

    /// Takes what the device has until there is a sample; false where there is none yet.
    fn fill(&mut self) -> Result<bool, SourceError> {
        loop {
            let rest = &self.chunk[self.rest.0..self.rest.1];
            match &mut self.plan {
                Adapter::Stream(stream) => {
                    self.rest.0 += stream.feed(rest, self.time_ns.take());
                    if stream.has_window() {
                        return Ok(true);
                    }
                    if self.is_end && self.rest.0 == self.rest.1 && stream.finish() {
                        return Ok(stream.has_window());
                    }
                }
                Adapter::Image { picture, have, .. } => {
                    let taken = rest.len().min(picture.len() - *have);
                    picture[*have..*have + taken].copy_from_slice(&rest[..taken]);
                    *have += taken;
                    self.rest.0 += taken;
                    if *have == picture.len() {
                        return Ok(true);
                    }
                }
            }
            if self.rest.0 < self.rest.1 {
                continue;
            }
            if self.is_end {
                return Ok(false);
            }
            let taken = self.device.take(&mut self.chunk)?;
            self.rest = (0, taken.bytes.min(CHUNK));
            self.time_ns = taken.time_ns;
            self.is_end = taken.is_end;
            if taken.lost > 0 {
                match &mut self.plan {
                    Adapter::Stream(stream) => stream.restart(taken.lost),
                    // The picture it broke off is lost too.
                    Adapter::Image { have, .. } => {
                        self.lost += taken.lost;
                        *have = 0;
                    }
                }
            }
            if taken.bytes == 0 && !taken.is_end {
                return Ok(false);
            }
        }
    }
}

impl<D: Device, C: Clock> Source for Adapted<D, C> {
    fn is_ready(&mut self, _: u64) -> bool {
        // The call that reads is told of a device that does not work.
        !matches!(self.fill(), Ok(false)) || self.is_end
    }

    fn read(&mut self, out: &mut [u8], deadline_ns: u64) -> Result<Read, SourceError> {
        while !self.fill()? {
            if self.is_end {
                return Ok(Read::End);
            }
            if self.clock.now_ns() >= deadline_ns {
                return Err(SourceError::Late);
            }
        }
        let unfit = |_| SourceError::Failed("the sample has another size than the plan");
        let all = match &mut self.plan {
            Adapter::Stream(stream) => {
                stream.read(out).map_err(unfit)?;
                let counters = stream.counters();
                counters.frames_lost.saturating_add(counters.windows_lost)
            }
            Adapter::Image {
                plan,
                picture,
                have,
            } => {
                plan.convert(picture, out).map_err(unfit)?;
                *have = 0;
                self.lost
            }
        };
        let lost = all - core::mem::replace(&mut self.told, all);
        Ok(Read::Sample {
            lost: u32::try_from(lost).unwrap_or(u32::MAX),
        })
    }
}
