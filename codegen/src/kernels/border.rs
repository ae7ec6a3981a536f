//! An image as windows see it, beyond its edges too: where windows are clipped, the rows that one row of
//! results needs, or all if they are few bytes, are copied between zeros (of bytes: zero points), so that one
//! piece of code serves all positions.

use rune_ir::graph::Node;

use super::{Context, geometry::Geometry};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Load, Op, Role, Store, Ty, View};

/// An image is copied as a whole if that takes no more bytes.
const WHOLE: u64 = 4096;

/// An image, or a copy of it or of the rows of one window.
pub(super) struct Rows {
    geometry: Geometry,
    /// [batch, row, column, channel].
    image: View,
    copy: Option<Copied>,
    /// The byte of what lies outside.
    zero: u8,
    /// Whether 128 bits are copied at once.
    vectors: bool,
}

/// The rows of a window, each with what lies left and right of the image, or the whole image with what lies
/// around it.
struct Copied {
    buffer: BufferId,
    whole: bool,
    /// [row, column, channel].
    view: View,
    /// Bytes of a row that are in the image.
    inside: u32,
    bytes: u32,
}

impl Rows {
    /// The rows of input 0 of a node, beyond which every byte is `zero`.
    pub(super) fn new(
        context: &mut Context,
        node: &Node,
        geometry: Geometry,
        zero: u8,
    ) -> Result<Self, String> {
        let (x, from) = context.input(node, 0);
        let (rows, columns) = (geometry.rows, geometry.columns);
        let size = x.ty.size();
        let channels = x.elements() as u32 / (geometry.batch * rows.input * columns.input);
        let shape = [geometry.batch, rows.input, columns.input, channels];
        let copy = if geometry.is_clipped() {
            let width = columns.span();
            let row = u64::from(width) * u64::from(channels * size);
            let whole = u64::from(rows.span()) * row <= WHOLE;
            let kept = if whole { rows.span() } else { rows.taps };
            let bytes = u64::from(kept) * row;
            if bytes >= 1 << 28 {
                return Err("its window is too large".to_owned());
            }
            let buffer = context.scratch("rows", bytes as u32);
            let inside = columns.input.min(width.saturating_sub(columns.pad));
            Some(Copied {
                buffer,
                whole,
                view: View::new(buffer, size, &[kept, width, channels]),
                inside: inside * channels * size,
                bytes: bytes as u32,
            })
        } else {
            None
        };
        Ok(Self {
            geometry,
            image: View::new(from, size, &shape),
            copy,
            zero,
            vectors: context.simd.has_vectors(),
        })
    }

    /// Says that the kernel uses them.
    pub(super) fn declare(&self, f: &mut Builder) {
        f.operand(Role::Read, "x", self.image.buffer);
        if let Some(copy) = &self.copy {
            f.operand(Role::Write, "rows", copy.buffer);
        }
    }

    /// Makes ready for all rows of results.
    pub(super) fn start(&self, f: &mut Builder) {
        if let Some(copy) = &self.copy {
            let at = copy.view.at([&0.into()]);
            f.fill(at, self.zero, copy.bytes);
        }
    }

    /// Whether all rows of results can be computed once [`image`](Self::image) is done, without
    /// [`enter`](Self::enter).
    pub(super) fn all_at_once(&self) -> bool {
        self.copy.as_ref().is_none_or(|copied| copied.whole)
    }

    /// Makes ready for one image of the batch.
    pub(super) fn image(&self, f: &mut Builder, batch: &Affine) {
        let Some(copied) = self.copy.as_ref().filter(|c| c.whole && c.inside > 0) else {
            return;
        };
        let Geometry { rows, columns, .. } = self.geometry;
        let seen = rows.input.min(rows.span().saturating_sub(rows.pad));
        // Of short rows several make one round.
        let together = [4, 2].into_iter().find(|n| seen.is_multiple_of(*n));
        let together = together.filter(|_| copied.inside <= 16).unwrap_or(1);
        f.range("iy", 0, seen, together, |f, first| {
            for row in (0..together).map(|i| first + i) {
                let to = copied.view.at([&(&row + rows.pad), &columns.pad.into()]);
                let from = self.image.at([batch, &row]);
                copy(f, &to, &from, copied.inside, self.vectors);
            }
        });
    }

    /// Makes ready for one row of results; [`at`](Self::at) is then for this row.
    pub(super) fn enter(&self, f: &mut Builder, batch: &Affine, row: &Affine) {
        if let Some(copied) = self.copy.as_ref().filter(|c| !c.whole && c.inside > 0) {
            self.copy(f, copied, batch, row);
        }
    }

    fn copy(&self, f: &mut Builder, copied: &Copied, batch: &Affine, position: &Affine) {
        let Geometry { rows, columns, .. } = self.geometry;
        f.each("ky", rows.taps, |f, ky| {
            let row = position * rows.stride + ky * rows.dilation + -(rows.pad as i32);
            let to = copied.view.at([ky, &columns.pad.into()]);
            let from = self.image.at([batch, &row]);
            if rows.is_clipped() {
                let inside = [Expr::from(&row), Expr::I32(rows.input as i32)];
                f.branch(
                    Expr::op(Op::I32LtU, inside),
                    |f| copy(f, &to, &from, copied.inside, self.vectors),
                    |f| f.fill(to.clone(), self.zero, copied.inside),
                );
            } else {
                copy(f, &to, &from, copied.inside, self.vectors);
            }
        });
    }

    /// The first channel under tap `row`, `column` of the window at a position of the row last entered.
    pub(super) fn at(
        &self,
        [batch, row, column]: [&Affine; 3],
        [tap_row, tap_column]: [&Affine; 2],
    ) -> Address {
        let Geometry { rows, columns, .. } = self.geometry;
        let column = column * columns.stride + tap_column * columns.dilation;
        match &self.copy {
            Some(copied) if copied.whole => {
                let row = row * rows.stride + tap_row * rows.dilation;
                copied.view.at([&row, &column])
            }
            Some(copied) => copied.view.at([tap_row, &column]),
            None => {
                let row = row * rows.stride + tap_row * rows.dilation;
                self.image.at([batch, &row, &column])
            }
        }
    }
}

/// Copies so many bytes in the code itself: for few it is faster than the instruction.
pub(super) fn copy(f: &mut Builder, to: &Address, from: &Address, bytes: u32, vectors: bool) {
    let [most, round] = if vectors { [16, 64] } else { [4, 16] };
    let long = if bytes >= 2 * round {
        bytes / round * round
    } else {
        0
    };
    let place = |at: &Address, offset: &Affine| Address {
        buffer: at.buffer,
        offset: &at.offset + offset,
    };
    let piece = |f: &mut Builder, at: &Affine, load: Load, how: Store| {
        let value = Expr::Load(load, place(from, at));
        f.store(how, place(to, at), value);
    };
    let widest = if vectors { Ty::I8x16 } else { Ty::I32 };
    f.range("i", 0, long, round, |f, i| {
        for part in (0..round).step_by(most as usize) {
            piece(f, &(i + part), Load::Whole(widest), Store::Whole);
        }
    });
    let mut done = long;
    while done < bytes {
        let (size, load, how) = match (bytes - done).min(most) {
            16.. => (16, Load::Whole(Ty::I8x16), Store::Whole),
            8.. => (8, Load::Whole(Ty::I64), Store::Whole),
            4.. => (4, Load::Whole(Ty::I32), Store::Whole),
            2.. => (2, Load::U16, Store::I16),
            _ => (1, Load::U8, Store::I8),
        };
        piece(f, &done.into(), load, how);
        done += size;
    }
}

/// Loops over `count` positions in tiles of `size`, the last moved back to end with them: what it computes
/// again is the same. `body` gets the first of a tile; `size` is at most `count`.
pub(super) fn tiles(
    f: &mut Builder,
    name: &'static str,
    count: u32,
    size: u32,
    body: impl FnOnce(&mut Builder, &Affine),
) {
    if count.is_multiple_of(size) {
        return f.range(name, 0, count, size, body);
    }
    f.range("tile", 0, count, size, |f, tile| {
        let last = Expr::I32((count - size) as i32);
        let beyond = last.clone().lt(Expr::from(tile));
        let first = f.index(name, last.or_else(beyond, Expr::from(tile)));
        body(f, &first);
    });
}
