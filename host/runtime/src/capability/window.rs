//! Recorded data in windows: each call gets the next one, a hop further on.

use std::time::Instant;

use rune_abi::Capability;

use super::{Read, Source, SourceError, integer, unfit};

/// A recording as the rune will see its bytes.
pub(super) struct Recording {
    /// The file it came from.
    pub(super) name: String,
    /// Whole frames.
    pub(super) data: Vec<u8>,
}

/// Windows over recordings, one recording after the other; no window spans two.
pub(super) struct Windows {
    recordings: Vec<Recording>,
    /// The recording and the byte of it where the next window starts.
    next: (usize, usize),
    /// Bytes of a window, and bytes from the start of one to the start of the next.
    window: usize,
    hop: usize,
    /// What was left over, until it is said.
    note: Option<String>,
}

impl Windows {
    /// Windows of the capability's type over recordings of frames of `frame` bytes, called `unit`s.
    ///
    /// The hop is the parameter `hop`, in frames, or else a window. A recording shorter than one window
    /// is an error; frames after the last whole window are left out and noted at the end.
    pub(super) fn new(
        capability: &Capability,
        recordings: Vec<Recording>,
        frame: usize,
        unit: &str,
    ) -> Result<Self, SourceError> {
        let window = capability.ty.bytes() as usize;
        if !window.is_multiple_of(frame) {
            return Err(unfit(capability, format_args!("is not whole {unit}s")));
        }
        let hop = match integer(capability, "hop").map(usize::try_from) {
            None => window,
            Some(Ok(frames @ 1..)) => frames.saturating_mul(frame),
            Some(_) => {
                return Err(SourceError::new(
                    &capability.name,
                    "its hop is not at least 1",
                ));
            }
        };
        let mut left = vec![];
        for recording in &recordings {
            let frames = recording.data.len() / frame;
            let Some(after_first) = recording.data.len().checked_sub(window) else {
                return Err(SourceError::new(
                    &recording.name,
                    format_args!(
                        "it holds {frames} {unit}s and one call of `{}` reads {}",
                        capability.name,
                        window / frame
                    ),
                ));
            };
            // With a hop beyond the window, what lies between two windows is skipped on purpose.
            let over = (after_first % hop).saturating_sub(hop.saturating_sub(window));
            if over > 0 {
                left.push(format!(
                    "{}: the last {} of {frames} {unit}s do not fill a window and were left out",
                    recording.name,
                    over / frame,
                ));
            }
        }
        Ok(Self {
            recordings,
            next: (0, 0),
            window,
            hop,
            note: (!left.is_empty()).then(|| left.join("\n")),
        })
    }
}

impl Source for Windows {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        while let Some(recording) = self.recordings.get(self.next.0) {
            let window = recording
                .data
                .get(self.next.1..)
                .and_then(|rest| rest.get(..self.window));
            if let Some(window) = window {
                out.copy_from_slice(window);
                self.next.1 = self.next.1.saturating_add(self.hop);
                return Ok(Read::Sample);
            }
            self.next = (self.next.0 + 1, 0);
        }
        Ok(Read::End {
            note: self.note.take(),
        })
    }
}
