//! Which pixels of a line a pixel of the resized line is mixed of, and by which weights.
//!
//! The convolution of Pillow's `resize`: a kernel around the middle of the output pixel, stretched by the
//! scale where the line shrinks, its weights cut off at the ends of the line and brought to the sum 1.

use alloc::{boxed::Box, vec::Vec};

/// What an output pixel is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// The pixel under its middle.
    Nearest,
    /// A triangle that reaches the middles of its neighbours.
    Bilinear,
    /// A box as wide as itself.
    Area,
}

impl Method {
    /// How far the kernel reaches to either side, in pixels of the coarser line.
    fn reach(self) -> f64 {
        match self {
            Self::Nearest => 0.0,
            Self::Bilinear => 1.0,
            Self::Area => 0.5,
        }
    }

    /// The kernel, not scaled to the sum 1.
    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Nearest => 1.0,
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            // Of two pixels at the same distance from the middle, one counts.
            Self::Area => f64::from(x > -0.5 && x <= 0.5),
        }
    }
}

/// The weights of all pixels of a resized line.
#[derive(Debug)]
pub(crate) struct Weights<W> {
    spans: Box<[Span]>,
    /// Those of the first span, then those of the next.
    all: Box<[W]>,
    longest: usize,
}

/// The pixels that one pixel is mixed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u32,
    count: u32,
}

impl<W> Weights<W> {
    /// The weights of a line of `from` pixels resized to `to`, both at least 1.
    pub(crate) fn new(method: Method, from: u32, to: u32, number: fn(f64) -> W) -> Self {
        let mut spans = Vec::with_capacity(to as usize);
        let mut weights = Vec::new();
        let scale = f64::from(from) / f64::from(to);
        let stretch = scale.max(1.0);
        let reach = method.reach() * stretch;
        // The middle summed up as Pillow does, whose error decides where it falls between two pixels.
        let mut stepped = 0.5 * scale;
        for i in 0..to {
            let middle = (f64::from(i) + 0.5) * scale;
            let (first, end) = if method == Method::Nearest {
                let nearest = (stepped as u32).min(from - 1);
                stepped += scale;
                (nearest, nearest + 1)
            } else {
                // A cast saturates, so what lies left of the line begins at 0.
                let first = (middle - reach + 0.5) as u32;
                (first, ((middle + reach + 0.5) as u32).min(from))
            };
            let weight = |pixel: &u32| method.weight((f64::from(*pixel) - middle + 0.5) / stretch);
            // At its ends the kernel is 0, and so much need not be looked at.
            let all = (first..end).skip_while(|pixel| weight(pixel) == 0.0);
            let all = all.take_while(|pixel| weight(pixel) > 0.0);
            let sum: f64 = all.clone().map(|pixel| weight(&pixel)).sum();
            spans.push(Span {
                first: all.clone().next().unwrap_or(first),
                count: all.clone().count() as u32,
            });
            weights.extend(all.map(|pixel| number(weight(&pixel) / sum)));
        }
        let longest = spans.iter().map(|span| span.count).max();
        Self {
            spans: spans.into(),
            all: weights.into(),
            longest: longest.unwrap_or(0) as usize,
        }
    }

    /// The most pixels that one is mixed of.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// For each pixel of the resized line, the first it is mixed of and the weights from there on.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[W])> {
        let mut rest = &*self.all;
        self.spans.iter().map(move |span| {
            let (weights, after) = rest.split_at(span.count as usize);
            rest = after;
            (span.first as usize, weights)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, from: u32, to: u32) -> Vec<(usize, Vec<f64>)> {
        let weights = Weights::new(method, from, to, |weight| weight);
        weights.iter().map(|(at, w)| (at, w.to_vec())).collect()
    }

    #[test]
    fn halves() {
        let eighths =
            |first, weights: &[f64]| (first, weights.iter().map(|w| w / 8.0).collect::<Vec<_>>());
        let halved = of(Method::Bilinear, 6, 3);
        assert_eq!(halved[1], eighths(1, &[1.0, 3.0, 3.0, 1.0]));
        assert_eq!(
            of(Method::Area, 4, 2),
            [(0, vec![0.5; 2]), (2, vec![0.5; 2])]
        );
        assert_eq!(of(Method::Nearest, 4, 2), [(1, vec![1.0]), (3, vec![1.0])]);
    }

    #[test]
    fn doubles() {
        assert_eq!(
            of(Method::Bilinear, 2, 4),
            [
                (0, vec![1.0]),
                (0, vec![0.75, 0.25]),
                (0, vec![0.25, 0.75]),
                (1, vec![1.0])
            ]
        );
    }

    /// Every span lies on the line and every sum is 1, at every scale.
    #[test]
    fn weights_are_a_mean() {
        for (from, to) in (1..=40).flat_map(|from| (1..=40).map(move |to| (from, to))) {
            for method in [Method::Nearest, Method::Bilinear, Method::Area] {
                let weights = of(method, from, to);
                assert_eq!(weights.len(), to as usize);
                for (first, weights) in weights {
                    assert!(
                        first + weights.len() <= from as usize,
                        "{method:?} {from} {to}"
                    );
                    let sum: f64 = weights.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-12, "{method:?} {from} {to}: {sum}");
                }
            }
        }
    }
}
