//! Which pixels along one side of an image make up a pixel of another size.

/// From one number of pixels to another.
///
/// Where there are fewer, a pixel is the mean of those it covers, each by how much of it is covered; where
/// there are more, it lies between two by how far its centre is from theirs. Weights are whole numbers whose
/// sum is [`Scale::total`], so nothing is rounded but the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Scale {
    fn enlarges(self) -> bool {
        self.to > self.from
    }

    /// The sum of the weights of each pixel.
    pub(crate) fn total(self) -> u32 {
        if self.enlarges() {
            2 * self.to
        } else {
            self.from
        }
    }

    /// The pixels that make up pixel `i`, each with its weight.
    pub(crate) fn taps(self, i: u32) -> impl Iterator<Item = (u32, u32)> {
        let Self { from, to } = self;
        // In `to`ths of a pixel when there are fewer, in halves of them when there are more.
        let (first, last, rest) = if self.enlarges() {
            let centre = i64::from((2 * i + 1) * from) - i64::from(to);
            let left = centre.div_euclid(i64::from(2 * to));
            let rest = centre.rem_euclid(i64::from(2 * to)) as u32;
            let inside = |place: i64| place.clamp(0, i64::from(from) - 1) as u32;
            (inside(left), inside(left + 1), rest)
        } else {
            (i * from / to, ((i + 1) * from - 1) / to, 0)
        };
        (first..=last).map(move |place| {
            let weight = if !self.enlarges() {
                ((place + 1) * to).min((i + 1) * from) - (place * to).max(i * from)
            } else if first == last {
                2 * to
            } else if place == first {
                2 * to - rest
            } else {
                rest
            };
            (place, weight)
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    fn taps(from: u32, to: u32, i: u32) -> Vec<(u32, u32)> {
        Scale { from, to }.taps(i).collect()
    }

    #[test]
    fn weights_by_hand() {
        assert_eq!(taps(3, 2, 0), [(0, 2), (1, 1)]);
        assert_eq!(taps(3, 2, 1), [(1, 1), (2, 2)]);
        assert_eq!(taps(4, 2, 1), [(2, 2), (3, 2)]);
        assert_eq!(taps(5, 5, 3), [(3, 5)]);
        // Four pixels of two: centres at -1/4, 1/4, 3/4 and 5/4 of the old ones.
        assert_eq!(taps(2, 4, 0), [(0, 8)]);
        assert_eq!(taps(2, 4, 1), [(0, 6), (1, 2)]);
        assert_eq!(taps(2, 4, 2), [(0, 2), (1, 6)]);
        assert_eq!(taps(2, 4, 3), [(1, 8)]);
        assert_eq!(taps(1, 3, 2), [(0, 6)]);
    }

    #[test]
    fn weights_sum_to_the_total_and_every_pixel_counts_the_same() {
        for from in 1..40 {
            for to in 1..40 {
                let scale = Scale { from, to };
                let mut share = std::vec![0; from as usize];
                for i in 0..to {
                    assert_eq!(scale.taps(i).map(|(_, w)| w).sum::<u32>(), scale.total());
                    for (place, weight) in scale.taps(i) {
                        share[place as usize] += weight;
                    }
                }
                assert!(to > from || share.iter().all(|s| *s == to), "{from} {to}");
            }
        }
        let most = Scale {
            from: 16_384,
            to: 16_383,
        };
        assert_eq!(most.taps(16_382).map(|(_, w)| w).sum::<u32>(), 16_384);
        let most = Scale {
            from: 16_383,
            to: 16_384,
        };
        assert_eq!(most.taps(16_383).last(), Some((16_382, 32_768)));
    }
}
