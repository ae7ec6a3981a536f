//! Loops over tensors that broadcast to one shape: dimensions that all inputs walk through alike are joined, the
//! innermost is in vectors where each input is contiguous along it or the same throughout.

use rune_ir::graph::{Node, Tensor};

use super::{Context, element};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Role, Store, Ty};

/// One input at a step: where it is, and whether it is the same for all elements of the step.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) at: Address,
    pub(super) same: bool,
}

impl Input {
    /// The four f32 of a step.
    pub(super) fn floats(&self) -> Expr {
        let load = if self.same {
            Load::Splat32(Ty::F32x4)
        } else {
            Load::Whole(Ty::F32x4)
        };
        Expr::Load(load, self.at.clone())
    }

    /// The sixteen bytes of a step.
    pub(super) fn bytes(&self) -> Expr {
        let load = if self.same {
            Load::Splat8
        } else {
            Load::Whole(Ty::I8x16)
        };
        Expr::Load(load, self.at.clone())
    }
}

/// A way to compute so many results at a step.
pub(super) struct Step<'a> {
    pub(super) width: u32,
    /// Reads the inputs and writes the results.
    pub(super) body: &'a dyn Fn(&mut Builder, &[Input], Address),
}

/// One dimension of the result, and how many elements each input moves along it.
#[derive(Clone, Debug)]
struct Dim {
    count: u32,
    inputs: Vec<u32>,
    output: u32,
}

/// The dimensions of the result, outermost first, those joined that are walked through alike. There is
/// always one.
fn joined(shape: &[u32], inputs: &[&[u32]]) -> Vec<Dim> {
    let mut strides = vec![1; inputs.len()];
    let mut output = 1;
    let mut dims: Vec<Dim> = Vec::new();
    for (back, count) in shape.iter().rev().enumerate() {
        let mut moves = vec![0; inputs.len()];
        for (input, shape) in inputs.iter().enumerate() {
            let size = shape.iter().rev().nth(back).copied().unwrap_or(1);
            if size > 1 {
                moves[input] = strides[input];
            }
            strides[input] *= size;
        }
        if *count > 1 {
            match dims.first_mut() {
                Some(inner)
                    if (moves.iter().zip(&inner.inputs)).all(|(m, i)| *m == i * inner.count) =>
                {
                    inner.count *= count;
                }
                _ => dims.insert(
                    0,
                    Dim {
                        count: *count,
                        inputs: moves,
                        output,
                    },
                ),
            }
        }
        output *= count;
    }
    if dims.is_empty() {
        dims.push(Dim {
            count: 1,
            inputs: vec![1; inputs.len()],
            output: 1,
        });
    }
    dims
}

/// A kernel of all inputs of a node: `declare` adds its other operands, then each step but the last (which is
/// one element) computes as much as it can of what the ones before have left.
pub(super) fn kernel(
    context: &mut Context,
    node: &Node,
    name: &str,
    declare: &[(&'static str, BufferId)],
    steps: &[Step],
) -> Kernel {
    let inputs: Vec<(&Tensor, BufferId)> = (0..node.inputs.len())
        .map(|i| context.input(node, i))
        .collect();
    let shapes: Vec<&[u32]> = inputs.iter().map(|(t, _)| &t.shape[..]).collect();
    kernel_of(context, node, name, &shapes, declare, steps)
}

/// As [`kernel`], with the inputs counting as of these shapes.
pub(super) fn kernel_of(
    context: &mut Context,
    node: &Node,
    name: &str,
    shapes: &[&[u32]],
    declare: &[(&'static str, BufferId)],
    steps: &[Step],
) -> Kernel {
    let mut f = Builder::new(name);
    let mut operands = Vec::new();
    let names: &[&'static str] = match node.inputs.len() {
        1 => &["x"],
        _ => &["a", "b", "c"],
    };
    for (input, name) in (0..node.inputs.len()).zip(names) {
        let (tensor, buffer) = context.input(node, input);
        f.operand(Role::Read, name, buffer);
        operands.push((buffer, tensor.ty.size()));
    }
    for (name, buffer) in declare {
        f.operand(Role::Read, name, *buffer);
    }
    let (y, to) = context.output(node);
    f.operand(Role::Write, "y", to);
    let dims = joined(&y.shape, shapes);
    let offsets = vec![Affine::from(0); operands.len() + 1];
    let walk = Walk {
        operands,
        to: (to, y.ty.size()),
        steps,
    };
    walk.from(&mut f, &dims, &offsets);
    f.finish()
}

struct Walk<'a> {
    /// Each input's buffer and the bytes of an element.
    operands: Vec<(BufferId, u32)>,
    to: (BufferId, u32),
    steps: &'a [Step<'a>],
}

impl Walk<'_> {
    /// Loops over `dims`, with the offsets in elements of the inputs and the output.
    fn from(&self, f: &mut Builder, dims: &[Dim], offsets: &[Affine]) {
        let (dim, inner) = dims.split_first().expect("there is a dimension");
        if inner.is_empty() {
            return self.innermost(f, dim, offsets);
        }
        f.each("d", dim.count, |f, i| {
            let moves = dim.inputs.iter().chain([&dim.output]);
            let offsets: Vec<Affine> = offsets.iter().zip(moves).map(|(o, m)| o + i * *m).collect();
            self.from(f, inner, &offsets);
        });
    }

    fn innermost(&self, f: &mut Builder, dim: &Dim, offsets: &[Affine]) {
        let contiguous = dim.output == 1 && dim.inputs.iter().all(|m| *m <= 1);
        let mut done = 0;
        for step in self.steps {
            if step.width > 1 && !contiguous {
                continue;
            }
            let end = dim.count / step.width * step.width;
            f.range("i", done, end, step.width, |f, i| {
                let at = |(buffer, bytes): (BufferId, u32), offset: &Affine, moves: u32| Address {
                    buffer,
                    offset: (offset + i * moves) * bytes,
                };
                let inputs: Vec<Input> = (self.operands.iter().zip(offsets))
                    .zip(&dim.inputs)
                    .map(|((operand, offset), moves)| Input {
                        at: at(*operand, offset, *moves),
                        same: *moves == 0,
                    })
                    .collect();
                let to = at(self.to, &offsets[self.operands.len()], dim.output);
                (step.body)(f, &inputs, to);
            });
            done = end;
        }
    }
}

/// A function of single elements, each input as [`element::load`] gives it and the result as
/// [`element::store`] takes it.
pub(super) fn elements<F: Fn(&mut Builder, Vec<Expr>) -> Expr>(
    context: &Context,
    node: &Node,
    function: F,
) -> impl Fn(&mut Builder, &[Input], Address) + use<F> {
    let loads: Vec<Load> = (0..node.inputs.len())
        .map(|i| element::load(context.tensor(node, i).ty))
        .collect();
    let store: Store = element::store(context.graph.tensors[node.outputs[0]].ty);
    move |f, inputs, to| {
        let values = inputs.iter().zip(&loads);
        let values = values.map(|(input, load)| Expr::Load(*load, input.at.clone()));
        let result = function(f, values.collect());
        f.store(store, to, result);
    }
}
