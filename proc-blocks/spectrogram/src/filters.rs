//! The 40 filters of the reference, on the 241 rows of its spectrogram.

use alloc::vec::Vec;

use rune_block_dsp::mel::{Bank, Scale};

/// How many filters.
pub(crate) const FILTERS: usize = 40;
/// How many rows, from 0 to [`HIGH`] Hz.
pub(crate) const ROWS: usize = 241;

/// Where the first filter begins and the last ends, in Hz.
const LOW: f64 = 16_000.0 / 480.0;
const HIGH: f64 = 8_000.0;

/// Triangles between the rows that the pitches of their ends are cut to, divided by their width.
pub(crate) fn bank() -> Bank {
    Bank::new(runs())
}

/// The first row and the weights of each filter.
fn runs() -> Vec<(usize, Vec<f64>)> {
    let edges = Scale::Htk.frequencies(LOW, HIGH, FILTERS + 2);
    let row = |hz: f64| (hz / HIGH * ROWS as f64) as usize;
    edges
        .windows(3)
        .map(|edge| {
            let first = row(edge[0]);
            let width = row(edge[2]).saturating_sub(first).max(1);
            let middle = (width - 1) as f64 / 2.0;
            let half = width as f64 / 2.0;
            let weight = |k| (1.0 - libm::fabs((k as f64 - middle) / half)) / width as f64;
            (first, (0..width).map(weight).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_have_the_rows_of_the_reference() {
        let expected = "1-2 2-4 3-6 5-7 7-9 8-11 10-13 12-15 14-18 16-20 19-23 21-26 24-29 27-32 30-35 33-39 \
            36-43 40-47 44-51 48-56 52-61 57-66 62-71 67-77 72-83 78-90 84-97 91-104 98-112 105-121 113-130 \
            122-139 131-149 140-160 150-171 161-183 172-196 184-210 197-224 211-240";
        let runs = runs();
        let rows: Vec<String> = runs
            .iter()
            .map(|(first, weights)| format!("{first}-{}", first + weights.len() - 1))
            .collect();
        assert_eq!(rows, expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(runs[0].1, [0.25, 0.25]);
        for (weight, ninths) in runs[1].1.iter().zip([1.0, 3.0, 1.0]) {
            assert!((weight - ninths / 9.0).abs() < 1e-15);
        }
    }
}
