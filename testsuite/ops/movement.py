"""What moves or makes elements and computes (almost) nothing."""

import struct

import numpy as np

from forge import *

ALL = [F32, I8, U8, I16, I32, I64, BOOL]


def named(dtype):
    return np.dtype(dtype).name


def affine(dtype):
    """A quantisation for types that have one."""
    if dtype in (I8, U8):
        return activation_scale(), zero_point(dtype)
    return (activation_scale(), 0) if dtype == I16 else ()


def constant(values, dtype=I32):
    return Tensor(dtype, data=np.array(values, dtype))


def spread(types, cases, each=1):
    """Cases with types in turn, so that every case has `each` and all types come up."""
    for i, case in enumerate(cases):
        for k in range(each):
            yield types[(i * each + k) % len(types)], case


def moved(v, dtype, name, opts, x, y, *operands, more=(), **rest):
    """A case whose input and outputs have one type and quantisation; `y` is a shape, or several."""
    q = affine(dtype)
    shapes = y if y and isinstance(y[0], list) else [y]
    inputs = [Tensor(dtype, s, *q) for s in [x, *more]]
    outputs = [Tensor(dtype, s, *q) for s in shapes]
    v.case(f"{named(dtype)} {name}", opts, [*inputs, *operands, *outputs], outputs=len(shapes), **rest)


def made(v, operator, name, opts, tensors):
    """A case of an operator on constants, in a model that has an input beside it, as every model must."""
    root = table(operator, opts, tensors)
    subgraph = root.subgraphs[0]
    subgraph.inputs = [len(subgraph.tensors)]
    subgraph.tensors.append(Tensor(F32, [1]).table("unused", 0))
    v.add(name, pack(root), [[np.zeros([1], F32)]])


def reshape():
    v = Vectors("RESHAPE")
    for dtype in [F32, I8, U8]:
        for name, x, y, wanted, by_operand, by_options in [
            ("flat", [2, 3, 4], [24], [24], True, True),
            ("open dimension", [2, 3, 4], [2, 12], [2, -1], True, True),
            ("same", [1, 4], [1, 4], [1, 4], True, True),
            ("shape in the options", [2, 6], [3, 4], [3, 4], False, True),
            ("open shape in the options", [2, 6], [4, 3], [-1, 3], False, True),
            ("no options", [3, 4], [2, 6], [2, 6], True, False),
        ]:
            shape = [constant(wanted)] if by_operand else []
            moved(v, dtype, name, options("Reshape", newShape=wanted) if by_options else None, x, y, *shape)
    for dtype in [I16, I32, I64, BOOL]:
        moved(v, dtype, "flat", options("Reshape", newShape=[24]), [2, 3, 4], [24], constant([24]))
    moved(v, F32, "rank 6", None, [2, 6], [1, 2, 1, 3, 1, 2], constant([1, 2, 1, 3, -1, 2]))
    v.write()


def squeeze():
    v = Vectors("SQUEEZE")
    for dtype, (name, x, dims, y) in spread(ALL, [
        ("all", [1, 3, 1, 2], [], [3, 2]), ("one", [1, 3, 1, 2], [2], [1, 3, 2]), ("negative", [1, 3, 1, 2], [-4], [3, 1, 2]),
        ("two", [1, 3, 1, 2, 1], [0, -1], [3, 1, 2]), ("to rank 0", [1, 1], [], []), ("none there", [2, 3], [], [2, 3]),
        ("last", [4, 1], [1], [4]), ("three", [1, 1, 5, 1], [0, 1, 3], [5]),
    ]):
        moved(v, dtype, name, options("Squeeze", squeezeDims=dims), x, y)
    v.write()


def expand_dims():
    v = Vectors("EXPAND_DIMS")
    for dtype, (name, x, axis, y) in spread(ALL, [
        ("first", [3, 2], 0, [1, 3, 2]), ("last", [3, 2], -1, [3, 2, 1]), ("middle", [3, 2], 1, [3, 1, 2]),
        ("end", [3, 2], 2, [3, 2, 1]), ("negative", [2, 3, 2], -2, [2, 3, 1, 2]), ("rank 0", [], 0, [1]),
        ("most negative", [4], -2, [1, 4]), ("rank 5", [2, 1, 3, 1], 3, [2, 1, 3, 1, 1]),
    ]):
        moved(v, dtype, name, options("ExpandDims"), x, y, constant([axis] if len(x) % 2 else axis, I32))
    moved(v, F32, "axis of I64", options("ExpandDims"), [3, 2], [3, 1, 2], constant(1, I64))
    v.write()


def shape():
    v = Vectors("SHAPE")
    for dtype, (x, to) in spread(ALL, [([2, 3], I32), ([5], I64), ([1, 2, 3, 4], I32), ([2, 1, 3, 1, 2], I64), ([7, 1], I32), ([1], I32), ([3, 3, 3], I64)]):
        v.case(f"{named(dtype)} {len(x)} {named(to)}", options("Shape", outType=TYPES[np.dtype(to)]), [Tensor(dtype, x, *affine(dtype)), Tensor(to, [len(x)])])
    v.write()
    v = Vectors("RANK")
    for dtype, x in spread([F32, I8, I32], [[2, 3], [5], [1, 2, 3, 4], []]):
        v.case(f"{named(dtype)} {len(x)}", options("Rank"), [Tensor(dtype, x, *affine(dtype)), Tensor(I32, [])])
    v.write()


PADDINGS = [
    ("image", [1, 3, 4, 2], [[0, 0], [1, 2], [2, 1], [0, 0]], I32), ("row", [5], [[2, 3]], I32),
    ("batch and channels", [2, 2, 2, 3], [[1, 0], [0, 0], [0, 1], [2, 2]], I32),
    ("nothing", [2, 3], [[0, 0], [0, 0]], I32), ("i64", [2, 3], [[1, 1], [0, 4]], I64),
    ("before only", [1, 4, 4, 1], [[0, 0], [3, 0], [1, 0], [0, 0]], I32), ("rank 3", [2, 2, 2], [[0, 1], [1, 0], [1, 1]], I32),
    ("rank 5", [1, 2, 2, 1, 2], [[0, 1], [1, 0], [0, 0], [1, 1], [0, 1]], I32),
]


def padded(shape, padding):
    return [s + a + b for s, (a, b) in zip(shape, padding)]


def pad():
    v = Vectors("PAD")
    for dtype in [F32, I8, U8]:
        for name, shape, padding, width in PADDINGS[:7]:
            moved(v, dtype, name, options("Pad"), shape, padded(shape, padding), constant(padding, width))
    for i, dtype in enumerate([I16, I32, I64, BOOL]):
        for name, shape, padding, width in [PADDINGS[i], PADDINGS[i + 4]]:
            moved(v, dtype, name, options("Pad"), shape, padded(shape, padding), constant(padding, width))
    v.case("int8 not quantised", options("Pad"), [Tensor(I8, [5]), constant([[2, 3]]), Tensor(I8, [10])])
    v.write()
    v = Vectors("PADV2")
    values = {F32: -1.5, I8: -7, U8: 200, I16: -1234, I32: 123456, I64: -(1 << 40), BOOL: True}
    for dtype, (name, shape, padding, width) in spread(ALL, PADDINGS + PADDINGS[:6], 1):
        q = affine(dtype)
        fill = Tensor(dtype, None, *q, data=np.array([values[dtype]], dtype))
        name = f"{named(dtype)} {name}"
        v.case(name, options("PadV2"), [Tensor(dtype, shape, *q), constant(padding, width), fill, Tensor(dtype, padded(shape, padding), *q)])
    q = affine(F32)
    v.case("float32 computed value", options("PadV2"), [Tensor(F32, [2, 3]), constant([[1, 0], [0, 2]]), Tensor(F32, [1]), Tensor(F32, [3, 5])])
    v.case("int8 computed value", options("PadV2"), [Tensor(I8, [2, 3], 0.5, 3), constant([[1, 0], [0, 2]]), Tensor(I8, [1], 0.5, 3), Tensor(I8, [3, 5], 0.5, 3)])
    v.case("int32 rank 0", options("PadV2"), [Tensor(I32, [2, 3]), constant([[1, 0], [0, 2]]), constant(9), Tensor(I32, [3, 5])])
    v.write()
    v = Vectors("MIRROR_PAD")
    for mode in [0, 1]:
        for dtype, (name, shape, padding, width) in spread(ALL, [
            ("image", [1, 3, 4, 2], [[0, 0], [1, 2], [2, 1], [0, 0]], I32), ("row", [5], [[2, 3]], I32),
            ("channels", [2, 2, 2, 3], [[1, 0], [0, 1], [0, 1], [2, 2]], I32), ("nothing", [2, 3], [[0, 0], [0, 0]], I32),
            ("i64", [2, 3], [[1, 1], [0, 2]], I64), ("before only", [1, 4, 4, 1], [[0, 0], [3, 0], [1, 0], [0, 0]], I32),
            ("rank 3", [2, 2, 2], [[0, 1], [1, 0], [1, 1]], I32), ("all", [4, 3], [[3, 3], [2, 2]], I32),
        ]):
            name = f"{['reflect', 'symmetric'][mode]} {name}"
            moved(v, dtype, name, options("MirrorPad", mode=mode), shape, padded(shape, padding), constant(padding, width))
    v.write()


def concatenation():
    v = Vectors("CONCATENATION")
    for dtype, (name, shapes, axis) in spread(ALL, [
        ("rows", [[2, 3], [1, 3]], 0), ("columns", [[2, 3], [2, 1], [2, 2]], 1), ("negative", [[1, 2, 3], [1, 2, 2]], -1),
        ("one", [[2, 3]], 0), ("channels", [[1, 3, 2, 4], [1, 3, 2, 1]], 3), ("middle", [[2, 1, 3], [2, 2, 3]], 1),
        ("many", [[1, 2]] * 12, 0), ("many of odd sizes", [[2, 1 + i % 3] for i in range(11)], -1), ("flat", [[4], [3], [1]], 0),
        ("most negative", [[2, 2], [3, 2]], -2), ("rank 5", [[1, 2, 1, 2, 2], [1, 2, 3, 2, 2]], 2), ("image rows", [[1, 1, 3, 2], [1, 2, 3, 2]], 1),
        ("long", [[2, 33], [2, 16], [2, 5]], 1), ("batches", [[1, 2, 2, 1], [2, 2, 2, 1]], 0),
    ]):
        y = list(shapes[0])
        y[axis] = sum(s[axis] for s in shapes)
        moved(v, dtype, name, options("Concatenation", axis=axis), shapes[0], y, more=shapes[1:])
    q = (0.1, 3)
    v.case("int8 constant", options("Concatenation", axis=1), [Tensor(I8, [2, 3], *q), Tensor(I8, None, *q, data=draw(I8, [2, 2])), Tensor(I8, [2, 5], *q)])
    v.case("float32 constant first", options("Concatenation", axis=0), [Tensor(F32, data=draw(F32, [1, 3])), Tensor(F32, [2, 3]), Tensor(F32, [3, 3])])
    for i, (a, b, y) in enumerate([
        ((0.1, 100), (0.2, 128), (0.2, 128)), ((0.1, 0), (0.05, 255), (0.07, 77)), ((0.5, 128), (0.5, 130), (0.5, 128)),
        ((0.013, 17), (0.9, 3), (0.25, 200)), ((0.25, 10), (0.125, 20), (0.5, 30)),
    ]):
        every = np.arange(256).astype(U8).reshape([2, 128])
        v.case(f"uint8 other scales {i}", options("Concatenation", axis=1), [Tensor(U8, [2, 128], *a), Tensor(U8, [2, 128], *b), Tensor(U8, [2, 256], *y)], [every, every[::-1].copy()])
    v.write()


def split():
    v = Vectors("SPLIT")
    for dtype, (name, x, axis, n) in spread([F32, I8, U8, I16, I32, I64], [
        ("rows", [4, 3], 0, 2), ("columns", [2, 6], 1, 3), ("negative", [2, 3, 4], -1, 2), ("one", [2, 3], 0, 1),
        ("middle", [2, 4, 3], 1, 4), ("channels", [1, 2, 3, 4], 3, 2), ("image rows", [1, 4, 2, 1], -3, 2), ("many", [10, 2], 0, 10), ("flat", [9], 0, 3),
        ("most negative", [2, 4], -2, 2),
    ]):
        part = list(x)
        part[axis] //= n
        q = affine(dtype)
        v.case(f"{named(dtype)} {name}", options("Split", numSplits=n), [constant(axis), Tensor(dtype, x, *q), *(Tensor(dtype, part, *q) for _ in range(n))], outputs=n)
    v.write()
    v = Vectors("SPLIT_V")
    for dtype, (name, x, axis, sizes) in spread([F32, I8, U8, I16, I32, I64], [
        ("rows", [4, 3], 0, [1, 3]), ("columns", [2, 6], 1, [1, 2, 3]), ("negative", [2, 3, 5], -1, [4, 1]), ("one", [2, 3], 0, [2]),
        ("middle", [2, 4, 3], 1, [3, 1]), ("channels", [1, 2, 3, 4], 3, [1, 1, 2]), ("rest", [7, 2], 0, [2, -1, 1]), ("many", [12], 0, [1] * 9 + [3]),
    ]):
        parts = []
        for size in sizes:
            part = list(x)
            part[axis] = size if size >= 0 else x[axis] - sum(sizes) - 1
            parts.append(part)
        moved(v, dtype, name, options("SplitV", numSplits=len(sizes)), x, parts, constant(sizes), constant(axis))
    moved(v, F32, "sizes of I64", options("SplitV", numSplits=2), [5, 2], [[2, 2], [3, 2]], constant([2, 3], I64), constant(0))
    v.write()


def packs():
    v = Vectors("PACK")
    for dtype, (name, x, axis, n) in spread([F32, I8, U8, I16, I32, I64], [
        ("first", [3], 0, 2), ("last", [3], 1, 3), ("negative", [2, 3], -1, 2), ("middle", [2, 3], 1, 3), ("rank 0", [], 0, 4),
        ("one", [2, 2], 0, 1), ("many", [2], 0, 11), ("images", [2, 2, 3], 0, 2), ("most negative", [2, 3], -3, 2), ("channels", [1, 3, 2], 3, 2),
    ]):
        y = list(x)
        y.insert(axis % (len(x) + 1), n)
        moved(v, dtype, name, options("Pack", axis=axis, valuesCount=n), x, y, more=[x] * (n - 1))
    v.case("int32 constant", options("Pack", axis=0, valuesCount=3), [Tensor(I32, []), constant(7), Tensor(I32, []), Tensor(I32, [3])])
    v.write()
    v = Vectors("UNPACK")
    for dtype, (name, x, axis) in spread([F32, I8, U8, I16, I32, BOOL], [
        ("first", [2, 3], 0), ("last", [2, 3], 1), ("negative", [2, 3, 2], -1), ("middle", [2, 3, 2], 1), ("to rank 0", [4], 0),
        ("one", [1, 2], 0), ("many", [11, 2], 0), ("images", [2, 2, 2, 1], 0), ("most negative", [2, 3], -2), ("channels", [1, 2, 2, 3], 3),
    ]):
        y = list(x)
        n = y.pop(axis)
        moved(v, dtype, name, options("Unpack", axis=axis, num=n), x, [y] * n)
    v.write()


def slices():
    v = Vectors("SLICE")
    for dtype, (name, x, begin, size, width) in spread(ALL, [
        ("rows", [4, 3], [1, 0], [2, 3], I32), ("columns", [4, 3], [0, 1], [4, 2], I32), ("to the end", [5, 4], [2, 1], [-1, -1], I32),
        ("flat", [9], [2], [5], I64), ("image", [2, 4, 4, 3], [1, 1, 0, 1], [1, 2, 3, 2], I32), ("all", [2, 3], [0, 0], [-1, 3], I64),
        ("element", [3, 3, 3], [1, 2, 0], [1, 1, 1], I32), ("rank 5", [2, 2, 3, 2, 2], [0, 1, 1, 0, 1], [2, 1, 2, -1, 1], I32),
        ("channels", [1, 2, 2, 8], [0, 0, 0, 3], [-1, -1, -1, 4], I32), ("middle", [2, 5, 3], [0, 2, 0], [2, 2, 3], I32),
        ("last row", [6, 2], [5, 0], [1, 2], I64), ("rank 3", [3, 4, 2], [1, 1, 1], [2, 3, 1], I32),
    ]):
        y = [n - b if s == -1 else s for n, b, s in zip(x, begin, size)]
        moved(v, dtype, name, options("Slice"), x, y, constant(begin, width), constant(size, width))
    v.write()


def strided_slice():
    v = Vectors("STRIDED_SLICE")

    def bits(text):
        return sum(1 << i for i, c in enumerate(text) if c == "1")

    cases = [
        # name, x, begin, end, strides, then masks by dimension: begin, end, ellipsis, new axis, shrink axis
        ("plain", [4, 3], [1, 0], [3, 2], [1, 1], {}), ("steps", [7, 5], [0, 1], [7, 5], [2, 3], {}),
        ("back", [5, 4], [4, 3], [1, 0], [-1, -2], {}), ("all back", [5], [-1], [-6], [-1], {}), ("negative", [5, 4], [-3, -4], [-1, -1], [1, 1], {}),
        ("begin mask", [4, 3], [1, 2], [3, 2], [1, 1], {"begin": "01"}), ("end mask", [4, 3], [1, 1], [3, 2], [1, 1], {"end": "11"}),
        ("both masks back", [4, 3], [1, 1], [3, 2], [-1, -2], {"begin": "11", "end": "11"}), ("begin mask back", [6], [0], [2], [-2], {"begin": "1"}),
        ("shrink", [4, 3], [1, 0], [2, 3], [1, 1], {"shrink": "10"}), ("shrink to rank 0", [4], [2], [3], [1], {"shrink": "1"}),
        ("shrink negative", [4, 3], [-2, 0], [-1, 3], [1, 2], {"shrink": "10"}), ("shrink last", [2, 3, 4], [0, 0, -1], [2, 3, 0], [1, 1, 1], {"shrink": "001"}),
        ("shrink and mask", [2, 3, 4], [0, 1, 1], [0, 2, 3], [1, 1, 1], {"begin": "100", "end": "100", "shrink": "010"}),
        ("out of range", [4, 3], [-9, 1], [9, 7], [1, 1], {}), ("out of range back", [4, 3], [9, 5], [-9, -7], [-1, -1], {}),
        ("fewer", [4, 3, 2], [1], [3], [1], {}), ("fewer with shrink", [4, 3, 2], [2], [3], [1], {"shrink": "1"}),
        ("new axis", [4, 3], [0, 1, 0], [0, 3, 2], [1, 1, 1], {"new": "100"}), ("new axis at the end", [4, 3], [1, 0, 0], [3, 3, 0], [1, 1, 1], {"new": "001"}),
        ("ellipsis", [2, 3, 4], [0, 1], [0, 3], [1, 2], {"ellipsis": "10"}), ("ellipsis behind", [2, 3, 4], [1, 0], [2, 0], [1, 1], {"ellipsis": "01"}),
        ("ellipsis between", [2, 3, 2, 4], [1, 0, 1], [2, 0, 4], [1, 1, 2], {"ellipsis": "010"}), ("ellipsis and shrink", [2, 3, 4], [0, 1], [0, 2], [1, 1], {"ellipsis": "10", "shrink": "01"}),
        ("ellipsis and new axis", [2, 3], [0, 0, 1], [0, 0, 2], [1, 1, 1], {"ellipsis": "100", "new": "010"}),
        ("rank 4", [2, 3, 4, 3], [0, 2, 1, 0], [2, 0, 4, 3], [1, -1, 2, 2], {}), ("rank 5", [2, 2, 3, 2, 2], [0, 1, 0, 0, 1], [2, 2, 3, 2, 2], [1, 1, 2, 1, 1], {}),
        ("long step", [9], [1], [9], [5], {}), ("offset", [6, 5], [1, 2], [3, 2], [1, 1], {"offset": True}),
        ("all", [3, 4], [0, 0], [0, 0], [1, 1], {"begin": "11", "end": "11"}), ("columns of an image", [1, 4, 6, 2], [0, 0, 0, 0], [1, 4, 6, 2], [1, 2, 2, 1], {}),
    ]
    for dtype, (name, x, begin, end, strides, masks) in spread(ALL, cases):
        index, dims = [], iter(range(len(x)))
        for i, (b, e, s) in enumerate(zip(begin, end, strides)):
            has = {kind: text[i] == "1" for kind, text in masks.items() if kind != "offset"}
            if has.get("ellipsis"):
                index.append(Ellipsis)
            elif has.get("new"):
                index.append(None)
            elif has.get("shrink"):
                index.append(b)
            else:
                e = b + e if masks.get("offset") else e
                index.append(slice(None if has.get("begin") else b, None if has.get("end") else e, s))
        y = list(np.zeros(x)[tuple(index)].shape)
        fields = dict(beginMask=bits(masks.get("begin", "")), endMask=bits(masks.get("end", "")), ellipsisMask=bits(masks.get("ellipsis", "")),
                      newAxisMask=bits(masks.get("new", "")), shrinkAxisMask=bits(masks.get("shrink", "")), offset=masks.get("offset", False))
        moved(v, dtype, name, options("StridedSlice", **fields), x, y, constant(begin), constant(end), constant(strides))
    v.write()


def gather():
    v = Vectors("GATHER")
    for dtype, (name, x, i, axis, batch, width, fixed) in spread(ALL, [
        ("rows", [5, 3], [4], 0, 0, I32, False), ("one row", [5, 3], [], 0, 0, I32, False), ("columns", [2, 6], [3], 1, 0, I32, False),
        ("negative axis", [2, 3, 4], [2], -1, 0, I64, False), ("square", [6], [2, 3], 0, 0, I32, False), ("middle", [2, 4, 3], [2, 2], 1, 0, I32, False),
        ("batch", [2, 4], [2, 3], 1, 1, I32, False), ("batch of rows", [2, 4, 3], [2, 2], 1, 1, I64, False), ("batch, later axis", [2, 3, 4], [2, 2], 2, 1, I32, False),
        ("two batches", [2, 2, 4], [2, 2, 3], 2, 2, I32, False), ("negative batch", [2, 4], [2, 3], 1, -1, I32, False), ("constant", [5, 3], [4], 0, 0, I32, True),
        ("constant columns", [2, 6], [3], -1, 0, I64, True), ("most negative axis", [4, 2], [3], -2, 0, I32, False), ("long rows", [3, 17], [4], 0, 0, I32, False),
        ("constant one", [4, 3], [], 1, 0, I32, True),
    ]):
        axis_at, batches = axis % len(x), batch % len(i) if batch < 0 else batch
        y = x[:axis_at] + i[batches:] + x[axis_at + 1:]
        indices = np.asarray(random.integers(0, x[axis], i), width)
        q = affine(dtype)
        operand = Tensor(width, i, data=indices if fixed else None)
        values = [draw(np.dtype(dtype), x)] + ([] if fixed else [indices])
        v.case(f"{named(dtype)} {name}", options("Gather", axis=axis, batchDims=batch), [Tensor(dtype, x, *q), operand, Tensor(dtype, y, *q)], values)
    table = Tensor(I8, None, 0.1, 4, data=draw(I8, [6, 4]))
    v.case("int8 constant table", options("Gather"), [table, Tensor(I32, [3]), Tensor(I8, [3, 4], 0.1, 4)], [np.array([5, 0, 2], I32)])
    v.write()
    v = Vectors("GATHER_ND")
    for dtype, (name, x, i, width, fixed) in spread(ALL, [
        ("elements", [3, 4], [5, 2], I32, False), ("rows", [4, 3], [2, 1], I32, False), ("one", [3, 4], [2], I32, False), ("elements of rank 3", [2, 3, 2], [2, 2, 3], I64, False),
        ("rows of rank 3", [2, 3, 2], [4, 2], I32, False), ("flat", [7], [3, 1], I32, False), ("images", [2, 2, 2, 3], [3, 1], I64, False), ("constant", [3, 4], [3, 2], I32, True),
    ]):
        y = i[:-1] + x[i[-1]:]
        indices = np.stack([random.integers(0, x[d], i[:-1]) for d in range(i[-1])], -1).astype(width).reshape(i)
        q = affine(dtype)
        values = [draw(np.dtype(dtype), x)] + ([] if fixed else [indices])
        v.case(f"{named(dtype)} {name}", options("GatherNd"), [Tensor(dtype, x, *q), Tensor(width, i, data=indices if fixed else None), Tensor(dtype, y, *q)], values)
    v.write()


def scatter_nd():
    v = Vectors("SCATTER_ND")
    for dtype, (name, i, updates, y, indices) in spread([F32, I8, U8, I32, I64, BOOL], [
        ("elements", [4, 1], [4], [8], [[4], [3], [1], [7]]), ("rows", [2, 1], [2, 3], [4, 3], [[2], [0]]), ("pairs", [3, 2], [3], [3, 4], [[2, 3], [0, 1], [1, 0]]),
        ("twice", [3, 1], [3, 2], [3, 2], [[1], [2], [1]]), ("images", [2, 1], [2, 2, 3], [3, 2, 3], [[2], [0]]), ("all twice", [4, 1], [4], [2], [[0], [1], [0], [1]]),
    ]):
        indices = np.array(indices, I32)
        v.case(f"{named(dtype)} {name}", options("ScatterNd"), [Tensor(I32, i), Tensor(dtype, updates), constant(y), Tensor(dtype, y)], [indices, draw(np.dtype(dtype), updates)])
    indices = np.array([[2], [0]], I32)
    v.case("float32 constant", options("ScatterNd"), [constant(indices), Tensor(F32, [2, 3]), constant([4, 3]), Tensor(F32, [4, 3])])
    v.write()


def transpose():
    v = Vectors("TRANSPOSE")
    for dtype, (name, x, order) in spread(ALL, [
        ("matrix", [3, 5], [1, 0]), ("same", [2, 3], [0, 1]), ("nchw", [1, 3, 4, 2], [0, 3, 1, 2]), ("nhwc", [2, 2, 3, 4], [0, 2, 3, 1]),
        ("reversed", [2, 3, 4], [2, 1, 0]), ("rotated", [2, 3, 4], [1, 2, 0]), ("rank 5", [2, 1, 3, 2, 2], [4, 2, 0, 1, 3]), ("rank 6", [2, 1, 2, 3, 1, 2], [5, 3, 0, 2, 1, 4]),
        ("swapped rows", [3, 2, 4], [1, 0, 2]), ("rank 1", [6], [0]), ("large", [9, 17], [1, 0]), ("last two", [2, 4, 3], [0, 2, 1]),
        ("only ones move", [1, 4, 1, 3], [2, 1, 0, 3]), ("tall", [33, 2], [1, 0]), ("first two of four", [2, 3, 2, 2], [1, 0, 2, 3]), ("middle", [2, 3, 2, 3], [0, 2, 1, 3]),
        ("square", [16, 16], [1, 0]), ("wide square", [8, 8], [1, 0]), ("pairs", [2, 3, 2, 2], [2, 3, 0, 1]), ("negative", [2, 3, 4], [-1, 0, 1]),
    ]):
        y = [x[o] for o in order]
        moved(v, dtype, name, options("Transpose"), x, y, constant(order))
    moved(v, F32, "order of I32", None, [4, 3], [3, 4], constant([1, 0], I32))
    v.write()


def spaces():
    v = Vectors("SPACE_TO_DEPTH")
    for dtype, (x, block) in spread([F32, I8, U8, I32, I64], [([1, 4, 4, 1], 2), ([1, 2, 6, 3], 2), ([2, 2, 2, 2], 2), ([1, 6, 3, 2], 3), ([1, 2, 3, 2], 1), ([2, 4, 8, 1], 4)]):
        b, h, w, c = x
        moved(v, dtype, f"{'x'.join(map(str, x))} by {block}", options("SpaceToDepth", blockSize=block), x, [b, h // block, w // block, c * block * block])
    v.write()
    v = Vectors("DEPTH_TO_SPACE")
    for dtype, (x, block) in spread([F32, I8, U8, I32, I64], [([1, 2, 2, 4], 2), ([1, 1, 3, 12], 2), ([2, 1, 1, 8], 2), ([1, 2, 1, 18], 3), ([1, 2, 3, 2], 1), ([2, 1, 2, 16], 4)]):
        b, h, w, c = x
        moved(v, dtype, f"{'x'.join(map(str, x))} by {block}", options("DepthToSpace", blockSize=block), x, [b, h * block, w * block, c // block // block])
    v.write()
    v = Vectors("SPACE_TO_BATCH_ND")
    for dtype, (name, x, block, around) in spread([F32, I8, U8, I16, I32, I64], [
        ("plain", [1, 4, 4, 1], [2, 2], [[0, 0], [0, 0]]), ("padded", [1, 3, 5, 2], [2, 3], [[1, 0], [1, 0]]), ("rank 3", [2, 4, 2], [2], [[0, 0]]),
        ("rank 3 padded", [1, 5, 3], [3], [[2, 2]]), ("batches", [2, 2, 4, 3], [2, 2], [[0, 0], [0, 0]]), ("rows only", [1, 6, 2, 1], [3, 1], [[0, 0], [1, 1]]),
        ("much padding", [1, 2, 2, 2], [2, 2], [[2, 2], [0, 4]]), ("one", [1, 2, 3, 1], [1, 1], [[0, 0], [0, 0]]),
    ]):
        y = list(x)
        for d, (n, (a, b)) in enumerate(zip(block, around)):
            y[1 + d] = (x[1 + d] + a + b) // n
            y[0] *= n
        moved(v, dtype, name, options("SpaceToBatchND"), x, y, constant(block), constant(around))
    v.write()
    v = Vectors("BATCH_TO_SPACE_ND")
    for dtype, (name, x, block, crops) in spread([F32, I8, U8, I16, I32, I64], [
        ("plain", [4, 2, 2, 1], [2, 2], [[0, 0], [0, 0]]), ("cropped", [6, 2, 2, 2], [2, 3], [[1, 0], [1, 2]]), ("rank 3", [4, 2, 2], [2], [[0, 0]]),
        ("rank 3 cropped", [3, 3, 3], [3], [[2, 2]]), ("batches", [8, 1, 2, 3], [2, 2], [[0, 0], [0, 0]]), ("rows only", [3, 2, 4, 1], [3, 1], [[0, 0], [1, 1]]),
        ("much cropped", [4, 3, 4, 2], [2, 2], [[2, 2], [0, 4]]), ("one", [1, 2, 3, 1], [1, 1], [[0, 0], [0, 0]]),
    ]):
        y = list(x)
        for d, (n, (a, b)) in enumerate(zip(block, crops)):
            y[1 + d] = x[1 + d] * n - a - b
            y[0] //= n
        moved(v, dtype, name, options("BatchToSpaceND"), x, y, constant(block), constant(crops))
    v.write()


SIZES = [
    ([1, 3, 4, 2], [6, 8]), ([1, 5, 5, 1], [3, 2]), ([2, 2, 3, 3], [5, 4]), ([1, 4, 4, 1], [4, 4]), ([1, 1, 1, 3], [3, 3]), ([1, 7, 5, 1], [2, 9]),
    ([1, 2, 2, 17], [3, 3]), ([1, 3, 3, 1], [1, 1]), ([1, 2, 5, 4], [7, 3]),
]
CORNERS = [("", {}), (" aligned", {"alignCorners": True}), (" half pixels", {"halfPixelCenters": True})]


def resize():
    v = Vectors("RESIZE_BILINEAR")
    for flags_at, (corners, flags) in enumerate(CORNERS):
        sizes = SIZES[flags_at:] + SIZES[:flags_at]
        for dtype, (x, (h, w)) in spread([F32, I8, U8, I16], sizes, 2):
            moved(v, dtype, f"{'x'.join(map(str, x))} to {h}x{w}{corners}", options("ResizeBilinear", **flags), x, [x[0], h, w, x[3]], constant([h, w]))
    v.write()
    v = Vectors("RESIZE_NEAREST_NEIGHBOR")
    both = [*CORNERS, (" aligned half pixels", {"alignCorners": True, "halfPixelCenters": True})]
    for flags_at, (corners, flags) in enumerate(both):
        sizes = SIZES[flags_at:] + SIZES[:flags_at]
        for dtype, (x, (h, w)) in spread([F32, I8, U8, I16, I32, BOOL], sizes[:7]):
            moved(v, dtype, f"{'x'.join(map(str, x))} to {h}x{w}{corners}", options("ResizeNearestNeighbor", **flags), x, [x[0], h, w, x[3]], constant([h, w]))
    v.write()


def reverse_v2():
    v = Vectors("REVERSE_V2")
    for dtype, (name, x, axes) in spread(ALL, [
        ("flat", [5], [0]), ("rows", [3, 4], [0]), ("columns", [3, 4], [1]), ("negative", [2, 3, 4], [-1]), ("two", [2, 3, 4], [1, 2]), ("all", [2, 3, 2], [0, 1, 2]),
        ("channels", [1, 2, 2, 3], [3]), ("middle", [2, 5, 3], [1]), ("long", [2, 37], [1]),
    ]):
        moved(v, dtype, name, options("ReverseV2"), x, x, constant(axes))
    v.write()


def broadcast():
    v = Vectors("BROADCAST_TO")
    for dtype, (name, x, y, width) in spread(ALL, [
        ("row", [3], [4, 3], I32), ("column", [4, 1], [4, 3], I32), ("scalar", [1], [2, 3], I64), ("rank 0", [], [5], I32), ("both", [3, 1, 2], [2, 3, 4, 2], I32),
        ("same", [2, 3], [2, 3], I32), ("rank 5", [2, 1, 3, 1, 1], [2, 2, 3, 1, 2], I64), ("image", [1, 1, 1, 3], [1, 3, 3, 3], I32), ("longer", [1, 2], [1, 3, 2], I32), ("long", [2, 1], [2, 35], I32),
    ]):
        q = affine(dtype)
        root = table("BROADCAST_TO", options("BroadcastTo"), [Tensor(dtype, x, *q), constant(y, width), Tensor(dtype, y, *q)])
        # LiteRT has no first version.
        root.operatorCodes[0].version = 2
        v.add(f"{named(dtype)} {name}", pack(root), [[draw(np.dtype(dtype), x)]])
    v.write()
    v = Vectors("BROADCAST_ARGS")
    for width, (name, a, b) in spread([I32, I64], [("row", [4, 3], [3]), ("ones", [2, 1], [1, 3]), ("same", [2, 3], [2, 3]), ("longer", [1], [5, 4, 3])]):
        y = np.broadcast_shapes(a, b)
        made(v, "BROADCAST_ARGS", f"{named(width)} {name}", None, [constant(a, width), constant(b, width), Tensor(width, [len(y)])])
    v.write()


def fill():
    v = Vectors("FILL")
    for dtype, (name, y, width) in spread(ALL, [("matrix", [3, 4], I32), ("flat", [7], I64), ("rank 0", [], I32), ("rank 4", [1, 2, 3, 2], I32), ("one", [1], I32), ("rank 3", [2, 1, 3], I64), ("wide", [2, 19], I64)]):
        q = affine(dtype)
        v.case(f"{named(dtype)} {name}", None, [constant(y, width), Tensor(dtype, [], *q), Tensor(dtype, y, *q)], distinct=False)
    made(v, "FILL", "float32 constant", None, [constant([2, 3]), Tensor(F32, data=np.array(2.5, F32)), Tensor(F32, [2, 3])])
    made(v, "FILL", "int32 constant", None, [constant([4]), constant(-3), Tensor(I32, [4])])
    v.write()
    v = Vectors("RANGE")
    for dtype, (name, a, b, step) in spread([I32, F32, I64], [
        ("up", 0, 5, 1), ("steps", 1, 9, 3), ("down", 5, -4, -2), ("fraction", 0.5, 2.4, 0.3), ("one", 3, 4, 7), ("wide", -100, 100, 33), ("short of the end", 0, 6, 2), ("inexact", 0.1, 1.0, 0.1), ("long", 7, 50, 4),
    ]):
        if dtype != F32:
            a, b, step = (int(n) if int(n) == n else int(10 * n) for n in (a, b, step))
        n = int(np.ceil(abs((F32(b) - F32(a)) / F32(step)))) if dtype == F32 else -(-abs(b - a) // abs(step))
        made(v, "RANGE", f"{named(dtype)} {name}", options("Range"), [constant(a, dtype), constant(b, dtype), constant(step, dtype), Tensor(dtype, [n])])
    v.write()


def embedding_lookup():
    v = Vectors("EMBEDDING_LOOKUP")
    for i, (table, ids) in enumerate([([5, 3], [4]), ([7, 8], [1]), ([3, 2, 4], [2]), ([4, 17], [5])]):
        values = [np.asarray(random.integers(0, table[0], ids), I32)]
        v.case(f"float32 {i}", None, [Tensor(I32, ids), Tensor(F32, data=draw(F32, table)), Tensor(F32, ids + table[1:])], values)
        v.case(f"int8 {i}", None, [Tensor(I32, ids), Tensor(I8, None, activation_scale(), data=draw(I8, table)), Tensor(F32, ids + table[1:])], values)
    scales = [activation_scale() for _ in range(5)]
    v.case("int8 a scale for each row", None, [Tensor(I32, [4]), Tensor(I8, None, scales, data=draw(I8, [5, 3])), Tensor(F32, [4, 3])], [np.array([4, 1, 1, 0], I32)])
    v.case("int8 as it is", None, [Tensor(I32, [3]), Tensor(I8, None, 0.1, data=draw(I8, [4, 3])), Tensor(I8, [3, 3], 0.1)], [np.array([3, 0, 2], I32)])
    v.case("float32 computed table", None, [Tensor(I32, [3]), Tensor(F32, [4, 3]), Tensor(F32, [3, 3])], [np.array([3, 0, 2], I32), draw(F32, [4, 3])])
    v.write()


def dynamic_update_slice():
    v = Vectors("DYNAMIC_UPDATE_SLICE")
    for dtype, (name, x, update, start, width) in spread(ALL, [
        ("matrix", [4, 3], [2, 1], [1, 1], I32), ("clamped", [4, 3], [2, 2], [3, 9], I32), ("negative", [4, 3], [2, 2], [-2, 1], I32), ("flat", [9], [3], [4], I64),
        ("image", [1, 3, 4, 2], [1, 2, 2, 2], [0, 1, 2, 0], I32), ("all", [2, 3], [2, 3], [0, 0], I32), ("row", [5, 4], [1, 4], [3, 0], I64), ("rank 3", [2, 3, 4], [1, 2, 2], [1, 0, 2], I32),
    ]):
        q = affine(dtype)
        values = [draw(np.dtype(dtype), x), draw(np.dtype(dtype), update), np.array(start, width)]
        v.case(f"{named(dtype)} {name}", None, [Tensor(dtype, x, *q), Tensor(dtype, update, *q), Tensor(width, [len(x)]), Tensor(dtype, x, *q)], values)
    v.case("float32 constant start", None, [Tensor(F32, [4, 3]), Tensor(F32, [2, 2]), constant([1, 1]), Tensor(F32, [4, 3])])
    v.write()


def where():
    v = Vectors("WHERE")
    for dtype, x in spread([BOOL, F32, I8, U8, I32, I64], [[5], [3, 4], [2, 3, 2], [1, 2, 2, 2], [7], [4, 2]]):
        data = np.asarray(random.integers(0, 2, x), dtype)
        data.flat[0] = 1
        made(v, "WHERE", f"{named(dtype)} {'x'.join(map(str, x))}", None, [Tensor(dtype, data=data), Tensor(I64, [int(np.count_nonzero(data)), len(x)])])
    v.write()


def refused():
    """`movement.forms`: models that must be refused; what each must give stands in the test,
    `frontend/models/tests/movement.rs`."""
    content = b""
    for name, operator, opts, tensors, *more in [
        ("computed condition", "WHERE", None, [Tensor(BOOL, [4]), Tensor(I64, [2, 1])]),
        ("computed start", "SLICE", options("Slice"), [Tensor(F32, [5]), Tensor(I32, [1]), constant([2]), Tensor(F32, [2])]),
        ("long range", "RANGE", options("Range"), [constant(0), constant(10**9), constant(1), Tensor(I32, [10**9])]),
        ("long range of f32", "RANGE", options("Range"), [constant(0, F32), constant(1, F32), constant(1e-30, F32), Tensor(F32, [9])]),
        ("range without steps", "RANGE", options("Range"), [constant(0), constant(5), constant(0), Tensor(I32, [5])]),
        ("axis beyond", "CONCATENATION", options("Concatenation", axis=2), [Tensor(F32, [2, 2]), Tensor(F32, [2, 2]), Tensor(F32, [4, 2])]),
        ("axis before", "PACK", options("Pack", axis=-3, valuesCount=2), [Tensor(F32, [2]), Tensor(F32, [2]), Tensor(F32, [2, 2])]),
        ("activation", "CONCATENATION", options("Concatenation", axis=0, fusedActivationFunction=RELU), [Tensor(F32, [2]), Tensor(F32, [2]), Tensor(F32, [4])]),
        ("other rows", "CONCATENATION", options("Concatenation", axis=1), [Tensor(F32, [2, 2]), Tensor(F32, [3, 2]), Tensor(F32, [2, 4])]),
        ("other scales", "CONCATENATION", options("Concatenation", axis=0), [Tensor(I8, [2], 0.5), Tensor(I8, [2], 0.25), Tensor(I8, [4], 0.5)]),
        ("slice beyond", "SLICE", options("Slice"), [Tensor(F32, [5]), constant([3]), constant([4]), Tensor(F32, [4])]),
        ("slice before", "SLICE", options("Slice"), [Tensor(F32, [5]), constant([-1]), constant([4]), Tensor(F32, [4])]),
        ("step of zero", "STRIDED_SLICE", options("StridedSlice"), [Tensor(F32, [5]), constant([0]), constant([5]), constant([0]), Tensor(F32, [5])]),
        ("least step", "STRIDED_SLICE", options("StridedSlice"), [Tensor(F32, [5]), constant([4], I64), constant([-9], I64), constant([-(1 << 63)], I64), Tensor(F32, [5])]),
        ("nothing between", "STRIDED_SLICE", options("StridedSlice"), [Tensor(F32, [5]), constant([3]), constant([1]), constant([1]), Tensor(F32, [0])]),
        ("too many dimensions", "STRIDED_SLICE", options("StridedSlice"), [Tensor(F32, [5]), constant([0, 0]), constant([1, 1]), constant([1, 1]), Tensor(F32, [1, 1])]),
        ("uneven split", "SPLIT", options("Split", numSplits=2), [constant(0), Tensor(F32, [5]), Tensor(F32, [2]), Tensor(F32, [3])], 2),
        ("two rests", "SPLIT_V", options("SplitV", numSplits=2), [Tensor(F32, [5]), constant([-1, -1]), constant(0), Tensor(F32, [2]), Tensor(F32, [3])], 2),
        ("uneven blocks", "SPACE_TO_BATCH_ND", options("SpaceToBatchND"), [Tensor(F32, [1, 3, 1]), constant([2]), constant([[0, 0]]), Tensor(F32, [2, 1, 1])]),
        ("blocks of nothing", "BATCH_TO_SPACE_ND", options("BatchToSpaceND"), [Tensor(F32, [1, 3, 1]), constant([0]), constant([[0, 0]]), Tensor(F32, [1, 3, 1])]),
        ("shallow", "DEPTH_TO_SPACE", options("DepthToSpace", blockSize=2), [Tensor(F32, [1, 1, 1, 6]), Tensor(F32, [1, 2, 2, 1])]),
        ("largest blocks", "SPACE_TO_DEPTH", options("SpaceToDepth", blockSize=(1 << 31) - 1), [Tensor(F32, [1, 1, 1, 6]), Tensor(F32, [1, 1, 1, 6])]),
        ("one axis twice", "TRANSPOSE", options("Transpose"), [Tensor(F32, [2, 2]), constant([0, 0]), Tensor(F32, [2, 2])]),
        ("far mirror", "MIRROR_PAD", options("MirrorPad", mode=0), [Tensor(F32, [3]), constant([[3, 0]]), Tensor(F32, [6])]),
        ("many rows", "RESIZE_BILINEAR", options("ResizeBilinear"), [Tensor(F32, [1, 1, 1, 1]), constant([1 << 17, 1]), Tensor(F32, [1, 1 << 17, 1, 1])]),
        ("batches beyond", "GATHER", options("Gather", axis=0, batchDims=1), [Tensor(F32, [2, 3]), Tensor(I32, [2]), Tensor(F32, [2, 3])]),
        ("indices of f32", "GATHER", options("Gather"), [Tensor(F32, [2, 3]), Tensor(F32, [2]), Tensor(F32, [2, 3])]),
        ("long indices", "GATHER_ND", options("GatherNd"), [Tensor(F32, [2]), Tensor(I32, [1, 2]), Tensor(F32, [1])]),
        ("table without scales", "EMBEDDING_LOOKUP", None, [Tensor(I32, [2]), Tensor(I8, data=draw(I8, [3, 2])), Tensor(F32, [2, 2])]),
        ("large update", "DYNAMIC_UPDATE_SLICE", None, [Tensor(F32, [2]), Tensor(F32, [3]), Tensor(I32, [1]), Tensor(F32, [2])]),
    ]:
        root = table(operator, opts, tensors, *more)
        if not root.subgraphs[0].inputs:
            root.subgraphs[0].inputs = [len(root.subgraphs[0].tensors)]
            root.subgraphs[0].tensors.append(Tensor(F32, [1]).table("unused", 0))
        for blob in [name.encode(), pack(root)]:
            content += struct.pack("<I", len(blob)) + blob
    (HERE / "movement.forms").write_bytes(content)


def make():
    refused()
    reshape()
    squeeze()
    expand_dims()
    shape()
    pad()
    concatenation()
    split()
    packs()
    slices()
    strided_slice()
    gather()
    scatter_nd()
    transpose()
    spaces()
    resize()
    reverse_v2()
    broadcast()
    fill()
    embedding_lookup()
    dynamic_update_slice()
    where()
