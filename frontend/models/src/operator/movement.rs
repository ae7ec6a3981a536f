//! What moves elements and computes nothing.

use rune_ir::op::Op;

use super::{MAX_RANK, Read, ReadOp, Reader};
use crate::{
    error::{ImportError, unsupported_form},
    schema,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "PAD" => |r| r.pad(),
        "RESHAPE" => |r| r.reshape(),
        _ => return None,
    })
}

/// More elements than any padding adds.
const MAX_PADDING: i64 = 1 << 31;

impl Reader<'_, '_> {
    fn reshape(&mut self) -> Result<Read, ImportError> {
        if let Some(said) = self.said_shape()? {
            let due = self.resolved(&said)?;
            self.set_shape(0, due)?;
        }
        Ok(Read::Op(Op::Reshape))
    }

    /// The shape that a RESHAPE names: by its second operand, or else by its options.
    fn said_shape(&mut self) -> Result<Option<Vec<i64>>, ImportError> {
        if self.inputs.len() > 1 {
            return self.take_integers(1, MAX_RANK).map(Some);
        }
        let Some(options) = self.options::<schema::ReshapeOptions>(17)? else {
            return Ok(None);
        };
        let Some(shape) = options.new_shape()? else {
            return Ok(None);
        };
        // One more than a tensor may have, so that a longer one does not agree.
        let dims = shape.iter().flatten().take(MAX_RANK + 1);
        Ok(Some(dims.map(i64::from).collect()))
    }

    /// A shape with its open dimension, -1, made what the input's elements leave for it.
    fn resolved(&mut self, said: &[i64]) -> Result<Vec<u32>, ImportError> {
        let (name, elements) = {
            let x = self.input(0)?;
            (x.name.clone(), x.elements() as i64)
        };
        // How old converters write that the result is a scalar.
        if said == [0] && self.output()?.shape.is_empty() {
            return Ok(Vec::new());
        }
        let known = said
            .iter()
            .filter(|d| **d != -1)
            .try_fold(1i64, |n, d| n.checked_mul(*d))
            .filter(|n| *n > 0);
        let open = known.and_then(|known| u32::try_from(elements / known).ok());
        let dim = |d: &i64| {
            if *d == -1 {
                open
            } else {
                u32::try_from(*d).ok()
            }
        };
        said.iter().map(dim).collect::<Option<_>>().ok_or_else(|| {
            unsupported_form(format!(
                "it reshapes the {elements} elements of `{name}` to {said:?}"
            ))
        })
    }

    fn pad(&mut self) -> Result<Read, ImportError> {
        let paddings = self.take_integers(1, 2 * MAX_RANK)?;
        let x = &self.input(0)?.shape;
        let grown = |(from, around): (&u32, &[i64])| {
            let sum: i64 = around.iter().map(|n| n.clamp(&-1, &MAX_PADDING)).sum();
            u32::try_from(i64::from(*from) + sum).ok()
        };
        let due: Option<Vec<u32>> = x.iter().zip(paddings.chunks(2)).map(grown).collect();
        let before: Result<Vec<u32>, _> = paddings
            .iter()
            .step_by(2)
            .map(|n| u32::try_from(*n))
            .collect();
        match (before, due) {
            (Ok(before), Some(due))
                if paddings.len() == 2 * x.len() && paddings.iter().all(|n| *n >= 0) =>
            {
                self.set_shape(0, due)?;
                Ok(Read::Op(Op::Pad { before }))
            }
            _ => Err(unsupported_form(format!(
                "it puts {paddings:?} elements around the shape {x:?}"
            ))),
        }
    }
}
