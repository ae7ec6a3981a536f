//! Where the samples lie that `RESIZE_BILINEAR` and `RESIZE_NEAREST_NEIGHBOR` take along one dimension,
//! exactly as TFLite's reference kernels find them.
//!
//! Both the evaluator and the code generator start from these numbers; what they do with the samples,
//! each writes for itself.

/// How positions of the result lie on x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Sampling {
    /// The first and last elements of both lie on each other; not the outer edges of them.
    pub align_corners: bool,
    /// An element's place is its middle, not its first edge.
    pub half_pixel_centers: bool,
}

/// Two neighbours, and how much of the second one is in the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend<W> {
    /// The neighbour at or before the position.
    pub low: u32,
    /// The one at or behind it; at the ends the same.
    pub high: u32,
    /// The share of `high`; what is left of one is that of `low`.
    pub weight: W,
}

impl Sampling {
    /// The step on x from one element of the result to the next.
    fn step(self, from: u32, to: u32) -> f32 {
        if self.align_corners && to > 1 {
            (from - 1) as f32 / (to - 1) as f32
        } else {
            from as f32 / to as f32
        }
    }

    /// For each of `to` elements the one of `from` that is nearest.
    pub fn nearest(self, from: u32, to: u32) -> Vec<u32> {
        let step = self.step(from, to);
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let element = |i: u32| {
            let at = (i as f32 + offset) * step;
            // Neither is below zero.
            let whole = if self.align_corners {
                at.round()
            } else {
                at.floor()
            };
            (whole as u32).min(from - 1)
        };
        (0..to).map(element).collect()
    }

    /// For each of `to` elements its neighbours among `from`, as F32 and U8 are blended. At the first and
    /// last, where both neighbours are one, the weight may be anything.
    pub fn floats(self, from: u32, to: u32) -> Vec<Blend<f32>> {
        let step = self.step(from, to);
        let blend = |i: u32| {
            let at = if self.half_pixel_centers {
                (i as f32 + 0.5) * step - 0.5
            } else {
                i as f32 * step
            };
            // A cast makes zero of what is below.
            let low = (at.floor() as u32).min(from - 1);
            Blend {
                low,
                high: (at.ceil() as u32).min(from - 1),
                weight: at - low as f32,
            }
        };
        (0..to).map(blend).collect()
    }

    /// For each of `to` elements its neighbours among `from`, as I8 and I16 are blended: weights are
    /// 1024ths, at least 0 and less than 1024.
    pub fn integers(self, from: u32, to: u32) -> Vec<Blend<i32>> {
        let (from_wide, to_wide) = (i64::from(from), i64::from(to));
        let step = if self.align_corners && to > 1 {
            (1024 * (from_wide - 1) + (to_wide - 1) / 2) / (to_wide - 1)
        } else {
            (1024 * from_wide + to_wide / 2) / to_wide
        };
        let blend = |i: u32| {
            let at = if self.half_pixel_centers {
                i64::from(i) * step + step / 2 - 512
            } else {
                i64::from(i) * step
            };
            let inside = |element: i64| element.clamp(0, from_wide - 1) as u32;
            let (low, high) = (inside(at / 1024), inside((at + 1023) / 1024));
            let weight = if low == high {
                // Both shares are of the same element.
                0
            } else {
                (at - 1024 * i64::from(low)) as i32
            };
            Blend { low, high, weight }
        };
        (0..to).map(blend).collect()
    }
}
