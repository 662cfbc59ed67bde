"""The runs of a report, read from their folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from cifar_linear.config.formatting import flat
from cifar_linear.data.dataset import SplitName
from cifar_linear.errors import RunError
from cifar_linear.nn.network import Network
from cifar_linear.runs.artifacts import Predictions, StoredModel
from cifar_linear.runs.discovery import run_folders, sweeps
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.introspection import Introspection
from cifar_linear.runs.record import Calibration, Certificate, Record, Sensitivity
from cifar_linear.wording import counted

_WHY = {
    "running": "still under way",
    "killed": "its process is gone; train --resume continues it",
    "interrupted": "stopped by a signal",
}


@dataclass(frozen=True)
class Run:
    """One run, read from its folder as a whole.

    With early stopping a run is judged by its best weights, those with the lowest validation loss, else by its last.
    Every number by which runs are compared is of these weights.

    Attributes:
        folder: where it is.
        record: run.json.
        rows: metrics.csv; at least one evaluation point.
        model: the weights that the run is judged by.
        predictions: of these weights, on the test images; None if the run has not been evaluated on them.
        steps: steps.csv; empty if single steps were not recorded.
        certificate: bounds of the lowest cost; None if the run was not certified.
        calibration: how honest the probabilities are; None for runs of earlier versions.
        network: the layers of the config; None for a linear model.
        inside: what the network does with some test images; None for a linear model and for older run folders.
        sensitivity: how far the run parts from one with another last bit; None if that was not measured.
    """

    folder: RunFolder
    record: Record
    rows: Sequence[Mapping[str, float]]
    model: StoredModel
    predictions: Predictions | None
    steps: Sequence[float] = ()
    certificate: Certificate | None = None
    calibration: Calibration | None = None
    network: Network | None = None
    inside: Introspection | None = None
    sensitivity: Sensitivity | None = None

    @classmethod
    def read(cls, path: Path) -> Run:
        """Read a folder. Raises `RunError` in a line if it is not a whole run of this version with an evaluation."""
        folder = RunFolder(path)
        record, rows = folder.read_record(), folder.read_metrics()
        if not rows:
            raise RunError(f"{path}: stopped before its first evaluation")
        model = folder.read_model(best=record.weights == "best")
        network = record.config.network()
        if misfit := _misfit(model, network):
            raise RunError(f"{path}: its model is not the config's: {misfit}")
        predictions, inside = folder.read_predictions(model), None
        if network and predictions is not None:
            inside = folder.read_introspection(network, len(predictions.labels))
        return cls(
            folder,
            record,
            rows,
            model,
            predictions,
            folder.read_steps(),
            folder.read_certificate(),
            folder.read_calibration(),
            network,
            inside,
            folder.read_sensitivity(),
        )

    @property
    def name(self) -> str:
        """The folder's name, as text in any case."""
        return os.fsencode(self.folder.path.resolve().name).decode(errors="replace")

    @property
    def given_name(self) -> str:
        """The name without the time before it."""
        return self.name.partition("Z_")[2] or self.name

    @property
    def finished(self) -> bool:
        """Whether the run came to its end, so that it can be compared with others."""
        return self.record.status == "finished"

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

    @cached_property
    def lowest_loss(self) -> Mapping[str, float]:
        """The evaluation point with the lowest validation loss, the first of several."""
        return min(self.rows, key=lambda row: row["validation_loss"])

    @property
    def judged(self) -> Mapping[str, float]:
        """The evaluation point of the weights that the run is judged by."""
        return self.lowest_loss if self.record.best else self.last

    @property
    def weights(self) -> str:
        """Which weights these are, in words."""
        return f"{self.record.weights}, {self.place(self.judged)}"

    @cached_property
    def _within_epochs(self) -> bool:
        return any(before["epoch"] == after["epoch"] for before, after in pairwise(self.rows))

    def place(self, row: Mapping[str, float]) -> str:
        """Say which evaluation point it is: by its epoch, or by its step where an epoch has several."""
        return f"step {row['step']:.0f}" if self._within_epochs else f"epoch {row['epoch']:.0f}"

    def when(self, row: Mapping[str, float]) -> str:
        """The same after a verb, as in "is lowest after epoch 3"."""
        return f"after {self.place(row)}" if row["step"] else "before the first update"

    @property
    def length(self) -> str:
        """How long it was trained, in the same units."""
        unit, _, count = self.place(self.last).partition(" ")
        return counted(int(count), unit)

    @property
    def end(self) -> str:
        """How a run ended that did not finish, in words."""
        if self.record.diverged_at is not None:
            return f"diverged at step {self.record.diverged_at}"
        return f"{self.folder.status(self.record)} {self.when(self.last)}"

    def outcome(self, split: SplitName) -> float | None:
        """Return the accuracy of these weights, a fraction; None on a split that the run was not evaluated on."""
        metrics = self.record.outcome.get(split)
        return metrics.accuracy if metrics else None

    @property
    def gap(self) -> float:
        """Generalisation gap of these weights: accuracy on training images minus accuracy on validation images."""
        return self.judged["train_accuracy"] - self.judged["validation_accuracy"]

    @property
    def shows_penalty(self) -> bool:
        """Whether loss, penalty and cost are shown side by side, as in the course on networks."""
        return self.network is not None and self.record.config.lam > 0

    @cached_property
    def weight_norm(self) -> float:
        """|W|, the root of the sum of all squared weights; b counts where the penalty covers it."""
        config = self.record.config
        everything = config.bias == "column" or config.penalise == "all"
        names = [name for name in self.model.parameters if everything or name.rpartition(".")[2] != "b"]
        return float(np.sqrt(sum(np.sum(np.square(self.model.parameters[name], dtype=np.float64)) for name in names)))


def _misfit(model: StoredModel, network: Network | None) -> str | None:
    """What is wrong with a model that was read for a run with this network, or with a linear model."""
    if network is None:
        return None if model.is_linear else "the config's is linear"
    if model.image_shape != network.shape or len(model.class_names) != network.shapes[-1][0]:
        return f"{len(model.class_names)} classes of images {model.image_shape}"
    return model.misfit(network.parameter_shapes)


@dataclass
class Collection:
    """The runs that could be read, and a line about each folder that could not be read or whose run ended early."""

    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect(paths: Sequence[Path]) -> Collection:
    """Read runs from run folders, or from folders of run folders, each once, in the order of their names within each.

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
            # The message of a run that diverged says when.
            end = "" if run.record.diverged_at is not None else f"{status} {run.when(run.last)}: "
            found.notes.append(f"{run.name}: {end}{why}")
    found.notes += [
        f"left out: {sweep}: a sweep; name it for a report of its own" for path in paths for sweep in sweeps(path)
    ]
    if not found.runs:
        looked = ", ".join(map(str, paths))
        raise RunError("\n  ".join([f"no run that can be read in {looked}", *found.notes]))
    return found
