//! `SignalRfft` and `SignalIrfft`: the complex transform of half the length in place, pass by pass from the
//! innermost, between a copy into the order it needs and the step from or to the real bins.
//!
//! Sums of 16-bit integers are wrapped only where their higher bits would show: before a product and a half.

use rune_ir::{
    graph::{DataType, Node},
    op::signal::tables::{self, Root},
};

use super::{
    super::{Context, element, float::canonical},
    wrapped,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// Real and imaginary part.
type Complex = [Expr; 2];

/// The arithmetic of an element type. Numbers of 16 bits may have more until they are wrapped or stored.
#[derive(Clone, Copy)]
struct Number {
    ty: DataType,
}

impl Number {
    fn is_float(self) -> bool {
        self.ty == DataType::F32
    }

    /// Bytes of a complex number.
    fn pair(self) -> u32 {
        2 * self.ty.size()
    }

    /// A number within its type.
    fn wrap(self, x: Expr) -> Expr {
        if self.ty.size() == 2 { wrapped(x) } else { x }
    }

    /// A number as a factor of a product.
    fn wide(self, x: Expr) -> Expr {
        if self.ty == DataType::I32 {
            Expr::op(Op::I64ExtendI32S, [x])
        } else {
            x
        }
    }

    fn times(self, a: Expr, b: Expr) -> Expr {
        narrow(self.wide(a) * self.wide(b))
    }

    fn rotated(self, f: &mut Builder, x: Complex, by: Complex) -> Complex {
        let [a, b] = x.map(|part| f.value("x", self.wide(part)));
        let [c, d] = by.map(|part| f.value("w", self.wide(part)));
        let real = a.clone() * c.clone() - b.clone() * d.clone();
        let imaginary = a * d + b * c;
        [real, imaginary].map(|sum| f.value("t", narrow(sum)))
    }

    /// What a pass of this radix makes of an operand first.
    fn over(self, x: Expr, radix: u32) -> Expr {
        if self.is_float() {
            return x;
        }
        let most = if self.ty.size() == 2 {
            i32::from(i16::MAX)
        } else {
            i32::MAX
        };
        self.times(x, Expr::I32(most / radix as i32))
    }

    fn negated(self, x: Expr) -> Expr {
        if self.is_float() {
            Expr::op(Op::F32Neg, [x])
        } else {
            self.wrap(Expr::I32(0) - x)
        }
    }

    /// Half of a sum that may have more bits than its type.
    fn half(self, x: Expr) -> Expr {
        if self.is_float() {
            x * Expr::f32(0.5)
        } else {
            x >> Expr::I32(1)
        }
    }

    /// A complex number in memory.
    fn load(self, f: &mut Builder, at: &Address) -> Complex {
        [0, self.ty.size()].map(|part| {
            let load = Expr::Load(element::load(self.ty), at.plus(part));
            f.value("x", load)
        })
    }

    fn store(self, f: &mut Builder, at: &Address, x: Complex) {
        for (part, x) in [0, self.ty.size()].into_iter().zip(x) {
            f.store(element::store(self.ty), at.plus(part), x);
        }
    }

    /// As [`store`](Self::store), of what the operator gives.
    fn store_result(self, f: &mut Builder, at: &Address, x: Complex) {
        let x = if self.is_float() {
            x.map(|part| canonical(f, part))
        } else {
            x
        };
        self.store(f, at, x);
    }

    /// A table of complex numbers.
    fn table(
        self,
        context: &mut Context,
        name: &str,
        length: u32,
        real: bool,
        inverse: bool,
    ) -> BufferId {
        fn bytes<T: Root, const N: usize>(
            (length, real, inverse): (u32, bool, bool),
            bytes: impl Fn(T) -> [u8; N],
        ) -> Vec<u8> {
            let roots = if real {
                tables::real_roots(length, inverse)
            } else {
                tables::roots(length, inverse)
            };
            roots.into_iter().flatten().flat_map(bytes).collect()
        }
        let which = (length, real, inverse);
        let bytes = match (self.is_float(), self.ty.size()) {
            (true, _) => bytes(which, f32::to_le_bytes),
            (false, 2) => bytes(which, i16::to_le_bytes),
            _ => bytes(which, i32::to_le_bytes),
        };
        context.constant(name, bytes)
    }
}

/// A sum of products of two fractions as one fraction; of F32 it is that.
fn narrow(sum: Expr) -> Expr {
    if sum.ty() == Ty::I32 {
        (sum + Expr::I32(1 << 14)) >> Expr::I32(15)
    } else if sum.ty() == Ty::I64 {
        let rounded = (sum + Expr::I64(1 << 30)) >> Expr::I64(31);
        Expr::op(Op::I32WrapI64, [rounded])
    } else {
        sum
    }
}

fn add(a: &Complex, b: &Complex) -> Complex {
    [a[0].clone() + b[0].clone(), a[1].clone() + b[1].clone()]
}

fn subtract(a: &Complex, b: &Complex) -> Complex {
    [a[0].clone() - b[0].clone(), a[1].clone() - b[1].clone()]
}

/// A complex transform in place.
struct Plan {
    number: Number,
    length: u32,
    radices: Vec<u32>,
    inverse: bool,
    roots: BufferId,
}

impl Plan {
    fn new(context: &mut Context, ty: DataType, length: u32, inverse: bool) -> Self {
        let number = Number { ty };
        Self {
            number,
            length,
            radices: tables::radices(length).expect("a checked length"),
            inverse,
            roots: number.table(context, "roots", length, false, inverse),
        }
    }

    /// Element `index` of complex numbers from `at` on.
    fn element(&self, at: &Address, index: &Affine) -> Address {
        Address {
            buffer: at.buffer,
            offset: &at.offset + index * self.number.pair(),
        }
    }

    /// Copies numbers to where the passes take them.
    fn order(&self, f: &mut Builder, from: &Address, to: &Address) {
        self.order_from(f, (from, to), 0, (&Affine::default(), &Affine::default()));
    }

    fn order_from(
        &self,
        f: &mut Builder,
        ends: (&Address, &Address),
        pass: usize,
        (from, to): (&Affine, &Affine),
    ) {
        let Some(radix) = self.radices.get(pass) else {
            let load = Load::Whole(if self.number.pair() == 4 {
                Ty::I32
            } else {
                Ty::I64
            });
            let x = Expr::Load(load, self.element(ends.0, from));
            return f.store(Store::Whole, self.element(ends.1, to), x);
        };
        let stride: u32 = self.radices[..pass].iter().product();
        let part: u32 = self.radices[pass + 1..].iter().product();
        f.each("q", *radix, |f, q| {
            self.order_from(f, ends, pass + 1, (&(from + q * stride), &(to + q * part)));
        });
    }

    /// The passes, on numbers in order from `at` on.
    fn passes(&self, f: &mut Builder, at: &Address) {
        for pass in (0..self.radices.len()).rev() {
            let radix = self.radices[pass];
            let blocks: u32 = self.radices[..pass].iter().product();
            let part: u32 = self.radices[pass + 1..].iter().product();
            f.each("block", blocks, |f, block| {
                f.each("k", part, |f, k| {
                    let first = block * (radix * part) + k;
                    let places: Vec<Address> = (0..radix)
                        .map(|q| self.element(at, &(&first + q * part)))
                        .collect();
                    let operands: Vec<Complex> = (0..radix)
                        .map(|q| {
                            let x = self.number.load(f, &places[q as usize]);
                            let x = x.map(|part| f.value("x", self.number.over(part, radix)));
                            if q == 0 {
                                return x;
                            }
                            let root = self.root(f, &(k * (q * blocks)));
                            self.number.rotated(f, x, root)
                        })
                        .collect();
                    for (place, result) in places.iter().zip(self.butterfly(f, &operands)) {
                        self.number.store(f, place, result);
                    }
                });
            });
        }
    }

    fn root(&self, f: &mut Builder, index: &Affine) -> Complex {
        let table = Address {
            buffer: self.roots,
            offset: Affine::default(),
        };
        self.number.load(f, &self.element(&table, index))
    }

    fn butterfly(&self, f: &mut Builder, operands: &[Complex]) -> Vec<Complex> {
        match operands {
            [a, b] => vec![add(a, b), subtract(a, b)],
            [a, b, c] => self.three(f, a, b, c),
            [a, b, c, d] => self.four(f, [a, b, c, d]),
            [a, b, c, d, e] => self.five(f, [a, b, c, d, e]),
            _ => unreachable!("no other radix"),
        }
    }

    /// A number within its type, computed once.
    fn value(&self, f: &mut Builder, x: Complex) -> Complex {
        x.map(|part| f.value("v", self.number.wrap(part)))
    }

    fn three(&self, f: &mut Builder, a: &Complex, b: &Complex, c: &Complex) -> Vec<Complex> {
        let number = self.number;
        let [_, third] = self.root(f, &(self.length / 3).into());
        let sum = self.value(f, add(b, c));
        let difference = self.value(f, subtract(b, c));
        let turned = difference.map(|part| f.value("v", number.times(part, third.clone())));
        let halves = sum.clone().map(|part| number.half(part));
        let middle = subtract(a, &halves).map(|part| f.value("v", part));
        let [[x, y], [u, v]] = [middle, turned];
        vec![
            add(a, &sum),
            [x.clone() - v.clone(), y.clone() + u.clone()],
            [x + v, y - u],
        ]
    }

    fn four(&self, f: &mut Builder, [a, b, c, d]: [&Complex; 4]) -> Vec<Complex> {
        let mut value = |x: Complex| x.map(|part| f.value("v", part));
        let (even, odd) = (value(subtract(a, c)), value(subtract(b, d)));
        let (sum, other) = (value(add(a, c)), value(add(b, d)));
        let right = [
            even[0].clone() + odd[1].clone(),
            even[1].clone() - odd[0].clone(),
        ];
        let left = [
            even[0].clone() - odd[1].clone(),
            even[1].clone() + odd[0].clone(),
        ];
        let [first, third] = if self.inverse {
            [left, right]
        } else {
            [right, left]
        };
        vec![add(&sum, &other), first, subtract(&sum, &other), third]
    }

    fn five(&self, f: &mut Builder, [a, b, c, d, e]: [&Complex; 5]) -> Vec<Complex> {
        let number = self.number;
        let near = self.root(f, &(self.length / 5).into());
        let far = self.root(f, &(2 * self.length / 5).into());
        let (outer, inner) = (self.value(f, add(b, e)), self.value(f, add(c, d)));
        let (across, within) = (self.value(f, subtract(b, e)), self.value(f, subtract(c, d)));
        let times = |x: &Expr, y: &Expr| number.times(x.clone(), y.clone());
        let minus = |x: Expr| {
            if number.is_float() {
                Expr::op(Op::F32Neg, [x])
            } else {
                Expr::I32(0) - x
            }
        };
        let mut value = |x: Complex| x.map(|part| f.value("v", part));
        let real =
            |i: usize, p: &Expr, q: &Expr| a[i].clone() + times(&outer[i], p) + times(&inner[i], q);
        let first = value([0, 1].map(|i| real(i, &near[0], &far[0])));
        let second = value([0, 1].map(|i| real(i, &far[0], &near[0])));
        let turned = value([
            times(&across[1], &near[1]) + times(&within[1], &far[1]),
            minus(times(&across[0], &near[1])) - times(&within[0], &far[1]),
        ]);
        let other = value([
            minus(times(&across[1], &far[1])) + times(&within[1], &near[1]),
            times(&across[0], &far[1]) - times(&within[0], &near[1]),
        ]);
        vec![
            add(a, &add(&outer, &inner)),
            subtract(&first, &turned),
            add(&second, &other),
            subtract(&second, &other),
            add(&first, &turned),
        ]
    }

    /// Two numbers of a transform, `k` from either end, each over 2 and the second conjugate: their sum and
    /// their difference.
    fn ends(&self, f: &mut Builder, low: &Address, high: &Address) -> [Complex; 2] {
        let number = self.number;
        let low = number.load(f, low).map(|part| number.over(part, 2));
        let low = low.map(|part| f.value("low", part));
        let [real, imaginary] = number.load(f, high);
        let high = [real, number.negated(imaginary)].map(|part| number.over(part, 2));
        let high = high.map(|part| f.value("high", part));
        [
            self.value(f, add(&low, &high)),
            self.value(f, subtract(&low, &high)),
        ]
    }
}

/// The start of row `r` of `elements` elements.
fn row(buffer: BufferId, r: &Affine, elements: u32, number: Number) -> Address {
    Address {
        buffer,
        offset: r * (elements * number.ty.size()),
    }
}

pub(super) fn rfft(context: &mut Context, node: &Node, length: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let half = length / 2;
    let plan = Plan::new(context, x.ty, half, false);
    let number = plan.number;
    let given = *x.shape.last().expect("a checked signal has a dimension");
    let rows = x.elements() as u32 / given;
    let work = context.scratch("work", half * number.pair());
    let padded = (given < length).then(|| context.scratch("padded", half * number.pair()));
    let real_roots = number.table(context, "real roots", half, true, false);
    let mut f = Builder::new("rfft");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "roots", plan.roots);
    f.operand(Role::Read, "real_roots", real_roots);
    f.operand(Role::Write, "work", work);
    f.operand(Role::Write, "y", to);
    let start = |buffer| Address {
        buffer,
        offset: Affine::default(),
    };
    if let Some(padded) = padded {
        f.operand(Role::Write, "padded", padded);
        let bytes = (length - given) * number.ty.size();
        f.fill(start(padded).plus(given * number.ty.size()), 0, bytes);
    }
    f.each("r", rows, |f, r| {
        let mut signal = row(from, r, given, number);
        if let Some(padded) = padded {
            f.copy(start(padded), signal, given * number.ty.size());
            signal = start(padded);
        }
        let (work, bins) = (start(work), row(to, r, length + 2, number));
        plan.order(f, &signal, &work);
        plan.passes(f, &work);
        let [even, odd] = number.load(f, &work);
        let [even, odd] = [even, odd].map(|part| f.value("end", number.over(part, 2)));
        let zero = || Expr::constant(even.ty(), 0);
        let first = [even.clone() + odd.clone(), zero()];
        number.store_result(f, &bins, first);
        let last = [even.clone() - odd, zero()];
        number.store_result(f, &plan.element(&bins, &half.into()), last);
        f.range("k", 1u32, half / 2 + 1, 1, |f, k| {
            let high = f.index("high", Expr::I32(half as i32) - Expr::from(k));
            let [sum, difference] =
                plan.ends(f, &plan.element(&work, k), &plan.element(&work, &high));
            // The root of bin 1 comes first.
            let root = f.index("root", Expr::from(k) - Expr::I32(1));
            let root = number.load(f, &plan.element(&start(real_roots), &root));
            let turned = number.rotated(f, difference, root);
            let turned = plan.value(f, turned);
            let [x, y] = sum;
            let [u, v] = turned;
            let low = [x.clone() + u.clone(), y.clone() + v.clone()].map(|part| number.half(part));
            number.store_result(f, &plan.element(&bins, k), low);
            // The middle bin, which is both, is the second.
            let upper = [x - u, v - y].map(|part| number.half(part));
            number.store_result(f, &plan.element(&bins, &high), upper);
        });
    });
    f.finish()
}

pub(super) fn irfft(context: &mut Context, node: &Node, length: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let half = length / 2;
    let plan = Plan::new(context, x.ty, half, true);
    let number = plan.number;
    let rows = x.elements() as u32 / (length + 2);
    let work = context.scratch("work", half * number.pair());
    let real_roots = number.table(context, "real roots", half, true, true);
    let mut f = Builder::new("irfft");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "roots", plan.roots);
    f.operand(Role::Read, "real_roots", real_roots);
    f.operand(Role::Write, "work", work);
    f.operand(Role::Write, "y", to);
    let start = |buffer| Address {
        buffer,
        offset: Affine::default(),
    };
    f.each("r", rows, |f, r| {
        let bins = row(from, r, length + 2, number);
        let (work, signal) = (start(work), row(to, r, length, number));
        let [first, _] = number.load(f, &bins);
        let [last, _] = number.load(f, &plan.element(&bins, &half.into()));
        let ends = [first.clone() + last.clone(), first - last];
        let ends = plan.value(f, ends).map(|part| number.over(part, 2));
        number.store(f, &work, ends);
        f.range("k", 1u32, half / 2 + 1, 1, |f, k| {
            let high = f.index("high", Expr::I32(half as i32) - Expr::from(k));
            let [even, difference] =
                plan.ends(f, &plan.element(&bins, k), &plan.element(&bins, &high));
            let root = f.index("root", Expr::from(k) - Expr::I32(1));
            let root = number.load(f, &plan.element(&start(real_roots), &root));
            let odd = number.rotated(f, difference, root);
            number.store(f, &plan.element(&work, k), add(&even, &odd));
            let [real, imaginary] = plan.value(f, subtract(&even, &odd));
            let imaginary = number.negated(imaginary);
            number.store(f, &plan.element(&work, &high), [real, imaginary]);
        });
        plan.order(f, &work, &signal);
        plan.passes(f, &signal);
        if number.is_float() {
            f.each("i", half, |f, i| {
                let at = plan.element(&signal, i);
                let x = number.load(f, &at);
                let scaled = x.map(|part| part / Expr::f32(length as f32));
                number.store_result(f, &at, scaled);
            });
        }
    });
    f.finish()
}
