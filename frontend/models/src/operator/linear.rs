//! What multiplies by weights.

use rune_ir::op::{Activation, Op};

use super::{Read, ReadOp, Reader, activation};
use crate::{
    error::{ImportError, unsupported_form},
    schema,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "CONV_2D" => |r| r.conv_2d(),
        "DEPTHWISE_CONV_2D" => |r| r.depthwise_conv_2d(),
        "FULLY_CONNECTED" => |r| r.fully_connected(),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    fn fully_connected(&mut self) -> Result<Read, ImportError> {
        let (mut fused, mut keep) = (Activation::None, false);
        if let Some(options) = self.options::<schema::FullyConnectedOptions>(8)? {
            fused = activation(options.fused_activation_function()?)?;
            keep = options.keep_num_dims()?.unwrap_or(0) != 0;
            if options.weights_format()?.unwrap_or(0) != 0 {
                return Err(unsupported_form("its weights are shuffled"));
            }
        }
        let weights = self.input(1)?;
        let &[outputs, depth] = &weights.shape[..] else {
            return Err(unsupported_form(format!(
                "its weights `{}` have the shape {:?}",
                weights.name, weights.shape
            )));
        };
        let x = self.input(0)?;
        let (elements, mut shape) = (x.elements(), x.shape.clone());
        match shape.last_mut() {
            Some(last) if keep && *last == depth => *last = outputs,
            _ => shape = vec![(elements / depth.max(1) as usize) as u32, outputs],
        }
        // Converters write other shapes of the same size, too; nobody minds as long as the file fixes them.
        let written = self.output()?.elements() as u64;
        if self.tensors.resized || written != product(&shape) {
            self.set_shape(0, shape)?;
        }
        Ok(Read::Op(Op::FullyConnected { activation: fused }))
    }

    fn conv_2d(&mut self) -> Result<Read, ImportError> {
        let o: schema::Conv2DOptions = self.expect_options(1)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let dilation = [o.dilation_h_factor()?, o.dilation_w_factor()?];
        let taps = self.input_dims(1)?;
        let (window, [rows, columns]) = self.window(taps, stride, dilation, o.padding()?)?;
        let (batch, channels) = (self.input(0)?.shape[0], self.input(1)?.shape[0]);
        self.set_shape(0, vec![batch, rows, columns, channels])?;
        Ok(Read::Op(Op::Conv2d {
            window,
            activation: activation(o.fused_activation_function()?)?,
        }))
    }

    fn depthwise_conv_2d(&mut self) -> Result<Read, ImportError> {
        let o: schema::DepthwiseConv2DOptions = self.expect_options(2)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let dilation = [o.dilation_h_factor()?, o.dilation_w_factor()?];
        let taps = self.input_dims(1)?;
        let (window, [rows, columns]) = self.window(taps, stride, dilation, o.padding()?)?;
        let (batch, channels) = (self.input(0)?.shape[0], self.input(1)?.shape[3]);
        self.set_shape(0, vec![batch, rows, columns, channels])?;
        Ok(Read::Op(Op::DepthwiseConv2d {
            window,
            activation: activation(o.fused_activation_function()?)?,
        }))
    }
}

fn product(shape: &[u32]) -> u64 {
    shape.iter().map(|d| u64::from(*d)).product()
}
