//! How a window moves over rows and columns: the geometry of convolutions and pooling.

use super::Window;

impl Window {
    /// The row (`axis` 0) or column (1) of the tensor, of `size` of them, that tap `tap` of output
    /// position `position` reads; `None` outside the tensor.
    pub fn index(&self, axis: usize, position: usize, tap: usize, size: usize) -> Option<usize> {
        let at = position * self.stride[axis] as usize + tap * self.dilation[axis] as usize;
        at.checked_sub(self.pad[axis] as usize)
            .filter(|i| *i < size)
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
