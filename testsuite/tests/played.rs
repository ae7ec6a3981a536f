//! Sensors that a host plays to the emulated board, and the inputs of runes that run there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rune_abi::{CapabilityKind, Manifest, ManifestView, Version, WasmFeatures};
use rune_adapt::{
    Axes, Crop, ImageSource, MotionFormat, MotionSource, PixelFormat, Plan, Rate, SampleFormat,
    SoundSource, Source, Stream, Unit, plan,
};
use rune_codegen::{Options, Simd};
use rune_ir::env::Env;
use rune_link::{Play, Played, Reply, Request};
use rune_runtime::{Call, Input, Limits, Recording, Rune, SourceFlag, serial};
use rune_testsuite::{engines, play, qemu::Machine, random::Random, root};
use runec::world::World;

const MICROPHONE: SoundSource = SoundSource {
    rate: Rate {
        numerator: 16_000,
        denominator: 1,
    },
    channels: 1,
    format: SampleFormat::S16,
};

const ACCELEROMETER: MotionSource = MotionSource {
    rate: None,
    format: MotionFormat::F32,
    offset: 0.0,
    scale: 1.0,
    unit: Unit::G,
    axes: Axes::SAME,
};

const CAMERA: ImageSource = ImageSource {
    width: 8,
    height: 8,
    stride: 0,
    format: PixelFormat::Gray8,
    crop: Crop::Whole,
};

/// A rune of this text, without SIMD.
fn compile(text: &str) -> (Rune, Vec<u8>) {
    let world = World::new(PathBuf::from("."));
    let env: &dyn Env = &world;
    let options = Options {
        simd: Simd::Off,
        ..Options::default()
    };
    let compiled = engines::compile_text(text, env, &options);
    let rendered = engines::rendered(&compiled);
    let wasm = compiled.output.unwrap_or_else(|| panic!("{rendered}")).wasm;
    (Rune::load(wasm.clone()).unwrap(), wasm)
}

/// Asks for something of sensors.
fn ask(board: &mut Machine, what: Play<'_>) -> Result<(), String> {
    board.request(&Request::Play(what))
}

/// Gives the first sensor bytes.
fn feed(board: &mut Machine, data: &[u8], is_end: bool) -> Result<Played, String> {
    let feed = Play::Feed {
        place: 0,
        sensor: 0,
        is_end,
        data,
    };
    board.ask(&Request::Play(feed), |reply| {
        let Reply::Played(played) = reply else {
            return None;
        };
        Some(played)
    })
}

/// Waits until so many samples were read, or there are no more.
fn wait(board: &mut Machine, samples: u32) -> Played {
    for _ in 0..10_000 {
        let played = feed(board, &[], false).unwrap();
        if played.samples >= samples || played.is_over {
            return played;
        }
    }
    panic!("nothing is read");
}

/// Starts a rune with these sensors, in place of all others.
fn start(board: &mut Machine, wasm: &[u8], sensors: &[Source]) -> Result<(), String> {
    board.remove_all()?;
    let slot = board.upload(wasm)?;
    ask(board, Play::Clear { samples: 0 })?;
    for sensor in sensors {
        ask(board, Play::Add(*sensor))?;
    }
    assert_eq!(board.try_out(&slot.digest)?, 0);
    Ok(())
}

#[test]
fn what_cannot_be_adapted_is_refused_in_the_words_of_the_core() {
    let Some(mut board) = play::board("what_cannot_be_adapted_is_refused") else {
        return;
    };
    let (_, hears) = compile(
        "FROM runicos/base\nCAPABILITY<I16[4]> SOUND ear --hz 16000\nOUT SERIAL\nRUN ear serial\n",
    );
    let (_, feels) = compile(
        "FROM runicos/base\nCAPABILITY<F32[1, 3]> ACCEL hand --hz 50\nOUT SERIAL\nRUN hand serial\n",
    );
    let (_, sees) = compile(
        "FROM runicos/base\nCAPABILITY<U8[1, 4, 4, 1]> IMAGE eye --pixel-format GrayScale\n\
         OUT SERIAL\nRUN eye serial\n",
    );
    let refused: [(&[u8], Source, &str); 6] = [
        (
            &hears,
            Source::Sound(SoundSource {
                rate: Rate::hz(8000),
                ..MICROPHONE
            }),
            "microphone cannot feed SOUND `ear`, I16[4]: the rune asks for 16000 Hz and the sensor gives 8000 Hz; \
             what it did not catch cannot be made up",
        ),
        (
            &hears,
            Source::Sound(SoundSource {
                channels: 17,
                ..MICROPHONE
            }),
            "microphone cannot feed SOUND `ear`, I16[4]: 17 channels are not 1 to 16",
        ),
        (
            &feels,
            Source::Motion(ACCELEROMETER),
            "accelerometer cannot feed ACCEL `hand`, F32[1, 3]: the rune asks for 50 Hz and the rate of the sensor is \
             not known",
        ),
        (
            &feels,
            Source::Motion(MotionSource {
                rate: Some(Rate::hz(100)),
                scale: f64::NAN,
                ..ACCELEROMETER
            }),
            "accelerometer cannot feed ACCEL `hand`, F32[1, 3]: ",
        ),
        (
            &sees,
            Source::Image(ImageSource {
                width: 3,
                format: PixelFormat::Yuyv,
                ..CAMERA
            }),
            "camera cannot feed IMAGE `eye`, U8[1, 4, 4, 1]: ",
        ),
        (
            &sees,
            Source::Image(ImageSource {
                height: 0,
                ..CAMERA
            }),
            "camera cannot feed IMAGE `eye`, U8[1, 4, 4, 1]: ",
        ),
    ];
    for (wasm, sensor, why) in refused {
        let started = start(&mut board, wasm, &[sensor]).unwrap_err();
        assert!(started.starts_with(why), "{started}\n{why}");
    }
    // A sensor that is played stands for its kind; of the others the host still gives whole samples.
    assert_eq!(start(&mut board, &feels, &[Source::Image(CAMERA)]), Ok(()));
    assert_eq!(
        start(&mut board, &hears, &[Source::Sound(MICROPHONE)]),
        Ok(())
    );
    // A camera feeds both kinds of images.
    let (_, sees) = compile(
        "FROM runicos/base\nCAPABILITY<F32[1, 2, 2, 1]> FLOAT_IMAGE eye --pixel-format GrayScale\n\
         OUT SERIAL\nRUN eye serial\n",
    );
    start(&mut board, &sees, &[Source::Image(CAMERA)]).unwrap();
    assert!(feed(&mut board, &[255; 64], true).unwrap().room > 64);
    wait(&mut board, 1);
    let line = board.lines(0).unwrap();
    assert!(line.contains("[1.0, 1.0, 1.0, 1.0]"), "{line}");
}

/// What a sensor comes to on this machine: every sample that a capability reads.
fn adapted(rune: &Rune, source: &Source, bytes: &[u8]) -> Vec<Vec<i16>> {
    let manifest = rune.manifest().to_bytes().unwrap();
    let view = ManifestView::parse(&manifest).unwrap();
    let Plan::Stream(plan) = plan(&view.capabilities.get(0).unwrap(), source).unwrap() else {
        panic!("sound is a stream");
    };
    let (words, ring) = (vec![0.0; plan.words()], vec![0; plan.ring_bytes()]);
    let mut stream = Stream::new(plan, words, ring).unwrap();
    let mut window = vec![0; plan.window_bytes()];
    let (mut all, mut rest) = (vec![], bytes);
    loop {
        rest = &rest[stream.feed(rest, None)..];
        let is_out = rest.is_empty() && stream.finish();
        while stream.read(&mut window).unwrap().is_some() {
            let samples = window.chunks_exact(2);
            all.push(samples.map(|b| i16::from_le_bytes([b[0], b[1]])).collect());
        }
        if is_out {
            return all;
        }
    }
}

#[test]
fn every_form_of_samples_is_heard_as_on_linux() {
    let Some(mut board) = play::board("every_form_of_samples_is_heard_as_on_linux") else {
        return;
    };
    let (rune, wasm) = compile(
        "FROM runicos/base\nCAPABILITY<I16[16]> SOUND ear --hz 16000\nOUT SERIAL\nRUN ear serial\n",
    );
    let mut random = Random::new(11);
    for format in [
        SampleFormat::U8,
        SampleFormat::S16,
        SampleFormat::S24In3,
        SampleFormat::S24,
        SampleFormat::S32,
        SampleFormat::F32,
    ] {
        for (hz, channels) in [(16_000, 2), (44_100, 1), (48_000, 3)] {
            let source = Source::Sound(SoundSource {
                rate: Rate::hz(hz),
                channels,
                format,
            });
            let samples = 200 * usize::from(channels);
            let bytes: Vec<u8> = if format == SampleFormat::F32 {
                let floats = random.bytes(samples);
                floats
                    .iter()
                    .flat_map(|b| (f32::from(*b) / 128.0 - 1.0).to_le_bytes())
                    .collect()
            } else {
                random.bytes(samples * format.bytes())
            };
            let mut expected = String::new();
            for samples in adapted(&rune, &source, &bytes) {
                let begin =
                    r#"{"serial": [{"element_type": "i16", "dimensions": [16], "elements": "#;
                let line = format!("{begin}{samples:?}}}]}}\n");
                expected += &line;
            }
            assert!(!expected.is_empty());
            let inputs = vec![Input::Recording(Recording { source, bytes })];
            let mut heard = String::new();
            let ran = board.run(&wasm, &rune, inputs, None, |lines| heard += lines);
            assert_eq!(ran, Ok(()), "{source:?}");
            assert_eq!(heard, expected, "{source:?}");
        }
    }
}

#[test]
fn what_a_board_takes_of_sensors_is_bounded() {
    let Some(mut board) = play::board("what_a_board_takes_of_sensors_is_bounded") else {
        return;
    };
    let (_, hears) = compile(
        "FROM runicos/base\nCAPABILITY<I16[4]> SOUND ear --hz 16000\nOUT SERIAL\nRUN ear serial\n",
    );
    let heap = |board: &mut Machine| {
        let read = |reply: Reply<'_>| {
            let Reply::Status(status) = reply else {
                return None;
            };
            Some(status.heap_bytes)
        };
        board.ask(&Request::Status, read).unwrap()
    };
    assert_eq!(
        feed(&mut board, &[], false),
        Err("no such sensor is played".to_owned())
    );
    let early = ask(&mut board, Play::Add(Source::Motion(ACCELEROMETER)));
    assert_eq!(early, Err("it was not said that sensors follow".to_owned()));
    ask(&mut board, Play::Clear { samples: 0 }).unwrap();
    for _ in 0..8 {
        ask(&mut board, Play::Add(Source::Motion(ACCELEROMETER))).unwrap();
    }
    let ninth = ask(&mut board, Play::Add(Source::Motion(ACCELEROMETER)));
    assert_eq!(ninth, Err("the board plays no more sensors".to_owned()));
    ask(&mut board, Play::Clear { samples: 0 }).unwrap();
    for (width, height, stride) in [(1025, 1024, 0), (u32::MAX, u32::MAX, 0), (1, 2, u32::MAX)] {
        let large = Source::Image(ImageSource {
            width,
            height,
            stride,
            ..CAMERA
        });
        let why = ask(&mut board, Play::Add(large)).unwrap_err();
        assert!(why.contains("larger than the board's memory"), "{why}");
    }
    // A sample that no memory of the board can hold is no reason to fail for the board.
    let (_, much) = compile(
        "FROM runicos/base\nCAPABILITY<I16[4]> SOUND ear --hop 268435456\nOUT SERIAL\nRUN ear serial\n",
    );
    start(&mut board, &much, &[Source::Sound(MICROPHONE)]).unwrap();
    feed(&mut board, &[1; 8], true).unwrap();
    wait(&mut board, 2);
    assert_eq!(board.lines(0).unwrap().lines().count(), 1);

    start(&mut board, &hears, &[Source::Sound(MICROPHONE)]).unwrap();
    let before = heap(&mut board);
    for _ in 0..3 {
        start(&mut board, &hears, &[Source::Sound(MICROPHONE)]).unwrap();
        let played = feed(&mut board, &[7; 20], true).unwrap();
        assert_eq!((played.lost, played.room > 1000), (0, true));
        // Two samples, and what is left fills none.
        wait(&mut board, 3);
        assert_eq!(board.lines(0).unwrap().lines().count(), 2);
        let over = feed(&mut board, &[], false).unwrap();
        assert_eq!((over.samples, over.is_over), (2, true));
        let more = feed(&mut board, &[7; 8], false);
        assert_eq!(more, Err("the sensor has come to its end".to_owned()));
    }
    start(&mut board, &hears, &[Source::Sound(MICROPHONE)]).unwrap();
    assert_eq!(heap(&mut board), before, "the tables of before are gone");
    // Without sensors the host gives samples again.
    start(&mut board, &hears, &[]).unwrap();
    let sample = [1, 0, 2, 0, 3, 0, 4, 0].to_vec();
    let line = board.call(0, &[sample]).unwrap();
    assert!(line.contains("[1, 2, 3, 4]"), "{line}");
}

/// A rune that is not called, as its other input does not come, and a sensor that does not wait.
#[test]
fn frames_for_which_there_is_no_room_are_lost_and_counted() {
    let Some(mut board) = play::board("frames_for_which_there_is_no_room") else {
        return;
    };
    let (_, wasm) = compile(
        "FROM runicos/base\nCAPABILITY<I16[2]> SOUND ear --hz 16000\nCAPABILITY<U8[1]> RAW go\n\
         OUT SERIAL\nRUN [go, ear] serial\n",
    );
    let three = SoundSource {
        channels: 3,
        ..MICROPHONE
    };
    start(&mut board, &wasm, &[Source::Sound(three)]).unwrap();
    let room = feed(&mut board, &[], false).unwrap().room;
    // In parts that cut frames, one behind the other, without a look at the room.
    let all: Vec<u8> = (0..3000u16)
        .flat_map(|n| [n.to_le_bytes(); 3].concat())
        .collect();
    let mut state = Played::default();
    for part in all.chunks(1000) {
        state = feed(&mut board, part, false).unwrap();
    }
    assert!(state.room < 6, "{state:?}");
    // What the ring holds, and a chunk that the adapter has taken, was not lost.
    let (kept, lost) = (room / 6, state.lost);
    assert!(
        (3000 - kept - 64..=3000 - kept).contains(&lost),
        "{state:?}"
    );
    let go = Request::Feed {
        place: 0,
        capability: 1,
        offset: 0,
        data: &[1],
    };
    let mut heard = vec![];
    for call in 1..=40 {
        board.request(&go).unwrap();
        assert_eq!(wait(&mut board, call).samples, call);
        let line: serde_json::Value = serde_json::from_str(&board.lines(0).unwrap()).unwrap();
        let values = line["serial"][1]["elements"].as_array().unwrap();
        heard.extend(values.iter().map(|v| v.as_u64().unwrap() as u32));
    }
    // Frames follow each other but for the place where some were lost.
    let jumps: Vec<[u32; 2]> = heard
        .array_windows()
        .copied()
        .filter(|[a, b]| a + 1 != *b)
        .collect();
    let [[before, after]] = jumps[..] else {
        panic!("{heard:?}");
    };
    assert!(heard[0] == 0 && before < 64, "{heard:?}");
    assert!(after > lost && 3000 - after <= kept, "{heard:?} {state:?}");
    assert_eq!(wait(&mut board, 40).lost, lost);

    // Pictures are lost whole, whatever part of one was lost.
    let (_, wasm) = compile(
        "FROM runicos/base\nCAPABILITY<U8[1, 1, 1, 1]> IMAGE eye --pixel-format GrayScale\n\
         CAPABILITY<U8[1]> RAW go\nOUT SERIAL\nRUN [go, eye] serial\n",
    );
    let camera = ImageSource {
        width: 64,
        height: 64,
        ..CAMERA
    };
    start(&mut board, &wasm, &[Source::Image(camera)]).unwrap();
    for picture in 0..8u8 {
        for part in [picture; 64 * 64].chunks(1000) {
            state = feed(&mut board, part, false).unwrap();
        }
    }
    // The adapter has the first, and the ring the last two.
    assert_eq!(state.lost, 5);
    let mut seen = vec![];
    for call in 1..=3 {
        board.request(&go).unwrap();
        assert_eq!(wait(&mut board, call).samples, call);
        let line: serde_json::Value = serde_json::from_str(&board.lines(0).unwrap()).unwrap();
        seen.push(line["serial"][1]["elements"][0].as_u64().unwrap());
    }
    assert_eq!(seen, [0, 6, 7]);
}

fn examples(file: &str) -> String {
    root().join("examples").join(file).display().to_string()
}

fn flags(flags: &[(CapabilityKind, &str)]) -> Vec<SourceFlag> {
    let flag = |(kind, value): &(CapabilityKind, &str)| SourceFlag {
        kind: *kind,
        value: (*value).to_owned(),
    };
    flags.iter().map(flag).collect()
}

/// The same lines as on Linux, with so many calls or all.
fn same_as_linux(board: &mut Machine, text: &str, given: &[SourceFlag], calls: Option<u64>) {
    let (rune, wasm) = compile(text);
    let mut expected = String::new();
    let grants = rune.grant(given, &Limits::default()).unwrap();
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    for _ in 0..calls.unwrap_or(u64::MAX) {
        match instance.call().unwrap() {
            Call::Output(records) => expected += &(serial::line(rune.manifest(), records) + "\n"),
            Call::NoOutput => {}
            Call::End => break,
        }
    }
    let mut found = String::new();
    let inputs = rune.inputs(given).unwrap();
    let ran = board.run(&wasm, &rune, inputs, calls, |lines| found += lines);
    assert_eq!(ran, Ok(()), "{:?}", board.console());
    assert!(!expected.is_empty());
    assert_eq!(found, expected, "{text}{given:?} {calls:?}");
}

#[test]
fn a_board_calls_a_rune_as_often_as_linux() {
    use CapabilityKind::{Accel, Image, Rand, Raw};
    let Some(mut board) = play::board("a_board_calls_a_rune_as_often_as_linux") else {
        return;
    };
    let ring = examples("gesture/ring.csv");
    let feels = "FROM runicos/base\nCAPABILITY<F32[5, 3]> ACCEL hand --hop 4\nOUT SERIAL\nRUN hand serial\n";
    for calls in [None, Some(1), Some(3), Some(1000)] {
        same_as_linux(&mut board, feels, &flags(&[(Accel, &ring)]), calls);
    }
    let turned = format!("{ring},axes=y-xz,unit=m/s2,scale=0.5,offset=1,rate=100");
    let slow = "FROM runicos/base\nCAPABILITY<F32[5, 3]> ACCEL hand --hz 30\nOUT SERIAL\nRUN hand serial\n";
    same_as_linux(&mut board, slow, &flags(&[(Accel, &turned)]), None);
    // Beside a sensor, samples without end and samples that end first.
    let both = "FROM runicos/base\nCAPABILITY<F32[2]> RAND luck\nCAPABILITY<U8[2]> RAW bytes\n\
                CAPABILITY<F32[20, 3]> ACCEL hand\nOUT SERIAL\nRUN [hand, luck, bytes] serial\n";
    let bytes = examples("sine/input.bin");
    let given = flags(&[(Accel, &ring), (Rand, "7"), (Raw, &bytes)]);
    for calls in [None, Some(2)] {
        same_as_linux(&mut board, both, &given, calls);
    }
    let long = "FROM runicos/base\nCAPABILITY<U8[12]> RAW bytes\nCAPABILITY<F32[20, 3]> ACCEL hand\n\
                OUT SERIAL\nRUN [hand, bytes] serial\n";
    same_as_linux(
        &mut board,
        long,
        &flags(&[(Accel, &ring), (Raw, &bytes)]),
        None,
    );
    // Pictures one after the other, and of several sizes, which no one camera gives.
    let sees =
        "FROM runicos/base\nCAPABILITY<U8[1, 4, 4, 3]> IMAGE eye\nOUT SERIAL\nRUN eye serial\n";
    let [zero, seven, large] =
        ["0", "7", "7-large"].map(|name| examples(&format!("digits/{name}.png")));
    same_as_linux(
        &mut board,
        sees,
        &flags(&[(Image, &zero), (Image, &seven)]),
        None,
    );
    same_as_linux(
        &mut board,
        sees,
        &flags(&[(Image, &zero), (Image, &large)]),
        None,
    );
    // Two recordings, which no window spans, and two capabilities of one kind.
    let wing = examples("gesture/wing.csv");
    same_as_linux(
        &mut board,
        feels,
        &flags(&[(Accel, &ring), (Accel, &wing)]),
        None,
    );
    let two = "FROM runicos/base\nCAPABILITY<F32[30, 3]> ACCEL left\nCAPABILITY<F32[30, 3]> ACCEL right\n\
               OUT SERIAL\nRUN [left, right] serial\n";
    same_as_linux(
        &mut board,
        two,
        &flags(&[(Accel, &ring), (Accel, &wing)]),
        None,
    );
}

/// A rune without inputs that logs, and fails at its second call.
fn talkative() -> Vec<u8> {
    let manifest = Manifest {
        abi_version: rune_abi::ABI_VERSION,
        features: WasmFeatures(0),
        security_counter: 0,
        memory_bytes: 1 << 16,
        stack_bytes: 0,
        name: "talkative".to_owned(),
        version: Version::default(),
        bases: vec![],
        capabilities: vec![],
        outputs: vec![],
        models: vec![],
        stages: vec![],
    };
    let bytes = manifest.to_bytes().unwrap();
    let quoted = bytes
        .iter()
        .fold(String::new(), |text, b| text + &format!("\\{b:02x}"));
    let logs = (1..=6).fold(String::new(), |text, level| {
        let at = 4 * level;
        text + &format!("(call $log (i32.const {level}) (i32.const {at}) (i32.const 8))")
    });
    let text = format!(
        r#"(module
          (import "runicos" "log" (func $log (param i32 i32 i32)))
          (import "runicos" "fault" (func $fault (param i32 i32 i32)))
          (memory (export "memory") 1 1)
          (data (i32.const 0) "one two\nthree \c3\a4 \ff\00\1b[31m four")
          (data (i32.const 1024) "{quoted}")
          (global $calls (mut i32) (i32.const 0))
          (@custom "rune.manifest" "{quoted}")
          (func (export "_manifest") (result i32) i32.const 1024)
          (func (export "_call") (result i32)
            {logs}
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (if (result i32) (i32.eq (global.get $calls) (i32.const 2))
              (then (call $fault (i32.const -5) (i32.const 0) (i32.const 7)) (i32.const -5))
              (else (i32.const 1)))))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn what_a_rune_logs_and_why_it_fails_is_said_as_on_linux() {
    let Some(mut board) = play::board("what_a_rune_logs_and_why_it_fails") else {
        return;
    };
    let wasm = talkative();
    let rune = Rune::load(wasm.clone()).unwrap();
    let said = Arc::new(Mutex::new(vec![]));
    let listener = said.clone();
    let grants = rune.grant(&[], &Limits::default()).unwrap();
    let listen = move |level: u32, text: &str| {
        let name = ["error", "warning", "note", "debug", "trace", "trace"][level as usize - 1];
        let line = format!("{name}: {text}");
        listener.lock().unwrap().push(line);
    };
    let mut instance = rune.start(grants, Box::new(listen)).unwrap();
    assert_eq!(instance.call().unwrap(), Call::NoOutput);
    let why = instance.call().unwrap_err().to_string();
    let ran = board.run(&wasm, &rune, vec![], Some(2), |_| {});
    assert_eq!(ran, Err(why.clone()));
    // The console has a line of its own for the failure behind those of the rune.
    let begins = |line: &String| line.contains(": talkative: ");
    let console: Vec<String> = board.console().into_iter().filter(begins).collect();
    let (last, logged) = console.split_last().unwrap();
    let said = said.lock().unwrap().clone();
    assert_eq!(said.len(), 12);
    assert_eq!(logged, said);
    assert!(
        last.starts_with(&format!("error: talkative: {why}; ")),
        "{last}"
    );
}

/// Which inputs a sensor gives; for this no board is needed.
#[test]
fn files_are_recordings_where_one_sensor_gives_them() {
    use CapabilityKind::{Accel, Sound};
    let of = |text: &str, given: &[SourceFlag]| compile(text).0.inputs(given);
    let feels =
        "FROM runicos/base\nCAPABILITY<F32[5, 3]> ACCEL hand\nOUT SERIAL\nRUN hand serial\n";
    let hears =
        "FROM runicos/base\nCAPABILITY<I16[4]> SOUND ear --hz 48000\nOUT SERIAL\nRUN ear serial\n";
    let ring = examples("gesture/ring.csv");
    let [Input::Recording(Recording { source, bytes })] =
        &of(feels, &flags(&[(Accel, &ring)])).unwrap()[..]
    else {
        panic!("it is one");
    };
    assert!(matches!(source, Source::Motion(m) if m.format == MotionFormat::F32));
    assert_eq!(bytes.len(), 128 * 12);
    let twice = of(feels, &flags(&[(Accel, &ring), (Accel, &ring)])).unwrap();
    assert!(matches!(&twice[..], [Input::Samples(_)]));
    // That it is too slow is for the board to say.
    let words = examples("keyword/words.wav");
    let [Input::Recording(Recording { source, .. })] =
        &of(hears, &flags(&[(Sound, &words)])).unwrap()[..]
    else {
        panic!("it is one");
    };
    assert_eq!(*source, Source::Sound(MICROPHONE));
    // What is no recording of a single window, or none at all, is an error as on Linux.
    let long =
        "FROM runicos/base\nCAPABILITY<F32[500, 3]> ACCEL hand\nOUT SERIAL\nRUN hand serial\n";
    for (text, given) in [
        (long, flags(&[(Accel, &ring)])),
        (feels, flags(&[])),
        (feels, flags(&[(Accel, "no such file")])),
        (feels, flags(&[(Sound, &words)])),
    ] {
        let linux = compile(text).0.grant(&given, &Limits::default());
        let found = of(text, &given).err().map(|e| e.to_string());
        assert_eq!(found, linux.err().map(|e| e.to_string()));
        assert!(found.is_some(), "{given:?}");
    }
}
