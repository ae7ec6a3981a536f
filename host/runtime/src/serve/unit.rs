//! One served rune: a thread that calls it when it is due, starts it anew when it failed, and changes it for another
//! between two calls.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rune_core::{Backoff, Schedule};
use serde::{Deserialize, Serialize};

use super::{
    Host, ServeError,
    installs::{Fate, Slot},
    log::Log,
};
use crate::{
    Call, Health, Instance, Limits, Policy, Rune, engine,
    output::router::{Opened, Router, SendError},
};

/// How old the numbers are that others see, at most, while it is called.
const PUBLISHED: Duration = Duration::from_secs(1);
/// How long an interval of Saga is, from one heartbeat to the next.
const INTERVAL: Duration = Duration::from_secs(10);

/// What is started.
pub(super) struct Launch {
    pub(super) rune: Rune,
    pub(super) policy: Policy,
    /// Whether the store has it, and not a file of the folder.
    pub(super) is_installed: bool,
}

/// What a unit begins with.
pub(super) enum First {
    /// A file of the folder.
    File(Box<Launch>),
    /// A file that cannot be run, and why.
    Refused(ServeError),
    /// What the store has to start.
    Installed,
    /// Nothing. It is given something soon.
    Nothing,
}

/// What a rune is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is compiled and its sources are opened.
    Starting,
    /// It is called when it is due.
    Running,
    /// It failed and will be started anew.
    Waiting,
    /// It was stopped by hand.
    Stopped,
    /// Its sources have no more data.
    Ended,
    /// The runtime or its policy does not take it.
    Refused,
}

impl Phase {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Running,
        Self::Waiting,
        Self::Stopped,
        Self::Ended,
        Self::Refused,
    ];

    /// What metrics and `/status` call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
            Self::Refused => "refused",
        }
    }
}

/// How a rune is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its file without `.rune`, or the name it is installed by.
    pub name: String,
    /// What its manifest calls it.
    pub rune: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// What it is doing.
    pub phase: Phase,
    /// What went wrong last.
    pub error: Option<String>,
    /// Of an installed one what the store has: first what is tried, then what is confirmed, then what was before.
    #[serde(default)]
    pub installed: Vec<Slot>,
    /// What it did, as of a second ago at most.
    pub saga: Option<serde_json::Value>,
}

/// A served rune.
pub(super) struct Unit {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    name: String,
    state: Mutex<State>,
    /// Something in the state has changed that the thread waits for.
    changed: Condvar,
    log: Log,
    host: Arc<Host>,
}

struct State {
    phase: Phase,
    is_wanted: bool,
    /// Whether the store says what is started.
    is_installed: bool,
    order: Order,
    triggers: u32,
    replacement: Option<(Box<Launch>, Answer)>,
    error: Option<String>,
    /// Name, version and digest.
    identity: (String, String, String),
    /// The last record of Saga.
    record: Vec<u8>,
}

/// What a thread of a unit leaves behind, however it ends.
struct Last<'a>(&'a Shared);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.refuse("a fault of the runtime ended it".to_owned());
        }
        let mut state = self.0.state();
        state.order = Order::End;
        state.replacement = None;
    }
}

/// What a unit is told to do once its call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    GoOn,
    /// To start what the store has now: what runs was taken back.
    Refresh,
    End,
}

type Answer = mpsc::Sender<Result<(), String>>;

/// Whether a replacement was taken.
pub(super) struct Replaced(mpsc::Receiver<Result<(), String>>);

impl Replaced {
    pub(super) fn wait(self) -> Result<(), ServeError> {
        let answer = self.0.recv();
        answer
            .unwrap_or_else(|_| Err("the server is stopping".to_owned()))
            .map_err(ServeError::Refused)
    }
}

impl Unit {
    /// Starts the thread of a name.
    pub(super) fn start(name: &str, first: First, host: &Arc<Host>) -> Result<Self, ServeError> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            state: Mutex::new(State {
                phase: Phase::Starting,
                is_wanted: !matches!(first, First::Nothing),
                is_installed: matches!(first, First::Installed),
                order: Order::GoOn,
                triggers: 0,
                replacement: None,
                error: None,
                identity: Default::default(),
                record: vec![],
            }),
            changed: Condvar::new(),
            log: Log::default(),
            host: host.clone(),
        });
        let launch = match first {
            First::File(launch) => Some(*launch),
            First::Refused(error) => {
                shared.refuse(error.to_string());
                None
            }
            First::Installed | First::Nothing => None,
        };
        let of_thread = shared.clone();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _last = Last(&of_thread);
                Life::new(&of_thread, launch).live();
            })
            .map_err(|e: io::Error| ServeError::Refused(format!("no thread for it: {e}")))?;
        Ok(Self { shared, thread })
    }

    pub(super) fn log(&self) -> &Log {
        &self.shared.log
    }

    /// Whether its rune comes from the store.
    pub(super) fn is_installed(&self) -> bool {
        self.shared.state().is_installed
    }

    /// Says something of its rune.
    pub(super) fn say(&self, level: u32, text: &str) {
        self.shared.say(level, text);
    }

    /// What it is doing, and the last record of Saga, empty before the first.
    pub(super) fn record(&self) -> (Phase, Vec<u8>) {
        let state = self.shared.state();
        (state.phase, state.record.clone())
    }

    /// SHA-256 of its rune, in hexadecimal, and what went wrong last.
    pub(super) fn told(&self) -> (String, Option<String>) {
        let state = self.shared.state();
        (state.identity.2.clone(), state.error.clone())
    }

    pub(super) fn status(&self) -> Status {
        let state = self.shared.state();
        let (rune, version, digest) = state.identity.clone();
        let saga = rune_saga::Snapshot::decode(&state.record);
        Status {
            name: self.shared.name.clone(),
            rune,
            version,
            digest,
            phase: state.phase,
            error: state.error.clone(),
            installed: vec![],
            saga: saga.ok().map(|s| rune_exporters::json::snapshot(&s)),
        }
    }

    /// Whether it is to run.
    pub(super) fn want(&self, is_wanted: bool) {
        self.shared.change(|state| state.is_wanted = is_wanted);
    }

    /// Asks for one call, of a rune on the schedule `trigger`.
    pub(super) fn trigger(&self) {
        self.shared
            .change(|state| state.triggers = state.triggers.saturating_add(1));
    }

    /// Asks for another rune in its place.
    pub(super) fn replace(&self, launch: Launch) -> Replaced {
        let (answer, replaced) = mpsc::channel();
        self.shared.change(|state| {
            if state.order == Order::End {
                // Nobody takes it; whoever asked sees that the answer is gone.
                return;
            }
            let before = state.replacement.replace((Box::new(launch), answer));
            if let Some((_, answer)) = before {
                // Whoever asked may have gone.
                let _ = answer.send(Err("another one was given in its place".to_owned()));
            }
        });
        Replaced(replaced)
    }

    /// What it runs is taken back: what the store has is started in its place.
    pub(super) fn refresh(&self) {
        self.shared.change(|state| {
            if state.order == Order::GoOn {
                state.order = Order::Refresh;
            }
        });
    }

    pub(super) fn ask_to_end(&self) {
        self.shared.change(|state| state.order = Order::End);
    }

    pub(super) fn join(self) {
        self.ask_to_end();
        // A thread that panicked has said so.
        let _ = self.thread.join();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.state());
        self.changed.notify_all();
    }

    fn say(&self, level: u32, text: &str) {
        self.log.push(level, text);
        (self.host.say)(level, &self.name, text);
    }

    fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// It does not run, and why.
    fn refuse(&self, error: String) {
        self.say(1, &error);
        let mut state = self.state();
        state.phase = Phase::Refused;
        state.error = Some(error);
        state.is_wanted = false;
    }

    /// Waits until there is something to do, or an instant.
    fn wait(&self, until: Option<Instant>, is_due: impl Fn(&State) -> bool) -> Next {
        let mut state = self.state();
        loop {
            match state.order {
                Order::End => return Next::End,
                Order::Refresh => {
                    state.order = Order::GoOn;
                    return Next::Refresh;
                }
                Order::GoOn => {}
            }
            if let Some((launch, answer)) = state.replacement.take() {
                return Next::Replace(launch, answer);
            }
            if is_due(&state) {
                return Next::Due;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return Next::Due,
                Some(left) => {
                    self.changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

enum Next {
    Due,
    Replace(Box<Launch>, Answer),
    Refresh,
    End,
}

/// What a thread of a unit has.
struct Life<'a> {
    shared: &'a Arc<Shared>,
    host: &'a Host,
    launch: Option<Launch>,
    /// What the rune of a digest did in earlier starts.
    health: Option<([u8; 32], Health)>,
    backoff: Backoff,
    /// When it is started anew.
    again_at: Option<Instant>,
}

/// A rune that was started, with where its output goes.
struct Live {
    instance: Instance,
    router: Router,
    schedule: Schedule,
    /// Of its manifest, for the records of Saga.
    manifest: Vec<u8>,
    digest: [u8; 32],
    published: Option<Instant>,
    /// The last heartbeat.
    beat: Instant,
    started: Instant,
    /// Of an installed one until its first call, how long it has to run to be healthy.
    probation: Option<Duration>,
    /// When it will have run for so long, once a call was made and until it is said.
    healthy_at: Option<Instant>,
    has_ended: bool,
}

/// Why a rune was let go.
enum Left {
    Stopped,
    Ended,
    Failed(String),
    Refused(String),
    Stale,
    End,
}

impl From<Refusal> for Left {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Forever(why) => Self::Refused(why),
            Refusal::ForNow(why) => Self::Failed(why),
        }
    }
}

impl<'a> Life<'a> {
    fn new(shared: &'a Arc<Shared>, launch: Option<Launch>) -> Self {
        Self {
            shared,
            host: &shared.host,
            launch,
            health: None,
            backoff: Backoff::new(),
            again_at: None,
        }
    }

    /// Until the server stops.
    fn live(mut self) {
        loop {
            let is_waiting = self.again_at.is_some();
            let next = self
                .shared
                .wait(self.again_at, |s| s.is_wanted != is_waiting);
            let started = match next {
                Next::Due if self.shared.state().is_wanted => self.start(),
                Next::Due => {
                    self.again_at = None;
                    self.shared.enter(Phase::Stopped);
                    continue;
                }
                Next::Replace(launch, answer) => match self.exchange(*launch, &answer, None) {
                    Some(started) => started,
                    None => continue,
                },
                Next::Refresh => {
                    self.again_at = None;
                    let mut state = self.shared.state();
                    state.is_wanted |= state.phase != Phase::Stopped;
                    continue;
                }
                Next::End => return,
            };
            self.again_at = None;
            let begin = Instant::now();
            let left = started.map_or_else(Left::from, |live| self.run(live));
            match left {
                Left::Stopped => self.shared.enter(Phase::Stopped),
                Left::Ended => {
                    let mut state = self.shared.state();
                    state.phase = Phase::Ended;
                    state.is_wanted = false;
                }
                Left::Stale => {}
                Left::End => return,
                Left::Refused(why) => {
                    if !self.is_over(&why, true) {
                        self.shared.refuse(why);
                    }
                }
                Left::Failed(why) => {
                    if self.is_over(&why, false) {
                        continue;
                    }
                    let wait = self.backoff.failed(begin.elapsed());
                    let text = format!("{why}; it is started anew in {wait:?}");
                    self.shared.say(1, &text);
                    let mut state = self.shared.state();
                    state.phase = Phase::Waiting;
                    state.error = Some(why);
                    self.again_at = Some(Instant::now() + wait);
                }
            }
        }
    }

    /// Tells the store that an installed rune failed. Whether its trial is over by that; then all is said, and what
    /// was confirmed is started at once.
    fn is_over(&mut self, why: &str, is_final: bool) -> bool {
        let Some(launch) = self.launch.as_ref().filter(|l| l.is_installed) else {
            return false;
        };
        let fate = self
            .host
            .installs
            .failed(&self.shared.name, launch.rune.digest(), is_final);
        match fate {
            Ok(Fate::Again) => false,
            Ok(Fate::Over(next)) => {
                self.backoff = Backoff::new();
                let text = format!("{why}; its trial is over, {next}");
                if next.is_there() {
                    self.shared.say(1, &text);
                    self.shared.state().error = Some(text);
                } else {
                    self.shared.refuse(text);
                }
                true
            }
            Err(error) => {
                self.shared.say(1, &error.to_string());
                false
            }
        }
    }

    /// Tells the store that a rune is healthy.
    fn is_healthy(&self, live: &mut Live) {
        live.healthy_at = None;
        let Some(launch) = &self.launch else {
            return;
        };
        if !live.router.delivers() {
            self.shared
                .say(2, "it runs, but nothing of an output gets to its sink");
            live.healthy_at = Some(Instant::now() + launch.policy.healthy_after());
            return;
        }
        let confirm = launch.policy.confirms();
        let told = self
            .host
            .installs
            .healthy(&self.shared.name, &live.digest, confirm);
        match told {
            // It was confirmed before.
            Ok(None) => {}
            Ok(Some(true)) => self.shared.say(3, "it is healthy, and confirmed"),
            Ok(Some(false)) => self.shared.say(3, "it is healthy"),
            Err(error) => {
                self.shared.say(1, &error.to_string());
                live.healthy_at = Some(Instant::now() + launch.policy.healthy_after());
            }
        }
    }

    /// Another rune in the place of this one, which goes on until all is there that the new one needs, and for good
    /// where the new one is not taken: `None` then. A trial is recorded between the two.
    fn exchange(
        &mut self,
        launch: Launch,
        answer: &Answer,
        old: Option<&mut Live>,
    ) -> Option<Result<Live, Refusal>> {
        let running = old.as_deref().map(|old| &old.router);
        let accepted = accept(&launch, None, running, self.shared)
            .map_err(|(Refusal::Forever(why) | Refusal::ForNow(why))| why)
            .and_then(|accepted| match self.host.installs.begin(&launch) {
                Ok(()) => Ok(accepted),
                Err(error) => Err(error.to_string()),
            });
        // Whoever asked may have gone.
        let tell = |taken| drop(answer.send(taken));
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                if old.is_some() {
                    let text = format!("a replacement was refused: {why}");
                    self.shared.say(2, &text);
                }
                tell(Err(why));
                return None;
            }
        };
        let is_replaced = old.is_some();
        if let Some(old) = old {
            old.end(self.shared);
        }
        let started = Live::new(&launch, accepted, self.shared);
        // A file that was not started leaves its place to the one before. Of installed ones the store knows.
        if started.is_ok() || launch.is_installed {
            let mut state = self.shared.state();
            state.is_installed = launch.is_installed;
            (state.is_wanted, state.error) = (true, None);
            if started.is_ok() {
                state.phase = Phase::Running;
            }
            self.launch = Some(launch);
            self.backoff = Backoff::new();
        }
        match &started {
            Ok(_) => {
                if is_replaced {
                    self.shared.say(3, "it was replaced");
                }
                tell(Ok(()));
            }
            Err(Refusal::Forever(why) | Refusal::ForNow(why)) => tell(Err(why.clone())),
        }
        Some(started)
    }

    fn start(&mut self) -> Result<Live, Refusal> {
        self.shared.enter(Phase::Starting);
        if self.shared.state().is_installed {
            // Of what the store does not give, nothing that ran before is to blame.
            self.launch = None;
            let (launch, news) = self.host.installs.next(&self.shared.name)?;
            if let Some((level, text)) = news {
                self.shared.say(level, &text);
                if level < 3 {
                    self.shared.state().error = Some(text);
                }
            }
            self.launch = Some(launch);
        }
        let launch = self.launch.as_ref();
        let launch = launch.ok_or_else(|| Refusal::Forever("there is no rune".to_owned()))?;
        let before = self.health.as_ref();
        let before = before.filter(|(digest, _)| digest == launch.rune.digest());
        let health = before.map(|(_, health)| health.clone());
        let accepted = accept(launch, health, None, self.shared)?;
        Live::new(launch, accepted, self.shared)
    }

    /// Calls a rune until it is let go.
    fn run(&mut self, mut live: Live) -> Left {
        self.shared.enter(Phase::Running);
        live.publish(self.shared);
        let mut due = Instant::now();
        let left = loop {
            let schedule = live.schedule;
            let on_trigger = schedule == Schedule::Trigger;
            let called_at = (!on_trigger).then_some(due);
            let until = called_at.into_iter().chain(live.healthy_at).min();
            let next = self
                .shared
                .wait(until, |s| !s.is_wanted || (on_trigger && s.triggers > 0));
            match next {
                Next::End => break Left::End,
                Next::Refresh => break Left::Stale,
                Next::Replace(launch, answer) => {
                    match self.exchange(*launch, &answer, Some(&mut live)) {
                        None => {}
                        Some(Ok(new)) => {
                            live = new;
                            live.publish(self.shared);
                            due = Instant::now();
                        }
                        Some(Err(refusal)) => break refusal.into(),
                    }
                    continue;
                }
                Next::Due => {}
            }
            let now = Instant::now();
            if live.healthy_at.is_some_and(|at| at <= now) {
                self.is_healthy(&mut live);
            }
            {
                let mut state = self.shared.state();
                if !state.is_wanted {
                    break Left::Stopped;
                }
                let is_due = if on_trigger {
                    state.triggers > 0
                } else {
                    due <= now
                };
                if !is_due {
                    continue;
                }
                if on_trigger {
                    state.triggers -= 1;
                }
            }
            let begin = Instant::now();
            match live.turn() {
                Ok(Some(interval)) => {
                    let missed;
                    (due, missed) = due_after(schedule, due, begin + interval);
                    if missed > 0 {
                        live.instance.health_mut().overran(missed);
                    }
                }
                Ok(None) => {
                    // All calls that there were went well.
                    if live.healthy_at.is_some() {
                        self.is_healthy(&mut live);
                    }
                    break Left::Ended;
                }
                Err(why) => break Left::Failed(why),
            }
            if live.published.is_none_or(|at| at.elapsed() >= PUBLISHED) {
                live.publish(self.shared);
            }
        };
        live.publish(self.shared);
        live.end(self.shared);
        self.health = Some((live.digest, live.instance.into_health()));
        left
    }
}

/// When the next call is due that follows one due at `due`, not before `earliest`, and how many were missed until now.
fn due_after(schedule: Schedule, due: Instant, earliest: Instant) -> (Instant, u64) {
    match schedule.step(Instant::now().saturating_duration_since(due)) {
        Some((step, missed)) => ((due + step).max(earliest), missed),
        None => (earliest, 0),
    }
}

/// Why a rune does not start.
pub(super) enum Refusal {
    /// It would not the next time either.
    Forever(String),
    ForNow(String),
}

/// All that a rune needs to run. Nothing of it has run.
struct Accepted {
    instance: Instance,
    sinks: Opened,
}

/// Grants a rune what its policy says, makes an instance, and opens its sinks. What runs beside it is not touched.
fn accept(
    launch: &Launch,
    health: Option<Health>,
    running: Option<&Router>,
    shared: &Arc<Shared>,
) -> Result<Accepted, Refusal> {
    let Launch { rune, policy, .. } = launch;
    let grants = rune
        .grant_by(policy, &[], &Limits::default())
        .map_err(|error| match error {
            // A device may come back.
            crate::GrantError::Source(_) => Refusal::ForNow(error.to_string()),
            crate::GrantError::Flags(_) | crate::GrantError::Refused(_) => {
                Refusal::Forever(error.to_string())
            }
        })?;
    let way = grants.way();
    let own = shared.clone();
    let listener = Box::new(move |level, text: &str| own.say(level, text));
    let health = health.unwrap_or_else(|| crate::health(rune.manifest()));
    let runtime = &shared.host.runtime;
    let instance = runtime
        .resume(rune, grants, listener, health)
        .map_err(|e| Refusal::Forever(e.to_string()))?;
    let sinks = Opened::beside(running, rune.manifest(), &way.sinks, way.rates)
        .map_err(|e| Refusal::ForNow(e.to_string()))?;
    Ok(Accepted { instance, sinks })
}

impl Live {
    fn new(launch: &Launch, accepted: Accepted, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let Accepted { instance, sinks } = accepted;
        let Launch { rune, policy, .. } = launch;
        let own = shared.clone();
        let report = Arc::new(move |level, text: &str| own.say(level, text));
        let router = sinks
            .start(report)
            .map_err(|e| Refusal::ForNow(e.to_string()))?;
        let manifest = rune.manifest();
        let mut state = shared.state();
        if state.identity.2 != rune.digest_hex() {
            // What another one did says nothing of this one.
            state.record.clear();
        }
        state.identity = (
            manifest.name.clone(),
            manifest.version.to_string(),
            rune.digest_hex(),
        );
        drop(state);
        Ok(Self {
            instance,
            router,
            schedule: policy.schedule(),
            manifest: rune.manifest_bytes(),
            digest: *rune.digest(),
            published: None,
            beat: Instant::now(),
            started: Instant::now(),
            probation: launch.is_installed.then(|| policy.healthy_after()),
            healthy_at: None,
            has_ended: false,
        })
    }

    /// Closes its sinks, and says what they lost.
    fn end(&mut self, shared: &Shared) {
        if !std::mem::replace(&mut self.has_ended, true) {
            for loss in self.router.finish() {
                shared.say(2, &loss.to_string());
            }
        }
    }

    /// One call: how long it is to the next one at least; `None` where the sources have ended.
    fn turn(&mut self) -> Result<Option<Duration>, String> {
        let records = match self.instance.call().map_err(|e| e.to_string())? {
            Call::Output(records) => records,
            Call::NoOutput => &[],
            Call::End => return Ok(None),
        };
        match self.router.send(records) {
            Ok(interval) => {
                if let Some(after) = self.probation.take() {
                    self.healthy_at = Some(self.started + after);
                }
                Ok(Some(interval))
            }
            Err(error @ (SendError::Closed | SendError::Failed(_))) => Err(error.to_string()),
        }
    }

    /// Shows others what it did.
    fn publish(&mut self, shared: &Shared) {
        self.published = Some(Instant::now());
        for (index, lost) in self.router.take_lost() {
            self.instance.health_mut().dropped(index, lost);
        }
        let record = engine::record(self.instance.health(), &self.manifest, self.digest);
        shared.state().record = record;
        if self.beat.elapsed() >= INTERVAL {
            self.beat = Instant::now();
            self.instance.health_mut().begin_interval(crate::now());
        }
    }
}
