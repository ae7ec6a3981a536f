//! Convolutions, fully connected and transposed convolution in the forms that the schedules of `conv.rs` and
//! `depthwise.rs` do not take: 16-bit activations, F32 with integer weights, groups, weights or biases that
//! are computed. One sum at a time, on weights as they lie in the file.

use rune_ir::{
    graph::{DataType, Node},
    op::{Activation, Window},
    quant,
};

use super::{
    Context,
    dot::Dot,
    element,
    geometry::{Axis, Geometry, Tile},
    hybrid,
    linear::vectors,
    scale::Finish,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Role, Store, Ty, View};

/// Whether x and weights have a form that the packing schedules take: both F32, or both of 8 bits, weights and
/// bias constant.
pub(super) fn is_plain(context: &Context, node: &Node) -> bool {
    let (x, weights) = (context.tensor(node, 0), context.tensor(node, 1));
    let bias = node.inputs.get(2).copied().flatten();
    x.ty == weights.ty
        && x.ty != DataType::I16
        && weights.data.is_some()
        && bias.is_none_or(|id| context.graph.tensors[id].data.is_some())
}

/// What is summed for one result.
struct Sums {
    geometry: Geometry,
    /// Input channels.
    depth: u32,
    /// Output channels of each group.
    outputs: u32,
    groups: u32,
    /// Whether weights are HWO, each output channel having one input channel, or OHWI.
    depthwise: bool,
}

/// `FULLY_CONNECTED`.
pub(super) fn fully_connected(
    context: &mut Context,
    node: &Node,
    activation: Activation,
    asymmetric: bool,
) -> Result<Kernel, String> {
    let (x, weights) = (context.tensor(node, 0), context.tensor(node, 1));
    let [outputs, depth] = [weights.shape[0], weights.shape[1]];
    let sums = Sums {
        // Each row is an image of one element, so that it is quantised by itself.
        geometry: Geometry {
            batch: x.elements() as u32 / depth,
            rows: Axis::every(1),
            columns: Axis::every(1),
        },
        depth,
        outputs,
        groups: 1,
        depthwise: false,
    };
    let finish = Finish::new(context, node, activation, 0, true)?;
    sums.kernel(context, node, "fully_connected", &finish, asymmetric)
}

/// `CONV_2D`.
pub(super) fn conv_2d(
    context: &mut Context,
    node: &Node,
    window: &Window,
    activation: Activation,
) -> Result<Kernel, String> {
    let (x, weights) = (context.tensor(node, 0), context.tensor(node, 1));
    let groups = x.shape[3] / weights.shape[3];
    let sums = Sums {
        geometry: geometry(context, node, window)?,
        depth: weights.shape[3],
        outputs: weights.shape[0] / groups,
        groups,
        depthwise: false,
    };
    let scales = weights.quantization.as_ref().map_or(0, |q| q.scale.len());
    let finish = Finish::new(context, node, activation, 0, false)?;
    sums.kernel(context, node, "conv_2d", &finish, scales > 1)
}

/// `DEPTHWISE_CONV_2D`.
pub(super) fn depthwise_conv_2d(
    context: &mut Context,
    node: &Node,
    window: &Window,
    activation: Activation,
) -> Result<Kernel, String> {
    let (x, weights) = (context.tensor(node, 0), context.tensor(node, 1));
    let sums = Sums {
        geometry: geometry(context, node, window)?,
        depth: 1,
        outputs: weights.shape[3] / x.shape[3],
        groups: x.shape[3],
        depthwise: true,
    };
    let finish = Finish::new(context, node, activation, 3, false)?;
    sums.kernel(context, node, "depthwise_conv_2d", &finish, true)
}

/// The windows of a convolution on each image.
fn geometry(context: &mut Context, node: &Node, window: &Window) -> Result<Geometry, String> {
    let (x, weights) = (context.tensor(node, 0), context.tensor(node, 1));
    let (y, _) = context.output(node);
    // The check of its reach; it may make one row of all images, which are kept apart here.
    Geometry::new(window, [weights.shape[1], weights.shape[2]], x, y)?;
    let axis = |axis: usize| Axis {
        input: x.shape[1 + axis],
        output: y.shape[1 + axis],
        taps: weights.shape[1 + axis],
        stride: window.stride[axis],
        dilation: window.dilation[axis],
        pad: window.pad[axis],
    };
    Ok(Geometry {
        batch: x.shape[0],
        rows: axis(0),
        columns: axis(1),
    })
}

/// The zero points of x and weights, of 8 bits.
fn zeros(context: &Context, node: &Node) -> Result<[i32; 2], String> {
    if [DataType::I8, DataType::U8].contains(&context.tensor(node, 0).ty) {
        let params = quant::linear_params(context.graph, node)?;
        return Ok([params.input_zero_point, params.weight_zero_point]);
    }
    Ok([0, 0])
}

/// The row or column that tap `tap` of the window reads when it stands at `position`.
fn tapped(axis: Axis, position: &Affine, tap: &Affine) -> Affine {
    position * axis.stride + tap * axis.dilation + Affine::from(-(axis.pad as i32))
}

impl Sums {
    fn kernel(
        &self,
        context: &mut Context,
        node: &Node,
        name: &str,
        finish: &Finish,
        asymmetric: bool,
    ) -> Result<Kernel, String> {
        let zeros = zeros(context, node)?;
        let (x, from) = context.input(node, 0);
        let (weights, w) = context.input(node, 1);
        let (y, to) = context.output(node);
        let (rows, columns) = (self.geometry.rows, self.geometry.columns);
        let is_hybrid = x.ty == DataType::F32 && weights.ty == DataType::I8;
        let mut f = Builder::new(name);
        f.operand(Role::Read, "x", from);
        f.operand(Role::Read, "w", w);
        finish.declare(&mut f);
        f.operand(Role::Write, "y", to);
        let channels = self.groups * self.depth;
        let shape = [self.geometry.batch, rows.input, columns.input, channels];
        let mut source = View::new(from, x.ty.size(), &shape);
        let mut scales = None;
        let mut ty = x.ty;
        let simd = vectors(context.simd);
        if is_hybrid {
            let image = x.elements() as u32 / self.geometry.batch;
            let quantized = context.scratch("quantized", 2 * x.elements() as u32);
            let of_images = context.scratch("scales", 4 * self.geometry.batch);
            f.operand(Role::Write, "q", quantized);
            f.operand(Role::Write, "s", of_images);
            f.each("n", self.geometry.batch, |f, n| {
                let read = |i: &Affine, ty: Ty| {
                    Expr::Load(Load::Whole(ty), element::element(from, &(n * image + i), 4))
                };
                let at = element::element(quantized, n, 2 * image);
                let scale = element::element(of_images, n, 4);
                hybrid::quantize(f, (image, simd), asymmetric, &read, &at, scale);
            });
            source = View::new(quantized, 2, &shape);
            scales = Some(of_images);
            ty = DataType::I16;
        }
        let dot = Dot {
            types: [ty, weights.ty],
            zeros,
            long: finish.is_long(),
            vector: simd,
            products: (rows.taps * columns.taps).saturating_mul(self.depth),
        };
        let operands = Operands {
            x: source,
            w,
            w_size: weights.ty.size(),
            y: View::new(
                to,
                y.ty.size(),
                &[
                    self.geometry.batch,
                    rows.output,
                    columns.output,
                    self.groups * self.outputs,
                ],
            ),
            scales,
        };
        self.geometry.tiles(&mut f, 1, &mut |f, tile| {
            f.each("g", self.groups, |f, group| {
                f.each("o", self.outputs, |f, output| {
                    self.result(f, tile, group, output, &dot, finish, &operands);
                });
            });
        });
        Ok(f.finish())
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "all of them change from result to result or are needed for each"
    )]
    fn result(
        &self,
        f: &mut Builder,
        tile: &Tile,
        group: &Affine,
        output: &Affine,
        dot: &Dot,
        finish: &Finish,
        operands: &Operands,
    ) {
        let (rows, columns) = (self.geometry.rows, self.geometry.columns);
        let channel = group * self.outputs + output;
        // The elements of a row of the kernel are neighbours where its window is never clipped.
        let whole_rows =
            columns.dilation == 1 && self.groups == 1 && !self.depthwise && !columns.is_clipped();
        let (run, taps) = if whole_rows {
            (columns.taps * self.depth, (0.into(), 1.into()))
        } else {
            (self.depth, tile.column_taps.clone())
        };
        let zero = dot.zero();
        let sum = dot.start(f, zero, run);
        f.range(
            "ky",
            tile.row_taps.0.clone(),
            tile.row_taps.1.clone(),
            1,
            |f, ky| {
                let row = tapped(rows, &tile.row, ky);
                f.range("kx", taps.0, taps.1, 1, |f, kx| {
                    let column = tapped(columns, &tile.column, kx);
                    let x = operands
                        .x
                        .at([&tile.batch, &row, &column, &(group * self.depth)]);
                    let tap = ky * columns.taps + kx;
                    let offset = if self.depthwise {
                        tap * (self.groups * self.outputs) + &channel
                    } else {
                        &channel * (rows.taps * columns.taps * self.depth) + tap * self.depth
                    };
                    let w = element::element(operands.w, &offset, operands.w_size);
                    dot.add(f, &sum, &x, &w, run);
                });
            },
        );
        let total = dot.total(f, sum);
        let run_scale = operands.scales.map(|scales| {
            Expr::Load(
                Load::Whole(Ty::F32),
                element::element(scales, &tile.batch, 4),
            )
        });
        let to = operands
            .y
            .at([&tile.batch, &tile.row, &tile.column, &channel]);
        finish.store(f, total, &channel, run_scale, to);
    }
}

/// Where things are.
struct Operands {
    x: View,
    w: BufferId,
    w_size: u32,
    y: View,
    /// Of images that were quantised.
    scales: Option<BufferId>,
}

/// `TRANSPOSE_CONV`: sums of a whole image are kept until all of its elements have been added where they belong.
pub(super) fn transpose_conv(
    context: &mut Context,
    node: &Node,
    window: &Window,
    activation: Activation,
) -> Result<Kernel, String> {
    let zeros = zeros(context, node)?;
    let finish = Finish::new(context, node, activation, 0, true)?;
    let (x, from) = context.input(node, 0);
    let (weights, w) = context.input(node, 1);
    let (y, to) = context.output(node);
    let [channels, kernel_rows, kernel_columns, depth] = dims(&weights.shape);
    let [batch, out_rows, out_columns, _] = dims(&y.shape);
    // The window moves over the output. The check of its reach is made for a convolution of that.
    Geometry::new(window, [kernel_rows, kernel_columns], y, x)?;
    let axis = |axis: usize, taps: u32| Axis {
        input: y.shape[1 + axis],
        output: x.shape[1 + axis],
        taps,
        stride: window.stride[axis],
        dilation: 1,
        pad: window.pad[axis],
    };
    let image = Geometry {
        batch: 1,
        rows: axis(0, kernel_rows),
        columns: axis(1, kernel_columns),
    };
    let dot = Dot {
        types: [x.ty, weights.ty],
        zeros,
        long: finish.is_long(),
        vector: vectors(context.simd),
        products: depth,
    };
    let zero = dot.zero();
    let size = if finish.is_long() { 8 } else { 4 };
    let bytes = u64::from(out_rows) * u64::from(out_columns) * u64::from(channels) * size;
    let bytes = u32::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes < 1 << 30)
        .ok_or_else(|| format!("the sums of `{}` are too large", y.name))?;
    let sums = context.scratch("sums", bytes);
    let mut f = Builder::new("transpose_conv");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "w", w);
    finish.declare(&mut f);
    f.operand(Role::Write, "sums", sums);
    f.operand(Role::Write, "y", to);
    let source = View::new(from, x.ty.size(), &x.shape);
    let kept = View::new(sums, size as u32, &[out_rows, out_columns, channels]);
    let target = View::new(to, y.ty.size(), &[batch, out_rows * out_columns, channels]);
    f.each("n", batch, |f, n| {
        f.fill(kept.at([]), 0, bytes);
        image.tiles(f, 1, &mut |f, tile| {
            let at_x = source.at([n, &tile.row, &tile.column]);
            f.range(
                "ky",
                tile.row_taps.0.clone(),
                tile.row_taps.1.clone(),
                1,
                |f, ky| {
                    let row = tapped(image.rows, &tile.row, ky);
                    f.range(
                        "kx",
                        tile.column_taps.0.clone(),
                        tile.column_taps.1.clone(),
                        1,
                        |f, kx| {
                            let column = tapped(image.columns, &tile.column, kx);
                            f.each("o", channels, |f, o| {
                                let offset = (o * kernel_rows + ky) * kernel_columns + kx;
                                let at_w =
                                    element::element(w, &(offset * depth), weights.ty.size());
                                let at = kept.at([&row, &column, o]);
                                let before = Expr::Load(Load::Whole(zero.ty()), at.clone());
                                let sum = dot.start(f, before, depth);
                                dot.add(f, &sum, &at_x, &at_w, depth);
                                let total = dot.total(f, sum);
                                f.store(Store::Whole, at, total);
                            });
                        },
                    );
                },
            );
        });
        f.each("i", out_rows * out_columns, |f, i| {
            f.each("o", channels, |f, o| {
                let at = Address {
                    buffer: sums,
                    offset: (i * channels + o) * size as u32,
                };
                let sum = Expr::Load(Load::Whole(zero.ty()), at);
                finish.store(f, sum, o, None, target.at([n, i, o]));
            });
        });
    });
    Ok(f.finish())
}

fn dims(shape: &[u32]) -> [u32; 4] {
    shape
        .try_into()
        .expect("a checked operand has four dimensions")
}
