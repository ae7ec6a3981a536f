//! Records say what was recorded, survive the wire, and nothing else passes for one.

use rune_abi::{
    ABI_VERSION, Dim, ElementType, Feed, Manifest, ManifestView, Output as Sink, OutputKind,
    TensorType, Version, WasmFeatures,
};
use rune_saga::{Counters, Failure, Outcome, Output, Recorder, Snapshot, Stage, Subject, TooSmall};

use crate::random::Random;

const STAGES: [&str; 5] = ["accelerometer", "normalize", "gesture", "best", "label"];

fn manifest() -> Vec<u8> {
    let ty = TensorType::new(ElementType::F32, &[Dim::Exact(4)]).unwrap();
    let output = |name: &str| Sink {
        kind: OutputKind::Serial,
        name: name.to_owned(),
        tensors: vec![Feed {
            from: "label".to_owned(),
            ty,
        }],
        params: Vec::new(),
    };
    let manifest = Manifest {
        abi_version: ABI_VERSION,
        features: WasmFeatures::default(),
        security_counter: 0,
        memory_bytes: 65536,
        stack_bytes: 1024,
        name: "gesture".to_owned(),
        version: Version {
            major: 1,
            minor: 200,
            patch: 65535,
        },
        bases: Vec::new(),
        capabilities: Vec::new(),
        outputs: vec![output("serial"), output("log")],
        models: Vec::new(),
        stages: STAGES.map(str::to_owned).into(),
    };
    manifest.to_bytes().unwrap()
}

type Boxed = Recorder<Vec<Stage>, Vec<Output>>;

fn recorder() -> Boxed {
    Recorder::new(vec![Stage::new(); 5], vec![Output::new(); 2], 1_000)
}

/// Tells recorders the same random story.
fn happen(random: &mut Random, events: usize, recorders: &mut [&mut Boxed]) {
    for _ in 0..events {
        let (kind, index, ns) = (random.below(8), random.below(7), random.duration(40));
        let failure = Failure::ALL[random.below(Failure::ALL.len())];
        for recorder in &mut *recorders {
            match kind {
                0 => recorder.call(ns, Outcome::Output),
                1 => recorder.call(ns, Outcome::NoOutput),
                2 => recorder.call(ns, Outcome::Failed(failure)),
                3 => recorder.stage(index, ns),
                4 => recorder.written(index, ns as u32),
                5 => recorder.dropped(index, index as u64),
                6 => recorder.memory(ns),
                _ => {
                    recorder.overran(index as u64);
                    recorder.started();
                }
            }
        }
    }
}

fn encoded(recorder: &Boxed, now: u64) -> Vec<u8> {
    let bytes = manifest();
    let manifest = ManifestView::parse(&bytes).unwrap();
    let subject = Subject {
        manifest: &manifest,
        digest: [7; 32],
    };
    let mut out = vec![0; 1 << 16];
    recorder.encode(&subject, now, &mut out).unwrap().to_vec()
}

#[test]
fn a_record_says_what_was_recorded() {
    let mut random = Random::new(1);
    for _ in 0..200 {
        let mut recorder = recorder();
        for beats in 0..3 {
            let events = random.below(300);
            happen(&mut random, events, &mut [&mut recorder]);
            let bytes = encoded(&recorder, 5_000);
            let seen = Snapshot::decode(&bytes).unwrap();
            assert_eq!((seen.name, seen.digest), ("gesture", [7; 32]));
            assert_eq!(seen.version.to_string(), "1.200.65535");
            assert_eq!(seen.beats, beats);
            assert_eq!(seen.uptime_ns, 4_000);
            assert_eq!(seen.memory_peak_bytes, recorder.memory_peak_bytes());
            assert_eq!(seen.total, recorder.total());
            assert_eq!(seen.interval, recorder.interval());
            assert_eq!(seen.latency, recorder.latency());
            assert_eq!(seen.interval_latency, *recorder.interval_latency());
            assert_eq!(seen.total.calls(), seen.latency.count());
            let names: Vec<_> = seen.stages().map(|s| s.name).collect();
            assert_eq!(names, STAGES);
            for (seen, stage) in seen.stages().zip(recorder.stages()) {
                assert_eq!(seen.total, *stage.total());
                assert_eq!(seen.interval, *stage.interval());
            }
            let names: Vec<_> = seen.outputs().map(|o| o.name).collect();
            assert_eq!(names, ["serial", "log"]);
            for (seen, output) in seen.outputs().zip(recorder.outputs()) {
                assert_eq!(seen.total, output.total());
                assert_eq!(seen.interval, output.interval());
            }
            recorder.begin_interval(5_000);
        }
    }
}

#[test]
fn a_heartbeat_begins_the_interval_anew_and_totals_go_on() {
    let mut random = Random::new(2);
    let bytes = manifest();
    let manifest = ManifestView::parse(&bytes).unwrap();
    let subject = Subject {
        manifest: &manifest,
        digest: [0; 32],
    };
    let (mut beating, mut steady) = (recorder(), recorder());
    let mut intervals = Counters::new();
    let mut out = [0; 8192];
    for beat in 0..20 {
        happen(&mut random, 100, &mut [&mut beating, &mut steady]);
        let now = 2_000 + beat * 10;
        let record = beating.heartbeat(&subject, now, &mut out).unwrap();
        let seen = Snapshot::decode(record).unwrap();
        assert_eq!(seen.beats, beat);
        assert_eq!(seen.interval_ns, if beat == 0 { 1_000 } else { 10 });
        intervals.merge(&seen.interval);
        assert_eq!(beating.interval(), Counters::new());
        assert_eq!(beating.interval_latency().count(), 0);
        assert!(beating.stages().iter().all(|s| s.interval().count() == 0));
        assert_eq!(beating.total(), steady.total());
        assert_eq!(beating.latency(), steady.latency());
        for (a, b) in beating.stages().iter().zip(steady.stages()) {
            assert_eq!(a.total(), b.total());
        }
        for (a, b) in beating.outputs().iter().zip(steady.outputs()) {
            assert_eq!(a.total(), b.total());
        }
    }
    assert_eq!(intervals, steady.total());
}

#[test]
fn a_record_that_does_not_fit_says_what_it_takes_and_loses_nothing() {
    let mut recorder = recorder();
    happen(&mut Random::new(3), 500, &mut [&mut recorder]);
    let whole = encoded(&recorder, 2_000);
    let bytes = manifest();
    let manifest = ManifestView::parse(&bytes).unwrap();
    let subject = Subject {
        manifest: &manifest,
        digest: [7; 32],
    };
    let mut out = vec![0; whole.len()];
    for len in 0..whole.len() {
        let error = recorder.heartbeat(&subject, 2_000, &mut out[..len]);
        let needed = whole.len();
        assert_eq!(error, Err(TooSmall { needed }));
    }
    assert_eq!(encoded(&recorder, 2_000), whole);
    assert_eq!(
        recorder.heartbeat(&subject, 2_000, &mut out),
        Ok(&whole[..])
    );
}

#[test]
fn whatever_is_changed_in_a_record_is_refused_or_consistent() {
    let mut random = Random::new(4);
    let mut recorder = recorder();
    happen(&mut random, 300, &mut [&mut recorder]);
    recorder.begin_interval(1_500);
    happen(&mut random, 300, &mut [&mut recorder]);
    let whole = encoded(&recorder, 2_000);
    for len in 0..whole.len() {
        let error = Snapshot::decode(&whole[..len]).unwrap_err();
        assert!(error.offset <= len, "{error}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(Snapshot::decode(&longer).unwrap_err().offset, whole.len());
    let mut refused = 0;
    let rounds = 50_000;
    for _ in 0..rounds {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 => drop(
                    bytes.drain(
                        at..(at + 1 + random.below(9))
                            .min(whole.len())
                            .max(at)
                            .min(bytes.len()),
                    ),
                ),
                _ => bytes.insert(at, random.next() as u8),
            }
        }
        match Snapshot::decode(&bytes) {
            Err(error) => {
                refused += 1;
                assert!(error.offset <= bytes.len(), "{error}");
            }
            Ok(seen) => {
                for histogram in seen
                    .stages()
                    .map(|s| s.total)
                    .chain([seen.latency.clone(), seen.interval_latency.clone()])
                {
                    let counted = histogram.buckets().map(|b| b.count);
                    assert_eq!(counted.fold(0, u64::saturating_add), histogram.count());
                    let middle = histogram.quantile_ns(0.5);
                    assert!(histogram.min_ns() <= middle && middle <= histogram.max_ns());
                }
                assert!(seen.outputs().count() <= 2);
            }
        }
    }
    assert!(refused > rounds / 2, "{refused} of {rounds}");
}

#[test]
fn numbers_of_the_wire_have_one_form() {
    let start = [&b"SAGA\x01\x01r"[..], &[0; 3], &[7; 32]].concat();
    let refusal = |number: &[u8]| {
        let bytes = [&start[..], number].concat();
        Snapshot::decode(&bytes).unwrap_err().what
    };
    assert_eq!(refusal(&[5]), "ends too early");
    assert_eq!(refusal(&[0x80, 0]), "number in more bytes than it takes");
    assert_eq!(refusal(&[0xff; 10]), "number too large");
    let largest = [&[0xff; 9][..], &[1]].concat();
    assert_eq!(refusal(&largest), "ends too early");
    let more = [&[0xff; 9][..], &[2]].concat();
    assert_eq!(refusal(&more), "number too large");
    assert_eq!(
        Snapshot::decode(b"SAGA\x02").unwrap_err().what,
        "unknown format version"
    );
    assert_eq!(
        Snapshot::decode(b"RUNE\x01").unwrap_err().what,
        "no magic `SAGA`"
    );
}

#[test]
fn a_recorder_takes_what_its_documentation_says() {
    assert!(size_of::<Stage>() <= 2_250);
    assert!(size_of::<Recorder<&mut [Stage], &mut [Output]>>() <= 4_840);
    // A heartbeat of a device whose durations spread over a few buckets fits one frame of SMP.
    let mut recorder = recorder();
    let mut random = Random::new(5);
    for _ in 0..100_000 {
        for stage in 0..5 {
            recorder.stage(stage, 2_000 + random.next() % 1_000);
        }
        recorder.call(10_000 + random.next() % 8_000, Outcome::Output);
    }
    let bytes = encoded(&recorder, 1_000_000_000).len();
    assert!(bytes < 400, "{bytes}");
}
