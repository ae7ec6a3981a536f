//! Pictures of every size and format.

use rune_abi::{CapabilityKind, ElementType, Value};
use rune_adapt::{BufferError, Crop, ImagePlan, ImageSource, PixelFormat, Source};

use crate::support::{Random, image_plan, plan_for};

fn camera(width: u32, height: u32, format: PixelFormat) -> ImageSource {
    ImageSource {
        width,
        height,
        stride: 0,
        format,
        crop: Crop::Whole,
    }
}

/// A plan for `width` by `height` pixels of a format of runes.
fn planned(source: ImageSource, width: u32, height: u32, format: &str) -> ImagePlan {
    let samples = if format == "GrayScale" { 1 } else { 3 };
    let params = [
        ("width", Value::Integer(width.into())),
        ("height", Value::Integer(height.into())),
        ("pixel-format", Value::Text(format.to_owned())),
    ];
    let dims = [1, height, width, samples];
    let source = Source::Image(source);
    image_plan(plan_for(
        CapabilityKind::Image,
        ElementType::U8,
        &dims,
        &params,
        &source,
    ))
}

fn convert(plan: ImagePlan, source: &[u8]) -> Vec<u8> {
    let mut out = vec![0; plan.output_bytes()];
    plan.convert(source, &mut out).unwrap();
    out
}

/// Two pixels in a format, and what they are in RGB and in grey.
type Colours = (PixelFormat, &'static [u8], [u8; 6], [u8; 2]);

#[test]
fn formats_by_known_colours() {
    use PixelFormat::{Bgr8, Gray8, Rgb8, Rgb565, Yuyv};
    // Red and a grey in every format; in Yuyv both of a pair have the colour of the pair.
    let cases: [Colours; 7] = [
        (
            Rgb8,
            &[255, 0, 0, 99, 99, 99],
            [255, 0, 0, 99, 99, 99],
            [76, 99],
        ),
        (
            Bgr8,
            &[0, 0, 255, 99, 99, 99],
            [255, 0, 0, 99, 99, 99],
            [76, 99],
        ),
        (Gray8, &[7, 255], [7, 7, 7, 255, 255, 255], [7, 255]),
        (
            Rgb565,
            &[0x00, 0xF8, 0x0C, 0x63],
            [255, 0, 0, 99, 97, 99],
            [76, 98],
        ),
        // BT.601: white and black without colour; red is (81, 90, 240).
        (
            Yuyv,
            &[235, 128, 16, 128],
            [255, 255, 255, 0, 0, 0],
            [255, 0],
        ),
        (Yuyv, &[81, 90, 81, 240], [255, 0, 0, 255, 0, 0], [76, 76]),
        (
            Yuyv,
            &[255, 128, 0, 128],
            [255, 255, 255, 0, 0, 0],
            [255, 0],
        ),
    ];
    for (format, bytes, rgb, gray) in cases {
        let plan = |to| planned(camera(2, 1, format), 2, 1, to);
        assert_eq!(convert(plan("RGB"), bytes), rgb, "{format:?}");
        let bgr = [rgb[2], rgb[1], rgb[0], rgb[5], rgb[4], rgb[3]];
        assert_eq!(convert(plan("BGR"), bytes), bgr, "{format:?}");
        assert_eq!(convert(plan("GrayScale"), bytes), gray, "{format:?}");
    }
}

#[test]
fn sizes_by_hand() {
    let gray = |w, h, to_w, to_h, bytes: &[u8]| {
        let source = camera(w, h, PixelFormat::Gray8);
        convert(planned(source, to_w, to_h, "GrayScale"), bytes)
    };
    assert_eq!(gray(4, 2, 2, 1, &[0, 2, 10, 11, 4, 5, 12, 13]), [3, 12]);
    assert_eq!(gray(3, 1, 2, 1, &[0, 90, 240]), [30, 190]);
    assert_eq!(gray(2, 1, 4, 1, &[0, 100]), [0, 25, 75, 100]);
    assert_eq!(gray(1, 1, 2, 3, &[9]), [9; 6]);
    // Wider and lower at once.
    assert_eq!(gray(2, 2, 4, 1, &[0, 100, 20, 120]), [10, 35, 85, 110]);
}

#[test]
fn rows_and_parts() {
    // Four by three pixels in rows of six bytes; the last row ends with its last pixel.
    let bytes = [
        0, 1, 2, 3, 99, 99, //
        10, 11, 12, 13, 99, 99, //
        20, 21, 22, 23,
    ];
    let source = ImageSource {
        stride: 6,
        ..camera(4, 3, PixelFormat::Gray8)
    };
    let plan =
        |crop, width, height| planned(ImageSource { crop, ..source }, width, height, "GrayScale");
    let whole = plan(Crop::Whole, 4, 3);
    assert_eq!(whole.source_bytes(), 16);
    assert_eq!(
        convert(whole, &bytes),
        [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    );
    let part = Crop::Part {
        left: 1,
        top: 1,
        width: 3,
        height: 2,
    };
    assert_eq!(convert(plan(part, 3, 2), &bytes), [11, 12, 13, 21, 22, 23]);
    // Of 4 by 3 a square in the middle is 3 by 3 from the left, for half a pixel there is none.
    let square = [0, 1, 2, 10, 11, 12, 20, 21, 22];
    assert_eq!(convert(plan(Crop::Centred, 3, 3), &bytes), square);
    // And the widest part of 4:1 is one row in the middle.
    assert_eq!(convert(plan(Crop::Centred, 4, 1), &bytes), [10, 11, 12, 13]);
    // Colours of a pair stay with it when the part begins inside it.
    let yuyv = ImageSource {
        crop: Crop::Part {
            left: 1,
            top: 0,
            width: 2,
            height: 1,
        },
        ..camera(4, 1, PixelFormat::Yuyv)
    };
    let pairs = [81, 90, 81, 240, 235, 128, 235, 128];
    assert_eq!(
        convert(planned(yuyv, 2, 1, "RGB"), &pairs),
        [255, 0, 0, 255, 255, 255]
    );
}

#[test]
fn the_size_may_stand_in_the_type_alone() {
    let source = Source::Image(camera(2, 2, PixelFormat::Gray8));
    let of = |dims: &[u32], format: &str| {
        let params = [("pixel-format", Value::Text(format.to_owned()))];
        image_plan(plan_for(
            CapabilityKind::Image,
            ElementType::U8,
            dims,
            &params,
            &source,
        ))
    };
    assert_eq!(of(&[1, 2, 3, 1], "grayscale").output_bytes(), 6);
    assert_eq!(convert(of(&[1, 2], "GrayScale"), &[1, 2, 3, 4]), [2, 3]);
    assert_eq!(convert(of(&[1, 1, 3], "RGB"), &[1, 2, 3, 5]), [3; 3]);
}

/// Value of a row of pixels at a place, by the integral over an area or by the line between centres.
fn reference(row: &[f64], to: usize, i: usize) -> f64 {
    let step = row.len() as f64 / to as f64;
    if step >= 1.0 {
        let (start, end) = (i as f64 * step, (i + 1) as f64 * step);
        let covered = |p: usize| (end.min(p as f64 + 1.0) - start.max(p as f64)).max(0.0);
        row.iter()
            .enumerate()
            .map(|(p, v)| v * covered(p))
            .sum::<f64>()
            / step
    } else {
        let place = ((i as f64 + 0.5) * step - 0.5).clamp(0.0, row.len() as f64 - 1.0);
        let left = place.floor() as usize;
        let right = (left + 1).min(row.len() - 1);
        row[left] + (row[right] - row[left]) * (place - left as f64)
    }
}

#[test]
fn random_pictures_are_scaled_as_real_numbers_say() {
    let mut random = Random(21);
    for _ in 0..60 {
        let [w, h, to_w, to_h] = [(); 4].map(|()| random.below(23) + 1);
        let bytes = random.bytes(w * h * 3);
        let source = camera(w as u32, h as u32, PixelFormat::Rgb8);
        let found = convert(planned(source, to_w as u32, to_h as u32, "RGB"), &bytes);
        for (at, found) in found.iter().enumerate() {
            let (x, y, c) = (at / 3 % to_w, at / 3 / to_w, at % 3);
            let value = |row: usize, column: usize| f64::from(bytes[(row * w + column) * 3 + c]);
            let column: Vec<f64> = (0..h)
                .map(|row| {
                    let row: Vec<f64> = (0..w).map(|column| value(row, column)).collect();
                    reference(&row, to_w, x)
                })
                .collect();
            let want = reference(&column, to_h, y);
            let error = (f64::from(*found) - want).abs();
            assert!(
                error < 0.5 + 1e-9,
                "{w}x{h} to {to_w}x{to_h}: {found} {want}"
            );
        }
    }
}

#[test]
fn the_largest_sums_do_not_overflow() {
    let source = camera(16_384, 3, PixelFormat::Gray8);
    let bytes = vec![255; 16_384 * 3];
    assert_eq!(convert(planned(source, 1, 1, "GrayScale"), &bytes), [255]);
    let row = convert(planned(source, 16_383, 2, "GrayScale"), &bytes);
    assert!(row.iter().all(|v| *v == 255));
    let source = camera(16_383, 1, PixelFormat::Gray8);
    let row = convert(planned(source, 16_384, 2, "GrayScale"), &bytes[..16_383]);
    assert!(row.iter().all(|v| *v == 255));
}

#[test]
fn buffers_of_the_wrong_size_are_errors() {
    let plan = planned(camera(4, 4, PixelFormat::Rgb565), 2, 2, "RGB");
    let few = BufferError {
        buffer: "picture",
        needed: 32,
        given: 31,
    };
    assert_eq!(plan.convert(&[0; 31], &mut [0; 12]), Err(few));
    assert!(plan.convert(&[0; 33], &mut [0; 12]).is_ok());
    let much = BufferError {
        buffer: "output",
        needed: 12,
        given: 13,
    };
    assert_eq!(plan.convert(&[0; 32], &mut [0; 13]), Err(much));
}

#[test]
fn samples_of_a_float_image_are_its_bytes_from_0_to_1() {
    let source = camera(2, 1, PixelFormat::Rgb8);
    let params = [
        ("width", Value::Integer(2)),
        ("height", Value::Integer(1)),
        ("pixel-format", Value::Text("BGR".to_owned())),
    ];
    let plan = image_plan(plan_for(
        CapabilityKind::FloatImage,
        ElementType::F32,
        &[1, 2, 3],
        &params,
        &Source::Image(source),
    ));
    assert_eq!(plan.output_bytes(), 24);
    let floats = convert(plan, &[255, 51, 0, 1, 2, 3]);
    let floats: Vec<f32> = floats
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let want = [0, 51, 255, 3, 2, 1].map(|byte| byte as f32 / 255.0);
    assert_eq!(floats, want);
}
