//! Cases beside the vectors.

use super::*;
use rune_block_sdk::testing::Instance;

fn run<T: Pixel>(
    image: &[T],
    dims: &[u32],
    (width, height): (u32, u32),
    method: &str,
) -> Result<Vec<T>, Refusal> {
    let channels = dims.get(2).copied().unwrap_or(1);
    let args = [
        i64::from(width).into(),
        i64::from(height).into(),
        method.into(),
    ];
    let out = [height, width, channels];
    let mut block = Instance::<Resize<T>>::new(&args, &[dims], &[&out])?;
    let mut resized = vec![T::of(T::ZERO); out.iter().product::<u32>() as usize];
    block.run(image, &mut resized).unwrap();
    Ok(resized)
}

#[test]
fn equals_the_oracle() {
    rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
}

/// No method changes an image of the right size, not a single bit.
#[test]
fn the_same_size_is_the_same_image() {
    let numbers = [-0.0, f32::INFINITY, f32::NAN, 1e-40, -3.5, f32::MAX];
    let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let bytes: Vec<u8> = (0..=254).collect();
    for method in ["nearest", "bilinear", "area"] {
        let same = run(&numbers, &[2, 3, 1], (3, 2), method).unwrap();
        assert_eq!(bits(&same), bits(&numbers), "{method}");
        let same = run(&bytes, &[17, 5, 3], (5, 17), method).unwrap();
        assert_eq!(same, bytes, "{method}");
    }
}

/// Any number of channels is so many images.
#[test]
fn channels_are_apart() {
    let (h, w, size) = (9_u32, 7_u32, (5, 12));
    let plane = |c: u32| (0..h * w).map(move |i| (i * i * 31 + c * 57 + i) as u8);
    for channels in 1..=6 {
        let planes: Vec<Vec<u8>> = (0..channels).map(|c| plane(c).collect()).collect();
        let image: Vec<u8> = (0..(h * w) as usize)
            .flat_map(|i| planes.iter().map(move |plane| plane[i]))
            .collect();
        for method in ["nearest", "bilinear", "area"] {
            let all = run(&image, &[h, w, channels], size, method).unwrap();
            for (c, plane) in planes.iter().enumerate() {
                let alone = run(plane, &[h, w], size, method).unwrap();
                let of_all: Vec<u8> = all
                    .iter()
                    .skip(c)
                    .step_by(channels as usize)
                    .copied()
                    .collect();
                assert_eq!(of_all, alone, "{method}, {channels} channels");
            }
        }
    }
}

#[test]
fn white_stays_white() {
    for size in [(1, 1), (3, 200), (100, 7), (99, 101)] {
        for method in ["nearest", "bilinear", "area"] {
            let resized = run(&[255_u8; 900], &[30, 30], size, method).unwrap();
            assert!(resized.iter().all(|x| *x == 255), "{method} {size:?}");
        }
    }
}

#[test]
fn what_is_no_image_is_refused() {
    let refusal = |dims: &[u32]| {
        let refusal = run::<u8>(&[], dims, (2, 2), "area").unwrap_err();
        refusal.message().to_owned()
    };
    assert_eq!(
        refusal(&[2, 4, 4, 3]),
        "an image of the shape [2, 4, 4, 3], but it takes [h, w], [h, w, c] or [1, h, w, c]"
    );
    assert_eq!(
        refusal(&[4, 0, 3]),
        "an image of the shape [4, 0, 3] has no pixels"
    );
    assert_eq!(
        refusal(&[1, 65_536]),
        "an image of 65536 x 1 pixels, but a side has at most 65535"
    );
}
