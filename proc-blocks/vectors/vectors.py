"""Writes `vectors.json`: what a block has to answer, from an implementation that is not ours.

    import numpy as np, scipy.signal, sys
    sys.path.append("../vectors")
    from vectors import Case, wav, write

    x = np.arange(8, dtype=np.float32)
    case = Case("ramp", args={"width": 3}, relative=1e-6)
    case.call([x], [scipy.signal.medfilt(x, 3)])
    refused = Case("even", args={"width": 2}, refused="odd").types([x], [x])
    write(__file__, oracle=f"scipy {scipy.__version__} signal.medfilt", cases=[case, refused])

The format, for a block in any language:

    {"oracle": TEXT, "cases": [{"name": TEXT, "args": {NAME: VALUE}, "inputs": [TYPE], "outputs": [TYPE],
      "calls": [CALL], "refused": TEXT, "absolute": NUMBER, "relative": NUMBER}]}
    TYPE = {"type": "f32", "dims": [2, "<=8"]}      ("<=8": at most 8)
    CALL = {"inputs": [T], "outputs": [T]} | {"inputs": [T], "nothing": true}
         | {"inputs": [T], "fault": "bad-value" | "out-of-range" | "block"}
    T    = [1, "NaN", "inf"] | {"base64": TEXT} | {"wav": "speech.wav", "start": 0}

`refused` (a part of the message) is in place of `calls`. A number x of a tensor is right if its bits are
those of the expected y, or |x - y| <= absolute + relative * max |y| over the finite y of the tensor.
"""

import base64
import json
import math
import pathlib

import numpy as np

DATA = pathlib.Path(__file__).parent / "data"
# Longer tensors of numbers are written as base64.
LONGEST_LIST = 24


class Wav:
    """Samples of a recording in `data/`: 16 kHz, one channel, i16."""

    def __init__(self, name, start, count):
        samples = np.frombuffer((DATA / name).read_bytes()[44:], "<i2")
        self.samples = samples[start:][:count]
        self.json = {"wav": name, "start": start}


def wav(name, start=0, count=None):
    """An input that is part of a recording; `.samples` is the array."""
    return Wav(name, start, count)


class Case:
    """An instance and its calls. Tensors are numpy arrays, lists of strings, or `wav(...)`.

    Types are those of the first call's arrays; `inputs` and `outputs` say them where a call does not
    (bounds, no outputs): lists of ("f32", [2, "<=8"]).
    """

    def __init__(
        self, name, args=None, inputs=None, outputs=None, absolute=0.0, relative=0.0, refused=None
    ):
        self.name, self.args, self.refused = name, args or {}, refused
        self.absolute, self.relative = absolute, relative
        self.inputs = [_named(t) for t in inputs] if inputs else None
        self.outputs = [_named(t) for t in outputs] if outputs else None
        self.calls = []

    def types(self, inputs, outputs):
        """Takes the types of these tensors."""
        self.inputs = self.inputs or [_type(t) for t in inputs]
        self.outputs = self.outputs or [_type(t) for t in outputs]
        return self

    def call(self, inputs, outputs=None, fault=None):
        """One call; without outputs and fault it gives nothing this time."""
        self.types(inputs, outputs or [])
        call = {"inputs": [_tensor(t) for t in inputs]}
        if fault:
            call["fault"] = fault
        elif outputs is None:
            call["nothing"] = True
        else:
            call["outputs"] = [_tensor(t) for t in outputs]
        self.calls.append(call)
        return self

    def json(self):
        if not self.inputs or not self.outputs:
            raise ValueError(f"case {self.name}: say the types of its inputs and outputs")
        args = {name: _argument(value) for name, value in self.args.items()}
        case = {"name": self.name, "args": args, "inputs": self.inputs, "outputs": self.outputs}
        if self.refused is not None:
            return case | {"refused": self.refused}
        case |= {k: getattr(self, k) for k in ("absolute", "relative") if getattr(self, k)}
        return case | {"calls": self.calls}


def write(script, oracle, cases):
    """Writes `vectors.json` beside the script; a line for each call."""
    lines = []
    for case in cases:
        case = case.json()
        calls = case.pop("calls", None)
        head = json.dumps(case, ensure_ascii=False)
        if calls is not None:
            body = ",\n".join("    " + json.dumps(c, ensure_ascii=False, allow_nan=False) for c in calls)
            head = head[:-1] + ', "calls": [\n' + body + "\n  ]}"
        lines.append("  " + head)
    text = '{"oracle": %s, "cases": [\n%s\n]}\n' % (json.dumps(oracle), ",\n".join(lines))
    json.loads(text)
    path = pathlib.Path(script).resolve().with_name("vectors.json")
    path.write_text(text, encoding="utf-8")
    print(f"{path.parent.name}: {len(cases)} cases, {len(text.encode()) / 1024:.1f} KiB")


def _named(of):
    name, dims = of
    return {"type": name, "dims": [d if isinstance(d, str) else int(d) for d in dims]}


def _type(tensor):
    if isinstance(tensor, Wav):
        tensor = tensor.samples
    if isinstance(tensor, list):
        if not all(isinstance(t, str) for t in tensor):
            raise TypeError("a tensor is a numpy array with the dtype of its port, or a list of strings")
        return {"type": "utf8", "dims": [len(tensor)]}
    kind = {"u": "u", "i": "i", "f": "f"}[tensor.dtype.kind]
    return {"type": f"{kind}{8 * tensor.dtype.itemsize}", "dims": list(tensor.shape)}


def _tensor(tensor):
    if isinstance(tensor, Wav):
        return tensor.json
    if isinstance(tensor, list):
        return tensor
    if tensor.size > LONGEST_LIST:
        data = tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()
        return {"base64": base64.b64encode(data).decode()}
    return [_number(x) for x in tensor.ravel().tolist()]


def _number(x):
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if math.isnan(x) else "inf" if x > 0 else "-inf"
    return x


def _argument(value):
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value.item() if isinstance(value, np.generic) else value
