//! A ring of frames that are handed out in windows, one a hop after the other.

/// The state of a ring over bytes that the caller lends.
///
/// Windows begin at multiples of the hop, whatever is lost: when a frame comes and there is no room, the
/// oldest window that nobody has read goes, and is counted. With a hop beyond the window, the frames between
/// two windows are not stored.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// Bytes of a frame.
    frame: usize,
    /// Frames of a window, from the start of one to that of the next, and from one to the next in the ring.
    window: usize,
    hop: usize,
    stride: usize,
    /// Frames of the ring.
    capacity: usize,
    /// The place of the oldest frame, and how many there are from it on.
    start: usize,
    held: usize,
    /// Frames of the newest window so far and frames not to store; of use with a hop beyond the window.
    filled: usize,
    skip: usize,
    /// The number of the window that begins at the oldest frame.
    index: u64,
}

impl Ring {
    /// A ring for one window and `backlog` more.
    pub(crate) fn new(frame: usize, window: usize, hop: usize, backlog: usize) -> Self {
        let stride = hop.min(window);
        Self {
            frame,
            window,
            hop,
            stride,
            capacity: window.saturating_add(stride.saturating_mul(backlog)),
            start: 0,
            held: 0,
            filled: 0,
            skip: 0,
            index: 0,
        }
    }

    /// Of the whole ring.
    pub(crate) fn bytes(&self) -> usize {
        self.capacity.saturating_mul(self.frame)
    }

    /// Whether a frame can come without a window going.
    pub(crate) fn has_room(&self) -> bool {
        self.skip > 0 || self.held < self.capacity
    }

    /// Takes a frame; whether a window was lost for it.
    #[inline]
    pub(crate) fn push(&mut self, ring: &mut [u8], frame: &[u8]) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let full = self.held == self.capacity;
        if full {
            self.advance();
        }
        let place = self.wrapped(self.start + self.held) * self.frame;
        ring[place..place + self.frame].copy_from_slice(frame);
        self.held += 1;
        self.filled += 1;
        if self.filled == self.window {
            self.filled = 0;
            self.skip = self.hop - self.stride;
        }
        full
    }

    /// Whether there is a whole window.
    pub(crate) fn has_window(&self) -> bool {
        self.held >= self.window
    }

    /// Copies the oldest whole window and gives its number.
    pub(crate) fn read(&mut self, ring: &[u8], out: &mut [u8]) -> Option<u64> {
        if !self.has_window() {
            return None;
        }
        let (wrapped, ordered) = ring.split_at(self.start * self.frame);
        let first = out.len().min(ordered.len());
        out[..first].copy_from_slice(&ordered[..first]);
        let rest = out.len() - first;
        out[first..].copy_from_slice(&wrapped[..rest]);
        let index = self.index;
        self.advance();
        Some(index)
    }

    /// Forgets all frames and begins anew; gives how many whole windows nobody has read.
    pub(crate) fn clear(&mut self) -> u64 {
        let mut lost = 0;
        while self.has_window() {
            self.advance();
            lost += 1;
        }
        (self.start, self.held, self.filled, self.skip) = (0, 0, 0, 0);
        lost
    }

    /// The number of the next window.
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    pub(crate) fn hop(&self) -> usize {
        self.hop
    }

    /// A place below twice the capacity as one of the ring. No division: this is done for each frame.
    fn wrapped(&self, place: usize) -> usize {
        place.checked_sub(self.capacity).unwrap_or(place)
    }

    fn advance(&mut self) {
        self.start = self.wrapped(self.start + self.stride);
        self.held -= self.stride;
        self.index += 1;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{vec, vec::Vec};

    use super::*;

    /// All windows of the frames 0, 1, 2 ..., read as soon as they are there or after `wait` frames.
    fn windows(
        window: usize,
        hop: usize,
        backlog: usize,
        frames: u8,
        wait: u8,
    ) -> Vec<(u64, Vec<u8>)> {
        let mut ring = Ring::new(1, window, hop, backlog);
        let mut bytes = vec![0; ring.bytes()];
        let mut found = vec![];
        for frame in 0..frames {
            let room = ring.has_room();
            assert_eq!(ring.push(&mut bytes, &[frame]), !room);
            let mut out = vec![0; window];
            while frame >= wait
                && let Some(index) = ring.read(&bytes, &mut out)
            {
                found.push((index, out.clone()));
            }
        }
        found
    }

    #[test]
    fn windows_begin_at_multiples_of_the_hop() {
        for window in 1..6 {
            for hop in 1..9 {
                let starts = (0..=50 - window).step_by(hop);
                let frames = starts.map(|at| (at..at + window).map(|f| f as u8).collect());
                let want: Vec<(u64, Vec<u8>)> = (0..).zip(frames).collect();
                for backlog in 0..3 {
                    assert_eq!(windows(window, hop, backlog, 50, 0), want, "{window} {hop}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_read_in_time_goes_oldest_first() {
        // Room for one window and the hop of another, and nobody reads before frame 9.
        let found = windows(4, 2, 1, 12, 9);
        assert_eq!(
            found,
            [
                (2, vec![4, 5, 6, 7]),
                (3, vec![6, 7, 8, 9]),
                (4, vec![8, 9, 10, 11])
            ]
        );
        // Windows 0..3, 5..8, 10..13, 15..18: the frames between do not cost room.
        let found = windows(3, 5, 1, 18, 17);
        assert_eq!(found, [(2, vec![10, 11, 12]), (3, vec![15, 16, 17])]);
    }

    #[test]
    fn what_is_cleared_is_counted_in_windows() {
        let mut ring = Ring::new(1, 4, 2, 3);
        let mut bytes = [0; 10];
        assert_eq!(ring.bytes(), bytes.len());
        for frame in 0..9 {
            ring.push(&mut bytes, &[frame]);
        }
        assert_eq!(ring.clear(), 3);
        assert_eq!(ring.index(), 3);
        assert_eq!(ring.read(&bytes, &mut [0; 4]), None);
    }
}
