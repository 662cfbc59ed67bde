"""Runs as a report sees them: whatever can be read from their folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cifar_linear.errors import RunError
from cifar_linear.runs import FORMAT, Model, Predictions, RunFolder, run_folders


@dataclass(frozen=True)
class Run:
    """One run, read whole.

    Attributes:
        folder: where it is.
        record: run.json.
        rows: metrics.csv; at least one evaluation point.
        model: the weights.
        predictions: on the test images; None if the run did not finish.
    """

    folder: RunFolder
    record: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    model: Model
    predictions: Predictions | None

    @classmethod
    def read(cls, path: Path) -> Run:
        """Raises `RunError` in a line if the folder is not a run of this version with at least one evaluation."""
        folder = RunFolder(path)
        record = folder.read_record()
        version = record.get("format")
        if version != FORMAT:
            raise RunError(f"{path}: written by another version (format {version}, this one reads {FORMAT})")
        rows = folder.read_metrics()
        if not rows:
            raise RunError(f"{path}: broken off before its first evaluation")
        return cls(folder, record, rows, folder.read_model(), folder.read_predictions())

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.path.name

    @property
    def status(self) -> str:
        """As recorded: finished, diverged, interrupted, failed; running also if the process was killed."""
        return str(self.record["status"])

    @cached_property
    def settings(self) -> dict[str, str]:
        """The config with dotted keys and values as text."""
        return dict(_flat(self.record["config"]))

    def figure(self, split: str, name: str) -> float | None:
        """A final metric, if the run got that far."""
        figures = self.record["metrics"].get(split)
        return None if figures is None else float(figures[name])

    @property
    def gap(self) -> float:
        """Generalisation gap: accuracy on training images less accuracy on validation images, after the last epoch."""
        return float(self.rows[-1]["train_accuracy"] - self.rows[-1]["validation_accuracy"])

    @property
    def best_epoch(self) -> int:
        """The first epoch with the highest validation accuracy."""
        return int(max(self.rows, key=lambda row: row["validation_accuracy"])["epoch"])

    @cached_property
    def weight_norm(self) -> float:
        """|W|, the root of the sum of all squared weights."""
        return float(np.linalg.norm(self.model.W.astype(np.float64)))


@dataclass
class Collection:
    """The runs that could be read, and a line about each folder that could not or that ended early."""

    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect(paths: Sequence[Path]) -> Collection:
    """Runs from run folders, or from folders of run folders, in the order of their names within each.

    Raises `RunError` if there is no run at all.
    """
    found = Collection()
    for path in paths:
        for folder in run_folders(path):
            try:
                run = Run.read(folder)
            except RunError as error:
                found.notes.append(f"left out: {error}")
                continue
            found.runs.append(run)
            if run.status != "finished":
                reason = run.record["error"] or "broken off, or still under way"
                found.notes.append(f"{run.name}: {run.status} after epoch {run.record['epoch']}: {reason}")
    if not found.runs:
        looked = ", ".join(map(str, paths))
        raise RunError("\n  ".join([f"no run to report in {looked}", *found.notes]))
    return found


def differences(runs: Sequence[Run]) -> list[str]:
    """The config keys in which the runs differ, in the order of the config."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    return [key for key in keys if len({run.settings.get(key) for run in runs}) > 1]


def labelled(runs: Sequence[Run]) -> dict[str, Run]:
    """The runs by a short name: what sets each apart, or the folder's name where that does not."""
    keys = differences(runs)
    labels = [", ".join(f"{key.rpartition('.')[2]} {run.settings.get(key, '-')}" for key in keys) for run in runs]
    distinct = len(set(labels)) == len(runs) and all(0 < len(label) <= 50 for label in labels)
    return dict(zip(labels if distinct else [run.name for run in runs], runs, strict=True))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
