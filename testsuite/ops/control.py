"""What has state or runs other subgraphs: variables, CALL_ONCE, IF and WHILE; and what chooses boxes."""

import numpy as np
from flatbuffers import flexbuffers

from forge import *


def variable(graph, name):
    """The resource of the variable `name`, for any subgraph."""
    return graph.call("VAR_HANDLE", options("VarHandle", container="", sharedName=name), [], Tensor(RESOURCE, []))


def assign(graph, name, value):
    graph.operator("ASSIGN_VARIABLE", options("AssignVariable"), [variable(graph, name), value], [])


def read(graph, name, tensor):
    return graph.call("READ_VARIABLE", options("ReadVariable"), [variable(graph, name)], tensor)


def initialised(model, *values):
    """A main subgraph whose CALL_ONCE runs one that gives the variables (name, tensor) their values."""
    main = model.subgraph()
    init = model.subgraph()
    for name, value in values:
        assign(init, name, init.tensor(value))
    main.operator("CALL_ONCE", options("CallOnce", initSubgraphIndex=init.index), [], [])
    return main


def like(tensor):
    """A tensor of the same type and shape, without value."""
    return Tensor(tensor.dtype, tensor.shape, tensor.scale, tensor.zero)


def constant(dtype, values, *affine):
    return Tensor(dtype, None, *affine, data=np.array(values, dtype))


def add(graph, a, b, tensor):
    return graph.call("ADD", options("Add"), [a, b], tensor)


def drawn(tensors, count):
    return [[draw(t.dtype, t.shape) for t in tensors] for _ in range(count)]


def variables():
    v = Vectors("CALL_ONCE")
    for dtype, affine in [(F32, ()), (I32, ()), (I64, ()), (I8, (0.05, 3)), (U8, (0.05, 130)), (BOOL, ()), (I16, (0.001, 0))]:
        n = np.dtype(dtype).name
        x = Tensor(dtype, [2, 3], *affine)
        # What was given last time; at first, what the initialisation assigned.
        m = Model()
        main = initialised(m, ("v", constant(dtype, draw(dtype, [2, 3]), *affine)))
        given = main.input(x)
        before = read(main, "v", like(x))
        assign(main, "v", given)
        main.give(before)
        v.add(f"{n} delay", m.pack(), drawn([x], 4), distinct=False)
        # Read again after it was assigned.
        m = Model()
        main = initialised(m, ("v", constant(dtype, draw(dtype, [2, 3]), *affine)))
        given = main.input(x)
        before = read(main, "v", like(x))
        assign(main, "v", given)
        main.give(before, read(main, "v", like(x)))
        v.add(f"{n} before and after", m.pack(), drawn([x], 2), distinct=False)
        if dtype in [F32, I32]:
            m = Model()
            main = initialised(m, ("sum", constant(dtype, np.ones([4]))))
            given = main.input(Tensor(dtype, [4]))
            total = add(main, read(main, "sum", Tensor(dtype, [4])), given, Tensor(dtype, [4]))
            assign(main, "sum", total)
            main.give(total)
            v.add(f"{n} sum", m.pack(), drawn([Tensor(dtype, [4])], 5), distinct=False)
    # Two variables, one of which only the initialisation assigns; a handle used by several.
    m = Model()
    main = initialised(m, ("gain", constant(F32, [[2, 3, -1]])), ("last", constant(F32, [[0, 0, 0]])))
    given = main.input(Tensor(F32, [1, 3]))
    last = variable(main, "last")
    scaled = main.call("MUL", options("Mul"), [given, read(main, "gain", Tensor(F32, [1, 3]))], Tensor(F32, [1, 3]))
    previous = main.call("READ_VARIABLE", options("ReadVariable"), [last], Tensor(F32, [1, 3]))
    result = add(main, scaled, previous, Tensor(F32, [1, 3]))
    main.operator("ASSIGN_VARIABLE", options("AssignVariable"), [last, result], [])
    main.give(result, previous)
    v.add("two variables", m.pack(), drawn([Tensor(F32, [1, 3])], 4), distinct=False)
    # What is computed in the initialisation.
    m = Model()
    main = m.subgraph()
    init = m.subgraph()
    assign(init, "v", add(init, init.tensor(constant(F32, [1, 2])), init.tensor(constant(F32, [30, 40])), Tensor(F32, [2])))
    main.operator("CALL_ONCE", options("CallOnce", initSubgraphIndex=init.index), [], [])
    given = main.input(Tensor(F32, [2]))
    total = add(main, given, read(main, "v", Tensor(F32, [2])), Tensor(F32, [2]))
    assign(main, "v", total)
    main.give(total)
    v.add("computed at first", m.pack(), drawn([Tensor(F32, [2])], 3), distinct=False)
    v.write()

    v = Vectors("VAR_HANDLE")
    # A window over what came in: the oldest goes, the newest comes.
    m = Model()
    main = initialised(m, ("window", constant(F32, np.zeros([1, 5, 2]))))
    given = main.input(Tensor(F32, [1, 1, 2]))
    old = read(main, "window", Tensor(F32, [1, 5, 2]))
    begin, size = main.constant(np.array([0, 1, 0], I32)), main.constant(np.array([1, 4, 2], I32))
    kept = main.call("SLICE", options("Slice"), [old, begin, size], Tensor(F32, [1, 4, 2]))
    window = main.call("CONCATENATION", options("Concatenation", axis=1), [kept, given], Tensor(F32, [1, 5, 2]))
    assign(main, "window", window)
    main.give(window)
    v.add("window", m.pack(), drawn([Tensor(F32, [1, 1, 2])], 7), distinct=False)
    v.write()

    # Assigned before it is read, in each call: needs no initialisation.
    v = Vectors("ASSIGN_VARIABLE")
    for dtype in [F32, I8, I32]:
        m = Model()
        main = m.subgraph()
        x = Tensor(dtype, [3, 2], *affine_of(dtype, 0.1, 1) if dtype == I8 else ())
        given = main.input(x)
        assign(main, "v", given)
        first = read(main, "v", like(x))
        other = main.input(x)
        assign(main, "v", other)
        main.give(first, read(main, "v", like(x)))
        v.add(f"{np.dtype(dtype).name} twice", m.pack(), drawn([x, x], 2), distinct=False)
    v.write()


def branches():
    v = Vectors("IF")

    def case(name, tensors, results, then, otherwise, conditions=(True, False), computed=None, values=None):
        """A branch is a function of a subgraph and its inputs that gives its outputs."""
        m = Model()
        main, a, b = m.subgraph(), m.subgraph(), m.subgraph()
        for graph, branch in [(a, then), (b, otherwise)]:
            graph.give(*branch(graph, *[graph.input(t) for t in tensors]))
        if computed is None:
            condition = main.input(Tensor(BOOL, [1]))
        given = [main.input(t) for t in tensors]
        if computed is not None:
            condition = computed(main, *given)
        made = main.call("IF", options("If", thenSubgraphIndex=a.index, elseSubgraphIndex=b.index), [condition, *given], *results)
        main.give(*np.atleast_1d(made).tolist())
        if computed is None:
            calls = [[np.array([c], BOOL), *[draw(t.dtype, t.shape) for t in tensors]] for c in conditions]
        else:
            calls = values
        v.add(name, m.pack(), calls, distinct=False)

    for dtype, affine in [(F32, ()), (I32, ()), (I8, (0.05, 2))]:
        n, x = np.dtype(dtype).name, Tensor(dtype, [2, 3], *affine)
        case(f"{n} add or multiply", [x, x], [x],
             lambda g, a, b: [add(g, a, b, like(x))],
             lambda g, a, b: [g.call("MUL", options("Mul"), [a, b], like(x))], (True, False, True))
        case(f"{n} one or the other", [x, x], [x], lambda g, a, b: [a], lambda g, a, b: [b])
        case(f"{n} two results", [x, x], [x, x],
             lambda g, a, b: [add(g, a, b, like(x)), a],
             lambda g, a, b: [b, add(g, b, b, like(x))])
    case("constants in branches", [Tensor(F32, [4])], [Tensor(F32, [4])],
         lambda g, a: [add(g, a, g.tensor(constant(F32, [1, 2, 3, 4])), Tensor(F32, [4]))],
         lambda g, a: [g.call("RELU", None, [a], Tensor(F32, [4]))])
    case("several steps", [Tensor(F32, [1, 8])], [Tensor(F32, [1, 4])],
         lambda g, a: [g.call("SOFTMAX", options("Softmax", beta=1.0), [
             g.call("FULLY_CONNECTED", options("FullyConnected", fusedActivationFunction=RELU),
                    [a, g.tensor(constant(F32, draw(F32, [4, 8]))), g.tensor(constant(F32, draw(F32, [4])))], Tensor(F32, [1, 4]))], Tensor(F32, [1, 4]))],
         lambda g, a: [g.call("MEAN", options("Reducer", keepDims=False), [
             g.call("RESHAPE", options("Reshape", newShape=[1, 2, 4]), [a, g.tensor(constant(I32, [1, 2, 4]))], Tensor(F32, [1, 2, 4])),
             g.tensor(constant(I32, [1]))], Tensor(F32, [1, 4]))])
    case("computed condition", [Tensor(F32, [1])], [Tensor(F32, [1])],
         lambda g, a: [add(g, a, a, Tensor(F32, [1]))],
         lambda g, a: [g.call("RELU", None, [a], Tensor(F32, [1]))],
         computed=lambda g, a: g.call("GREATER", options("Greater"), [a, g.tensor(constant(F32, [0.5]))], Tensor(BOOL, [1])),
         values=[[np.array([x], F32)] for x in [0.25, 0.75, -3.0, 0.5]])
    # IF within IF.
    m = Model()
    main, a, b, c, d = [m.subgraph() for _ in range(5)]
    condition, inner = main.input(Tensor(BOOL, [1])), main.input(Tensor(BOOL, [1]))
    given = main.input(Tensor(F32, [3]))
    y = main.call("IF", options("If", thenSubgraphIndex=a.index, elseSubgraphIndex=b.index), [condition, inner, given], Tensor(F32, [3]))
    main.give(y)
    i, x = a.input(Tensor(BOOL, [1])), a.input(Tensor(F32, [3]))
    a.give(a.call("IF", options("If", thenSubgraphIndex=c.index, elseSubgraphIndex=d.index), [i, x], Tensor(F32, [3])))
    i, x = b.input(Tensor(BOOL, [1])), b.input(Tensor(F32, [3]))
    b.give(add(b, x, b.tensor(constant(F32, [100])), Tensor(F32, [3])))
    x = c.input(Tensor(F32, [3]))
    c.give(add(c, x, x, Tensor(F32, [3])))
    x = d.input(Tensor(F32, [3]))
    d.give(d.call("RELU", None, [x], Tensor(F32, [3])))
    v.add("nested", m.pack(), [[np.array([p]), np.array([q]), draw(F32, [3])] for p in [False, True] for q in [False, True]], distinct=False)
    v.write()


def loops():
    v = Vectors("WHILE")

    def loop(tensors, test, body):
        m = Model()
        main, a, b = m.subgraph(), m.subgraph(), m.subgraph()
        a.give(test(a, *[a.input(t) for t in tensors]))
        b.give(*body(b, *[b.input(t) for t in tensors]))
        given = [main.input(t) for t in tensors]
        made = main.call("WHILE", options("While", condSubgraphIndex=a.index, bodySubgraphIndex=b.index), given, *[like(t) for t in tensors])
        main.give(*np.atleast_1d(made).tolist())
        return m.pack()

    def case(name, tensors, test, body, calls, reference=None):
        """`reference` is a body that the oracle runs in place of `body`."""
        reference = reference and loop(tensors, test, reference)
        v.add(name, loop(tensors, test, body), calls, reference, distinct=False)

    one = lambda g, dtype, value: g.tensor(constant(dtype, [value]))
    less = lambda limit, dtype=I32: lambda g, i, *_: g.call("LESS", options("Less"), [i, one(g, dtype, limit)], Tensor(BOOL, [1]))
    step = lambda g, i, by=1, dtype=I32: add(g, i, one(g, dtype, by), Tensor(dtype, [1]))
    i = Tensor(I32, [1])
    at = lambda value: np.array([value], I32)
    for dtype, affine in [(F32, ()), (I32, ())]:
        n, x = np.dtype(dtype).name, Tensor(dtype, [2, 3], *affine)
        case(f"{n} doubling", [i, x], less(5), lambda g, k, a: [step(g, k), add(g, a, a, like(x))],
             [[at(0), draw(dtype, [2, 3])], [at(4), draw(dtype, [2, 3])], [at(5), draw(dtype, [2, 3])], [at(9), draw(dtype, [2, 3])]])
        # LiteRT copies one over the other where the body hands on its inputs themselves.
        nothing = lambda g, a: add(g, a, one(g, dtype, 0), like(x))
        case(f"{n} two exchanged", [i, x, x], less(3), lambda g, k, a, b: [step(g, k), b, a],
             [[at(start), draw(dtype, [2, 3]), draw(dtype, [2, 3])] for start in [0, 1, 3]],
             lambda g, k, a, b: [step(g, k), nothing(g, b), nothing(g, a)])
        case(f"{n} Fibonacci", [i, x, x], less(8), lambda g, k, a, b: [step(g, k), b, add(g, a, b, like(x))],
             [[at(0), draw(dtype, [2, 3]), draw(dtype, [2, 3])]])
    case("only a counter", [i], less(7), lambda g, k: [step(g, k, 3)], [[at(0)], [at(6)], [at(7)], [at(-20)]])
    case("until it is small", [Tensor(F32, [1])],
         lambda g, a: g.call("GREATER", options("Greater"), [a, one(g, F32, 1.0)], Tensor(BOOL, [1])),
         lambda g, a: [g.call("MUL", options("Mul"), [a, one(g, F32, 0.5)], Tensor(F32, [1]))],
         [[np.array([x], F32)] for x in [100.0, 1.5, 1.0, -7.0]])
    case("several steps", [i, Tensor(F32, [1, 6])], less(3),
         lambda g, k, a: [step(g, k), g.call("SOFTMAX", options("Softmax", beta=2.0), [
             g.call("FULLY_CONNECTED", options("FullyConnected"), [a, g.tensor(constant(F32, draw(F32, [6, 6]))), g.tensor(constant(F32, draw(F32, [6])))], Tensor(F32, [1, 6]))], Tensor(F32, [1, 6]))],
         [[at(0), draw(F32, [1, 6])], [at(2), draw(F32, [1, 6])]])
    case("int8 image", [i, Tensor(I8, [1, 4, 4, 3], 0.05, 1)], less(2),
         lambda g, k, a: [step(g, k), g.call("MAX_POOL_2D", options("Pool2D", padding=SAME, strideH=1, strideW=1, filterHeight=2, filterWidth=2), [a], Tensor(I8, [1, 4, 4, 3], 0.05, 1))],
         [[at(0), draw(I8, [1, 4, 4, 3])]])
    # A variable that the body reads and assigns.
    m = Model()
    main = initialised(m, ("count", constant(I32, [0])))
    a, b = m.subgraph(), m.subgraph()
    k = a.input(i)
    a.give(less(4)(a, k))
    k = b.input(i)
    assign(b, "count", add(b, read(b, "count", i), b.tensor(constant(I32, [1])), Tensor(I32, [1])))
    b.give(step(b, k))
    given = main.input(i)
    end = main.call("WHILE", options("While", condSubgraphIndex=a.index, bodySubgraphIndex=b.index), [given], Tensor(I32, [1]))
    main.give(end, read(main, "count", Tensor(I32, [1])))
    v.add("a variable in the body", m.pack(), [[at(0)], [at(2)], [at(4)], [at(1)]], distinct=False)
    v.write()


def detection(name, v, boxes=9, classes=3, background=True, width=4, dtype=F32, spread=1.0, score=0.3, overlap=0.4, most=5, scores=None, encodings=None, exact=False, **fields):
    """A case of detection; `fields` are further options of the operator."""
    given = {"max_detections": most, "max_classes_per_detection": 1, "nms_score_threshold": score, "nms_iou_threshold": overlap,
             "num_classes": classes, "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0, **fields}
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in given.items():
            builder.Key(key)
            builder.Bool(value) if isinstance(value, bool) else builder.Int(value) if isinstance(value, int) else builder.Float(value, 4)
    columns = classes + background
    slots = most * given["max_classes_per_detection"]
    centre = random.random([boxes, 2]) * 2
    anchors = np.concatenate([centre, 0.5 + random.random([boxes, 2])], axis=1).astype(F32)
    if encodings is None:
        encodings = (random.standard_normal([1, boxes, width]) * spread).astype(F32)
    if scores is None:
        # All different, so that no order among equals matters.
        scores = (random.permutation(boxes * columns).reshape([1, boxes, columns]) / (boxes * columns)).astype(F32)
    if dtype == U8:
        affine = [(0.05, 128), (1 / 256, 0), (1 / 64, 0)]
        encodings, scores, anchors = [np.clip(np.round(a / s) + z, 0, 255).astype(U8) for a, (s, z) in zip([encodings, scores, anchors], affine)]
        scores = random.permutation(256)[: scores.size].reshape(scores.shape).astype(U8)
    else:
        affine = [(), (), ()]
    tensors = [Tensor(dtype, encodings.shape, *affine[0]), Tensor(dtype, scores.shape, *affine[1]), Tensor(dtype, None, *affine[2], data=anchors),
               Tensor(F32, [1, slots, 4]), Tensor(F32, [1, slots]), Tensor(F32, [1, slots]), Tensor(F32, [1])]
    content = model("TFLite_Detection_PostProcess", None, tensors, outputs=4, custom=bytes(builder.Finish()))
    regular, per = given.get("use_regular_nms", False), given["max_classes_per_detection"]

    def detected(content, calls):
        """As LiteRT, but with zeros where it writes nothing: behind the last box and class."""
        results = litert(content, calls)
        for boxes, labels, values, count in results:
            groups = np.arange(slots).reshape([most, per])
            written = groups.flat[:most] if regular else groups[: int(count[0]), :classes]
            behind = np.setdiff1d(np.arange(slots), written)
            for output in [boxes, labels, values]:
                output[0, behind] = 0
        return results

    v.add(name, content, [[encodings, scores]], oracle=detected, distinct=False)


def detections():
    v = Vectors("DETECTION_POSTPROCESS")
    for regular in [False, True]:
        def case(name, **more):
            more.setdefault("use_regular_nms", regular)
            detection(f"{'regular' if regular else 'fast'} {name}", v, **more)
        case("plain")
        case("no background", background=False)
        case("one class", classes=1)
        case("many boxes", boxes=40, classes=5, most=10)
        case("high threshold", score=0.9)
        case("nothing found", score=1.5)
        case("all kept", overlap=1.0, score=0.0, most=9)
        case("narrow overlap", overlap=0.05, boxes=20, most=20)
        case("longer encodings", width=9)
        case("one box", boxes=1, most=3, score=0.0)
        case("more slots than boxes", boxes=4, most=12, score=0.0)
        case("small boxes", spread=8.0, h_scale=2.0, w_scale=3.0, y_scale=1.0, x_scale=4.0)
        case("uint8", dtype=U8)
        same = np.zeros([1, 6, 4], F32)
        case("two classes each", max_classes_per_detection=2)
        case("more classes each than there are", max_classes_per_detection=4, classes=3, boxes=12, score=0.5)
        case("boxes as the anchors", boxes=6, encodings=same, score=0.0)
    detection("no regular or fast", v)
    for per_class in [1, 2, 100]:
        detection(f"regular, {per_class} per class", v, boxes=20, most=8, use_regular_nms=True, detections_per_class=per_class)
    equal = np.full([1, 8, 3], 0.5, F32)
    detection("fast equal scores", v, boxes=8, classes=2, scores=equal, use_regular_nms=False)
    detection("regular equal scores", v, boxes=8, classes=2, scores=equal, use_regular_nms=True)
    v.write()


def make():
    variables()
    branches()
    loops()
    detections()
