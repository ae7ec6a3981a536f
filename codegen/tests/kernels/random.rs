//! Models of one operator, drawn at random from a seed.

use std::sync::Arc;

use rune_ir::{
    graph::{DataType, Graph, Node, Quantization, Tensor, TensorId},
    op::{Activation, Op, Window},
};

/// A xorshift generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    /// Any of `least` to `most`.
    pub(crate) fn within(&mut self, least: u32, most: u32) -> u32 {
        least + self.next() % (most - least + 1)
    }

    pub(crate) fn chance(&mut self, one_in: u32) -> bool {
        self.next().is_multiple_of(one_in)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next() as usize % of.len()]
    }

    /// A number in -1..1.
    pub(crate) fn real(&mut self) -> f32 {
        self.next() as i32 as f32 / i32::MAX as f32
    }

    pub(crate) fn scale(&mut self) -> f32 {
        0.001 + (self.real() + 1.0) * 0.1
    }

    pub(crate) fn activation(&mut self) -> Activation {
        self.pick(&[
            Activation::None,
            Activation::Relu,
            Activation::ReluN1To1,
            Activation::Relu6,
        ])
    }

    /// The bytes of elements of a type; `wild` floats include the odd ones.
    pub(crate) fn bytes(&mut self, ty: DataType, elements: usize, wild: bool) -> Vec<u8> {
        if ty == DataType::Bool {
            return (0..elements).map(|_| self.next() as u8 & 1).collect();
        }
        if !wild && [DataType::I32, DataType::I64].contains(&ty) {
            // As indices are.
            let size = ty.size() as usize;
            let small = (0..elements).map(|_| i64::from(self.within(0, 20)) - 4);
            return small
                .flat_map(|n| n.to_le_bytes().into_iter().take(size))
                .collect();
        }
        if ty != DataType::F32 {
            let bytes = elements * ty.size() as usize;
            return (0..bytes).map(|_| self.next() as u8).collect();
        }
        let odd = [
            f32::NAN,
            f32::from_bits(0xffc1_2345),
            f32::INFINITY,
            f32::NEG_INFINITY,
            -0.0,
            0.0,
            f32::MIN_POSITIVE / 8.0,
            f32::MAX,
            f32::MIN,
        ];
        let magnitude = self.pick(&[1.0, 8.0, 30.0]);
        (0..elements)
            .flat_map(|_| {
                let x = if wild && self.chance(12) {
                    self.pick(&odd)
                } else {
                    self.real() * magnitude
                };
                x.to_le_bytes()
            })
            .collect()
    }
}

/// A graph being drawn.
pub(crate) struct Model {
    pub(crate) random: Random,
    graph: Graph,
}

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            graph: Graph::default(),
        }
    }

    pub(crate) fn tensor(
        &mut self,
        ty: DataType,
        shape: &[u32],
        quantization: Option<Quantization>,
        data: Option<Vec<u8>>,
    ) -> TensorId {
        let name = format!("t{}", self.graph.tensors.len());
        self.graph.tensors.push(Tensor {
            name,
            ty,
            shape: shape.to_vec(),
            quantization,
            data: data.map(Arc::from),
        })
    }

    /// Scale and zero point for a whole tensor of 8-bit or 16-bit integers; none for others.
    pub(crate) fn affine(&mut self, ty: DataType) -> Option<Quantization> {
        let zero_point = if ty == DataType::I8 {
            self.random.within(0, 255) as i32 - 128
        } else if ty == DataType::U8 {
            self.random.within(0, 255) as i32
        } else if ty == DataType::I16 {
            return Some(Quantization {
                scale: vec![self.random.scale() / 200.0],
                zero_point: vec![0],
                axis: 0,
            });
        } else {
            return None;
        };
        // Zero is what symmetric models have.
        let zero_point = if self.random.chance(4) && ty == DataType::I8 {
            0
        } else {
            zero_point
        };
        Some(Quantization {
            scale: vec![self.random.scale()],
            zero_point: vec![zero_point],
            axis: 0,
        })
    }

    pub(crate) fn input(&mut self, ty: DataType, shape: &[u32]) -> TensorId {
        let quantization = self.affine(ty);
        let id = self.tensor(ty, shape, quantization, None);
        self.graph.inputs.push(id);
        id
    }

    pub(crate) fn output(&mut self, ty: DataType, shape: &[u32]) -> TensorId {
        let quantization = self.affine(ty);
        self.tensor(ty, shape, quantization, None)
    }

    /// Output with the quantisation of another tensor.
    pub(crate) fn output_like(&mut self, other: TensorId, shape: &[u32]) -> TensorId {
        let Tensor {
            ty, quantization, ..
        } = self.graph.tensors[other].clone();
        self.tensor(ty, shape, quantization, None)
    }

    /// Quantises an integer tensor for results in 0..1, as some operators ask.
    pub(crate) fn unit_affine(&mut self, id: TensorId) {
        let least = if self.graph.tensors[id].ty == DataType::I8 {
            -128
        } else {
            0
        };
        if let Some(q) = self.quantization(id) {
            (q.scale, q.zero_point) = (vec![1.0 / 256.0], vec![least]);
        }
    }

    pub(crate) fn quantization(&mut self, id: TensorId) -> &mut Option<Quantization> {
        &mut self.graph.tensors[id].quantization
    }

    /// Input with the type and quantisation of another tensor.
    pub(crate) fn input_like(&mut self, other: TensorId, shape: &[u32]) -> TensorId {
        let id = self.output_like(other, shape);
        self.graph.inputs.push(id);
        id
    }

    /// Constant with the type and quantisation of another tensor.
    pub(crate) fn constant_like(
        &mut self,
        other: TensorId,
        shape: &[u32],
        data: Vec<u8>,
    ) -> TensorId {
        let id = self.output_like(other, shape);
        self.graph.tensors[id].data = Some(data.into());
        id
    }

    /// So many scales along the first dimension, without zero points.
    pub(crate) fn scales(&mut self, id: TensorId, count: u32) {
        let scale = (0..count).map(|_| self.random.scale()).collect();
        *self.quantization(id) = Some(Quantization {
            scale,
            zero_point: vec![0; count as usize],
            axis: 0,
        });
    }

    pub(crate) fn finish(
        self,
        op: Op,
        inputs: Vec<Option<TensorId>>,
        output: TensorId,
    ) -> (Graph, Random) {
        self.finish_all(op, inputs, vec![output])
    }

    /// As [`finish`](Self::finish), with any number of outputs.
    pub(crate) fn finish_all(
        mut self,
        op: Op,
        inputs: Vec<Option<TensorId>>,
        outputs: Vec<TensorId>,
    ) -> (Graph, Random) {
        self.node(op, inputs, outputs.clone());
        self.hand_out(outputs)
    }

    /// Adds an operator.
    pub(crate) fn node(&mut self, op: Op, inputs: Vec<Option<TensorId>>, outputs: Vec<TensorId>) {
        self.graph.nodes.push(Node {
            variables: Vec::new(),
            op,
            inputs,
            outputs,
        });
    }

    /// The graph that gives these tensors.
    pub(crate) fn hand_out(mut self, outputs: Vec<TensorId>) -> (Graph, Random) {
        self.graph.outputs = outputs;
        (self.graph, self.random)
    }

    /// Weights, with a scale per channel along `axis` at times, and perhaps a bias.
    pub(crate) fn weights(
        &mut self,
        ty: DataType,
        shape: &[u32],
        axis: u32,
    ) -> (TensorId, Option<TensorId>) {
        let channels = shape[axis as usize];
        let quantization = self.affine(ty).map(|mut q| {
            if ty == DataType::I8 {
                q.zero_point = vec![0];
                q.axis = axis;
                if self.random.chance(2) {
                    q.scale = (0..channels).map(|_| self.random.scale()).collect();
                    q.zero_point = vec![0; channels as usize];
                }
                // Some factors of a half or more, of all channels or of some.
                if self.random.chance(4) {
                    let all = self.random.chance(2);
                    for scale in &mut q.scale {
                        if all || self.random.chance(2) {
                            *scale *= self.random.pick(&[10.0, 40.0, 160.0]);
                        }
                    }
                }
            }
            q
        });
        let elements = shape.iter().product::<u32>() as usize;
        let data = self.random.bytes(ty, elements, false);
        let weights = self.tensor(ty, shape, quantization, Some(data));
        let bias = (!self.random.chance(4)).then(|| {
            let (ty, data): (_, Vec<u8>) = if ty == DataType::F32 {
                (ty, self.random.bytes(ty, channels as usize, false))
            } else {
                // Large ones saturate every result, but must do so on the right side; the largest wrap.
                let bits = self.random.pick(&[18, 18, 10, 0]);
                let biases = (0..channels).map(|_| self.random.next() as i32 >> bits);
                (DataType::I32, biases.flat_map(i32::to_le_bytes).collect())
            };
            self.tensor(ty, &[channels], None, Some(data))
        });
        (weights, bias)
    }

    /// A window of `taps` that moves over `input` rows and columns, and what it gives.
    pub(crate) fn window(
        &mut self,
        input: [u32; 2],
        taps: [u32; 2],
        dilate: bool,
    ) -> (Window, [u32; 2]) {
        let random = &mut self.random;
        let same = random.chance(2);
        let mut window = Window {
            stride: [random.within(1, 3), random.within(1, 3)],
            dilation: if dilate && random.chance(3) {
                [random.within(1, 3), random.within(1, 3)]
            } else {
                [1, 1]
            },
            pad: [0, 0],
        };
        let mut output = [0; 2];
        for axis in 0..2 {
            let span = (taps[axis] - 1) * window.dilation[axis] + 1;
            let stride = window.stride[axis];
            if same || span > input[axis] {
                output[axis] = input[axis].div_ceil(stride);
                let total = ((output[axis] - 1) * stride + span).saturating_sub(input[axis]);
                window.pad[axis] = total / 2;
            } else {
                output[axis] = (input[axis] - span) / stride + 1;
            }
        }
        (window, output)
    }
}
