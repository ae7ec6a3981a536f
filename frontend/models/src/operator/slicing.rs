//! What takes elements at even steps: SLICE, `STRIDED_SLICE`, `REVERSE_V2`.

use rune_ir::op::{Movement, Stretch};

use super::{MAX_RANK, Read, ReadOp, Reader, movement::axis};
use crate::{
    error::{ImportError, unsupported_form},
    schema,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "REVERSE_V2" => |r| r.reverse(),
        "SLICE" => |r| r.slice(),
        "STRIDED_SLICE" => |r| r.strided_slice(),
        _ => return None,
    })
}

/// All elements of a dimension.
fn all(dim: u32) -> Stretch {
    Stretch {
        begin: 0,
        count: dim,
        step: 1,
    }
}

/// What a `STRIDED_SLICE` says of one of its dimensions.
struct Part {
    /// None: where the dimension begins.
    begin: Option<i64>,
    /// None: where the dimension ends.
    end: Option<i64>,
    step: i64,
    /// It is the one element at the beginning, and the dimension goes.
    shrink: bool,
    /// `end` counts from the beginning of the part.
    offset: bool,
}

impl Part {
    /// The elements of a dimension; no more than that has, and maybe none.
    fn of(&self, dim: u32) -> Option<Stretch> {
        let dim = i64::from(dim);
        // The places that counting from either end stops at.
        let (first, last) = if self.step > 0 {
            (0, dim)
        } else {
            (-1, dim - 1)
        };
        let place = |at: i64| {
            let counted = if at < 0 { at + dim } else { at };
            counted.clamp(first, last)
        };
        let begin = match self.begin {
            Some(begin) => place(begin),
            None if self.step > 0 => 0,
            None => dim - 1,
        };
        let end = match self.end {
            Some(end) if self.offset => place(begin.saturating_add(end)),
            Some(end) => place(end),
            None if self.step > 0 => dim,
            None => -1,
        };
        let count = if self.shrink {
            1
        } else {
            // Rounded away from zero: the last step may go beyond the end.
            let (span, step) = (end - begin, self.step);
            let above = span.saturating_add(step - step.signum());
            above.checked_div(step)?.max(0)
        };
        if !(0..dim).contains(&begin) {
            return None;
        }
        Some(Stretch {
            begin: begin as u32,
            count: u32::try_from(count).ok()?,
            // Of a single element the step does not matter.
            step: if count == 1 {
                1
            } else {
                i32::try_from(self.step).ok()?
            },
        })
    }
}

impl Reader<'_, '_> {
    fn slice(&mut self) -> Result<Read, ImportError> {
        let count = self.take_integers(2, MAX_RANK)?;
        let begin = self.take_integers(1, MAX_RANK)?;
        let shape = self.input(0)?.shape.clone();
        let stretch = |((begin, count), dim): ((&i64, &i64), &u32)| {
            let count = if *count == -1 {
                i64::from(*dim).checked_sub(*begin)?
            } else {
                *count
            };
            Some(Stretch {
                begin: u32::try_from(*begin).ok()?,
                count: u32::try_from(count).ok()?,
                step: 1,
            })
        };
        let stretches: Option<Vec<Stretch>> =
            begin.iter().zip(&count).zip(&shape).map(stretch).collect();
        match stretches {
            Some(stretches) if begin.len() == shape.len() && count.len() == shape.len() => {
                self.set_shape(0, stretches.iter().map(|s| s.count).collect())?;
                self.moves(Movement::StridedSlice { stretches })
            }
            _ => Err(unsupported_form(format!(
                "it takes {count:?} elements from {begin:?} on of {shape:?}"
            ))),
        }
    }

    fn reverse(&mut self) -> Result<Read, ImportError> {
        let axes = self.take_integers(1, MAX_RANK)?;
        let shape = self.input(0)?.shape.clone();
        let mut stretches: Vec<Stretch> = shape.iter().map(|dim| all(*dim)).collect();
        for at in axes {
            let at = axis(at, shape.len())?;
            stretches[at] = Stretch {
                begin: shape[at].saturating_sub(1),
                count: shape[at],
                step: -1,
            };
        }
        self.set_shape(0, shape)?;
        self.moves(Movement::StridedSlice { stretches })
    }

    fn strided_slice(&mut self) -> Result<Read, ImportError> {
        let o: schema::StridedSliceOptions = self.expect_options(32)?;
        let masks = [
            o.begin_mask()?,
            o.end_mask()?,
            o.ellipsis_mask()?,
            o.new_axis_mask()?,
            o.shrink_axis_mask()?,
        ];
        let masks = masks.map(|mask| mask.unwrap_or(0));
        let offset = o.offset()?.unwrap_or(0) != 0;
        // An ellipsis and new axes come on top of the dimensions there are.
        let [steps, end, begin] = [3, 2, 1].map(|input| self.take_integers(input, 2 * MAX_RANK));
        let (steps, end, begin) = (steps?, end?, begin?);
        let shape = self.input(0)?.shape.clone();
        let wrong = || {
            unsupported_form(format!(
                "of the shape {shape:?} it takes {begin:?} to {end:?} in steps of {steps:?} with the masks {masks:?}"
            ))
        };
        if begin.len() != end.len() || begin.len() != steps.len() || steps.contains(&0) {
            return Err(wrong());
        }
        let has = |mask: usize, part: usize| masks[mask] >> part & 1 == 1;
        let named = (0..begin.len())
            .filter(|i| !has(2, *i) && !has(3, *i))
            .count();
        let mut left = shape.len().checked_sub(named).ok_or_else(wrong)?;
        let mut dims = shape.iter().copied();
        let (mut stretches, mut due) = (Vec::new(), Vec::new());
        for i in 0..begin.len() {
            if has(2, i) {
                for dim in dims.by_ref().take(std::mem::take(&mut left)) {
                    stretches.push(all(dim));
                    due.push(dim);
                }
            } else if has(3, i) {
                due.push(1);
            } else {
                let part = Part {
                    begin: (!has(0, i)).then_some(begin[i]),
                    end: (!has(1, i)).then_some(end[i]),
                    step: steps[i],
                    shrink: has(4, i),
                    offset,
                };
                let stretch = dims.next().and_then(|dim| part.of(dim)).ok_or_else(wrong)?;
                stretches.push(stretch);
                if !part.shrink {
                    due.push(stretch.count);
                }
            }
        }
        for dim in dims {
            stretches.push(all(dim));
            due.push(dim);
        }
        self.set_shape(0, due)?;
        self.moves(Movement::StridedSlice { stretches })
    }
}
