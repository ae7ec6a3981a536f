//! MEAN, SUM, `REDUCE_PROD`, `REDUCE_MAX`, `REDUCE_MIN`, `REDUCE_ALL` and `REDUCE_ANY`: one number of all
//! elements that differ only in their place along the reduced dimensions.
//!
//! Elements are taken by rising index. F32: sums from +0.0 and products from 1.0, the mean divides the
//! sum by the count; greatest and least begin at the least and greatest finite number, so NaN is passed
//! over. I32 and I64, and narrower integers without a scale where they are multiplied: sums and products
//! modulo the type, the mean of I32 and I64 cuts off (its sum is modulo 2^64). I8, U8 and I16 with a scale:
//! [`reduced_sum_params`](quant::reduced_sum_params) and [`reduced_product_params`](quant::reduced_product_params).

use super::{arithmetic, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    quant::{self, ReducedProductParams, Rounding},
};

/// One number of all elements that differ only along some dimensions.
///
/// Input: x. Output: of its type, with the reduced dimensions as 1 or without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// How they become one.
    pub how: Reduction,
    /// The reduced dimensions, rising.
    pub axes: Vec<u32>,
}

/// How elements become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum divided by their number.
    Mean,
    /// Their sum.
    Sum,
    /// Their product.
    Product,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// Whether all are true.
    All,
    /// Whether one is true.
    Any,
}

impl Reduce {
    pub(super) const fn name(&self) -> &'static str {
        match self.how {
            Reduction::Mean => "MEAN",
            Reduction::Sum => "SUM",
            Reduction::Product => "REDUCE_PROD",
            Reduction::Max => "REDUCE_MAX",
            Reduction::Min => "REDUCE_MIN",
            Reduction::All => "REDUCE_ALL",
            Reduction::Any => "REDUCE_ANY",
        }
    }

    pub(super) fn check(&self, graph: &Graph, node: &Node) -> Result<(), String> {
        check(graph, node, self.how, &self.axes)
    }

    pub(super) fn evaluate(&self, graph: &Graph, node: &Node, x: &[u8]) -> Vec<u8> {
        evaluate(graph, node, self.how, &self.axes, x)
    }
}

fn check(graph: &Graph, node: &Node, how: Reduction, axes: &[u32]) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, y) = (operands.input(0), operands.output);
    let rank = x.shape.len();
    if !axes.is_sorted_by(|a, b| a < b) || axes.last().is_some_and(|a| *a as usize >= rank) {
        return Err(format!(
            "it reduces the dimensions {axes:?} of `{}`, which has {rank}",
            x.name
        ));
    }
    let reduced = |d: usize| axes.contains(&(d as u32));
    let kept: Vec<u32> = (0..rank)
        .map(|d| if reduced(d) { 1 } else { x.shape[d] })
        .collect();
    let dropped: Vec<u32> = (0..rank)
        .filter(|d| !reduced(*d))
        .map(|d| x.shape[d])
        .collect();
    if y.shape != kept && y.shape != dropped {
        return Err(format!(
            "`{}` has the shape {:?} where {dropped:?} or {kept:?} is due",
            y.name, y.shape
        ));
    }
    operand::same_type(x, y)?;
    let fits = if matches!(how, Reduction::All | Reduction::Any) {
        x.ty == DataType::Bool
    } else {
        is_small(x.ty) || [DataType::F32, DataType::I32, DataType::I64].contains(&x.ty)
    };
    if !fits {
        return Err(format!("`{}` is of type {}", x.name, x.ty));
    }
    match how {
        Reduction::Mean | Reduction::Sum if is_small(x.ty) => {
            quant::reduced_sum_params(graph, node, how, count(x, y)).map(|_| ())
        }
        Reduction::Product if is_small(x.ty) && x.quantization.is_some() => {
            quant::reduced_product_params(graph, node, count(x, y)).map(|_| ())
        }
        Reduction::Max | Reduction::Min if is_small(x.ty) && x.quantization.is_some() => {
            operand::same_affine(x, y)
        }
        Reduction::Mean
        | Reduction::Sum
        | Reduction::Product
        | Reduction::Max
        | Reduction::Min
        | Reduction::All
        | Reduction::Any => Ok(()),
    }
}

/// An integer that is quantised where it has a scale.
fn is_small(ty: DataType) -> bool {
    [DataType::I8, DataType::U8, DataType::I16].contains(&ty)
}

/// How many elements make one.
fn count(x: &Tensor, y: &Tensor) -> u32 {
    (x.elements() / y.elements()) as u32
}

fn evaluate(graph: &Graph, node: &Node, how: Reduction, axes: &[u32], value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let (x, y) = (operands.input(0), operands.output);
    let groups = groups(&x.shape, axes, y.elements());
    let count = count(x, y);
    let ty = x.ty;
    if ty == DataType::F32 {
        let x = operand::floats(value);
        let group = |group: &Vec<usize>| float(how, group.iter().map(|i| x[*i]), count);
        return operand::float_bytes(groups.iter().map(group));
    }
    let integers = operand::wide_integers(ty, value);
    let elements = |group: &Vec<usize>| group.iter().map(|i| integers[*i]).collect::<Vec<_>>();
    let results = groups.iter().map(elements);
    match how {
        Reduction::Mean | Reduction::Sum if is_small(ty) => {
            let params = quant::reduced_sum_params(graph, node, how, count).expect("checked");
            let result = |x: Vec<i64>| {
                let sum = (x.iter().sum::<i64>() as i32).wrapping_sub(params.input_offset);
                let scaled = arithmetic::requantize(sum, params.requantization, Rounding::Twice);
                let (least, most) = params.range;
                scaled
                    .saturating_add(params.output_zero_point)
                    .clamp(least, most)
                    .into()
            };
            operand::wide_integer_bytes(ty, results.map(result))
        }
        Reduction::Product if is_small(ty) && x.quantization.is_some() => {
            let params = quant::reduced_product_params(graph, node, count).expect("checked");
            operand::wide_integer_bytes(ty, results.map(|x| product(&x, params)))
        }
        Reduction::Mean
        | Reduction::Sum
        | Reduction::Product
        | Reduction::Max
        | Reduction::Min
        | Reduction::All
        | Reduction::Any => operand::wide_integer_bytes(ty, results.map(|x| integer(how, &x, ty))),
    }
}

/// For each result the indices of the elements it is made of, rising.
fn groups(shape: &[u32], axes: &[u32], results: usize) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); results];
    for index in 0..shape.iter().map(|d| *d as usize).product() {
        // From the innermost dimension outwards.
        let (mut rest, mut stride, mut result) = (index, 1, 0);
        for (d, size) in shape.iter().enumerate().rev() {
            let size = *size as usize;
            if !axes.contains(&(d as u32)) {
                result += rest % size * stride;
                stride *= size;
            }
            rest /= size;
        }
        groups[result].push(index);
    }
    groups
}

fn float(how: Reduction, mut x: impl Iterator<Item = f32>, count: u32) -> f32 {
    match how {
        Reduction::Mean => x.fold(0.0, |sum, x| sum + x) / count as f32,
        Reduction::Sum => x.fold(0.0, |sum, x| sum + x),
        Reduction::Product => x.fold(1.0, |product, x| product * x),
        Reduction::Max => x.fold(f32::MIN, |most, x| if x > most { x } else { most }),
        Reduction::Min => x.fold(f32::MAX, |least, x| if x < least { x } else { least }),
        Reduction::All => f32::from(x.all(|x| x != 0.0)),
        Reduction::Any => f32::from(x.any(|x| x != 0.0)),
    }
}

/// Of integers that no scale gives a meaning; only MEAN has a sum wider than the type.
fn integer(how: Reduction, x: &[i64], ty: DataType) -> i64 {
    let fold = |first: i64, f: fn(i64, i64) -> i64| x.iter().fold(first, |a, x| f(a, *x));
    match how {
        Reduction::Mean => fold(0, i64::wrapping_add) / x.len() as i64,
        Reduction::Sum => wrap(ty, fold(0, i64::wrapping_add)),
        Reduction::Product => wrap(ty, fold(1, i64::wrapping_mul)),
        Reduction::Max => fold(i64::MIN, i64::max),
        Reduction::Min => fold(i64::MAX, i64::min),
        Reduction::All => i64::from(x.iter().all(|x| *x != 0)),
        Reduction::Any => i64::from(x.iter().any(|x| *x != 0)),
    }
}

/// `x` as its low bytes in an integer type say.
fn wrap(ty: DataType, x: i64) -> i64 {
    operand::wide_integers(ty, &operand::wide_integer_bytes(ty, [x]))[0]
}

fn product(x: &[i64], params: ReducedProductParams) -> i64 {
    let ReducedProductParams {
        input_zero_point,
        multiplier,
        shift,
        output_zero_point,
        range: (least, most),
    } = params;
    let scaled = |x: i64| {
        let product = x.wrapping_mul(multiplier.into());
        let rounded = product.wrapping_add(1 << (shift - 1)) >> shift;
        i64::from(rounded as i32)
    };
    let centred = x.iter().map(|x| x - i64::from(input_zero_point));
    let product = centred
        .reduce(|product, x| scaled(product * x))
        .expect("no group is empty");
    let result = (scaled(product) as i32).saturating_add(output_zero_point);
    result.clamp(least, most).into()
}
