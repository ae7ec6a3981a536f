//! Energies of mel filters over overlapping frames of samples.

use alloc::format;

use rune_block_sdk::{Refusal, Setup};

use crate::{
    Complex,
    frames::{Cut, Frames},
    mel::{Bank, Mels, Scale},
    sample::Sample,
    square,
};

/// A plan for the energies.
#[derive(Debug)]
pub struct MelSpectrogram {
    frames: Frames,
    bank: Bank,
    /// Half the exponent of a magnitude.
    half_power: f32,
    count: usize,
}

impl MelSpectrogram {
    /// How many arguments [`new`](Self::new) reads.
    pub const ARGS: usize = Cut::ARGS + 7;

    /// The plan that the first arguments of a block say, for its input 0, samples of the type `T`: those
    /// of a [`Cut`], then `hz`, `mels`, `fmin`, `fmax`, `power`, `htk` and `norm`, all within the ranges of
    /// their signature.
    ///
    /// # Errors
    /// If there is no such plan.
    pub fn new<T: Sample>(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let cut = Cut::of(setup)?;
        let samples = setup.input(0).len();
        let frames = Frames::new(&cut, samples, T::SCALE)?;
        let number = |index| setup.float(Cut::ARGS + index);
        let hz = number(0)?;
        let mels = Mels {
            count: setup.integer(Cut::ARGS + 1)? as usize,
            low: number(2)?,
            high: match number(3)? {
                0.0 => hz / 2.0,
                high => high,
            },
            scale: if setup.bool(Cut::ARGS + 5)? {
                Scale::Htk
            } else {
                Scale::Slaney
            },
            equal_area: setup.text(Cut::ARGS + 6)? == "slaney",
        };
        if mels.low >= mels.high {
            return Err(format!(
                "filters from `--fmin {}` to `--fmax {}` Hz: the first is below the second, which is {} unless given",
                mels.low,
                mels.high,
                hz / 2.0
            )
            .into());
        }
        Ok(Self {
            bank: Bank::triangles(&mels, hz, cut.fft),
            half_power: (number(4)? / 2.0) as f32,
            count: frames.count(samples),
            frames,
        })
    }

    /// How many frames the samples have.
    pub fn frames(&self) -> usize {
        self.count
    }

    /// How many filters.
    pub fn mels(&self) -> usize {
        self.bank.count()
    }

    /// How many numbers [`run`](Self::run) works in.
    pub fn work(&self) -> usize {
        self.frames.work() + self.frames.bins().div_ceil(2)
    }

    /// Writes the energies, frame by frame.
    pub fn run<T: Sample>(&self, samples: &[T], work: &mut [Complex], energies: &mut [f32]) {
        let (work, powers) = work.split_at_mut(self.frames.work());
        let powers = &mut powers.as_flattened_mut()[..self.frames.bins()];
        let rows = energies.chunks_exact_mut(self.mels());
        for (index, energies) in rows.enumerate() {
            let spectrum = self.frames.spectrum(samples, index, work);
            for (power, element) in powers.iter_mut().zip(spectrum) {
                *power = square(*element);
            }
            self.raise(powers);
            self.bank.apply(powers, energies);
        }
    }

    /// Magnitudes to the power that was asked for, from their squares.
    fn raise(&self, squares: &mut [f32]) {
        if self.half_power == 1.0 {
            return;
        }
        for square in squares {
            *square = if self.half_power == 0.5 {
                libm::sqrtf(*square)
            } else {
                libm::powf(*square, self.half_power)
            };
        }
    }
}
