"""The workloads, and the command line with which each program runs one."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import yaml

from cifar_linear.data.cifar import CIFAR10
from cifar_linear.data.dataset import Split, hold_out, join_batches
from cifar_linear.randomness import Purpose, rng_for

PEERS = Path(__file__).parent / "peers"
SEED = 400
HELD_OUT = 1000
PIXELS, CLASSES = 3072, 10
LAST = 10
"""Epochs whose mean accuracy is compared."""
ALL = tuple(f"data_batch_{number}" for number in range(1, 6))

Setting = tuple[float, float]
"""Lambda and eta."""


@dataclass(frozen=True)
class Work:
    """Something to train, with the outputs that every program must produce.

    Attributes:
        name: the name in tables.
        settings: lambda and eta of each run.
        train: the batches to train on; with all five, 1000 of their images are held out for validation.
        loss, n_batch, epochs, flip, init_std: as in a config.
    """

    name: str
    settings: tuple[Setting, ...]
    train: tuple[str, ...] = ("data_batch_1",)
    loss: str = "softmax"
    n_batch: int = 100
    epochs: int = 40
    flip: float = 0
    init_std: float = 0.01

    @property
    def holds_out(self) -> bool:
        """Whether the validation images come from the training batches."""
        return len(self.train) == len(ALL)

    @property
    def operations(self) -> int:
        """Multiplications and additions: 4 d K for each image of a training epoch, 2 d K for each image evaluated."""
        images = 10_000 * len(self.train) - (HELD_OUT if self.holds_out else 0)
        evaluated = images + (HELD_OUT if self.holds_out else 10_000)
        return len(self.settings) * 2 * PIXELS * CLASSES * (2 * self.epochs * images + (self.epochs + 1) * evaluated)

    def config(self) -> dict[str, object]:
        """The config that all settings share."""
        validation = {"size": HELD_OUT} if self.holds_out else ["data_batch_2"]
        return {
            "data": {"dataset": "cifar10", "train": list(self.train), "validation": validation, "test": ["test_batch"]},
            "loss": self.loss,
            "n_batch": self.n_batch,
            "epochs": self.epochs,
            "augmentation": {"flip": self.flip},
            "init_std": self.init_std,
            "seed": SEED,
            "lambda": self.settings[0][0],
            "eta": self.settings[0][1],
        }


REQUIRED: tuple[Setting, ...] = ((0, 0.1), (0, 0.001), (0.1, 0.001), (1, 0.001))
GRID = tuple((lam, eta) for lam in (0.1, 0.01, 0.001) for eta in (0.001, 0.005, 0.01))
ONE = Work("a", REQUIRED[2:3])
FOUR = Work("b", REQUIRED)
NINE = Work("c", GRID)
EVERYTHING = Work("d", REQUIRED[2:3], train=ALL, flip=0.5)
# scikit-learn has no softmax with mini-batches; both programs can train K logistic losses from zero weights.
LOGISTIC = Work("e", ((0.001, 0.01),), loss="sigmoid_bce", init_std=0)

_SHORT = replace(ONE, epochs=10)
GROWTH: dict[str, dict[int, Work]] = {
    "images": {
        10_000: _SHORT,
        20_000: replace(_SHORT, train=ALL[:1] + ALL[2:3]),
        40_000: replace(_SHORT, train=ALL[:1] + ALL[2:]),
    },
    "cells": {1: _SHORT, 3: replace(_SHORT, settings=GRID[:3]), 9: replace(_SHORT, settings=GRID)},
    "n_batch": {size: replace(_SHORT, n_batch=size) for size in (20, 100, 500)},
}


def our_command(work: Work, data: Path, folder: Path, figures: bool = False) -> list[str]:
    """`cifar-linear train` for one setting, `cifar-linear sweep` for several, all evaluated on the test set."""
    config = folder / "config.yaml"
    one = len(work.settings) == 1
    cells = [{"lambda": lam, "eta": eta} for lam, eta in work.settings]
    config.write_text(yaml.safe_dump(work.config() if one else {"base": work.config(), "cells": cells}))
    words = ["train"] if one else ["sweep", "--with-test"]
    words += ["--config", str(config), "--data-dir", str(data), "--runs-dir", str(folder / "runs"), "--quiet"]
    return [sys.executable, "-m", "cifar_linear", *words, *([] if figures else ["--no-figures"])]


def our_metrics(work: Work, folder: Path) -> list[dict[str, float]]:
    """The accuracies of each run, in the order of the settings."""
    found = {}
    for path in folder.glob("runs/**/run.json"):
        record = json.loads(path.read_text())
        setting = record["config"]["lambda"], record["config"]["eta"]
        found[setting] = _accuracies(path.with_name("metrics.csv"), record["metrics"]["test"]["accuracy"])
    return [found[setting] for setting in work.settings]


def peer_command(peer: str, work: Work, data: Path, folder: Path) -> list[str]:
    """The command with which another program does the same work."""
    held_out = None
    if work.holds_out:
        held_out = str(folder / "held_out.npy")
        np.save(held_out, _held_out(work, data))
    path = folder / "work.json"
    path.write_text(
        json.dumps(
            {
                "data": str(data),
                "train": work.train,
                "validation": [] if held_out else ["data_batch_2"],
                "test": ["test_batch"],
                "held_out": held_out,
                "settings": [{"lambda": lam, "eta": eta} for lam, eta in work.settings],
                "loss": work.loss,
                "n_batch": work.n_batch,
                "epochs": work.epochs,
                "flip": work.flip,
                "seed": SEED,
            }
        )
    )
    return [sys.executable, str(PEERS / f"{peer}.py"), str(path), str(folder / "results")]


def peer_metrics(work: Work, folder: Path) -> list[dict[str, float]]:
    """The accuracies of each setting, in their order."""
    results = [folder / "results" / f"{number}.json" for number in range(len(work.settings))]
    return [_accuracies(path.with_suffix(".csv"), json.loads(path.read_text())["test_accuracy"]) for path in results]


def _accuracies(rows: Path, test_accuracy: float) -> dict[str, float]:
    """Accuracies after training; those on training and validation images are means over the last epochs."""
    with rows.open(newline="") as file:
        last = list(csv.DictReader(file))[-LAST:]
    means = {split: fmean(float(row[f"{split}_accuracy"]) for row in last) for split in ("train", "validation")}
    return {**means, "test": test_accuracy}


def _held_out(work: Work, data: Path) -> np.ndarray:
    """The rows that cifar-linear holds out for validation, so that all programs hold out the same."""
    labels = join_batches(CIFAR10.source(data), work.train).labels
    rows = Split(np.arange(len(labels))[:, None], labels)
    return hold_out(rows, HELD_OUT, rng_for(SEED, Purpose.HELD_OUT))[1].images[:, 0]


def disagreements(work: Work, ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]]) -> list[str]:
    """List accuracies more than a point apart: of each setting over the last epochs, of all on the test set.

    With the larger etas, the accuracy of one epoch moves by more than a point with any program; with eta 0.1, so does
    the mean of ten, and such settings are left out.
    """
    pairs = [(setting, *pair) for setting, *pair in zip(work.settings, ours, theirs, strict=True) if setting[1] < 0.1]
    compared = [
        (f"lambda {lam:g} eta {eta:g} {split}", our[split], their[split])
        for (lam, eta), our, their in pairs
        for split in ("train", "validation")
    ]
    compared.append(("test", fmean(our["test"] for _, our, _ in pairs), fmean(their["test"] for _, _, their in pairs)))
    return [f"{what}: {100 * a:.2f} % against {100 * b:.2f} %" for what, a, b in compared if abs(a - b) > 0.01]
