//! Deploying over a link that loses, repeats, delays and changes packets, to a device that starts anew in the middle, in
//! virtual time: whatever happens, the new rune runs and is verified, or the old one runs; and doing it again finishes it.

use std::{collections::VecDeque, io, sync::OnceLock, time::Duration};

use rune_hammer::{
    client::{Client, Patience},
    deploy::{Outcome, Package, Wish, cast},
    link::Link,
};
use rune_install::{Identity, Name};
use rune_smp::{Device as _, Server};
use runec::{Options, driver, world::Input};

use crate::{
    schedule::Schedule,
    sim::{Bench, sha256},
    support::folder,
};

/// How many schedules of faults.
const SCHEDULES: u64 = 10_000;

/// The same rune in two versions, larger than a packet.
fn runes() -> &'static [Vec<u8>; 2] {
    static RUNES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    RUNES.get_or_init(|| {
        [1, 2].map(|version| {
            let folder = folder(&format!("faults-{version}"));
            let runefile = folder.join("Runefile");
            let text = format!(
                "FROM runicos/base\nLABEL name=noise version={version}.0.0\nCAPABILITY<I16[160]> SOUND noise --hz 8000\n\
                 OUT SERIAL serial\nRUN noise serial\n"
            );
            std::fs::write(&runefile, text).unwrap();
            let input = Input::open(&runefile).unwrap();
            let compiled = driver::generate(driver::analyse(&input.request()), &Options::default());
            let mut wasm = compiled.output.unwrap().wasm;
            // A section that nobody reads: its length takes two bytes.
            let content = [&[7][..], b"padding", &[version as u8; 2000]].concat();
            wasm.extend([0, (content.len() & 0x7F) as u8 | 0x80, (content.len() >> 7) as u8]);
            wasm.extend(content);
            wasm
        })
    })
}

fn identify(file: &[u8]) -> Option<Identity> {
    let rune = rune_core::check(file).ok()?;
    let manifest = rune.manifest();
    let version = manifest.version;
    Some(Identity {
        name: Name::new(manifest.name)?,
        version: [version.major, version.minor, version.patch],
        counter: manifest.security_counter,
    })
}

/// A device behind such a link.
struct Air {
    schedule: Schedule,
    now: Duration,
    bench: Option<Bench>,
    server: Server,
    /// On their way, with when they arrive.
    to_device: VecDeque<(Duration, Vec<u8>)>,
    to_host: VecDeque<(Duration, Vec<u8>)>,
    away_until: Duration,
    called: Duration,
}

impl Air {
    fn new(seed: u64, bench: Bench) -> Self {
        Self {
            schedule: Schedule::new(seed),
            now: Duration::ZERO,
            bench: Some(bench),
            server: Server::new(),
            to_device: VecDeque::new(),
            to_host: VecDeque::new(),
            away_until: Duration::ZERO,
            called: Duration::ZERO,
        }
    }

    /// Nothing goes wrong any more.
    fn calm(&mut self) {
        self.schedule.calm();
        self.away_until = Duration::ZERO;
        self.to_device.clear();
        self.to_host.clear();
    }

    fn bench(&mut self) -> &mut Bench {
        self.bench.as_mut().unwrap()
    }

    /// The device goes on to an instant.
    fn advance(&mut self, to: Duration) {
        const START: Duration = Duration::from_millis(400);
        const CALL: Duration = Duration::from_millis(50);
        self.now = self.now.max(to);
        while let Some(at) = self.schedule.reset(self.now) {
            self.away_until = at + START;
            self.bench = self.bench.take().map(Bench::restart);
            self.server = Server::new();
            self.called = self.away_until;
        }
        while self.called + CALL <= self.now {
            self.called += CALL;
            let bench = self.bench();
            bench
                .running
                .iter_mut()
                .for_each(|running| running.3 += u32::from(running.2));
            bench.healthy();
        }
        while let Some(index) =
            earliest(&self.to_device).filter(|i| self.to_device[*i].0 <= self.now)
        {
            let (at, packet) = self.to_device.remove(index).unwrap();
            if at < self.away_until {
                continue;
            }
            let mut out = [0; 1024];
            let bench = self.bench.as_mut().unwrap();
            let answer = self.server.handle(&packet, bench, &mut out);
            if let Some(answer) = answer {
                let resets = answer.resets;
                let packet = answer.packet.to_vec();
                let replies = self.schedule.fly(self.now, &packet);
                self.to_host.extend(replies);
                if resets {
                    self.schedule.resets.insert(0, self.now);
                }
            }
        }
    }
}

/// Where the packet is that arrives first.
fn earliest(packets: &VecDeque<(Duration, Vec<u8>)>) -> Option<usize> {
    (0..packets.len()).min_by_key(|index| packets[*index].0)
}

impl Link for Air {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        let arrivals = self.schedule.fly(self.now, packet);
        self.to_device.extend(arrivals);
        Ok(())
    }

    fn receive(&mut self, within: Duration) -> io::Result<Option<Vec<u8>>> {
        const STEP: Duration = Duration::from_millis(5);
        let until = self.now + within;
        loop {
            self.advance(self.now);
            if let Some(index) = earliest(&self.to_host).filter(|i| self.to_host[*i].0 <= self.now)
            {
                return Ok(self.to_host.remove(index).map(|(_, packet)| packet));
            }
            if self.now >= until {
                return Ok(None);
            }
            self.advance((self.now + STEP).min(until));
        }
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn pause(&mut self, time: Duration) {
        let until = self.now + time;
        self.advance(until);
    }

    fn packet_bytes(&self) -> usize {
        512
    }
}

const WISH: Wish = Wish {
    anew: false,
    trial: false,
    dry_run: false,
    watch: Duration::from_secs(3),
};

/// A device on which the first version runs and stays.
fn device() -> Bench {
    let mut bench = Bench::new();
    bench.identify = identify;
    let mut air = Air::new(0, bench);
    air.calm();
    let package = Package::new(runes()[0].clone()).unwrap();
    let mut client = Client::new(air, 0, Patience::default());
    let outcome = cast(&mut client, &package, &WISH, |_| {}).unwrap();
    assert!(matches!(outcome, Outcome::Confirmed(1..)), "{outcome:?}");
    client.link().bench.take().unwrap()
}

/// Which of the two versions runs.
fn runs(bench: &Bench) -> Option<usize> {
    let [(_, digest, true, _)] = bench.running[..] else {
        return None;
    };
    runes().iter().position(|rune| sha256(rune) == digest)
}

#[test]
fn whatever_happens_to_a_link_a_repeat_finishes_the_job() {
    let package = Package::new(runes()[1].clone()).unwrap();
    let [mut first, mut repeated, mut reset] = [0; 3];
    for seed in 1..=SCHEDULES {
        let air = Air::new(seed, device());
        let mut client = Client::new(air, seed as u8, Patience::default());
        reset += u64::from(!client.link().schedule.resets.is_empty());
        let outcome = cast(&mut client, &package, &WISH, |_| {});
        let air = client.link();
        air.calm();
        assert!(air.bench().is_whole(), "{seed}: {outcome:?}");
        let runs_now = runs(air.bench());
        if let Ok(Outcome::Confirmed(_)) = outcome {
            first += 1;
            assert_eq!(runs_now, Some(1), "{seed}: it was said to run");
        } else {
            repeated += 1;
            assert!(runs_now.is_some(), "{seed}: {outcome:?}, and nothing runs");
        }
        // What the first time left: a strike, a trial whose tries are used up.
        let wish = Wish { anew: true, ..WISH };
        let again = cast(&mut client, &package, &wish, |_| {});
        assert!(
            matches!(again, Ok(Outcome::Confirmed(_))),
            "{seed}: {outcome:?}, then {again:?}"
        );
        let bench = client.link().bench();
        assert!(bench.is_whole(), "{seed}");
        assert_eq!(runs(bench), Some(1), "{seed}: {outcome:?}, then {again:?}");
        let entries = bench.entries();
        let is_kept = |entry: &&rune_install::Entry| entry.phase == rune_install::Phase::Confirmed;
        assert_eq!(entries.iter().filter(is_kept).count(), 1, "{seed}");
    }
    // The schedules are such that both happen often.
    assert!(first > SCHEDULES / 4 && repeated > SCHEDULES / 50 && reset > SCHEDULES / 2);
}

#[test]
fn what_a_device_lacks_is_said_before_anything_changes() {
    let mut air = Air::new(0, device());
    air.calm();
    let folder = folder("lacks");
    let runefile = folder.join("Runefile");
    let text = "FROM runicos/base\nCAPABILITY<U8[1, 8, 8, 1]> IMAGE picture --width 8 --height 8 --pixel-format GrayScale\nOUT SERIAL serial\nRUN picture serial\n";
    std::fs::write(&runefile, text).unwrap();
    let input = Input::open(&runefile).unwrap();
    let compiled = driver::generate(driver::analyse(&input.request()), &Options::default());
    let package = Package::new(compiled.output.unwrap().wasm).unwrap();
    let mut client = Client::new(air, 0, Patience::default());
    let failed = cast(&mut client, &package, &WISH, |_| {}).unwrap_err();
    assert_eq!(failed.to_string(), "it has no IMAGE; nothing was changed");
    assert_eq!(runs(client.link().bench()), Some(0));
}
