//! Sources that go on while the rune works: a thread reads, windows queue up in bounded memory, and what finds
//! no room is counted.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rune_abi::Capability;
use rune_adapt::{Rate, Stream, StreamPlan};

use super::{OpenError, Read, Source, SourceError, Stamp, adapted, integer, unfit};

/// How long a device may wait before it looks whether anybody still wants what it gives.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);
/// Bytes that a device gives at once at most.
pub(super) const CHUNK: usize = 4096;
/// Bytes that wait for the rune beside a window, at least.
const BACKLOG: usize = 1 << 16;
/// Windows of an adapted stream that wait for the rune.
const WINDOWS: u32 = 8;
/// How far behind polling may be before readings are given up.
const BEHIND: Duration = Duration::from_millis(250);

/// What is read by a thread.
pub(super) trait Device: Send {
    /// Appends at most [`CHUNK`] bytes, after waiting for them at most about [`PATIENCE`].
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Next, SourceError>;

    /// Whether nothing is lost while nobody reads, as of a pipe.
    fn waits(&self) -> bool {
        false
    }
}

/// What a device had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Bytes, the first frame of them of this time.
    Bytes(u64),
    /// Nothing yet.
    Nothing,
    /// Nothing, and so many frames are lost.
    Lost(u64),
    /// Nothing any more.
    End,
}

/// Makes windows of what a device gives.
pub(super) trait Cut: Send {
    fn push(&mut self, bytes: &[u8], time: u64);
    /// So many frames are missing; no window spans the place.
    fn gap(&mut self, frames: u64);
    /// Whether [`CHUNK`] bytes can come without a window going.
    fn has_room(&self) -> bool;
    fn take(&mut self, out: &mut [u8]) -> Option<Stamp>;
    /// What is to be said at the end, by the name of the source.
    fn end(&self, name: &str) -> Result<Option<String>, SourceError>;
}

/// The time by the clock of the machine.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// A device and the windows that are made of it. The thread begins at the first read and ends with this.
pub(super) struct Live {
    name: String,
    /// Until the thread begins.
    device: Option<Box<dyn Device>>,
    shared: Arc<Shared>,
    stamp: Stamp,
    /// Windows lost since the beginning, and how many of them a person knows of.
    lost: u64,
    told: u64,
}

struct Shared {
    state: Mutex<State>,
    /// Something came, or the end.
    came: Condvar,
    /// Something was taken, or nobody reads any more.
    taken: Condvar,
}

struct State {
    cut: Box<dyn Cut>,
    /// Why nothing more comes.
    done: Option<Result<(), SourceError>>,
    stop: bool,
    /// The note on the end was given.
    noted: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    pub(super) fn new(name: String, device: Box<dyn Device>, cut: Box<dyn Cut>) -> Self {
        let state = State {
            cut,
            done: None,
            stop: false,
            noted: false,
        };
        Self {
            name,
            device: Some(device),
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                came: Condvar::new(),
                taken: Condvar::new(),
            }),
            stamp: Stamp::default(),
            lost: 0,
            told: 0,
        }
    }
}

/// Reads until the end, a failure, or until nobody wants it.
fn run(shared: &Shared, device: &mut dyn Device) {
    let mut bytes = vec![];
    loop {
        bytes.clear();
        let next = device.next(&mut bytes);
        let mut state = shared.lock();
        while device.waits() && !state.stop && !state.cut.has_room() {
            state = shared
                .taken
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.stop {
            return;
        }
        match next {
            Ok(Next::Bytes(time)) => state.cut.push(&bytes, time),
            Ok(Next::Nothing) => continue,
            Ok(Next::Lost(frames)) => state.cut.gap(frames),
            Ok(Next::End) => state.done = Some(Ok(())),
            Err(error) => state.done = Some(Err(error)),
        }
        shared.came.notify_all();
        if state.done.is_some() {
            return;
        }
    }
}

impl Source for Live {
    fn read(&mut self, out: &mut [u8], deadline: Instant) -> Result<Read, SourceError> {
        if let Some(mut device) = self.device.take() {
            let shared = self.shared.clone();
            let thread = thread::Builder::new().spawn(move || run(&shared, &mut *device));
            thread.map_err(|e| SourceError::new(&self.name, e))?;
        }
        let mut state = self.shared.lock();
        loop {
            if let Some(stamp) = state.cut.take(out) {
                self.stamp = stamp;
                self.lost += stamp.lost;
                self.shared.taken.notify_all();
                return Ok(Read::Sample);
            }
            if let Some(done) = state.done.clone() {
                done?;
                let first = !std::mem::replace(&mut state.noted, true);
                let note = if first {
                    state.cut.end(&self.name)?
                } else {
                    None
                };
                return Ok(Read::End { note });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SourceError::late(&self.name));
            }
            let waited = self.shared.came.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// At the first loss and then whenever it has doubled.
    fn warning(&mut self) -> Option<String> {
        if self.lost == 0 || self.lost < 2 * self.told {
            return None;
        }
        self.told = self.lost;
        let (name, lost) = (&self.name, self.lost);
        Some(format!(
            "{name}: the rune is slower than the sensor, {lost} samples were lost so far"
        ))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.taken.notify_all();
    }
}

/// Windows of bytes as they come; they begin at multiples of the hop, whatever is lost.
pub(super) struct Bytes {
    window: usize,
    hop: usize,
    frame: usize,
    unit: &'static str,
    held: VecDeque<u8>,
    capacity: usize,
    /// Places since the beginning: of the oldest byte that is held, and of the next window.
    start: u64,
    next: u64,
    /// Places of the first bytes of chunks, with their time.
    times: VecDeque<(u64, u64)>,
    /// Windows that went, and whether any was taken.
    lost: u64,
    any: bool,
}

impl Bytes {
    /// Windows of the capability's type of frames of so many bytes, called so.
    pub(super) fn new(
        capability: &Capability,
        frame: usize,
        unit: &'static str,
    ) -> Result<Self, SourceError> {
        let window = capability.ty.bytes() as usize;
        if !window.is_multiple_of(frame) {
            return Err(unfit(capability, format_args!("is not whole {unit}s")));
        }
        let hop = match integer(capability, "hop").map(usize::try_from) {
            Some(Ok(frames @ 1..)) => frames.saturating_mul(frame),
            _ => window,
        };
        Ok(Self {
            window,
            hop,
            frame,
            unit,
            held: VecDeque::new(),
            capacity: window + (4 * hop.min(window)).max(BACKLOG),
            start: 0,
            next: 0,
            times: VecDeque::new(),
            lost: 0,
            any: false,
        })
    }

    fn end_place(&self) -> u64 {
        self.start + self.held.len() as u64
    }

    /// Forgets what lies before the next window.
    fn trim(&mut self) {
        let before = self.next.saturating_sub(self.start);
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        let before = before.min(self.held.len());
        self.held.drain(..before);
        self.start += before as u64;
        while self.times.get(1).is_some_and(|(at, _)| *at <= self.start) {
            self.times.pop_front();
        }
    }

    fn advance(&mut self) {
        self.next = self.next.saturating_add(self.hop as u64);
        self.trim();
    }
}

impl Cut for Bytes {
    fn push(&mut self, bytes: &[u8], time: u64) {
        self.times.push_back((self.end_place(), time));
        self.held.extend(bytes);
        self.trim();
        while self.held.len() > self.capacity {
            self.lost += 1;
            self.advance();
        }
    }

    fn gap(&mut self, frames: u64) {
        while self.held.len() >= self.window {
            self.lost += 1;
            self.advance();
        }
        self.lost += (frames * self.frame as u64).div_ceil(self.hop as u64);
        self.start = self.end_place();
        self.next = self.start;
        self.held.clear();
    }

    fn has_room(&self) -> bool {
        self.held.len() + CHUNK <= self.capacity
    }

    fn take(&mut self, out: &mut [u8]) -> Option<Stamp> {
        if self.start != self.next || self.held.len() < self.window {
            return None;
        }
        for (out, byte) in out.iter_mut().zip(&self.held) {
            *out = *byte;
        }
        let stamp = Stamp {
            time: self.times.front().map(|(_, time)| *time),
            lost: std::mem::take(&mut self.lost),
        };
        self.any = true;
        self.advance();
        Some(stamp)
    }

    fn end(&self, name: &str) -> Result<Option<String>, SourceError> {
        let (unit, frame) = (self.unit, self.frame as u64);
        let all = self.end_place() / frame;
        if !self.any {
            let wanted = self.window as u64 / frame;
            let what = format!("it gave {all} {unit}s and one call reads {wanted}");
            return Err(SourceError::new(name, what));
        }
        // With a hop beyond the window, what lies between two windows is skipped on purpose.
        let last = self.next - self.hop as u64 + self.window as u64;
        let from = if self.hop > self.window {
            self.next
        } else {
            last
        };
        let over = self.end_place().saturating_sub(from);
        Ok((over > 0).then(|| {
            format!(
                "{name}: the last {} of {all} {unit}s do not fill a window and were left out",
                over / frame
            )
        }))
    }
}

/// Windows of a stream that is adapted on the way.
struct Adapted {
    stream: Stream<Vec<f32>, Vec<u8>>,
    lost: u64,
}

impl Cut for Adapted {
    fn push(&mut self, bytes: &[u8], time: u64) {
        self.stream.push(bytes, Some(time));
    }

    fn gap(&mut self, frames: u64) {
        self.stream.restart(frames);
    }

    fn has_room(&self) -> bool {
        true
    }

    fn take(&mut self, out: &mut [u8]) -> Option<Stamp> {
        let window = self.stream.read(out).ok().flatten()?;
        // Windows that went at a gap have no number.
        let all = self.stream.counters().windows_lost;
        let lost = all - std::mem::replace(&mut self.lost, all);
        Some(Stamp {
            time: window.time,
            lost,
        })
    }

    fn end(&self, _: &str) -> Result<Option<String>, SourceError> {
        Ok(None)
    }
}

/// Windows by a plan.
pub(super) fn adapted(plan: StreamPlan) -> Box<dyn Cut> {
    Box::new(Adapted {
        stream: adapted::stream(plan.with_backlog(WINDOWS)),
        lost: 0,
    })
}

/// Windows of bytes as they come.
pub(super) fn bytes(
    capability: &Capability,
    frame: usize,
    unit: &'static str,
) -> Result<Box<dyn Cut>, OpenError> {
    Ok(Box::new(Bytes::new(capability, frame, unit)?))
}

/// Appends one frame.
pub(super) type Poll = Box<dyn FnMut(&mut Vec<u8>) -> Result<(), SourceError> + Send>;

/// A device that is asked for a frame at a rate.
pub(super) struct Polled {
    poll: Poll,
    period: Duration,
    due: Option<Instant>,
}

impl Polled {
    pub(super) fn new(rate: Rate, poll: Poll) -> Self {
        let seconds = f64::from(rate.denominator) / f64::from(rate.numerator);
        Self {
            poll,
            period: Duration::from_secs_f64(seconds),
            due: None,
        }
    }
}

impl Device for Polled {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Next, SourceError> {
        let now_is = Instant::now();
        let due = *self.due.get_or_insert(now_is);
        if let Some(early) = due.checked_duration_since(now_is).filter(|d| !d.is_zero()) {
            thread::sleep(early.min(PATIENCE));
            if early > PATIENCE {
                return Ok(Next::Nothing);
            }
        }
        let late = Instant::now().saturating_duration_since(due);
        if late > BEHIND.max(2 * self.period) {
            let missed = late.as_nanos() / self.period.as_nanos().max(1);
            self.due = None;
            return Ok(Next::Lost(u64::try_from(missed).unwrap_or(u64::MAX)));
        }
        let time = now();
        (self.poll)(bytes)?;
        self.due = Some(due + self.period);
        Ok(Next::Bytes(time))
    }
}

#[cfg(test)]
mod tests {
    use rune_abi::{CapabilityKind, Dim, ElementType, Param, TensorType, Value};

    use super::*;

    fn raw(window: u32, hop: i64) -> Capability {
        Capability {
            kind: CapabilityKind::Raw,
            name: "raw".to_owned(),
            ty: TensorType::new(ElementType::U8, &[Dim::Exact(window)]).unwrap(),
            params: vec![Param {
                name: "hop".to_owned(),
                value: Value::Integer(hop),
            }],
        }
    }

    #[test]
    fn windows_begin_at_multiples_of_the_hop_however_bytes_are_cut() {
        let all: Vec<u8> = (0..60).collect();
        for window in 1..6usize {
            for hop in 1..9usize {
                let starts = (0..=60 - window).step_by(hop);
                let want: Vec<&[u8]> = starts.map(|at| &all[at..at + window]).collect();
                for chunk in [1, 2, 7, 60] {
                    let mut cut = Bytes::new(&raw(window as u32, hop as i64), 1, "byte").unwrap();
                    let mut out = vec![0; window];
                    let mut found = vec![];
                    for (i, bytes) in all.chunks(chunk).enumerate() {
                        cut.push(bytes, i as u64);
                        while let Some(stamp) = cut.take(&mut out) {
                            assert_eq!(stamp.lost, 0);
                            let first = u64::from(out[0]) / chunk as u64;
                            assert_eq!(stamp.time, Some(first), "{window} {hop} {chunk}");
                            found.push(out.clone());
                        }
                    }
                    assert_eq!(found, want, "{window} {hop} {chunk}");
                    let over = 60 - want.len().saturating_sub(1) * hop - window;
                    let over = over.saturating_sub(hop.saturating_sub(window));
                    let note = cut.end("it").unwrap();
                    let said = format!("it: the last {over} of 60 bytes");
                    assert!(note.unwrap_or(said.clone()).starts_with(&said) || over == 0);
                }
            }
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_windows_stay_in_place() {
        let mut cut = Bytes::new(&raw(4, 4), 1, "byte").unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(1 << 17).collect();
        bytes.chunks(1000).for_each(|chunk| cut.push(chunk, 1));
        let (mut out, mut windows, mut lost) = ([0; 4], 0, 0);
        while let Some(stamp) = cut.take(&mut out) {
            lost += stamp.lost;
            let at = (windows + lost) * 4 % 256;
            assert_eq!(u64::from(out[0]), at);
            windows += 1;
        }
        assert!(lost > 0);
        assert_eq!(windows + lost, (1 << 17) / 4);
        cut.push(&[1, 2, 3, 4, 5], 2);
        cut.gap(8);
        assert_eq!(cut.take(&mut out), None);
        cut.push(&[9; 4], 3);
        let (time, lost) = (Some(3), 3);
        assert_eq!(cut.take(&mut out), Some(Stamp { time, lost }));
    }

    /// Gives bytes as fast as anybody takes them.
    struct Flood(u8);

    impl Device for Flood {
        fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Next, SourceError> {
            bytes.resize(CHUNK, self.0);
            self.0 = self.0.wrapping_add(1);
            Ok(Next::Bytes(now()))
        }
    }

    #[test]
    fn a_slow_rune_is_told_what_it_lost_now_and_then() {
        let cut = Bytes::new(&raw(4096, 4096), 1, "byte").unwrap();
        let mut live = Live::new("flood".to_owned(), Box::new(Flood(0)), Box::new(cut));
        let mut out = vec![0; 4096];
        let (mut lost, mut warnings) = (0, 0);
        for _ in 0..20 {
            let deadline = Instant::now() + Duration::from_secs(10);
            assert_eq!(live.read(&mut out, deadline), Ok(Read::Sample));
            assert!(live.stamp().time.is_some());
            lost += live.stamp().lost;
            if let Some(warning) = live.warning() {
                assert!(
                    warning.contains(&format!("{lost} samples were lost")),
                    "{warning}"
                );
                warnings += 1;
            }
            thread::sleep(Duration::from_millis(5));
        }
        assert!(lost > 20, "{lost}");
        assert!((1..=20).contains(&warnings), "{warnings}");
    }

    /// Never has anything.
    struct Silent;

    impl Device for Silent {
        fn next(&mut self, _: &mut Vec<u8>) -> Result<Next, SourceError> {
            thread::sleep(PATIENCE);
            Ok(Next::Nothing)
        }
    }

    #[test]
    fn a_sensor_that_never_answers_is_late_at_the_deadline() {
        let cut = Bytes::new(&raw(1, 1), 1, "byte").unwrap();
        let mut live = Live::new("silent".to_owned(), Box::new(Silent), Box::new(cut));
        let begin = Instant::now();
        let error = live
            .read(&mut [0], begin + Duration::from_millis(120))
            .unwrap_err();
        assert_eq!(error.kind, crate::SourceErrorKind::Late);
        let took = begin.elapsed();
        assert!(
            took >= Duration::from_millis(120) && took < Duration::from_secs(2),
            "{took:?}"
        );
    }
}
