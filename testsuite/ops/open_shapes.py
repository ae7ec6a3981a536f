"""Makes `open.forms`: models whose files leave dimensions open, each beside the same model fixed.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6
    python open_shapes.py

A case is its name and the model, each written as its length (u32, little-endian) and its bytes; a name that
ends in ` fixed` is that of the model before it, with the dimensions that `frontend/models/tests/open.rs` gives.
"""

import struct

import numpy as np
from forge import F32, HERE, I32, VALID, Tensor, draw, options, pack, table

forms = b""


def form(name, root):
    global forms
    for blob in [name.encode(), pack(root)]:
        forms += struct.pack("<I", len(blob)) + blob


def opened(root, signatures):
    """The same model, its inputs and results open where their signature has -1."""
    for tensor, signature in zip(root.subgraphs[0].tensors, signatures):
        if signature:
            tensor.shapeSignature = signature
            tensor.shape = [1 if d == -1 else d for d in signature]
    return root


def pair(name, make, signatures):
    form(name, opened(make(), signatures))
    form(name + " fixed", make())


weights, bias = Tensor(F32, data=draw(F32, [3, 4])), Tensor(F32, data=draw(F32, [3]))
pair("batch", lambda: table("FULLY_CONNECTED", options("FullyConnected"),
     [Tensor(F32, [5, 4]), weights, bias, Tensor(F32, [5, 3])]), [[-1, 4], None, None, [-1, 3]])

kernel, offset = Tensor(F32, data=draw(F32, [2, 3, 3, 2])), Tensor(F32, data=draw(F32, [2]))
conv = options("Conv2D", padding=VALID, strideH=2, strideW=1)
pair("image", lambda: table("CONV_2D", conv,
     [Tensor(F32, [2, 7, 6, 2]), kernel, offset, Tensor(F32, [2, 3, 4, 2])]),
     [[-1, -1, -1, 2], None, None, [-1, -1, -1, 2]])

pair("reshape", lambda: table("RESHAPE", options("Reshape", newShape=[-1, 6]),
     [Tensor(F32, [4, 3, 2]), Tensor(I32, data=np.array([-1, 6], I32)), Tensor(F32, [4, 6])]),
     [[-1, 3, 2], None, [-1, 6]])

(HERE / "open.forms").write_bytes(forms)
print(len(forms), "bytes")
