"""TRANSPOSE_CONV and BATCH_MATMUL."""

from forge import *
from linear import linear


def transposed(size, taps, stride, padding):
    """Rows or columns of the output of a transposed convolution."""
    return size * stride if padding == SAME else (size - 1) * stride + taps


def transpose_conv():
    v = Vectors("TRANSPOSE_CONV")
    shapes = [
        # name, height, width, rows, columns, stride, padding
        ("same 3x3", 4, 3, 3, 3, (1, 1), SAME),
        ("valid 3x3", 4, 3, 3, 3, (1, 1), VALID),
        ("same 3x3 stride 2", 3, 4, 3, 3, (2, 2), SAME),
        ("valid 2x2 stride 2", 3, 4, 2, 2, (2, 2), VALID),
        ("valid 2x3 stride 3x1", 3, 2, 2, 3, (3, 1), VALID),
        ("same 4x4 stride 2", 2, 3, 4, 4, (2, 2), SAME),
        ("1x1", 3, 3, 1, 1, (1, 1), VALID),
        ("1x1 stride 2", 3, 3, 1, 1, (2, 2), SAME),
        ("same 5x2 stride 1x2", 3, 3, 5, 2, (1, 2), SAME),
    ]
    for dtype in [F32, I8, U8, I16]:
        n = np.dtype(dtype).name

        def case(name, geometry, inner=2, outer=3, batch=1, activation=NONE, cut=(0, 0), **more):
            _, h, w, kh, kw, stride, padding = geometry
            opts = options("TransposeConv", padding=padding, strideH=stride[0], strideW=stride[1],
                           fusedActivationFunction=activation)
            y = [batch, transposed(h, kh, stride[0], padding) - cut[0], transposed(w, kw, stride[1], padding) - cut[1], outer]
            if dtype == F32:
                tensors = [Tensor(I32, data=np.array(y, I32)), Tensor(F32, data=draw(F32, [outer, kh, kw, inner], 0.5)),
                           Tensor(F32, [batch, h, w, inner]),
                           Tensor(F32, data=draw(F32, [outer])) if more.get("bias", True) else None, Tensor(F32, y)]
                v.case(f"{n} {name}", opts, [t for t in tensors if t is not None])
            else:
                linear(v, f"{n} {name}", dtype, opts, [batch, h, w, inner], [outer, kh, kw, inner], y, 0, **more)

        wide = [I64, I32, False]
        for i, geometry in enumerate(shapes):
            case(geometry[0], geometry, 1 + i % 4, 1 + i * 3 % 5, 1 + i % 2, [NONE, RELU, RELU6][i % 3] if dtype == F32 else NONE,
                 bias=wide[i % 3] if dtype == I16 else i % 3 != 2, channels=dtype in (I8, I16) and i % 2 == 0)
        case("same stride 2, odd size", shapes[2], cut=(1, 1), bias=I64 if dtype == I16 else True)
        if dtype != F32:
            for bias in [I64, I32] if dtype == I16 else [True]:
                b = f", {np.dtype(bias).name} bias" if dtype == I16 else ""
                case(f"small weights{b}", ("", 7, 8, 1, 1, (1, 1), VALID), 5, 12, small=True, bias=bias)
            case("relu", shapes[2], activation=RELU, bias=bias)
            case("saturating", shapes[0], 4, 5, y_factor=0.2, bias=bias)
    v.write()


def batch_matmul():
    v = Vectors("BATCH_MATMUL")
    kinds = [(F32, F32), (I8, I8), (I16, I16), (I16, I8)]
    for of_x, of_w in kinds:
        n = np.dtype(of_x).name + (f" by {np.dtype(of_w).name}" if of_w != of_x else "")

        def case(name, x, w, y, adj_x=False, adj_y=False, constant=False, small=False, factor=1.0, zeros=None):
            opts = options("BatchMatMul", adjX=adj_x, adjY=adj_y)
            depth = x[-2] if adj_x else x[-1]
            if of_x == F32:
                data = draw(F32, w) if constant else None
                v.case(f"{n} {name}", opts, [Tensor(F32, x), Tensor(F32, w, data=data), Tensor(F32, y)])
                return
            bits = {I8: 73, I16: 18900}
            limit = 3 if small else 127 if of_w == I8 else 32767
            values = random.integers(-limit, limit + 1, w).astype(of_w)
            x_scale, w_scale = activation_scale(), activation_scale()
            y_scale = float(F32(factor * x_scale * w_scale * bits[of_x] * limit * 0.58 * np.sqrt(depth) / (50 if of_x == I8 else 12000)))
            of = [0, 0, 0] if of_x == I16 else zeros or [zero_point(I8), zero_point(I8), zero_point(I8)]
            tensors = [Tensor(of_x, x, x_scale, of[0]), Tensor(of_w, w, w_scale, of[1], data=values if constant else None),
                       Tensor(of_x, y, y_scale, of[2])]
            v.case(f"{n} {name}", opts, tensors, [draw(of_x, x)] + ([] if constant else [values]))

        case("plain", [3, 5], [5, 4], [3, 4])
        case("adj_x", [5, 3], [5, 4], [3, 4], adj_x=True)
        case("adj_y", [3, 5], [4, 5], [3, 4], adj_y=True)
        case("both", [5, 3], [4, 5], [3, 4], adj_x=True, adj_y=True)
        case("batch", [2, 3, 7], [2, 7, 5], [2, 3, 5])
        case("batch, adj_y", [2, 3, 2, 9], [2, 3, 5, 9], [2, 3, 2, 5], adj_y=True)
        case("batch, adj_x", [3, 6, 2], [3, 6, 5], [3, 2, 5], adj_x=True)
        case("broadcast of x", [1, 3, 4], [5, 4, 2], [5, 3, 2])
        case("broadcast of w", [5, 3, 4], [1, 4, 2], [5, 3, 2])
        case("broadcast of both", [2, 1, 3, 4], [1, 3, 4, 2], [2, 3, 3, 2])
        case("broadcast, ranks differ", [2, 3, 2, 4], [4, 3], [2, 3, 2, 3])
        case("broadcast, adj_y", [2, 1, 3, 4], [3, 5, 4], [2, 3, 3, 5], adj_y=True)
        case("rank 5", [2, 1, 2, 3, 4], [2, 2, 1, 4, 2], [2, 2, 2, 3, 2])
        case("constant", [4, 13], [13, 17], [4, 17], constant=True)
        case("constant, adj_y", [4, 13], [17, 13], [4, 17], adj_y=True, constant=True)
        case("wide", [5, 32], [32, 20], [5, 20])
        if of_x != F32:
            case("small weights", [16, 6], [6, 24], [16, 24], small=True)
            case("saturating", [6, 30], [30, 7], [6, 7], factor=0.2)
        if of_x == I8:
            case("zero points at the low end", [6, 9], [9, 7], [6, 7], zeros=[-128, -128, -128])
            case("zero points at the high end", [6, 9], [9, 7], [6, 7], zeros=[127, 127, -128])

    # f32 with int8 weights quantises each row of x first.
    def hybrid(name, x, w, y, adj_x=False, adj_y=False, asymmetric=False, values=None):
        opts = options("BatchMatMul", adjX=adj_x, adjY=adj_y, asymmetricQuantizeInputs=asymmetric)
        weights = random.integers(-127, 128, w).astype(I8)
        tensors = [Tensor(F32, x), Tensor(I8, scale=activation_scale(), data=weights), Tensor(F32, y)]
        v.case(f"hybrid {name}", opts, tensors, values)
    for asymmetric in [False, True]:
        a = ", asymmetric" if asymmetric else ""
        hybrid(f"plain{a}", [3, 10], [10, 4], [3, 4], asymmetric=asymmetric)
        hybrid(f"adj_y{a}", [3, 10], [4, 10], [3, 4], adj_y=True, asymmetric=asymmetric)
        hybrid(f"adj_x{a}", [10, 3], [10, 4], [3, 4], adj_x=True, asymmetric=asymmetric)
        hybrid(f"batch{a}", [2, 3, 7], [2, 7, 5], [2, 3, 5], asymmetric=asymmetric)
        hybrid(f"broadcast of w{a}", [2, 3, 7], [7, 5], [2, 3, 5], asymmetric=asymmetric)
        hybrid(f"broadcast of x{a}", [1, 3, 7], [2, 7, 5], [2, 3, 5], asymmetric=asymmetric)
    v.write()


def make():
    transpose_conv()
    batch_matmul()
