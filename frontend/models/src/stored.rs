//! Constants that a file stores in another form than the graph has them: packed four-bit integers, 16-bit
//! floats, and matrices without their zeros.

use crate::{
    error::{ImportError, unreadable, unsupported_form},
    flatbuffer::Vector,
    schema::{self, DimensionMetadata},
};

/// Two four-bit integers from each byte, the low half first, as bytes; `count` of them.
pub(crate) fn unpack(packed: &[u8], count: usize) -> Option<Vec<u8>> {
    if packed.len() != count.div_ceil(2) {
        return None;
    }
    let halves = packed.iter().flat_map(|b| [b << 4, *b]);
    Some(halves.map(|b| (b as i8 >> 4) as u8).take(count).collect())
}

/// The bytes of F32 for those of 16-bit floats.
pub(crate) fn widen(halves: &[u8]) -> Vec<u8> {
    let (halves, _) = halves.as_chunks::<2>();
    let wide = halves.iter().map(|b| float(u16::from_le_bytes(*b)));
    wide.flat_map(f32::to_le_bytes).collect()
}

/// The value of a 16-bit float, which is exact; a NaN is the canonical one.
fn float(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    let magnitude = match (exponent, fraction) {
        (0, fraction) => fraction as f32 / (1u32 << 24) as f32,
        (31, 0) => f32::INFINITY,
        (31, _) => return f32::NAN,
        (exponent, fraction) => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    }
}

/// How the elements of a tensor are reached: the levels of a tree, from the outermost.
pub(crate) struct Sparsity {
    /// The dimension that each level walks: of the tensor, or (behind those) inside a block of one.
    order: Vec<usize>,
    /// The dimension of the tensor of which each block dimension is a part.
    blocks: Vec<usize>,
    levels: Vec<Level>,
}

/// The children of each node of a level.
enum Level {
    /// So many, in order.
    Dense(usize),
    /// Those of node `i` are the indices from `segments[i]` to `segments[i + 1]`.
    Sparse {
        segments: Vec<usize>,
        indices: Vec<usize>,
    },
}

impl Sparsity {
    pub(crate) fn read(
        table: &schema::SparsityParameters,
        rank: usize,
    ) -> Result<Self, ImportError> {
        let numbers = |vector: Option<Vector<i32>>| -> Option<Vec<usize>> {
            let numbers = vector.iter().flat_map(Vector::iter).take(4 * rank);
            numbers.map(|n| usize::try_from(n?).ok()).collect()
        };
        let wrong = || unreadable("the metadata of a sparse tensor contradict each other");
        let order = numbers(table.traversal_order()?).ok_or_else(wrong)?;
        let blocks = numbers(table.block_map()?).ok_or_else(wrong)?;
        let metadata = table.dim_metadata()?;
        let levels = metadata
            .iter()
            .flat_map(Vector::iter)
            .take(2 * rank + 1)
            .map(|m| level(&m.ok_or_else(wrong)?))
            .collect::<Result<Vec<_>, _>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if levels.len() != rank + blocks.len()
            || !sorted.into_iter().eq(0..levels.len())
            || blocks.iter().any(|b| *b >= rank)
        {
            return Err(wrong());
        }
        Ok(Self {
            order,
            blocks,
            levels,
        })
    }

    /// All elements, of `size` bytes, of a tensor of this shape of which `stored` are those that are not
    /// zero. The caller has seen to it that so many fit.
    pub(crate) fn densify(
        &self,
        stored: &[u8],
        shape: &[u32],
        size: usize,
    ) -> Result<Vec<u8>, ImportError> {
        let rank = shape.len();
        // Bytes from one index of each dimension to the next, those of blocks behind those of the tensor.
        let mut strides = vec![size; rank];
        for d in (1..rank).rev() {
            strides[d - 1] = strides[d] * shape[d] as usize;
        }
        let mut sizes: Vec<usize> = shape.iter().map(|d| *d as usize).collect();
        for (block, of) in self.blocks.iter().enumerate() {
            let level = self.order.iter().position(|d| *d == rank + block);
            let Some(Level::Dense(length @ 1..)) = level.map(|l| &self.levels[l]) else {
                return Err(unsupported_form(
                    "a sparse tensor has blocks that are not dense",
                ));
            };
            if self.blocks[..block].contains(of) || !sizes[*of].is_multiple_of(*length) {
                return Err(unreadable("the blocks of a sparse tensor do not divide it"));
            }
            strides.push(strides[*of]);
            strides[*of] *= length;
            sizes[*of] /= length;
            sizes.push(*length);
        }
        let bytes = shape.iter().map(|d| *d as usize).product::<usize>() * size;
        let mut walk = Walk {
            sparsity: self,
            strides,
            sizes,
            size,
            stored: stored.chunks_exact(size),
            dense: vec![0; bytes],
        };
        walk.level(0, 0, 0)
            .filter(|()| walk.stored.len() == 0)
            .ok_or_else(|| unreadable("the data of a sparse tensor contradict its metadata"))?;
        Ok(walk.dense)
    }
}

fn level(table: &DimensionMetadata) -> Result<Level, ImportError> {
    if table.format()?.unwrap_or(0) == 0 {
        let size = table.dense_size()?.unwrap_or(0);
        return usize::try_from(size)
            .map(Level::Dense)
            .map_err(|_| unreadable("a dimension of a sparse tensor has a size below zero"));
    }
    let segments = numbers(table.array_segments_type()?, table.array_segments()?)?;
    let indices = numbers(table.array_indices_type()?, table.array_indices()?)?;
    Ok(Level::Sparse { segments, indices })
}

/// The numbers of a vector of one of the kinds there are.
fn numbers(
    kind: Option<u8>,
    table: Option<schema::IndexVector>,
) -> Result<Vec<usize>, ImportError> {
    let wrong = || unreadable("the indices of a sparse tensor are not there");
    let table = table.ok_or_else(wrong)?;
    let numbers: Option<Vec<usize>> = match kind {
        Some(1) => {
            let values = table.i32_values()?.ok_or_else(wrong)?;
            values.iter().map(|n| usize::try_from(n?).ok()).collect()
        }
        Some(2) => {
            let values = table.u16_values()?.ok_or_else(wrong)?;
            values.iter().map(|n| n.map(usize::from)).collect()
        }
        Some(3) => {
            let values = table.u8_values()?.ok_or_else(wrong)?;
            Some(values.bytes().iter().map(|n| usize::from(*n)).collect())
        }
        _ => None,
    };
    numbers.ok_or_else(wrong)
}

/// A walk over the tree of a sparse tensor.
struct Walk<'a> {
    sparsity: &'a Sparsity,
    strides: Vec<usize>,
    sizes: Vec<usize>,
    size: usize,
    stored: std::slice::ChunksExact<'a, u8>,
    dense: Vec<u8>,
}

impl Walk<'_> {
    /// Visits what is below node `node` of a level, whose elements begin at byte `at`; `None` where the tree
    /// or the data end too early. Every step but those to dense children of no data takes some of the file's
    /// numbers, and dense levels have at most as many nodes as the tensor elements.
    fn level(&mut self, depth: usize, node: usize, at: usize) -> Option<()> {
        let Some(level) = self.sparsity.levels.get(depth) else {
            let element = self.stored.next()?;
            self.dense
                .get_mut(at..at + self.size)?
                .copy_from_slice(element);
            return Some(());
        };
        let dimension = self.sparsity.order[depth];
        let (stride, size) = (self.strides[dimension], self.sizes[dimension]);
        match level {
            Level::Dense(count) => {
                if *count != size {
                    return None;
                }
                (0..*count)
                    .try_for_each(|i| self.level(depth + 1, node * count + i, at + i * stride))
            }
            Level::Sparse { segments, indices } => {
                let (first, end) = (*segments.get(node)?, *segments.get(node + 1)?);
                let children = indices.get(first..end)?;
                (first..).zip(children).try_for_each(|(child, index)| {
                    (*index < size).then_some(())?;
                    self.level(depth + 1, child, at + index * stride)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_bytes_are_signed() {
        assert_eq!(unpack(&[0x81, 0x0f], 3), Some(vec![1, 0xf8, 0xff]));
        assert_eq!(unpack(&[0x81], 3), None);
    }

    #[test]
    fn small_floats_are_exact() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(float(bits), value);
        }
        assert!(float(0x7e01).is_nan());
        assert_eq!(float(0x8000).to_bits(), (-0.0f32).to_bits());
    }

    #[test]
    fn blocks_and_rows_find_their_place() {
        // 2 rows of 4, in blocks of 2 columns: row 0 has its second block, row 1 its first.
        let sparsity = Sparsity {
            order: vec![0, 1, 2],
            blocks: vec![1],
            levels: vec![
                Level::Dense(2),
                Level::Sparse {
                    segments: vec![0, 1, 2],
                    indices: vec![1, 0],
                },
                Level::Dense(2),
            ],
        };
        let dense = |stored: &[u8]| sparsity.densify(stored, &[2, 4], 1).ok();
        assert_eq!(dense(&[1, 2, 3, 4]), Some(vec![0, 0, 1, 2, 3, 4, 0, 0]));
        assert_eq!(dense(&[1, 2, 3]), None);
        assert_eq!(dense(&[1, 2, 3, 4, 5]), None);
        assert!(sparsity.densify(&[1, 2, 3, 4], &[2, 2], 1).is_err());
        assert!(sparsity.densify(&[1, 2, 3, 4], &[3, 4], 1).is_err());
    }
}
