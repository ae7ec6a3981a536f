//! What cannot be adapted is refused with every reason.

use rune_abi::{CapabilityKind, ElementType, Value};
use rune_adapt::{
    Axes, Axis, Crop, ImageSource, MotionFormat, MotionSource, PixelFormat, Rate, Reason,
    SampleFormat, ScanType, Source, Unit,
};

use crate::support::{microphone, plan_for};

fn reasons(
    kind: CapabilityKind,
    element: ElementType,
    dims: &[u32],
    params: &[(&str, Value)],
    source: &Source,
) -> Vec<Reason> {
    let refusal = plan_for(kind, element, dims, params, source).unwrap_err();
    refusal.reasons().collect()
}

fn of_sound(hz: i64, source: rune_adapt::SoundSource) -> Vec<Reason> {
    let params = [("hz", Value::Integer(hz))];
    let source = Source::Sound(source);
    reasons(
        CapabilityKind::Sound,
        ElementType::I16,
        &[16],
        &params,
        &source,
    )
}

const SENSOR: MotionSource = MotionSource {
    rate: None,
    format: MotionFormat::Counts(ScanType::S16),
    offset: 0.0,
    scale: 1.0,
    unit: Unit::G,
    axes: Axes::SAME,
};

const CAMERA: ImageSource = ImageSource {
    width: 640,
    height: 480,
    stride: 0,
    format: PixelFormat::Rgb8,
    crop: Crop::Whole,
};

#[test]
fn another_kind_of_sensor() {
    let source = Source::Image(CAMERA);
    let found = reasons(CapabilityKind::Sound, ElementType::I16, &[1], &[], &source);
    let want = Reason::Kind {
        wanted: CapabilityKind::Sound,
        given: CapabilityKind::Image,
    };
    assert_eq!(found, [want]);
    let found = reasons(CapabilityKind::Rand, ElementType::F32, &[1], &[], &source);
    assert_eq!(found.len(), 1);
}

#[test]
fn rates_that_cannot_be_made() {
    let (given, wanted) = (Rate::hz(8_000), Rate::hz(16_000));
    let slow = of_sound(16_000, microphone(8_000, 1, SampleFormat::S16));
    assert_eq!(slow, [Reason::Slow { given, wanted }]);
    let found = of_sound(16_000, microphone(44_101, 1, SampleFormat::S16));
    let given = Rate::hz(44_101);
    assert_eq!(found, [Reason::Ratio { given, wanted }]);
    let found = of_sound(1, microphone(384_000, 1, SampleFormat::S16));
    assert!(matches!(found[..], [Reason::Ratio { .. }]));
    let found = of_sound(0, microphone(384_000, 1, SampleFormat::S16));
    assert_eq!(found, [Reason::WantedRate { hz: 0 }]);
    let found = of_sound(16_000, microphone(0, 1, SampleFormat::S16));
    assert_eq!(found, [Reason::GivenRate]);
}

#[test]
fn every_reason_of_a_microphone_at_once() {
    let source = Source::Sound(microphone(8_000, 17, SampleFormat::S16));
    let params = [("hz", Value::Integer(16_000)), ("hop", Value::Integer(-1))];
    let kind = CapabilityKind::Sound;
    let refusal = plan_for(kind, ElementType::F64, &[16], &params, &source).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "SOUND has no elements of type F64
17 channels are not 1 to 16
a hop of -1 is not at least 1 and below 2^31
the rune asks for 16000 Hz and the sensor gives 8000 Hz; what it did not catch cannot be made up"
    );
    assert_eq!(refusal.reasons().count(), 4);
}

#[test]
fn every_reason_of_an_accelerometer_at_once() {
    let scan = ScanType {
        bits: 20,
        ..ScanType::S16
    };
    let source = Source::Motion(MotionSource {
        format: MotionFormat::Counts(scan),
        scale: 0.0,
        axes: Axes([Axis::X, Axis::MinusX, Axis::Z]),
        ..SENSOR
    });
    let params = [("hz", Value::Integer(25)), ("hop", Value::Integer(1 << 31))];
    let kind = CapabilityKind::Accel;
    let found = reasons(kind, ElementType::I16, &[128], &params, &source);
    assert_eq!(
        found,
        [
            Reason::Element {
                kind,
                wanted: ElementType::I16
            },
            Reason::Triplets { elements: 128 },
            Reason::Scan,
            Reason::Scale,
            Reason::Axes,
            Reason::Hop { hop: 1 << 31 },
            Reason::UnknownRate {
                wanted: Rate::hz(25)
            },
        ]
    );
    for scale in [f64::NAN, f64::INFINITY, 1e300, 1e-60] {
        let source = Source::Motion(MotionSource { scale, ..SENSOR });
        let found = reasons(kind, ElementType::F32, &[128, 3], &[], &source);
        assert_eq!(found, [Reason::Scale], "{scale}");
    }
}

#[test]
fn every_reason_of_a_camera_at_once() {
    let kind = CapabilityKind::Image;
    let of = |dims: &[u32], params: &[(&str, Value)], source| {
        reasons(kind, ElementType::U8, dims, params, &Source::Image(source))
    };
    let source = ImageSource {
        width: 641,
        stride: 1281,
        format: PixelFormat::Yuyv,
        ..CAMERA
    };
    let size = |width, height| {
        [
            ("width", Value::Integer(width)),
            ("height", Value::Integer(height)),
        ]
    };
    let found = of(&[8, 8], &size(8, 8), source);
    let mut want = vec![
        Reason::Stride {
            row: 1282,
            stride: 1281,
        },
        Reason::OddWidth { width: 641 },
    ];
    assert_eq!(found[..2], want);
    assert!(matches!(found[2..], [Reason::ImageType { .. }]));
    let crop = Crop::Part {
        left: 600,
        top: 0,
        width: 42,
        height: 1,
    };
    let found = of(&[8, 8, 3], &size(8, 8), ImageSource { crop, ..source });
    want.push(Reason::Crop);
    assert_eq!(found, want);
    for (left, width) in [(u32::MAX, 2), (0, 0), (640, 1)] {
        let crop = Crop::Part {
            left,
            top: 0,
            width,
            height: 480,
        };
        let found = of(&[8, 8, 3], &[], ImageSource { crop, ..CAMERA });
        assert_eq!(found, [Reason::Crop]);
    }
    let (width, height) = (0, 16_385);
    let none = ImageSource {
        width,
        height,
        ..CAMERA
    };
    assert_eq!(
        of(&[8, 8, 3], &[], none),
        [Reason::GivenSize { width, height }]
    );
    assert_eq!(of(&[1, 16_385, 3], &[], CAMERA), [Reason::WantedSize]);
    let gray = [("pixel-format", Value::Text("GrayScale".to_owned()))];
    assert!(matches!(
        of(&[64], &gray, CAMERA)[..],
        [Reason::ImageType { .. }]
    ));
    let half = [
        ("width", Value::Integer(-8)),
        ("height", Value::Integer(-8)),
    ];
    assert!(matches!(
        of(&[8, 8, 3], &half, CAMERA)[..],
        [Reason::ImageType { .. }]
    ));
}
