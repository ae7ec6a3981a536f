"""Makes windows of accelerometer readings of somebody who draws a sign in the air with a wand.

A window is 128 readings of (x, y, z) in g, 25 per second: x to the right, y away from the body, z up. A
resting wand reads (0, 0, 1). Each window is one sign, at a random time in 5.12 s:

    wing     the letter W, four strokes
    ring     a clockwise circle from its top
    slope    down to the left, then to the right, two strokes
    unknown  a still hand, wandering, shaking, one stroke, a triangle, a Z, a counter-clockwise circle,
             or a random zigzag of six strokes

How a window comes about:

1. The tip follows the sign in the upright plane before the body. A stroke moves with minimum jerk (Flash
   and Hogan 1985), as arms do: s(t) = 10 t^3 - 15 t^4 + 6 t^5. Height, width, duration and the share each
   stroke has of it vary; each corner is off by a few percent.
2. The path is sampled at 200 Hz, rounded by a Gaussian (nobody stops dead at a corner), and differentiated
   twice. Eight accelerations make one reading, as a sensor averages.
3. Gravity is added, and all is turned into the frame of the hand, which is held askew and turns while it
   moves.
4. Tremor (8 to 12 Hz), white noise, an offset per axis, and the sensor's range (4 g) and step (1/8192 g)
   come last.
"""

import numpy as np

LABELS = ["Wing", "Ring", "Slope", "Unknown"]
READINGS, RATE, OVERSAMPLING = 128, 25, 8
FINE = READINGS * OVERSAMPLING
GRAVITY = 9.81

WING = [(0.0, 1.0), (0.25, 0.0), (0.5, 0.8), (0.75, 0.0), (1.0, 1.0)]
SLOPE = [(0.6, 1.0), (0.0, 0.0), (1.0, 0.0)]
STROKE = [(0.0, 0.0), (1.0, 0.0)]
TRIANGLE = [(0.5, 1.0), (1.0, 0.0), (0.0, 0.0), (0.5, 1.0)]
ZED = [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0)]


def minimum_jerk(t):
    t = np.clip(t, 0, 1)
    return t**3 * (10 - 15 * t + 6 * t**2)


def strokes(rng, corners, t):
    """Positions along straight strokes from corner to corner; `t` runs from 0 to 1 during the sign."""
    corners = np.array(corners) + rng.normal(0, 0.05, (len(corners), 2))
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    # Longer strokes take longer, but less than in proportion.
    times = np.sqrt(lengths + 0.05) * rng.uniform(0.85, 1.15, len(lengths))
    ends = np.cumsum(times) / times.sum()
    starts = np.concatenate([[0], ends[:-1]])
    path = np.tile(corners[0], (len(t), 1))
    for start, end, a, b in zip(starts, ends, corners[:-1], corners[1:]):
        path += minimum_jerk((t - start) / (end - start))[:, None] * (b - a)
    return path


def circle(rng, t, turns):
    """Positions along a circle from its top; clockwise where `turns` is above 0."""
    top = np.pi / 2 + rng.normal(0, 0.2)
    # A blend of minimum jerk and even speed: a circle is drawn in one go.
    even = rng.uniform(0, 0.4)
    angle = top - 2 * np.pi * turns * ((1 - even) * minimum_jerk(t) + even * np.clip(t, 0, 1))
    return 0.5 + 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def waves(rng, count, low, high, acceleration):
    """Positions in three dimensions of a sum of waves of some frequencies (Hz) and acceleration (m/s^2)."""
    t = np.arange(FINE) / (RATE * OVERSAMPLING)
    w = 2 * np.pi * rng.uniform(low, high, (count, 3))
    size = rng.normal(0, acceleration, (count, 3)) / w**2
    return (size * np.sin(w * t[:, None, None] + rng.uniform(0, 2 * np.pi, (count, 3)))).sum(1)


def position(rng, label):
    """Positions of the tip in metres at 200 Hz."""
    duration = rng.uniform(0.8, 2.4)
    begin = rng.uniform(0.1, READINGS / RATE - duration - 0.1)
    t = (np.arange(FINE) / (RATE * OVERSAMPLING) - begin) / duration
    kind = label
    if label == "Unknown":
        others = ["still", "wander", "shake", STROKE, TRIANGLE, ZED, "counter-clockwise", "zigzag"]
        kind = others[rng.integers(len(others))]
    match kind:
        case "still":
            return np.zeros((FINE, 3))
        case "wander":
            return waves(rng, 4, 0.2, 2.5, rng.uniform(0.5, 5))
        case "shake":
            return waves(rng, 1, 2.5, 6, rng.uniform(2, 12))
        case "Ring":
            plane = circle(rng, t, 1)
        case "counter-clockwise":
            plane = circle(rng, t, -1)
        case "Wing":
            plane = strokes(rng, WING, t)
        case "Slope":
            plane = strokes(rng, SLOPE, t)
        case "zigzag":
            plane = strokes(rng, rng.uniform(0, 1, (7, 2)), t)
        case corners:
            plane = strokes(rng, corners, t)
    width, height = rng.uniform(0.25, 0.6) * rng.uniform(0.8, 1.25, 2)
    depth = 0.05 * np.sin(np.pi * np.clip(t, 0, 1)) * rng.normal()  # the wrist swings on an arc
    return np.stack([plane[:, 0] * width, depth, plane[:, 1] * height], axis=1)


def smooth(path, seconds):
    """Rounds a path by a Gaussian of this standard deviation."""
    sigma = seconds * RATE * OVERSAMPLING
    x = np.arange(-int(4 * sigma), int(4 * sigma) + 1)
    kernel = np.exp(-0.5 * (x / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(path, ((len(x) // 2, len(x) // 2), (0, 0)), "edge")
    return np.stack([np.convolve(c, kernel, "valid") for c in padded.T], axis=1)


def rotation(angles):
    """Rotation matrices of [n, 3] angles about x, y and z, in this order."""
    c, s = np.cos(angles).T, np.sin(angles).T
    one, nil = np.ones_like(c[0]), np.zeros_like(c[0])

    def matrix(*rows):
        return np.moveaxis(np.array(rows), 2, 0)

    x = matrix([one, nil, nil], [nil, c[0], -s[0]], [nil, s[0], c[0]])
    y = matrix([c[1], nil, s[1]], [nil, one, nil], [-s[1], nil, c[1]])
    z = matrix([c[2], -s[2], nil], [s[2], c[2], nil], [nil, nil, one])
    return z @ y @ x


def window(rng, label):
    """One window, F32[128, 3]."""
    path = smooth(position(rng, label), rng.uniform(0.02, 0.05))
    fine = np.gradient(np.gradient(path, axis=0), axis=0) * (RATE * OVERSAMPLING) ** 2 / GRAVITY
    reading = fine.reshape(READINGS, OVERSAMPLING, 3).mean(1) + [0, 0, 1]

    t = np.arange(READINGS)[:, None] / RATE
    held = np.radians(rng.normal(0, 10, 3))
    turn = np.radians(rng.normal(0, 3, 3)) * np.sin(2 * np.pi * rng.uniform(0.2, 0.8, 3) * t + rng.uniform(0, 6.3, 3))
    reading = np.einsum("nij,nj->ni", rotation(held + turn), reading)

    tremor = rng.normal(0, 0.02, 3) * np.sin(2 * np.pi * rng.uniform(8, 12) * t + rng.uniform(0, 6.3, 3))
    noise = rng.normal(0, rng.uniform(0.002, 0.015), reading.shape)
    reading = reading + tremor + noise + rng.normal(0, 0.02, 3)
    return (np.round(np.clip(reading, -4, 4) * 8192) / 8192).astype(np.float32)


def windows(seed, count):
    """`count` windows, F32[count, 128, 3], and the index of each one's label, all labels equally often."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % len(LABELS)
    return np.stack([window(rng, LABELS[i]) for i in y]), y
