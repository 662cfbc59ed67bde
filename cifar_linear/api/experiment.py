"""An experiment in Python, in the words of its config file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from cifar_linear.api.runs import Run, load_run
from cifar_linear.config.models import Config
from cifar_linear.config.reading import listed, read_config, validated
from cifar_linear.config.yaml_tree import Place, Tree
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import ConfigError, DivergedError
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.names import checked_name
from cifar_linear.signals import SafeStop
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.threads import with_a_core_for_evaluation

_PLACE = "Experiment"


class Experiment:
    """What ``cifar-linear train`` does with a config file.

    Args:
        settings: the keys of a config file with their values, checked as those of a file are. ``lambda`` is a word of
            Python: write ``lambda_`` (or ``lam``). Sections are dicts.

    Attributes:
        config: all settings, with their defaults.

    Raises:
        ConfigError: lists all that is wrong.

    >>> experiment = Experiment(data={"dataset": "synthetic"}, lambda_=0.1, eta=0.001, n_batch=100, epochs=40)
    >>> experiment.config.lam, experiment.config.loss
    (0.1, 'softmax')
    """

    def __init__(self, **settings: Any) -> None:
        self.config = _config(_in_words_of_files(settings))

    @classmethod
    def from_yaml(cls, path: str | Path, **settings: Any) -> Experiment:
        """The experiment of a config file.

        Args:
            path: of the file.
            settings: keys that take the place of the file's.

        Raises:
            ConfigError: the file cannot be read, or lists all that is wrong in it.
        """
        return cls._of(read_config(Path(path))).with_settings(**settings)

    @classmethod
    def _of(cls, config: Config) -> Experiment:
        experiment = cls.__new__(cls)
        experiment.config = config
        return experiment

    def __repr__(self) -> str:
        settings = {"lambda_" if key == "lambda" else key: value for key, value in self.config.to_tree().items()}
        return f"{_PLACE}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"

    def with_settings(self, **settings: Any) -> Experiment:
        """A copy in which some keys have other values.

        >>> slow = Experiment(data={"dataset": "synthetic"}, lambda_=0, eta=0.001, n_batch=100, epochs=1)
        >>> slow.with_settings(eta=0.1).config.eta
        0.1
        """
        return self._of(_config(self.config.to_tree() | _in_words_of_files(settings)))

    def to_yaml(self) -> str:
        """The complete config as the text of a file that `from_yaml` reads back."""
        return self.config.to_yaml()

    def dataset(self, data_dir: str | Path | None = None) -> Dataset:
        """The images: ``train``, ``validation`` and ``test`` with ``images`` (n, d) and ``labels`` (n,).

        Args:
            data_dir: the folder of published images; None for the one that the config names, or the usual one.

        Raises:
            DataError: images are missing or damaged.
        """
        return load_dataset(self.config, None if data_dir is None else Path(data_dir))

    def evaluations(self, data_dir: str | Path | None = None) -> Iterator[Evaluation]:
        """Train, and yield the evaluation before the first update and after each epoch; nothing is written.

        Each has ``epoch``, ``step``, ``eta``, and ``train`` and ``validation`` with ``loss``, ``cost`` and
        ``accuracy``, arrays with one number, (1,).

        Args:
            data_dir: as for `dataset`.

        Raises:
            DataError: images are missing or damaged.
        """
        group = Group.of([self.config], self.dataset(data_dir))
        evaluations = group.evaluations(group.first_state(), group.batches())
        return with_a_core_for_evaluation(evaluations, most=1 if self.config.repro == "strict" else None)

    def run(
        self,
        runs_dir: str | Path = "runs",
        *,
        name: str = "run",
        data_dir: str | Path | None = None,
        watch: Callable[[Evaluation], None] | None = None,
    ) -> Run:
        """Train, evaluate on the test images, and keep everything in a new run folder.

        Ctrl-C, or the interrupt button of a notebook, stops after the update at hand; the run up to its last evaluation
        is kept, and ``cifar-linear train --resume`` continues it.

        Args:
            runs_dir: where the run folder is made.
            name: part of the folder's name, after the time.
            data_dir: as for `dataset`.
            watch: is called with each evaluation, as `evaluations` yields them.

        Returns:
            The finished run, as `load_run` gives it.

        Raises:
            ConfigError: the name cannot be a file's.
            DataError: images are missing or damaged.
            RunError: the folder cannot be written.
            DivergedError: weights or cost left the finite numbers; the folder, which the message names, is kept.
        """
        checked_name(name)
        images = self.dataset(data_dir)
        folder = RunFolder.create(Path(runs_dir), name)
        # Signals can be told to wait only in the main thread.
        stop = SafeStop() if threading.current_thread() is threading.main_thread() else None
        check = (lambda: None) if stop is None else stop.check
        with stop or nullcontext():
            (record,) = run_group([self.config], [folder], images, watch or (lambda _evaluation: None), check)
        if record.status == "diverged":
            raise DivergedError(f"{record.error}; the run is kept in {folder.path}")
        return load_run(folder.path)


def _in_words_of_files(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keys as files have them. Raises `ConfigError` if lambda is given twice."""
    names = [name for name in ("lambda", "lambda_", "lam") if name in settings]
    if len(names) > 1:
        raise ConfigError(f"{_PLACE}: {' and '.join(names)} are one key; give one of them")
    return {"lambda" if key in names else key: _plain(value) for key, value in settings.items()}


def _plain(value: Any) -> Any:
    """A setting in which NumPy's numbers are Python's."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def _config(values: dict[str, Any]) -> Config:
    """Raises `ConfigError` with all problems."""
    config, problems = validated(Config, Tree(values, {(): Place(_PLACE)}))
    if config is None:
        raise ConfigError(listed(problems))
    return config
