//! How the numbers of an image lie in a tensor.

use alloc::{format, vec::Vec};

use rune_block_sdk::Refusal;

/// The dimensions of an image: `[h, w]`, `[h, w, c]` or `[1, h, w, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// Rows.
    pub height: u32,
    /// Pixels of a row.
    pub width: u32,
    /// What stands before the height: nothing, or 1.
    before: &'a [u32],
    /// What stands behind the width: nothing, or the channels.
    behind: &'a [u32],
}

impl<'a> Layout<'a> {
    /// The layout of a tensor of these dimensions.
    ///
    /// # Errors
    /// If it is none of an image.
    pub fn of(dims: &'a [u32]) -> Result<Self, Refusal> {
        let (before, height, width, behind) = match dims {
            [h, w] | [h, w, _] => (&dims[..0], *h, *w, &dims[2..]),
            [1, h, w, _] => (&dims[..1], *h, *w, &dims[3..]),
            _ => {
                return Err(format!(
                    "an image of the shape {dims:?}, but it takes [h, w], [h, w, c] or [1, h, w, c]"
                )
                .into());
            }
        };
        Ok(Self {
            height,
            width,
            before,
            behind,
        })
    }

    /// Numbers of a pixel.
    pub fn channels(&self) -> usize {
        self.behind.first().map_or(1, |channels| *channels as usize)
    }

    /// The dimensions of an image of another height and width in the same layout.
    pub fn resized(&self, height: u32, width: u32) -> Vec<u32> {
        [self.before, &[height, width], self.behind].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_dimensions_stay() {
        for (dims, channels, resized) in [
            (&[4, 3][..], 1, &[7, 9][..]),
            (&[4, 3, 5], 5, &[7, 9, 5]),
            (&[1, 4, 3, 2], 2, &[1, 7, 9, 2]),
        ] {
            let layout = Layout::of(dims).unwrap();
            assert_eq!((layout.height, layout.width), (4, 3));
            assert_eq!(layout.channels(), channels);
            assert_eq!(layout.resized(7, 9), resized);
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for dims in [&[][..], &[4], &[2, 4, 3, 1], &[1, 1, 4, 3, 1]] {
            assert!(Layout::of(dims).is_err(), "{dims:?}");
        }
    }
}
