//! IMAGE: one picture per call, resized to what the rune asks for.

use std::{collections::VecDeque, io::Cursor};

use image::{ImageReader, imageops::FilterType};
use rune_abi::{Capability, ElementType, Value};

use super::{Given, Read, Source, SourceError, integer, unfit};

/// The samples of a pixel, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PixelFormat {
    Rgb,
    Bgr,
    Gray,
}

struct Images {
    given: Given,
    files: VecDeque<String>,
    width: u32,
    height: u32,
    format: PixelFormat,
}

/// Opens PNG and JPEG files, to be decoded one per call.
pub(super) fn open(capability: &Capability, given: &Given) -> Result<Box<dyn Source>, SourceError> {
    if capability.ty.element() != ElementType::U8 {
        return Err(unfit(capability, "is not of U8"));
    }
    let word = capability
        .params
        .iter()
        .find(|p| p.name == "pixel-format")
        .map(|p| &p.value);
    let format = match word {
        Some(Value::Text(word)) if word.eq_ignore_ascii_case("GrayScale") => PixelFormat::Gray,
        Some(Value::Text(word)) if word.eq_ignore_ascii_case("BGR") => PixelFormat::Bgr,
        _ => PixelFormat::Rgb,
    };
    let (width, height) = size(capability, format)
        .ok_or_else(|| unfit(capability, "is not that of such an image"))?;
    for file in &given.values {
        given.probe(file)?;
    }
    Ok(Box::new(Images {
        given: given.clone(),
        files: given.values.iter().cloned().collect(),
        width,
        height,
        format,
    }))
}

/// Width and height from the parameters, or else from a type `[.., height, width, samples]` or, for one
/// sample per pixel, `[.., height, width]`; `None` if the type does not hold such an image.
fn size(capability: &Capability, format: PixelFormat) -> Option<(u32, u32)> {
    let samples = if format == PixelFormat::Gray { 1 } else { 3 };
    let dims: Vec<u32> = capability.ty.dims().iter().map(|d| d.bound()).collect();
    let (height, width) = match (integer(capability, "height"), integer(capability, "width")) {
        (Some(h), Some(w)) => (u32::try_from(h).ok()?, u32::try_from(w).ok()?),
        _ => match dims.as_slice() {
            [.., h, w, s] if *s == samples => (*h, *w),
            [.., h, w] if samples == 1 => (*h, *w),
            _ => return None,
        },
    };
    let bytes = height.checked_mul(width)?.checked_mul(samples)?;
    (bytes > 0 && bytes == capability.ty.bytes()).then_some((width, height))
}

impl Source for Images {
    /// Resizes with a Catmull-Rom filter without keeping proportions, then converts the pixels.
    fn read(&mut self, out: &mut [u8]) -> Result<Read, SourceError> {
        let Some(file) = self.files.pop_front() else {
            return Ok(Read::End { note: None });
        };
        let bad = |e: &dyn std::fmt::Display| {
            SourceError::new(&file, format_args!("unable to read it as an image: {e}"))
        };
        let bytes = self.given.read(&file)?;
        let image = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|e| bad(&e))?
            .decode()
            .map_err(|e| bad(&e))?;
        let image = image.resize_exact(self.width, self.height, FilterType::CatmullRom);
        match self.format {
            PixelFormat::Gray => out.copy_from_slice(image.to_luma8().as_raw()),
            PixelFormat::Rgb => out.copy_from_slice(image.to_rgb8().as_raw()),
            PixelFormat::Bgr => {
                out.copy_from_slice(image.to_rgb8().as_raw());
                for pixel in out.chunks_exact_mut(3) {
                    pixel.swap(0, 2);
                }
            }
        }
        Ok(Read::Sample)
    }
}
