//! Runs of blocks off the path of typing: started when an open document waits for them, stopped when none does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crossbeam_channel::Sender;

use crate::memo::{Memo, Run};

/// Runs at the same time: one that is endless does not hold up the others.
const THREADS: usize = 2;

/// The threads that run blocks. They end when it goes.
pub(crate) struct Worker {
    shared: Arc<Shared>,
}

struct Shared {
    memo: Memo,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    wanted: Vec<Run>,
    running: Vec<(Run, Arc<AtomicBool>)>,
    /// Those that panicked, which are not begun again.
    broken: Vec<Run>,
    closed: bool,
}

impl Worker {
    /// Threads that put what they learn into `memo` and say so through `done`.
    pub(crate) fn new(memo: &Memo, done: &Sender<()>) -> Self {
        let shared = Arc::new(Shared {
            memo: memo.clone(),
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        for _ in 0..THREADS {
            let (shared, done) = (shared.clone(), done.clone());
            thread::spawn(move || shared.work(&done));
        }
        Self { shared }
    }

    /// These runs are waited for, and no others.
    pub(crate) fn want(&self, runs: Vec<Run>) {
        let mut queue = self.shared.queue();
        for (run, stop) in &queue.running {
            if !runs.contains(run) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        queue.wanted = runs;
        self.shared.changed.notify_all();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.want(Vec::new());
        self.shared.queue().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, done: &Sender<()>) {
        while let Some((run, stop)) = self.next() {
            // What a block makes panic is a fault of ours, and its document goes without.
            let ended = catch_unwind(AssertUnwindSafe(|| self.memo.run(&run, &stop)));
            let mut queue = self.queue();
            if ended.is_err() {
                queue.broken.push(run.clone());
            }
            queue
                .running
                .retain(|(_, other)| !Arc::ptr_eq(other, &stop));
            if stop.load(Ordering::Relaxed) {
                // Somebody may want it again.
                self.changed.notify_all();
                continue;
            }
            queue.wanted.retain(|wanted| *wanted != run);
            drop(queue);
            if done.send(()).is_err() {
                return;
            }
        }
    }

    /// The next run that nobody is at; `None`: there will be none.
    fn next(&self) -> Option<(Run, Arc<AtomicBool>)> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            let is_free = |run: &&Run| {
                let is_running = queue.running.iter().any(|(other, _)| other == *run);
                !is_running && !queue.broken.contains(*run)
            };
            if let Some(run) = queue.wanted.iter().find(is_free).cloned() {
                let stop = Arc::new(AtomicBool::new(false));
                queue.running.push((run.clone(), stop.clone()));
                return Some((run, stop));
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
