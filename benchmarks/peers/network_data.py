"""The images of a network's config, and where its metrics go, for all programs.

The work is a JSON file: ``data`` (folder), ``held_out`` (a file with the rows of the training images that are the
validation images instead) and ``config``, a complete config of cifar-linear.
"""

import json
import sys
from pathlib import Path

import common
import numpy as np


def work():
    """Return the config, and the folder for the results."""
    path, results = map(Path, sys.argv[1:3])
    results.mkdir(parents=True, exist_ok=True)
    return json.loads(path.read_text()), results


def images(work):
    """Training, validation and test images (n, C, H, W), float32 and normalised, each with labels (n,)."""
    data, folder = work["config"]["data"], work["data"]
    read = _mnist if data["dataset"] == "mnist" else common.batches
    training, test = (read(folder, data[name]) for name in ("train", "test"))
    chosen = np.zeros(len(training[1]), bool)
    chosen[np.load(work["held_out"])] = True
    training, validation = [part[~chosen] for part in training], [part[chosen] for part in training]
    shift, scale = _normalization(data["normalize"], training[0])
    shape = (1, 28, 28) if data["dataset"] == "mnist" else (3, 32, 32)
    return [
        (((pictures - shift) * scale).astype(np.float32).reshape(-1, *shape), labels.astype(np.int64))
        for pictures, labels in (training, validation, test)
    ]


def _normalization(wanted, training):
    """Shift and factor of raw pixels."""
    means = training.mean(0, dtype=np.float64)
    if wanted == "standardize":
        deviations = np.array([column.std() for column in training.T])
        return means.astype(np.float32), np.float32(1 / np.maximum(deviations, 1e-9))
    by_channel = wanted != "center" and wanted["center"] == "channel"
    groups = means.reshape(3 if by_channel else 1, -1)
    shift = np.repeat(groups.mean(1), groups.shape[1]).astype(np.float32)
    raw = wanted != "center" and wanted.get("scale") == "raw"
    return shift, np.float32(1 if raw else 1 / 255)


def _mnist(folder, names):
    """Read images (n, 784) and labels (n,) of a published part."""
    (name,) = names
    raw = Path(folder, "MNIST", "raw")
    pictures = np.fromfile(raw / f"{name}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 784)
    return pictures, np.fromfile(raw / f"{name}-labels-idx1-ubyte", np.uint8)[8:]


def steps(config, images):
    """Return the number of updates, and after how many each evaluation comes."""
    of_epoch = -(-images // config["n_batch"])
    total = config.get("steps") or config["epochs"] * of_epoch
    return total, (config.get("evaluate") or {}).get("every_steps") or of_epoch


def write(results, rows, test_accuracy):
    """Write a row of metrics for each evaluation, and the test accuracy."""
    (results / "0.json").write_text(json.dumps({"rows": rows, "test_accuracy": float(test_accuracy)}))
