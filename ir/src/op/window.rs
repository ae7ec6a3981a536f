//! How a window moves over rows and columns: the geometry of convolutions and pooling.

use super::Window;

impl Window {
    /// The taps, of `taps` rows (`axis` 0) or columns (1), that lie in a tensor of `size` of them when the
    /// window stands at output position `position`: each with the row or column it reads.
    pub(super) fn taps(
        &self,
        axis: usize,
        position: usize,
        taps: usize,
        size: usize,
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let [stride, dilation, pad] =
            [self.stride, self.dilation, self.pad].map(|a| a[axis] as usize);
        let start = position * stride;
        let first = pad.saturating_sub(start).div_ceil(dilation);
        (first..taps)
            .map(move |tap| (tap, start + tap * dilation - pad))
            .take_while(move |(_, at)| *at < size)
    }

    /// What the window reads at an output position, the positions of all images counted row by row: each tap
    /// that lies in the tensor, counted row by row too, with the position of the tensor it reads. The sizes
    /// are rows and columns.
    pub(super) fn reads(
        &self,
        position: usize,
        input: [usize; 2],
        taps: [usize; 2],
        output: [usize; 2],
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let window = *self;
        let (row, column) = (position / output[1], position % output[1]);
        let (image, row) = (row / output[0], row % output[0]);
        let rows = window.taps(0, row, taps[0], input[0]);
        rows.flat_map(move |(tap_row, y)| {
            let columns = window.taps(1, column, taps[1], input[1]);
            columns.map(move |(tap_column, x)| {
                (
                    tap_row * taps[1] + tap_column,
                    (image * input[0] + y) * input[1] + x,
                )
            })
        })
    }

    /// Checks a window of `taps` rows and columns that moves over `input` and gives `output` of them:
    /// each number is at least 1, and the span of taps at every position overlaps the tensor.
    /// A dilated window may still have no tap inside; then its sum is empty.
    pub(super) fn check(
        &self,
        input: [usize; 2],
        taps: [usize; 2],
        output: [usize; 2],
    ) -> Result<(), String> {
        for axis in 0..2 {
            let name = ["rows", "columns"][axis];
            let [stride, dilation, pad] =
                [self.stride, self.dilation, self.pad].map(|a| u64::from(a[axis]));
            let [input, taps, output] = [input, taps, output].map(|a| a[axis] as u64);
            if stride == 0 || dilation == 0 || taps == 0 {
                return Err(format!(
                    "its window has {taps} {name}, stride {stride} and dilation {dilation}"
                ));
            }
            let outside =
                || format!("its window of {taps} {name} lies wholly outside the tensor's {input}");
            // Products of two u32 and a sum or two of them fit u64 with room.
            let span = (taps - 1) * dilation + 1;
            let last = output
                .checked_sub(1)
                .map(|positions| positions * stride)
                .ok_or_else(outside)?;
            if pad >= span || last >= input + pad {
                return Err(outside());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_those_inside_the_tensor() {
        for stride in 1..4 {
            for dilation in 1..4 {
                for pad in 0..7 {
                    let window = Window {
                        stride: [1, stride],
                        dilation: [1, dilation],
                        pad: [0, pad],
                    };
                    for position in 0..4 {
                        let place = |tap: usize| {
                            let at = position * stride as usize + tap * dilation as usize;
                            at.checked_sub(pad as usize).map(|at| (tap, at))
                        };
                        let inside = (0..4).filter_map(place).filter(|(_, at)| *at < 5);
                        let taps: Vec<_> = window.taps(1, position, 4, 5).collect();
                        assert_eq!(taps, inside.collect::<Vec<_>>(), "{window:?}");
                    }
                }
            }
        }
    }
}
