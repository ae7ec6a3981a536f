//! One rune on devices with different sensors of one kind: the same label from all of them, on Linux and on the
//! emulated board, which adapts their bytes itself.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{cell::RefCell, f64::consts::PI, fs, path::PathBuf, time::Instant};

use image::ImageReader;
use rune_abi::ManifestView;
use rune_adapt::{
    Axes, Axis, Crop, ImagePlan, ImageSource, MotionFormat, MotionSource, PixelFormat, Plan, Rate,
    SampleFormat, ScanType, SoundSource, Source, Stream, StreamPlan, Unit, plan,
};
use rune_codegen::{Options, Simd};
use rune_runtime::{Call, Grants, Input, Limits, Read, Recording, Rune, SourceError, serial};
use rune_testsuite::{engines, play, qemu::Machine, root};
use runec::world::World;

fn example(path: &str) -> PathBuf {
    root().join("examples").join(path)
}

/// A rune on Linux and, where there is one, on the emulated board.
struct Subject {
    rune: Rune,
    /// The same without SIMD, and its bytes.
    scalar: (Rune, Vec<u8>),
    board: RefCell<Option<Machine>>,
}

impl Subject {
    /// The rune of an example, with a text of its Runefile replaced.
    fn new(test: &str, name: &str, replace: (&str, &str)) -> Self {
        let scalar = Options {
            simd: Simd::Off,
            ..Options::default()
        };
        let bytes = wasm(name, replace, &scalar);
        Self {
            rune: Rune::load(wasm(name, replace, &Options::default())).unwrap(),
            scalar: (Rune::load(bytes.clone()).unwrap(), bytes),
            board: RefCell::new(play::board(test)),
        }
    }

    /// Plays a recording to the board, which must print the same.
    fn compare(&self, source: &Source, bytes: &[u8], linux: &str) {
        if let Some(board) = self.board.borrow_mut().as_mut() {
            let recording = Recording {
                source: *source,
                bytes: bytes.to_vec(),
            };
            let (rune, wasm) = &self.scalar;
            let mut printed = String::new();
            let inputs = vec![Input::Recording(recording)];
            let ran = board.run(wasm, rune, inputs, None, |lines| printed += lines);
            assert_eq!(ran, Ok(()), "{source:?}: {:?}", board.console());
            assert_eq!(printed, linux, "{source:?} on the board");
        }
    }
}

fn wasm(name: &str, replace: (&str, &str), options: &Options) -> Vec<u8> {
    let text = fs::read_to_string(example(name).join("Runefile")).unwrap();
    assert!(text.contains(replace.0));
    let text = text.replace(replace.0, replace.1);
    let world = World::new(example(name));
    let compiled = engines::compile_text(&text, &world, options);
    let rendered = engines::rendered(&compiled);
    let output = compiled.output.unwrap_or_else(|| panic!("{rendered}"));
    output.wasm
}

/// What a recording comes to on a sensor of this make.
fn of_stream(rune: &Rune, source: &Source, bytes: Vec<u8>) -> String {
    let Plan::Stream(plan) = planned(rune, source) else {
        panic!("not a stream: {source:?}");
    };
    printed(rune, Box::new(Tape::new(plan, bytes)))
}

fn planned(rune: &Rune, source: &Source) -> Plan {
    let bytes = rune.manifest().to_bytes().unwrap();
    let view = ManifestView::parse(&bytes).unwrap();
    plan(&view.capabilities.get(0).unwrap(), source).unwrap()
}

/// What `rune run` prints.
fn printed(rune: &Rune, source: Box<dyn rune_runtime::Source>) -> String {
    let grants = Grants::new(vec![source], Limits::default());
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    let mut lines = String::new();
    loop {
        match instance.call().unwrap() {
            Call::Output(records) => {
                lines += &serial::line(rune.manifest(), records);
                lines.push('\n');
            }
            Call::NoOutput => {}
            Call::End => return lines,
        }
    }
}

/// The bytes of a sensor, as they come in pieces from a driver.
struct Tape {
    stream: Stream<Vec<f32>, Vec<u8>>,
    bytes: Vec<u8>,
    taken: usize,
}

impl Tape {
    fn new(plan: StreamPlan, bytes: Vec<u8>) -> Self {
        let (words, ring) = (vec![0.0; plan.words()], vec![0; plan.ring_bytes()]);
        Self {
            stream: Stream::new(plan, words, ring).unwrap(),
            bytes,
            taken: 0,
        }
    }
}

impl rune_runtime::Source for Tape {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        loop {
            if self.stream.read(out).unwrap().is_some() {
                return Ok(Read::Sample);
            }
            let rest = &self.bytes[self.taken..];
            if !rest.is_empty() {
                let piece = &rest[..rest.len().min(1021)];
                self.taken += self.stream.feed(piece, None);
            } else if self.stream.finish() {
                let last = self.stream.read(out).unwrap();
                return Ok(match last {
                    Some(_) => Read::Sample,
                    None => Read::End { note: None },
                });
            }
        }
    }
}

/// One picture.
struct Picture(ImagePlan, Option<Vec<u8>>);

impl rune_runtime::Source for Picture {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        let Some(bytes) = self.1.take() else {
            return Ok(Read::End { note: None });
        };
        self.0.convert(&bytes, out).unwrap();
        Ok(Read::Sample)
    }
}

/// A signal at another rate, interpolated by a sinc under a Hann window in f64; at the ends it stays as it is.
fn interpolated(signal: &[f64], given: usize, wanted: usize) -> Vec<f64> {
    const HALF: i64 = 40;
    let at = |n: i64| signal[n.clamp(0, signal.len() as i64 - 1) as usize];
    (0..signal.len() * wanted / given)
        .map(|k| {
            let before = (k * given / wanted) as i64;
            let after = (k * given % wanted) as f64 / wanted as f64;
            if after == 0.0 {
                return at(before);
            }
            let weights = (1 - HALF..=HALF).map(|j| {
                let t = after - j as f64;
                let window = 0.5 + 0.5 * (PI * t / HALF as f64).cos();
                ((PI * t).sin() / (PI * t) * window, at(before + j))
            });
            let (sum, total) = weights.fold((0.0, 0.0), |(sum, total), (weight, value)| {
                (sum + weight * value, total + weight)
            });
            sum / total
        })
        .collect()
}

#[test]
fn words_are_heard_with_any_microphone() {
    let mut reader = hound::WavReader::open(example("keyword/words.wav")).unwrap();
    let samples = reader.samples::<i16>().map(|s| f64::from(s.unwrap()));
    let words: Vec<f64> = samples.map(|s| s / 32_768.0).collect();
    let expected = fs::read_to_string(example("keyword/words.expected.jsonl")).unwrap();
    assert_eq!(expected.lines().count(), 4);
    let subject = Subject::new("words_are_heard_with_any_microphone", "keyword", ("", ""));
    let rune = &subject.rune;
    let heard = |rate, channels, format, bytes| {
        let source = Source::Sound(SoundSource {
            rate: Rate::hz(rate),
            channels,
            format,
        });
        of_stream(rune, &source, bytes)
    };
    // The board hears the first word, for its serial port is slow.
    let compare = |rate: u32, channels: u16, format: SampleFormat, bytes: &[u8]| {
        let source = Source::Sound(SoundSource {
            rate: Rate::hz(rate),
            channels,
            format,
        });
        let tenths = bytes.chunks(rate as usize / 10 * usize::from(channels) * format.bytes());
        let mut first = vec![];
        for tenth in tenths {
            first.extend_from_slice(tenth);
            let linux = of_stream(rune, &source, first.clone());
            if !linux.is_empty() {
                assert_eq!(linux.lines().next(), expected.lines().next());
                return subject.compare(&source, &first, &linux);
            }
        }
        panic!("no word is heard");
    };
    let s16 = |v: f64| ((v * 32_768.0).round() as i16).to_le_bytes();

    let mono: Vec<u8> = words.iter().flat_map(|v| s16(*v)).collect();
    assert_eq!(heard(16_000, 1, SampleFormat::S16, mono), expected);

    // Each channel has noise that the other has not.
    let stereo = interpolated(&words, 16_000, 44_100);
    let stereo = stereo.iter().enumerate().flat_map(|(n, v)| {
        let tone = 0.2 * (n as f64 * 0.3).sin();
        [s16(v * 0.7 + tone), s16(v * 0.7 - tone)].concat()
    });
    let stereo: Vec<u8> = stereo.collect();
    compare(44_100, 2, SampleFormat::S16, &stereo);
    assert_eq!(heard(44_100, 2, SampleFormat::S16, stereo), expected);

    // Above what the rune hears there is a tone at 20 kHz.
    let fast = interpolated(&words, 16_000, 48_000);
    let fast: Vec<f64> = fast
        .iter()
        .enumerate()
        .map(|(n, v)| v * 0.7 + 0.2 * (n as f64 * 2.0 * PI * 20.0 / 48.0).sin())
        .collect();
    let floats = fast.iter().flat_map(|v| (*v as f32).to_le_bytes());
    let floats: Vec<u8> = floats.collect();
    assert_eq!(heard(48_000, 1, SampleFormat::F32, floats), expected);
    let s24 = |v: &f64| {
        let [a, b, c, _] = ((v * 8_388_608.0).round() as i32).to_le_bytes();
        [a, b, c]
    };
    let packed: Vec<u8> = fast.iter().flat_map(s24).collect();
    let format = SampleFormat::S24In3;
    compare(48_000, 1, format, &packed);
    assert_eq!(heard(48_000, 1, format, packed.clone()), expected);
    assert_ne!(
        heard(16_000, 1, format, packed),
        expected,
        "three times too slow"
    );
}

#[test]
fn signs_are_seen_with_any_accelerometer() {
    let device = MotionSource {
        rate: Some(Rate::hz(25)),
        format: MotionFormat::Counts(ScanType::S16),
        offset: 0.0,
        scale: MotionSource::scale_of_range(2.0, 16),
        unit: Unit::G,
        axes: Axes::SAME,
    };
    let subject = Subject::new(
        "signs_are_seen_with_any_accelerometer",
        "gesture",
        ("ACCEL accelerometer", "ACCEL accelerometer --hz 25"),
    );
    let mut seen_turned = 0;
    for sign in ["ring", "wing", "slope", "unknown"] {
        let csv = fs::read_to_string(example(&format!("gesture/{sign}.csv"))).unwrap();
        let expected = example(&format!("gesture/{sign}.expected.jsonl"));
        let expected = fs::read_to_string(expected).unwrap();
        let line = |l: &str| -> [f64; 3] {
            let values: Vec<f64> = l.split(',').map(|v| v.parse().unwrap()).collect();
            values.try_into().unwrap()
        };
        let readings: Vec<[f64; 3]> = csv.lines().map(line).collect();
        assert_eq!(readings.len(), 128);
        let seen = |source: MotionSource, readings: &[[f64; 3]]| {
            // As the converter of such a sensor counts, with its ends.
            let bytes = readings.iter().flatten().flat_map(|g| {
                let per_g = match source.unit {
                    Unit::G => 1.0,
                    Unit::MetresPerSecondSquared => 9.806_65,
                };
                let count = g * per_g / source.scale;
                match source.format {
                    MotionFormat::F32 => (count as f32).to_le_bytes().to_vec(),
                    MotionFormat::Counts(scan) => {
                        let end = f64::from(1 << (scan.bits - 1));
                        let count = count.round().clamp(-end, end - 1.0) as i16;
                        (count << scan.shift).to_le_bytes().to_vec()
                    }
                }
            });
            let (source, bytes) = (Source::Motion(source), bytes.collect::<Vec<_>>());
            let linux = of_stream(&subject.rune, &source, bytes.clone());
            subject.compare(&source, &bytes, &linux);
            linux
        };
        assert_eq!(seen(device, &readings), expected, "{sign}, +-2 g");

        let coarse = MotionSource {
            format: MotionFormat::Counts("le:s12/16>>4".parse().unwrap()),
            scale: MotionSource::scale_of_range(8.0, 12),
            ..device
        };
        assert_eq!(
            seen(coarse, &readings),
            expected,
            "{sign}, +-8 g in 12 bits"
        );

        let floats = MotionSource {
            format: MotionFormat::F32,
            scale: 1.0,
            unit: Unit::MetresPerSecondSquared,
            ..device
        };
        assert_eq!(seen(floats, &readings), expected, "{sign}, m/s²");

        // The sensor lies on its side: x of the device is its y, y its -x.
        let turned = MotionSource {
            axes: Axes([Axis::Y, Axis::MinusX, Axis::Z]),
            ..device
        };
        let on_its_side: Vec<[f64; 3]> = readings.iter().map(|[x, y, z]| [-y, *x, *z]).collect();
        assert_eq!(seen(turned, &on_its_side), expected, "{sign}, swapped axes");
        seen_turned += usize::from(seen(device, &on_its_side) == expected);

        let fast = MotionSource {
            rate: Some(Rate::hz(104)),
            ..device
        };
        let [x, y, z] = [0, 1, 2].map(|axis| {
            let axis: Vec<f64> = readings.iter().map(|r| r[axis]).collect();
            // The last readings once more, for the rune wants a whole window.
            interpolated(&[&axis[..], &axis[127..]].concat(), 25, 104)
        });
        let fast_readings: Vec<[f64; 3]> = (0..x.len()).map(|n| [x[n], y[n], z[n]]).collect();
        assert_eq!(seen(fast, &fast_readings), expected, "{sign}, 104 Hz");
    }
    assert!(seen_turned < 4, "it matters how the sensor lies");
}

/// A digit as a grey picture of other proportions in a larger one: what is beside the middle is noise.
struct Scene {
    width: u32,
    height: u32,
    gray: Vec<u8>,
}

impl Scene {
    /// `side` pixels high, `beside` more on each side.
    fn new(digit: &[u8], side: u32, beside: u32) -> Self {
        let (width, height) = (side + 2 * beside, side);
        let pixel = |at: u32| {
            let (x, y) = (at % width, at / width);
            match x.checked_sub(beside).filter(|x| *x < side) {
                Some(x) => digit[(y * 8 / side * 8 + x * 8 / side) as usize],
                None => (at.wrapping_mul(2_654_435_761) >> 24) as u8,
            }
        };
        Self {
            width,
            height,
            gray: (0..width * height).map(pixel).collect(),
        }
    }

    /// The same picture in a format.
    fn bytes(&self, format: PixelFormat) -> Vec<u8> {
        let gray = &self.gray;
        let luma = |v: u8| (16.0 + f64::from(v) * 219.0 / 255.0).round() as u8;
        match format {
            PixelFormat::Gray8 => gray.clone(),
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => gray.iter().flat_map(|v| [*v; 3]).collect(),
            PixelFormat::Rgb565 => {
                let word = |v: &u8| {
                    let v = u16::from(*v);
                    ((v >> 3) << 11 | (v >> 2) << 5 | v >> 3).to_le_bytes()
                };
                gray.iter().flat_map(word).collect()
            }
            PixelFormat::Yuyv => gray.iter().flat_map(|v| [luma(*v), 128]).collect(),
        }
    }
}

#[test]
fn digits_are_read_with_any_camera() {
    let subject = Subject::new("digits_are_read_with_any_camera", "digits", ("", ""));
    for (turn, name) in ["0", "3", "7", "9"].into_iter().enumerate() {
        let file = ImageReader::open(example(&format!("digits/{name}.png"))).unwrap();
        let digit = file.decode().unwrap().to_luma8();
        assert_eq!(digit.dimensions(), (8, 8));
        let expected = example(&format!("digits/{name}.expected.jsonl"));
        let expected = fs::read_to_string(expected).unwrap();
        let formats = [
            PixelFormat::Gray8,
            PixelFormat::Rgb8,
            PixelFormat::Bgr8,
            PixelFormat::Rgb565,
            PixelFormat::Yuyv,
        ];
        for (kind, format) in formats.into_iter().enumerate() {
            let sizes = [(8, 0), (96, 0), (50, 0), (120, 20)];
            for (size, (side, beside)) in sizes.into_iter().enumerate() {
                let scene = Scene::new(digit.as_raw(), side, beside);
                let source = Source::Image(ImageSource {
                    width: scene.width,
                    height: scene.height,
                    stride: 0,
                    format,
                    crop: Crop::Centred,
                });
                let Plan::Image(plan) = planned(&subject.rune, &source) else {
                    panic!("not of images");
                };
                let bytes = scene.bytes(format);
                let picture = Picture(plan, Some(bytes.clone()));
                let found = printed(&subject.rune, Box::new(picture));
                assert_eq!(found, expected, "{name} in {format:?}, {side} + {beside}");
                // Every format of every size once, with one digit or another, for its serial port is slow.
                if (kind + size) % 4 == turn {
                    subject.compare(&source, &bytes, &found);
                }
            }
        }
    }
}
