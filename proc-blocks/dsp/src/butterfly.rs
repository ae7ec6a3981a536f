//! Transforms of a few complex numbers, all in registers.

use crate::Complex;

#[inline]
fn add(a: Complex, b: Complex) -> Complex {
    [a[0] + b[0], a[1] + b[1]]
}

#[inline]
fn sub(a: Complex, b: Complex) -> Complex {
    [a[0] - b[0], a[1] - b[1]]
}

/// `-i a`: a quarter turn costs no multiplication.
#[inline]
fn turn(a: Complex) -> Complex {
    [a[1], -a[0]]
}

#[inline]
pub(crate) fn two([a, b]: [Complex; 2]) -> [Complex; 2] {
    [add(a, b), sub(a, b)]
}

#[inline]
pub(crate) fn three([a, b, c]: [Complex; 3]) -> [Complex; 3] {
    const SIN: f32 = 0.866_025_4;
    let sum = add(b, c);
    let [re, im] = sub(b, c);
    let middle = [a[0] - 0.5 * sum[0], a[1] - 0.5 * sum[1]];
    let side = turn([SIN * re, SIN * im]);
    [add(a, sum), add(middle, side), sub(middle, side)]
}

#[inline]
pub(crate) fn four([a, b, c, d]: [Complex; 4]) -> [Complex; 4] {
    let (ac, a_c, bd, b_d) = (add(a, c), sub(a, c), add(b, d), turn(sub(b, d)));
    [add(ac, bd), add(a_c, b_d), sub(ac, bd), sub(a_c, b_d)]
}

#[inline]
pub(crate) fn five([a, b, c, d, e]: [Complex; 5]) -> [Complex; 5] {
    const COS: [f32; 2] = [0.309_017, -0.809_017];
    const SIN: [f32; 2] = [0.951_056_54, 0.587_785_25];
    let (be, b_e, cd, c_d) = (add(b, e), sub(b, e), add(c, d), sub(c, d));
    let mix = |p: f32, x: Complex, q: f32, y: Complex| [p * x[0] + q * y[0], p * x[1] + q * y[1]];
    let (m1, m2) = (
        add(a, mix(COS[0], be, COS[1], cd)),
        add(a, mix(COS[1], be, COS[0], cd)),
    );
    let (s1, s2) = (
        turn(mix(SIN[0], b_e, SIN[1], c_d)),
        turn(mix(SIN[1], b_e, -SIN[0], c_d)),
    );
    [
        add(a, add(be, cd)),
        add(m1, s1),
        add(m2, s2),
        sub(m2, s2),
        sub(m1, s1),
    ]
}

#[inline]
pub(crate) fn eight([a, b, c, d, e, f, g, h]: [Complex; 8]) -> [Complex; 8] {
    const HALF: f32 = core::f32::consts::FRAC_1_SQRT_2;
    let [e0, e1, e2, e3] = four([a, c, e, g]);
    let [o0, o1, o2, o3] = four([b, d, f, h]);
    // The powers of an eighth of a turn.
    let o1 = [HALF * (o1[0] + o1[1]), HALF * (o1[1] - o1[0])];
    let o2 = turn(o2);
    let o3 = [HALF * (o3[1] - o3[0]), -HALF * (o3[0] + o3[1])];
    [
        add(e0, o0),
        add(e1, o1),
        add(e2, o2),
        add(e3, o3),
        sub(e0, o0),
        sub(e1, o1),
        sub(e2, o2),
        sub(e3, o3),
    ]
}
