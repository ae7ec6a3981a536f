//! `crop`: a rectangle of an image.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, vec, vec::Vec};
use core::marker::PhantomData;

use rune_block_dsp::image::Layout;
use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.u8" => Crop<u8>,
    "run.f32" => Crop<f32>,
    "run.i8" => Crop<i8>,
    "run.u16" => Crop<u16>,
    "run.i16" => Crop<i16>,
    "run.u32" => Crop<u32>,
    "run.i32" => Crop<i32>,
    "run.u64" => Crop<u64>,
    "run.i64" => Crop<i64>,
    "run.f64" => Crop<f64>,
}

/// Indices of the arguments in `block.toml`.
const WIDTH: usize = 0;
const HEIGHT: usize = 1;
const X: usize = 2;
const Y: usize = 3;
const CENTER: usize = 4;

/// An instance for images of type `T`. Lengths are in elements.
#[derive(Debug)]
pub struct Crop<T> {
    /// A row of the image.
    row: usize,
    /// The first element of the rectangle.
    first: usize,
    /// A row of the rectangle.
    kept: usize,
    of: PhantomData<T>,
}

/// The rectangle, in an image of these dimensions, and where it lies.
struct Plan<'a> {
    image: Layout<'a>,
    width: u32,
    height: u32,
    x: u32,
    y: u32,
}

impl<'a> Plan<'a> {
    fn new(setup: &Setup<'a>) -> Result<Self, Refusal> {
        let image = Layout::of(setup.input(0).dims())?;
        let (high, wide) = (image.height, image.width);
        // The signature keeps all four within 16 bits.
        let [width, height, mut x, mut y] = [
            setup.integer(WIDTH)? as u32,
            setup.integer(HEIGHT)? as u32,
            setup.integer(X)? as u32,
            setup.integer(Y)? as u32,
        ];
        if setup.bool(CENTER)? {
            if (x, y) != (0, 0) {
                return Err("give `--x` and `--y`, or `--center true`, not both".into());
            }
            x = wide.saturating_sub(width) / 2;
            y = high.saturating_sub(height) / 2;
        }
        if x + width > wide || y + height > high {
            return Err(format!(
                "{width} x {height} pixels at {x}, {y} do not lie inside an image of {wide} x {high}"
            )
            .into());
        }
        Ok(Self {
            image,
            width,
            height,
            x,
            y,
        })
    }
}

/// The dimensions of the output.
fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    let plan = Plan::new(setup)?;
    Ok(vec![plan.image.resized(plan.height, plan.width)])
}

impl<T: Element> Block for Crop<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let plan = Plan::new(setup)?;
        let pixel = plan.image.channels();
        let row = plan.image.width as usize * pixel;
        Ok(Self {
            row,
            first: plan.y as usize * row + plan.x as usize * pixel,
            kept: plan.width as usize * pixel,
            of: PhantomData,
        })
    }

    fn run(&self, image: &[T], cropped: &mut [T], _: &mut Call<'_>) -> Result<Flow, Fault> {
        // An image without channels has no elements, and rows of none cannot be told apart.
        if self.kept > 0 {
            let rows = image[self.first..].chunks(self.row);
            for (to, from) in cropped.chunks_exact_mut(self.kept).zip(rows) {
                to.copy_from_slice(&from[..self.kept]);
            }
        }
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    /// The crop of an image whose elements are numbered.
    fn run(dims: &[u32], args: [i64; 5], out: &[u32]) -> Result<Vec<u16>, Refusal> {
        let args = args.map(Into::into);
        let mut block = Instance::<Crop<u16>>::new(&args, &[dims], &[out])?;
        let image: Vec<u16> = (0..dims.iter().product::<u32>() as u16).collect();
        let mut cropped = vec![9999; out.iter().product::<u32>() as usize];
        block.run(&image, &mut cropped).unwrap();
        Ok(cropped)
    }

    fn refusal(dims: &[u32], args: [i64; 5]) -> String {
        run(dims, args, &[0]).unwrap_err().message().to_owned()
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn the_whole_image_is_itself() {
        let all: Vec<u16> = (0..24).collect();
        assert_eq!(run(&[4, 3, 2], [3, 4, 0, 0, 0], &[4, 3, 2]), Ok(all));
    }

    #[test]
    fn the_last_pixel_is_inside() {
        assert_eq!(
            run(&[4, 3, 2], [1, 1, 2, 3, 0], &[1, 1, 2]),
            Ok(vec![22, 23])
        );
        assert_eq!(run(&[4, 3], [1, 1, 2, 3, 0], &[1, 1]), Ok(vec![11]));
    }

    #[test]
    fn an_odd_rest_is_larger_at_the_end() {
        assert_eq!(run(&[1, 4, 1], [1, 1, 0, 0, 1], &[1, 1, 1]), Ok(vec![1]));
    }

    #[test]
    fn outside_is_refused() {
        assert_eq!(
            refusal(&[4, 3, 2], [3, 4, 1, 0, 0]),
            "3 x 4 pixels at 1, 0 do not lie inside an image of 3 x 4"
        );
        assert_eq!(
            refusal(&[4, 3, 2], [9, 1, 0, 0, 1]),
            "9 x 1 pixels at 0, 1 do not lie inside an image of 3 x 4"
        );
        assert_eq!(
            refusal(&[4, 3, 2], [1, 1, 1, 0, 1]),
            "give `--x` and `--y`, or `--center true`, not both"
        );
        assert_eq!(
            refusal(&[2, 4, 3, 2], [1, 1, 0, 0, 0]),
            "an image of the shape [2, 4, 3, 2], but it takes [h, w], [h, w, c] or [1, h, w, c]"
        );
    }
}
