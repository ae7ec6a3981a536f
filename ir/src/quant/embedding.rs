//! The scales of tables that `EMBEDDING_LOOKUP` reads.

use crate::graph::Tensor;

/// The scale of each row of a table of I8.
///
/// # Errors
/// A table without them, or with a zero point.
pub fn row_scales(table: &Tensor) -> Result<Vec<f32>, String> {
    let rows = table.shape.first().map_or(0, |rows| *rows as usize);
    let quantization = table
        .quantization
        .as_ref()
        .filter(|q| q.zero_point.iter().all(|z| *z == 0));
    match quantization {
        Some(q) if q.scale.len() == 1 => Ok(vec![q.scale[0]; rows]),
        Some(q) if q.scale.len() == rows && q.axis == 0 => Ok(q.scale.clone()),
        _ => Err(format!(
            "`{}` has not one scale, or one for each row, and the zero point 0",
            table.name
        )),
    }
}
