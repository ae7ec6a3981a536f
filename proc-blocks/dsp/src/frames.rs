//! The short-time Fourier transform: spectra of overlapping frames of samples.

use alloc::{boxed::Box, format};

use rune_block_sdk::{Refusal, Setup};

use crate::{
    Complex, RealFft,
    sample::Sample,
    window::{Ends, Shape},
};

/// How samples are cut into frames.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Samples of a frame, thus of a transform; at least 1.
    pub fft: usize,
    /// Length of the window, which lies in the middle of the frame; all of it where 0.
    pub length: usize,
    /// From one frame to the next; at least 1.
    pub hop: usize,
    /// Whether frame `t` has sample `t * hop` in its middle, with zeros before and after the samples, or at
    /// its beginning.
    pub center: bool,
    /// Shape of the window, which is periodic.
    pub shape: Shape,
}

impl Cut {
    /// How many arguments [`of`](Self::of) reads.
    pub const ARGS: usize = 5;

    /// The cut that arguments 0 to 4 of a block say: `fft`, `hop`, `length`, `window` and `center`, whose
    /// signature keeps the first two above 0 and none negative.
    ///
    /// # Errors
    /// If one of them is of another type.
    pub fn of(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let number = |index| Ok::<_, Refusal>(setup.integer(index)? as usize);
        Ok(Self {
            fft: number(0)?,
            hop: number(1)?,
            length: number(2)?,
            shape: Shape::named(setup.text(3)?)?,
            center: setup.bool(4)?,
        })
    }
}

/// A plan for spectra of frames.
#[derive(Debug)]
pub struct Frames {
    fft: RealFft,
    window: Box<[f32]>,
    hop: usize,
    /// Zeros before the first sample.
    pad: usize,
}

impl Frames {
    /// A plan for `samples` samples that are to be multiplied by `scale`.
    ///
    /// # Errors
    /// If they cannot be cut so.
    pub fn new(cut: &Cut, samples: usize, scale: f32) -> Result<Self, Refusal> {
        let Cut {
            fft, length, hop, ..
        } = *cut;
        if length > fft {
            return Err(format!(
                "the window of `--length {length}` does not fit into the frame of `--fft {fft}`"
            )
            .into());
        }
        let pad = if cut.center { fft / 2 } else { 0 };
        if samples + 2 * pad < fft {
            return Err(
                format!("{samples} samples are less than one frame of {fft} (`--fft`)").into(),
            );
        }
        let length = if length == 0 { fft } else { length };
        let shape = cut.shape.window(length, Ends::Periodic);
        let mut window = alloc::vec![0.0; fft].into_boxed_slice();
        for (place, weight) in window[(fft - length) / 2..].iter_mut().zip(shape) {
            *place = weight * scale;
        }
        Ok(Self {
            fft: RealFft::new(fft),
            window,
            hop,
            pad,
        })
    }

    /// How many frames so many samples have.
    pub fn count(&self, samples: usize) -> usize {
        1 + (samples + 2 * self.pad - self.window.len()) / self.hop
    }

    /// How many elements a spectrum has.
    pub fn bins(&self) -> usize {
        self.fft.bins()
    }

    /// How many numbers [`spectrum`](Self::spectrum) works in.
    pub fn work(&self) -> usize {
        self.fft.work()
    }

    /// The spectrum of frame `index`.
    #[inline]
    pub fn spectrum<'a, T: Sample>(
        &self,
        samples: &[T],
        index: usize,
        work: &'a mut [Complex],
    ) -> &'a [Complex] {
        let begin = index * self.hop;
        let end = begin + self.window.len();
        let inside = begin
            .checked_sub(self.pad)
            .and_then(|begin| samples.get(begin..end - self.pad));
        if let Some(frame) = inside {
            let windowed = frame.iter().zip(&self.window);
            self.fft.load(windowed.map(|(x, w)| x.value() * w), work);
        } else {
            let windowed = (begin..end).zip(&self.window).map(|(at, weight)| {
                let sample = at.checked_sub(self.pad).and_then(|at| samples.get(at));
                sample.map_or(0.0, |x| x.value() * weight)
            });
            self.fft.load(windowed, work);
        }
        self.fft.transform(work)
    }
}
