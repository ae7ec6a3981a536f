//! IMAGE and `FLOAT_IMAGE` from cameras of V4L2: what form its pictures have is agreed on with the driver, and
//! each one is made into what the rune reads as it comes.
//!
//! Of what a driver says nothing is taken on trust; [`kernel`] only asks. Tests have a driver of their own.

mod kernel;
#[cfg(test)]
mod tests;

use std::{io, thread, time::Duration};

use rune_abi::Capability;
use rune_adapt::{ImagePlan, PixelFormat};
use rustix::io::Errno;

use super::{
    OpenError, Setup, Source, SourceError, describe, image,
    live::{self, Live, Next},
};
use kernel::Kernel;

/// Pictures that the driver may be ahead.
const BUFFERS: u32 = 4;
/// Most buffers that a driver makes of that.
const MOST_BUFFERS: usize = 32;
/// Most bytes of one.
const MOST_BYTES: usize = 1 << 30;
/// Most bytes from row to row; of so many rows as a picture has at most, they can be counted in 32 bits.
const MOST_STRIDE: u32 = 1 << 17;
/// Most forms of pictures that are looked at.
const MOST_FORMS: u32 = 256;
/// Damaged pictures in a row before the camera is given up.
const MOST_DAMAGED: u32 = 100;

/// `V4L2_CAP_VIDEO_CAPTURE`, `_MPLANE` and `V4L2_CAP_STREAMING`: gives pictures, in one plane or in several, through
/// buffers.
const CAPTURE: u32 = 1;
const CAPTURE_PLANES: u32 = 0x1000;
const STREAMING: u32 = 0x0400_0000;
/// `V4L2_FIELD_ANY` and `V4L2_FIELD_NONE`: all lines at once.
const WHOLE: [u32; 2] = [0, 1];
/// `V4L2_BUF_FLAG_ERROR`: the picture may be damaged.
const DAMAGED: u32 = 0x40;

/// The driver of a camera.
trait Driver: Send {
    /// What the device can do.
    fn abilities(&self) -> io::Result<u32>;

    /// The pixels of the form of this number; none beyond the last.
    fn form(&self, index: u32) -> io::Result<Option<u32>>;

    /// Asks for a form; gives the one it comes to.
    fn set_form(&mut self, wanted: Form) -> io::Result<Form>;

    /// Makes about so many buffers; gives the length of each.
    fn make_buffers(&mut self, count: u32) -> io::Result<Vec<usize>>;

    /// Hands a buffer to the driver to be filled.
    fn queue(&mut self, index: u32) -> io::Result<()>;

    /// Begins.
    fn start(&mut self) -> io::Result<()>;

    /// Waits a little for a filled buffer; whether there may be one.
    fn wait(&mut self) -> io::Result<bool>;

    /// Takes a filled buffer back.
    fn take(&mut self) -> io::Result<Filled>;

    /// Copies what is at the start of a buffer, as much of `into` as the buffer has.
    fn copy(&self, index: usize, into: &mut [u8]);
}

/// What pictures are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Form {
    /// Four characters, the first one lowest.
    pixels: u32,
    width: u32,
    height: u32,
    /// Bytes from row to row; 0 where it has none.
    stride: u32,
    /// How lines follow each other.
    field: u32,
}

/// A buffer with a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Filled {
    index: u32,
    used: u32,
    flags: u32,
    /// The number of the picture, also counting those that found no buffer.
    sequence: u32,
}

/// How bytes are pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Plain(PixelFormat),
    /// Luma, and then the colour differences of two by two pixels.
    Nv12,
    Jpeg,
}

/// What can be read, the best first. Grey comes last, or first for a rune that wants nothing else.
const ENCODINGS: [(&[u8; 4], Encoding); 8] = [
    (b"YUYV", Encoding::Plain(PixelFormat::Yuyv)),
    (b"NV12", Encoding::Nv12),
    (b"RGB3", Encoding::Plain(PixelFormat::Rgb8)),
    (b"BGR3", Encoding::Plain(PixelFormat::Bgr8)),
    (b"RGBP", Encoding::Plain(PixelFormat::Rgb565)),
    (b"MJPG", Encoding::Jpeg),
    (b"JPEG", Encoding::Jpeg),
    (b"GREY", Encoding::Plain(PixelFormat::Gray8)),
];

/// Opens a camera. It is asked for pictures of the rune's size and may give others.
pub(super) fn open(capability: &Capability, setup: &Setup) -> Result<Box<dyn Source>, OpenError> {
    let name = setup.device.clone().unwrap_or_default();
    let kernel = Kernel::open(&name).map_err(|e| SourceError::new(&name, e))?;
    Ok(Box::new(start(capability, setup, name, kernel)?))
}

fn start(
    capability: &Capability,
    setup: &Setup,
    name: String,
    mut driver: impl Driver + 'static,
) -> Result<Live, OpenError> {
    let fail = |what: &dyn std::fmt::Display| SourceError::new(&name, what);
    let io = |e: io::Error| SourceError::new(&name, e);
    let abilities = driver
        .abilities()
        .map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::NOTTY | Errno::INVAL) => fail(&"it is not a camera"),
            _ => io(e),
        })?;
    if abilities & CAPTURE == 0 {
        let what = if abilities & CAPTURE_PLANES == 0 {
            "it is a device of V4L2 that gives no pictures; a camera often has several devices"
        } else {
            "it gives pictures in several planes, which cannot be read"
        };
        return Err(fail(&what).into());
    }
    if abilities & STREAMING == 0 {
        return Err(fail(&"it gives no pictures through buffers").into());
    }
    let pictures = agree(capability, setup, &name, &mut driver)?;
    let buffers = driver.make_buffers(BUFFERS).map_err(io)?;
    let least = pictures.least();
    let is_sane = |len: &usize| (least..=MOST_BYTES).contains(len);
    if !(1..=MOST_BUFFERS).contains(&buffers.len()) || !buffers.iter().all(is_sane) {
        let what = format!("its driver gives buffers of {buffers:?} bytes for pictures of {least}");
        return Err(fail(&what).into());
    }
    let cut = live::bytes(capability, pictures.plan.output_bytes(), "picture")?;
    let camera = Camera {
        name: name.clone(),
        driver: Box::new(driver),
        pictures,
        queued: vec![false; buffers.len()],
        buffers,
        bytes: vec![],
        started: false,
        expected: None,
        damaged: 0,
        held: None,
    };
    Ok(Live::new(name, Box::new(camera), cut))
}

/// Finds a form that the driver gives and that can be made into what the rune reads.
fn agree(
    capability: &Capability,
    setup: &Setup,
    name: &str,
    driver: &mut dyn Driver,
) -> Result<Pictures, OpenError> {
    let io = |e: io::Error| SourceError::new(name, e);
    // Of any picture, to know what the rune reads.
    let wanted = image::plan(capability, name, setup, (1, 1), 0, PixelFormat::Rgb8)?;
    let (width, height) = wanted.output_size();
    let mut there = vec![];
    for index in 0..MOST_FORMS {
        match driver.form(index).map_err(io)? {
            Some(pixels) => there.push(pixels),
            None => break,
        }
    }
    let mut encodings = ENCODINGS.to_vec();
    if capability.ty.elements() == width * height {
        encodings.rotate_right(1);
    }
    let mut reasons = vec![];
    for (code, encoding) in encodings {
        let pixels = u32::from_le_bytes(*code);
        if !there.contains(&pixels) {
            continue;
        }
        let form = driver.set_form(Form {
            pixels,
            width,
            height,
            field: WHOLE[1],
            ..Form::default()
        });
        let form = form.map_err(io)?;
        let shown = format!(
            "{name} in {} of {} x {}",
            fourcc(form.pixels),
            form.width,
            form.height
        );
        if form.pixels != pixels {
            reasons.push(format!("{shown}: {} was asked for", fourcc(pixels)));
        } else if !WHOLE.contains(&form.field) {
            reasons.push(format!("{shown}: every other line comes later"));
        } else {
            match Pictures::new(capability, setup, &shown, form, encoding) {
                Ok(pictures) => return Ok(pictures),
                Err(OpenError::Refused(more)) => reasons.extend(more),
                Err(error) => return Err(error),
            }
        }
    }
    if reasons.is_empty() {
        let there: Vec<String> = there.into_iter().map(fourcc).collect();
        let known = ENCODINGS.map(|(code, _)| String::from_utf8_lossy(code).into_owned());
        reasons.push(format!(
            "{name} cannot feed {}: it gives {}, and what can be read is {}",
            describe(capability),
            if there.is_empty() {
                "nothing".to_owned()
            } else {
                there.join(", ")
            },
            known.join(", ")
        ));
    }
    Err(OpenError::Refused(reasons))
}

/// The four characters of a form of pixels.
fn fourcc(pixels: u32) -> String {
    let bytes = pixels.to_le_bytes();
    let clean = bytes.map(|b| {
        if b.is_ascii_graphic() {
            char::from(b)
        } else {
            '?'
        }
    });
    clean.iter().collect()
}

/// The pictures that were agreed on, and what the rune reads of them.
struct Pictures {
    capability: Capability,
    setup: Setup,
    form: Form,
    encoding: Encoding,
    plan: ImagePlan,
}

impl Pictures {
    fn new(
        capability: &Capability,
        setup: &Setup,
        name: &str,
        form: Form,
        encoding: Encoding,
    ) -> Result<Self, OpenError> {
        let (stride, format) = match encoding {
            Encoding::Plain(format) => (form.stride, format),
            Encoding::Nv12 => (0, PixelFormat::Yuyv),
            Encoding::Jpeg => (0, PixelFormat::Rgb8),
        };
        let is_paired = form.height.is_multiple_of(2) && form.stride >= form.width;
        if form.stride > MOST_STRIDE || (encoding == Encoding::Nv12 && !is_paired) {
            let (height, stride) = (form.height, form.stride);
            let what = format!("{name}: {height} rows are {stride} bytes apart");
            return Err(OpenError::Refused(vec![what]));
        }
        let size = (form.width, form.height);
        Ok(Self {
            capability: capability.clone(),
            setup: setup.clone(),
            form,
            encoding,
            plan: image::plan(capability, name, setup, size, stride, format)?,
        })
    }

    /// Bytes of a picture, at least; a compressed one is as long as it is.
    fn least(&self) -> usize {
        let [width, height, stride] =
            [self.form.width, self.form.height, self.form.stride].map(|n| n as usize);
        match self.encoding {
            Encoding::Plain(_) => self.plan.source_bytes(),
            Encoding::Nv12 => stride * (height + height / 2 - 1) + width,
            Encoding::Jpeg => 1,
        }
    }

    /// What the rune reads of a picture; nothing of a damaged one.
    fn convert(&self, picture: &[u8]) -> Option<Vec<u8>> {
        if picture.len() < self.least() {
            return None;
        }
        let mut out = vec![0; self.plan.output_bytes()];
        match self.encoding {
            Encoding::Plain(_) => self.plan.convert(picture, &mut out),
            Encoding::Nv12 => self.plan.convert(&self.pairs(picture), &mut out),
            Encoding::Jpeg => {
                let (size, format, pixels) = image::decode(&with_tables(picture)?).ok()?;
                if size != (self.form.width, self.form.height) {
                    return None;
                }
                let (capability, setup) = (&self.capability, &self.setup);
                let plan = image::plan(capability, "", setup, size, 0, format).ok()?;
                plan.convert(&pixels, &mut out)
            }
        }
        .ok()?;
        Some(out)
    }

    /// NV12 as YUYV, which has the colour of each row of pairs twice.
    fn pairs(&self, picture: &[u8]) -> Vec<u8> {
        let [width, height, stride] =
            [self.form.width, self.form.height, self.form.stride].map(|n| n as usize);
        let row = |index: usize| picture[index * stride..][..width].chunks_exact(2);
        let rows = (0..height).map(|y| row(y).zip(row(height + y / 2)));
        let quads = rows.flatten();
        quads
            .flat_map(|(luma, colour)| [luma[0], colour[0], luma[1], colour[1]])
            .collect()
    }
}

/// A picture of Motion JPEG with the mark by which a decoder knows that it may lack the tables of Huffman codes, which
/// are always the same.
fn with_tables(picture: &[u8]) -> Option<Vec<u8>> {
    const START: &[u8] = b"\xff\xd8";
    const MARK: &[u8] = b"\xff\xe0\0\x10AVI1\0\0\0\0\0\0\0\0\0\0";
    let rest = picture.strip_prefix(START)?;
    Some([START, MARK, rest].concat())
}

struct Camera {
    name: String,
    driver: Box<dyn Driver>,
    pictures: Pictures,
    /// The length of each buffer, and whether the driver has it.
    buffers: Vec<usize>,
    queued: Vec<bool>,
    /// The picture that was taken last.
    bytes: Vec<u8>,
    started: bool,
    /// The number of the next picture.
    expected: Option<u32>,
    /// Damaged pictures in a row.
    damaged: u32,
    /// A picture that comes after a loss, and its time.
    held: Option<(Vec<u8>, u64)>,
}

impl Camera {
    fn fail(&self, what: impl std::fmt::Display) -> SourceError {
        SourceError::new(&self.name, what)
    }

    fn failed(&self, error: io::Error) -> SourceError {
        match Errno::from_io_error(&error) {
            Some(Errno::NODEV | Errno::NXIO) => self.fail("the camera is gone"),
            Some(Errno::BUSY) => self.fail("another program uses the camera"),
            _ => self.fail(error),
        }
    }

    fn queue(&mut self, index: usize) -> Result<(), SourceError> {
        let queued = self.driver.queue(index as u32);
        queued.map_err(|e| self.failed(e))?;
        self.queued[index] = true;
        Ok(())
    }

    /// Copies the picture of a buffer and hands that back; whether it may be whole.
    fn copy(&mut self, filled: &Filled) -> Result<bool, SourceError> {
        let (index, used) = (filled.index as usize, filled.used as usize);
        if self.queued.get(index) != Some(&true) || used > self.buffers[index] {
            let count = self.buffers.len();
            return Err(self.fail(format_args!(
                "its driver gave {used} bytes in buffer {index} of {count}, which cannot be"
            )));
        }
        self.queued[index] = false;
        self.bytes.resize(used, 0);
        self.driver.copy(index, &mut self.bytes);
        self.queue(index)?;
        Ok(filled.flags & DAMAGED == 0)
    }

    /// How many pictures there were before this one that nobody got.
    fn gap(&mut self, sequence: u32) -> u64 {
        let expected = self.expected.replace(sequence.wrapping_add(1));
        let gap = expected.map_or(0, |expected| sequence.wrapping_sub(expected));
        // A number that is lower is the start of another count.
        if gap > u32::MAX / 2 { 0 } else { gap.into() }
    }
}

impl live::Device for Camera {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Next, SourceError> {
        if let Some((picture, time)) = self.held.take() {
            *bytes = picture;
            return Ok(Next::Bytes(time));
        }
        if !self.started {
            (0..self.buffers.len()).try_for_each(|index| self.queue(index))?;
            self.driver.start().map_err(|e| self.failed(e))?;
            self.started = true;
        }
        if !self.driver.wait().map_err(|e| self.failed(e))? {
            return Ok(Next::Nothing);
        }
        let filled = match self.driver.take() {
            Ok(filled) => filled,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                // What wakes without a picture is not asked as fast as can be.
                thread::sleep(Duration::from_millis(1));
                return Ok(Next::Nothing);
            }
            Err(e) => return Err(self.failed(e)),
        };
        let time = live::now();
        let lost = self.gap(filled.sequence);
        let is_whole = self.copy(&filled)?;
        let picture = is_whole
            .then(|| self.pictures.convert(&self.bytes))
            .flatten();
        let Some(picture) = picture else {
            self.damaged += 1;
            if self.damaged >= MOST_DAMAGED {
                let what = format!("the last {MOST_DAMAGED} pictures were damaged");
                return Err(self.fail(what));
            }
            return Ok(Next::Lost(lost + 1));
        };
        self.damaged = 0;
        if lost > 0 {
            self.held = Some((picture, time));
            return Ok(Next::Lost(lost));
        }
        *bytes = picture;
        Ok(Next::Bytes(time))
    }
}
