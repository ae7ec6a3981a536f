//! A driver in memory: what cameras give, and what a broken or hostile driver might.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Instant,
};

use rune_abi::{CapabilityKind, Dim, ElementType, Param, TensorType, Value};

use super::*;
use crate::{Read, SourceErrorKind};

const EVERYTHING: u32 = CAPTURE | STREAMING;

/// What the driver does about a picture.
#[derive(Clone)]
enum Event {
    Picture(Filled, Vec<u8>),
    Fails(Errno),
}

struct Fake {
    abilities: u32,
    /// Forms that it has, with what they become when they are asked for.
    forms: Vec<Form>,
    buffers: Vec<usize>,
    events: VecDeque<Event>,
    memory: Vec<Vec<u8>>,
    /// What was asked of it.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn new(forms: &[Form], pictures: &[Vec<u8>]) -> Self {
        let events = pictures.iter().enumerate().map(|(number, bytes)| {
            let filled = Filled {
                index: number as u32 % 2,
                used: bytes.len() as u32,
                flags: 0,
                sequence: number as u32,
            };
            Event::Picture(filled, bytes.clone())
        });
        Self {
            abilities: EVERYTHING,
            forms: forms.to_vec(),
            buffers: vec![4096; 2],
            events: events.collect(),
            memory: vec![vec![]; 2],
            asked: Arc::default(),
        }
    }

    fn ask(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl Driver for Fake {
    fn abilities(&self) -> io::Result<u32> {
        Ok(self.abilities)
    }

    fn form(&self, index: u32) -> io::Result<Option<u32>> {
        Ok(self.forms.get(index as usize).map(|form| form.pixels))
    }

    fn set_form(&mut self, wanted: Form) -> io::Result<Form> {
        self.ask(format!(
            "{} {}x{}",
            fourcc(wanted.pixels),
            wanted.width,
            wanted.height
        ));
        let own = self.forms.iter().find(|f| f.pixels == wanted.pixels);
        Ok(*own.unwrap_or(&self.forms[0]))
    }

    fn make_buffers(&mut self, _: u32) -> io::Result<Vec<usize>> {
        Ok(self.buffers.clone())
    }

    fn queue(&mut self, index: u32) -> io::Result<()> {
        self.ask(format!("queue {index}"));
        Ok(())
    }

    fn start(&mut self) -> io::Result<()> {
        self.ask("start".to_owned());
        Ok(())
    }

    fn wait(&mut self) -> io::Result<bool> {
        if self.events.is_empty() {
            thread::sleep(live::PATIENCE);
        }
        Ok(!self.events.is_empty())
    }

    fn take(&mut self) -> io::Result<Filled> {
        match self.events.pop_front().unwrap() {
            Event::Picture(filled, bytes) => {
                if let Some(memory) = self.memory.get_mut(filled.index as usize) {
                    *memory = bytes;
                }
                Ok(filled)
            }
            Event::Fails(errno) => Err(errno.into()),
        }
    }

    fn copy(&self, index: usize, into: &mut [u8]) {
        let len = into.len().min(self.memory[index].len());
        into[..len].copy_from_slice(&self.memory[index][..len]);
    }
}

fn form(code: &str, width: u32, height: u32, stride: u32) -> Form {
    Form {
        pixels: u32::from_le_bytes(code.as_bytes().try_into().unwrap()),
        width,
        height,
        stride,
        field: 1,
    }
}

/// IMAGE of this size in these pixels.
fn camera(width: u32, height: u32, pixels: &str) -> Capability {
    let samples = if pixels == "GrayScale" { 1 } else { 3 };
    let dims = [height, width, samples].map(Dim::Exact);
    let param = |name: &str, value| Param {
        name: name.to_owned(),
        value,
    };
    Capability {
        kind: CapabilityKind::Image,
        name: "cam".to_owned(),
        ty: TensorType::new(ElementType::U8, &dims).unwrap(),
        params: vec![
            param("width", Value::Integer(width.into())),
            param("height", Value::Integer(height.into())),
            param("pixel-format", Value::Text(pixels.to_owned())),
        ],
    }
}

fn begin(capability: &Capability, fake: Fake) -> Result<Live, Vec<String>> {
    let name = "/dev/video7".to_owned();
    let started = start(capability, &Setup::default(), name, fake);
    started.map_err(|error| match error {
        OpenError::Refused(reasons) => reasons,
        OpenError::Source(error) => vec![error.to_string()],
    })
}

/// The next picture, and how many were lost before it.
fn read(live: &mut Live, bytes: usize) -> Result<(Vec<u8>, u64), SourceError> {
    let mut out = vec![0xaa; bytes];
    match live.read(&mut out, Instant::now() + Duration::from_secs(20))? {
        Read::Sample => Ok((out, live.stamp().lost)),
        end @ Read::End { .. } => panic!("{end:?}"),
    }
}

/// What a rune of this size and RGB reads of one picture in a form.
fn seen(form: Form, picture: Vec<u8>, pixels: &str) -> Vec<u8> {
    let fake = Fake::new(&[form], &[picture]);
    let capability = camera(form.width, form.height, pixels);
    let mut live = begin(&capability, fake).unwrap();
    read(&mut live, capability.ty.bytes() as usize).unwrap().0
}

/// Luma, and differences of blue and red, as the levels of BT.601.
fn rgb([y, u, v]: [u8; 3]) -> [u8; 3] {
    let (y, u, v) = (
        f64::from(y) - 16.0,
        f64::from(u) - 128.0,
        f64::from(v) - 128.0,
    );
    let y = 255.0 / 219.0 * y;
    let c = 255.0 / 112.0;
    let r = y + c * 0.701 * v;
    let g = y - c * (0.886 * 0.114 / 0.587 * u + 0.701 * 0.299 / 0.587 * v);
    let b = y + c * 0.886 * u;
    [r, g, b].map(|x| x.round().clamp(0.0, 255.0) as u8)
}

/// Asserts that pictures differ by no more than so many levels.
fn close(got: &[u8], want: &[u8], most: u8) {
    assert_eq!(got.len(), want.len());
    let far = got
        .iter()
        .zip(want)
        .position(|(a, b)| a.abs_diff(*b) > most);
    assert_eq!(far, None, "{got:?} and {want:?}");
}

#[test]
fn pictures_of_every_form_are_read() {
    // 4 by 2 pixels, in rows with two bytes more than they need.
    let colours: Vec<[u8; 3]> = (0..8u8)
        .map(|i| [i * 30, 255 - i * 20, i * 9 + 40])
        .collect();
    let plain = colours.concat();
    let rows = |bytes: &[u8]| {
        let rows = bytes.chunks(bytes.len() / 2);
        rows.flat_map(|row| [row, &[0xee; 2]].concat())
            .collect::<Vec<u8>>()
    };
    assert_eq!(seen(form("RGB3", 4, 2, 14), rows(&plain), "RGB"), plain);
    let turned: Vec<u8> = colours.iter().flat_map(|[r, g, b]| [*b, *g, *r]).collect();
    assert_eq!(seen(form("BGR3", 4, 2, 14), rows(&turned), "RGB"), plain);
    let five_six_five: Vec<u8> = colours
        .iter()
        .flat_map(|c| {
            let [r, g, b] = c.map(u16::from);
            (r >> 3 << 11 | g >> 2 << 5 | b >> 3).to_le_bytes()
        })
        .collect();
    close(
        &seen(form("RGBP", 4, 2, 10), rows(&five_six_five), "RGB"),
        &plain,
        8,
    );
    let grey: Vec<u8> = (0..8).map(|i| i * 31).collect();
    assert_eq!(seen(form("GREY", 4, 2, 6), rows(&grey), "GrayScale"), grey);
    let three: Vec<u8> = grey.iter().flat_map(|v| [*v; 3]).collect();
    assert_eq!(seen(form("GREY", 4, 2, 6), rows(&grey), "RGB"), three);

    // One pair of colour differences for two pixels, and for two by two.
    let luma = [16, 60, 100, 140, 180, 200, 220, 235];
    let yuyv = |pairs: [[u8; 2]; 4]| -> Vec<u8> {
        let quads = luma.chunks(2).zip(pairs);
        quads.flat_map(|(y, [u, v])| [y[0], u, y[1], v]).collect()
    };
    let want = |pairs: [[u8; 2]; 4]| -> Vec<u8> {
        let pixels = luma.iter().enumerate();
        pixels
            .flat_map(|(i, y)| rgb([*y, pairs[i / 2][0], pairs[i / 2][1]]))
            .collect()
    };
    let pairs = [[90, 200], [128, 128], [60, 150], [170, 100]];
    close(
        &seen(form("YUYV", 4, 2, 10), rows(&yuyv(pairs)), "RGB"),
        &want(pairs),
        2,
    );
    let pairs = [[90, 200], [128, 150], [90, 200], [128, 150]];
    let nv12 = [
        &luma[..4],
        &[0; 2],
        &luma[4..],
        &[0; 2],
        &[90, 200, 128, 150],
    ]
    .concat();
    close(&seen(form("NV12", 4, 2, 6), nv12, "RGB"), &want(pairs), 2);
}

/// A JPEG of 16 by 16 pixels of one colour.
fn jpeg() -> Vec<u8> {
    let picture = ::image::RgbImage::from_pixel(16, 16, ::image::Rgb([200, 80, 40]));
    let mut bytes = io::Cursor::new(vec![]);
    picture
        .write_to(&mut bytes, ::image::ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

/// The same without its segments of Huffman codes, as webcams give it.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let (mut out, mut at, mut removed) = (jpeg[..2].to_vec(), 2, 0);
    while jpeg[at + 1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] == 0xc4 {
            removed += 1;
        } else {
            out.extend(&jpeg[at..at + length]);
        }
        at += length;
    }
    assert!(removed > 0);
    out.extend(&jpeg[at..]);
    out
}

#[test]
fn motion_jpeg_is_read_with_and_without_its_tables() {
    let want = [200, 80, 40].repeat(256);
    for code in ["MJPG", "JPEG"] {
        let form = form(code, 16, 16, 0);
        close(&seen(form, jpeg(), "RGB"), &want, 4);
        close(&seen(form, without_tables(&jpeg()), "RGB"), &want, 4);
    }
}

#[test]
fn the_best_form_that_the_driver_keeps_to_is_taken() {
    let asked_of = |capability: &Capability, forms: &[Form]| {
        let fake = Fake::new(forms, &[]);
        let asked = fake.asked.clone();
        let begun = begin(capability, fake).map(drop);
        (begun, asked.lock().unwrap().join(", "))
    };
    let colour = camera(28, 20, "RGB");
    let forms = [
        form("GREY", 32, 24, 32),
        form("MJPG", 32, 24, 0),
        form("H264", 32, 24, 0),
        form("YUYV", 32, 24, 64),
    ];
    assert_eq!(asked_of(&colour, &forms), (Ok(()), "YUYV 28x20".to_owned()));
    assert_eq!(
        asked_of(&colour, &forms[..2]),
        (Ok(()), "MJPG 28x20".to_owned())
    );
    let grey = camera(28, 20, "GrayScale");
    assert_eq!(asked_of(&grey, &forms), (Ok(()), "GREY 28x20".to_owned()));

    // Interlaced, of rows that are too short, of no size, too large: each is passed over for the next.
    let interlaced = Form {
        field: 4,
        ..form("YUYV", 32, 24, 64)
    };
    let odd = [
        interlaced,
        form("NV12", 32, 23, 32),
        form("RGB3", 32, 24, 95),
        form("GREY", 32, 24, u32::MAX),
        form("BGR3", 0, 24, 0),
        form("RGBP", 20_000, 24, 0),
        form("MJPG", 32, 24, 0),
    ];
    let (begun, asked) = asked_of(&colour, &odd);
    assert_eq!((begun, asked.matches("28x20").count()), (Ok(()), 6));
    let (begun, _) = asked_of(&colour, &odd[..6]);
    let reasons = begun.unwrap_err();
    assert!(reasons.len() >= 6, "{reasons:?}");
    assert!(
        reasons[0].contains("YUYV of 32 x 24: every other line"),
        "{reasons:?}"
    );

    // A driver that gives another form than the one that was asked for.
    let fake = Fake::new(&[form("H264", 32, 24, 0), form("YUYV", 32, 24, 64)], &[]);
    let mut stubborn = Stubborn(fake);
    let error = agree(&colour, &Setup::default(), "it", &mut stubborn).map(drop);
    let Err(OpenError::Refused(reasons)) = error else {
        panic!("agreed");
    };
    assert_eq!(reasons, ["it in H264 of 32 x 24: YUYV was asked for"]);
    let (begun, _) = asked_of(
        &colour,
        &[form("H264", 32, 24, 0), form("\0\x1b[2", 1, 1, 0)],
    );
    assert_eq!(
        begun.unwrap_err(),
        [
            "/dev/video7 cannot feed IMAGE `cam` (U8[20, 28, 3]): it gives H264, ??[2, and what can be read is YUYV, NV12, RGB3, BGR3, RGBP, MJPG, JPEG, GREY"
        ]
    );
}

/// Takes its first form whatever is asked.
struct Stubborn(Fake);

impl Driver for Stubborn {
    fn abilities(&self) -> io::Result<u32> {
        self.0.abilities()
    }
    fn form(&self, index: u32) -> io::Result<Option<u32>> {
        self.0.form(index)
    }
    fn set_form(&mut self, _: Form) -> io::Result<Form> {
        Ok(self.0.forms[0])
    }
    fn make_buffers(&mut self, count: u32) -> io::Result<Vec<usize>> {
        self.0.make_buffers(count)
    }
    fn queue(&mut self, index: u32) -> io::Result<()> {
        self.0.queue(index)
    }
    fn start(&mut self) -> io::Result<()> {
        self.0.start()
    }
    fn wait(&mut self) -> io::Result<bool> {
        self.0.wait()
    }
    fn take(&mut self) -> io::Result<Filled> {
        self.0.take()
    }
    fn copy(&self, index: usize, into: &mut [u8]) {
        self.0.copy(index, into);
    }
}

#[test]
fn devices_that_are_no_cameras_are_refused() {
    for (abilities, says) in [
        (0, "gives no pictures; a camera often has several devices"),
        (STREAMING, "gives no pictures"),
        (CAPTURE_PLANES | STREAMING, "in several planes"),
        (CAPTURE, "no pictures through buffers"),
    ] {
        let mut fake = Fake::new(&[form("GREY", 2, 2, 2)], &[]);
        fake.abilities = abilities;
        let reasons = begin(&camera(2, 2, "RGB"), fake).map(drop).unwrap_err();
        assert!(reasons[0].contains(says), "{reasons:?}");
    }
    let open = |device: &str| {
        let setup = Setup {
            device: Some(device.to_owned()),
            ..Setup::default()
        };
        match open(&camera(2, 2, "RGB"), &setup).map(drop) {
            Err(OpenError::Source(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(open("/dev/null"), "/dev/null: it is not a camera");
    assert!(open("/dev/video-none").contains("No such file"));
}

#[test]
fn buffers_are_used_in_turns_and_losses_counted() {
    let picture = |value: u8| vec![value; 4];
    let pictures: Vec<_> = (0..6).map(picture).collect();
    let mut fake = Fake::new(&[form("GREY", 2, 2, 2)], &pictures);
    // The driver had no buffer for two, gives one damaged and one short, and begins to count anew.
    let sequences = [0, 3, 4, 5, 6, 0];
    for (event, number) in fake.events.iter_mut().zip(sequences) {
        let Event::Picture(filled, _) = event else {
            panic!()
        };
        filled.sequence = number;
        match number {
            4 => filled.flags = DAMAGED,
            5 => filled.used = 3,
            _ => {}
        }
    }
    let asked = fake.asked.clone();
    let mut live = begin(&camera(2, 2, "GrayScale"), fake).unwrap();
    assert_eq!(asked.lock().unwrap().join(", "), "GREY 2x2");
    let mut total = 0;
    let mut values = vec![];
    while values.last() != Some(&5) {
        let (picture, lost) = read(&mut live, 4).unwrap();
        assert_eq!(picture, [picture[0]; 4]);
        values.push(picture[0]);
        total += lost;
    }
    // What was waiting when there was a loss may be given up with it, and is counted too.
    assert!(
        values.iter().all(|v| [0, 1, 4, 5].contains(v)),
        "{values:?}"
    );
    assert_eq!(values.len() as u64 + total, 2 + 6);
    let asked = asked.lock().unwrap().join(", ");
    let turns =
        "GREY 2x2, queue 0, queue 1, start, queue 0, queue 1, queue 0, queue 1, queue 0, queue 1";
    assert_eq!(asked, turns);
}

#[test]
fn a_camera_that_is_silent_is_late_and_one_that_went_is_an_error() {
    let grey = form("GREY", 2, 2, 2);
    let capability = camera(2, 2, "GrayScale");
    let mut live = begin(&capability, Fake::new(&[grey], &[])).unwrap();
    let deadline = Instant::now() + Duration::from_millis(120);
    let error = live.read(&mut [0; 4], deadline).unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Late);
    assert!(Instant::now() >= deadline);

    for (errno, says) in [
        (Errno::NODEV, "the camera is gone"),
        (Errno::BUSY, "another program uses the camera"),
        (Errno::IO, "Input/output error"),
    ] {
        let mut fake = Fake::new(&[grey], &[vec![9; 4]]);
        // It woke for nothing before.
        fake.events.push_front(Event::Fails(Errno::AGAIN));
        fake.events.push_back(Event::Fails(errno));
        let mut live = begin(&capability, fake).unwrap();
        assert_eq!(read(&mut live, 4).unwrap(), (vec![9; 4], 0));
        for _ in 0..2 {
            let error = read(&mut live, 4).unwrap_err();
            assert_eq!(
                (error.kind, error.place.as_str()),
                (SourceErrorKind::Unreadable, "/dev/video7")
            );
            assert!(error.what.contains(says), "{error}");
        }
    }
}

#[test]
fn nothing_that_a_driver_says_is_trusted() {
    let grey = form("GREY", 2, 2, 2);
    let capability = camera(2, 2, "GrayScale");
    for buffers in [vec![], vec![4; 33], vec![4, 3], vec![MOST_BYTES + 1]] {
        let mut fake = Fake::new(&[grey], &[]);
        fake.buffers = buffers;
        let reasons = begin(&capability, fake).map(drop).unwrap_err();
        assert!(
            reasons[0].contains("bytes for pictures of 4"),
            "{reasons:?}"
        );
    }
    let event = |index, used| {
        let filled = Filled {
            index,
            used,
            ..Filled::default()
        };
        Event::Picture(filled, vec![1; 4])
    };
    for event in [
        event(2, 4),
        event(u32::MAX, 4),
        event(0, 4097),
        event(0, u32::MAX),
    ] {
        let mut fake = Fake::new(&[grey], &[]);
        fake.events = [event].into();
        let mut live = begin(&capability, fake).unwrap();
        let error = read(&mut live, 4).unwrap_err();
        assert!(error.what.contains("which cannot be"), "{error}");
    }
    // Pictures that are all damaged are an error before long, whatever is wrong with them.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let good = jpeg();
    for kind in 0..3 {
        let pictures: Vec<Vec<u8>> = (0..MOST_DAMAGED)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = (random % 600) as usize;
                match kind {
                    0 => vec![],
                    1 => good[..at.min(good.len() / 2)].to_vec(),
                    _ => random.to_le_bytes().repeat(20),
                }
            })
            .collect();
        let fake = Fake::new(&[form("MJPG", 16, 16, 0)], &pictures);
        let mut live = begin(&camera(16, 16, "RGB"), fake).unwrap();
        let error = read(&mut live, 768).unwrap_err();
        assert_eq!(error.what, "the last 100 pictures were damaged", "{kind}");
    }
    // A JPEG of another size than was agreed on is none.
    let mut pictures = vec![good.clone(); 2];
    pictures.push(vec![0; 4]);
    let fake = Fake::new(&[form("MJPG", 32, 16, 0)], &pictures);
    let mut live = begin(&camera(32, 16, "RGB"), fake).unwrap();
    let soon = Instant::now() + Duration::from_millis(200);
    assert!(live.read(&mut vec![0; 32 * 16 * 3], soon).is_err());
}
