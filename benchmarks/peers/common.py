"""Reads the work and the published images, and writes the results, for all programs.

The work is a JSON file: ``data`` (folder), ``train``, ``validation`` and ``test`` (batch names), ``held_out`` (a file
with the rows of the training batches that are the validation images instead, or null), ``settings`` (a list of
``lambda`` and ``eta``), ``loss``, ``n_batch``, ``epochs``, ``flip`` and ``seed``.
"""

import csv
import json
import pickle
import sys
from pathlib import Path

import numpy as np

COLUMNS = ("train_loss", "train_cost", "train_accuracy", "validation_loss", "validation_cost", "validation_accuracy")


def work():
    """Return the work named on the command line, and the folder for its results."""
    path, results = map(Path, sys.argv[1:])
    results.mkdir(parents=True, exist_ok=True)
    return json.loads(path.read_text()), results


def images(work):
    """Training, validation and test images (n, 3072), uint8, each with labels (n,)."""
    training, validation, test = (batches(work["data"], work[name]) for name in ("train", "validation", "test"))
    if work["held_out"]:
        chosen = np.zeros(len(training[1]), bool)
        chosen[np.load(work["held_out"])] = True
        training, validation = [part[~chosen] for part in training], [part[chosen] for part in training]
    return training, validation, test


def batches(folder, names):
    """Images (n, 3072) and labels (n,) of published batches; None for no names."""
    if not names:
        return None
    read = [
        pickle.loads(Path(folder, "cifar-10-batches-py", name).read_bytes(), encoding="bytes")  # noqa: S301  # as one does
        for name in names
    ]
    return [np.concatenate([batch[b"data"] for batch in read]), np.concatenate([batch[b"labels"] for batch in read])]


def write(results, setting, rows, test_accuracy, W, b):
    """Write the results of one setting: a row per epoch, the test accuracy, the weights W (10, 3072) and b (10,)."""
    with (results / f"{setting}.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(rows)
    np.savez(results / f"{setting}.npz", W=W, b=b)
    metrics = dict(zip(COLUMNS, map(float, rows[-1]), strict=True))
    (results / f"{setting}.json").write_text(json.dumps({**metrics, "test_accuracy": float(test_accuracy)}))
