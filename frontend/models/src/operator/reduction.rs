//! Pooling, softmax and what else makes one number of many.

use rune_ir::op::{Activation, Op, Window};

use super::{Read, ReadOp, Reader, activation, positive};
use crate::{error::ImportError, schema};

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
        "SOFTMAX" => |r| r.softmax(),
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
}
