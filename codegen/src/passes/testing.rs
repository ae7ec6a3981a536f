//! Small graphs for the tests of passes, and what every such test checks.

use rune_ir::graph::{DataType, Graph, Node, Quantization, Tensor, TensorId};
use rune_ir::op::{Activation, Op, Window};

use super::Pass;

/// The plainest window, padded by `pad` rows and columns.
pub(super) fn plain_window(pad: u32) -> Window {
    Window {
        stride: [1, 1],
        dilation: [1, 1],
        pad: [pad, pad],
    }
}

/// A convolution with nothing fused into it.
pub(super) fn conv_2d(pad: u32) -> Op {
    Op::Conv2d {
        window: plain_window(pad),
        activation: Activation::None,
    }
}

/// An addition with nothing fused into it.
pub(super) fn add() -> Op {
    Op::Add {
        activation: Activation::None,
    }
}

/// Builds a graph in the order of its operators.
#[derive(Default)]
pub(super) struct Builder(pub(super) Graph);

impl Builder {
    /// A tensor; integers have the given scale and zero point.
    pub(super) fn tensor(
        &mut self,
        ty: DataType,
        shape: &[u32],
        affine: Option<(f32, i32)>,
    ) -> TensorId {
        self.0.tensors.push(Tensor {
            name: String::new(),
            ty,
            shape: shape.to_vec(),
            quantization: affine.map(|(scale, zero_point)| Quantization {
                scale: vec![scale],
                zero_point: vec![zero_point],
                axis: 0,
            }),
            data: None,
        })
    }

    /// An input of F32.
    pub(super) fn input(&mut self, shape: &[u32]) -> TensorId {
        let id = self.tensor(DataType::F32, shape, None);
        self.0.inputs.push(id);
        id
    }

    /// A constant of F32.
    pub(super) fn constant(&mut self, shape: &[u32], elements: &[f32]) -> TensorId {
        let id = self.tensor(DataType::F32, shape, None);
        let bytes: Vec<u8> = elements.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.0.tensors[id].data = Some(bytes.into());
        id
    }

    /// An operator whose result is F32 of this shape.
    pub(super) fn node(&mut self, op: Op, inputs: &[TensorId], shape: &[u32]) -> TensorId {
        let output = self.tensor(DataType::F32, shape, None);
        self.node_to(op, inputs, output);
        output
    }

    /// An operator whose result is a tensor made before.
    pub(super) fn node_to(&mut self, op: Op, inputs: &[TensorId], output: TensorId) {
        self.0.nodes.push(Node {
            variables: Vec::new(),
            op,
            inputs: inputs.iter().copied().map(Some).collect(),
            outputs: vec![output],
        });
    }

    /// The graph with these outputs.
    pub(super) fn finish(mut self, outputs: &[TensorId]) -> Graph {
        self.0.outputs = outputs.to_vec();
        self.0
    }
}

/// Runs a pass that must change the graph and may change no result; gives the graph before and after.
pub(super) fn before_and_after(pass: Pass, mut graph: Graph) -> String {
    let before = graph.clone();
    assert_eq!(before.check(), Ok(()));
    assert!(pass(&mut graph), "the pass does nothing");
    assert_eq!(graph.check(), Ok(()));
    assert_equal_results(&before, &graph);
    format!("{before}=>\n{graph}")
}

/// Runs a pass that must not apply.
pub(super) fn assert_unchanged(pass: Pass, mut graph: Graph) {
    let before = graph.clone();
    assert_eq!(before.check(), Ok(()));
    assert!(!pass(&mut graph), "the pass applies:\n{graph}");
    assert_eq!(graph, before);
}

/// Both graphs give the same bytes for the same inputs, several times.
fn assert_equal_results(before: &Graph, after: &Graph) {
    let mut state = 1u32;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 16) as u8
    };
    for _ in 0..16 {
        let mut value = |tensor: &Tensor| -> Vec<u8> {
            if tensor.ty == DataType::F32 {
                let mut element = || (f32::from(byte()) - 128.0) / 16.0;
                (0..tensor.elements())
                    .flat_map(|_| element().to_le_bytes())
                    .collect()
            } else {
                (0..tensor.bytes()).map(|_| byte()).collect()
            }
        };
        let ids = before.inputs.iter();
        let inputs: Vec<_> = ids.map(|id| value(&before.tensors[*id])).collect();
        assert_eq!(before.evaluate(&inputs), after.evaluate(&inputs));
    }
}
