//! What computes each element from the elements in its place.

use rune_ir::op::Op;

use super::{Read, ReadOp, Reader, activation};
use crate::{
    error::{ImportError, unsupported_form},
    schema,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "ADD" => |r| r.add(),
        "DEQUANTIZE" => |r| r.same_shape(Op::Dequantize),
        "LOGISTIC" => |r| r.same_shape(Op::Logistic),
        "QUANTIZE" => |r| r.same_shape(Op::Quantize),
        "RELU" => |r| r.same_shape(Op::Relu),
        "RELU6" => |r| r.same_shape(Op::Relu6),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    /// An operator without attributes, whose output has the shape of its first input.
    fn same_shape(&mut self, op: Op) -> Result<Read, ImportError> {
        self.keep_shape(0)?;
        Ok(Read::Op(op))
    }

    fn add(&mut self) -> Result<Read, ImportError> {
        let options: Option<schema::AddOptions> = self.options(11)?;
        let fused = match options {
            Some(options) => options.fused_activation_function()?,
            None => None,
        };
        self.broadcast(&[0, 1])?;
        Ok(Read::Op(Op::Add {
            activation: activation(fused)?,
        }))
    }

    /// Says that the output has the shape that these inputs broadcast to.
    fn broadcast(&mut self, inputs: &[usize]) -> Result<(), ImportError> {
        let mut due: Vec<u32> = Vec::new();
        for input in inputs {
            let shape = self.input(*input)?.shape.clone();
            if shape.len() > due.len() {
                let missing = shape.len() - due.len();
                due.splice(0..0, std::iter::repeat_n(1, missing));
            }
            for (due, dim) in due.iter_mut().rev().zip(shape.iter().rev()) {
                if *due == 1 {
                    *due = *dim;
                } else if *dim != 1 && dim != due {
                    return Err(unsupported_form(format!(
                        "its input {input} of shape {shape:?} does not broadcast with those before"
                    )));
                }
            }
        }
        self.set_shape(0, due)
    }
}
