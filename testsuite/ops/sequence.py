"""SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM, which keep state from call to call."""

from forge import *

TANH = 4


def svdf():
    v = Vectors("SVDF")
    shapes = [
        # name, batch, inputs, units, rank, memory
        ("plain", 1, 5, 4, 1, 3),
        ("rank 2", 1, 7, 3, 2, 4),
        ("batch 2", 2, 9, 5, 1, 6),
        ("batch 3, rank 2", 3, 4, 2, 2, 5),
        ("memory 1", 1, 6, 3, 1, 1),
        ("wide", 1, 33, 18, 1, 17),
    ]
    for i, (name, batch, inputs, units, rank, memory) in enumerate(shapes):
        filters = units * rank
        for activation in [NONE, RELU] if i < 2 else [[RELU, NONE, RELU6, RELU_N1_TO_1][i % 4]]:
            opts = options("SVDF", rank=rank, fusedActivationFunction=activation)
            tensors = [
                Tensor(F32, [batch, inputs]), Tensor(F32, data=draw(F32, [filters, inputs], 0.5)),
                Tensor(F32, data=draw(F32, [filters, memory], 0.5)), Tensor(F32, data=draw(F32, [units])),
                Tensor(F32, [batch, memory * filters], variable=True), Tensor(F32, [batch, units]),
            ]
            a = ["", ", relu", "", ", relu6"][activation]
            v.case(f"float32 {name}{a}", opts, tensors, calls=3)
        if i in (0, 3):
            v.case(f"float32 {name}, no bias", opts, [t if n != 3 else None for n, t in enumerate(tensors)], calls=2)
        for of_state in [I16, I8]:
            for small in [False, True]:
                opts = options("SVDF", rank=rank, fusedActivationFunction=RELU)
                limit = 7 if small else 127
                of_time = limit if of_state == I8 else 32767
                x_scale, w_scale, t_scale = activation_scale(), activation_scale(), activation_scale() / (1 if of_state == I8 else 256)
                spread = 73 * limit * 0.58 * np.sqrt(inputs)
                # Some versions of TensorFlow Lite Micro let a state with a zero point other than 0 wrap around.
                room = 12000 if of_state == I16 else 60 if small else 20
                s_scale = float(F32(x_scale * w_scale * spread / room))
                y_scale = float(F32(s_scale * t_scale * room * of_time * 0.58 * np.sqrt(memory * rank) / 60))
                s_zero = 0 if of_state == I16 or small else int(random.integers(-9, 10))
                tensors = [
                    Tensor(I8, [batch, inputs], x_scale, zero_point(I8)),
                    Tensor(I8, scale=w_scale, data=random.integers(-limit, limit + 1, [filters, inputs]).astype(I8)),
                    Tensor(of_state, scale=t_scale, data=random.integers(-of_time, of_time + 1, [filters, memory]).astype(of_state)),
                    Tensor(I32, scale=s_scale * t_scale,
                           data=(random.standard_normal(units) * room * of_time * 0.58 / 2).astype(I32)),
                    Tensor(of_state, [batch, memory * filters], s_scale, s_zero, variable=True),
                    Tensor(I8, [batch, units], y_scale, -128 if small else zero_point(I8)),
                ]
                # LiteRT has the state as int16 only, and TensorFlow Lite Micro begins with it at the zero point.
                v.case(f"int8, state {np.dtype(of_state).name}, {name}{', small weights' if small else ''}", opts, tensors,
                       calls=3, oracle=micro if of_state == I8 else litert)
    v.write()


def lstm_tensors(kind, batch, time, inputs, cells, time_major=False, small=False):
    """The operands, those left out that TensorFlow Lite Micro does not take: of peepholes, of a projection and
    of layer normalisation."""
    shape = [time, batch] if time_major else [batch, time]
    if kind == F32:
        def weights(*of):
            return Tensor(F32, data=draw(F32, list(of), 0.4))
        tensors = [Tensor(F32, [*shape, inputs])]
        tensors += [weights(cells, inputs) for _ in range(4)] + [weights(cells, cells) for _ in range(4)]
        tensors += [None] * 3 + [weights(cells) for _ in range(4)] + [None] * 2
        tensors += [Tensor(F32, [batch, cells], variable=True), Tensor(F32, [batch, cells], variable=True)]
        return tensors + [None] * 4 + [Tensor(F32, [*shape, cells])]
    x_scale = float(F32(random.uniform(0.01, 0.03))) / (256 if kind == I16 else 1)
    x_zero = 0 if kind == I16 else zero_point(I8)
    h_scale = float(F32(random.uniform(0.006, 0.0078))) / (256 if kind == I16 else 1)
    h_zero = 0 if kind == I16 else int(random.integers(-20, 20))
    c_scale = 2.0 ** -(11 if small else 12)
    limit = 30 if small else 127

    scales = [float(F32(random.uniform(0.002, 0.008))) for _ in range(8)]
    tensors = [Tensor(kind, [*shape, inputs], x_scale, x_zero)]
    for g in range(8):
        of = [cells, inputs if g < 4 else cells]
        tensors.append(Tensor(I8, scale=scales[g], data=random.integers(-limit, limit + 1, of).astype(I8)))
    tensors += [None] * 3
    of_bias = I64 if kind == I16 else I32
    for g in range(4):
        data = (random.standard_normal(cells) / (x_scale * scales[g])).astype(of_bias)
        tensors.append(Tensor(of_bias, scale=x_scale * scales[g], data=data))
    tensors += [None] * 2
    tensors += [Tensor(kind, [batch, cells], h_scale, h_zero, variable=True),
                Tensor(I16, [batch, cells], c_scale, variable=True)]
    return tensors + [None] * 4 + [Tensor(kind, [*shape, cells], h_scale, h_zero)]


def lstm_model(opts, tensors):
    """The model; integers also have intermediate tensors, of which the last is the hidden state."""
    root = table("UNIDIRECTIONAL_SEQUENCE_LSTM", opts, tensors)
    if tensors[0].dtype != F32:
        graph = root.subgraphs[0]
        hidden = tensors[18]
        made = [Tensor(I16, [0], 2.0**-12) for _ in range(4)] + [Tensor(hidden.dtype, [0], hidden.scale, hidden.zero)]
        first = len(graph.tensors)
        graph.tensors += [t.table(f"between {n}", 0) for n, t in enumerate(made)]
        graph.operators[0].intermediates = list(range(first, first + 5))
    return pack(root)


def lstm():
    v = Vectors("UNIDIRECTIONAL_SEQUENCE_LSTM")
    sizes = [
        # name, batch, time, inputs, cells
        ("plain", 1, 3, 4, 5),
        ("one step", 1, 1, 3, 2),
        ("batch", 3, 4, 5, 4),
        ("wide", 1, 2, 17, 20),
        ("long", 2, 9, 3, 8),
    ]

    def case(name, kind, size, oracle=litert, clip=0.0, calls=2, **more):
        opts = options("UnidirectionalSequenceLSTM", fusedActivationFunction=TANH, cellClip=clip,
                       timeMajor=more.get("time_major", False))
        tensors = lstm_tensors(kind, *size[1:], **more)
        inputs = [[draw(kind, tensors[0].shape)] for _ in range(calls)]
        v.add(name, lstm_model(opts, tensors), inputs, oracle=oracle)

    for kind in [F32, I8, I16]:
        n = np.dtype(kind).name
        for size in sizes:
            for time_major in [False, True]:
                m = ", time major" if time_major else ""
                case(f"{n} {size[0]}{m}", kind, size, micro if kind == I16 else litert, time_major=time_major)
        case(f"{n} clipped", kind, sizes[2], micro if kind == I16 else litert, clip=0.3)
        if kind != F32:
            case(f"{n} small", kind, sizes[2], micro if kind == I16 else litert, small=True)
            case(f"{n} three calls", kind, sizes[0], micro if kind == I16 else litert, calls=3, small=True)
    v.write()


def make():
    svdf()
    lstm()
