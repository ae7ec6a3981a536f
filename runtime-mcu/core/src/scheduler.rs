//! Several runes on one processor: each is called when it is due, one that failed is started anew after a while, and
//! the others go on.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{fmt, time::Duration};

use rune_abi::{CapabilityView, Import, ManifestView};
use rune_saga::{Recorder, Subject, TooSmall};

use crate::{
    Backoff, Checked, Clock, Engine, Grant, Instance, Limits, LoadError, Policy, Refusal, Schedule,
    Source, SourceError, StartError, Table, Written,
    board::grant,
    call::{CallError, Calls, Ended, Saga},
    check::check,
    record::Records,
    text::Text,
};

/// What a scheduler asks of a board.
pub trait Board {
    /// Its clock.
    type Clock: Clock;

    /// Its clock.
    fn clock(&self) -> Self::Clock;

    /// What it has.
    fn table(&self) -> &'static Table;

    /// Told before each start of a rune, the first and those after a failure, with its place among the runes and the
    /// SHA-256 of its bytes; the sensors that are opened next are for it. False where it must not be started now.
    fn starts(&mut self, _place: usize, _rune: &ManifestView<'static>, _digest: &[u8; 32]) -> bool {
        true
    }

    /// Opens the sensor in a row of the table for a capability, the one at `index` of its manifest.
    ///
    /// # Errors
    /// Where the sensor does not work; the rune is started anew later.
    fn open(
        &mut self,
        row: usize,
        index: usize,
        capability: &CapabilityView<'static>,
    ) -> Result<Box<dyn Source>, SourceError>;

    /// Takes what one call wrote; false where it was lost.
    fn write(&mut self, written: &Written<'_>) -> bool;

    /// Takes a line that a rune logged, or that is said of it; level 1 (error) to 5 (trace).
    fn say(&mut self, level: u32, rune: &str, line: &str);

    /// Lets every link go on, such as the one through which runes are installed; whether every one did.
    fn poll_links(&mut self) -> bool;

    /// Feeds the watchdog. Only a scheduler can ask for it, see [`Progress`].
    fn feed_watchdog(&mut self, progress: Progress);
}

/// Every rune that was due was called, and every link has gone on. Only a turn of a [`Scheduler`] makes one.
///
/// ```compile_fail
/// let progress = rune_core::Progress(());
/// ```
#[derive(Debug)]
pub struct Progress(());

/// What a rune is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is called when it is due.
    Running,
    /// It failed and will be started anew.
    Waiting,
    /// It was stopped by hand.
    Stopped,
    /// Its sources have no more data.
    Ended,
}

/// A rune of a [`Scheduler`]: its place, and which of those that have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    place: usize,
    serial: u32,
}

impl Id {
    /// Its place among the runes of its scheduler, from 0.
    pub fn place(self) -> usize {
        self.place
    }
}

/// Why a rune was not taken.
#[derive(Debug)]
pub enum AddError {
    /// It is no rune.
    Load(LoadError<'static>),
    /// It needs what it does not get.
    Refused(Refusal<'static>),
    /// All places are taken.
    Full(usize),
    /// The board does not let it start, see [`Board::starts`].
    Denied,
    /// It does not start.
    Start(StartError),
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Full(places) => write!(f, "all {places} places for runes are taken"),
            Self::Denied => f.write_str("it must not be started now"),
            Self::Start(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AddError {}

/// What went wrong last with a rune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// A call.
    Call(CallError),
    /// Starting it anew.
    Start(StartError),
    /// Opening the sensor of the capability of this name.
    Open(&'static str, SourceError),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Open(name, error) => write!(f, "`{name}`: {error}"),
        }
    }
}

/// A rune that was taken.
pub struct Unit<E: Engine, C: Clock> {
    serial: u32,
    rune: Checked<'static>,
    digest: [u8; 32],
    policy: Policy,
    grant: Grant,
    state: State<E, C>,
    phase: Phase,
    backoff: Backoff,
    /// When it is called next, or started anew.
    due_ns: u64,
    started_ns: u64,
    triggers: u32,
    error: Option<Failed>,
}

/// What there is of a rune in memory.
enum State<E: Engine, C: Clock> {
    /// What outlives a start is boxed, as it is too large to be moved on the stack of a device.
    Live(E::Instance<Box<Calls<C>>>),
    /// Only what outlives a start.
    Resting(Box<Calls<C>>),
    /// For the moment in which one becomes the other.
    Between,
}

impl<E: Engine, C: Clock> Unit<E, C> {
    /// One that is to be started. Its parts are on the stack only while this puts them together.
    #[inline(never)]
    fn new(
        serial: u32,
        rune: Checked<'static>,
        digest: [u8; 32],
        policy: Policy,
        grant: Grant,
        clock: C,
    ) -> Box<Self> {
        let manifest = *rune.manifest();
        let marked = rune.imports().contains(Import::Mark);
        let stages = if marked { manifest.stages.len() } else { 0 };
        let now_ns = clock.now_ns();
        let mut saga = Recorder::new(
            vec![rune_saga::Stage::new(); stages].into_boxed_slice(),
            vec![rune_saga::Output::new(); manifest.outputs.len()].into_boxed_slice(),
            now_ns,
        );
        saga.memory(rune.memory_bytes().into());
        let records = Records::new(&manifest, policy.text_bytes);
        let is_timed = rune.image().is_some();
        let calls = Calls::new(clock, manifest, Box::default(), records, saga, is_timed);
        Box::new(Self {
            serial,
            rune,
            digest,
            policy,
            grant,
            state: State::Resting(Box::new(calls)),
            phase: Phase::Waiting,
            backoff: Backoff::new(),
            due_ns: now_ns,
            started_ns: now_ns,
            triggers: 0,
            error: None,
        })
    }

    /// What it is and what it needs.
    pub fn manifest(&self) -> &ManifestView<'static> {
        self.rune.manifest()
    }

    /// Whether it is an image.
    pub fn is_image(&self) -> bool {
        self.rune.image().is_some()
    }

    /// Bytes of the board's memory that are for it.
    pub fn memory_bytes(&self) -> u32 {
        self.rune.memory_bytes()
    }

    /// SHA-256 of its bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When it is called.
    pub fn schedule(&self) -> Schedule {
        self.policy.schedule
    }

    /// What went wrong last.
    pub fn error(&self) -> Option<&Failed> {
        self.error.as_ref()
    }

    /// What it did.
    pub fn saga(&self) -> &Saga {
        match &self.state {
            State::Live(instance) => &instance.host().saga,
            State::Resting(calls) => &calls.saga,
            State::Between => unreachable!("nobody sees it between two states"),
        }
    }

    fn calls(&mut self) -> &mut Calls<C> {
        match &mut self.state {
            State::Live(instance) => instance.host_mut(),
            State::Resting(calls) => calls,
            State::Between => unreachable!("nobody sees it between two states"),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            fuel: self.policy.fuel,
            stack_values: self.policy.stack_values.into(),
            depth: self.policy.depth.into(),
            call_ns: self.policy.call_ns,
        }
    }

    /// Gives back the memory of its instance.
    fn rest(&mut self, phase: Phase) {
        self.state = match core::mem::replace(&mut self.state, State::Between) {
            State::Live(instance) => State::Resting(instance.into_host()),
            resting @ (State::Resting(_) | State::Between) => resting,
        };
        self.calls().sources = Box::default();
        self.phase = phase;
    }

    /// Opens its sources and makes an instance.
    fn start(&mut self, engine: &E, board: &mut impl Board<Clock = C>) -> Result<(), Failed> {
        let capabilities = self.rune.manifest().capabilities;
        let sources = capabilities.iter().enumerate().map(|(index, capability)| {
            let source = board.open(self.grant.row(index), index, &capability);
            source.map_err(|error| Failed::Open(capability.name, error))
        });
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let State::Resting(mut calls) = core::mem::replace(&mut self.state, State::Between) else {
            unreachable!("it is started from rest");
        };
        calls.sources = sources.into();
        calls.saga.started();
        match engine.start(&self.rune, &self.limits(), calls) {
            Ok(instance) => {
                self.state = State::Live(instance);
                self.started_ns = board.clock().now_ns();
                self.due_ns = self.started_ns;
                self.phase = Phase::Running;
                Ok(())
            }
            Err((error, calls)) => {
                self.state = State::Resting(calls);
                self.rest(Phase::Waiting);
                Err(Failed::Start(error))
            }
        }
    }

    /// It failed, and is started anew after a while.
    #[cold]
    fn fail(&mut self, failed: Failed, now_ns: u64, board: &mut impl Board) {
        let ran = now_ns.saturating_sub(self.started_ns);
        let wait = self.backoff.failed(Duration::from_nanos(ran));
        let line = Text::<200>::of(format_args!("{failed}; it is started anew in {wait:?}"));
        board.say(1, self.rune.manifest().name, line.as_str());
        self.error = Some(failed);
        self.due_ns = now_ns.saturating_add(nanoseconds(wait));
        self.rest(Phase::Waiting);
    }

    /// Whether it is to be called, or started anew, now.
    fn is_due(&mut self, now_ns: u64) -> bool {
        match (self.phase, self.policy.schedule) {
            (Phase::Stopped | Phase::Ended, _) => false,
            (Phase::Waiting, _) | (Phase::Running, Schedule::Every(_)) => now_ns >= self.due_ns,
            (Phase::Running, Schedule::Trigger) => self.triggers > 0,
            (Phase::Running, Schedule::Input) => {
                let mut sources = self.calls().sources.iter_mut();
                sources.all(|source| source.is_ready(now_ns))
            }
        }
    }

    /// One turn of a rune that is due, at its place.
    fn turn(&mut self, place: usize, now_ns: u64, engine: &E, board: &mut impl Board<Clock = C>) {
        if self.phase == Phase::Waiting {
            return self.start_anew(place, now_ns, engine, board);
        }
        let State::Live(instance) = &mut self.state else {
            unreachable!("a rune that runs has an instance");
        };
        let Policy {
            call_ns, schedule, ..
        } = self.policy;
        if schedule == Schedule::Trigger {
            self.triggers = self.triggers.saturating_sub(1);
        }
        let (returned, after_ns, ended) = instance.call_between(
            |calls| calls.begin(now_ns, call_ns),
            |calls, returned| {
                let now_ns = calls.clock.now_ns();
                let ended = calls.end(returned, now_ns);
                if calls.has_logged() {
                    for (level, line) in calls.log.lines() {
                        board.say(level, calls.manifest.name, line);
                    }
                }
                if ended == Ended::Output {
                    let written = Written::new(&calls.manifest, &calls.records);
                    if !board.write(&written) {
                        for (index, _) in written.outputs() {
                            calls.saga.dropped(index, 1);
                        }
                    }
                }
                (returned, now_ns, ended)
            },
        );
        match ended {
            Ended::Output | Ended::NoOutput => {}
            Ended::Over => return self.rest(Phase::Ended),
            Ended::Failed => {
                let error = self.calls().failed(returned, after_ns);
                return self.fail(Failed::Call(error), after_ns, board);
            }
        }
        if let Schedule::Every(_) = schedule {
            self.step(board.clock().now_ns());
        }
    }

    /// Starts it anew, or leaves it where the board does not let it.
    #[inline(never)]
    fn start_anew(
        &mut self,
        place: usize,
        now_ns: u64,
        engine: &E,
        board: &mut impl Board<Clock = C>,
    ) {
        if !board.starts(place, self.rune.manifest(), &self.digest) {
            return self.rest(Phase::Stopped);
        }
        if let Err(failed) = self.start(engine, board) {
            self.fail(failed, now_ns, board);
        }
    }

    /// The next call of those at equal distances.
    fn step(&mut self, now_ns: u64) {
        let since_due = Duration::from_nanos(now_ns.saturating_sub(self.due_ns));
        if let Some((step, missed)) = self.policy.schedule.step(since_due) {
            self.due_ns = self.due_ns.saturating_add(nanoseconds(step));
            self.calls().saga.overran(missed);
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A place for a rune.
type Place<E, C> = Option<Box<Unit<E, C>>>;

/// At most `RUNES` runes on a board. Memory is taken when one is added or started anew, and never during a call.
pub struct Scheduler<E: Engine, B: Board, const RUNES: usize> {
    engine: E,
    board: B,
    units: [Place<E, B::Clock>; RUNES],
    serial: u32,
}

impl<E: Engine, B: Board, const RUNES: usize> Scheduler<E, B, RUNES> {
    /// Without runes.
    pub fn new(engine: E, board: B) -> Self {
        Self {
            engine,
            board,
            units: [const { None }; RUNES],
            serial: 0,
        }
    }

    /// Takes a rune with the SHA-256 of its bytes, and starts it. A sensor that does not work yet is no error: the
    /// rune is started anew.
    ///
    /// # Errors
    /// Where it is no rune, needs something that it does not get, is not valid, or the board does not let it start.
    /// Nothing is kept of it.
    pub fn add(
        &mut self,
        rune: &'static [u8],
        digest: [u8; 32],
        policy: Policy,
    ) -> Result<Id, AddError> {
        let rune = check(rune).map_err(AddError::Load)?;
        let table = self.board.table();
        let taken = self.units().map(Unit::memory_bytes);
        let left = table.memory_bytes.saturating_sub(taken.sum());
        let grant = grant(&rune, table, &policy, E::FEATURES, left).map_err(AddError::Refused)?;
        let place = self.units.iter().position(Option::is_none);
        let place = place.ok_or(AddError::Full(RUNES))?;
        if !self.board.starts(place, rune.manifest(), &digest) {
            return Err(AddError::Denied);
        }
        self.serial = self.serial.wrapping_add(1);
        let clock = self.board.clock();
        let now_ns = clock.now_ns();
        let mut unit = Unit::new(self.serial, rune, digest, policy, grant, clock);
        match unit.start(&self.engine, &mut self.board) {
            Ok(()) => {}
            Err(Failed::Start(error)) => return Err(AddError::Start(error)),
            Err(failed) => unit.fail(failed, now_ns, &mut self.board),
        }
        self.units[place] = Some(unit);
        Ok(Id {
            place,
            serial: self.serial,
        })
    }

    /// Lets a rune go, with all its memory; false where there is none.
    pub fn remove(&mut self, id: Id) -> bool {
        let is_there = self.unit(id).is_some();
        if is_there {
            self.units[id.place] = None;
        }
        is_there
    }

    /// Asks for one call of a rune on [`Schedule::Trigger`]; false where there is none.
    pub fn trigger(&mut self, id: Id) -> bool {
        let unit = self.unit_mut(id);
        unit.map(|unit| unit.triggers = unit.triggers.saturating_add(1))
            .is_some()
    }

    /// Calls a rune by another schedule from now on; false where there is none.
    pub fn reschedule(&mut self, id: Id, schedule: Schedule) -> bool {
        let now_ns = self.board.clock().now_ns();
        let Some(unit) = self.unit_mut(id) else {
            return false;
        };
        unit.policy.schedule = schedule;
        unit.triggers = 0;
        if unit.phase == Phase::Running {
            unit.due_ns = now_ns;
        }
        true
    }

    /// Stops a rune, or lets it go on from its start; false where there is none.
    pub fn want(&mut self, id: Id, is_wanted: bool) -> bool {
        let now_ns = self.board.clock().now_ns();
        let Some(unit) = self.unit_mut(id) else {
            return false;
        };
        match (is_wanted, unit.phase) {
            (false, _) => unit.rest(Phase::Stopped),
            (true, Phase::Stopped | Phase::Ended) => {
                unit.due_ns = now_ns;
                unit.phase = Phase::Waiting;
            }
            (true, Phase::Running | Phase::Waiting) => {}
        }
        true
    }

    /// One turn: every rune that is due is called once, or started anew, then every link goes on, and then the
    /// watchdog is fed. Gives when the next rune is due by its schedule, if any is, in nanoseconds.
    pub fn poll(&mut self) -> Option<u64> {
        let Self {
            engine,
            board,
            units,
            ..
        } = self;
        let mut next: Option<u64> = None;
        let places = units.iter_mut().enumerate();
        for (place, unit) in places.filter_map(|(place, unit)| Some((place, unit.as_mut()?))) {
            let now_ns = board.clock().now_ns();
            if unit.is_due(now_ns) {
                unit.turn(place, now_ns, engine, board);
            }
            let is_timed = match unit.phase {
                Phase::Waiting => true,
                Phase::Running => matches!(unit.policy.schedule, Schedule::Every(_)),
                Phase::Stopped | Phase::Ended => false,
            };
            if is_timed {
                next = Some(next.map_or(unit.due_ns, |next| next.min(unit.due_ns)));
            }
        }
        if board.poll_links() {
            board.feed_watchdog(Progress(()));
        }
        next
    }

    /// A rune.
    pub fn unit(&self, id: Id) -> Option<&Unit<E, B::Clock>> {
        let unit = self.units.get(id.place)?.as_deref()?;
        (unit.serial == id.serial).then_some(unit)
    }

    /// All runes.
    pub fn units(&self) -> impl Iterator<Item = &Unit<E, B::Clock>> {
        self.units.iter().flatten().map(Box::as_ref)
    }

    fn unit_mut(&mut self, id: Id) -> Option<&mut Unit<E, B::Clock>> {
        let unit = self.units.get_mut(id.place)?.as_deref_mut()?;
        (unit.serial == id.serial).then_some(unit)
    }

    /// Saga's record of a rune, in `out`, and the begin of a new interval; `None` where there is no such rune.
    pub fn heartbeat<'o>(
        &mut self,
        id: Id,
        out: &'o mut [u8],
    ) -> Option<Result<&'o [u8], TooSmall>> {
        let now_ns = self.board.clock().now_ns();
        let unit = self.unit_mut(id)?;
        let (manifest, digest) = (*unit.manifest(), unit.digest);
        let subject = Subject {
            manifest: &manifest,
            digest,
        };
        Some(unit.calls().saga.heartbeat(&subject, now_ns, out))
    }

    /// The board.
    pub fn board(&mut self) -> &mut B {
        &mut self.board
    }
}
