//! What convolution, depthwise convolution and fully connected share: sums of products of elements and
//! weights, one accumulator for each output channel or vector of channels, finished by bias, scale and
//! activation.

use rune_ir::{
    graph::{DataType, Node},
    op::Activation,
};

use super::{Context, Simd, float::Float, integer::Integer};
use crate::nest::{Address, Affine, BufferId, Builder, Expr};

/// How sums of one element type are taken. Channels lie in *vectors* of [`lanes`](Self::lanes); weights
/// and the constants of channels are packed so that those of a vector are neighbours.
pub(super) trait Arithmetic {
    /// Channels in one accumulator.
    fn lanes(&self) -> u32;

    /// Elements of a sum that one step of [`broadcast`](Self::broadcast) takes.
    fn unit(&self) -> u32;

    /// Loads the elements of four steps, of which [`step`] picks one. Of vectors only.
    fn load(&self, f: &mut Builder, at: &Address) -> Expr;

    /// Adds to `sums[i][v]` the products of `x[i]`, which are the elements of a step for every channel of a
    /// vector, each with the weights of vector `v`.
    fn add(&self, f: &mut Builder, x: Vec<Expr>, weights: &Address, sums: &[Vec<Expr>]);

    /// Says that the kernel reads the constants.
    fn declare(&self, f: &mut Builder);

    /// Where the sums of a vector start.
    fn start(&self, vector: &Affine) -> Expr;

    /// Adds to `sums[i][v]` the products of the `elements` elements at `x[i]`, each with the weights of
    /// vector `v`. `elements` is the unit, or 1.
    fn broadcast(
        &self,
        f: &mut Builder,
        x: &[Address],
        weights: &Address,
        sums: &[Vec<Expr>],
        elements: u32,
    );

    /// Adds to the lanes of `sums[i][..]` the products of as many neighbours at `x[i]`, each with the
    /// weight of its own channel.
    fn lanewise(&self, f: &mut Builder, x: &[Address], weights: &Address, sums: &[Vec<Expr>]);

    /// Makes results of sums that begin with vector `vector`, and writes the first `results` of them.
    fn finish(&self, f: &mut Builder, sums: &[Expr], vector: &Affine, to: &Address, results: u32);
}

/// The elements of step `index` of the four that were loaded, for every channel of a vector.
pub(super) fn step(loaded: &Expr, index: u32) -> Expr {
    let lanes = std::array::from_fn(|byte| (4 * index + byte as u32 % 4) as u8);
    loaded.clone().shuffle(loaded.clone(), lanes)
}

/// The channels of an operator in the order their constants are packed; `None` fills up a vector.
pub(super) type Order = Vec<Option<usize>>;

/// What an operator's constants are packed from.
pub(super) struct Channels<'a> {
    /// The order of channels.
    pub(super) order: &'a Order,
    /// The channel that an element of the weights belongs to.
    pub(super) of: &'a dyn Fn(usize) -> usize,
    /// Whether a sum may lack the products of taps outside the input.
    pub(super) clipped: bool,
    /// Whether accumulators are vectors.
    pub(super) vector: bool,
    /// Whether the high half of a product of two words is as cheap as the product.
    pub(super) dsp: bool,
    /// Bytes of a channel that are to lie behind its constants, its weights; of accumulators that are no vectors.
    pub(super) beside: Option<&'a dyn Fn(usize) -> Vec<u8>>,
}

/// The lanes of an accumulator that is a vector.
pub(super) const LANES: u32 = 4;

/// The lanes of an accumulator.
pub(super) fn lanes(vector: bool) -> u32 {
    if vector { LANES } else { 1 }
}

/// The bias of a node, if it has one.
pub(super) fn bias<'a>(context: &Context<'a>, node: &Node) -> Result<Option<&'a [u8]>, String> {
    match node.inputs.get(2) {
        Some(Some(_)) => context.value(node, 2).map(Some),
        _ => Ok(None),
    }
}

/// The arithmetic of a node, with the constants of its channels packed.
pub(super) fn arithmetic(
    context: &mut Context,
    node: &Node,
    activation: Activation,
    channels: &Channels,
) -> Result<Box<dyn Arithmetic>, String> {
    let bias = bias(context, node)?;
    Ok(if context.tensor(node, 0).ty == DataType::F32 {
        let seen = context.seen[node.outputs[0]];
        Box::new(Float::new(context, bias, activation, channels, seen))
    } else {
        Box::new(Integer::new(context, node, bias, channels)?)
    })
}

/// Packs the weights of a node: `order` names elements one after the other to the function it is given;
/// `None` fills up with what multiplies to zero. There are `count` of them.
pub(super) fn pack_weights(
    context: &mut Context,
    node: &Node,
    count: u64,
    order: impl FnOnce(&mut dyn FnMut(Option<usize>)),
) -> Result<BufferId, String> {
    let value = context.value(node, 1)?;
    let weights = context.tensor(node, 1);
    let size = weights.ty.size() as usize;
    let filling = match &weights.quantization {
        Some(quantization) if weights.ty != DataType::F32 => quantization.zero_point[0] as u8,
        _ => 0,
    };
    if count * size as u64 >= 1 << 30 {
        return Err(format!("its weights `{}` are too large", weights.name));
    }
    let mut packed = Vec::with_capacity(count as usize * size);
    order(&mut |element| match element {
        Some(element) => packed.extend_from_slice(&value[element * size..][..size]),
        None => packed.extend(std::iter::repeat_n(filling, size)),
    });
    debug_assert_eq!(packed.len(), count as usize * size, "all are named");
    Ok(context.constant(&weights.name, packed))
}

/// Whether vectors may be used.
pub(super) fn vectors(simd: Simd) -> bool {
    simd.has_vectors()
}
