//! Models of any size: chains of one layer again and again, with random weights.

use rune_testsuite::random::Random;

use crate::flatbuffer::{Field, Node, file, i32s};

/// What a chain is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `FULLY_CONNECTED` of 256 by 256, int8; the more bytes, the more layers.
    Deep,
    /// `FULLY_CONNECTED` of 16 by 16, int8: as many layers as a file has kilobytes.
    Many,
    /// Three layers `FULLY_CONNECTED`, int8; the more bytes, the wider.
    Wide,
    /// `CONV_2D` of 3 by 3 with 64 channels on 8 by 8, int8, a scale for each channel.
    Conv,
    /// The same with 32 channels, f32.
    Float,
}

/// A kind of tensor.
struct Kind {
    /// Its number in the format.
    code: u8,
    bytes: usize,
}

const FLOAT32: Kind = Kind { code: 0, bytes: 4 };
const INT32: Kind = Kind { code: 2, bytes: 4 };
const INT8: Kind = Kind { code: 9, bytes: 1 };

/// The numbers of operators and of their options in the format.
const CONV_2D: (u32, u8) = (3, 1);
const FULLY_CONNECTED: (u32, u8) = (9, 8);

impl Family {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Deep, Self::Many, Self::Wide, Self::Conv, Self::Float];

    /// Its name on the command line and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deep => "fully-connected-deep",
            Self::Many => "fully-connected-many",
            Self::Wide => "fully-connected-wide",
            Self::Conv => "conv-int8",
            Self::Float => "conv-f32",
        }
    }

    /// A model with about so many bytes of weights.
    pub(crate) fn model(self, bytes: usize) -> Vec<u8> {
        let width = match self {
            Self::Deep => 256,
            Self::Many => 16,
            Self::Wide => (bytes / 3).isqrt().next_multiple_of(16),
            Self::Conv => 64,
            Self::Float => 32,
        };
        let (operator, options, shape, weights, kind): (_, Node, Vec<usize>, Vec<usize>, _) =
            match self {
                Self::Deep | Self::Many | Self::Wide => (
                    FULLY_CONNECTED,
                    Node::Table(vec![(0, Field::Byte(1))]),
                    vec![1, width],
                    vec![width, width],
                    INT8,
                ),
                Self::Conv | Self::Float => (
                    CONV_2D,
                    Node::Table(vec![
                        (1, Field::Word(1)),
                        (2, Field::Word(1)),
                        (3, Field::Byte(1)),
                    ]),
                    vec![1, 8, 8, width],
                    vec![width, 3, 3, width],
                    if self == Self::Float { FLOAT32 } else { INT8 },
                ),
            };
        let layer = weights.iter().product::<usize>() * kind.bytes;
        let layers = match self {
            Self::Many => bytes / 1000,
            Self::Deep | Self::Wide | Self::Conv | Self::Float => (bytes / layer).max(1),
        };
        let mut chain = Chain::new(operator.0);
        let mut random = Random::new(7);
        let affine = |scale: f32| (kind.code == INT8.code).then_some((scale, 1));
        let mut last = chain.tensor("x0", &shape, &kind, affine(0.05), None);
        for i in 1..=layers {
            let channels = if self == Self::Conv { width } else { 1 };
            let scale = kind.code == INT8.code;
            let filter = chain.tensor(
                &format!("w{i}"),
                &weights,
                &kind,
                scale.then_some((0.01, channels)),
                Some(values(&mut random, layer, &kind)),
            );
            let bias_kind = if scale { INT32 } else { FLOAT32 };
            // No two biases are the same either.
            let bias = chain.tensor(
                &format!("b{i}"),
                &[width],
                &bias_kind,
                scale.then_some((0.0005, channels)),
                Some(small(&mut random, width, &bias_kind)),
            );
            let next = chain.tensor(&format!("x{i}"), &shape, &kind, affine(0.05), None);
            chain.operator(&[last, filter, bias], next, operator.1, &options);
            last = next;
        }
        chain.finish(last)
    }
}

/// Weights of which no two layers have the same.
fn values(random: &mut Random, bytes: usize, kind: &Kind) -> Vec<u8> {
    if kind.code == INT8.code {
        return random.bytes(bytes);
    }
    let mut value = || random.word() as f32 / (1_u64 << 32) as f32 - 0.5;
    (0..bytes / 4).flat_map(|_| value().to_le_bytes()).collect()
}

/// Biases: small integers, or floats from -0.5 to 0.5.
fn small(random: &mut Random, count: usize, kind: &Kind) -> Vec<u8> {
    if kind.code == FLOAT32.code {
        return values(random, 4 * count, kind);
    }
    (0..count)
        .flat_map(|_| (random.below(2001) as i32 - 1000).to_le_bytes())
        .collect()
}

/// A model that grows at its end.
struct Chain {
    code: u32,
    tensors: Vec<Node>,
    buffers: Vec<Node>,
    operators: Vec<Node>,
}

impl Chain {
    fn new(code: u32) -> Self {
        Self {
            code,
            tensors: Vec::new(),
            // The first is by custom the empty one.
            buffers: vec![Node::Table(Vec::new())],
            operators: Vec::new(),
        }
    }

    /// A tensor: its scale and how often, where it has one, and its data, where it is constant.
    fn tensor(
        &mut self,
        name: &str,
        shape: &[usize],
        kind: &Kind,
        scale: Option<(f32, usize)>,
        data: Option<Vec<u8>>,
    ) -> i32 {
        let buffer = data.map_or(0, |data| {
            let data = Node::Numbers(data.len(), data);
            self.buffers.push(Node::Table(vec![(0, Field::Node(data))]));
            self.buffers.len() as u32 - 1
        });
        let shape: Vec<i32> = shape.iter().map(|d| *d as i32).collect();
        let mut fields = vec![
            (0, i32s(&shape)),
            (1, Field::Byte(kind.code)),
            (2, Field::Word(buffer)),
            (3, Field::Node(Node::Text(name.to_owned()))),
        ];
        if let Some((scale, count)) = scale {
            let scales = scale.to_le_bytes().repeat(count);
            fields.push((
                4,
                Field::Node(Node::Table(vec![
                    (2, Field::Node(Node::Numbers(count, scales))),
                    (3, Field::Node(Node::Numbers(count, vec![0; 8 * count]))),
                ])),
            ));
        }
        self.tensors.push(Node::Table(fields));
        self.tensors.len() as i32 - 1
    }

    fn operator(&mut self, inputs: &[i32], output: i32, kind: u8, options: &Node) {
        let Node::Table(fields) = options else {
            return;
        };
        let copy = fields.iter().map(|(id, field)| match field {
            Field::Byte(byte) => (*id, Field::Byte(*byte)),
            Field::Word(word) => (*id, Field::Word(*word)),
            Field::Node(_) => unreachable!("options here are numbers"),
        });
        self.operators.push(Node::Table(vec![
            (1, i32s(inputs)),
            (2, i32s(&[output])),
            (3, Field::Byte(kind)),
            (4, Field::Node(Node::Table(copy.collect()))),
        ]));
    }

    fn finish(self, last: i32) -> Vec<u8> {
        let tables = |items| Field::Node(Node::Tables(items));
        let code = Node::Table(vec![
            (0, Field::Byte(self.code as u8)),
            (3, Field::Word(self.code)),
        ]);
        let graph = Node::Table(vec![
            (0, tables(self.tensors)),
            (1, i32s(&[0])),
            (2, i32s(&[last])),
            (3, tables(self.operators)),
        ]);
        let root = Node::Table(vec![
            (0, Field::Word(3)),
            (1, tables(vec![code])),
            (2, tables(vec![graph])),
            (4, tables(self.buffers)),
        ]);
        file(&root, *b"TFL3")
    }
}
