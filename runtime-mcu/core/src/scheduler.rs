//! Several runes on one processor: each is called when it is due, one that failed is started anew after a while, and
//! the others go on.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{fmt, time::Duration};

use rune_abi::{CapabilityView, Import, ManifestView};
use rune_saga::{Recorder, Subject, TooSmall};

use crate::{
    Backoff, Checked, Clock, Engine, Grant, Instance, Lent, Limits, LoadError, Policy, Refusal,
    Schedule, Source, SourceError, StartError, Table, Written,
    board::grant,
    call::{CallError, Calls, Ended, Input, LONGEST_CALL_NS, Saga},
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
    /// The host of its instance, which has it during a call.
    calls: Lent<Calls<C>>,
    /// While it runs.
    instance: Option<E::Instance<Calls<C>>>,
    phase: Phase,
    wait: Wait,
    backoff: Backoff,
    /// When it is called next, or started anew.
    due_ns: u64,
    started_ns: u64,
    triggers: u32,
    error: Option<Failed>,
}

/// What a rune waits for, as its phase and its schedule have it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// A sample for each capability.
    Input,
    /// The time when it is due.
    Time,
    /// That somebody asks for it.
    Trigger,
    /// It is not called.
    Nothing,
}

impl<E: Engine, C: Clock> Unit<E, C> {
    /// One that is to be started. Its parts are on the stack only while this puts them together.
    #[inline(never)]
    fn new(
        serial: u32,
        rune: Checked<'static>,
        digest: [u8; 32],
        mut policy: Policy,
        grant: Grant,
        clock: C,
    ) -> Box<Self> {
        policy.call_ns = policy.call_ns.min(LONGEST_CALL_NS);
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
        let calls = Calls::new(clock, manifest, records, saga);
        Box::new(Self {
            serial,
            rune,
            digest,
            policy,
            grant,
            calls: Some(Box::new(calls)),
            instance: None,
            phase: Phase::Waiting,
            wait: Wait::Time,
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
        match &self.calls {
            Some(calls) => &calls.saga,
            None => unreachable!("{BETWEEN_CALLS}"),
        }
    }

    fn calls(&mut self) -> &mut Calls<C> {
        match &mut self.calls {
            Some(calls) => calls,
            None => unreachable!("{BETWEEN_CALLS}"),
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

    /// Gives back the memory of its instance and its sources.
    fn rest(&mut self, phase: Phase) {
        self.instance = None;
        self.calls().inputs = Box::default();
        self.enter(phase);
    }

    /// Opens its sources and makes an instance.
    fn start(&mut self, engine: &E, board: &mut impl Board<Clock = C>) -> Result<(), Failed> {
        let capabilities = self.rune.manifest().capabilities;
        let inputs = capabilities.iter().enumerate().map(|(index, capability)| {
            let (name, bytes) = (capability.name, capability.ty.bytes());
            match board.open(self.grant.row(index), index, &capability) {
                Ok(source) => Ok(Input {
                    source,
                    bytes,
                    name,
                }),
                Err(error) => Err(Failed::Open(name, error)),
            }
        });
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let limits = self.limits();
        let calls = self.calls();
        calls.inputs = inputs.into();
        calls.saga.started();
        match engine.start(&self.rune, &limits) {
            Ok(instance) => {
                self.instance = Some(instance);
                self.started_ns = board.clock().now_ns();
                self.due_ns = self.started_ns;
                self.enter(Phase::Running);
                Ok(())
            }
            Err(error) => {
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

    /// It does this from now on.
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.wait = match (phase, self.policy.schedule) {
            (Phase::Running, Schedule::Input) => Wait::Input,
            (Phase::Running, Schedule::Every(_)) | (Phase::Waiting, _) => Wait::Time,
            (Phase::Running, Schedule::Trigger) => Wait::Trigger,
            (Phase::Stopped | Phase::Ended, _) => Wait::Nothing,
        };
    }

    /// Its turn, at its place: where it is due it is called, or started anew.
    fn turn(&mut self, place: usize, engine: &E, board: &mut impl Board<Clock = C>) {
        let now_ns = board.clock().now_ns();
        let Some(calls) = &mut self.calls else {
            unreachable!("{BETWEEN_CALLS}");
        };
        let is_due = match self.wait {
            Wait::Input => {
                let mut inputs = calls.inputs.iter_mut();
                inputs.all(|input| input.source.is_ready(now_ns))
            }
            Wait::Time => now_ns >= self.due_ns,
            Wait::Trigger => {
                let left = self.triggers.checked_sub(1);
                self.triggers = left.unwrap_or(0);
                left.is_some()
            }
            Wait::Nothing => false,
        };
        if !is_due {
            return;
        }
        let deadline_ns = calls.begin(now_ns, self.policy.call_ns);
        let Some(instance) = &mut self.instance else {
            return self.start_anew(place, now_ns, engine, board);
        };
        let returned = instance.call(&mut self.calls, deadline_ns);
        let Some(calls) = &mut self.calls else {
            unreachable!("{BETWEEN_CALLS}");
        };
        let after_ns = calls.clock.now_ns();
        let ended = calls.end(returned, after_ns);
        if calls.is_marked() {
            for (level, line) in calls.log.lines() {
                board.say(level, calls.manifest.name, line);
            }
            if ended != Ended::Failed {
                calls.end_stage();
                calls.forget();
            }
        }
        match ended {
            Ended::Output => {
                let written = Written::new(&calls.manifest, &calls.records);
                if !board.write(&written) {
                    for record in written.records() {
                        calls.saga.dropped(record.index(), 1);
                    }
                }
            }
            Ended::NoOutput => {}
            Ended::Over => return self.rest(Phase::Ended),
            Ended::Failed => {
                let error = calls.failed(returned, after_ns);
                calls.forget();
                return self.fail(Failed::Call(error), after_ns, board);
            }
        }
        if self.wait == Wait::Time {
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

/// Whoever has a rune in hand has its host.
const BETWEEN_CALLS: &str = "an instance gives back its host";

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
        unit.enter(unit.phase);
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
                unit.enter(Phase::Waiting);
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
        for (place, unit) in units.iter_mut().enumerate() {
            let Some(unit) = unit.as_deref_mut() else {
                continue;
            };
            unit.turn(place, engine, board);
            if unit.wait == Wait::Time {
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
