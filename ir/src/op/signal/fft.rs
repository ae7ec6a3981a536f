//! `SignalRfft` and `SignalIrfft`: transforms of real signals by one of complex numbers of half the length,
//! which is cut into passes of radix 4, 2, 3 and 5.
//!
//! An integer is a fraction of the greatest of its type. A product is rounded to nearest, halves up; a
//! sum wraps; each pass first divides by its radix, as a product with the greatest integer over the
//! radix, so that bins are those of the signal over its length. F32 is rounded at every operation in the
//! order written here, and divided only by the length, at the end of the inverse transform.

use super::tables::{self, Root};

/// A complex number.
type Complex<T> = [T; 2];

/// The arithmetic of an element type.
pub(super) trait Number: Root + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn negated(self) -> Self;
    fn times(self, other: Self) -> Self;
    /// The product of two complex numbers; of integers each part is rounded once.
    fn rotated(x: Complex<Self>, by: Complex<Self>) -> Complex<Self>;
    /// What a pass of this radix makes of an operand first.
    fn over(self, radix: u32) -> Self;
    /// What the inverse transform makes of a result at last.
    fn over_length(self, length: u32) -> Self;
    /// Half of a sum or difference, which is not wrapped to 16 bits before.
    fn half_of_sum(self, other: Self) -> Self;
    fn half_of_difference(self, other: Self) -> Self;
    fn half(self) -> Self;
}

/// A sum of products of two fractions as one fraction.
fn narrow16(sum: i32) -> i16 {
    ((sum + (1 << 14)) >> 15) as i16
}

fn narrow32(sum: i64) -> i32 {
    ((sum + (1 << 30)) >> 31) as i32
}

macro_rules! integer {
    ($narrow_type:ident $wide:ident $narrow:ident) => {
        impl Number for $narrow_type {
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn negated(self) -> Self {
                self.wrapping_neg()
            }
            fn times(self, other: Self) -> Self {
                $narrow($wide::from(self) * $wide::from(other))
            }
            fn rotated([a, b]: Complex<Self>, [c, d]: Complex<Self>) -> Complex<Self> {
                let [a, b, c, d] = [a, b, c, d].map($wide::from);
                [$narrow(a * c - b * d), $narrow(a * d + b * c)]
            }
            fn over(self, radix: u32) -> Self {
                self.times(Self::MAX / radix as Self)
            }
            fn over_length(self, _: u32) -> Self {
                self
            }
            fn half_of_sum(self, other: Self) -> Self {
                (i32::from(self).wrapping_add(i32::from(other)) >> 1) as Self
            }
            fn half_of_difference(self, other: Self) -> Self {
                (i32::from(self).wrapping_sub(i32::from(other)) >> 1) as Self
            }
            fn half(self) -> Self {
                self >> 1
            }
        }
    };
}

integer!(i16 i32 narrow16);
integer!(i32 i64 narrow32);

impl Number for f32 {
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn minus(self, other: Self) -> Self {
        self - other
    }
    fn negated(self) -> Self {
        -self
    }
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn rotated([a, b]: Complex<Self>, [c, d]: Complex<Self>) -> Complex<Self> {
        [a * c - b * d, a * d + b * c]
    }
    fn over(self, _: u32) -> Self {
        self
    }
    fn over_length(self, length: u32) -> Self {
        self / length as Self
    }
    fn half_of_sum(self, other: Self) -> Self {
        (self + other) * 0.5
    }
    fn half_of_difference(self, other: Self) -> Self {
        (self - other) * 0.5
    }
    fn half(self) -> Self {
        self * 0.5
    }
}

fn add<T: Number>(a: Complex<T>, b: Complex<T>) -> Complex<T> {
    [a[0].plus(b[0]), a[1].plus(b[1])]
}

fn subtract<T: Number>(a: Complex<T>, b: Complex<T>) -> Complex<T> {
    [a[0].minus(b[0]), a[1].minus(b[1])]
}

/// A complex transform of one length and direction.
struct Plan<T> {
    radices: Vec<u32>,
    roots: Vec<Complex<T>>,
    inverse: bool,
}

impl<T: Number> Plan<T> {
    fn new(length: u32, inverse: bool) -> Self {
        Self {
            radices: tables::radices(length).expect("checked"),
            roots: tables::roots(length, inverse),
            inverse,
        }
    }

    fn run(&self, x: &[Complex<T>]) -> Vec<Complex<T>> {
        self.pass(x, 0)
    }

    /// The transform by the passes from `pass` on of so many elements.
    fn pass(&self, x: &[Complex<T>], pass: usize) -> Vec<Complex<T>> {
        let Some(radix) = self.radices.get(pass).map(|r| *r as usize) else {
            return x.to_vec();
        };
        let parts: Vec<Vec<Complex<T>>> = (0..radix)
            .map(|first| {
                let part: Vec<_> = x.iter().skip(first).step_by(radix).copied().collect();
                self.pass(&part, pass + 1)
            })
            .collect();
        let (length, stride) = (x.len() / radix, self.roots.len() / x.len());
        let mut y = vec![[T::default(); 2]; x.len()];
        for k in 0..length {
            let operand = |q: usize| {
                let x = parts[q][k].map(|part| part.over(radix as u32));
                if q == 0 {
                    x
                } else {
                    T::rotated(x, self.roots[q * k * stride])
                }
            };
            let operands: Vec<_> = (0..radix).map(operand).collect();
            let results = match operands[..] {
                [a, b] => vec![add(a, b), subtract(a, b)],
                [a, b, c] => self.three([a, b, c]),
                [a, b, c, d] => self.four([a, b, c, d]),
                [a, b, c, d, e] => self.five([a, b, c, d, e]),
                _ => unreachable!("no other radix"),
            };
            for (q, result) in results.into_iter().enumerate() {
                y[q * length + k] = result;
            }
        }
        y
    }

    fn three(&self, [a, b, c]: [Complex<T>; 3]) -> Vec<Complex<T>> {
        let third = self.roots[self.roots.len() / 3][1];
        let sum = add(b, c);
        let turned = subtract(b, c).map(|part| part.times(third));
        let middle = subtract(a, sum.map(T::half));
        vec![
            add(a, sum),
            [middle[0].minus(turned[1]), middle[1].plus(turned[0])],
            [middle[0].plus(turned[1]), middle[1].minus(turned[0])],
        ]
    }

    fn four(&self, [a, b, c, d]: [Complex<T>; 4]) -> Vec<Complex<T>> {
        let (even, odd) = (subtract(a, c), subtract(b, d));
        let (sum, other) = (add(a, c), add(b, d));
        let right = [even[0].plus(odd[1]), even[1].minus(odd[0])];
        let left = [even[0].minus(odd[1]), even[1].plus(odd[0])];
        let [first, third] = if self.inverse {
            [left, right]
        } else {
            [right, left]
        };
        vec![add(sum, other), first, subtract(sum, other), third]
    }

    fn five(&self, [a, b, c, d, e]: [Complex<T>; 5]) -> Vec<Complex<T>> {
        let [near, far] = [1, 2].map(|n| self.roots[n * self.roots.len() / 5]);
        let (outer, inner) = (add(b, e), add(c, d));
        let (across, within) = (subtract(b, e), subtract(c, d));
        let even = |x: T, u: T, v: T, p: T, q: T| x.plus(u.times(p)).plus(v.times(q));
        let first = [0, 1].map(|i| even(a[i], outer[i], inner[i], near[0], far[0]));
        let second = [0, 1].map(|i| even(a[i], outer[i], inner[i], far[0], near[0]));
        let turned = [
            across[1].times(near[1]).plus(within[1].times(far[1])),
            across[0]
                .times(near[1])
                .negated()
                .minus(within[0].times(far[1])),
        ];
        let other = [
            across[1]
                .times(far[1])
                .negated()
                .plus(within[1].times(near[1])),
            across[0].times(far[1]).minus(within[0].times(near[1])),
        ];
        vec![
            add(a, add(outer, inner)),
            subtract(first, turned),
            add(second, other),
            subtract(second, other),
            add(first, turned),
        ]
    }
}

/// The bins from 0 to half of `length`, real and imaginary part in turn, of a signal that zeros fill up.
pub(super) fn rfft<T: Number>(signal: &[T], length: u32) -> Vec<T> {
    let half = length / 2;
    let mut signal = signal.to_vec();
    signal.resize(length as usize, T::default());
    let pairs: Vec<Complex<T>> = signal.chunks_exact(2).map(|c| [c[0], c[1]]).collect();
    let x = Plan::new(half, false).run(&pairs);
    let roots = tables::real_roots::<T>(half, false);
    let half = half as usize;
    let mut bins = vec![[T::default(); 2]; half + 1];
    let [even, odd] = x[0].map(|part| part.over(2));
    bins[0][0] = even.plus(odd);
    bins[half][0] = even.minus(odd);
    for k in 1..=half / 2 {
        let low = x[k].map(|part| part.over(2));
        let [real, imaginary] = x[half - k];
        let high = [real, imaginary.negated()].map(|part| part.over(2));
        let sum = add(low, high);
        let [real, imaginary] = T::rotated(subtract(low, high), roots[k - 1]);
        bins[k] = [sum[0].half_of_sum(real), sum[1].half_of_sum(imaginary)];
        // The middle bin, which both are, is the second.
        bins[half - k] = [
            sum[0].half_of_difference(real),
            imaginary.half_of_difference(sum[1]),
        ];
    }
    bins.into_flattened()
}

/// The signal of `length` elements that has these bins.
pub(super) fn irfft<T: Number>(bins: &[T], length: u32) -> Vec<T> {
    let half = length / 2;
    let bins: Vec<Complex<T>> = bins.chunks_exact(2).map(|c| [c[0], c[1]]).collect();
    let roots = tables::real_roots::<T>(half, true);
    let plan = Plan::new(half, true);
    let half = half as usize;
    let mut x = vec![[T::default(); 2]; half];
    let (first, last) = (bins[0][0], bins[half][0]);
    x[0] = [first.plus(last), first.minus(last)].map(|part| part.over(2));
    for k in 1..=half / 2 {
        let low = bins[k].map(|part| part.over(2));
        let [real, imaginary] = bins[half - k];
        let high = [real, imaginary.negated()].map(|part| part.over(2));
        let even = add(low, high);
        let odd = T::rotated(subtract(low, high), roots[k - 1]);
        x[k] = add(even, odd);
        let [real, imaginary] = subtract(even, odd);
        x[half - k] = [real, imaginary.negated()];
    }
    let signal = plan.run(&x).into_flattened();
    signal.into_iter().map(|x| x.over_length(length)).collect()
}
