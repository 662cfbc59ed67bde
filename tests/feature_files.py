"""Files of small features that a test trains on, and configs that name them."""

import numpy as np

CLASSES = 4
FEATURES = 24


def features(n, seed=0, dtype=np.float32):
    """Classes that lie apart, in small steps around -5: (n, 24) and labels (n,)."""
    rng = np.random.default_rng([7, seed])
    labels = np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, n - CLASSES)])
    centres = np.random.default_rng(7).normal(0, 3, (CLASSES, FEATURES))
    return (0.01 * (centres[labels] + rng.normal(0, 1, (n, FEATURES))) - 5).astype(dtype), labels


def write(folder, dtype=np.float32):
    """Write train (200), validation (60) and test (80) as .npy files."""
    for seed, (name, n) in enumerate((("train", 200), ("validation", 60), ("test", 80))):
        X, y = features(n, seed, dtype)
        np.save(folder / f"{name}.npy", X)
        np.save(folder / f"{name}_labels.npy", y)
    return folder


def files(name):
    return {"features": f"{name}.npy", "labels": f"{name}_labels.npy"}


def data(folder=None, **changes):
    """What a config has under ``data`` for the files of `write`."""
    where = {"folder": str(folder)} if folder else {}
    splits = {name: files(name) for name in ("train", "validation", "test")}
    return {"dataset": "features", **where, **splits} | changes
