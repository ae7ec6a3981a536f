"""What `resample` has to answer, from scipy."""

import pathlib
import sys
from math import gcd

import numpy as np
import scipy
from scipy.signal import firwin, resample_poly, upfirdn

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, wav, write

random = np.random.default_rng(3)


def rounded(y, dtype):
    if dtype == np.int16:
        return np.clip(np.rint(y), -32768, 32767).astype(dtype)
    return y.astype(dtype)


def recording(name, source, target, call, **tolerance):
    """One call by itself."""
    x = getattr(call, "samples", call)
    y = resample_poly(x.astype(np.float64), target, source, axis=0)
    case = Case(name, {"from": source, "to": target, "stream": False}, **tolerance)
    return case.call([call], [rounded(y, x.dtype)])


def stream(name, source, target, calls, **tolerance):
    """Calls over one stream, the filter of resample_poly without the samples that it takes ahead."""
    arrays = [getattr(c, "samples", c) for c in calls]
    up, down = target // gcd(source, target), source // gcd(source, target)
    half = 10 * max(up, down)
    taps = firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", 5.0)) * up
    whole = np.concatenate(arrays).astype(np.float64)
    late = upfirdn(taps, whole, up, down, axis=0)
    if down >= up:
        # The delay is 10 whole rows, behind which it is what resample_poly gives.
        poly = resample_poly(whole, up, down, axis=0)
        assert np.allclose(late[10 : len(poly)], poly[: len(poly) - 10], atol=1e-9 * np.abs(poly).max())
    case, start = Case(name, {"from": source, "to": target}, **tolerance), 0
    for call, array in zip(calls, arrays):
        count = len(array) * up // down
        case.call([call], [rounded(late[start:][:count], array.dtype)])
        start += count
    return case


def noise(count, *shape):
    return random.standard_normal((count, *shape)).astype(np.float32)


close = {"relative": 1e-6}
full = np.where(random.random(300) < 0.5, -32768, 32767).astype(np.int16)
x = noise(8)
cases = [
    stream("a third", 48000, 16000, [noise(240) for _ in range(3)], **close),
    stream("doubled", 8000, 16000, [noise(80) for _ in range(3)], **close),
    stream("music to speech", 44100, 16000, [noise(441) for _ in range(3)], **close),
    stream("up by a fraction", 100, 128, [noise(25) for _ in range(4)], **close),
    stream("one row a call", 2, 3, [noise(2) for _ in range(20)], **close),
    stream("axes", 100, 50, [noise(10, 3) for _ in range(6)], **close),
    stream("speech", 16000, 8000, [wav("speech.wav", 8000 + 640 * i, 640) for i in range(3)], absolute=1),
    stream("full scale", 3, 2, [full, full], absolute=1),
    recording("recording down", 44100, 16000, noise(1000), **close),
    recording("recording up", 16000, 22050, noise(200), **close),
    recording("recording of axes", 50, 32, noise(77, 3), **close),
    recording("short", 5, 3, noise(1), **close),
    recording("recorded speech", 16000, 11025, wav("speech.wav", 9000, 1000), absolute=1),
    Case("rows left over", {"from": 44100, "to": 16000}, refused="multiple of 441").types([x], [x[:3]]),
    Case("odd rates", {"from": 44101, "to": 16000, "stream": False}, refused="1024").types([x], [x[:3]]),
]
write(__file__, oracle=f"scipy {scipy.__version__} signal.resample_poly, signal.upfirdn", cases=cases)
