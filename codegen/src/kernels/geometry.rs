//! How windows lie on a tensor: which taps of a window are inside, and loops over output positions in
//! which those whose windows lie wholly between left and right edge come in tiles, the others one by one.

use std::ops::Range;

use rune_ir::{graph::Tensor, op::Window};

use crate::nest::{Affine, Builder, Expr};

/// One spatial dimension of a window's movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// Elements of the input.
    pub(super) input: u32,
    /// Positions of the window.
    pub(super) output: u32,
    /// Elements of the window.
    pub(super) taps: u32,
    pub(super) stride: u32,
    pub(super) dilation: u32,
    pub(super) pad: u32,
}

impl Axis {
    /// The axis of a tensor that a window of one tap visits element by element.
    pub(super) fn every(size: u32) -> Self {
        Self {
            input: size,
            output: size,
            taps: 1,
            stride: 1,
            dilation: 1,
            pad: 0,
        }
    }

    /// Whether it is as [`every`](Self::every) makes it.
    pub(super) fn is_every(self) -> bool {
        self == Self::every(self.input)
    }

    /// The last tap of the last position, counted from the first tap of the first.
    fn reach(self) -> u64 {
        let [output, stride, taps, dilation] =
            [self.output, self.stride, self.taps, self.dilation].map(u64::from);
        (output - 1) * stride + (taps - 1) * dilation
    }

    /// Elements from the first tap of the first position to the last of the last.
    pub(super) fn span(self) -> u32 {
        // Geometry::new has seen to it that it fits.
        self.reach() as u32 + 1
    }

    /// Whether a window's last tap can be outside.
    fn ends_outside(self) -> bool {
        self.reach() >= u64::from(self.input + self.pad)
    }

    /// The output positions at which every tap is inside.
    pub(super) fn interior(self) -> Range<u32> {
        let first = self.pad.div_ceil(self.stride).min(self.output);
        let span = (self.taps - 1) * self.dilation;
        let end = (self.input + self.pad)
            .checked_sub(span + 1)
            .map_or(0, |room| room / self.stride + 1);
        first..end.clamp(first, self.output)
    }

    /// Whether some position has a tap outside.
    pub(super) fn is_clipped(self) -> bool {
        self.pad > 0 || self.ends_outside()
    }

    /// The first tap inside at an output position, and one past the last.
    fn inside(self, f: &mut Builder, position: &Affine) -> Taps {
        if let Some(at) = position.as_constant() {
            let start = i64::from(self.pad) - i64::from(at) * i64::from(self.stride);
            let tap = |room: i64| (room + i64::from(self.dilation) - 1) / i64::from(self.dilation);
            let from = tap(start.max(0)) as u32;
            let to = tap(i64::from(self.input) + start).min(self.taps.into());
            return (from.into(), (to as u32).into());
        }
        let before =
            |elements: u32| Expr::I32(elements as i32) - Expr::from(&(position * self.stride));
        let tap = |room: Expr| match self.dilation {
            1 => room,
            d => (room + Expr::I32(d as i32 - 1)) / Expr::I32(d as i32),
        };
        let from = if self.pad == 0 {
            Affine::from(0)
        } else {
            let missing = f.value("missing", tap(before(self.pad)));
            let none = missing.clone().lt(Expr::I32(0));
            f.index("first", Expr::I32(0).or_else(none, missing))
        };
        let to = if self.ends_outside() {
            let room = f.value("room", tap(before(self.input + self.pad)));
            let taps = Expr::I32(self.taps as i32);
            let fewer = room.clone().lt(taps.clone());
            f.index("end", room.or_else(fewer, taps))
        } else {
            Affine::from(self.taps)
        };
        (from, to)
    }

    /// All of its taps.
    fn all(self) -> Taps {
        (0.into(), self.taps.into())
    }
}

/// The first tap and one past the last.
pub(super) type Taps = (Affine, Affine);

/// What a kernel computes at once: `columns` neighbouring output positions with the same taps inside.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) batch: Affine,
    /// Output row.
    pub(super) row: Affine,
    /// Output column of the first.
    pub(super) column: Affine,
    /// How many columns.
    pub(super) columns: u32,
    /// Rows of the window that are inside.
    pub(super) row_taps: Taps,
    /// Columns of the window that are inside.
    pub(super) column_taps: Taps,
}

/// Windows on a batch of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) batch: u32,
    pub(super) rows: Axis,
    pub(super) columns: Axis,
}

impl Geometry {
    /// A window of so many taps on NHWC tensors. A window of one tap that visits every element makes of
    /// the batch one long row.
    ///
    /// # Errors
    /// A window that reaches so far beyond the tensor that addresses overflow.
    pub(super) fn new(
        window: &Window,
        taps: [u32; 2],
        input: &Tensor,
        output: &Tensor,
    ) -> Result<Self, String> {
        let [rows, columns] = [0, 1].map(|axis| Axis {
            input: input.shape[1 + axis],
            output: output.shape[1 + axis],
            taps: taps[axis],
            stride: window.stride[axis],
            dilation: window.dilation[axis],
            pad: window.pad[axis],
        });
        let row_bytes = input.bytes() as u64 / u64::from(input.shape[0] * rows.input);
        for (axis, bytes) in [
            (rows, row_bytes),
            (columns, row_bytes / u64::from(columns.input)),
        ] {
            let reach = axis.reach() + u64::from(axis.pad);
            let bytes = reach.saturating_mul(bytes);
            // Rows and columns together then fit an i32.
            if bytes.saturating_add(input.bytes() as u64) >= 1 << 30 {
                return Err(format!("its window reaches {reach} elements far"));
            }
        }
        if rows.is_every() && columns.is_every() {
            return Ok(Self::every(input.shape[0] * rows.input * columns.input));
        }
        // A single column is as well a single row, in which positions can be computed side by side.
        let (rows, columns) = if columns.is_every() && columns.input == 1 {
            (columns, rows)
        } else {
            (rows, columns)
        };
        Ok(Self {
            batch: input.shape[0],
            rows,
            columns,
        })
    }

    /// Windows of one tap on each of a row of positions.
    pub(super) fn every(positions: u32) -> Self {
        Self {
            batch: 1,
            rows: Axis::every(1),
            columns: Axis::every(positions),
        }
    }

    /// Whether some window has a tap outside.
    pub(super) fn is_clipped(&self) -> bool {
        self.rows.is_clipped() || self.columns.is_clipped()
    }

    /// Loops over all output positions: `tile` is written once for up to `columns` neighbours whose
    /// windows are inside from left to right, and where some remain, once more for these, one by one.
    pub(super) fn tiles(
        &self,
        f: &mut Builder,
        columns: u32,
        tile: &mut dyn FnMut(&mut Builder, &Tile),
    ) {
        let inside = self.columns.interior();
        let columns = columns.min(inside.len() as u32).max(1);
        // Tiles of one column are left to the code that a clipped column needs anyway.
        let tiled = if columns == 1 && self.columns.is_clipped() {
            0
        } else {
            inside.len() as u32 / columns * columns
        };
        let start = inside.start;
        f.each("n", self.batch, |f, batch| {
            f.each("oy", self.rows.output, |f, row| {
                let row_taps = self.rows.inside(f, row);
                let mut write = |f: &mut Builder, column: &Affine, columns, column_taps| {
                    let here = Tile {
                        batch: batch.clone(),
                        row: row.clone(),
                        column: column.clone(),
                        columns,
                        row_taps: row_taps.clone(),
                        column_taps,
                    };
                    tile(f, &here);
                };
                f.range("ox", start, start + tiled, columns, |f, column| {
                    write(f, column, columns, self.columns.all());
                });
                f.each("rest", self.columns.output - tiled, |f, rest| {
                    let column = beyond(f, rest, start..start + tiled);
                    let taps = self.columns.inside(f, &column);
                    write(f, &column, 1, taps);
                });
            });
        });
    }
}

/// Position `index` among those that are not `skipped`.
fn beyond(f: &mut Builder, index: &Affine, skipped: Range<u32>) -> Affine {
    let after = index + skipped.len() as u32;
    if skipped.start == 0 || skipped.is_empty() {
        return after;
    }
    let before = Expr::from(index).lt(Expr::I32(skipped.start as i32));
    f.index("ox", Expr::from(index).or_else(before, (&after).into()))
}
