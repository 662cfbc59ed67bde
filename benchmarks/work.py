"""What is done by all: the workloads, and the command line with which each program does one."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from cifar_linear.data import cifar10
from cifar_linear.data.dataset import Split, hold_out, join_batches
from cifar_linear.randomness import Purpose, rng_for

PEERS = Path(__file__).parent / "peers"
SEED = 400
HELD_OUT = 1000
ALL = tuple(f"data_batch_{number}" for number in range(1, 6))

Setting = tuple[float, float]
"""Lambda and eta."""


@dataclass(frozen=True)
class Work:
    """Something to train, with the outputs that everybody has to give.

    Attributes:
        name: in tables.
        settings: lambda and eta of each run.
        train: the batches to train on; with all five, 1000 images of them are held out for validation.
        loss, n_batch, epochs, flip: as in a config.
    """

    name: str
    settings: tuple[Setting, ...]
    train: tuple[str, ...] = ("data_batch_1",)
    loss: str = "softmax"
    n_batch: int = 100
    epochs: int = 40
    flip: float = 0

    @property
    def holds_out(self) -> bool:
        """Whether the validation images come from the training batches."""
        return len(self.train) == len(ALL)

    def config(self) -> dict[str, object]:
        """What all settings share, as a config."""
        validation = {"size": HELD_OUT} if self.holds_out else ["data_batch_2"]
        return {
            "data": {"dataset": "cifar10", "train": list(self.train), "validation": validation, "test": ["test_batch"]},
            "loss": self.loss,
            "n_batch": self.n_batch,
            "epochs": self.epochs,
            "augmentation": {"flip": self.flip},
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
# What scikit-learn has no counterpart of is softmax: K logistic losses are the same work with another loss.
LOGISTIC = Work("e", ((0.001, 0.01),), loss="sigmoid_bce")

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
    """`cifar-linear train` for one setting, `cifar-linear sweep` for several; all runs meet the test images."""
    config = folder / "config.yaml"
    one = len(work.settings) == 1
    cells = [{"lambda": lam, "eta": eta} for lam, eta in work.settings]
    config.write_text(yaml.safe_dump(work.config() if one else {"base": work.config(), "cells": cells}))
    words = ["train"] if one else ["sweep", "--with-test"]
    words += ["--config", str(config), "--data-dir", str(data), "--runs-dir", str(folder / "runs"), "--quiet"]
    return [sys.executable, "-m", "cifar_linear", *words, *([] if figures else ["--no-figures"])]


def our_figures(folder: Path) -> list[dict[str, float]]:
    """The last figures of each run that the command left, in the order of the settings."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("runs/**/run.json"))]
    found = {}
    for record in records:
        figures = {
            f"{split}_{name}": value for split, of in record["metrics"].items() for name, value in of.items()
        }
        found[record["config"]["lambda"], record["config"]["eta"]] = figures
    return list(found.values()) if len(found) == 1 else [found[setting] for setting in sorted(found)]


def peer_command(peer: str, work: Work, data: Path, folder: Path) -> list[str]:
    """The same work for another program."""
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


def peer_figures(work: Work, folder: Path) -> list[dict[str, float]]:
    """The last figures of each setting, in the order of `our_figures`."""
    found = {
        setting: json.loads((folder / "results" / f"{number}.json").read_text())
        for number, setting in enumerate(work.settings)
    }
    return [found[setting] for setting in sorted(found)]


def _held_out(work: Work, data: Path) -> np.ndarray:
    """The rows that our config draws for validation, so that everybody has the same."""
    labels = join_batches(cifar10.source(data), work.train).labels
    rows = Split(np.arange(len(labels))[:, None], labels)
    return hold_out(rows, HELD_OUT, rng_for(SEED, Purpose.HELD_OUT))[1].images[:, 0]


def disagreements(
    work: Work, ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]]
) -> list[str]:
    """Accuracies of the same setting that are more than a point apart.

    Left out are the 1000 held-out images, of which two equally good classifiers may well differ by a point, and eta
    0.1, with which the accuracy jumps by several points from epoch to epoch.
    """
    splits = ["train", "test"] if work.holds_out else ["train", "validation", "test"]
    found = []
    for (lam, eta), our, their in zip(sorted(work.settings), ours, theirs, strict=True):
        for split in splits if eta < 0.1 else []:
            a, b = our[f"{split}_accuracy"], their[f"{split}_accuracy"]
            if abs(a - b) > 0.01:
                found.append(f"lambda {lam:g} eta {eta:g} {split} {100 * a:.2f} % against {100 * b:.2f} %")
    return found
