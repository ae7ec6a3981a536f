//! What makes elements of shapes and constants: SHAPE, RANK, `BROADCAST_ARGS`, `BROADCAST_TO`, FILL, RANGE, WHERE.

use rune_ir::{
    graph::{DataType, Tensor},
    op::Movement,
};

use super::{MAX_RANK, Read, ReadOp, Reader, movement::sizes};
use crate::error::{ImportError, unsupported_form};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "BROADCAST_ARGS" => |r| r.broadcast_args(),
        "BROADCAST_TO" => |r| r.broadcast_to(),
        "FILL" => |r| r.fill(),
        "RANGE" => |r| r.range(),
        "RANK" => |r| r.rank(),
        "SHAPE" => |r| r.shape(),
        "WHERE" => |r| r.whereabouts(),
        _ => return None,
    })
}

/// Most elements of a RANGE: its size does not hang on that of the file.
const MAX_RANGE: usize = 1 << 13;

fn range_size(count: usize) -> Result<u32, ImportError> {
    if count <= MAX_RANGE {
        Ok(count as u32)
    } else {
        Err(unsupported_form(format!(
            "it makes {count} elements, more than {MAX_RANGE}"
        )))
    }
}

impl Reader<'_, '_> {
    /// The output as integers of its type.
    fn integer_result(&mut self, shape: Vec<u32>, values: &[i64]) -> Result<Read, ImportError> {
        self.set_shape(0, shape)?;
        let output = self.output()?;
        if ![DataType::I32, DataType::I64].contains(&output.ty) {
            return Err(unsupported_form(format!(
                "`{}` is of type {}",
                output.name, output.ty
            )));
        }
        let size = output.ty.size() as usize;
        let bytes = values
            .iter()
            .flat_map(|n| n.to_le_bytes().into_iter().take(size));
        Ok(Read::Values(vec![bytes.collect()]))
    }

    fn shape(&mut self) -> Result<Read, ImportError> {
        let shape: Vec<i64> = self.input(0)?.shape.iter().map(|d| i64::from(*d)).collect();
        self.integer_result(vec![shape.len() as u32], &shape)
    }

    fn rank(&mut self) -> Result<Read, ImportError> {
        let rank = self.input(0)?.shape.len();
        self.integer_result(Vec::new(), &[rank as i64])
    }

    fn broadcast_args(&mut self) -> Result<Read, ImportError> {
        let [mut longer, mut shorter] = [
            self.take_integers(0, MAX_RANK)?,
            self.take_integers(0, MAX_RANK)?,
        ];
        if longer.len() < shorter.len() {
            std::mem::swap(&mut longer, &mut shorter);
        }
        let mut due = longer.clone();
        for (due, dim) in due.iter_mut().rev().zip(shorter.iter().rev()) {
            if *due == 1 {
                *due = *dim;
            } else if *dim != 1 && dim != due {
                return Err(unsupported_form(format!(
                    "{longer:?} and {shorter:?} do not broadcast"
                )));
            }
        }
        self.integer_result(vec![due.len() as u32], &due)
    }

    fn broadcast_to(&mut self) -> Result<Read, ImportError> {
        let shape = sizes(&self.take_integers(1, MAX_RANK)?)?;
        self.set_shape(0, shape)?;
        self.moves(Movement::BroadcastTo)
    }

    fn fill(&mut self) -> Result<Read, ImportError> {
        let shape = sizes(&self.take_integers(0, MAX_RANK)?)?;
        self.set_shape(0, shape)?;
        self.moves(Movement::BroadcastTo)
    }

    /// An input that must be constant, and its value.
    fn constant(&mut self, input: usize) -> Result<(&Tensor, &[u8]), ImportError> {
        let tensor = self.input(input)?;
        match &tensor.data {
            Some(data) => Ok((tensor, data)),
            None => Err(unsupported_form(format!(
                "`{}` is computed, so that the size of the result is not known",
                tensor.name
            ))),
        }
    }

    fn range(&mut self) -> Result<Read, ImportError> {
        let ty = self.input(0)?.ty;
        if ty != DataType::F32 {
            return self.integer_range();
        }
        let mut ends = [0.0; 3];
        for (input, end) in ends.iter_mut().enumerate() {
            let (tensor, value) = self.constant(input)?;
            match value.try_into() {
                Ok(word) if tensor.ty == ty => *end = f32::from_le_bytes(word),
                _ => return Err(unsupported_form(format!("`{}` is no number", tensor.name))),
            }
        }
        let [start, limit, delta] = ends;
        // A cast of what is no number gives 0, and one of what is too large the greatest.
        let count = range_size(((limit - start) / delta).abs().ceil() as usize)?;
        self.set_shape(0, vec![count])?;
        let output = self.output()?;
        if output.ty != ty {
            return Err(unsupported_form(format!(
                "`{}` is of type {}",
                output.name, output.ty
            )));
        }
        // Each is the one before it and the step, rounded.
        let values = std::iter::successors(Some(start), |value| Some(value + delta));
        let bytes = values.take(count as usize).flat_map(f32::to_le_bytes);
        Ok(Read::Values(vec![bytes.collect()]))
    }

    fn integer_range(&mut self) -> Result<Read, ImportError> {
        let [start, limit, delta] = [0, 1, 2].map(|_| self.take_integers(0, 1));
        let (&[start], &[limit], &[delta]) = (&start?[..], &limit?[..], &delta?[..]) else {
            return Err(unsupported_form("an end of it is no number"));
        };
        let span = limit.abs_diff(start);
        if delta == 0 {
            return Err(unsupported_form("its steps are of 0"));
        }
        let count = span.div_ceil(delta.unsigned_abs());
        let count = range_size(usize::try_from(count).unwrap_or(usize::MAX))?;
        let values = (0..i64::from(count)).map(|i| start.wrapping_add(i.wrapping_mul(delta)));
        self.integer_result(vec![count], &values.collect::<Vec<_>>())
    }

    /// The indices of the elements of a constant that are not zero.
    fn whereabouts(&mut self) -> Result<Read, ImportError> {
        let (tensor, value) = self.constant(0)?;
        let shape = tensor.shape.clone();
        let size = tensor.ty.size() as usize;
        let is_zero = |element: &[u8]| {
            let float = element
                .try_into()
                .ok()
                .filter(|_| tensor.ty == DataType::F32);
            float.map_or_else(
                || element.iter().all(|b| *b == 0),
                |word| f32::from_le_bytes(word) == 0.0,
            )
        };
        let mut found = Vec::new();
        for (mut place, element) in value.chunks(size).enumerate() {
            if is_zero(element) {
                continue;
            }
            let mut index = vec![0; shape.len()];
            for (i, dim) in index.iter_mut().zip(&shape).rev() {
                *i = place as i64 % i64::from(*dim);
                place /= *dim as usize;
            }
            found.extend(index);
        }
        let count = found.len().checked_div(shape.len()).unwrap_or(0) as u32;
        self.integer_result(vec![count, shape.len() as u32], &found)
    }
}
