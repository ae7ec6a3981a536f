//! Sound and readings, from the bytes of a sensor to the windows of a rune.

use crate::{
    buffer::BufferError,
    filter::{Filter, Response},
    motion::Readings,
    rate::Rate,
    resample::{Frame, LANES, Resampler},
    sound::{CHANNELS, SoundSource},
    window::Ring,
};

/// Bytes of a frame of a sensor at most.
const FRAME_BYTES: usize = 4 * CHANNELS as usize;

/// What a frame of a sensor means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decoder {
    Sound(SoundSource),
    Motion(Readings),
}

impl Decoder {
    fn frame_bytes(&self) -> usize {
        match self {
            Self::Sound(source) => source.frame_bytes(),
            Self::Motion(readings) => LANES * readings.format.bytes(),
        }
    }

    /// Values of a frame of the rune.
    fn lanes(&self) -> usize {
        match self {
            Self::Sound(_) => 1,
            Self::Motion(_) => LANES,
        }
    }

    #[inline]
    fn decode(&self, frame: &[u8]) -> Frame {
        match self {
            Self::Sound(source) => [source.decode(frame), 0.0, 0.0],
            Self::Motion(readings) => readings.decode(frame),
        }
    }
}

/// How a value is written for the rune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Full scale is 2^15; rounded to nearest, halves away from 0, what is beyond is at the end.
    I16,
    F32,
}

impl Encoding {
    fn bytes(self) -> usize {
        match self {
            Self::I16 => 2,
            Self::F32 => 4,
        }
    }

    #[inline]
    fn encode(self, value: f32, out: &mut [u8]) {
        match self {
            Self::I16 => out.copy_from_slice(&to_i16(value).to_le_bytes()),
            Self::F32 => out.copy_from_slice(&value.to_le_bytes()),
        }
    }
}

#[inline]
fn to_i16(value: f32) -> i16 {
    let scaled = value * 32_768.0;
    let whole = scaled as i32;
    let rest = scaled - whole as f32;
    let rounded = whole.saturating_add(i32::from(rest >= 0.5) - i32::from(rest <= -0.5));
    rounded.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// How a stream of a sensor becomes windows of a rune, and what that takes. Made by [`plan`](crate::plan).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamPlan {
    pub(crate) decoder: Decoder,
    pub(crate) filter: Option<Filter>,
    pub(crate) response: Response,
    /// The rate of the sensor.
    pub(crate) given: Option<Rate>,
    pub(crate) encoding: Encoding,
    /// In frames of the rune.
    pub(crate) window: u32,
    pub(crate) hop: u32,
    pub(crate) backlog: u32,
}

impl StreamPlan {
    /// The same with room for so many whole windows beside the one that is read next; 1 where nothing is
    /// said. When they are all full, the oldest goes.
    #[must_use]
    pub fn with_backlog(self, backlog: u32) -> Self {
        Self { backlog, ..self }
    }

    /// The same in windows of one frame each, for a whole recording that is cut later.
    #[must_use]
    pub fn frame_by_frame(self) -> Self {
        Self {
            window: 1,
            hop: 1,
            ..self
        }
    }

    /// Numbers of f32 that a [`Stream`] needs: the filter's table and its history.
    pub fn words(&self) -> usize {
        self.filter
            .as_ref()
            .map_or(0, |f| Resampler::words(f, self.decoder.lanes()))
    }

    /// Bytes that a [`Stream`] needs for windows. Saturates beyond what can be addressed.
    pub fn ring_bytes(&self) -> usize {
        self.ring().bytes()
    }

    /// Bytes of a window.
    pub fn window_bytes(&self) -> usize {
        self.window as usize * self.frame_bytes()
    }

    /// Bytes of a frame of the sensor.
    pub fn source_frame_bytes(&self) -> usize {
        self.decoder.frame_bytes()
    }

    /// Frames of the sensor that a frame of the rune waits for; its time is not moved.
    pub fn delay(&self) -> u32 {
        self.filter.map_or(0, |f| f.half)
    }

    /// What the conversion of the rate keeps; `None` where there is none and all is kept.
    pub fn response(&self) -> Option<Response> {
        self.filter.map(|_| self.response)
    }

    /// Bytes of a frame of the rune.
    fn frame_bytes(&self) -> usize {
        self.decoder.lanes() * self.encoding.bytes()
    }

    fn ring(&self) -> Ring {
        Ring::new(
            self.frame_bytes(),
            self.window as usize,
            self.hop as usize,
            self.backlog as usize,
        )
    }
}

/// What came in, went out and was lost since a [`Stream`] began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames of the sensor that were taken.
    pub frames: u64,
    /// Frames that the sensor's side said were lost.
    pub frames_lost: u64,
    /// Frames with a value that is not a finite number, for which 0 was taken.
    pub frames_not_finite: u64,
    /// Windows that were read.
    pub windows: u64,
    /// Whole windows that went unread because there was no room, or a restart.
    pub windows_lost: u64,
}

/// A window that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its number, from 0, with those that were lost.
    pub number: u64,
    /// How many windows right before it were lost.
    pub lost: u64,
    /// The time of its first frame in nanoseconds, by the last time that came with bytes and the rate of
    /// the sensor; `None` where one of the two is missing.
    pub time: Option<u64>,
}

/// A stream of a sensor becoming windows of a rune, in memory that is lent or owned: `F` are numbers and `B`
/// bytes, as many as the plan says, such as `&mut [f32]` or `Vec<f32>`.
#[derive(Clone, Debug)]
pub struct Stream<F, B> {
    plan: StreamPlan,
    words: F,
    bytes: B,
    resampler: Option<Resampler>,
    ring: Ring,
    /// The start of a frame whose end has not come yet.
    partial: [u8; FRAME_BYTES],
    partial_bytes: usize,
    /// The last frame, and how often it is still to be repeated at the end.
    last: Frame,
    tail: u32,
    /// Frames since the last restart, and the number of the first window since.
    frames: u64,
    first: u64,
    /// The number of a frame since the last restart, and its time.
    anchor: Option<(u64, u64)>,
    /// The number of the window after the last that was read.
    expected: u64,
    counters: Counters,
}

impl<F, B> Stream<F, B>
where
    F: AsRef<[f32]> + AsMut<[f32]>,
    B: AsRef<[u8]> + AsMut<[u8]>,
{
    /// A stream that has seen nothing; computes the filter's table. `words` and `bytes` may be larger than
    /// [`StreamPlan::words`] and [`StreamPlan::ring_bytes`].
    pub fn new(plan: StreamPlan, mut words: F, bytes: B) -> Result<Self, BufferError> {
        BufferError::unless_enough("numbers", plan.words(), words.as_ref().len())?;
        BufferError::unless_enough("ring", plan.ring_bytes(), bytes.as_ref().len())?;
        if let Some(filter) = &plan.filter {
            filter.design(&mut words.as_mut()[..filter.coefficients()]);
        }
        let mut stream = Self {
            plan,
            words,
            bytes,
            resampler: None,
            ring: plan.ring(),
            partial: [0; FRAME_BYTES],
            partial_bytes: 0,
            last: [0.0; LANES],
            tail: 0,
            frames: 0,
            first: 0,
            anchor: None,
            expected: 0,
            counters: Counters::default(),
        };
        stream.restart(0);
        Ok(stream)
    }

    /// The plan it follows.
    pub fn plan(&self) -> &StreamPlan {
        &self.plan
    }

    /// What came in, went out and was lost.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes all bytes of a sensor that does not wait; where there is no room, the oldest windows go. `time`
    /// is that of the first frame that begins in `bytes`, in nanoseconds of any clock. Frames may be cut
    /// anywhere.
    pub fn push(&mut self, bytes: &[u8], time: Option<u64>) {
        self.take(bytes, time, true);
    }

    /// Takes bytes of a source that waits, such as a file, only so far that no window goes, and gives how
    /// many it took. Fewer than all mean that a window is to be read.
    pub fn feed(&mut self, bytes: &[u8], time: Option<u64>) -> usize {
        self.take(bytes, time, false)
    }

    /// Brings out what the conversion of the rate still holds, as if the last frame went on, so that the
    /// frames of the rune end where those of the sensor do. False if a window must be read before it can go
    /// on; true when all is out. What comes next must be a [`restart`](Self::restart).
    pub fn finish(&mut self) -> bool {
        while self.tail > 0 {
            if !self.ring.has_room() {
                return false;
            }
            self.tail -= 1;
            self.convert(self.last);
        }
        true
    }

    /// Begins anew after an interruption of the sensor that lost about so many frames, or with another
    /// recording. No window spans the place; whole windows that were not read go, and are counted.
    pub fn restart(&mut self, frames_lost: u64) {
        self.counters.frames_lost += frames_lost;
        self.counters.windows_lost += self.ring.clear();
        self.resampler = self.plan.filter.map(Resampler::new);
        self.partial_bytes = 0;
        self.tail = 0;
        self.frames = 0;
        self.first = self.ring.index();
        self.anchor = None;
    }

    /// Whether the next window is whole.
    pub fn has_window(&self) -> bool {
        self.ring.has_window()
    }

    /// Copies the next window, if it is whole, to `out`, which has exactly
    /// [`StreamPlan::window_bytes`].
    pub fn read(&mut self, out: &mut [u8]) -> Result<Option<Window>, BufferError> {
        BufferError::unless_exact("window", self.plan.window_bytes(), out.len())?;
        let ring = &self.bytes.as_ref()[..self.ring.bytes()];
        let Some(number) = self.ring.read(ring, out) else {
            return Ok(None);
        };
        let lost = number - self.expected;
        self.expected = number + 1;
        self.counters.windows += 1;
        Ok(Some(Window {
            number,
            lost,
            time: self.time(number),
        }))
    }

    fn time(&self, number: u64) -> Option<u64> {
        let (anchor, time) = self.anchor?;
        let (up, down) = self.plan.filter.map_or((1, 1), |f| (f.up, f.down));
        let frame = i128::from(number - self.first) * self.ring.hop() as i128;
        let distance = frame * i128::from(down) - i128::from(anchor) * i128::from(up);
        let time = i128::from(time) + self.plan.given?.nanoseconds(distance, up);
        Some(time.clamp(0, u64::MAX.into()) as u64)
    }

    fn take(&mut self, bytes: &[u8], time: Option<u64>, lossy: bool) -> usize {
        let size = self.plan.source_frame_bytes();
        if let Some(time) = time {
            let begun = u64::from(self.partial_bytes > 0);
            self.anchor = Some((self.frames + begun, time));
        }
        let mut rest = bytes;
        if self.partial_bytes > 0 {
            let (more, after) = rest.split_at(rest.len().min(size - self.partial_bytes));
            let whole = self.partial_bytes + more.len() == size;
            if whole && !lossy && !self.ring.has_room() {
                return 0;
            }
            self.partial[self.partial_bytes..][..more.len()].copy_from_slice(more);
            self.partial_bytes += more.len();
            rest = after;
            if !whole {
                return bytes.len();
            }
            let frame = self.partial;
            self.frame(&frame[..size]);
            self.partial_bytes = 0;
        }
        while let Some((frame, after)) = rest.split_at_checked(size) {
            if !lossy && !self.ring.has_room() {
                return bytes.len() - rest.len();
            }
            self.frame(frame);
            rest = after;
        }
        self.partial[..rest.len()].copy_from_slice(rest);
        self.partial_bytes = rest.len();
        bytes.len()
    }

    /// Takes a frame of the sensor.
    fn frame(&mut self, bytes: &[u8]) {
        let mut frame = self.plan.decoder.decode(bytes);
        if frame.iter().any(|v| !v.is_finite()) {
            self.counters.frames_not_finite += 1;
            frame = frame.map(|v| if v.is_finite() { v } else { 0.0 });
        }
        self.frames += 1;
        self.counters.frames += 1;
        self.last = frame;
        self.tail = self.plan.delay();
        self.convert(frame);
    }

    fn convert(&mut self, frame: Frame) {
        let converted = match &mut self.resampler {
            None => Some(frame),
            Some(resampler) => {
                resampler.push(&mut self.words.as_mut()[..self.plan.words()], &frame)
            }
        };
        let Some(frame) = converted else { return };
        let mut encoded = [0; 4 * LANES];
        let encoded = &mut encoded[..self.plan.frame_bytes()];
        let values = encoded.chunks_exact_mut(self.plan.encoding.bytes());
        for (out, value) in values.zip(frame) {
            self.plan.encoding.encode(value, out);
        }
        let ring = &mut self.bytes.as_mut()[..self.ring.bytes()];
        self.counters.windows_lost += u64::from(self.ring.push(ring, encoded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_rounded_to_nearest_and_end_at_full_scale() {
        let of = |scaled: f32| to_i16(scaled / 32_768.0);
        for (scaled, sample) in [
            (0.499_999_97, 0),
            (0.5, 1),
            (-0.5, -1),
            (-1.499_999_9, -1),
            (2.5, 3),
            (32_766.5, 32_767),
            (32_767.5, 32_767),
            (-32_768.5, -32_768),
            (1e30, 32_767),
            (-1e30, -32_768),
        ] {
            assert_eq!(of(scaled), sample, "{scaled}");
        }
    }
}
