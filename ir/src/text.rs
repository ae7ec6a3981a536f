//! A tensor graph as text: a line for each input, constant, operator and output, in that order.
//!
//! Tensors are called `t` and their number; constants of up to eight elements are written out.

use std::fmt::{self, Display, Formatter};

use crate::{
    graph::{DataType, Graph, Node, Tensor, TensorId, VariableId},
    op::{Activation, Along, Detection, Op, Unary, Window},
};

/// Most elements of a constant that are written out, and most scales.
const SHOWN: usize = 8;

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for id in &self.inputs {
            writeln!(f, "input {}", Typed(*id, &self.tensors[*id]))?;
        }
        for (id, tensor) in self.tensors.iter() {
            if let Some(data) = &tensor.data {
                writeln!(
                    f,
                    "const {} = {}",
                    Typed(id, tensor),
                    Constant(tensor.ty, data)
                )?;
            }
        }
        for (id, variable) in self.variables.iter() {
            let (ty, shape) = (variable.ty, &variable.shape);
            let initial = Constant(ty, &variable.initial);
            writeln!(f, "variable v{}: {ty}{shape:?} = {initial}", id.index())?;
        }
        for node in &self.nodes {
            self.write_node(f, node)?;
        }
        let outputs: Vec<_> = self
            .outputs
            .iter()
            .map(|id| Name(*id).to_string())
            .collect();
        writeln!(f, "output {}", outputs.join(", "))
    }
}

impl Graph {
    fn write_node(&self, f: &mut Formatter<'_>, node: &Node) -> fmt::Result {
        for (i, id) in node.outputs.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Typed(*id, &self.tensors[*id]))?;
        }
        let operand = |id: &Option<TensorId>| id.map_or("_".to_owned(), |id| Name(id).to_string());
        let variable = |id: &VariableId| format!("v{}", id.index());
        let operands: Vec<_> = node
            .inputs
            .iter()
            .map(operand)
            .chain(node.variables.iter().map(variable))
            .collect();
        let equals = if node.outputs.is_empty() { "" } else { " = " };
        write!(f, "{equals}{}({})", node.op.name(), operands.join(", "))?;
        write_attributes(f, &node.op)?;
        writeln!(f)
    }
}

struct Name(TensorId);

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0.index())
    }
}

/// The name and type of a tensor, and `* scale + zero point` where it is quantised.
struct Typed<'a>(TensorId, &'a Tensor);

impl Display for Typed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(id, tensor) = self;
        write!(f, "{}: {}{:?}", Name(*id), tensor.ty, tensor.shape)?;
        let Some(quantization) = &tensor.quantization else {
            return Ok(());
        };
        match quantization.per_tensor() {
            Some((scale, zero_point)) => write!(f, " * {scale} + {zero_point}"),
            None if quantization.scale.len() <= SHOWN => {
                let (scale, axis) = (&quantization.scale, quantization.axis);
                write!(f, " * {scale:?} along {axis}")
            }
            None => {
                let (scales, axis) = (quantization.scale.len(), quantization.axis);
                write!(f, " * {scales} scales along {axis}")
            }
        }
    }
}

/// The elements of a constant, or how many bytes they are.
struct Constant<'a>(DataType, &'a [u8]);

impl Display for Constant<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(ty, data) = *self;
        let size = ty.size() as usize;
        if data.len() > SHOWN * size {
            return write!(f, "{} bytes", data.len());
        }
        let element = |bytes: &[u8]| match *bytes {
            [byte] if ty == DataType::I8 => (byte as i8).to_string(),
            [byte] => byte.to_string(),
            [a, b, c, d] if ty == DataType::F32 => f32::from_le_bytes([a, b, c, d]).to_string(),
            [a, b, c, d] if ty == DataType::I32 => i32::from_le_bytes([a, b, c, d]).to_string(),
            _ => format!("{bytes:?}"),
        };
        let elements: Vec<_> = data.chunks_exact(size).map(element).collect();
        write!(f, "[{}]", elements.join(", "))
    }
}

fn write_attributes(f: &mut Formatter<'_>, op: &Op) -> fmt::Result {
    match op {
        Op::FullyConnected {
            activation,
            asymmetric,
        } => {
            f.write_str(if *asymmetric { " asymmetric" } else { "" })?;
            write!(f, "{activation}")
        }
        Op::Add { activation } | Op::Binary { activation, .. } => write!(f, "{activation}"),
        Op::Unary(Unary::LeakyRelu { alpha }) => write!(f, " alpha {alpha}"),
        Op::Unary(Unary::Gelu { approximate: true }) => f.write_str(" approximate"),
        Op::Unary(_) | Op::AddN | Op::Select { .. } => Ok(()),
        Op::Conv2d { window, activation } | Op::DepthwiseConv2d { window, activation } => {
            write!(f, "{window}{activation}")
        }
        Op::MaxPool2d {
            window,
            size,
            activation,
        }
        | Op::AveragePool2d {
            window,
            size,
            activation,
        }
        | Op::L2Pool2d {
            window,
            size,
            activation,
        } => {
            write!(f, " size {}x{}", size[0], size[1])?;
            write!(f, "{window}{activation}")
        }
        Op::Softmax { beta } => write!(f, " beta {beta}"),
        Op::Reduce(reduce) => write!(f, " axes {:?}", reduce.axes),
        Op::Along(along) => write_along(f, *along),
        Op::Normalize(_) => Ok(()),
        Op::Detection(detection) => write_detection(f, detection),
        Op::Control(control) => {
            let [first, second] = control.graphs().map(|graph| graph.nodes.len());
            write!(f, " of {first} and {second} operators")
        }
        Op::Access(_) => Ok(()),
        Op::Weighted(op) => write!(f, "{op}"),
        Op::Pad { before } => write!(f, " before {before:?}"),
        Op::Movement(movement) => write!(f, "{movement}"),
        Op::Signal(signal) => write!(f, "{signal}"),
        Op::Reshape | Op::Relu | Op::Relu6 | Op::Logistic | Op::Quantize | Op::Dequantize => Ok(()),
    }
}

fn write_along(f: &mut Formatter<'_>, along: Along) -> fmt::Result {
    match along {
        Along::Arg { axis, .. } => write!(f, " axis {axis}"),
        Along::CumSum {
            axis,
            exclusive,
            reverse,
        } => {
            write!(f, " axis {axis}")?;
            f.write_str(if exclusive { " exclusive" } else { "" })?;
            f.write_str(if reverse { " reverse" } else { "" })
        }
        Along::TopK => Ok(()),
    }
}

fn write_detection(f: &mut Formatter<'_>, detection: &Detection) -> fmt::Result {
    let Detection {
        scales,
        classes,
        most,
        classes_each,
        per_class,
        regular,
        score,
        overlap,
    } = detection;
    if *regular {
        write!(f, " regular, {per_class} per class")?;
    } else {
        write!(f, " fast, {classes_each} classes each")?;
    }
    write!(
        f,
        " up to {most} of {classes} classes, score {score}, overlap {overlap}, scales {scales:?}"
    )
}

impl Display for Window {
    /// The numbers that are not those of the plainest one.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, [rows, columns], plain) in [
            ("stride", self.stride, 1),
            ("dilation", self.dilation, 1),
            ("pad", self.pad, 0),
        ] {
            if [rows, columns] != [plain; 2] {
                write!(f, " {name} {rows}x{columns}")?;
            }
        }
        Ok(())
    }
}

impl Display for Activation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Relu => " relu",
            Self::ReluN1To1 => " relu_n1_to_1",
            Self::Relu6 => " relu6",
        })
    }
}
