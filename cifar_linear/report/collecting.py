"""Runs as a report sees them: whatever can be read from their folders."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from cifar_linear.config.formatting import flat
from cifar_linear.data.dataset import SplitName
from cifar_linear.errors import RunError
from cifar_linear.runs.artifacts import Predictions, StoredModel
from cifar_linear.runs.discovery import run_folders, sweeps
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Record

_LONGEST_LABEL = 60
_WHOLES = ("data", "decay", "early_stopping", "averaging")
"""Keys whose parts only mean something together."""
_WHY = {
    "running": "still under way",
    "killed": "its process is gone; train --resume goes on with it",
    "interrupted": "stopped by a signal",
}


@dataclass(frozen=True)
class Run:
    """One run, read whole.

    Attributes:
        folder: where it is.
        record: run.json.
        rows: metrics.csv; at least one evaluation point.
        model: the weights.
        predictions: on the test images; None if the run did not finish.
        steps: steps.csv; nothing if single steps were not recorded.
    """

    folder: RunFolder
    record: Record
    rows: Sequence[Mapping[str, float]]
    model: StoredModel
    predictions: Predictions | None
    steps: Sequence[float] = ()

    @classmethod
    def read(cls, path: Path) -> Run:
        """Raises `RunError` in a line if the folder is not a whole run of this version with at least one evaluation."""
        folder = RunFolder(path)
        record, rows = folder.read_record(), folder.read_metrics()
        if not rows:
            raise RunError(f"{path}: broken off before its first evaluation")
        model = folder.read_model()
        return cls(folder, record, rows, model, folder.read_predictions(model), folder.read_steps())

    @property
    def name(self) -> str:
        """The folder's name, as text in any case."""
        return os.fsencode(self.folder.path.resolve().name).decode(errors="replace")

    @cached_property
    def settings(self) -> dict[str, str]:
        """The config with dotted keys and values as text; without the data folder, which influences no number."""
        settings = dict(flat(self.record.config.to_tree()))
        settings.pop("data.folder", None)
        return settings

    @property
    def last(self) -> Mapping[str, float]:
        """The last evaluation point."""
        return self.rows[-1]

    @property
    def test_accuracy(self) -> float | None:
        """Of the last weights; None for a run that has not met the test images."""
        return self.record.metrics["test"].accuracy if "test" in self.record.metrics else None

    def outcome(self, split: SplitName) -> float | None:
        """The accuracy that the run is judged by: of its best weights, if it kept them, else of its last."""
        figures = self.record.outcome.get(split)
        return figures.accuracy if figures else None

    def of_best(self, split: SplitName) -> float | None:
        """The accuracy of the best weights, if the run kept them."""
        return self.outcome(split) if self.record.best else None

    @property
    def gap(self) -> float:
        """Generalisation gap: accuracy on training images less accuracy on validation images, after the last epoch."""
        return self.last["train_accuracy"] - self.last["validation_accuracy"]

    @property
    def best_epoch(self) -> int:
        """The first epoch with the highest validation accuracy."""
        return int(max(self.rows, key=lambda row: row["validation_accuracy"])["epoch"])

    @cached_property
    def weight_norm(self) -> float:
        """|W|, the root of the sum of all squared weights; b counts where the penalty covers it."""
        names = [name for name in self.model.parameters if name != "b" or self.record.config.bias == "column"]
        return float(np.sqrt(sum(np.sum(np.square(self.model.parameters[name], dtype=np.float64)) for name in names)))


@dataclass
class Collection:
    """The runs that could be read, and a line about each folder that could not or that ended early."""

    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect(paths: Sequence[Path]) -> Collection:
    """Runs from run folders, or from folders of run folders, each once, in the order of their names within each.

    Raises `RunError` if there is no run at all.
    """
    found = Collection()
    folders = [folder for path in paths for folder in run_folders(path)]
    for folder in {folder.resolve(): folder for folder in folders}.values():
        try:
            run = Run.read(folder)
        except RunError as error:
            found.notes.append(f"left out: {error}")
            continue
        found.runs.append(run)
        status = run.folder.status(run.record)
        if status != "finished":
            why = run.record.error or _WHY.get(status, "")
            found.notes.append(f"{run.name}: {status} after epoch {run.last['epoch']:.0f}: {why}")
    found.notes += [
        f"left out: {sweep}: a sweep; name it for a report of its own" for path in paths for sweep in sweeps(path)
    ]
    if not found.runs:
        looked = ", ".join(map(str, paths))
        raise RunError("\n  ".join([f"no run to report in {looked}", *found.notes]))
    return found


def differences(runs: Sequence[Run]) -> list[str]:
    """The config keys in which the runs differ, in the order of the config."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    return [key for key in keys if len({run.settings.get(key) for run in runs}) > 1]


def factors(runs: Sequence[Run]) -> list[dict[str, str]]:
    """For each run the settings in which they differ; what belongs together, like the parts of decay, is one."""
    keys = differences(runs)
    of_runs: list[dict[str, str]] = []
    for run in runs:
        parts: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for key in keys:
            whole, _, part = key.partition(".")
            together = whole in _WHOLES
            values = parts[whole if together else key]
            if key in run.settings:
                values.append((part if together else "", run.settings[key]))
        of_runs.append({key: _joined(settings) for key, settings in parts.items()})
    return of_runs


def in_order(values: Iterable[str]) -> list[str]:
    """The values of a setting: "none" first, then numbers by size, then words, the shorter first."""

    def rank(value: str) -> tuple[int, float, str]:
        try:
            return 1, float(value), ""
        except ValueError:
            return 0 if value == "none" else 2, len(value), value

    return sorted(values, key=rank)


def _joined(settings: Sequence[tuple[str, str]]) -> str:
    if len(settings) == 1 and settings[0][0] in ("", "kind"):
        return settings[0][1]
    # "step, every 10" says enough without the word kind.
    words = [value if part == "kind" else f"{part} {value}" for part, value in settings]
    return ", ".join(words) or "none"


def labelled(runs: Sequence[Run]) -> dict[str, Run]:
    """The runs by a short name: what sets each apart, else the run's name, the folder's, or that with a number."""
    keys = differences(runs)
    labels = [settings_label(run, keys) for run in runs]
    for others in (
        [_shortened(run.name.partition("Z_")[2] or run.name) for run in runs],
        [_shortened(run.name) for run in runs],
        [f"run {number}" for number, _ in enumerate(runs, start=1)],
    ):
        if len(set(labels)) == len(runs) and all(0 < len(label) <= _LONGEST_LABEL for label in labels):
            break
        labels = others
    return dict(zip(labels, runs, strict=True))


def settings_label(run: Run, keys: Sequence[str]) -> str:
    """Some of a run's settings in a line."""
    return ", ".join(f"{key.rpartition('.')[2]} {run.settings[key]}" for key in keys if key in run.settings)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
