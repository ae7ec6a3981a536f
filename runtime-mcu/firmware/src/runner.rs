//! The loop of a board: its rune, its host, its watchdog.

use alloc::boxed::Box;

use rune_abi::CapabilityView;
use rune_core::{
    Board, Id, Interpreter, Phase, Policy, Scheduler, Source, SourceError, Table, Written,
};

use crate::{Chip, Command, Exchange, Server, Shown};

/// A board as the core's scheduler sees it.
pub struct Node<C: Chip, const SLOTS: usize> {
    chip: C,
    server: Server<C, SLOTS>,
    exchange: Exchange,
}

impl<C: Chip + 'static, const SLOTS: usize> Board for Node<C, SLOTS> {
    type Clock = fn() -> u64;

    fn clock(&self) -> Self::Clock {
        C::now_ns
    }

    fn table(&self) -> &'static Table {
        self.chip.table()
    }

    fn open(
        &mut self,
        row: usize,
        index: usize,
        capability: &CapabilityView<'static>,
    ) -> Result<Box<dyn Source>, SourceError> {
        match self.chip.open(row, index, capability)? {
            Some(source) => {
                self.exchange.skip(index);
                Ok(source)
            }
            None => Ok(self.exchange.open(index, capability)),
        }
    }

    fn write(&mut self, written: &Written<'_>) -> bool {
        self.exchange.write(written)
    }

    fn say(&mut self, level: u32, rune: &str, line: &str) {
        self.chip.say(format_args!("{rune}: {level}: {line}"));
    }

    fn poll_links(&mut self) -> bool {
        self.server.poll(&mut self.exchange, &mut self.chip);
        self.chip.poll_links()
    }

    fn feed_watchdog(&mut self) {
        self.chip.feed_watchdog();
    }
}

/// The runes of a board: at most one runs.
pub struct Runner<C: Chip + 'static, const SLOTS: usize> {
    scheduler: Scheduler<Interpreter, Node<C, SLOTS>, 1>,
    /// And whether it was seen to have failed.
    running: Option<(Id, bool)>,
}

impl<C: Chip + 'static, const SLOTS: usize> Runner<C, SLOTS> {
    /// Nothing runs yet.
    pub fn new(chip: C, server: Server<C, SLOTS>) -> Self {
        let node = Node {
            chip,
            server,
            exchange: Exchange::new(),
        };
        Self {
            scheduler: Scheduler::new(Interpreter, node),
            running: None,
        }
    }

    /// Starts the rune of the first slot that has one, with the board's own sensors, and says so.
    pub fn start_alone(&mut self) {
        let slots = self.scheduler.board().server.slots.count();
        for slot in 0..slots {
            let node = self.scheduler.board();
            if node.server.slots.look(slot).is_ok() {
                let policy = node.chip.alone();
                self.start(slot, policy);
                let found = self.running.is_some();
                let how = if found { "runs" } else { "does not start" };
                let node = self.scheduler.board();
                node.chip.say(format_args!("the rune of slot {slot} {how}"));
                return;
            }
        }
    }

    /// Lets the rune go on, and the links, and does what was asked for.
    pub fn turn(&mut self) {
        self.scheduler.poll();
        self.look();
        let Some(command) = self.scheduler.board().server.command() else {
            return;
        };
        match command {
            Command::Start { slot } => {
                let policy = self.scheduler.board().chip.hosted();
                self.start(slot, policy);
            }
            Command::Stop => {
                self.stop();
                self.scheduler.board().server.done(Ok(()));
            }
            Command::Lines => {
                let Node {
                    server, exchange, ..
                } = self.scheduler.board();
                server.lines(exchange);
            }
            Command::Call => {
                let called = self
                    .running
                    .is_some_and(|(id, _)| self.scheduler.trigger(id));
                let result = called.then_some(()).ok_or(format_args!("no rune runs"));
                self.scheduler.board().server.done(result);
            }
        }
    }

    /// Tells the server when the rune fails.
    fn look(&mut self) {
        let Some((id, seen)) = self.running else {
            return;
        };
        let Some(unit) = self.scheduler.unit(id) else {
            return;
        };
        let error = (unit.phase() != Phase::Running)
            .then(|| unit.error().copied())
            .flatten();
        let has_failed = error.is_some();
        self.running = Some((id, has_failed));
        if has_failed == seen {
            return;
        }
        let Node { server, chip, .. } = self.scheduler.board();
        if let Some(error) = error {
            server.fail(format_args!("{error}"));
            chip.show(Shown::Failed);
        } else {
            chip.show(Shown::Running);
        }
    }

    fn start(&mut self, slot: u8, policy: Policy) {
        self.stop();
        let server = &mut self.scheduler.board().server;
        let (rune, digest) = match server.slots.lend(slot) {
            Ok(lent) => lent,
            Err(why) => return server.done(Err(format_args!("{why}"))),
        };
        match self.scheduler.add(rune, digest, policy) {
            Ok(id) => {
                self.running = Some((id, false));
                let Node { server, chip, .. } = self.scheduler.board();
                server.done(Ok(()));
                chip.show(Shown::Running);
            }
            Err(error) => {
                // The error reads the rune, so this comes first.
                let Node { server, chip, .. } = self.scheduler.board();
                chip.say(format_args!("the rune does not start: {error}"));
                server.done(Err(format_args!("{error}")));
                self.stop();
            }
        }
    }

    /// Lets the rune go, and its slot.
    fn stop(&mut self) {
        if let Some((id, _)) = self.running.take() {
            self.scheduler.remove(id);
        }
        let Node {
            server,
            exchange,
            chip,
        } = self.scheduler.board();
        server.forget();
        exchange.clear();
        chip.show(Shown::Idle);
        // The scheduler has no rune, and of what `add` gives nothing is kept.
        server.slots.release();
    }
}

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, collections::VecDeque, format, rc::Rc, string::String, vec, vec::Vec};
    use core::{cell::RefCell, fmt, time::Duration};

    use rune_abi::CapabilityView;
    use rune_core::{Policy, Source, SourceError, Table};
    use rune_install::nor::Map;
    use rune_link::{Crash, Decoder, Frame, Reply, Request};
    use sha2::{Digest as _, Sha256};

    use super::Runner;
    use crate::{
        Chip, Port, SerialNor, Server, Shown, Slots,
        sim::{Sim, Small, chip},
    };

    static TABLE: Table = Table {
        bases: &["runicos/base"],
        sensors: &[],
        outputs: &[],
        memory_bytes: 1 << 20,
        code_bytes: 1 << 16,
    };

    /// Bytes to the board, bytes from it, what it said and showed, and how often the watchdog was fed.
    #[derive(Default)]
    struct World {
        to: VecDeque<u8>,
        from: Vec<u8>,
        said: Vec<String>,
        shown: Vec<Shown>,
        fed: u32,
    }

    #[derive(Clone, Default)]
    struct Fake(Rc<RefCell<World>>);

    impl Port for Fake {
        fn receive(&mut self) -> Option<u8> {
            self.0.borrow_mut().to.pop_front()
        }

        fn send(&mut self, bytes: &[u8]) {
            self.0.borrow_mut().from.extend(bytes);
        }

        fn lost(&self) -> u32 {
            7
        }
    }

    impl Chip for Fake {
        type Port = Self;
        type Flash = SerialNor<Sim, Small>;

        const NAME: &'static str = "test";

        fn now_ns() -> u64 {
            5
        }

        fn table(&self) -> &'static Table {
            &TABLE
        }

        fn hosted(&self) -> Policy {
            Policy::default()
        }

        fn alone(&self) -> Policy {
            Policy::default()
        }

        fn open(
            &mut self,
            _: usize,
            _: usize,
            _: &CapabilityView<'static>,
        ) -> Result<Option<Box<dyn Source>>, SourceError> {
            Ok(None)
        }

        fn say(&mut self, text: fmt::Arguments<'_>) {
            self.0.borrow_mut().said.push(format!("{text}"));
        }

        fn show(&mut self, shown: Shown) {
            self.0.borrow_mut().shown.push(shown);
        }

        fn feed_watchdog(&mut self) {
            self.0.borrow_mut().fed += 1;
        }

        fn heap(&self) -> [usize; 3] {
            [1, 2, 3]
        }

        fn stack(&self) -> [usize; 2] {
            [4, 5]
        }

        fn reset(&mut self) -> ! {
            panic!("the board starts anew");
        }

        fn crash(&mut self, how: Crash) -> &'static str {
            how.name()
        }
    }

    /// A board, and what the test does to it.
    struct Bench {
        runner: Runner<Fake, 2>,
        fake: Fake,
        number: u8,
    }

    impl Bench {
        fn new() -> Self {
            let fake = Fake::default();
            let map = Map::consecutive(0, 4096, 64 << 10, 4096);
            let slots = Slots::new(chip().0, map, Some(Duration::from_secs(20)));
            let slots = slots.unwrap_or_else(|e| panic!("{e}"));
            Self {
                runner: Runner::new(fake.clone(), Server::new(fake.clone(), slots, None)),
                fake,
                number: 0,
            }
        }

        /// The reply to a request, as text.
        fn ask(&mut self, request: &Request<'_>) -> String {
            self.number = self.number.wrapping_add(1);
            let mut buffer = [0; rune_link::PAYLOAD_BYTES];
            let frame = Frame::new(request.encode(self.number, &mut buffer));
            self.fake.0.borrow_mut().to.extend(frame.as_bytes());
            self.runner.turn();
            let bytes = core::mem::take(&mut self.fake.0.borrow_mut().from);
            let mut decoder = Decoder::new();
            let mut replies = Vec::new();
            for byte in bytes {
                if let Some(payload) = decoder.push(byte) {
                    let payload = payload.unwrap_or_else(|e| panic!("{e:?}"));
                    let reply = Reply::decode(payload).unwrap_or_else(|e| panic!("{e:?}"));
                    assert_eq!(reply.0, self.number);
                    replies.push(match reply.1 {
                        Reply::Refused(why) => why.into(),
                        reply @ (Reply::Done
                        | Reply::About(_)
                        | Reply::Slot { .. }
                        | Reply::Text(_)
                        | Reply::Status(_)) => format!("{reply:?}"),
                    });
                }
            }
            assert_eq!(replies.len(), 1);
            replies.remove(0)
        }
    }

    #[test]
    fn a_host_writes_looks_and_is_told_why_something_does_not_run() {
        let mut bench = Bench::new();
        let about = bench.ask(&Request::About);
        assert!(about.contains("slots: 2, slot_bytes: 61440, board: \"test\""));
        let no_rune = vec![7; 3000];
        let digest = Sha256::digest(&no_rune).into();
        let (slot, bytes) = (1, 3000);
        assert_eq!(bench.ask(&Request::Erase { slot, bytes }), "Done");
        for (i, data) in no_rune.chunks(1000).enumerate() {
            let offset = i as u32 * 1000;
            assert_eq!(bench.ask(&Request::Write { slot, offset, data }), "Done");
        }
        let wrong = Request::Seal {
            slot,
            bytes: 2999,
            digest,
        };
        assert!(bench.ask(&wrong).contains("does not hold"));
        let seal = Request::Seal {
            slot,
            bytes,
            digest,
        };
        assert_eq!(bench.ask(&seal), "Done");
        assert!(
            bench
                .ask(&Request::Slot { slot })
                .starts_with("Slot { bytes: 3000")
        );
        // It is no rune, so it does not start, and the slot is free again.
        let why = bench.ask(&Request::Start { slot });
        assert!(!why.is_empty() && why != "Done", "{why}");
        assert_eq!(bench.ask(&Request::Call), "no rune runs");
        assert_eq!(bench.ask(&Request::Erase { slot, bytes }), "Done");
        assert_eq!(bench.ask(&Request::Start { slot }), "the slot has no rune");
        assert!(
            bench
                .ask(&Request::Start { slot: 9 })
                .contains("no such slot")
        );
        let feed = Request::Feed {
            capability: 0,
            offset: 0,
            data: &[1],
        };
        assert!(bench.ask(&feed).contains("no rune runs"));
        assert_eq!(bench.ask(&Request::Stop), "Done");
        assert_eq!(bench.ask(&Request::Lines), "Text([])");
        assert_eq!(bench.ask(&Request::Crash(Crash::Heap)), "heap full");
        let status = bench.ask(&Request::Status);
        assert!(
            status.contains("time_ns: 5, heap_bytes: 1, heap_most_bytes: 2, heap_all_bytes: 3")
        );
        assert!(status.contains("lost_bytes: 7, broken_frames: 0"));
    }

    #[test]
    fn garbage_is_counted_and_the_watchdog_is_fed_in_every_turn() {
        let mut bench = Bench::new();
        bench
            .fake
            .0
            .borrow_mut()
            .to
            .extend([0, 9, 9, 9, 0, 1, 2, 0]);
        bench.runner.turn();
        let status = bench.ask(&Request::Status);
        assert!(status.contains("broken_frames: 2"), "{status}");
        assert_eq!(bench.fake.0.borrow().fed, 2);
    }

    #[test]
    fn a_board_that_starts_alone_says_what_came_of_it() {
        let mut bench = Bench::new();
        bench.runner.start_alone();
        assert!(bench.fake.0.borrow().said.is_empty());
        let data = [1; 10];
        let digest = Sha256::digest(data).into();
        let (slot, bytes) = (1, 10);
        bench.ask(&Request::Erase { slot, bytes });
        let offset = 0;
        bench.ask(&Request::Write {
            slot,
            offset,
            data: &data,
        });
        bench.ask(&Request::Seal {
            slot,
            bytes,
            digest,
        });
        bench.runner.start_alone();
        let said = bench.fake.0.borrow().said.clone();
        assert_eq!(said.len(), 2);
        assert_eq!(said[1], "the rune of slot 1 does not start");
        assert_eq!(bench.fake.0.borrow().shown.last(), Some(&Shown::Idle));
    }
}
