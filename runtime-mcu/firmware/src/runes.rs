//! The runes that run, each in a place of its own: what is installed is started and watched, and what hosts ask of runes
//! is done.

use alloc::boxed::Box;
use core::time::Duration;

use rune_core::{AddError, Id, Phase, Schedule, Scheduler, Text, Unit};
use rune_install::{Name, nor::Map};
use rune_link::{DATA_BYTES, Digest, Doing, Reason, Reply, Run, Rune, When};

use crate::{
    Chip, PLACES, Shown,
    installs::{Installs, Why},
    node::Node,
    sensors::Sensors,
    server::Command,
};

/// A trial that ran for so long, and had a call that went well, is healthy.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// A rune that has a place.
#[allow(
    clippy::struct_excessive_bools,
    reason = "none of them follows from the others"
)]
pub(crate) struct Running {
    pub(crate) id: Id,
    pub(crate) name: Name,
    pub(crate) digest: Digest,
    /// Where its bytes are lent from.
    slot: usize,
    /// Whether it is to run, as far as hosts say.
    pub(crate) is_wanted: bool,
    /// It failed and was not started anew yet.
    has_failed: bool,
    /// It failed, and no host that asked for lines was told.
    is_untold: bool,
    /// Its starts so far, when the last one was, and the calls that had gone well before.
    starts: u64,
    started_ns: u64,
    well_before: u64,
    /// The start since which it was healthy.
    healthy_start: u64,
    /// It is confirmed once it is healthy.
    #[cfg(feature = "smp")]
    pub(crate) is_to_stay: bool,
}

/// A board, with all runes that run on it: at most [`PLACES`].
pub struct Runes<C: Chip, const SLOTS: usize> {
    pub(crate) scheduler: Scheduler<C::Engine, Node<C, SLOTS>, PLACES>,
    pub(crate) running: [Option<Running>; PLACES],
    /// Why the last rune of a place left it, for the next host that asks for its lines.
    left: [Option<Why>; PLACES],
    /// What the board shows.
    shown: Option<Shown>,
    /// What answers SMP, and why it last refused something.
    #[cfg(feature = "smp")]
    pub(crate) smp: (rune_smp::Server, Why),
}

impl<C: Chip, const SLOTS: usize> Runes<C, SLOTS> {
    /// None yet. What is installed lies on the flash as the map says; `reason` is that of the run before, if it failed.
    ///
    /// Does not compile where there are not more slots than runes that may run: one is for an upload.
    // Its parts are on the stack only while this puts them together.
    #[inline(never)]
    pub fn new(
        mut chip: C,
        links: C::Links,
        flash: C::Flash,
        map: Map<SLOTS>,
        reason: Option<Reason<'static>>,
    ) -> Box<Self> {
        const {
            assert!(
                SLOTS > PLACES && SLOTS <= u8::MAX as usize,
                "one is for an upload"
            );
        }
        let installs = Installs::open(flash, map, &mut chip);
        let engine = chip.engine();
        let node = Node::new(chip, links, installs, reason);
        Box::new(Self {
            scheduler: Scheduler::new(engine, node),
            running: [const { None }; PLACES],
            left: [const { None }; PLACES],
            shown: None,
            #[cfg(feature = "smp")]
            smp: (rune_smp::Server::new(), Text::new()),
        })
    }

    /// Starts what is installed, and says that the board is ready.
    pub fn boot(&mut self) {
        for slot in 0..SLOTS {
            let name = self.node().installs.name(slot);
            if let Some(name) = name.filter(|name| self.place_of(name).is_none()) {
                // What went wrong was said.
                let _ = self.start(name, None, Sensors::own(C::TABLE));
            }
        }
        self.node().chip.say(format_args!("ready"));
    }

    pub(crate) fn node(&mut self) -> &mut Node<C, SLOTS> {
        self.scheduler.board()
    }

    pub(crate) fn place_of(&self, name: &Name) -> Option<usize> {
        let is = |running: &Option<Running>| running.as_ref().is_some_and(|r| r.name == *name);
        self.running.iter().position(is)
    }

    /// Lets every rune go on that is due, and the links, and does what was asked for.
    pub fn turn(&mut self) {
        self.scheduler.poll();
        for place in 0..PLACES {
            self.look(place);
        }
        match self.node().server.command() {
            None => {}
            Some(Command::Try(digest)) => {
                let tried = self.try_out(digest);
                let reply = tried.map(|place| Reply::Place(place as u8));
                self.node().server.done(&reply);
            }
            Some(Command::Rollback(name)) => {
                let done = self.rollback(name);
                self.node().server.done(&done.map(|()| Reply::Done));
            }
            Some(Command::Remove(name)) => {
                let done = self.remove(name);
                self.node().server.done(&done.map(|()| Reply::Done));
            }
            Some(Command::Run { place, run }) => self.run(place.into(), run),
        }
        #[cfg(feature = "smp")]
        self.manage();
        self.show();
    }

    /// Shows how the runes are, where it has changed.
    fn show(&mut self) {
        let mut running = self.running.iter().flatten();
        let shown = if running.clone().next().is_none() {
            Shown::Idle
        } else if running.any(|running| running.has_failed) {
            Shown::Failed
        } else {
            Shown::Running
        };
        if self.shown != Some(shown) {
            self.shown = Some(shown);
            self.node().chip.show(shown);
        }
    }

    /// Tells the installer what has become of a rune.
    fn look(&mut self, place: usize) {
        let Some(running) = &mut self.running[place] else {
            return;
        };
        let Some(unit) = self.scheduler.unit(running.id) else {
            return;
        };
        let (name, digest, phase) = (running.name, running.digest, unit.phase());
        let total = unit.saga().total();
        let well = total.with_output.saturating_add(total.without_output);
        if total.starts != running.starts {
            running.starts = total.starts;
            running.started_ns = C::now_ns();
            running.well_before = well;
        }
        let ran = Duration::from_nanos(C::now_ns().saturating_sub(running.started_ns));
        let mut is_over = None;
        match phase {
            Phase::Running => {
                running.has_failed = false;
                let is_new = running.healthy_start != running.starts;
                if is_new && well > running.well_before && ran >= HEALTHY_AFTER {
                    running.healthy_start = running.starts;
                    #[cfg(feature = "smp")]
                    let is_to_stay = core::mem::take(&mut running.is_to_stay);
                    let Node { installs, chip, .. } = self.node();
                    installs.well(chip, name, &digest);
                    #[cfg(feature = "smp")]
                    if is_to_stay {
                        match installs.confirm(name) {
                            Ok(()) => chip.say(format_args!("{name}: it is confirmed")),
                            Err((_, why)) => chip.say(format_args!("{name}: {why}")),
                        }
                    }
                }
            }
            Phase::Waiting if !running.has_failed => {
                running.has_failed = true;
                running.is_untold = true;
                let why: Why = unit.error().map_or_else(Text::new, Text::of);
                let Node { installs, chip, .. } = self.node();
                if installs.ended(chip, name, &digest, false) {
                    is_over = Some(why);
                }
            }
            // It was to be started anew, and another one of its name is to be.
            Phase::Stopped if running.is_wanted => {
                is_over = Some(unit.error().map_or_else(Text::new, Text::of));
            }
            Phase::Waiting | Phase::Stopped | Phase::Ended => {}
        }
        if let Some(why) = is_over {
            let chip = &mut self.node().chip;
            chip.say(format_args!("{name}: {why}; its trial is over"));
            self.stop(place);
            self.left[place] = Some(why);
            // What went wrong was said.
            let _ = self.start(name, None, Sensors::own(C::TABLE));
        }
    }

    /// Starts the rune of a digest under a name, or else whatever is to run there: until one runs or there is none.
    /// The first one gets the sensors, as they were said for it.
    /// Where the first one does not start, that is the error, whether another one runs now or not.
    fn start(
        &mut self,
        name: Name,
        digest: Option<Digest>,
        sensors: Sensors,
    ) -> Result<usize, Why> {
        let mut first = None;
        let mut sensors = Some(sensors);
        let mut next = digest;
        // Each slot is given up at most once.
        for _ in 0..=SLOTS {
            let Some(digest) = next.or_else(|| self.node().installs.candidate(&name)) else {
                break;
            };
            next = None;
            let sensors = sensors.take().unwrap_or(Sensors::own(C::TABLE));
            let (why, is_final) = match self.launch(name, digest, sensors) {
                Ok(place) => return first.map_or(Ok(place), Err),
                Err(failed) => failed,
            };
            let Node { installs, chip, .. } = self.node();
            chip.say(format_args!("{name}: {why}"));
            first.get_or_insert(why);
            let is_over = is_final && installs.ended(chip, name, &digest, true);
            if !is_over && installs.candidate(&name) == Some(digest) {
                break;
            }
        }
        Err(first.unwrap_or_else(|| Text::of("no rune of this name is confirmed or in trial")))
    }

    /// Starts one rune; gives its place, or why not, and whether it would be so the next time too.
    fn launch(
        &mut self,
        name: Name,
        digest: Digest,
        sensors: Sensors,
    ) -> Result<usize, (Why, bool)> {
        let lent = self.node().installs.lend(&digest);
        let (slot, bytes) = match lent {
            Ok(lent) => lent,
            Err(why) => {
                // SAFETY: nobody has seen them.
                unsafe { sensors.end() };
                return Err((why, true));
            }
        };
        let policy = Node::<C, SLOTS>::policy(&sensors);
        self.node().added = sensors;
        let added = self.scheduler.add(bytes, digest, policy);
        let failed = match added {
            Ok(id) => {
                let place = id.place();
                self.left[place] = None;
                self.running[place] = Some(Running {
                    id,
                    name,
                    digest,
                    slot,
                    is_wanted: true,
                    has_failed: false,
                    is_untold: false,
                    starts: 0,
                    started_ns: 0,
                    well_before: 0,
                    healthy_start: 0,
                    #[cfg(feature = "smp")]
                    is_to_stay: false,
                });
                return Ok(place);
            }
            Err(error) => {
                let is_final = !matches!(error, AddError::Denied | AddError::Full(_));
                (Text::of(error), is_final)
            }
        };
        let node = self.scheduler.board();
        // A place in which nothing runs has nothing to feed.
        for (exchange, running) in node.exchanges.iter_mut().zip(&self.running) {
            if running.is_none() {
                // SAFETY: as below.
                unsafe { exchange.clear(C::TABLE).end() };
            }
        }
        let added = core::mem::replace(&mut node.added, Sensors::own(C::TABLE));
        // SAFETY: the scheduler keeps nothing of what it does not take, and the text of its error is a copy.
        unsafe {
            added.end();
            node.installs.release(slot);
        }
        Err(failed)
    }

    /// Lets the rune of a place go, and its slot.
    fn stop(&mut self, place: usize) {
        let Some(Running { id, slot, .. }) = self.running[place].take() else {
            return;
        };
        self.scheduler.remove(id);
        let Node {
            exchanges,
            installs,
            ..
        } = self.scheduler.board();
        // SAFETY: the scheduler has let it go, the exchange forgets its name, and nothing else had of it.
        unsafe {
            exchanges[place].clear(C::TABLE).end();
            installs.release(slot);
        }
    }

    pub(crate) fn try_out(&mut self, digest: Digest) -> Result<usize, Why> {
        let said = self.node().said.take();
        let name = self.node().installs.name_of(&digest)?;
        let place = self.place_of(&name);
        let runs = |running: &Running| running.digest == digest && said.is_none();
        if let Some(place) = place.filter(|place| self.running[*place].as_ref().is_some_and(runs)) {
            return Ok(place);
        }
        if place.is_none() && self.running.iter().all(Option::is_some) {
            return Err(Text::of(AddError::Full(PLACES)));
        }
        // What is refused now costs the rune that runs nothing.
        let others = self.scheduler.units();
        let others = others.filter(|unit| unit.manifest().name != name.as_str());
        let taken: u32 = others.map(Unit::memory_bytes).sum();
        let left = C::TABLE.memory_bytes.saturating_sub(taken);
        let sensors = match &said {
            Some(said) => Sensors::new(said, Node::<C, SLOTS>::HOSTED),
            None => Sensors::own(C::TABLE),
        };
        let (table, policy) = (sensors.table(), Node::<C, SLOTS>::policy(&sensors));
        let fits = self
            .node()
            .installs
            .fits::<C::Engine>(&digest, table, &policy, left);
        if let Err(why) = fits {
            // SAFETY: no rune was started with them, and the text of the refusal is a copy.
            unsafe { sensors.end() };
            return Err(why);
        }
        if let Some(place) = place {
            self.stop(place);
        }
        self.start(name, Some(digest), sensors)
    }

    pub(crate) fn rollback(&mut self, name: Name) -> Result<(), Why> {
        self.node().installs.rollback(name)?;
        if let Some(place) = self.place_of(&name) {
            self.stop(place);
        }
        if self.node().installs.candidate(&name).is_some() {
            self.start(name, None, Sensors::own(C::TABLE))?;
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: Name) -> Result<(), Why> {
        self.node().installs.remove(name)?;
        if let Some(place) = self.place_of(&name) {
            self.stop(place);
        }
        Ok(())
    }

    /// Does what a host asks of the rune in a place, and answers.
    fn run(&mut self, place: usize, run: Run) {
        let running = self.running.get_mut(place).and_then(Option::as_mut);
        let Some(running) = running else {
            let left = self.left.get_mut(place).and_then(Option::take);
            let why = left.unwrap_or_else(|| Text::of("no rune runs in this place"));
            return self.node().server.done(&Err(why));
        };
        let id = running.id;
        let reply = match run {
            Run::Look => return self.tell(id),
            Run::Lines => return self.lines(place),
            Run::Want(is_wanted) => {
                running.is_wanted = is_wanted;
                self.scheduler.want(id, is_wanted);
                Ok(Reply::Done)
            }
            Run::Schedule(when) => {
                let schedule = match when {
                    When::Trigger => Schedule::Trigger,
                    When::Input => Schedule::Input,
                    When::Every(ms) => Schedule::Every(Duration::from_millis(ms.into())),
                };
                self.scheduler.reschedule(id, schedule);
                Ok(Reply::Done)
            }
            Run::Call => {
                self.scheduler.trigger(id);
                Ok(Reply::Done)
            }
        };
        self.node().server.done(&reply);
    }

    /// Answers with lines, or once with why the rune failed.
    fn lines(&mut self, place: usize) {
        let Some(running) = &mut self.running[place] else {
            return;
        };
        let mut text = [0; DATA_BYTES];
        let count = self.scheduler.board().exchanges[place].fetch(&mut text);
        let is_told = count == 0 && core::mem::take(&mut running.is_untold);
        let unit = self.scheduler.unit(running.id);
        let error = unit.and_then(|unit| unit.error()).filter(|_| is_told);
        let reply = match error {
            Some(error) => Err(Text::of(error)),
            None => Ok(Reply::Text(&text[..count])),
        };
        self.scheduler.board().server.done(&reply);
    }

    /// Answers with how a rune is.
    fn tell(&mut self, id: Id) {
        let Some(unit) = self.scheduler.unit(id) else {
            return;
        };
        let total = unit.saga().total();
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let error: Why = unit.error().map_or_else(Text::new, Text::of);
        let rune = Rune {
            doing: match unit.phase() {
                Phase::Running => Doing::Running,
                Phase::Waiting => Doing::Waiting,
                Phase::Stopped => Doing::Stopped,
                Phase::Ended => Doing::Ended,
            },
            when: match unit.schedule() {
                Schedule::Trigger => When::Trigger,
                Schedule::Input => When::Input,
                Schedule::Every(period) => {
                    When::Every(u32::try_from(period.as_millis()).unwrap_or(u32::MAX))
                }
            },
            digest: *unit.digest(),
            starts: count(total.starts),
            with_output: count(total.with_output),
            without_output: count(total.without_output),
            failures: total.failures.map(count),
            overruns: count(total.overruns),
            name: unit.manifest().name,
            error: error.as_str(),
        };
        self.scheduler.board().server.done(&Ok(Reply::Rune(rune)));
    }
}
