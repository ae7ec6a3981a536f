//! What keeps the elements it has seen: framing, stacking, overlapping and delaying.
//!
//! A history holds the latest elements, the oldest first, and is zero where nothing came yet.

use super::bank::clamped;

/// Moves a history on by new elements, of which there are no more than it holds.
pub(super) fn push<T: Copy>(history: &mut [T], new: &[T]) {
    history.copy_within(new.len().., 0);
    let at = history.len() - new.len();
    history[at..].copy_from_slice(new);
}

/// How a framer cuts its rows.
pub(super) struct Frames {
    /// Elements of a row.
    pub(super) row: usize,
    /// Elements of a frame.
    pub(super) size: usize,
    /// Elements from one frame to the next.
    pub(super) step: usize,
    /// Steps until there is a whole frame.
    pub(super) needed: i32,
}

/// `SignalFramer`: of each row, after every step the oldest elements of its history as a frame, which is zero
/// before enough steps were seen. Gives the frames and whether all of them are whole.
pub(super) fn framer(
    rows: &[i16],
    frames: &Frames,
    histories: &mut [i16],
    seen: &mut i32,
) -> (Vec<i16>, bool) {
    let Frames {
        row,
        size,
        step,
        needed,
    } = *frames;
    let history = histories.len() / (rows.len() / row);
    let mut result = Vec::new();
    for (row, history) in rows
        .chunks_exact(row)
        .zip(histories.chunks_exact_mut(history))
    {
        for (new, index) in row.chunks_exact(step).zip(1..) {
            push(history, new);
            if *seen + index >= needed {
                result.extend_from_slice(&history[..size]);
            } else {
                result.resize(result.len() + size, 0);
            }
        }
    }
    let whole = *seen + 1 >= needed;
    let steps = (row / step) as i32;
    *seen = seen.saturating_add(steps).min(needed);
    (result, whole)
}

/// `SignalStacker`: the history of frames once it is full; then `step` of them count no more. The first frame
/// counts `left` times more. `count` of them count, or -1 before the first. Gives zeros and `false` where
/// the history is not full.
pub(super) fn stacker(
    frame: &[i16],
    (left, depth, step): (i32, i32, i32),
    history: &mut [i16],
    count: &mut i32,
) -> (Vec<i16>, bool) {
    let repeats = if *count < 0 { left + 1 } else { 1 };
    for _ in 0..repeats {
        push(history, frame);
    }
    *count = (*count).max(0) + repeats;
    let whole = *count >= depth;
    if whole {
        *count -= step;
        (history.to_vec(), true)
    } else {
        (vec![0; history.len()], false)
    }
}

/// An element of what overlaps.
pub(super) trait Overlap: Copy + Default {
    fn sum(self, other: Self) -> Self;
}

impl Overlap for i16 {
    fn sum(self, other: Self) -> Self {
        clamped(i32::from(self) + i32::from(other))
    }
}

impl Overlap for f32 {
    fn sum(self, other: Self) -> Self {
        self + other
    }
}

/// `SignalOverlapAdd`: each frame is added to what earlier ones left, of which the first `step` sums are then
/// the result.
pub(super) fn overlap_add<T: Overlap>(
    frames: &[T],
    (count, size, step): (usize, usize, usize),
    sums: &mut [T],
) -> Vec<T> {
    let mut result = Vec::new();
    for (frames, sums) in frames
        .chunks_exact(count * size)
        .zip(sums.chunks_exact_mut(size))
    {
        for frame in frames.chunks_exact(size) {
            for (sum, x) in sums.iter_mut().zip(frame) {
                *sum = sum.sum(*x);
            }
            result.extend_from_slice(&sums[..step]);
            push(sums, &vec![T::default(); step]);
        }
    }
    result
}

/// `SignalDelay`: of each row, the elements that came so many elements before.
pub(super) fn delay(rows: &[i16], row: usize, histories: &mut [i16]) -> Vec<i16> {
    let history = histories.len() / (rows.len() / row);
    let mut result = Vec::new();
    for (row, history) in rows
        .chunks_exact(row)
        .zip(histories.chunks_exact_mut(history))
    {
        push(history, row);
        result.extend_from_slice(&history[..row.len()]);
    }
    result
}
