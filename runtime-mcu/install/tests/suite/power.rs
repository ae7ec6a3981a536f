//! The power goes at every operation of installing, confirming, rolling back and deleting, and then at every
//! operation of each start after it. Each time the device starts with the old or the new rune, whole, and takes an
//! upload.
//!
//! One start after the first cut is cut too, and two where there are few operations. `RUNE_POWER_DEPTH` says another
//! number; 2 takes minutes.

#![allow(clippy::print_stdout, reason = "it says how much was covered")]

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use rune_install::{
    Digest, Error, Identity, Input, Installer, Name, OpenError, Options, Pool, ReadFault, Refused,
    Reply,
    nor::{Fault, Nor, Operation},
};

use crate::{
    flash::{Any, Flash, FlashError, Fuse, Internal, Profile, SLOTS, Serial},
    laws::name,
};

type State = Pool<SLOTS, 2, 2>;
pub(crate) const BUFFER: usize = State::RECORD_BYTES.next_multiple_of(64);

pub(crate) const OPTIONS: Options = Options {
    tries: 9,
    strikes: 2,
    format: true,
};

/// The rune of a name and a version, longer than a sector: its bytes, and a digest that differs for others.
pub(crate) fn rune<P: Profile>(text: &str, version: u8) -> (Vec<u8>, Digest) {
    let mut bytes = vec![version; 75 + P::MAP.step.min(4096) as usize];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    let mut at = 0x9E37_79B9_u32;
    for byte in &mut bytes[8..] {
        at = at.wrapping_mul(1_664_525).wrapping_add(u32::from(version));
        *byte ^= (at >> 24) as u8;
    }
    let digest = digest(&bytes);
    (bytes, digest)
}

fn digest(bytes: &[u8]) -> Digest {
    let mut digest = [0; 32];
    for (i, part) in digest.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (i, bytes).hash(&mut hasher);
        part.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    digest
}

/// What an operation may meet: the power is gone.
pub(crate) type Result<T> = std::result::Result<T, Error<Fault<FlashError>>>;
pub(crate) const CUT: Fault<FlashError> = Fault::Flash(FlashError::Cut);

/// A pool as the next start may find it.
fn lasting<P: Profile>(pool: &State) -> Vec<u8> {
    let mut bytes = vec![0; BUFFER];
    let len = pool.encode(0, P::MAP.step, &mut bytes);
    bytes.truncate(len);
    bytes
}

type Opened<'f, P> = Installer<Nor<&'f mut Flash<P>, SLOTS>, [u8; BUFFER], SLOTS, 2, 2>;

/// An installer, and what a start may find after it.
pub(crate) struct Device<'f, P: Profile> {
    installer: Opened<'f, P>,
    possible: &'f mut Vec<Vec<u8>>,
}

impl<'f, P: Profile> Device<'f, P> {
    pub(crate) fn new(installer: Opened<'f, P>, possible: &'f mut Vec<Vec<u8>>) -> Self {
        Self {
            installer,
            possible,
        }
    }

    pub(crate) fn pool(&self) -> &State {
        self.installer.pool()
    }

    pub(crate) fn input(&mut self, input: Input) -> Result<Reply> {
        self.input_of(input, &[])
    }

    /// Until it is acknowledged, the pool from before or from after it counts.
    fn input_of(&mut self, input: Input, data: &[u8]) -> Result<Reply> {
        let next = self.pool().step(self.installer.limits(), input);
        self.possible
            .extend(next.map(|next| lasting::<P>(&next.pool)));
        let reply = self.installer.input(input, data)?;
        *self.possible = vec![lasting::<P>(self.pool())];
        Ok(reply)
    }

    /// Reads the rune of a slot, in two ways.
    fn read(&mut self, slot: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.pool().slots()[slot].bytes as usize];
        match self.installer.read(slot, 0, &mut bytes) {
            Ok(()) => {}
            Err(ReadFault::Failed(e)) => return Err(Error::Storage(e)),
            Err(ReadFault::Torn) => panic!("a slot that is complete has no torn word"),
        }
        let in_place = self.installer.storage().bytes(slot, bytes.len());
        assert_eq!(in_place, Some(&*bytes));
        Ok(bytes)
    }

    /// Sends so many sixths of a rune.
    pub(crate) fn send(&mut self, text: &str, version: u8, sixths: usize) -> Result<()> {
        let (bytes, digest) = rune::<P>(text, version);
        let input = Input::Begin {
            digest,
            bytes: bytes.len() as u32,
            anew: true,
        };
        let Reply::Receiving { mut offset, .. } = self.input(input)? else {
            return Ok(());
        };
        let until = bytes.len() * sixths / 6;
        while (offset as usize) < until {
            let at = offset as usize;
            let part = &bytes[at..until.min(at + bytes.len() / 3)];
            let len = part.len() as u32;
            let Reply::Taken { len } = self.input_of(Input::Chunk { offset, len }, part)? else {
                unreachable!("a chunk is taken")
            };
            offset += len;
            if bytes.len() > until && until - (offset as usize) < P::WORD {
                break;
            }
        }
        Ok(())
    }

    /// Sends a rune and verifies it.
    pub(crate) fn upload(&mut self, text: &str, version: u8) -> Result<()> {
        let due = rune::<P>(text, version).1;
        self.send(text, version, 6)?;
        let held = self.pool().holding(&due).expect("it was sent");
        if self.pool().receiving() != Some(held) {
            return Ok(());
        }
        self.input(Input::End)?;
        assert_eq!(digest(&self.read(held)?), due, "what was sent is there");
        let identity = Identity {
            name: name(text),
            version: [0; 3],
            counter: 1,
        };
        self.input(Input::Verified(identity)).map(drop)
    }

    pub(crate) fn try_out(&mut self, text: &str, version: u8) -> Result<()> {
        self.upload(text, version)?;
        self.input(Input::TryOut(rune::<P>(text, version).1))?;
        self.input(Input::Attempt(name(text))).map(drop)
    }

    pub(crate) fn install(&mut self, text: &str, version: u8) -> Result<()> {
        self.try_out(text, version)?;
        self.input(Input::Confirm(name(text))).map(drop)
    }

    /// Starts the rune of a name as a device does: the version that would run.
    pub(crate) fn run(&mut self, whose: Name) -> Result<Option<u8>> {
        let start = match self.input(Input::Attempt(whose)) {
            Ok(Reply::Start(start)) => start,
            Ok(_) | Err(Error::Refused(Refused::Unknown | Refused::Phase { .. })) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let slot = usize::from(start.slot);
        let bytes = self.read(slot)?;
        let due = self.pool().slots()[slot].digest;
        assert_eq!(digest(&bytes), due, "a torn rune would run");
        assert_eq!(self.read(slot)?, bytes, "it reads otherwise");
        let version = bytes[7];
        assert_eq!(rune::<P>(whose.as_str(), version).1, due, "it was sent");
        Ok(Some(version))
    }
}

/// A flash, and what a start may find on it.
#[derive(Clone)]
pub(crate) struct World<P> {
    pub(crate) flash: Flash<P>,
    possible: Vec<Vec<u8>>,
}

impl<P: Profile> World<P> {
    pub(crate) fn new() -> Self {
        Self {
            flash: Flash::new(),
            possible: vec![lasting::<P>(&Pool::new())],
        }
    }

    /// The next start may find anything.
    pub(crate) fn forget(&mut self) {
        self.possible.clear();
    }

    /// The power comes again, and goes at an operation.
    pub(crate) fn start(mut self, fuse: Option<Fuse>) -> Self {
        self.flash = self.flash.start(fuse);
        self
    }

    /// Opens a device and does something; `None` where the power went.
    pub(crate) fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Device<'_, P>) -> Result<T>,
    ) -> Option<T> {
        let storage = Nor::new(&mut self.flash, P::MAP, None).expect("the map fits");
        let result = match Installer::open(storage, [0; BUFFER], OPTIONS) {
            Ok(installer) => {
                let found = lasting::<P>(installer.pool());
                let is_possible = self.possible.is_empty() || self.possible.contains(&found);
                assert!(
                    is_possible,
                    "what was acknowledged is lost: {:?}",
                    installer.pool()
                );
                self.possible = vec![found];
                act(&mut Device::new(installer, &mut self.possible))
            }
            Err(OpenError::Storage(e)) => Err(Error::Storage(e)),
            Err(error) => panic!("{error:?}"),
        };
        match result {
            Ok(value) => Some(value),
            Err(Error::Storage(CUT)) => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// What runs at a start, of the names `a` and `b`.
    fn runs(&mut self) -> Option<Runs> {
        self.with(|d| Ok([d.run(name("a"))?, d.run(name("b"))?]))
    }
}

/// What runs, of the names `a` and `b`.
type Runs = [Option<u8>; 2];

/// One way to spend a device's time, and what may run after a cut anywhere in it.
struct Scenario<P: Profile> {
    title: &'static str,
    before: fn(&mut Device<'_, P>) -> Result<()>,
    act: fn(&mut Device<'_, P>) -> Result<()>,
    a: &'static [Option<u8>],
    b: Option<u8>,
    /// The starts of the check may be the last that the trial has.
    spends: bool,
}

impl<P: Profile> Scenario<P> {
    const ALL: &[Self] = &[
        Scenario {
            title: "first install",
            before: |_| Ok(()),
            act: |d| d.install("a", 1),
            a: &[None, Some(1)],
            b: None,
            spends: false,
        },
        Scenario {
            title: "upgrade",
            before: |d| d.install("a", 1),
            act: |d| d.install("a", 2),
            a: &[Some(1), Some(2)],
            b: None,
            spends: false,
        },
        Scenario {
            title: "upgrade with a full pool",
            before: |d| {
                d.install("a", 1)?;
                d.install("b", 9)?;
                d.install("a", 2)
            },
            act: |d| d.install("a", 3),
            a: &[Some(2), Some(3)],
            b: Some(9),
            spends: false,
        },
        Scenario {
            title: "an upload that goes on after a start",
            before: |d| {
                d.install("a", 1)?;
                d.send("a", 2, 4)
            },
            act: |d| d.try_out("a", 2),
            a: &[Some(1), Some(2)],
            b: None,
            spends: false,
        },
        Scenario {
            title: "confirm",
            before: |d| {
                d.install("a", 1)?;
                d.try_out("a", 2)
            },
            act: |d| d.input(Input::Confirm(name("a"))).map(drop),
            a: &[Some(2)],
            b: None,
            spends: false,
        },
        Scenario {
            title: "a trial that is rolled back",
            before: |d| {
                d.install("b", 9)?;
                d.install("a", 1)?;
                d.try_out("a", 2)
            },
            act: |d| d.input(Input::Rollback(name("a"))).map(drop),
            a: &[Some(2), Some(1)],
            b: Some(9),
            spends: false,
        },
        Scenario {
            title: "back to the one before",
            before: |d| {
                d.install("a", 1)?;
                d.install("a", 2)
            },
            act: |d| d.input(Input::Rollback(name("a"))).map(drop),
            a: &[Some(2), Some(1)],
            b: None,
            spends: false,
        },
        Scenario {
            title: "a trial that fails at each start",
            before: |d| {
                d.install("a", 1)?;
                d.upload("a", 2)?;
                d.input(Input::TryOut(rune::<P>("a", 2).1)).map(drop)
            },
            act: |d| {
                for _ in 0..OPTIONS.tries {
                    d.input(Input::Attempt(name("a")))?;
                    d.input(Input::Failed(name("a")))?;
                }
                Ok(())
            },
            a: &[Some(2), Some(1)],
            b: None,
            spends: true,
        },
        Scenario {
            title: "delete",
            before: |d| {
                d.install("b", 9)?;
                d.install("a", 1)?;
                d.install("a", 2)
            },
            act: |d| d.input(Input::Remove(name("a"))).map(drop),
            a: &[Some(2), None],
            b: Some(9),
            spends: false,
        },
        Scenario {
            title: "an upload that is given up for another",
            before: |d| {
                d.install("b", 9)?;
                d.install("a", 1)?;
                d.send("a", 2, 6)
            },
            act: |d| {
                d.send("a", 3, 3)?;
                d.input(Input::Discard(rune::<P>("a", 3).1))?;
                d.try_out("a", 4)
            },
            a: &[Some(1), Some(4)],
            b: Some(9),
            spends: false,
        },
    ];
}

/// What was covered.
#[derive(Default)]
struct Covered {
    cuts: usize,
    starts: usize,
    seen: HashSet<u64>,
}

impl Covered {
    /// Cuts the power at every operation of an act, each with all outcomes, and checks every start after it.
    fn cut<P: Profile>(
        &mut self,
        scenario: &Scenario<P>,
        before: &World<P>,
        act: impl Fn(&mut Device<'_, P>) -> Result<()>,
        (operations, depth): (&[Operation], usize),
    ) {
        for (at, operation) in operations.iter().enumerate() {
            for outcome in 0..P::outcomes(*operation).len() {
                let mut world = before.clone().start(Some(Fuse { at, outcome }));
                // Where words are unstable, one start has fewer operations than another.
                if world.with(&act).is_none() {
                    self.cuts += 1;
                    self.check(scenario, &world, depth);
                }
            }
        }
    }

    /// Starts a flash whose power went, checks what runs, and cuts that start everywhere too.
    fn check<P: Profile>(&mut self, scenario: &Scenario<P>, world: &World<P>, depth: usize) {
        let mut hasher = DefaultHasher::new();
        (depth, world.flash.image(), &world.possible).hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        let title = scenario.title;
        let mut whole = world.clone().start(None);
        let [a, b] = whole.runs().expect("the power stays");
        let operations = whole.flash.operations.clone();
        self.starts += 1;
        assert!(scenario.a.contains(&a), "{title}: {a:?} of `a` runs");
        assert_eq!(b, scenario.b, "{title}: what of `b` runs");
        // What ran runs again, and there is room.
        let mut again = whole.start(None);
        let runs = again.with(|device| {
            let runs = [device.run(name("a"))?, device.run(name("b"))?];
            // A trial may be under way in the last slot. Its end makes room.
            if let Err(Error::Refused(Refused::Full)) = device.send("a", 11, 0) {
                device.input(Input::Rollback(name("a")))?;
            }
            device.install("a", 11)?;
            Ok(runs)
        });
        let is_spent = scenario.spends && runs == Some([Some(1), b]);
        assert!(
            runs == Some([a, b]) || is_spent,
            "{title}: it changed once more, to {runs:?}"
        );
        let new = again.start(None).runs();
        assert_eq!(
            new,
            Some([Some(11), b]),
            "{title}: no new one can be installed"
        );
        if depth > 0 {
            let act = |d: &mut Device<'_, P>| {
                d.run(name("a"))?;
                d.run(name("b")).map(drop)
            };
            self.cut(scenario, world, act, (&operations, depth - 1));
        }
    }
}

/// Goes through the scenarios whose number divided by the parts leaves a rest.
fn cut_everywhere<P: Profile>(profile: &str, rest: usize, parts: usize) {
    let asked = std::env::var("RUNE_POWER_DEPTH").ok();
    let mut all = [0; 3];
    for scenario in Scenario::<P>::ALL.iter().skip(rest).step_by(parts) {
        let mut before = World::new();
        before.with(scenario.before).expect("the power stays");
        let mut whole = before.clone().start(None);
        whole.with(scenario.act).expect("the power stays");
        let operations = whole.flash.operations.clone();
        let usual = if operations.len() <= P::DEEP { 2 } else { 1 };
        let depth = asked.as_ref().map_or(usual, |d| d.parse().unwrap());
        let mut covered = Covered::default();
        covered.check(scenario, &whole, depth);
        covered.cut(scenario, &before, scenario.act, (&operations, depth));
        let Covered { cuts, starts, .. } = covered;
        let (title, points) = (scenario.title, operations.len());
        println!("{profile}, {title}: {points} cut points, {cuts} cuts, {starts} states");
        all = [all[0] + points, all[1] + cuts, all[2] + starts];
    }
    let [points, cuts, starts] = all;
    println!(
        "{profile}, part {rest}: {points} cut points, {cuts} cuts, {starts} states of the flash"
    );
}

/// One test for each part, which run side by side.
macro_rules! cut_everywhere {
    ($($test:ident $profile:ty, $name:literal, $rest:literal of $parts:literal;)+) => {
        $(
            #[test]
            fn $test() {
                cut_everywhere::<$profile>($name, $rest, $parts);
            }
        )+
    };
}

cut_everywhere! {
    whatever_a_storage_may_do_the_old_or_the_new_rune_runs_0 Any, "any", 0 of 3;
    whatever_a_storage_may_do_the_old_or_the_new_rune_runs_1 Any, "any", 1 of 3;
    whatever_a_storage_may_do_the_old_or_the_new_rune_runs_2 Any, "any", 2 of 3;
    on_internal_flash_the_old_or_the_new_rune_runs Internal<false>, "h7-internal", 0 of 1;
    on_serial_flash_the_old_or_the_new_rune_runs_0 Serial, "qspi", 0 of 3;
    on_serial_flash_the_old_or_the_new_rune_runs_1 Serial, "qspi", 1 of 3;
    on_serial_flash_the_old_or_the_new_rune_runs_2 Serial, "qspi", 2 of 3;
}
