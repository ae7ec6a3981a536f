//! A board on a bench: a chip of flash as its data sheet says, a host, and runes written by hand.

#[path = "../../core/tests/runes/mod.rs"]
mod runes;

#[cfg(feature = "smp")]
mod managed;

use std::{
    boxed::Box,
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    rc::Rc,
    string::String,
    time::Duration,
    vec::Vec,
};

use rune_abi::{Capability, CapabilityKind, CapabilityView, ElementType, OutputKind};
use rune_core::{Gives, Interpreter, Policy, Read, Schedule, Sensor, Source, SourceError, Table};
use rune_install::nor::Map;
use rune_link::{
    Crash, DATA_BYTES, Decoder, Digest, Frame, Install, PAYLOAD_BYTES, Play, Reply, Request, Run,
};
use sha2::{Digest as _, Sha256};

use self::runes::{capability, echo, ty};
use crate::{
    Chip, Port, Runes, Serial, SerialNor, Shown,
    sim::{Sim, Small, chip},
    whole,
};

/// One sensor is the board's own.
static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &[
        Sensor {
            name: "sevens",
            kind: CapabilityKind::Raw,
            gives: Gives::Exact,
            ranges: &[],
        },
        whole(CapabilityKind::Rand),
    ],
    outputs: &[OutputKind::Serial],
    memory_bytes: 1 << 20,
    code_bytes: 1 << 16,
    native_keys: &[],
};

const SLOTS: usize = 5;
const MAP: Map<SLOTS> = Map::consecutive(0, 8 << 10, 32 << 10, 4096);

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

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

/// The board's own sensor.
struct Sevens;

impl Source for Sevens {
    fn is_ready(&mut self, _: u64) -> bool {
        true
    }

    fn read(&mut self, out: &mut [u8], _: u64) -> Result<Read, SourceError> {
        out.fill(7);
        Ok(Read::SAMPLE)
    }
}

impl Chip for Fake {
    type Links = Serial<Self>;
    type Flash = SerialNor<Sim, Small>;
    type Engine = Interpreter;

    const NAME: &'static str = "bench";
    const TABLE: &'static Table = &TABLE;
    const WATCHDOG: Duration = Duration::from_secs(20);

    fn engine(&self) -> Interpreter {
        Interpreter
    }

    fn now_ns() -> u64 {
        NOW.set(NOW.get() + 1000);
        NOW.get()
    }

    fn policy() -> Policy {
        Policy {
            schedule: Schedule::Input,
            ..Policy::default()
        }
    }

    fn open(
        &mut self,
        row: usize,
        _: usize,
        _: &CapabilityView<'static>,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        Ok((row == 0).then(|| Box::new(Sevens) as Box<dyn Source>))
    }

    fn say(&mut self, text: fmt::Arguments<'_>) {
        self.0.borrow_mut().said.push(text.to_string());
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

    fn crash(&mut self, how: Crash) -> Result<(), &'static str> {
        if how == Crash::Links {
            return Ok(());
        }
        Err(how.name())
    }
}

/// A board, and what the test does to it.
struct Bench {
    runes: Box<Runes<Fake, SLOTS>>,
    fake: Fake,
    sim: Sim,
    number: u8,
}

impl Bench {
    fn new() -> Self {
        let (flash, sim) = chip();
        Self::on(flash, sim)
    }

    fn on(flash: SerialNor<Sim, Small>, sim: Sim) -> Self {
        let fake = Fake::default();
        let mut runes = Runes::new(fake.clone(), Serial::new(fake.clone()), flash, MAP, None);
        runes.boot();
        Self {
            runes,
            fake,
            sim,
            number: 0,
        }
    }

    /// The board after a reset.
    fn again(self) -> Self {
        let Self { runes, sim, .. } = self;
        drop(runes);
        let flash = SerialNor::start(sim.clone()).unwrap_or_else(|e| panic!("{e:?}"));
        Self::on(flash, sim)
    }

    fn send(&mut self, request: &Request<'_>) {
        self.number = self.number.wrapping_add(1);
        let mut buffer = [0; PAYLOAD_BYTES];
        let frame = Frame::new(request.encode(self.number, &mut buffer));
        self.fake.0.borrow_mut().to.extend(frame.as_bytes());
    }

    /// The reply to a request, as text.
    fn ask(&mut self, request: &Request<'_>) -> String {
        self.send(request);
        self.runes.turn();
        let bytes = std::mem::take(&mut self.fake.0.borrow_mut().from);
        let mut decoder = Decoder::new();
        let mut replies = Vec::new();
        for byte in bytes {
            let Some(payload) = decoder.push(byte) else {
                continue;
            };
            let payload = payload.unwrap_or_else(|e| panic!("{e:?}"));
            let (number, reply) = Reply::decode(payload).unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!(number, self.number);
            replies.push(match reply {
                Reply::Refused(why) => why.to_owned(),
                Reply::Text(text) => String::from_utf8_lossy(text).into_owned(),
                reply @ (Reply::Done
                | Reply::About(_)
                | Reply::Upload { .. }
                | Reply::Installed(_)
                | Reply::Place(_)
                | Reply::Rune(_)
                | Reply::Status(_)
                | Reply::Played(_)) => format!("{reply:?}"),
            });
        }
        assert_eq!(replies.len(), 1);
        replies.remove(0)
    }

    fn install(&mut self, request: Install<'_>) -> String {
        self.ask(&Request::Install(request))
    }

    fn run(&mut self, place: u8, run: Run) -> String {
        self.ask(&Request::Run { place, run })
    }

    /// Sends a rune; gives its digest and what the board says at the end.
    fn upload(&mut self, rune: &[u8]) -> (Digest, String) {
        let digest = Sha256::digest(rune).into();
        let begin = Install::Begin {
            bytes: rune.len() as u32,
            digest,
            anew: false,
        };
        assert_eq!(self.install(begin), "Upload { offset: 0 }");
        for (i, data) in rune.chunks(DATA_BYTES).enumerate() {
            let offset = (i * DATA_BYTES) as u32;
            let reply = self.install(Install::Chunk { offset, data });
            let next = offset as usize + data.len();
            assert_eq!(reply, format!("Upload {{ offset: {next} }}"));
        }
        (digest, self.install(Install::End))
    }

    fn feed(&mut self, data: &[u8]) -> String {
        self.ask(&Request::Feed {
            place: 0,
            capability: 0,
            offset: 0,
            data,
        })
    }
}

/// Four bytes of a kind.
fn four(kind: CapabilityKind) -> Capability {
    capability(kind, "in", ty(ElementType::U8, &[4]))
}

#[test]
fn a_rune_is_installed_fed_and_confirmed_and_runs_after_a_reset() {
    let mut bench = Bench::new();
    let about = bench.ask(&Request::About);
    assert!(about.contains("slots: 5, places: 4, slot_bytes: 32768, board: \"bench\""));
    let (digest, installed) = bench.upload(&echo(four(CapabilityKind::Rand)));
    assert!(installed.contains("state: Verified"), "{installed}");
    assert_eq!(bench.install(Install::Try(digest)), "Place(0)");
    assert_eq!(bench.fake.0.borrow().shown, [Shown::Idle, Shown::Running]);
    // The host gives what the board has not, and the rune is called when it is there.
    assert_eq!(bench.run(0, Run::Lines), "");
    assert_eq!(bench.feed(&[1, 2, 3, 4]), "Done");
    assert!(bench.run(0, Run::Lines).contains("[1, 2, 3, 4]"));
    assert!(bench.feed(&[1; 5]).contains("more than one sample"));
    assert_eq!(bench.install(Install::Confirm("test")), "Done");
    let mut bench = bench.again();
    assert_eq!(bench.fake.0.borrow().said, ["ready"]);
    assert!(bench.run(0, Run::Look).contains("doing: Running"));
    assert_eq!(bench.install(Install::Remove("test")), "Done");
    assert_eq!(bench.run(0, Run::Lines), "no rune runs in this place");
    assert_eq!(bench.fake.0.borrow().shown.last(), Some(&Shown::Idle));
    let mut bench = bench.again();
    assert_eq!(bench.run(0, Run::Look), "no rune runs in this place");
}

#[test]
fn a_rune_has_the_boards_own_sensors_unless_the_host_says_otherwise() {
    let mut bench = Bench::new();
    let (digest, _) = bench.upload(&echo(four(CapabilityKind::Raw)));
    assert_eq!(bench.install(Install::Try(digest)), "Place(0)");
    bench.runes.turn();
    let lines = bench.run(0, Run::Lines);
    assert!(lines.contains("[7, 7, 7, 7]"), "{lines}");
    assert_eq!(bench.feed(&[1; 4]), "a sensor feeds this capability");
    let clear = Request::Play(Play::Clear { samples: 0 });
    assert_eq!(bench.ask(&clear), "Done");
    assert_eq!(bench.install(Install::Try(digest)), "Place(0)");
    assert_eq!(bench.feed(&[1, 2, 3, 4]), "Done");
    // It is called when the host says.
    bench.runes.turn();
    assert_eq!(bench.run(0, Run::Lines), "");
    assert_eq!(bench.run(0, Run::Call), "Done");
    assert!(bench.run(0, Run::Lines).contains("[1, 2, 3, 4]"));
    // What the board has not and nobody plays is refused when the rune is tried, and not before.
    let (digest, installed) = bench.upload(&echo(four(CapabilityKind::Gpio)));
    assert!(installed.contains("state: Verified"), "{installed}");
    let refused = bench.install(Install::Try(digest));
    assert!(refused.contains("there is no such sensor"), "{refused}");
    assert_eq!(bench.ask(&clear), "Done");
    assert_eq!(bench.install(Install::Try(digest)), "Place(0)");
}

#[test]
fn what_is_no_rune_or_not_there_is_refused() {
    let mut bench = Bench::new();
    let (digest, refused) = bench.upload(&[7; 3000]);
    assert!(
        !refused.is_empty() && !refused.contains("Installed"),
        "{refused}"
    );
    assert!(bench.install(Install::Slot(0)).contains("state: Bad"));
    assert_eq!(bench.install(Install::Slot(5)), "there is no such slot");
    assert!(bench.install(Install::Try(digest)).contains("BAD"));
    let unknown = bench.install(Install::Try([1; 32]));
    assert_ne!(unknown, "Place(0)");
    assert!(bench.feed(&[1]).contains("no rune runs"));
    for place in [0, 3, 4, 255] {
        assert_eq!(bench.run(place, Run::Call), "no rune runs in this place");
    }
    assert_eq!(bench.ask(&Request::Crash(Crash::Heap)), "heap full");
    let stop = Request::StopFlash {
        after: 0,
        is_torn: false,
    };
    assert_eq!(bench.ask(&stop), "this build does not fail on request");
    let status = bench.ask(&Request::Status);
    let heap = "heap_bytes: 1, heap_most_bytes: 2, heap_all_bytes: 3, stack_most_bytes: 4";
    assert!(status.contains(heap), "{status}");
    assert!(status.contains("lost_bytes: 7, broken_frames: 0"));
}

#[test]
fn garbage_is_counted_and_the_watchdog_is_fed_as_long_as_links_go_on() {
    let mut bench = Bench::new();
    let garbage = [0, 9, 9, 9, 0, 1, 2, 0];
    bench.fake.0.borrow_mut().to.extend(garbage);
    bench.runes.turn();
    let status = bench.ask(&Request::Status);
    assert!(status.contains("broken_frames: 2"), "{status}");
    assert_eq!(bench.fake.0.borrow().fed, 2);
    bench.send(&Request::Crash(Crash::Links));
    bench.runes.turn();
    for _ in 0..3 {
        bench.send(&Request::Status);
        bench.runes.turn();
    }
    assert!(bench.fake.0.borrow().from.is_empty());
    assert_eq!(bench.fake.0.borrow().fed, 3);
}

#[test]
fn flash_that_does_not_work_installs_nothing_and_the_rest_goes_on() {
    let mut bench = Bench::new();
    bench.sim.state.borrow_mut().locked = true;
    let begin = Install::Begin {
        bytes: 10,
        digest: [1; 32],
        anew: false,
    };
    assert!(bench.install(begin).contains("flash does not work"));
    assert!(bench.ask(&Request::About).contains("bench"));
}
