"""Speech for the keyword example: recordings of several words, spoken by espeak-ng in a noisy room.

A voice is a variant of espeak-ng (its formants, its pitch, its timbre) in one of the accents of English
that it has. The variants of the test are unseen in training: `TEST` names them, and what belongs to one
family (Gene and Gene2) is on one side. A recording is one voice at one pace, which says a few words with
a pause after each; then come what a room and a microphone do: echo, a tilt of the spectrum, noise, gain.
"""

import subprocess
import wave
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve, lfilter, resample_poly

HZ = 16000
LABELS = ["silence", "unknown", "up", "down", "left", "right"]
# Words that are none of the labels; those of the test are not heard in training, but for open, seven and
# music.
OTHERS = {
    "train": """yes no on off stop go zero one two three four five six seven eight nine bed bird cat dog
        happy house tree wow follow learn visual forward open close play pause music light kitchen window
        water paper table summer winter about again early often after never under over into and the with
        good morning thank you what when please red green yellow lamp coffee read rate lift loft town dawn
        noun crown upper app cup op apple write ride bright light leaf let""".split(),
    "test": """blue orange backward marvin sheila seven start garden number people ready round lot ten
        top cut drown night laugh lend open music hello""".split(),
}
ACCENTS = ["en", "en-us", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029",
           "en-us-nyc"]
TRAIN = """adam Alex Alicia Andrea Annie antonio aunty benjamin boris caleb david Diogo ed f1 f3 f5 Gene
    Gene2 grandpa gustave Henrique iven iven2 iven3 iven4 Jacky klatt klatt2 klatt3 klatt4 klatt5 klatt6 Lee
    m1 m2 m4 m5 m6 m8 marcelo Marco Mario max michel miguel Nguyen norbert paul pedro quincy rob robert
    sandro shelby travis zac announcer robosoft robosoft3 robosoft5 kaukovalta Storm anikaRobot""".split()
TEST = """f2 f4 m3 m7 Andy belinda Denis edward edward2 grandma Hugo john linda Michael pablo
    steph steph2 steph3 victor""".split()


def check_voices(cache):
    """Fails unless every voice sounds unlike every other: espeak-ng has one voice for all it does not know."""
    sounds = {}
    for variant in TRAIN + TEST:
        for accent in ACCENTS:
            sound = say(cache, f"{accent}+{variant}", 150, 50, "right").tobytes()
            # Variants that differ from another in name alone are one voice, and stay on one side.
            side = sounds.setdefault(sound, variant in TEST)
            assert side == (variant in TEST), (accent, variant)
    for accent in ACCENTS:
        sound = say(cache, accent, 150, 50, "right").tobytes()
        assert sound not in sounds, accent


def say(cache, voice, pace, pitch, word):
    """One word as samples at HZ, from its first audible one to its last."""
    path = Path(cache) / f"{voice}-{pace}-{pitch}-{word}.wav"
    if not path.exists():
        command = ["espeak-ng", "-v", voice, "-s", str(pace), "-p", str(pitch), "-w", str(path), word]
        subprocess.run(command, check=True)
    with wave.open(str(path)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float64)
    samples = resample_poly(samples, 320, 441)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.max(np.abs(samples)))
    return samples[loud[0] : loud[-1] + 1] / 32768


def noise(rng, count):
    """Hiss between white and brown, of a loudness that moves slowly; its RMS is 1."""
    x = lfilter([1], [1, -rng.choice([0, 0.5, 0.9, 0.98])], rng.normal(size=count))
    if rng.random() < 0.3:  # a hum
        x = x / np.std(x) + rng.uniform(0.3, 2) * np.sin(np.arange(count) * rng.uniform(0.015, 0.15))
    swell = 1 + rng.uniform(0, 0.6) * np.sin(np.arange(count) / HZ * rng.uniform(0.5, 4) + rng.uniform(0, 6))
    return x * swell / np.std(x * swell)


def room(rng, x):
    """Echo, and a tilt of the spectrum."""
    if rng.random() < 0.6:
        decay = rng.uniform(0.02, 0.12) * HZ
        count = int(4 * decay)
        echo = rng.normal(size=count) * np.exp(-np.arange(count) / decay)
        echo *= rng.uniform(0.1, 0.5) / np.sqrt(np.sum(echo**2))
        echo[0] = 1
        x = fftconvolve(x, echo)[: len(x)]
    return lfilter([1, -rng.uniform(-0.5, 0.7)], [1], x)


def recording(rng, cache, split, count=5, words=None, pause=1.6):
    """Samples as int16, and for each word spoken (label, first sample, sample after the last)."""
    voice = f"{rng.choice(ACCENTS)}+{rng.choice(TEST if split == 'test' else TRAIN)}"
    pace, pitch = int(rng.integers(120, 211)), int(rng.integers(15, 86))
    if words is None:
        words = [rng.choice(LABELS[2:] if rng.random() < 0.55 else OTHERS[split]) for _ in range(count)]
    parts, spoken = [np.zeros(int(HZ * rng.uniform(0.3, 1.5)))], []
    for word in map(str, words):
        # Nobody says a word twice in the same way.
        near = int(np.clip(pace + rng.integers(-15, 16), 110, 220)), int(np.clip(pitch + rng.integers(-8, 9), 5, 95))
        clip = say(cache, voice, *near, word) * rng.uniform(0.7, 1.3)
        start = sum(map(len, parts))
        spoken.append((LABELS.index(word) if word in LABELS else 1, start, start + len(clip)))
        parts += [clip, np.zeros(int(HZ * rng.uniform(0.6, pause)))]
    x = room(rng, np.concatenate(parts))
    loud = np.sqrt(np.mean(np.concatenate([x[a:b] for _, a, b in spoken]) ** 2))
    x += noise(rng, len(x)) * loud * 10 ** (-rng.uniform(5, 40) / 20)
    x *= rng.uniform(0.03, 0.9) / np.max(np.abs(x))
    return np.round(x * 32767).astype(np.int16), spoken
