//! Mel scales and banks of triangular filters on them.

use alloc::{boxed::Box, vec::Vec};

/// A scale of pitch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Linear up to 1000 Hz, logarithmic above (Slaney, Auditory Toolbox, 1998).
    Slaney,
    /// `2595 log10(1 + f / 700)`, as the Hidden Markov Toolkit has it.
    Htk,
}

impl Scale {
    /// Hz of a mel up to 1000 Hz on Slaney's scale.
    const STEP: f64 = 200.0 / 3.0;
    /// Where that scale becomes logarithmic, in Hz.
    const KNEE: f64 = 1000.0;
    /// Mels by which a frequency above the knee becomes 6.4 times as high.
    const MELS: f64 = 27.0;

    /// The pitch of a frequency in Hz.
    pub fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * libm::log10(1.0 + hz / 700.0),
            Self::Slaney if hz < Self::KNEE => hz / Self::STEP,
            Self::Slaney => {
                Self::KNEE / Self::STEP + libm::log(hz / Self::KNEE) * Self::MELS / libm::log(6.4)
            }
        }
    }

    /// The frequency of a pitch in Hz.
    pub fn hz(self, mel: f64) -> f64 {
        let knee = Self::KNEE / Self::STEP;
        match self {
            Self::Htk => 700.0 * (libm::pow(10.0, mel / 2595.0) - 1.0),
            Self::Slaney if mel < knee => mel * Self::STEP,
            Self::Slaney => Self::KNEE * libm::exp((mel - knee) * libm::log(6.4) / Self::MELS),
        }
    }

    /// `count` frequencies at equal distances of pitch, the first and the last as given.
    pub fn frequencies(self, low: f64, high: f64, count: usize) -> Vec<f64> {
        let (low, high) = (self.mel(low), self.mel(high));
        let step = (high - low) / (count.max(2) - 1) as f64;
        (0..count).map(|i| self.hz(low + step * i as f64)).collect()
    }
}

/// A bank of filters, each a run of weights on the elements of a spectrum.
#[derive(Debug)]
pub struct Bank {
    filters: Box<[Filter]>,
    weights: Box<[f32]>,
}

/// A filter: its first element and the number of its weights, which follow those of the filter before.
#[derive(Clone, Copy, Debug)]
struct Filter {
    first: u32,
    count: u32,
}

/// What a bank of mel filters is made of.
#[derive(Clone, Copy, Debug)]
pub struct Mels {
    /// How many filters.
    pub count: usize,
    /// Where the first filter begins, in Hz.
    pub low: f64,
    /// Where the last filter ends, in Hz.
    pub high: f64,
    /// The scale that they are at equal distances of.
    pub scale: Scale,
    /// Whether each filter is divided by half its width in Hz, so that all have the same area.
    pub equal_area: bool,
}

impl Bank {
    /// A bank of filters, each given by its first element and its weights.
    pub fn new(filters: impl IntoIterator<Item = (usize, Vec<f64>)>) -> Self {
        let mut bank = Vec::new();
        let mut all = Vec::new();
        for (first, weights) in filters {
            bank.push(Filter {
                first: first as u32,
                count: weights.len() as u32,
            });
            all.extend(weights.into_iter().map(|w| w as f32));
        }
        Self {
            filters: bank.into_boxed_slice(),
            weights: all.into_boxed_slice(),
        }
    }

    /// Triangles that overlap by half, on a spectrum of a transform of `fft` samples at the rate `hz`: each
    /// rises from the middle of the one before to 1 and falls to the middle of the one after.
    ///
    /// A filter narrower than the distance of the elements may have no weights; its energy is 0.
    pub fn triangles(mels: &Mels, hz: f64, fft: usize) -> Self {
        let edges = mels.scale.frequencies(mels.low, mels.high, mels.count + 2);
        let bins = fft / 2 + 1;
        let frequency = |bin: usize| bin as f64 * hz / fft as f64;
        Self::new(edges.windows(3).map(|edge| {
            let (low, middle, high) = (edge[0], edge[1], edge[2]);
            let scale = if mels.equal_area {
                2.0 / (high - low)
            } else {
                1.0
            };
            let weight = |bin: usize| {
                let up = (frequency(bin) - low) / (middle - low);
                let down = (high - frequency(bin)) / (high - middle);
                up.min(down).max(0.0) * scale
            };
            let bin = |frequency: f64| (frequency * fft as f64 / hz) as usize;
            let mut inside = bin(low).saturating_sub(1)..bins.min(bin(high).saturating_add(2));
            let first = inside.find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            let weights = (first..bins).map(weight).take_while(|w| *w > 0.0);
            (first, weights.collect())
        }))
    }

    /// How many filters.
    pub fn count(&self) -> usize {
        self.filters.len()
    }

    /// The energies: for each filter the sum of its weights times the elements.
    #[inline]
    pub fn apply(&self, spectrum: &[f32], energies: &mut [f32]) {
        let mut rest = &*self.weights;
        for (energy, filter) in energies.iter_mut().zip(&self.filters) {
            let (weights, others) = rest.split_at(filter.count as usize);
            rest = others;
            let elements = &spectrum[filter.first as usize..];
            *energy = weights.iter().zip(elements).map(|(w, x)| w * x).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_their_fixed_points() {
        assert!((Scale::Slaney.mel(1000.0) - 15.0).abs() < 1e-12);
        assert!((Scale::Slaney.mel(6400.0) - 42.0).abs() < 1e-12);
        assert!((Scale::Htk.mel(1000.0) - 999.985_537).abs() < 1e-6);
    }

    #[test]
    fn a_pitch_goes_back_to_its_frequency() {
        for scale in [Scale::Slaney, Scale::Htk] {
            for hz in [0.0, 1.0, 440.0, 999.9, 1000.0, 1000.1, 8000.0, 96_000.0] {
                assert!(
                    (scale.hz(scale.mel(hz)) - hz).abs() <= 1e-10 * hz,
                    "{scale:?} {hz}"
                );
            }
        }
    }

    #[test]
    fn neighbours_add_up_to_one() {
        let mels = Mels {
            count: 20,
            low: 0.0,
            high: 8000.0,
            scale: Scale::Htk,
            equal_area: false,
        };
        let bank = Bank::triangles(&mels, 16_000.0, 512);
        let mut energies = [0.0; 20];
        // Between the middles of the first and of the last filter.
        for bin in 10..220 {
            let mut spectrum = [0.0; 257];
            spectrum[bin] = 1.0;
            bank.apply(&spectrum, &mut energies);
            assert!((energies.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{bin}");
        }
    }
}
