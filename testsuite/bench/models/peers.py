"""One peer of the benchmark of models, driven line by line; README.md beside this says how.

    python peers.py xnnpack|builtin|reference|micro

At first it says `ok NAME VERSION, BYTES OF THE RUNTIME`. Then it answers lines of words between tabs:

    load NAME MODEL INPUT     `ok ARENA OUTPUT`: bytes of the arena or `-`, and the output in hexadecimal
    run NAME MILLISECONDS     `ok CALLS MEDIAN LEAST`: microseconds of one call, nothing but the call timed

MODEL is a file, INPUT one with the bytes of all inputs, one after the other. What fails is `error REASON`.
"""

import importlib.metadata
import os
import pathlib
import re
import sys
import tempfile
import time

import numpy as np

KIND = sys.argv[1]


def litert(path, values):
    """LiteRT: with XNNPACK, with its own optimised kernels, or with its reference kernels; one thread."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = {
        "xnnpack": OpResolverType.AUTO,
        "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "reference": OpResolverType.BUILTIN_REF,
    }[KIND]
    interpreter = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], values(detail["dtype"], detail["shape"]))

    def outputs():
        return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]

    # Below the method `invoke` of Python, which first looks for arrays that share memory.
    return interpreter._interpreter.Invoke, outputs, "-"


def micro(path, values):
    """TensorFlow Lite Micro, with the kernels of its package for Python, which are the reference ones."""
    from ai_edge_litert import schema_py_generated as tfl
    from tflite_micro import runtime

    content = path.read_bytes()
    interpreter = runtime.Interpreter.from_bytes(content)
    graph = tfl.ModelT.InitFromObj(tfl.Model.GetRootAs(content, 0)).subgraphs[0]
    for index in range(len(graph.inputs)):
        detail = interpreter.get_input_details(index)
        interpreter.set_input(values(detail["dtype"], detail["shape"]), index)

    def outputs():
        return [np.array(interpreter.get_output(i)) for i in range(len(graph.outputs))]

    return interpreter._interpreter.Invoke, outputs, arena_of(interpreter)


def arena_of(interpreter):
    """How many bytes of the arena are in use, from what it prints of them."""
    sys.stdout.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            interpreter.print_allocations()
        finally:
            for stream, old in zip((1, 2), kept):
                os.dup2(old, stream)
                os.close(old)
        file.seek(0)
        found = re.search(rb"Arena allocation total (\d+) bytes", file.read())
    return found[1].decode() if found else "-"


def load(model, inputs):
    """A model's call, its output for these inputs, and the bytes of its arena."""
    content, at = pathlib.Path(inputs).read_bytes(), 0

    def values(dtype, shape):
        nonlocal at
        count = int(np.prod(shape))
        value = np.frombuffer(content, dtype, count, at).reshape(shape)
        at += value.nbytes
        return value

    call, outputs, arena = (micro if KIND == "micro" else litert)(pathlib.Path(model), values)
    if at != len(content):
        raise ValueError(f"its inputs have {at} bytes, not {len(content)}")
    call()
    return call, b"".join(np.ascontiguousarray(o).tobytes() for o in outputs()), arena


def measure(call, milliseconds):
    """So many milliseconds of calls: how many, and the median and least microseconds of one."""
    clock = time.perf_counter_ns

    def batch_time(count):
        start = clock()
        for _ in range(count):
            call()
        return (clock() - start) / 1e3

    # A batch is long enough that the clock is not felt.
    once = min(batch_time(1) for _ in range(3))
    batch = max(1, int(np.ceil(20 / once)))
    times, end = [], clock() + milliseconds * 1e6
    while clock() < end or len(times) < 3:
        times.append(batch_time(batch) / batch)
    times.sort()
    return len(times) * batch, times[len(times) // 2], times[0]


def about():
    """The runtime's name and version, and how large it is."""
    name = "tflite_micro" if KIND == "micro" else "ai_edge_litert"
    package = pathlib.Path(__import__(name).__file__).parent
    pattern = "_runtime.so" if KIND == "micro" else "libpywrap_litert_common.so"
    size = sum(f.stat().st_size for f in package.rglob(pattern))
    return f"{name.replace('_', '-')} {importlib.metadata.version(name)}, {size}"


def main():
    # What the runtimes print goes to the standard error, so that answers stand alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        answers.write(f"ok {about()}\n")
    except Exception as error:
        answers.write(f"error {error}\n")
        return
    calls = {}
    for line in sys.stdin:
        word, name, *rest = line.rstrip("\n").split("\t")
        try:
            if word == "load":
                calls[name], output, arena = load(*rest)
                answers.write(f"ok {arena} {output.hex()}\n")
            elif word == "run":
                answers.write("ok {} {} {}\n".format(*measure(calls[name], float(rest[0]))))
            else:
                raise ValueError(f"no such command: {word}")
        except Exception as error:
            reason = " ".join(str(error).split())
            answers.write(f"error {reason}\n")


main()
