"""What `audio-float-conversion` has to answer, from numpy."""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, wav, write

random = np.random.default_rng(4)


def converted(samples, largest):
    return np.clip(samples.astype(np.float32) / np.float32(largest), -1, 1).astype(np.float32)


def case(name, largest, *calls):
    made = Case(name, {} if largest == 32767 else {"i16-max-as-float": largest})
    for call in calls:
        made.call([call], [converted(getattr(call, "samples", call), largest)])
    return made


cases = [
    case("ends", 32767, np.array([-32768, -32767, -32766, -1, 0, 1, 32766, 32767], np.int16)),
    case("stereo", 32767, random.integers(-32768, 32768, (100, 2)).astype(np.int16)),
    case("speech", 32767, wav("speech.wav", 8000, 400), wav("clipping.wav", 1000, 400)),
    case("power of two", 32768.0, np.array([-32768, 32767, 3], np.int16)),
    case("12 bits", 2047.0, np.arange(-2500, 2500, 61, dtype=np.int16)),
    case("one sample", 32767, np.array([12345], np.int16)),
    case("none", 32767, np.zeros(0, np.int16)),
]
write(__file__, oracle=f"numpy {np.__version__}", cases=cases)
