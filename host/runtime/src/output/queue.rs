//! A queue with bounds before a sink that may be slow, and the thread that empties it.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    count::{Fate, Meters},
    router::Report,
    sink::{Delivery, Line, Then, WhenFull, Writer},
};

/// The first pause before another try, and the longest; each is twice the one before.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often a sink without lines is looked after.
const IDLE: Duration = Duration::from_secs(5);
/// Most bytes that are taken out of the queue at once, unless one line is longer.
const BATCH: usize = 256 << 10;
/// The time that a sink has to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// The end of a queue where lines go in.
pub(super) struct Queue {
    shared: Arc<Shared>,
    delivery: Delivery,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    meters: Meters,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Line>>,
    /// Of the lines that wait.
    bytes: usize,
    /// What the thread is writing.
    sending: VecDeque<Arc<Line>>,
    /// No more lines come.
    closing: bool,
    /// Nothing is written any more: the thread has ended, or is to.
    gone: bool,
    /// Why a line was not written the last time that one was not.
    why: Option<String>,
}

impl State {
    fn pop_waiting(&mut self) -> Option<Arc<Line>> {
        let line = self.waiting.pop_front()?;
        self.bytes -= line.text.len();
        Some(line)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the counts as they are, and they are still right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Instant,
    ) -> MutexGuard<'a, State> {
        let left = until.saturating_duration_since(Instant::now());
        self.changed
            .wait_timeout(state, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// Counts all that is left as failed, and tells the thread to end.
    fn abandon(&self, mut state: MutexGuard<'_, State>) {
        while let Some(line) = state.sending.pop_front().or_else(|| state.pop_waiting()) {
            self.meters.count(&line, Fate::Failed);
        }
        state.gone = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Counts lines from the first of those that are being written; none if all were given up meanwhile.
    fn settle(&self, count: usize, fate: Fate) {
        let mut state = self.lock();
        for _ in 0..count {
            if let Some(line) = state.sending.pop_front() {
                self.meters.count(&line, fate);
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl Queue {
    /// Starts the thread.
    pub(super) fn start(
        writer: Box<dyn Writer>,
        delivery: &Delivery,
        meters: Meters,
        name: String,
        report: Report,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            meters,
        });
        let sender = Sender {
            shared: shared.clone(),
            writer,
            delivery: delivery.clone(),
            name,
            report,
        };
        thread::Builder::new()
            .name("rune-sink".to_owned())
            .spawn(move || sender.run())?;
        Ok(Self {
            shared,
            delivery: delivery.clone(),
        })
    }

    /// Takes a line, or waits, or drops one: as the policy says.
    pub(super) fn push(&self, line: Arc<Line>) {
        let mut state = self.shared.lock();
        let size = line.text.len();
        loop {
            if state.gone || state.closing {
                self.shared.meters.count(&line, Fate::Failed);
                return;
            }
            let fits = state.waiting.is_empty()
                || (state.waiting.len() < self.delivery.queue_records
                    && state.bytes.saturating_add(size) <= self.delivery.queue_bytes);
            if fits {
                break;
            }
            match self.delivery.when_full {
                WhenFull::Wait => state = self.shared.wait(state),
                WhenFull::DropNewest => {
                    self.shared.meters.count(&line, Fate::Dropped);
                    return;
                }
                WhenFull::DropOldest => {
                    if let Some(oldest) = state.pop_waiting() {
                        self.shared.meters.count(&oldest, Fate::Dropped);
                    }
                }
            }
        }
        state.bytes += size;
        state.waiting.push_back(line);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Says that no more lines come.
    pub(super) fn close(&self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
    }

    /// Waits until all lines are written, at most as long as the policy says after `since`; gives up what is
    /// left then, and says why the last line failed that did.
    pub(super) fn finish(&self, since: Instant) -> Option<String> {
        let until = since + self.delivery.drain;
        let mut state = self.shared.lock();
        while !state.gone && Instant::now() < until {
            state = self.shared.wait_until(state, until);
        }
        let left = state.waiting.len() + state.sending.len();
        let why = state.why.clone();
        let why = if left > 0 {
            let late = format!("{left} waited still after {:?}", self.delivery.drain);
            Some(why.map_or(late.clone(), |why| format!("{late}: {why}")))
        } else {
            why
        };
        self.shared.abandon(state);
        why
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.abandon(self.shared.lock());
    }
}

/// The end of a queue where lines come out, on a thread of its own.
struct Sender {
    shared: Arc<Shared>,
    writer: Box<dyn Writer>,
    delivery: Delivery,
    name: String,
    report: Report,
}

impl Drop for Sender {
    /// Whatever ended the thread: nobody waits for it, and what is left is counted.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if thread::panicking() {
            state.why = Some("its thread has stopped".to_owned());
        }
        self.shared.abandon(state);
    }
}

impl Sender {
    fn run(mut self) {
        // Tries of the first line, and the pause after the next failure.
        let (mut tries, mut pause) = (0, PAUSE.0);
        let mut is_down = false;
        while let Some(lines) = self.next(tries > 0) {
            let until = Instant::now() + self.delivery.timeout;
            let Err(stopped) = self.writer.write(&lines, until) else {
                self.shared.settle(lines.len(), Fate::Written);
                if is_down {
                    (self.report)(3, &format!("{}: works again", self.name));
                }
                (tries, pause, is_down) = (0, PAUSE.0, false);
                continue;
            };
            if stopped.done > 0 {
                self.shared.settle(stopped.done, Fate::Written);
                (tries, pause) = (0, PAUSE.0);
            }
            if !is_down {
                (self.report)(2, &format!("{}: {}", self.name, stopped.what));
                is_down = true;
            }
            self.shared.lock().why = Some(stopped.what);
            if stopped.then == Then::Again && tries < self.delivery.retries {
                tries += 1;
                if let Some(line) = lines.get(stopped.done) {
                    self.shared.meters.count(line, Fate::Retried);
                }
            } else {
                self.shared.settle(1, Fate::Failed);
                tries = 0;
            }
            if stopped.then == Then::Again {
                self.sleep(pause);
                pause = (pause * 2).min(PAUSE.1);
            }
        }
        self.writer.close(Instant::now() + GOODBYE);
    }

    /// The next lines to write, the same ones again if they are not settled; `None` at the end.
    fn next(&mut self, only_first: bool) -> Option<Vec<Arc<Line>>> {
        let mut looked = Instant::now();
        let mut state = self.shared.lock();
        while state.sending.is_empty() && state.waiting.is_empty() {
            if state.closing || state.gone {
                return None;
            }
            state = self.shared.wait_until(state, looked + IDLE);
            if looked.elapsed() >= IDLE {
                drop(state);
                self.writer.idle();
                looked = Instant::now();
                state = self.shared.lock();
            }
        }
        if state.sending.is_empty() {
            let mut bytes = 0;
            while state.sending.len() < self.writer.batch()
                && let Some(line) = state.waiting.front()
                && (bytes == 0 || bytes + line.text.len() <= BATCH)
            {
                bytes += line.text.len();
                let line = state.pop_waiting()?;
                state.sending.push_back(line);
            }
            self.shared.changed.notify_all();
        }
        let count = if only_first { 1 } else { state.sending.len() };
        Some(state.sending.iter().take(count).cloned().collect())
    }

    fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.shared.lock();
        while !state.gone && Instant::now() < until {
            state = self.shared.wait_until(state, until);
        }
    }
}
