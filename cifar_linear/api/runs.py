"""A run, read from its folder, as arrays and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cifar_linear.arrays import Doubles, Examples
from cifar_linear.config.models import Config
from cifar_linear.errors import CifarLinearError, ConfigError
from cifar_linear.experiments.classifier import Classifier, Predicted
from cifar_linear.figures.style import format_of, rendered
from cifar_linear.nn.parameters import Parameters
from cifar_linear.report.captions import Drawing
from cifar_linear.report.collecting import Run as StoredRun
from cifar_linear.report.drawing import draw_one
from cifar_linear.runs.artifacts import Predictions
from cifar_linear.runs.discovery import find_run
from cifar_linear.storage.atomic import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def load_run(run: str | Path, runs_dir: str | Path = "runs") -> Run:
    """Read a run from its folder.

    Args:
        run: the path of the folder, or the name of a run as on the command line: ``"last"`` for the newest.
        runs_dir: where names are looked for.

    Returns:
        The run. With early stopping its weights are the best ones, those with the lowest validation loss.

    Raises:
        RunError: there is no such run, it is damaged, or it has no evaluation yet; the message has which and why.
    """
    return Run(StoredRun.read(find_run(Path(runs_dir), str(run))))


class Run:
    """A run as arrays and pictures; `load_run` reads it. Weights, predictions and pictures belong together."""

    def __init__(self, stored: StoredRun) -> None:
        self._stored = stored

    def __repr__(self) -> str:
        return f"<Run {self.path}: {self.status} after epoch {self._stored.last['epoch']:.0f}>"

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._stored.folder.path

    @property
    def config(self) -> Config:
        """The settings, by the names of the keys; lambda is ``lam``."""
        return self._stored.record.config

    @property
    def status(self) -> str:
        """``finished``, ``diverged``, ``interrupted``, ``failed``, ``running`` or ``killed``."""
        return self._stored.folder.status(self._stored.record)

    @property
    def error(self) -> str | None:
        """What went wrong; None for nothing."""
        return self._stored.record.error

    @cached_property
    def metrics(self) -> dict[str, Doubles]:
        """The columns of ``metrics.csv`` by name, a number for each evaluation, (e,).

        ``train_loss``, ``train_cost``, ``validation_loss`` and ``validation_cost`` are in nats, ``train_accuracy`` and
        ``validation_accuracy`` fractions, ``seconds`` are since the start; ``epoch``, ``step`` and ``eta`` say where
        the evaluation is.
        """
        rows = self._stored.rows
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def frame(self) -> Any:
        """`metrics` as a pandas DataFrame, a row for each evaluation.

        Raises:
            CifarLinearError: pandas is not installed.
        """
        try:
            from pandas import DataFrame  # noqa: PLC0415  # optional, and slow to load
        except ImportError as error:
            raise CifarLinearError("a DataFrame needs pandas: pip install pandas; metrics are arrays") from error
        return DataFrame(self.metrics)

    @property
    def final(self) -> dict[str, dict[str, float]]:
        """Loss and cost in nats and accuracy as a fraction, of the run's weights on each split: ``final["test"]``."""
        return {split: metrics.model_dump() for split, metrics in self._stored.record.outcome.items()}

    @property
    def batch_losses(self) -> Doubles:
        """The loss of each batch before its update, (steps,); empty unless ``record_steps`` was set."""
        return np.array(self._stored.steps, np.float64)

    @property
    def parameters(self) -> Parameters:
        """The run's weights by name; of a linear classifier ``W`` (K, d) and ``b`` (K,), for standardised images."""
        return self._stored.model.parameters

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for each of the K classes."""
        return tuple(map(str, self._stored.model.class_names))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width), whose product is d."""
        return self._stored.model.image_shape

    @property
    def predictions(self) -> Predictions | None:
        """``probabilities`` (n, K), ``predicted`` (n,) and ``labels`` (n,) of the test images; None before the test."""
        return self._stored.predictions

    def predict(self, images: Examples) -> Predicted:
        """Classify other images.

        Args:
            images: rows like those that the run was trained on, (n, d); uint8 pixels of 0 to 255, channel-major.

        Returns:
            ``probabilities``, (n, K), and ``predicted``, (n,), the class with the largest score.

        Raises:
            ConfigError: the images have another shape.
        """
        features = len(self._stored.model.mean)
        if images.ndim != 2 or images.shape[1] != features:
            raise ConfigError(f"images have the shape {images.shape}; (n, {features}) is needed for this run")
        return Classifier.judged(self._stored.folder, self._stored.record).predict(images)

    @cached_property
    def figures(self) -> Mapping[str, Picture]:
        """The figures of the run's report by name, such as ``cost`` and ``templates``; each is drawn when shown."""
        return {drawing.file: Picture(drawing) for drawing in draw_one(self._stored)}


class Picture:
    """A figure that a notebook shows by itself. Where there are no pictures, it is the text that stands for it."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    def __repr__(self) -> str:
        return f"<Picture {self.title}: {self.alt}>"

    @property
    def title(self) -> str:
        """What it is called in reports."""
        return self._drawing.title

    @property
    def alt(self) -> str:
        """What it shows, for readers who do not see it."""
        return self._drawing.alt

    def figure(self) -> Figure:
        """Draw it as a new Matplotlib figure."""
        return self._drawing.draw()

    def save(self, path: str | Path) -> None:
        """Write it to a file whose ending is ``.png``, ``.pdf`` or ``.svg``. Raises `ConfigError` for another."""
        path = Path(path)
        write_whole(path, rendered(self.figure(), format_of(path)))

    def _repr_png_(self) -> bytes:
        """The hook by which notebooks show pictures."""
        return rendered(self.figure())
