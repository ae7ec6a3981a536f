//! Pooling, softmax, reductions and what else makes one number of many.

use rune_ir::op::{Activation, Along, Normalize, Op, Reduce, Reduction, Window};

use super::{MAX_RANK, Read, ReadOp, Reader, activation, positive};
use crate::{
    error::{ImportError, unreadable, unsupported_form},
    schema,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "AVERAGE_POOL_2D" => |r| {
            let (window, size, activation) = r.pool_2d()?;
            Ok(Read::Op(Op::AveragePool2d {
                window,
                size,
                activation,
            }))
        },
        "MAX_POOL_2D" => |r| {
            let (window, size, activation) = r.pool_2d()?;
            Ok(Read::Op(Op::MaxPool2d {
                window,
                size,
                activation,
            }))
        },
        "L2_POOL_2D" => |r| {
            let (window, size, activation) = r.pool_2d()?;
            Ok(Read::Op(Op::L2Pool2d {
                window,
                size,
                activation,
            }))
        },
        "SOFTMAX" => |r| r.softmax(),
        "LOG_SOFTMAX" => |r| {
            r.keep_shape(0)?;
            Ok(Read::Op(Op::Normalize(Normalize::LogSoftmax)))
        },
        "L2_NORMALIZATION" => |r| r.l2_normalization(),
        "MEAN" => |r| r.reduce(Reduction::Mean),
        "SUM" => |r| r.reduce(Reduction::Sum),
        "REDUCE_PROD" => |r| r.reduce(Reduction::Product),
        "REDUCE_MAX" => |r| r.reduce(Reduction::Max),
        "REDUCE_MIN" => |r| r.reduce(Reduction::Min),
        "REDUCE_ALL" => |r| r.reduce(Reduction::All),
        "REDUCE_ANY" => |r| r.reduce(Reduction::Any),
        "ARG_MAX" => |r| r.arg(true),
        "ARG_MIN" => |r| r.arg(false),
        "CUMSUM" => |r| r.cumsum(),
        "TOPK_V2" => |r| r.top_k(),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    fn pool_2d(&mut self) -> Result<(Window, [u32; 2], Activation), ImportError> {
        let o: schema::Pool2DOptions = self.expect_options(5)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let size = [o.filter_height()?, o.filter_width()?];
        let size = positive(size.map(|s| s.unwrap_or(0)), "window")?;
        let (window, [rows, columns]) = self.window(size, stride, [None; 2], o.padding()?)?;
        let x = &self.input(0)?.shape;
        let due = vec![x[0], rows, columns, x[3]];
        self.set_shape(0, due)?;
        Ok((window, size, activation(o.fused_activation_function()?)?))
    }

    fn softmax(&mut self) -> Result<Read, ImportError> {
        let options: schema::SoftmaxOptions = self.expect_options(9)?;
        self.keep_shape(0)?;
        Ok(Read::Op(Op::Softmax {
            beta: options.beta()?.unwrap_or(0.0),
        }))
    }

    fn l2_normalization(&mut self) -> Result<Read, ImportError> {
        if let Some(options) = self.options::<schema::L2NormOptions>(12)? {
            let fused = options.fused_activation_function()?;
            if activation(fused)? != Activation::None {
                return Err(unsupported_form("it has a fused activation"));
            }
        }
        self.keep_shape(0)?;
        Ok(Read::Op(Op::Normalize(Normalize::L2)))
    }

    fn reduce(&mut self, how: Reduction) -> Result<Read, ImportError> {
        let keep = match self.options::<schema::ReducerOptions>(27)? {
            Some(options) => options.keep_dims()?.unwrap_or(0) != 0,
            None => false,
        };
        let given = self.take_integers(1, 2 * MAX_RANK)?;
        let rank = self.input(0)?.shape.len();
        let mut axes = Vec::new();
        for axis in given {
            axes.push(dimension(axis, rank)?);
        }
        axes.sort_unstable();
        axes.dedup();
        let x = &self.input(0)?.shape;
        let due = (0..).zip(x).filter_map(|(d, size)| {
            if axes.contains(&d) {
                keep.then_some(1)
            } else {
                Some(*size)
            }
        });
        let due = due.collect();
        self.set_shape(0, due)?;
        Ok(Read::Op(Op::Reduce(Reduce { how, axes })))
    }

    /// The dimension that input 1, an attribute, is.
    fn take_axis(&mut self) -> Result<u32, ImportError> {
        let axis = self.take_integers(1, 1)?;
        let rank = self.input(0)?.shape.len();
        match axis[..] {
            [axis] => dimension(axis, rank),
            _ => Err(unreadable("it names no dimension")),
        }
    }

    fn arg(&mut self, greatest: bool) -> Result<Read, ImportError> {
        let axis = self.take_axis()?;
        let mut due = self.input(0)?.shape.clone();
        due.remove(axis as usize);
        self.set_shape(0, due)?;
        Ok(Read::Op(Op::Along(Along::Arg { greatest, axis })))
    }

    fn cumsum(&mut self) -> Result<Read, ImportError> {
        let (exclusive, reverse) = match self.options::<schema::CumsumOptions>(102)? {
            Some(o) => (o.exclusive()?, o.reverse()?),
            None => (None, None),
        };
        let axis = self.take_axis()?;
        self.keep_shape(0)?;
        Ok(Read::Op(Op::Along(Along::CumSum {
            axis,
            exclusive: exclusive.unwrap_or(0) != 0,
            reverse: reverse.unwrap_or(0) != 0,
        })))
    }

    fn top_k(&mut self) -> Result<Read, ImportError> {
        let count = self.take_integers(1, 1)?;
        let [count] = count[..] else {
            return Err(unreadable("it says no number of elements"));
        };
        let mut due = self.input(0)?.shape.clone();
        match (due.last_mut(), u32::try_from(count)) {
            (Some(last), Ok(count)) if count > 0 && count <= *last => *last = count,
            _ => {
                return Err(unsupported_form(format!(
                    "it takes {count} elements of rows of the shape {due:?}"
                )));
            }
        }
        self.set_shape(0, due.clone())?;
        self.set_shape(1, due)?;
        Ok(Read::Op(Op::Along(Along::TopK)))
    }
}

/// A dimension, which may count from behind.
fn dimension(axis: i64, rank: usize) -> Result<u32, ImportError> {
    let rank = rank as i64;
    if (-rank..rank).contains(&axis) {
        Ok(axis.rem_euclid(rank) as u32)
    } else {
        Err(unsupported_form(format!(
            "it names dimension {axis} of {rank}"
        )))
    }
}
