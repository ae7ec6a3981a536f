//! IMAGE and `FLOAT_IMAGE`: one picture per call, of the size and pixels that the rune asks for.

use std::{collections::VecDeque, io::Cursor, time::Instant};

use image::{DynamicImage, ImageReader};
use rune_abi::Capability;
use rune_adapt::{Crop, ImagePlan, ImageSource, PixelFormat, Plan, Source as Camera};

use super::{OpenError, Read, Source, SourceError, adapted, files::Files, setup::Setup};

struct Images {
    capability: Capability,
    files: Files,
    next: VecDeque<(String, Setup)>,
}

/// Opens PNG and JPEG files, to be decoded one per call. What their first bytes say of their size is looked at
/// now; a file that does not even say that is an error of its call.
pub(super) fn open(capability: &Capability, files: &Files) -> Result<Box<dyn Source>, OpenError> {
    super::all(files.files.iter().map(|(file, setup)| {
        let bytes = files.read(file)?;
        let size = ImageReader::new(Cursor::new(&bytes)).with_guessed_format();
        let size = size.ok().and_then(|reader| reader.into_dimensions().ok());
        plan(
            capability,
            file,
            setup,
            size.unwrap_or((1, 1)),
            0,
            PixelFormat::Rgb8,
        )
    }))?;
    Ok(Box::new(Images {
        capability: capability.clone(),
        files: files.clone(),
        next: files.files.iter().cloned().collect(),
    }))
}

/// How a picture of this size, bytes from row to row, and pixels becomes what the rune reads.
pub(super) fn plan(
    capability: &Capability,
    name: &str,
    setup: &Setup,
    size: (u32, u32),
    stride: u32,
    format: PixelFormat,
) -> Result<ImagePlan, OpenError> {
    let source = Camera::Image(source(size, stride, format, setup.crop));
    match adapted::plan(capability, name, &source)? {
        Plan::Image(plan) => Ok(plan),
        Plan::Stream(_) => unreachable!("a picture is no stream"),
    }
}

/// What gives pictures of this form; all of them where nothing else is said.
pub(super) fn source(
    (width, height): (u32, u32),
    stride: u32,
    format: PixelFormat,
    crop: Option<Crop>,
) -> ImageSource {
    ImageSource {
        width,
        height,
        stride,
        format,
        crop: crop.unwrap_or(Crop::Whole),
    }
}

impl Source for Images {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        let Some((file, setup)) = self.next.pop_front() else {
            return Ok(Read::End { note: None });
        };
        let bad = |e: &dyn std::fmt::Display| {
            SourceError::new(&file, format_args!("unable to read it as an image: {e}"))
        };
        let bytes = self.files.read(&file)?;
        let (size, format, pixels) = decode(&bytes).map_err(|e| bad(&e))?;
        let plan = plan(&self.capability, &file, &setup, size, 0, format).map_err(|e| match e {
            OpenError::Source(error) => error,
            OpenError::Refused(reasons) => SourceError::new(&file, reasons.join("; ")),
        })?;
        plan.convert(&pixels, out).map_err(|e| bad(&e))?;
        Ok(Read::Sample)
    }
}

/// Size, form and pixels of a PNG or JPEG.
pub(super) fn decode(bytes: &[u8]) -> image::ImageResult<((u32, u32), PixelFormat, Vec<u8>)> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let image = reader.decode()?;
    let size = (image.width(), image.height());
    let (format, pixels) = pixels(image);
    Ok((size, format, pixels))
}

/// Pixels of 8 bits per channel, without transparency.
fn pixels(image: DynamicImage) -> (PixelFormat, Vec<u8>) {
    if image.color().has_color() {
        (PixelFormat::Rgb8, image.into_rgb8().into_raw())
    } else {
        (PixelFormat::Gray8, image.into_luma8().into_raw())
    }
}
