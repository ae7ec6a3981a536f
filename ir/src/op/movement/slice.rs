//! SLICE, `STRIDED_SLICE` and `REVERSE_V2`: elements of x at even steps in each dimension. Dimensions of one
//! element may be left out of the result's shape, or be put into it.

use std::fmt;

use super::index::{self, moved};
use crate::graph::{Graph, Node};

/// The elements along one dimension of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// The first.
    pub begin: u32,
    /// How many; at least 1.
    pub count: u32,
    /// From one to the next; not 0.
    pub step: i32,
}

impl Stretch {
    /// Whether all of them are there in a dimension of so many elements.
    fn is_inside(self, dim: u32) -> bool {
        let span = i64::from(self.count) - 1;
        let last = i64::from(self.begin) + span * i64::from(self.step);
        self.count > 0 && self.step != 0 && self.begin < dim && (0..i64::from(dim)).contains(&last)
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.count, self.begin)?;
        if self.step != 1 {
            write!(f, " step {}", self.step)?;
        }
        Ok(())
    }
}

pub(super) fn check(graph: &Graph, node: &Node, stretches: &[Stretch]) -> Result<(), String> {
    let (x, output) = index::one_to_one(graph, node)?;
    let all_inside = stretches.len() == x.shape.len()
        && stretches
            .iter()
            .zip(&x.shape)
            .all(|(s, dim)| s.is_inside(*dim));
    if !all_inside {
        let texts: Vec<_> = stretches.iter().map(Stretch::to_string).collect();
        return Err(format!(
            "`{}` of shape {:?} has not all of these elements: {}",
            x.name,
            x.shape,
            texts.join(", ")
        ));
    }
    let due: Vec<u32> = stretches.iter().map(|s| s.count).collect();
    let without_ones = |shape: &[u32]| -> Vec<u32> {
        let larger = shape.iter().filter(|d| **d != 1);
        larger.copied().collect()
    };
    if without_ones(&due) == without_ones(&output.shape) {
        Ok(())
    } else {
        Err(format!(
            "`{}` has the shape {:?}, but {due:?} elements are taken",
            output.name, output.shape
        ))
    }
}

pub(super) fn evaluate(graph: &Graph, node: &Node, stretches: &[Stretch], value: &[u8]) -> Vec<u8> {
    let (x, _) = index::one_to_one(graph, node).expect("checked");
    let shape: Vec<u32> = stretches.iter().map(|s| s.count).collect();
    moved(x, value, &shape, |index| {
        let dims = index.iter().zip(stretches);
        dims.map(|(i, s)| (i64::from(s.begin) + *i as i64 * i64::from(s.step)) as usize)
            .collect()
    })
}
