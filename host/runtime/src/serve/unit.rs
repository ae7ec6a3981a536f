//! One served rune: a thread that calls it when it is due, starts it anew when it failed, and changes it for another
//! between two calls.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{Say, ServeError, log::Log};
use crate::{
    Call, Health, Instance, Limits, Policy, Rune, Runtime, engine,
    output::router::{Router, SendError},
    policy::Schedule,
};

/// How long after a failure a rune is started anew: the first time, and at most, twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// A rune that ran for so long has recovered.
const RECOVERED: Duration = Duration::from_mins(1);
/// How old the numbers are that others see, at most, while it is called.
const PUBLISHED: Duration = Duration::from_secs(1);
/// How long an interval of Saga is, from one heartbeat to the next.
const INTERVAL: Duration = Duration::from_secs(10);

/// What is started.
pub(super) struct Launch {
    pub(super) rune: Rune,
    pub(super) policy: Policy,
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
    /// Its file without `.rune`.
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
    say: Say,
}

struct State {
    phase: Phase,
    is_wanted: bool,
    is_ending: bool,
    triggers: u32,
    replacement: Option<(Box<Launch>, Answer)>,
    error: Option<String>,
    /// Name, version and digest.
    identity: (String, String, String),
    /// The last record of Saga.
    record: Vec<u8>,
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
    /// Starts the thread of a rune, or of a name under which there is none that can run.
    pub(super) fn start(
        name: &str,
        launch: Result<Launch, ServeError>,
        runtime: &Runtime,
        say: Say,
    ) -> Result<Self, ServeError> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            state: Mutex::new(State {
                phase: Phase::Refused,
                is_wanted: true,
                is_ending: false,
                triggers: 0,
                replacement: None,
                error: None,
                identity: Default::default(),
                record: vec![],
            }),
            changed: Condvar::new(),
            log: Log::default(),
            say,
        });
        let launch = launch
            .inspect_err(|error| shared.refuse(error.to_string()))
            .ok();
        let (of_thread, runtime) = (shared.clone(), runtime.clone());
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || Life::new(&of_thread, &runtime, launch).live())
            .map_err(|e: io::Error| ServeError::Refused(format!("no thread for it: {e}")))?;
        Ok(Self { shared, thread })
    }

    pub(super) fn log(&self) -> &Log {
        &self.shared.log
    }

    /// What it is doing, and the last record of Saga, empty before the first.
    pub(super) fn record(&self) -> (Phase, Vec<u8>) {
        let state = self.shared.state();
        (state.phase, state.record.clone())
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
            let before = state.replacement.replace((Box::new(launch), answer));
            if let Some((_, answer)) = before {
                // Whoever asked may have gone.
                let _ = answer.send(Err("another one was given in its place".to_owned()));
            }
        });
        Replaced(replaced)
    }

    pub(super) fn ask_to_end(&self) {
        self.shared.change(|state| state.is_ending = true);
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
        (self.say)(level, &self.name, text);
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
            if state.is_ending {
                return Next::End;
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
    End,
}

/// What a thread of a unit has.
struct Life<'a> {
    shared: &'a Arc<Shared>,
    runtime: &'a Runtime,
    launch: Option<Launch>,
    /// Of the rune of this launch, from earlier starts.
    health: Option<Health>,
    wait: Duration,
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
}

/// Why a rune was let go.
enum Left {
    Stopped,
    Ended,
    Failed(String),
    End,
}

impl<'a> Life<'a> {
    fn new(shared: &'a Arc<Shared>, runtime: &'a Runtime, launch: Option<Launch>) -> Self {
        Self {
            shared,
            runtime,
            launch,
            health: None,
            wait: FIRST_WAIT,
        }
    }

    /// Until the server stops.
    fn live(mut self) {
        loop {
            // A unit whose rune was refused has nothing to start before it gets another.
            let has_rune = self.launch.is_some();
            match self.shared.wait(None, |s| s.is_wanted && has_rune) {
                Next::Due => {}
                Next::Replace(launch, answer) => {
                    self.swap(*launch, &answer);
                    continue;
                }
                Next::End => return,
            }
            self.shared.enter(Phase::Starting);
            let started = Instant::now();
            let left = match self.start() {
                Ok(live) => self.run(live),
                Err(Refusal::Forever(why)) => {
                    self.shared.refuse(why);
                    continue;
                }
                Err(Refusal::ForNow(why)) => Left::Failed(why),
            };
            match left {
                Left::Stopped => self.shared.enter(Phase::Stopped),
                Left::Ended => {
                    let mut state = self.shared.state();
                    state.phase = Phase::Ended;
                    state.is_wanted = false;
                }
                Left::End => return,
                Left::Failed(why) => {
                    if started.elapsed() >= RECOVERED {
                        self.wait = FIRST_WAIT;
                    }
                    let text = format!("{why}; it is started anew in {:?}", self.wait);
                    self.shared.say(1, &text);
                    let mut state = self.shared.state();
                    state.phase = Phase::Waiting;
                    state.error = Some(why);
                    drop(state);
                    let until = Instant::now() + self.wait;
                    self.wait = (self.wait * 2).min(LONGEST_WAIT);
                    match self.shared.wait(Some(until), |s| !s.is_wanted) {
                        Next::Due => {}
                        Next::Replace(launch, answer) => {
                            self.swap(*launch, &answer);
                        }
                        Next::End => return,
                    }
                    if !self.shared.state().is_wanted {
                        self.shared.enter(Phase::Stopped);
                    }
                }
            }
        }
    }

    /// Another rune is in the place of this one; what this one did is not what that one did.
    fn take(&mut self, launch: Launch) {
        self.launch = Some(launch);
        self.health = None;
        self.wait = FIRST_WAIT;
        self.shared.state().error = None;
    }

    /// The same for a rune that does not run, which then runs: if its policy allows it, else all stays as it was.
    fn swap(&mut self, launch: Launch, answer: &Answer) {
        let granted = launch
            .rune
            .grant_by(&launch.policy, &[], &Limits::default());
        let taken = granted.map(drop).map_err(|error| error.to_string());
        if taken.is_ok() {
            self.take(launch);
            self.shared.state().is_wanted = true;
        }
        // Whoever asked may have gone.
        let _ = answer.send(taken);
    }

    fn start(&self) -> Result<Live, Refusal> {
        let launch = self.launch.as_ref();
        let launch = launch.ok_or_else(|| Refusal::Forever("there is no rune".to_owned()))?;
        let (instance, sinks) = accept(launch, self.health.clone(), self.shared, self.runtime)?;
        Live::new(launch, instance, &sinks, self.shared)
    }

    /// Calls a rune until it is let go.
    fn run(&mut self, mut live: Live) -> Left {
        self.shared.enter(Phase::Running);
        live.publish(self.shared);
        let mut due = Instant::now();
        let left = loop {
            let schedule = live.schedule;
            let on_trigger = schedule == Schedule::Trigger;
            let until = (!on_trigger).then_some(due);
            let next = self
                .shared
                .wait(until, |s| !s.is_wanted || (on_trigger && s.triggers > 0));
            match next {
                Next::End => break Left::End,
                Next::Replace(launch, answer) => {
                    // The old one goes on where the new one is not taken.
                    match accept(&launch, None, self.shared, self.runtime) {
                        Ok((instance, sinks)) => {
                            live.router.finish();
                            match Live::new(&launch, instance, &sinks, self.shared) {
                                Ok(new) => {
                                    self.take(*launch);
                                    self.shared.say(3, "it was replaced");
                                    let _ = answer.send(Ok(()));
                                    live = new;
                                    live.publish(self.shared);
                                    due = Instant::now();
                                    continue;
                                }
                                Err(Refusal::Forever(why) | Refusal::ForNow(why)) => {
                                    let _ = answer.send(Err(why));
                                    // Its sinks were closed for the other's.
                                    break Left::Failed("it was to be replaced in vain".to_owned());
                                }
                            }
                        }
                        Err(Refusal::Forever(why) | Refusal::ForNow(why)) => {
                            self.shared
                                .say(2, &format!("a replacement was refused: {why}"));
                            let _ = answer.send(Err(why));
                            continue;
                        }
                    }
                }
                Next::Due => {}
            }
            {
                let mut state = self.shared.state();
                if !state.is_wanted {
                    break Left::Stopped;
                }
                if on_trigger {
                    state.triggers = state.triggers.saturating_sub(1);
                }
            }
            let begin = Instant::now();
            match live.turn() {
                Ok(Some(interval)) => {
                    let missed;
                    (due, missed) = schedule.next(due, begin + interval, Instant::now());
                    if missed > 0 {
                        live.instance.health_mut().overran(missed);
                    }
                }
                Ok(None) => break Left::Ended,
                Err(why) => break Left::Failed(why),
            }
            if live.published.is_none_or(|at| at.elapsed() >= PUBLISHED) {
                live.publish(self.shared);
            }
        };
        live.publish(self.shared);
        for loss in live.router.finish() {
            self.shared.say(2, &loss.to_string());
        }
        self.health = Some(live.instance.into_health());
        left
    }
}

/// Why a rune does not start.
enum Refusal {
    /// It would not the next time either.
    Forever(String),
    ForNow(String),
}

/// Grants a rune what its policy says, and makes an instance. Nothing that runs beside it is touched.
fn accept(
    launch: &Launch,
    health: Option<Health>,
    shared: &Arc<Shared>,
    runtime: &Runtime,
) -> Result<(Instance, crate::grant::Way), Refusal> {
    let Launch { rune, policy } = launch;
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
    let instance = runtime
        .resume(rune, grants, listener, health)
        .map_err(|e| Refusal::Forever(e.to_string()))?;
    Ok((instance, way))
}

impl Live {
    fn new(
        launch: &Launch,
        instance: Instance,
        way: &crate::grant::Way,
        shared: &Arc<Shared>,
    ) -> Result<Self, Refusal> {
        let manifest = launch.rune.manifest();
        let own = shared.clone();
        let report = Arc::new(move |level, text: &str| own.say(level, text));
        let router = Router::open(manifest, &way.sinks, way.rates, report)
            .map_err(|e| Refusal::ForNow(e.to_string()))?;
        let digest = *launch.rune.digest();
        shared.state().identity = (
            manifest.name.clone(),
            manifest.version.to_string(),
            launch.rune.digest_hex(),
        );
        Ok(Self {
            instance,
            router,
            schedule: launch.policy.schedule(),
            manifest: launch.rune.manifest_bytes(),
            digest,
            published: None,
            beat: Instant::now(),
        })
    }

    /// One call: how long it is to the next one at least; `None` where the sources have ended.
    fn turn(&mut self) -> Result<Option<Duration>, String> {
        let records = match self.instance.call().map_err(|e| e.to_string())? {
            Call::Output(records) => records,
            Call::NoOutput => &[],
            Call::End => return Ok(None),
        };
        match self.router.send(records) {
            Ok(interval) => Ok(Some(interval)),
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
