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

use rune_install::{Error, Identity, Installer, Name, OpenError, Options, Pool, Refused, Upload};

use crate::{
    flash::{Cut, Flash, OUTCOMES},
    laws::name,
};

const BUFFER: usize = Pool::<3, 2, 2>::RECORD_BYTES.next_multiple_of(64);
type Device<'f> = Installer<&'f mut Flash, [u8; BUFFER], 3, 2, 2>;

const OPTIONS: Options = Options {
    tries: 9,
    strikes: 2,
    format: true,
};

/// The rune of a name and a version: its bytes, and a digest that differs for others.
fn rune(text: &str, version: u8) -> (Vec<u8>, [u8; 32]) {
    let mut bytes = vec![version; 150];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    let mut at = 0x9E37_79B9_u32;
    for byte in &mut bytes[8..] {
        at = at.wrapping_mul(1_664_525).wrapping_add(u32::from(version));
        *byte ^= (at >> 24) as u8;
    }
    let digest = digest(&bytes);
    (bytes, digest)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    std::array::from_fn(|i| {
        let mut hasher = DefaultHasher::new();
        (i, bytes).hash(&mut hasher);
        hasher.finish() as u8
    })
}

/// What an operation may meet: the power is gone.
type Result<T> = std::result::Result<T, Error<Cut>>;

fn read(device: &mut Device<'_>, slot: usize) -> Vec<u8> {
    let mut bytes = vec![0; device.pool().slots()[slot].bytes as usize];
    device
        .read(slot, 0, &mut bytes)
        .expect("a slot that is complete has no torn word");
    bytes
}

/// Sends up to so many bytes of a rune.
fn send(device: &mut Device<'_>, text: &str, version: u8, until: usize) -> Result<()> {
    let (bytes, digest) = rune(text, version);
    let Upload::From(mut at) = device.begin(digest, bytes.len() as u32, true)? else {
        return Ok(());
    };
    while (at as usize) < until {
        let end = bytes.len().min(at as usize + 70);
        at += device.chunk(at, &bytes[at as usize..end])?;
    }
    Ok(())
}

/// Sends a rune and verifies it.
fn upload(device: &mut Device<'_>, text: &str, version: u8) -> Result<()> {
    let (bytes, due) = rune(text, version);
    send(device, text, version, bytes.len())?;
    let held = device.pool().holding(&due).expect("it was sent");
    if device.pool().receiving() != Some(held) {
        return Ok(());
    }
    let slot = device.end()?;
    assert_eq!(digest(&read(device, slot)), due, "what was sent is there");
    let identity = Identity {
        name: name(text),
        version: [0; 3],
        counter: 1,
    };
    device.verified(identity).map(drop)
}

fn try_out(device: &mut Device<'_>, text: &str, version: u8) -> Result<()> {
    upload(device, text, version)?;
    device.try_out(rune(text, version).1)?;
    device.attempt(name(text)).map(drop)
}

fn install(device: &mut Device<'_>, text: &str, version: u8) -> Result<()> {
    try_out(device, text, version)?;
    device.confirm(name(text)).map(drop)
}

/// Starts the rune of a name as a device does: the version that would run.
fn run(device: &mut Device<'_>, whose: Name) -> Result<Option<u8>> {
    let start = match device.attempt(whose) {
        Ok(Some(start)) => start,
        Ok(None) | Err(Error::Refused(Refused::Unknown | Refused::Phase { .. })) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let slot = usize::from(start.slot);
    let bytes = read(device, slot);
    let due = device.pool().slots()[slot].digest;
    assert_eq!(digest(&bytes), due, "a torn rune would run");
    assert_eq!(read(device, slot), bytes, "it reads otherwise");
    let version = (1..20).find(|v| rune(whose.as_str(), *v).0 == bytes);
    Ok(Some(version.expect("a rune that was sent")))
}

/// Opens a device and does something; `None` where the power went.
fn with<T>(flash: &mut Flash, act: impl FnOnce(&mut Device<'_>) -> Result<T>) -> Option<T> {
    let result = match Installer::open(flash, [0; BUFFER], OPTIONS) {
        Ok(mut device) => act(&mut device),
        Err(OpenError::Storage(Cut)) => Err(Error::Storage(Cut)),
        Err(error) => panic!("{error:?}"),
    };
    match result {
        Ok(value) => Some(value),
        Err(Error::Storage(Cut)) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// What runs, of the names `a` and `b`.
type Runs = [Option<u8>; 2];

/// A start: what would run.
fn start(flash: &mut Flash) -> Option<Runs> {
    with(flash, |device| {
        Ok([run(device, name("a"))?, run(device, name("b"))?])
    })
}

/// One way to spend a device's time, and what may run after a cut anywhere in it.
struct Scenario {
    title: &'static str,
    before: fn(&mut Device<'_>) -> Result<()>,
    act: fn(&mut Device<'_>) -> Result<()>,
    a: &'static [Option<u8>],
    b: Option<u8>,
    /// The starts of the check may be the last that the trial has.
    spends: bool,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        title: "first install",
        before: |_| Ok(()),
        act: |d| install(d, "a", 1),
        a: &[None, Some(1)],
        b: None,
        spends: false,
    },
    Scenario {
        title: "upgrade",
        before: |d| install(d, "a", 1),
        act: |d| install(d, "a", 2),
        a: &[Some(1), Some(2)],
        b: None,
        spends: false,
    },
    Scenario {
        title: "upgrade with a full pool",
        before: |d| {
            install(d, "a", 1)?;
            install(d, "b", 9)?;
            install(d, "a", 2)
        },
        act: |d| install(d, "a", 3),
        a: &[Some(2), Some(3)],
        b: Some(9),
        spends: false,
    },
    Scenario {
        title: "an upload that goes on after a start",
        before: |d| {
            install(d, "a", 1)?;
            send(d, "a", 2, 100)
        },
        act: |d| try_out(d, "a", 2),
        a: &[Some(1), Some(2)],
        b: None,
        spends: false,
    },
    Scenario {
        title: "confirm",
        before: |d| {
            install(d, "a", 1)?;
            try_out(d, "a", 2)
        },
        act: |d| d.confirm(name("a")).map(drop),
        a: &[Some(2)],
        b: None,
        spends: false,
    },
    Scenario {
        title: "a trial that is rolled back",
        before: |d| {
            install(d, "b", 9)?;
            install(d, "a", 1)?;
            try_out(d, "a", 2)
        },
        act: |d| d.rollback(name("a")).map(drop),
        a: &[Some(2), Some(1)],
        b: Some(9),
        spends: false,
    },
    Scenario {
        title: "back to the one before",
        before: |d| {
            install(d, "a", 1)?;
            install(d, "a", 2)
        },
        act: |d| d.rollback(name("a")).map(drop),
        a: &[Some(2), Some(1)],
        b: None,
        spends: false,
    },
    Scenario {
        title: "a trial that fails at each start",
        before: |d| {
            install(d, "a", 1)?;
            upload(d, "a", 2)?;
            d.try_out(rune("a", 2).1).map(drop)
        },
        act: |d| {
            for _ in 0..OPTIONS.tries {
                d.attempt(name("a"))?;
                d.failed(name("a"))?;
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
            install(d, "b", 9)?;
            install(d, "a", 1)?;
            install(d, "a", 2)
        },
        act: |d| d.remove(name("a")).map(drop),
        a: &[Some(2), None],
        b: Some(9),
        spends: false,
    },
    Scenario {
        title: "an upload that is given up for another",
        before: |d| {
            install(d, "b", 9)?;
            install(d, "a", 1)?;
            send(d, "a", 2, 150)
        },
        act: |d| {
            send(d, "a", 3, 70)?;
            d.discard(rune("a", 3).1)?;
            try_out(d, "a", 4)
        },
        a: &[Some(1), Some(4)],
        b: Some(9),
        spends: false,
    },
];

/// What was covered.
#[derive(Default)]
struct Covered {
    cuts: usize,
    starts: usize,
    seen: HashSet<u64>,
}

impl Covered {
    /// Starts a flash whose power went, checks what runs, and cuts that start everywhere too.
    fn check(&mut self, scenario: &Scenario, flash: &Flash, depth: usize) {
        let mut hasher = DefaultHasher::new();
        (scenario.title, depth, flash.image()).hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        let title = scenario.title;
        let mut whole = flash.clone().start(None);
        let [a, b] = start(&mut whole).expect("the power stays");
        let operations = whole.operations;
        self.starts += 1;
        assert!(scenario.a.contains(&a), "{title}: {a:?} of `a` runs");
        assert_eq!(b, scenario.b, "{title}: what of `b` runs");
        // What ran runs again, and there is room.
        let mut again = whole.start(None);
        let runs = with(&mut again, |device| {
            let runs = [run(device, name("a"))?, run(device, name("b"))?];
            // A trial may be under way in the last slot. Its end makes room.
            if let Err(Error::Refused(Refused::Full)) = send(device, "a", 11, 0) {
                device.rollback(name("a"))?;
            }
            install(device, "a", 11)?;
            Ok(runs)
        });
        let is_spent = scenario.spends && runs == Some([Some(1), b]);
        assert!(
            runs == Some([a, b]) || is_spent,
            "{title}: it changed once more, to {runs:?}"
        );
        let new = start(&mut again.start(None));
        assert_eq!(
            new,
            Some([Some(11), b]),
            "{title}: no new one can be installed"
        );
        if depth == 0 {
            return;
        }
        for at in 0..operations {
            for outcome in OUTCOMES {
                let mut flash = flash.clone().start(Some((at, outcome)));
                assert_eq!(start(&mut flash), None, "{title}: operation {at}");
                self.cuts += 1;
                self.check(scenario, &flash, depth - 1);
            }
        }
    }
}

#[test]
fn wherever_the_power_goes_the_old_or_the_new_rune_runs() {
    let asked = std::env::var("RUNE_POWER_DEPTH").ok();
    let mut all = [0; 3];
    for scenario in SCENARIOS {
        let mut before = Flash::new();
        with(&mut before, scenario.before).expect("the power stays");
        let mut whole = before.clone().start(None);
        with(&mut whole, scenario.act).expect("the power stays");
        let usual = if whole.operations <= 8 { 2 } else { 1 };
        let depth = asked.as_ref().map_or(usual, |d| d.parse().unwrap());
        let mut covered = Covered::default();
        covered.check(scenario, &whole, depth);
        for at in 0..whole.operations {
            for outcome in OUTCOMES {
                let mut flash = before.clone().start(Some((at, outcome)));
                assert_eq!(with(&mut flash, scenario.act), None, "operation {at}");
                covered.cuts += 1;
                covered.check(scenario, &flash, depth);
            }
        }
        let Covered { cuts, starts, .. } = covered;
        let (title, operations) = (scenario.title, whole.operations);
        println!("{title}: {operations} operations, {cuts} cuts, {starts} states of the flash");
        all = [all[0] + operations, all[1] + cuts, all[2] + starts];
    }
    let [operations, cuts, starts] = all;
    println!("together: {operations} operations, {cuts} cuts, {starts} states of the flash");
}
