//! What a capability asks for against what a sensor gives.

use rune_abi::{CapabilityKind, CapabilityView, ElementType, ValueView};

use crate::{
    filter::{Filter, Response},
    image::{Crop, ImagePlan, ImageSource, PixelFormat, Pixels, SIDE},
    motion::{MotionFormat, MotionSource, Readings},
    rate::{Rate, Ratio},
    refusal::{Reason, Reasons, Refusal},
    resample::LANES,
    scale::Scale,
    sound::{CHANNELS, SoundSource},
    stream::{Decoder, Encoding, StreamPlan},
};

/// What a sensor gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// A microphone; feeds SOUND.
    Sound(SoundSource),
    /// An accelerometer; feeds ACCEL.
    Motion(MotionSource),
    /// A camera; feeds IMAGE and `FLOAT_IMAGE`.
    Image(ImageSource),
}

impl Source {
    /// The kind of capability it can feed; a camera feeds `FLOAT_IMAGE` too.
    pub const fn kind(&self) -> CapabilityKind {
        match self {
            Self::Sound(_) => CapabilityKind::Sound,
            Self::Motion(_) => CapabilityKind::Accel,
            Self::Image(_) => CapabilityKind::Image,
        }
    }
}

/// How a sensor feeds a capability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// In windows of a stream of frames.
    Stream(StreamPlan),
    /// In pictures.
    Image(ImagePlan),
}

/// Says how a sensor feeds a capability, from the manifest alone, or every reason why it cannot.
///
/// A parameter the manifest does not have is not asked for: without `hz` a rune gets the sensor's own rate.
#[expect(
    clippy::result_large_err,
    reason = "without an allocator reasons have no other place"
)]
pub fn plan(capability: &CapabilityView<'_>, source: &Source) -> Result<Plan, Refusal> {
    let mut reasons = Reasons::default();
    let kind = if capability.kind == CapabilityKind::FloatImage {
        CapabilityKind::Image
    } else {
        capability.kind
    };
    if source.kind() != kind {
        reasons.add(Reason::Kind {
            wanted: capability.kind,
            given: source.kind(),
        });
        return reasons.or(None);
    }
    let wanted = capability.ty.element();
    let offered = capability.kind.spec().elements;
    reasons.add_if(
        !offered.contains(&wanted),
        Reason::Element {
            kind: capability.kind,
            wanted,
        },
    );
    let plan = match source {
        Source::Sound(source) => sound(capability, source, &mut reasons).map(Plan::Stream),
        Source::Motion(source) => motion(capability, source, &mut reasons).map(Plan::Stream),
        Source::Image(source) => image(capability, source, &mut reasons).map(Plan::Image),
    };
    reasons.or(plan)
}

fn sound(
    capability: &CapabilityView<'_>,
    source: &SoundSource,
    reasons: &mut Reasons,
) -> Option<StreamPlan> {
    reasons.add_if(
        !(1..=CHANNELS).contains(&source.channels),
        Reason::Channels {
            given: source.channels,
        },
    );
    let decoder = Decoder::Sound(*source);
    let window = capability.ty.elements();
    stream(
        capability,
        decoder,
        window,
        Some(source.rate),
        Response::SOUND,
        reasons,
    )
}

fn motion(
    capability: &CapabilityView<'_>,
    source: &MotionSource,
    reasons: &mut Reasons,
) -> Option<StreamPlan> {
    let elements = capability.ty.elements();
    reasons.add_if(
        !elements.is_multiple_of(LANES as u32),
        Reason::Triplets { elements },
    );
    if let MotionFormat::Counts(scan) = source.format {
        reasons.add_if(!scan.is_valid(), Reason::Scan);
    }
    let (offset, scale) = (
        source.offset as f32,
        (source.scale * source.unit.in_g()) as f32,
    );
    reasons.add_if(
        !offset.is_finite() || !scale.is_finite() || scale == 0.0,
        Reason::Scale,
    );
    reasons.add_if(!source.axes.is_valid(), Reason::Axes);
    let decoder = Decoder::Motion(Readings {
        format: source.format,
        offset,
        axes: source.axes.0.map(|axis| {
            let (place, sign) = axis.place();
            (place, sign * scale)
        }),
    });
    stream(
        capability,
        decoder,
        elements / LANES as u32,
        source.rate,
        Response::MOTION,
        reasons,
    )
}

/// What sound and readings have in common.
fn stream(
    capability: &CapabilityView<'_>,
    decoder: Decoder,
    window: u32,
    given: Option<Rate>,
    response: Response,
    reasons: &mut Reasons,
) -> Option<StreamPlan> {
    let hop = match capability.params.integer("hop") {
        None => Some(window),
        Some(hop) => {
            let valid = u32::try_from(hop).ok().filter(|h| (1..1 << 31).contains(h));
            reasons.add_if(valid.is_none(), Reason::Hop { hop });
            valid
        }
    };
    let filter = filter(capability, given, response, reasons);
    // Another element than these two was refused by the table of kinds.
    let encoding = if capability.ty.element() == ElementType::I16 {
        Encoding::I16
    } else {
        Encoding::F32
    };
    Some(StreamPlan {
        decoder,
        filter: filter?,
        response,
        given,
        encoding,
        window,
        hop: hop?,
        backlog: 1,
    })
}

/// The filter from the sensor's rate to that of the rune, if one is needed; `None` with a reason.
#[expect(
    clippy::option_option,
    reason = "no rate conversion is a plan, no plan is none"
)]
fn filter(
    capability: &CapabilityView<'_>,
    given: Option<Rate>,
    response: Response,
    reasons: &mut Reasons,
) -> Option<Option<Filter>> {
    let valid = given.is_none_or(Rate::is_valid);
    reasons.add_if(!valid, Reason::GivenRate);
    let Some(hz) = capability.params.integer("hz") else {
        return valid.then_some(None);
    };
    let Some(hz) = u32::try_from(hz).ok().filter(|hz| *hz > 0) else {
        reasons.add(Reason::WantedRate { hz });
        return None;
    };
    let wanted = Rate::hz(hz);
    let Some(given) = given else {
        reasons.add(Reason::UnknownRate { wanted });
        return None;
    };
    if !valid {
        return None;
    }
    let ratio = Ratio::new(given, wanted);
    if ratio.up > ratio.down {
        reasons.add(Reason::Slow { given, wanted });
        return None;
    }
    if ratio.up == ratio.down {
        return Some(None);
    }
    let filter = Filter::new(ratio, response);
    reasons.add_if(filter.is_none(), Reason::Ratio { given, wanted });
    filter.map(Some)
}

fn image(
    capability: &CapabilityView<'_>,
    source: &ImageSource,
    reasons: &mut Reasons,
) -> Option<ImagePlan> {
    let ImageSource { width, height, .. } = *source;
    let side = 1..=SIDE;
    let sized = side.contains(&width) && side.contains(&height);
    reasons.add_if(!sized, Reason::GivenSize { width, height });
    let (row, stride) = (source.row_bytes(), source.row_step());
    reasons.add_if(stride < row, Reason::Stride { row, stride });
    reasons.add_if(
        source.format == PixelFormat::Yuyv && width % 2 == 1,
        Reason::OddWidth { width },
    );
    let pixels = pixels(capability);
    let Some((wide, high)) = size(capability, pixels) else {
        reasons.add(Reason::ImageType {
            elements: capability.ty.elements(),
        });
        return None;
    };
    if wide > SIDE || high > SIDE {
        reasons.add(Reason::WantedSize);
        return None;
    }
    if !sized {
        return None;
    }
    let (left, top, from_wide, from_high) = used(source, wide, high);
    let inside = |start: u32, length: u32, side: u32| {
        length > 0 && start.checked_add(length).is_some_and(|end| end <= side)
    };
    reasons.add_if(
        !inside(left, from_wide, width) || !inside(top, from_high, height),
        Reason::Crop,
    );
    Some(ImagePlan {
        source: *source,
        left,
        top,
        across: Scale {
            from: from_wide,
            to: wide,
        },
        down: Scale {
            from: from_high,
            to: high,
        },
        pixels,
        float: capability.ty.element() == ElementType::F32,
    })
}

/// The parameter `pixel-format`; RGB without one.
fn pixels(capability: &CapabilityView<'_>) -> Pixels {
    match capability.params.value("pixel-format") {
        Some(ValueView::Text(word)) if word.eq_ignore_ascii_case("GrayScale") => Pixels::Gray,
        Some(ValueView::Text(word)) if word.eq_ignore_ascii_case("BGR") => Pixels::Bgr,
        _ => Pixels::Rgb,
    }
}

/// Width and height from the parameters, or else from a type `[.., height, width, samples]` or, for one
/// sample per pixel, `[.., height, width]`; `None` if the type does not hold such an image.
fn size(capability: &CapabilityView<'_>, pixels: Pixels) -> Option<(u32, u32)> {
    let side = |name| capability.params.integer(name);
    let bound = |dim: &rune_abi::Dim| dim.bound();
    let (width, height) = match (side("width"), side("height"), capability.ty.dims()) {
        (Some(width), Some(height), _) => (u32::try_from(width).ok()?, u32::try_from(height).ok()?),
        (_, _, [.., h, w, samples]) if samples.bound() == pixels.bytes() => (bound(w), bound(h)),
        (_, _, [.., h, w]) if pixels == Pixels::Gray => (bound(w), bound(h)),
        _ => return None,
    };
    let samples = width.checked_mul(height)?.checked_mul(pixels.bytes())?;
    (samples > 0 && samples == capability.ty.elements()).then_some((width, height))
}

/// Left, top, width and height of the part that is used for a picture of `wide` by `high` pixels.
fn used(source: &ImageSource, wide: u32, high: u32) -> (u32, u32, u32, u32) {
    let ImageSource { width, height, .. } = *source;
    match source.crop {
        Crop::Whole => (0, 0, width, height),
        Crop::Part {
            left,
            top,
            width,
            height,
        } => (left, top, width, height),
        Crop::Centred => {
            // All sides are at most 2^14.
            let (w, h) = if width * high > height * wide {
                ((height * wide / high).max(1), height)
            } else {
                (width, (width * high / wide).max(1))
            };
            ((width - w) / 2, (height - h) / 2, w, h)
        }
    }
}
