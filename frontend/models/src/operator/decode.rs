//! `TFLM_DECODE`: constants that are packed, unpacked at import. Beside each lies a header of 16 bytes, which says
//! how it is packed, and behind that a table.

use rune_ir::graph::{DataType, Quantization, Tensor};

use super::{Read, ReadOp, Reader};
use crate::error::{ImportError, unreadable, unsupported_form};

/// Bytes of the header.
const HEADER: usize = 16;
/// Bits that a code may reach behind the data.
const SLACK: usize = 32;

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "CUSTOM TFLM_DECODE" => |r| r.decode(),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    fn decode(&mut self) -> Result<Read, ImportError> {
        let count = self.outputs.len();
        if self.inputs.len() != 2 * count {
            let given = self.inputs.len();
            return Err(unreadable(format!(
                "it has {given} inputs for {count} outputs"
            )));
        }
        let mut values = Vec::new();
        let mut left = self.importer.constants_left();
        for (index, output) in self.outputs.clone().into_iter().enumerate() {
            let mut constant = |input: usize| {
                let tensor = self.input(input)?;
                let data = tensor.data.clone();
                data.ok_or_else(|| unsupported_form(format!("`{}` is not constant", tensor.name)))
            };
            let (packed, table) = (constant(2 * index)?, constant(2 * index + 1)?);
            let output = self.tensors.import(output)?;
            let output = self.tensors.get(output);
            // Several may share what they are unpacked from.
            left = left.checked_sub(output.bytes()).ok_or_else(|| {
                unsupported_form(format!("`{}` is far larger than the file", output.name))
            })?;
            let value = unpack(&packed, &table, output).map_err(|message| {
                unsupported_form(format!("`{}` cannot be unpacked: {message}", output.name))
            })?;
            values.push(value);
        }
        Ok(Read::Values(values))
    }
}

/// The elements of `output`.
fn unpack(packed: &[u8], ancillary: &[u8], output: &Tensor) -> Result<Vec<u8>, String> {
    let [kind, 1, _, _, 1, parameters, stride, ..] = *ancillary else {
        return Err("it is of an unknown version".to_owned());
    };
    let table = ancillary.get(HEADER..).ok_or("its header is cut off")?;
    let mut bits = Bits {
        bytes: packed,
        at: 0,
    };
    match kind {
        0 => from_table(&mut bits, table, (parameters & 7, stride), output),
        1 => from_codes(&mut bits, table, parameters, output),
        2 => from_mask(&mut bits, table, output),
        other => Err(format!("its way of packing is of number {other}")),
    }
}

/// A string of bits, the highest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next bits as a number; behind the end they are zero, but not for long.
    fn next(&mut self, count: usize) -> Result<usize, String> {
        let mut value = 0;
        for at in self.at..self.at + count {
            let byte = self.bytes.get(at / 8).copied().unwrap_or(0);
            value = value << 1 | usize::from(byte >> (7 - at % 8) & 1);
        }
        self.at += count;
        if self.at > 8 * self.bytes.len() + SLACK {
            return Err("its data end too early".to_owned());
        }
        Ok(value)
    }
}

/// Which channel an element belongs to.
struct Channels {
    count: usize,
    /// Elements of a channel in a row; 1 where the last dimension is that of channels.
    run: usize,
}

impl Channels {
    fn new(output: &Tensor) -> Result<Self, String> {
        let elements = output.elements();
        let Some(Quantization { scale, axis, .. }) = &output.quantization else {
            return Ok(Self {
                count: 1,
                run: elements,
            });
        };
        let count = scale.len();
        let is_last = *axis as usize + 1 == output.shape.len() && count > 1;
        if (*axis != 0 && !is_last) || count == 0 || !elements.is_multiple_of(count) {
            return Err(format!("it has {count} channels along {axis}"));
        }
        let run = if is_last { 1 } else { elements / count };
        Ok(Self { count, run })
    }

    fn of(&self, element: usize) -> usize {
        element / self.run % self.count
    }
}

/// Bytes of an element, of the types that are packed.
fn size(output: &Tensor) -> Result<usize, String> {
    let packed = [
        DataType::Bool,
        DataType::F32,
        DataType::I8,
        I16,
        DataType::I32,
        DataType::I64,
    ];
    if packed.contains(&output.ty) {
        Ok(output.ty.size() as usize)
    } else {
        Err(format!("it is of type {}", output.ty))
    }
}

const I16: DataType = DataType::Element(rune_ir::ty::ElementType::I16);

/// Each element is one of its channel's in the table, by an index of so many bits.
fn from_table(
    bits: &mut Bits,
    table: &[u8],
    (width, stride): (u8, u8),
    output: &Tensor,
) -> Result<Vec<u8>, String> {
    if width == 0 {
        return Err("its indices have no bits".to_owned());
    }
    let (channels, size) = (Channels::new(output)?, size(output)?);
    let mut value = Vec::new();
    for element in 0..output.elements() {
        let index = bits.next(width.into())? + channels.of(element) * usize::from(stride);
        let bytes = table.get(index * size..(index + 1) * size);
        value.extend_from_slice(bytes.ok_or("an index is outside its table")?);
    }
    Ok(value)
}

/// An element is the next of the table where its bit is set, else the zero point.
fn from_mask(bits: &mut Bits, table: &[u8], output: &Tensor) -> Result<Vec<u8>, String> {
    let (channels, size) = (Channels::new(output)?, size(output)?);
    let zero_points = output.quantization.as_ref().map(|q| &q.zero_point[..]);
    let zero_point = |channel: usize| zero_points.and_then(|z| z.get(channel)).map_or(0, |z| *z);
    if output.ty != DataType::I8 && zero_point(0) != 0 {
        return Err(format!("its zero point is {}", zero_point(0)));
    }
    let mut rest = table.chunks_exact(size);
    let mut value = Vec::new();
    for element in 0..output.elements() {
        if bits.next(1)? == 1 {
            value.extend_from_slice(rest.next().ok_or("its table ends too early")?);
        } else {
            let zero = i64::from(zero_point(channels.of(element))).to_le_bytes();
            value.extend_from_slice(&zero[..size]);
        }
    }
    Ok(value)
}

/// Each element has a Huffman code. An entry of the table is an element and how many of the bits that led to
/// it were not its code's, or how many bits more are needed, and how far on the entries for these begin.
fn from_codes(
    bits: &mut Bits,
    table: &[u8],
    parameters: u8,
    output: &Tensor,
) -> Result<Vec<u8>, String> {
    let wide = parameters & 1 != 0;
    let size = match (output.ty, wide) {
        (ty, _) if ty == DataType::I8 => 1,
        (ty, true) if ty == I16 => 2,
        (ty, _) => return Err(format!("it is of type {ty}")),
    };
    let entry = |index: usize| -> Option<u32> {
        if wide {
            let bytes = table.get(4 * index..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        } else {
            let bytes = table.get(2 * index..)?.first_chunk()?;
            let entry = u32::from(u16::from_le_bytes(*bytes));
            // Found and count as in an entry of 32 bits.
            Some((entry & 0xF800) << 16 | entry & 0x07FF)
        }
    };
    let first = usize::from(parameters >> 4) + 1;
    let mut value = Vec::new();
    for _ in 0..output.elements() {
        let mut width = first;
        let mut place = bits.next(width)?;
        let found = loop {
            let entry = entry(place).ok_or("a code is outside its table")?;
            if entry >> 31 == 1 {
                break entry;
            }
            width = (entry >> 27 & 15) as usize + 1;
            place += (entry & 0x07FF_FFFF) as usize + bits.next(width)?;
        };
        let used = (found >> 27 & 15) as usize;
        bits.at -= width.saturating_sub(used);
        value.extend_from_slice(&found.to_le_bytes()[..size]);
    }
    Ok(value)
}
