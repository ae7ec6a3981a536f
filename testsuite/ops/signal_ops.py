"""The signal operators of TensorFlow Lite Micro, which are custom operators with FlexBuffers as options, and
CIRCULAR_BUFFER and TFLM_DECODE; the oracle is TensorFlow Lite Micro.

What it leaves as it was in memory is zero here: the frames of a framer before its first whole one, the
stack before it is whole, and energies outside their range.
"""

import math

import numpy as np
from flatbuffers import flexbuffers

import forge
from forge import *

U32, U64 = np.uint32, np.uint64
forge.TYPES[np.dtype(U64)] = tfl.TensorType.UINT64
TYPE_NUMBERS = {F32: 0, I32: 2, I16: 7}


def case(v, name, opts, tensors, calls, outputs=1, blank=lambda call, results: None, **more):
    """Adds a case of a custom operator. `blank` takes what the operator leaves unwritten."""

    def oracle(content, rounds):
        results = micro(content, rounds)
        for call, result in enumerate(results):
            blank(call, result)
        return results

    options = flexbuffers.Dumps(opts)
    v.add(name, model(v.operator, None, tensors, outputs, options), calls, oracle=oracle, **more)


def ends(dtype, shape):
    """The ends of an integer type and what is around zero, drawn."""
    info = np.iinfo(dtype)
    values = np.array([info.min, info.min + 1, -1, 0, 1, info.max - 1, info.max], dtype)
    return values[forge.random.integers(0, len(values), shape)]


def tone(length, period, amplitude, dtype=I16):
    return np.asarray(np.round(amplitude * np.sin(2 * np.pi * np.arange(length) / period)), dtype)


def hann(length, one=4096):
    at = (np.arange(length) + 0.5) * 2 * np.pi / length
    return np.asarray(np.floor((0.5 - 0.5 * np.cos(at)) * one + 0.5), I16)


def window():
    v = Vectors("SignalWindow")
    for name, shape, weights, shift in [
        ("hann 16", [16], hann(16), 12), ("batch", [3, 10], hann(10), 12), ("rank 3", [2, 2, 7], hann(7), 12),
        ("shift 0 saturates", [2, 9], draw(I16, [9]), 0), ("shift 15", [1, 33], draw(I16, [33]), 15),
        ("shift 31", [4], draw(I16, [4]), 31), ("one", [5, 1], hann(1), 3), ("several windows in a row", [2, 12], hann(4), 11),
        ("hann 480", [1, 480], hann(480), 12),
    ]:
        y = Tensor(I16, shape)
        case(v, name, {"shift": shift}, [Tensor(I16, shape), Tensor(I16, data=weights), y],
             [[draw(I16, shape)], [ends(I16, shape)]], distinct=False)
    case(v, "open weights", {"shift": 9}, [Tensor(I16, [2, 6]), Tensor(I16, [6]), Tensor(I16, [2, 6])],
         [[draw(I16, [2, 6]), draw(I16, [6])]])
    v.write()


def fft_auto_scale():
    v = Vectors("SignalFftAutoScale")
    for name, x in [
        ("small", [1, -2, 3, 0]), ("one", [1]), ("zero", [0, 0, 0]), ("seven", [-7, 100, 127, -128]), ("full", [32767, 5]),
        ("lowest last", [3, -32768]), ("lowest first", [-32768, 3, -9, 4]), ("lowest then below", [-32768, -5, -7, -6]),
        ("lowest twice", [-32768, -32768]), ("lowest then zero", [-32768, 0]), ("half", [16383, -16384]), ("more than half", [16384, 1]),
        ("tone", tone(480, 31.3, 300)), ("odd", tone(33, 5, 1000)),
    ]:
        x = np.array(x, I16)
        case(v, name, {}, [Tensor(I16, x.shape), Tensor(I16, x.shape), Tensor(I32, [])], [[x]], 2, distinct=False)
    v.write()


LENGTHS = [4, 6, 8, 10, 12, 16, 20, 24, 30, 32, 36, 48, 50, 64, 100, 120, 128, 256, 480, 512]


def transform(operator, lengths):
    """What a transform takes for each element type and length, as name, type, length and shape but for the last."""
    v = Vectors(operator)
    for dtype in [I16, I32, F32]:
        for i, length in enumerate(lengths):
            if length > 128 and dtype == F32 and length not in [256, 480]:
                continue
            outer = [[], [1], [2], [2, 1, 3]][i % 4] if length <= 64 else []
            yield v, f"{np.dtype(dtype).name} {length}", {"T": TYPE_NUMBERS[dtype], "fft_length": length}, dtype, length, outer
    v.write()


def rfft():
    for v, name, opts, dtype, length, outer in transform("SignalRfft", LENGTHS):
        def add(name, given, calls):
            case(v, name, opts, [Tensor(dtype, outer + [given]), Tensor(dtype, outer + [length + 2])], calls, distinct=False)

        calls = [[draw(dtype, outer + [length])]]
        if dtype != F32:
            calls.append([ends(dtype, outer + [length])])
        if length <= 64:
            add(name, length, calls)
        else:
            wave = tone(length, length / 9.7, 30000 if dtype == I16 else 1e9 if dtype == I32 else 1, F32)
            add(name, length, [[np.asarray(wave, dtype)]])
        if length in [8, 24, 64, 512]:
            given = length * 15 // 16 - 1
            add(f"{name} of {given}", given, [[draw(dtype, outer + [given])]])


def irfft():
    for v, name, opts, dtype, length, outer in transform("SignalIrfft", LENGTHS[:-4] + [256, 512]):
        calls = [[draw(dtype, outer + [length + 2])]]
        if dtype != F32 and length <= 64:
            calls.append([ends(dtype, outer + [length + 2])])
        case(v, name, opts, [Tensor(dtype, outer + [length + 2]), Tensor(dtype, outer + [length])], calls, distinct=False)


def energy():
    v = Vectors("SignalEnergy")
    for name, length, start, end in [
        ("all", 18, 0, 9), ("part", 34, 3, 15), ("none", 10, 2, 2), ("one", 10, 4, 5), ("first", 2, 0, 1), ("257", 514, 5, 241),
    ]:
        def blank(_, results):
            results[0][:start] = 0
            results[0][end:] = 0

        case(v, name, {"end_index": end, "start_index": start}, [Tensor(I16, [length]), Tensor(U32, [length // 2])],
             [[draw(I16, [length])], [ends(I16, [length])]], blank=blank, distinct=False)
    v.write()


def mel(channels, bins, low, high):
    """The tables of a bank of triangles: weights, what they lack to 4096, first bins, first weights, widths."""
    edges = np.linspace(math.log(low), math.log(high), channels + 2)
    places = np.exp(edges)
    weights, unweights, starts, firsts, widths = [], [], [], [], []
    begin = 0
    for channel in range(channels + 1):
        end = int(places[channel + 1]) + 1 if channel < channels else bins
        taps = [b for b in range(max(begin, math.ceil(places[channel])), min(end, bins)) if b <= places[channel + 1]]
        starts.append(taps[0] if taps else 0)
        firsts.append(len(weights))
        widths.append(len(taps))
        for b in taps:
            share = (places[channel + 1] - b) / (places[channel + 1] - places[channel])
            weights.append(round(share * 4096))
            unweights.append(4096 - weights[-1])
        begin = taps[-1] + 1 if taps else begin
    # A channel's rising side is the falling one's complement, so the sides change places.
    return [np.array(t, I16) for t in (unweights, weights, starts, firsts, widths)]


def filter_bank():
    v = Vectors("SignalFilterBank")
    for name, channels, bins in [("5 of 33", 5, 33), ("1 of 9", 1, 9), ("12 of 65", 12, 65), ("32 of 257", 32, 257)]:
        tables = mel(channels, bins, 1.5, bins - 2)
        energies = [np.full(bins, 2**32 - 1, U32), draw(U32, [bins]), np.asarray(forge.random.integers(0, 1000, bins), U32)]
        case(v, name, {"num_channels": channels}, [Tensor(U32, [bins]), *(Tensor(I16, data=t) for t in tables), Tensor(U64, [channels])],
             [[e] for e in energies])
    widths, starts, firsts = [0, 3, 1, 0, 2], [0, 1, 9, 0, 4], [0, 2, 0, 0, 3]
    tables = [draw(I16, [6]), ends(I16, [6]), *(np.array(t, I16) for t in (starts, firsts, widths))]
    case(v, "negative weights, empty channels", {"num_channels": 4}, [Tensor(U32, [10]), *(Tensor(I16, data=t) for t in tables), Tensor(U64, [4])],
         [[draw(U32, [10])], [np.full(10, 2**32 - 1, U32)]])
    case(v, "open weights", {"num_channels": 4},
         [Tensor(U32, [10]), Tensor(I16, [6]), Tensor(I16, [6]), *(Tensor(I16, data=t) for t in tables[2:]), Tensor(U64, [4])],
         [[draw(U32, [10]), draw(I16, [6]), draw(I16, [6])]])
    v.write()


def filter_bank_square_root():
    v = Vectors("SignalFilterBankSquareRoot")
    edges = [0, 1, 2, 3, 4, 6, 7, 12, 13, 2**16, 2**32 - 1, 2**32, 2**32 - 2**16, 2**32 - 2**17 + 1, 2**32 + 2**17,
             2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 2**32, 2**64 - 2**33 + 1, 65535 * 65535 + 65535, 65535 * 65535 + 65536]
    spread = draw(U64, [40]) >> np.asarray(forge.random.integers(0, 64, 40), U64)
    squares = np.array([(n * n + d) % 2**64 for n in [5, 1000, 65537, 3000000000, 4294967295] for d in [-1, 0, 1, n, n + 1]], U64)
    for name, x, bits in [("edges", edges, [0, 1, 31]), ("spread", spread, [0, 3, 7]), ("squares", squares, [0, 2]), ("one", [99], [1])]:
        x = np.array(x, U64)
        case(v, name, {}, [Tensor(U64, x.shape), Tensor(I32, []), Tensor(U32, x.shape)], [[x, np.array(b, I32)] for b in bits])
    v.write()


def spectral_options(channels, clamping=False, smoothing=0.025, alternate=0.06, remaining=0.05, smoothing_bits=10, bits=14):
    one = 1 << bits
    return {
        "alternate_one_minus_smoothing": one - round(alternate * one), "alternate_smoothing": round(alternate * one),
        "clamping": clamping, "min_signal_remaining": round(remaining * one), "num_channels": channels,
        "one_minus_smoothing": one - round(smoothing * one), "smoothing": round(smoothing * one),
        "smoothing_bits": smoothing_bits, "spectral_subtraction_bits": bits,
    }


def spectral_subtraction():
    v = Vectors("SignalFilterBankSpectralSubtraction")
    for name, channels, top, more in [
        ("32 channels", 32, 2**20, {}), ("odd", 7, 2**18, {"clamping": True}), ("one", 1, 2**16, {}), ("overflowing", 5, 2**32, {}),
        ("overflowing, clamped", 6, 2**32, {"clamping": True}), ("no smoothing bits", 4, 2**31, {"smoothing_bits": 0, "bits": 8}),
        ("swift", 9, 2**20, {"smoothing": 0.9, "alternate": 0.5, "clamping": True}),
    ]:
        calls = [[np.asarray(forge.random.integers(0, top >> shift, channels), U32)] for shift in [0, 0, 6, 0, 3]]
        calls.append([np.zeros(channels, U32)])
        case(v, name, spectral_options(channels, **more), [Tensor(U32, [channels])] + [Tensor(U32, [channels])] * 2, calls, 2, distinct=False)
    v.write()


def gain_table(strength=0.95, offset=80.0, gain_bits=21, correction=3):
    """The gains at 0, 1 and 2 and then for each interval between powers of two a parabola through three points."""
    def gain(x):
        return min(32767, max(-32768, math.floor((1 << gain_bits) * (x / 2**correction + offset) ** -strength + 0.5)))

    table = [0] * 125
    table[0], table[1] = gain(0), gain(1)
    for interval in range(2, 33):
        low = 1 << (interval - 1)
        high = (1 << interval) - 1 if interval == 32 else 1 << interval
        y0, y1, y2 = gain(low), gain(low + (high - low) / 2), gain(high)
        a1, a2 = 4 * (y1 - y0) - (y2 - y0), 2 * (y2 - y0) - 4 * (y1 - y0)
        table[4 * interval - 6 : 4 * interval - 3] = [y0, a1, a2]
    return np.array(np.clip(table, -32768, 32767), I16)


def pcan():
    v = Vectors("SignalPCAN")
    noises = [0, 1, 2, 3, 4, 7, 8, 100, 1023, 1024, 1025, 2047, 2048, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1]
    for name, table, shift in [
        ("plain", gain_table(), 6), ("weak", gain_table(0.3, 20.0, 12), 0), ("wild table", draw(I16, [125]), 11),
        ("ends in the table", ends(I16, [125]), 33), ("longer table", draw(I16, [130]), 20),
    ]:
        noise = np.array(noises + list(draw(U32, [9]) >> np.asarray(forge.random.integers(0, 31, 9), U32)), U32)
        signal = draw(U32, noise.shape) >> np.asarray(forge.random.integers(0, 31, len(noise)), U32)
        shape = list(noise.shape)
        case(v, name, {"snr_shift": shift}, [Tensor(U32, shape), Tensor(U32, shape), Tensor(I16, data=table), Tensor(U32, shape)],
             [[signal, noise], [np.full(shape, 2**32 - 1, U32), noise]])
    v.write()


def filter_bank_log():
    v = Vectors("SignalFilterBankLog")
    values = [0, 1, 2, 3, 4, 5, 100, 255, 256, 511, 512, 65535, 65536, 65537, 2**20 - 1, 2**31 - 1, 2**31, 2**32 - 1]
    spread = draw(U32, [60]) >> np.asarray(forge.random.integers(0, 32, 60), U32)
    for name, bits, scale in [("plain", 3, 1600), ("no correction", 0, 64), ("saturates", 0, 65535), ("overflows", 5, 300000), ("scale 1", 1, 1), ("shifts out", 17, 7000)]:
        for part, x in [("edges", np.array(values, U32)), ("spread", spread)]:
            case(v, f"{name}, {part}", {"input_correction_bits": bits, "output_scale": scale},
                 [Tensor(U32, x.shape), Tensor(I16, x.shape)], [[x]], distinct=False)
    v.write()


def framer():
    v = Vectors("SignalFramer")
    for name, size, step, outer, frames in [
        ("overlap", 5, 2, [], 2), ("no overlap", 4, 4, [1], 1), ("one step", 7, 3, [1], 1), ("rows", 6, 2, [3], 2), ("rank 3", 3, 2, [2, 2], 3),
        ("400 of 160", 400, 160, [1], 1), ("long", 3, 1, [2], 9),
    ]:
        for prefill in [False, True]:
            first = 0 if prefill else -(-size // step) - 1

            def blank(call, results):
                flat = results[0].reshape([-1, frames, size])
                for frame in range(frames):
                    if call * frames + frame < first:
                        flat[:, frame] = 0

            shape = outer + [frames * step]
            calls = [[draw(I16, shape)] for _ in range(5)]
            case(v, f"{name}{' filled' if prefill else ''}", {"frame_size": size, "frame_step": step, "prefill": prefill},
                 [Tensor(I16, shape), Tensor(I16, outer + [frames, size]), Tensor(BOOL, [])], calls, 2, blank, distinct=False)
    case(v, "gaps", {"frame_size": 2, "frame_step": 5, "prefill": False}, [Tensor(I16, [10]), Tensor(I16, [2, 2]), Tensor(BOOL, [])],
         [[draw(I16, [10])] for _ in range(3)], 2)
    v.write()


def stacker():
    v = Vectors("SignalStacker")
    for name, channels, left, right, step in [
        ("plain", 3, 1, 2, 2), ("only left", 4, 3, 0, 1), ("only right", 5, 0, 3, 2), ("alone", 6, 0, 0, 1), ("whole step", 2, 2, 1, 4), ("40 channels", 40, 0, 2, 3),
    ]:
        depth, valid = left + right + 1, []
        count = left
        for _ in range(12):
            count += 1
            valid.append(count >= depth)
            count -= step if count >= depth else 0

        def blank(call, results):
            assert bool(results[1]) == valid[call]
            if not valid[call]:
                results[0][:] = 0

        opts = {"num_channels": channels, "stacker_left_context": left, "stacker_right_context": right, "stacker_step": step}
        case(v, name, opts, [Tensor(I16, [channels]), Tensor(I16, [channels * depth]), Tensor(BOOL, [])],
             [[draw(I16, [channels])] for _ in range(9)], 2, blank, distinct=False)
    v.write()


def overlap_add():
    v = Vectors("SignalOverlapAdd")
    for dtype in [I16, F32]:
        for name, size, step, outer, frames in [
            ("half", 8, 4, [], 1), ("quarter", 8, 2, [1], 3), ("whole", 5, 5, [2], 2), ("odd", 7, 3, [2, 2], 2), ("480 of 160", 480, 160, [1], 1),
        ]:
            calls = [[draw(dtype, outer + [frames, size])] for _ in range(4)]
            if dtype == I16:
                calls.append([ends(I16, outer + [frames, size])])
            case(v, f"{np.dtype(dtype).name} {name}", {"T": TYPE_NUMBERS[dtype], "frame_step": step},
                 [Tensor(dtype, outer + [frames, size]), Tensor(dtype, outer + [frames * step])], calls)
    v.write()


def delay():
    v = Vectors("SignalDelay")
    for name, shape, length in [
        ("short", [6], 2), ("none", [5], 0), ("as long", [2, 4], 4), ("longer", [3], 8), ("rows", [2, 3, 5], 3), ("one", [1, 1], 1), ("far", [160], 400),
    ]:
        case(v, name, {"delay_length": length}, [Tensor(I16, shape), Tensor(I16, shape)], [[draw(I16, shape)] for _ in range(5)], distinct=False)
    v.write()


def circular_buffer():
    v = Vectors("CIRCULAR_BUFFER")
    for name, slots, width, depth, cycles, zero in [
        ("plain", 3, 1, 4, 1, 0), ("wide", 4, 2, 5, 1, 7), ("one slot", 1, 1, 6, 1, -3), ("every second", 5, 1, 3, 2, 11), ("no options", 13, 1, 2, None, -128),
    ]:
        tensors = [Tensor(I8, [1, 1, width, depth], 0.5, zero), Tensor(I8, [1, slots, width, depth], 0.5, zero, variable=True)]
        calls = [[draw(I8, [1, 1, width, depth])] for _ in range(slots + 2)]
        if cycles is None:
            v.add(name, model(v.operator, None, tensors, custom=b""), calls, oracle=micro)
        else:
            case(v, name, {"cycles_max": cycles}, tensors, calls)
    v.write()


class Chain:
    """A model of several operators, custom ones by name, made one after the other."""

    def __init__(self):
        self.tensors, self.buffers, self.steps, self.codes, self.names = [], [tfl.BufferT()], [], [], []

    def tensor(self, tensor):
        index = 0
        if tensor.data is not None:
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
            index = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor.table(f"t{len(self.tensors)}", index))
        return len(self.tensors) - 1

    def add(self, operator, opts, inputs, outputs):
        """Adds a custom operator and gives its outputs."""
        if operator not in self.names:
            code = tfl.OperatorCodeT()
            code.builtinCode, code.customCode = tfl.BuiltinOperator.CUSTOM, operator
            code.deprecatedBuiltinCode = code.builtinCode
            self.names.append(operator)
            self.codes.append(code)
        step = tfl.OperatorT()
        step.opcodeIndex = self.names.index(operator)
        step.inputs, step.outputs = inputs, [self.tensor(t) for t in outputs]
        step.customOptions = list(flexbuffers.Dumps(opts))
        self.steps.append(step)
        return step.outputs

    def pack(self, inputs, outputs):
        graph, root = tfl.SubGraphT(), tfl.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.steps, inputs, outputs
        root.version, root.operatorCodes, root.subgraphs, root.buffers = 3, self.codes, [graph], self.buffers
        return pack(root)


def preprocessor(samples, length, channels):
    """From a window of samples to the logarithms of its noise-reduced bands, as a front end of speech has it."""
    chain, bins = Chain(), length // 2 + 1
    x = chain.tensor(Tensor(I16, [samples]))
    constant = lambda values: chain.tensor(Tensor(values.dtype, data=values))
    (y,) = chain.add("SignalWindow", {"shift": 12}, [x, constant(hann(samples))], [Tensor(I16, [samples])])
    y, bits = chain.add("SignalFftAutoScale", {}, [y], [Tensor(I16, [samples]), Tensor(I32, [])])
    (y,) = chain.add("SignalRfft", {"T": TYPE_NUMBERS[I16], "fft_length": length}, [y], [Tensor(I16, [2 * bins])])
    tables = mel(channels, bins, bins / 60, bins * 0.94)
    start, end = int(tables[2][tables[4] > 0].min()), int((tables[2] + tables[4]).max())
    (y,) = chain.add("SignalEnergy", {"end_index": end, "start_index": start}, [y], [Tensor(U32, [bins])])
    (y,) = chain.add("SignalFilterBank", {"num_channels": channels}, [y, *map(constant, tables)], [Tensor(U64, [channels])])
    (y,) = chain.add("SignalFilterBankSquareRoot", {}, [y, bits], [Tensor(U32, [channels])])
    y, noise = chain.add("SignalFilterBankSpectralSubtraction", spectral_options(channels), [y], [Tensor(U32, [channels])] * 2)
    (y,) = chain.add("SignalPCAN", {"snr_shift": 6}, [y, noise, constant(gain_table())], [Tensor(U32, [channels])])
    (y,) = chain.add("SignalFilterBankLog", {"input_correction_bits": 3, "output_scale": 1600}, [y], [Tensor(I16, [channels])])
    return chain.pack([x], [y])


def audio_preprocessor():
    v = Vectors("AUDIO_PREPROCESSOR")
    for samples, length, channels in [(480, 512, 40), (400, 512, 23), (60, 64, 8)]:
        calls = []
        for call in range(8):
            wave = tone(samples, 20 + 7 * call, [30000, 3000, 200, 12000][call % 4])
            noise = forge.random.integers(-40, 41, samples)
            calls.append([np.asarray(np.clip(wave + noise, -32768, 32767), I16)])
        calls += [[draw(I16, [samples])], [ends(I16, [samples])], [np.zeros(samples, I16)]]
        v.add(f"{samples} samples, {channels} channels", preprocessor(samples, length, channels), calls, oracle=micro, distinct=False)
    v.write()


def bit_string(numbers, widths):
    """Numbers of so many bits, the highest first, as whole words of four bytes."""
    text = "".join(format(n, f"0{w}b") for n, w in zip(numbers, widths, strict=True))
    text += "0" * (-len(text) % 32)
    return np.array([int(text[i : i + 8], 2) for i in range(0, len(text), 8)], U8)


def codebook(symbols):
    """A Huffman code: for each symbol its bits as text."""
    heap = [(symbols.count(s), [s], {s: ""}) for s in sorted(set(symbols))]
    while len(heap) > 1:
        heap.sort(key=lambda node: (node[0], node[1]))
        (n, a, codes), (m, b, others) = heap[:2]
        joined = {s: "0" + c for s, c in codes.items()} | {s: "1" + c for s, c in others.items()}
        heap = [(n + m, a + b, joined), *heap[2:]]
    return heap[0][2]


def code_table(codes, first, more, wide):
    """The entries by the first bits of a code, then, for longer ones, by `more` bits each."""
    found, shift, mask = (1 << 31, 27, 0xFFFF) if wide else (1 << 15, 11, 0xFF)
    table = [None] * (1 << first)

    def fill(begin, width, prefix):
        for index in range(1 << width):
            bits = prefix + format(index, f"0{width}b")
            match = [s for s, c in codes.items() if bits.startswith(c)]
            if match:
                used = len(codes[match[0]]) - len(prefix)
                table[begin + index] = found | used << shift | match[0] & mask
            else:
                next_begin = len(table)
                table.extend([None] * (1 << more))
                table[begin + index] = (more - 1) << shift | next_begin - begin - index
                fill(next_begin, more, bits)

    fill(0, first, "")
    return np.array(table, U32 if wide else np.uint16)


def decode():
    v = Vectors("TFLM_DECODE")

    def add(name, header, table, packed, output):
        """A model that hands out x and unpacks a constant beside it."""
        chain = Chain()
        x = chain.tensor(Tensor(F32, [2]))
        header = np.array(header + [0] * (16 - len(header)), U8)
        ancillary = np.concatenate([header, np.frombuffer(table.tobytes(), U8)])
        packed, ancillary = (chain.tensor(Tensor(U8, data=t)) for t in (packed, ancillary))
        (z,) = chain.add("TFLM_DECODE", {}, [packed, ancillary], [output])
        v.add(name, chain.pack([x], [x, z]), [[draw(F32, [2])]], oracle=micro, distinct=False)

    for dtype, shape, width, scale, axis in [
        (I8, [5, 9], 2, None, 0), (I8, [70], 3, 0.5, 0), (I8, [4, 33], 4, [0.5] * 4, 0), (I8, [7, 3], 3, [0.5] * 3, 1), (I8, [100], 7, None, 0),
        (I16, [11], 5, None, 0), (I32, [3, 5], 6, [0.5] * 3, 0), (I64, [9], 4, None, 0), (F32, [2, 13], 1, None, 0), (BOOL, [19], 1, None, 0),
    ]:
        channels, stride = len(np.atleast_1d(scale)) if scale is not None else 1, min(1 << width, 100)
        indices = forge.random.integers(0, stride, math.prod(shape))
        table = draw(dtype, [channels * stride])
        name = f"table of {np.dtype(dtype).name} {shape} by {width} bits, {channels} channels along {axis}"
        packed = bit_string(indices, [width] * len(indices))
        add(name, [0, 1, 0, 0, 1, width, stride], table, packed, Tensor(dtype, shape, scale, axis=axis))
    for dtype, shape, scale, zero, axis in [
        (I8, [6, 7], None, 0, 0), (I8, [31], 0.5, -7, 0), (I8, [4, 5], [0.5] * 4, 3, 0), (I8, [4, 5], [0.5] * 5, 3, 1),
        (I16, [12], None, 0, 0), (I32, [10], None, 0, 0), (I64, [5], None, 0, 0), (F32, [3, 6], None, 0, 0), (BOOL, [9], None, 0, 0),
    ]:
        mask = forge.random.integers(0, 2, math.prod(shape))
        channels = len(np.atleast_1d(scale)) if scale is not None else 1
        name = f"mask of {np.dtype(dtype).name} {shape}, {channels} channels along {axis}"
        packed = bit_string(mask, [1] * len(mask))
        add(name, [2, 1, 0, 0, 1], draw(dtype, [max(1, int(mask.sum()))]), packed, Tensor(dtype, shape, scale, zero, axis=axis))
    for dtype, wide, first, more, spread in [(I8, False, 3, 2, 3), (I8, True, 4, 3, 20), (I16, True, 5, 2, 300), (I8, False, 8, 1, 1)]:
        symbols = [int(s) for s in np.round(forge.random.standard_normal(90) * spread)]
        codes = codebook(symbols)
        packed = bit_string([int(codes[s], 2) for s in symbols], [len(codes[s]) for s in symbols])
        table = code_table(codes, first, more, wide)
        name = f"codes of {np.dtype(dtype).name}, {32 if wide else 16} bits, {first} and {more}"
        add(name, [1, 1, 0, 0, 1, wide | first - 1 << 4], table, packed, Tensor(dtype, [90]))
    v.write()


def make():
    window()
    fft_auto_scale()
    rfft()
    irfft()
    energy()
    filter_bank()
    filter_bank_square_root()
    spectral_subtraction()
    pcan()
    filter_bank_log()
    framer()
    stacker()
    overlap_add()
    delay()
    circular_buffer()
    audio_preprocessor()
    decode()
