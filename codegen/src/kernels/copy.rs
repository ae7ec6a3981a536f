//! Elements that go from one buffer to another by constant strides: the loops of every operator that only
//! moves them.

use crate::nest::{Address, Affine, BufferId, Builder, Expr, Lanes, Load, Store, Ty};

use super::Simd;

/// Most bytes in a row that are copied by single instructions; more are left to `memory.copy`.
const STRAIGHT: u32 = 128;
/// Turns of an innermost loop that are written out, where one is a single load and store.
const UNROLLED: u32 = 4;
/// Fewest squares of a vector's lanes for which it pays to transpose them in vectors.
const SQUARES: u32 = 4;

/// One dimension of a box of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dim {
    /// How many elements.
    pub(super) count: u32,
    /// Bytes from one to the next where they come from; 0 repeats them.
    pub(super) from: i32,
    /// Bytes from one to the next where they go to; above zero.
    pub(super) to: u32,
}

/// A box of elements, and where its first one comes from and goes to.
#[derive(Clone, Debug)]
pub(super) struct Strided {
    /// Bytes of an element: 1, 2, 4 or 8.
    pub(super) element: u32,
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) dims: Vec<Dim>,
}

/// Bytes between neighbours along each dimension of a dense tensor.
pub(super) fn strides(shape: &[u32], element: u32) -> Vec<u32> {
    let mut strides = vec![element; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    strides
}

/// The start of a buffer.
pub(super) fn start(buffer: BufferId) -> Address {
    Address {
        buffer,
        offset: Affine::default(),
    }
}

/// `from` as far further on as `offset` says.
pub(super) fn shifted(from: &Address, offset: impl Into<Affine>) -> Address {
    Address {
        buffer: from.buffer,
        offset: &from.offset + offset.into(),
    }
}

impl Strided {
    /// Writes the loops.
    pub(super) fn write(mut self, f: &mut Builder, simd: Simd) {
        self.simplify();
        let Self {
            element,
            from,
            to,
            mut dims,
        } = self;
        let ends = (from, to);
        let size = element as i32;
        let last = dims.last().copied();
        match last {
            Some(row) if row.from == size && row.to == element => {
                dims.pop();
                let bytes = row.count * element;
                let turns = if pieces(bytes, simd).len() == 1 {
                    UNROLLED
                } else {
                    1
                };
                nest(f, &dims, ends, turns, &|f, from, to| {
                    run(f, &from, &to, bytes, simd);
                });
            }
            Some(row) if row.from == 0 && row.to == element => {
                dims.pop();
                nest(f, &dims, ends, 1, &|f, from, to| {
                    repeat(f, &from, &to, element, row.count, simd);
                });
            }
            Some(row) if row.from == -size && row.to == element => {
                dims.pop();
                nest(f, &dims, ends, 1, &|f, from, to| {
                    reverse(f, &from, &to, element, row.count, simd);
                });
            }
            Some(row) if simd.has_vectors() && row.from > 0 && row.to == element => {
                dims.pop();
                let lanes = 16 / element;
                let is_across = |d: &Dim| {
                    let squares = (d.count / lanes) * (row.count / lanes);
                    d.from == size && squares >= SQUARES
                };
                let Some(at) = dims.iter().position(is_across) else {
                    dims.push(row);
                    return nest(f, &dims, ends, UNROLLED, &|f, from, to| {
                        run(f, &from, &to, element, simd);
                    });
                };
                let across = dims.remove(at);
                nest(f, &dims, ends, 1, &|f, from, to| {
                    transpose(f, (from, to), across, row, element);
                });
            }
            _ => nest(f, &dims, ends, UNROLLED, &|f, from, to| {
                run(f, &from, &to, element, simd);
            }),
        }
    }

    /// Sorts dimensions by where elements go to, and joins those that are as one.
    fn simplify(&mut self) {
        self.dims.retain(|d| d.count > 1);
        self.dims.sort_by_key(|d| std::cmp::Reverse(d.to));
        let mut joined: Vec<Dim> = Vec::new();
        for dim in self.dims.drain(..) {
            match joined.last_mut() {
                Some(outer)
                    if i64::from(outer.from) == i64::from(dim.from) * i64::from(dim.count)
                        && outer.to == dim.to * dim.count =>
                {
                    *outer = Dim {
                        count: outer.count * dim.count,
                        ..dim
                    };
                }
                _ => joined.push(dim),
            }
        }
        self.dims = joined;
    }
}

/// What is written inside a nest: gets where elements come from and go to.
type Body<'b> = &'b dyn Fn(&mut Builder, Address, Address);

/// Loops over `dims`, outermost first; the innermost loop has `turns` bodies in a row.
fn nest(f: &mut Builder, dims: &[Dim], (from, to): (Address, Address), turns: u32, body: Body) {
    let Some((dim, inner)) = dims.split_first() else {
        return body(f, from, to);
    };
    let step = |f: &mut Builder, i: &Affine| {
        let from = along(f, &from, i, *dim);
        nest(f, inner, (from, shifted(&to, i * dim.to)), turns, body);
    };
    if !inner.is_empty() {
        return f.each("i", dim.count, step);
    }
    let whole = if dim.count <= 2 * turns {
        0
    } else {
        dim.count / turns * turns
    };
    f.range("i", 0, whole, turns, |f, i| {
        (0..turns).for_each(|turn| step(f, &(i + turn)));
    });
    (whole..dim.count).for_each(|i| step(f, &i.into()));
}

/// Where element `i` of a dimension comes from. No variable part of an address may be below zero, so of
/// one that runs backwards it is counted from its end.
fn along(f: &mut Builder, from: &Address, i: &Affine, dim: Dim) -> Address {
    let Ok(stride) = u32::try_from(dim.from) else {
        let stride = dim.from.unsigned_abs();
        let span = (dim.count - 1) * stride;
        let left = Expr::I32(span as i32) - Expr::from(&(i * stride));
        let left = match i.as_constant() {
            Some(i) => Affine::from(span - i as u32 * stride),
            None => f.index("left", left),
        };
        return shifted(from, left + -(span as i32));
    };
    shifted(from, i * stride)
}

/// Copies so many bytes in a row.
pub(super) fn run(f: &mut Builder, from: &Address, to: &Address, bytes: u32, simd: Simd) {
    if bytes > STRAIGHT {
        return f.copy(to.clone(), from.clone(), bytes);
    }
    for (at, size) in pieces(bytes, simd) {
        let value = Expr::Load(load(size), from.plus(at));
        f.store(store(size), to.plus(at), value);
    }
}

/// How so many bytes are covered by the fewest machine values: places and sizes. The last may overlap
/// the one before it.
fn pieces(bytes: u32, simd: Simd) -> Vec<(u32, u32)> {
    let widest = if simd.has_vectors() { 16 } else { 8 };
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < bytes {
        let left = bytes - at;
        let over = left.next_power_of_two().min(widest);
        if over <= left || over <= bytes {
            let place = at.min(bytes - over);
            pieces.push((place, over));
            at = place + over;
        } else {
            pieces.push((at, over / 2));
            at += over / 2;
        }
    }
    pieces
}

fn load(size: u32) -> Load {
    match size {
        1 => Load::U8,
        2 => Load::U16,
        4 => Load::Whole(Ty::I32),
        8 => Load::Whole(Ty::I64),
        16 => Load::Whole(Ty::I8x16),
        _ => unreachable!("a machine value of {size} bytes"),
    }
}

fn store(size: u32) -> Store {
    match size {
        1 => Store::I8,
        2 => Store::I16,
        _ => Store::Whole,
    }
}

/// Copies `count` elements from right to left; `from` is the place of the first copied, the last there.
fn reverse(f: &mut Builder, from: &Address, to: &Address, element: u32, count: u32, simd: Simd) {
    let lanes = 16 / element;
    let vectors = if simd.has_vectors() {
        count / lanes * lanes
    } else {
        0
    };
    let span = |left: u32| left * element;
    f.range("i", 0, vectors, lanes, |f, i| {
        let vector = Dim {
            count: count - lanes + 1,
            from: -(element as i32),
            to: element,
        };
        let lowest = shifted(from, -(span(lanes - 1) as i32));
        let from = along(f, &lowest, i, vector);
        let value = f.value("x", Expr::Load(Load::Whole(Ty::I8x16), from));
        let order: Lanes = std::array::from_fn(|b| {
            let (lane, byte) = (b as u32 / element, b as u32 % element);
            ((lanes - 1 - lane) * element + byte) as u8
        });
        let reversed = value.clone().shuffle(value, order);
        f.store(Store::Whole, shifted(to, i * element), reversed);
    });
    let rest = Dim {
        count: count - vectors,
        from: -(element as i32),
        to: element,
    };
    let from = shifted(from, -(span(vectors) as i32));
    let ends = (from, to.plus(span(vectors)));
    nest(f, &[rest], ends, UNROLLED, &|f, from, to| {
        run(f, &from, &to, element, simd);
    });
}

/// Stores one element `count` times in a row.
fn repeat(f: &mut Builder, from: &Address, to: &Address, element: u32, count: u32, simd: Simd) {
    let wide = match element {
        1 => Some(Load::Splat8),
        2 => Some(Load::Splat16),
        4 => Some(Load::Splat32(Ty::I32x4)),
        _ => None,
    };
    let lanes = 16 / element;
    let vectors = match wide {
        Some(load) if simd.has_vectors() && count >= lanes => {
            let value = f.value("x", Expr::Load(load, from.clone()));
            let vectors = count / lanes * lanes;
            f.range("i", 0, vectors, lanes, |f, i| {
                f.store(Store::Whole, shifted(to, i * element), value.clone());
            });
            vectors
        }
        _ => 0,
    };
    if vectors < count {
        let value = f.value("x", Expr::Load(load(element), from.clone()));
        let rest = Dim {
            count: count - vectors,
            from: 0,
            to: element,
        };
        let ends = (from.clone(), to.plus(vectors * element));
        nest(f, &[rest], ends, UNROLLED, &|f, _, to| {
            f.store(store(element), to, value.clone());
        });
    }
}

/// Copies elements that are neighbours along `across` where they come from, and along `inner` where they
/// go to: squares of as many as fit a vector at once.
fn transpose(
    f: &mut Builder,
    (from, to): (Address, Address),
    across: Dim,
    inner: Dim,
    element: u32,
) {
    let lanes = 16 / element;
    let [across_squares, inner_squares] = [across, inner].map(|d| d.count / lanes * lanes);
    let place = |a: &Affine, i: &Affine| {
        (
            shifted(&from, a * element + i * inner.from as u32),
            shifted(&to, a * across.to + i * element),
        )
    };
    // Squares side by side, up to the 64 bytes of a cache line, before those below them.
    let abreast = [4, 2]
        .into_iter()
        .find(|n| across_squares % (n * lanes) == 0);
    let abreast = abreast.unwrap_or(1);
    f.range("a", 0, across_squares, lanes * abreast, |f, a| {
        f.range("i", 0, inner_squares, lanes, |f, i| {
            f.each("b", abreast, |f, b| {
                let (from, to) = place(&(a + b * lanes), i);
                let rows = (0..lanes).map(|row| {
                    let at = from.plus(row * inner.from as u32);
                    Expr::Load(Load::Whole(Ty::I8x16), at)
                });
                let rows: Vec<Expr> = rows.map(|x| f.value("x", x)).collect();
                for (row, value) in (0..).zip(transposed(f, rows, element)) {
                    f.store(Store::Whole, to.plus(row * across.to), value);
                }
            });
        });
    });
    let mut rest = |across_from: u32, across_count: u32, inner_from: u32, inner_count: u32| {
        let part = [
            Dim {
                count: across_count,
                ..across
            },
            Dim {
                count: inner_count,
                ..inner
            },
        ];
        if across_count > 0 && inner_count > 0 {
            let ends = place(&across_from.into(), &inner_from.into());
            nest(f, &part, ends, UNROLLED, &|f, from, to| {
                run(f, &from, &to, element, Simd::Off);
            });
        }
    };
    rest(
        0,
        across_squares,
        inner_squares,
        inner.count - inner_squares,
    );
    rest(
        across_squares,
        across.count - across_squares,
        0,
        inner.count,
    );
}

/// The rows of a square as its columns: each step interleaves the first half of the rows with the
/// second, and after as many steps as the number of rows has bits all are in their places.
fn transposed(f: &mut Builder, mut rows: Vec<Expr>, element: u32) -> Vec<Expr> {
    let half = rows.len() / 2;
    let interleave = |high: bool| -> Lanes {
        std::array::from_fn(|b| {
            let (lane, byte) = (b as u32 / element, b as u32 % element);
            let source = lane / 2 + if high { 8 / element } else { 0 };
            (16 * (lane % 2) + source * element + byte) as u8
        })
    };
    for _ in 0..rows.len().trailing_zeros() {
        let pairs = rows[..half].iter().zip(&rows[half..]);
        let next = pairs.flat_map(|(x, y)| {
            [false, true].map(|high| x.clone().shuffle(y.clone(), interleave(high)))
        });
        rows = next.map(|x| f.value("x", x)).collect();
    }
    rows
}

/// Sets so many bytes to an element, of 1, 2, 4 or 8 bytes, over and over.
pub(super) fn fill(f: &mut Builder, to: &Address, bytes: u32, pattern: &[u8], simd: Simd) {
    if pattern.iter().all(|b| *b == pattern[0]) {
        return f.fill(to.clone(), pattern[0], bytes);
    }
    let value = |size: u32| {
        let at = |b: usize| pattern[b % pattern.len()];
        let word = i64::from_le_bytes(std::array::from_fn(at));
        match size {
            16 => Expr::Vector(Ty::I8x16, std::array::from_fn(at)),
            8 => Expr::I64(word),
            _ => Expr::I32(word as i32),
        }
    };
    let widest = if simd.has_vectors() { 16 } else { 8 };
    let whole = bytes / widest * widest;
    f.range("i", 0, whole, widest, |f, i| {
        f.store(Store::Whole, shifted(to, i), value(widest));
    });
    for (at, size) in pieces(bytes - whole, Simd::Off) {
        // Where pieces overlap, both begin with an element, so they are in step.
        f.store(store(size), to.plus(whole + at), value(size));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_byte_and_no_other() {
        for bytes in 1..=STRAIGHT {
            for simd in [Simd::Off, Simd::On] {
                let mut covered = vec![false; bytes as usize];
                for (at, size) in pieces(bytes, simd) {
                    covered[at as usize..][..size as usize].fill(true);
                }
                assert!(covered.iter().all(|c| *c), "{bytes} bytes");
            }
        }
    }
}
