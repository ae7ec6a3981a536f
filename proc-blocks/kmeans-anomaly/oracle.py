"""Anomaly scores from scikit-learn's StandardScaler and KMeans, trained on features of made-up vibration."""

import pathlib
import sys

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

rng = np.random.default_rng(5)


def features(kind, n):
    """Level, spread and energy of three axes in one of three states of a machine."""
    centre = np.array([[0.1, 9.8, 0.2, 0.05, 0.05, 0.04, 1, 96, 1], [0.4, 9.7, 0.1, 2, 1.5, 1, 90, 140, 40], [0.2, 9.9, 0.3, 6, 4, 5, 800, 600, 700]])[kind]
    return centre * rng.normal(1, 0.1, (n, 9)) + rng.normal(0, 0.02, (n, 9))


def text(model, radii):
    rows = np.c_[model.cluster_centers_, radii]
    return "# centroid, radius\n" + "\n".join(", ".join(repr(float(x)) for x in row) for row in rows)


def case(name, training, samples, clusters, is_scaled):
    scaler = StandardScaler(with_mean=is_scaled, with_std=is_scaled).fit(training)
    model = KMeans(clusters, n_init=4, random_state=0).fit(scaler.transform(training))
    distances = model.transform(scaler.transform(training))
    radii = [distances[model.labels_ == j, j].max() for j in range(clusters)]
    args = {"clusters": text(model, radii)}
    if is_scaled:
        args |= {k: [repr(float(x)) for x in v] for k, v in (("mean", scaler.mean_), ("scale", scaler.scale_))}
    case = Case(name, args, absolute=2e-5, relative=2e-5)
    for sample in samples.astype(np.float32):
        scores = model.transform(scaler.transform(sample[None].astype(np.float64)))[0] - radii
        case.call([sample], [np.float32([scores.min()])])
    return case


normal = np.vstack([features(kind, 200) for kind in range(3)])
strange = np.vstack([normal[::60], features(0, 3) * 4, features(2, 3)[:, ::-1], np.zeros((1, 9))])
plane = rng.normal(size=(300, 2)) * 0.3 + np.array([[0, 0], [3, 1], [-2, 4]])[rng.integers(0, 3, 300)]
cases = [
    case("standardised", normal, strange, 3, True),
    case("raw features", normal, strange, 3, False),
    case("one cluster", plane[:50], rng.uniform(-4, 5, (8, 2)), 1, True),
    case("a plane", plane, rng.uniform(-4, 5, (12, 2)), 3, False),
    case("many clusters", plane, rng.uniform(-4, 5, (6, 2)), 32, True),
    Case("not a number", {"clusters": "1 2 0.5"})
    .call([np.float32([np.nan, 0])], [np.float32([np.inf])])
    .call([np.float32([0, np.inf])], [np.float32([np.inf])])
    .call([np.float32([1, 2])], [np.float32([-0.5])]),
    Case("too few numbers", {"clusters": "1 2"}, refused="line 1 of `--clusters` has 2 numbers").types([np.zeros(2, np.float32)], [np.zeros(1, np.float32)]),
    Case("no clusters", {"clusters": "# none"}, refused="no cluster").types([np.zeros(2, np.float32)], [np.zeros(1, np.float32)]),
]
write(__file__, f"scikit-learn {sklearn.__version__} KMeans, StandardScaler", cases)
