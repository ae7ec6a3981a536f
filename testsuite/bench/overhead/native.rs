//! The pipelines as a Rust program has them without a container: the same arithmetic, shapes known to the compiler
//! where they are known to runec, loops that rustc turns into vectors.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the example has a few of many operators"
)]

use rune_ir::{
    graph::{Graph, Node, TensorId},
    op::Op,
    quant::{LinearParams, Requantization, linear_params},
};

use crate::form::Value;

/// A pipeline: reads, computes, and gives its result.
pub(crate) trait Native {
    fn call(&mut self) -> Value<'_>;
}

/// RAND, three layers of f32.
pub(crate) struct Sine {
    random: u64,
    first: [[f32; N]; 2],
    /// By input, then output.
    second: ([[f32; N]; N], [f32; N]),
    third: ([f32; N], f32),
    result: [f32; 1],
}

/// Neurons of a hidden layer.
const N: usize = 16;

impl Sine {
    pub(crate) fn new(graph: &Graph) -> Self {
        let layer = |i: usize| {
            let node = &graph.nodes[i];
            [1, 2].map(|input| floats(graph, node.inputs[input].expect("it has weights")))
        };
        let row = |floats: &[f32]| <[f32; N]>::try_from(floats).expect("the shape is known");
        let ([w1, b1], [w2, b2], [w3, b3]) = (layer(0), layer(1), layer(2));
        let by_input = |i: usize| std::array::from_fn(|o| w2[o * N + i]);
        Self {
            random: 0,
            first: [row(&w1), row(&b1)],
            second: (std::array::from_fn(by_input), row(&b2)),
            third: (row(&w3), b3[0]),
            result: [0.0],
        }
    }

    /// A number in `[0, 2 pi)`, as the runtime's RAND gives it (`SplitMix64`).
    fn random(&mut self) -> f32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        ((unit * 6.283_185_5) as f32).min(6.283_185_5_f32.next_down())
    }
}

impl Native for Sine {
    fn call(&mut self) -> Value<'_> {
        let x = self.random();
        let [w1, b1] = &self.first;
        let first: [f32; N] = std::array::from_fn(|o| (w1[o] * x + b1[o]).max(0.0));
        let (w2, mut second) = (&self.second.0, self.second.1);
        for (x, row) in first.iter().zip(w2) {
            for (y, w) in second.iter_mut().zip(row) {
                *y += x * w;
            }
        }
        // Four sums, so that they are one vector.
        let mut sums = [0.0; 4];
        for (x, w) in second.chunks_exact(4).zip(self.third.0.chunks_exact(4)) {
            for (sum, (x, w)) in sums.iter_mut().zip(x.iter().zip(w)) {
                *sum += x.max(0.0) * w;
            }
        }
        self.result = [self.third.1 + (sums[0] + sums[1]) + (sums[2] + sums[3])];
        Value::Floats(&self.result)
    }
}

/// A window of an accelerometer, its normalisation, convolutions of bytes along time, and the label of the greatest
/// confidence.
pub(crate) struct Gesture {
    sample: Vec<f32>,
    window: Vec<f32>,
    /// Scale and zero point of the quantised window, and of the confidences before SOFTMAX.
    input: (f32, i32),
    logits: f32,
    layers: Vec<Layer>,
    /// Activations of bytes, in turns; and those of a convolution less their zero point, between borders of zeros.
    bytes: [Vec<i8>; 2],
    wide: Vec<i16>,
}

const LABELS: [&str; 4] = ["Wing", "Ring", "Slope", "Unknown"];
/// A window of a convolution is read in vectors of so many, the last of them with weights of zero.
const LANES: usize = 16;

/// An operator along time: `rows` of `channels` become `rows` of `channels`.
struct Layer {
    kind: Kind,
    from: (usize, usize),
    to: (usize, usize),
    /// Rows of a window, between two windows, and before the first row.
    taps: usize,
    stride: usize,
    pad: usize,
}

enum Kind {
    /// Weights by output channel, each row of a whole number of [`LANES`].
    Dense(Linear),
    /// Weights by tap, then channel.
    Depthwise(Linear),
    MaxPool,
    Mean,
}

struct Linear {
    weights: Vec<i16>,
    bias: Vec<i32>,
    params: LinearParams,
    /// Whether sums are rounded twice.
    twice: bool,
}

impl Gesture {
    pub(crate) fn new(graph: &Graph, sample: &[u8]) -> Self {
        let sample: Vec<f32> = sample
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")))
            .collect();
        let affine = |id: TensorId| {
            let quantization = graph.tensors[id].quantization.as_ref();
            quantization
                .and_then(rune_ir::graph::Quantization::per_tensor)
                .expect("it is quantised")
        };
        let mut input = (1.0, 0);
        let mut logits = 1.0;
        let mut layers = vec![];
        for node in &graph.nodes {
            match &node.op {
                Op::Softmax { .. } => logits = affine(node.inputs[0].expect("an input")).0,
                _ => match Layer::new(graph, node) {
                    Some(layer) => layers.push(layer),
                    None if layers.is_empty() && is_quantised(graph, node.outputs[0]) => {
                        input = affine(node.outputs[0]);
                    }
                    None => {}
                },
            }
        }
        Self {
            window: vec![0.0; sample.len()],
            sample,
            input,
            logits,
            layers,
            bytes: [vec![], vec![]],
            wide: vec![],
        }
    }
}

fn is_quantised(graph: &Graph, id: TensorId) -> bool {
    graph.tensors[id].quantization.is_some()
}

impl Native for Gesture {
    fn call(&mut self) -> Value<'_> {
        self.window.copy_from_slice(&self.sample);
        let ends = (f32::INFINITY, f32::NEG_INFINITY);
        let (low, high) = self
            .window
            .iter()
            .fold(ends, |(low, high), x| (low.min(*x), high.max(*x)));
        let (scale, zero) = self.input;
        let [from, to] = &mut self.bytes;
        from.clear();
        from.extend(self.window.iter().map(|x| {
            let y = (x - low) / (high - low) / scale;
            ((y + 0.5f32.copysign(y)) as i32 + zero).clamp(-128, 127) as i8
        }));
        let (mut from, mut to) = (from, to);
        for layer in &self.layers {
            layer.run(from, to, &mut self.wide);
            (from, to) = (to, from);
        }
        let most = *from.iter().max().expect("there are labels");
        let powers = from
            .iter()
            .map(|q| (f32::from(q - most) * self.logits).exp());
        let powers: Vec<f32> = powers.collect();
        let sum: f32 = powers.iter().sum();
        let mut best = 0;
        for (index, power) in powers.iter().enumerate() {
            if power / sum > powers[best] / sum {
                best = index;
            }
        }
        Value::Text(LABELS[best])
    }
}

impl Layer {
    /// An operator that computes something on bytes.
    fn new(graph: &Graph, node: &Node) -> Option<Self> {
        let shape = |id: TensorId| &graph.tensors[id].shape;
        let of = |id: TensorId| match shape(id)[..] {
            [_, rows, _, channels] => (rows as usize, channels as usize),
            [rows, channels] => (rows as usize, channels as usize),
            _ => panic!("no shape of the example"),
        };
        let (kind, taps, window) = match &node.op {
            Op::Conv2d { window, .. } | Op::DepthwiseConv2d { window, .. } => {
                let weights = shape(node.inputs[1].expect("weights"));
                let dense = matches!(node.op, Op::Conv2d { .. });
                let linear = Linear::new(graph, node, dense);
                let kind = if dense {
                    Kind::Dense(linear)
                } else {
                    Kind::Depthwise(linear)
                };
                (kind, weights[1] as usize, Some(window))
            }
            Op::FullyConnected { .. } => (Kind::Dense(Linear::new(graph, node, true)), 1, None),
            Op::MaxPool2d { window, size, .. } => (Kind::MaxPool, size[0] as usize, Some(window)),
            Op::AveragePool2d { window, size, .. } => (Kind::Mean, size[0] as usize, Some(window)),
            _ => return None,
        };
        let to = of(node.outputs[0]);
        Some(Self {
            from: match node.op {
                Op::FullyConnected { .. } => {
                    (1, shape(node.inputs[0]?).iter().product::<u32>() as usize)
                }
                _ => of(node.inputs[0]?),
            },
            to,
            taps,
            stride: window.map_or(1, |w| w.stride[0] as usize),
            pad: window.map_or(0, |w| w.pad[0] as usize),
            kind,
        })
    }

    fn run(&self, from: &[i8], to: &mut Vec<i8>, wide: &mut Vec<i16>) {
        let (rows, channels) = self.to;
        to.clear();
        to.resize(rows * channels, 0);
        let (height, depth) = self.from;
        if let Kind::Dense(linear) | Kind::Depthwise(linear) = &self.kind {
            let zero = linear.params.input_zero_point as i16;
            let border = self.pad * depth;
            wide.clear();
            wide.resize(border, 0);
            wide.extend(from.iter().map(|x| i16::from(*x) - zero));
            wide.resize(
                ((rows - 1) * self.stride + self.taps) * depth + border + LANES,
                0,
            );
        }
        let out = to.chunks_exact_mut(channels).enumerate();
        match &self.kind {
            Kind::Dense(linear) => {
                let window = |t: usize| &wide[t * self.stride * depth..];
                match (self.taps * depth).div_ceil(LANES) {
                    1 => out.for_each(|(t, out)| linear.dense::<16>(window(t), out)),
                    2 => out.for_each(|(t, out)| linear.dense::<32>(window(t), out)),
                    3 => out.for_each(|(t, out)| linear.dense::<48>(window(t), out)),
                    _ => panic!("no window of the example"),
                }
            }
            Kind::Depthwise(linear) => {
                let mut sums = vec![0; channels];
                for (t, out) in out {
                    sums.copy_from_slice(&linear.bias);
                    let window = &wide[t * self.stride * depth..];
                    let taps = window.chunks_exact(depth).take(self.taps);
                    for (x, w) in taps.zip(linear.weights.chunks_exact(depth)) {
                        for (sum, (x, w)) in sums.iter_mut().zip(x.iter().zip(w)) {
                            *sum += i32::from(*x) * i32::from(*w);
                        }
                    }
                    linear.requantize(&sums, out);
                }
            }
            Kind::MaxPool => {
                for (t, out) in out {
                    let rows = from[t * self.stride * depth..].chunks_exact(depth);
                    out.fill(i8::MIN);
                    for x in rows.take(self.taps) {
                        for (out, x) in out.iter_mut().zip(x) {
                            *out = (*out).max(*x);
                        }
                    }
                }
            }
            Kind::Mean => {
                for (channel, out) in to.iter_mut().enumerate() {
                    let sum: i32 = (0..height)
                        .map(|t| i32::from(from[t * depth + channel]))
                        .sum();
                    let (count, half) = (height as i32, height as i32 / 2);
                    *out = (if sum > 0 {
                        (sum + half) / count
                    } else {
                        (sum - half) / count
                    }) as i8;
                }
            }
        }
    }
}

impl Linear {
    fn new(graph: &Graph, node: &Node, dense: bool) -> Self {
        let input = |i: usize| node.inputs[i].expect("weights and a bias");
        let data = |i: usize| graph.tensors[input(i)].data.clone().expect("a constant");
        let bytes = data(1);
        let bytes = bytes.iter().map(|b| i16::from(*b as i8));
        let params = linear_params(graph, node).expect("the example is sound");
        let bias: Vec<i32> = data(2)
            .chunks_exact(4)
            .map(|b| i32::from_le_bytes(b.try_into().expect("four bytes")))
            .collect();
        let mut weights: Vec<i16> = bytes.collect();
        if dense {
            let row = weights.len() / bias.len();
            let rows = weights.chunks_exact(row);
            let padded = rows.flat_map(|r| {
                let zeros = row.next_multiple_of(LANES) - row;
                r.iter().copied().chain(std::iter::repeat_n(0, zeros))
            });
            weights = padded.collect();
        }
        Self {
            weights,
            bias,
            twice: params.rounding == rune_ir::quant::Rounding::Twice,
            params,
        }
    }

    /// Every output channel of one window of `K` elements.
    fn dense<const K: usize>(&self, window: &[i16], out: &mut [i8]) {
        let x: &[i16; K] = window[..K].try_into().expect("K of them");
        let mut sums = [0; 32];
        let rows = self.weights.as_chunks::<K>().0;
        for ((sum, w), bias) in sums.iter_mut().zip(rows).zip(&self.bias) {
            let products = x.iter().zip(w).map(|(x, w)| i32::from(*x) * i32::from(*w));
            *sum = bias + products.sum::<i32>();
        }
        self.requantize(&sums[..out.len()], out);
    }

    fn requantize(&self, sums: &[i32], out: &mut [i8]) {
        let (low, high) = self.params.range;
        let zero = self.params.output_zero_point;
        let factors = &self.params.requantization;
        for ((out, sum), factor) in out.iter_mut().zip(sums).zip(factors) {
            let scaled = if self.twice {
                twice(*sum, *factor)
            } else {
                once(*sum, *factor)
            };
            *out = (scaled + zero).clamp(low, high) as i8;
        }
    }
}

fn once(x: i32, factor: Requantization) -> i32 {
    let total = 31 - factor.shift;
    ((i64::from(x) * i64::from(factor.multiplier) + (1 << (total - 1))) >> total) as i32
}

fn twice(x: i32, factor: Requantization) -> i32 {
    let shifted = x << factor.shift.max(0);
    let high = ((i64::from(shifted) * i64::from(factor.multiplier) + (1 << 30)) >> 31) as i32;
    let exponent = (-factor.shift).max(0);
    // To nearest, halves away from zero.
    let half = ((1 << exponent) >> 1) - i32::from(high < 0 && exponent > 0);
    (high + half) >> exponent
}

/// The elements of a constant.
fn floats(graph: &Graph, id: TensorId) -> Vec<f32> {
    let data = graph.tensors[id].data.as_ref().expect("a constant");
    let float = |b: &[u8]| f32::from_le_bytes(b.try_into().expect("four bytes"));
    data.chunks_exact(4).map(float).collect()
}
