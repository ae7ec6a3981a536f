//! Sensors of drivers, adapted on the device as on Linux.

use rune_abi::{CapabilityKind, ElementType, OutputKind, Value};
use rune_adapt::{Crop, ImageSource, PixelFormat, Plan, Rate, SampleFormat, SoundSource, Stream};
use rune_core::{
    Adapted, Clock, Device, Gives, Phase, Rand, Sensor, Source, SourceError, Table, Taken,
};

use crate::{
    bench::{Ticks, add, runtime},
    runes::{capability, echo, param, ty},
};

const CARD: rune_adapt::Source = rune_adapt::Source::Sound(SoundSource {
    rate: Rate::hz(16_000),
    channels: 2,
    format: SampleFormat::S16,
});

const CAMERA: rune_adapt::Source = rune_adapt::Source::Image(ImageSource {
    width: 8,
    height: 4,
    stride: 0,
    format: PixelFormat::Gray8,
    crop: Crop::Whole,
});

static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &[
        Sensor {
            name: "card",
            kind: CapabilityKind::Sound,
            gives: Gives::Adapted(CARD),
            ranges: &[],
        },
        Sensor {
            name: "camera",
            kind: CapabilityKind::Image,
            gives: Gives::Adapted(CAMERA),
            ranges: &[],
        },
    ],
    outputs: &[OutputKind::Serial],
    memory_bytes: 1 << 20,
    code_bytes: 1 << 16,
    native_keys: &[],
};

/// A recording that comes in pieces of odd sizes, with nothing between some.
struct Tape {
    bytes: Vec<u8>,
    at: usize,
    turn: usize,
    /// After so many bytes so many frames are lost.
    gap: Option<(usize, u64)>,
    ends: bool,
}

impl Tape {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            at: 0,
            turn: 0,
            gap: None,
            ends: true,
        }
    }
}

impl Device for Tape {
    fn take(&mut self, out: &mut [u8]) -> Result<Taken, SourceError> {
        self.turn += 1;
        let wish = [0, 1, 7, 64, 255, 1000][self.turn % 6];
        let mut len = wish.min(out.len()).min(self.bytes.len() - self.at);
        let mut lost = 0;
        if let Some((at, frames)) = self.gap {
            if self.at == at {
                self.gap = None;
                lost = frames;
            } else {
                len = len.min(at - self.at);
            }
        }
        out[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Ok(Taken {
            bytes: len,
            time_ns: None,
            lost,
            is_end: self.ends && self.at == self.bytes.len(),
        })
    }
}

fn tone() -> Vec<u8> {
    let frames = 0..1000_i32;
    frames
        .flat_map(|n| [(n * 37 % 2001 - 1000) as i16, (n * 11 % 777) as i16])
        .flat_map(i16::to_le_bytes)
        .collect()
}

fn sound(window: u32) -> rune_abi::Capability {
    let mut sound = capability(
        CapabilityKind::Sound,
        "ear",
        ty(ElementType::I16, &[window]),
    );
    sound.params = vec![
        param("hz", Value::Integer(8000)),
        param("hop", Value::Integer(32)),
    ];
    sound
}

#[test]
fn windows_are_those_that_adapting_the_whole_gives() {
    let rune = echo(sound(64));
    let checked = rune_core::check(&rune).unwrap();
    let view = checked.manifest().capabilities.get(0).unwrap();
    let Ok(Plan::Stream(plan)) = rune_adapt::plan(&view, &CARD) else {
        panic!("a card gives a stream");
    };
    let mut whole = Stream::new(
        plan.with_backlog(1000),
        vec![0.0; plan.words()],
        vec![0; plan.with_backlog(1000).ring_bytes()],
    )
    .unwrap();
    assert_eq!(whole.feed(&tone(), None), tone().len());
    assert!(whole.finish());
    let mut windows = vec![];
    let mut window = vec![0; plan.window_bytes()];
    while whole.read(&mut window).unwrap().is_some() {
        windows.push(window.clone());
    }
    let mut runtime = runtime();
    runtime.board().table = &TABLE;
    let clock = runtime.board().clock.clone();
    runtime.board().opens = Some(Box::new(move |capability, row| {
        let plan = TABLE.sensors[row].plan(capability).unwrap();
        Box::new(Adapted::new(plan, Tape::new(tone()), clock.clone()))
    }));
    let id = add(&mut runtime, rune);
    while runtime.unit(id).unwrap().phase() == Phase::Running {
        runtime.poll();
    }
    assert_eq!(runtime.unit(id).unwrap().phase(), Phase::Ended);
    let lines = runtime.board().lines_of("test");
    assert!(windows.len() > 10);
    assert_eq!(lines.len(), windows.len());
    for (line, window) in lines.iter().zip(windows) {
        let samples = window
            .chunks_exact(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]).to_string());
        let samples = samples.collect::<Vec<_>>().join(", ");
        assert!(line.ends_with(&format!("[{samples}]}}]}}")), "{line}");
    }
}

#[test]
fn pictures_are_scaled_and_what_is_lost_is_counted() {
    let mut image = capability(CapabilityKind::Image, "eye", ty(ElementType::U8, &[2, 4]));
    image.params = vec![
        param("width", Value::Integer(4)),
        param("height", Value::Integer(2)),
        param("pixel-format", Value::Text("GrayScale".to_owned())),
    ];
    let rune = echo(image);
    let checked = rune_core::check(&rune).unwrap();
    let view = checked.manifest().capabilities.get(0).unwrap();
    let plan = TABLE.sensors[1].plan(&view).unwrap();
    // Two pictures, of which the second is broken off once.
    let mut tape = Tape::new([[10; 32], [99; 32], [20; 32]].concat());
    tape.gap = Some((48, 1));
    tape.bytes.drain(48..64);
    let clock = Ticks::default();
    let mut source = Adapted::new(plan, tape, clock.clone());
    let mut out = [0; 8];
    for (level, lost) in [(10, 0), (20, 1)] {
        let read = source.read(&mut out, u64::MAX).unwrap();
        assert_eq!(read, rune_core::Read::Sample { lost });
        assert_eq!(out, [level; 8]);
    }
    assert_eq!(source.read(&mut out, u64::MAX), Ok(rune_core::Read::End));
}

#[test]
fn a_device_that_gives_nothing_is_late() {
    let rune = echo(sound(64));
    let checked = rune_core::check(&rune).unwrap();
    let view = checked.manifest().capabilities.get(0).unwrap();
    let plan = TABLE.sensors[0].plan(&view).unwrap();
    let mut tape = Tape::new(vec![0; 40]);
    tape.ends = false;
    let clock = Ticks::default();
    let mut source = Adapted::new(plan, tape, clock.clone());
    assert!(!source.is_ready(0));
    let mut out = [0; 128];
    let deadline = clock.now_ns() + 50_000;
    assert_eq!(source.read(&mut out, deadline), Err(SourceError::Late));
    assert!(clock.now_ns() >= deadline);
}

#[test]
fn random_numbers_follow_from_the_seed() {
    let mut rand = capability(CapabilityKind::Rand, "rand", ty(ElementType::F32, &[4]));
    rand.params = vec![param("min", Value::Float(-2.0))];
    let rune = echo(rand);
    let checked = rune_core::check(&rune).unwrap();
    let view = checked.manifest().capabilities.get(0).unwrap();
    let numbers = |index, seed| {
        let mut out = [0; 16];
        Rand::open(&view, index, seed).unwrap().fill(&mut out);
        out
    };
    assert_eq!(numbers(0, 7), numbers(0, 7));
    assert_ne!(numbers(0, 7), numbers(1, 7));
    assert_ne!(numbers(0, 7), numbers(0, 8));
    let floats = numbers(0, 1);
    let mut floats = floats.chunks_exact(4);
    assert!(floats.all(|b| (-2.0..1.0).contains(&f32::from_le_bytes(b.try_into().unwrap()))));
}
