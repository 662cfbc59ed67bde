"""Reading and writing run folders. No module but this one and `places` knows their files. All writes are atomic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.errors import RunError
from cifar_linear.nn.network import Network
from cifar_linear.runs.artifacts import MODEL_FACTS, PIXELS, Checkpoint, Predictions, StoredModel
from cifar_linear.runs.files import LARGEST_TEXT
from cifar_linear.runs.introspection import Introspection
from cifar_linear.runs.locking import HeldFolder
from cifar_linear.runs.names import checked_name
from cifar_linear.runs.places import RECORD_FILE
from cifar_linear.runs.record import Calibration, Certificate, Sensitivity
from cifar_linear.runs.report_files import FIGURES, PAGES, drawn_in
from cifar_linear.storage.atomic import is_unfinished, remove_unfinished
from cifar_linear.storage.csv_tables import evaluations_of_csv, losses_as_csv, losses_of_csv, rows_as_csv
from cifar_linear.storage.leases import LEASE, Lease
from cifar_linear.storage.locks import LOCK

_MODEL = {False: "model.npz", True: "best_model.npz"}
"""The files of the last weights (False) and of the best weights (True)."""

_OPTIMUM = "optimum.npz"
_CERTIFICATE = "certificate.json"
_CALIBRATION = "calibration.json"
_SENSITIVITY = "sensitivity.json"
_OF_THE_LAST_WEIGHTS = ("predictions.npz", "introspection.npz", _CALIBRATION, _CERTIFICATE, _OPTIMUM, _SENSITIVITY)
TRAINED = (
    "config.yaml",
    "checkpoint.npz",
    "metrics.csv",
    "steps.csv",
    *_MODEL.values(),
    RECORD_FILE,
)
"""The files that training writes; the record comes last, since it says what the others are."""
FILES = (*TRAINED, *_OF_THE_LAST_WEIGHTS)
"""The files of a run other than its report."""


class RunFolder(HeldFolder):
    """The folder of one run, with its config, record, metrics, model, checkpoint and predictions."""

    @classmethod
    def create(cls, runs_dir: Path, name: str) -> RunFolder:
        """Create a new folder ``<UTC time>_<name>``, with a number appended if that exists already.

        Args:
            runs_dir: the parent folder, which is created if it is missing.
            name: name of the run; see `checked_name`.

        Raises:
            ConfigError: if the name is invalid.
            RunError: if the folder cannot be created.
        """
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}_{checked_name(name)}"
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            for count in range(1, 10_000):
                path = runs_dir / (stem if count == 1 else f"{stem}_{count}")
                try:
                    path.mkdir()
                except FileExistsError:
                    continue
                return cls(path)
        except OSError as error:
            raise RunError(
                f"{runs_dir}: cannot create a run folder there: {error.strerror}; choose another with --runs-dir"
            ) from error
        raise RunError(f"{runs_dir / stem}: ten thousand runs have this name; choose another with --name")

    def remove_if_not_begun(self) -> None:
        """Remove the folder if nothing but the config was written to it."""
        files = list(self.path.iterdir())
        if all(path.name in ("config.yaml", LOCK, LEASE) or is_unfinished(path) for path in files):
            for path in files:
                path.unlink()
            self.path.rmdir()

    def remove_outdated(self) -> None:
        """Remove what describes the run before it is resumed: report, figures, predictions, certificate.

        Temporary files of killed writers are removed as well.

        The folder must be locked. Raises `RunError` if a file cannot be removed.
        """
        figures = self.path / FIGURES
        try:
            for path in (*(self.path / name for name in (*PAGES, *_OF_THE_LAST_WEIGHTS)), *drawn_in(figures)):
                path.unlink(missing_ok=True)
            remove_unfinished(self.path)
            if figures.is_dir() and not figures.is_symlink():
                remove_unfinished(figures)
        except OSError as error:
            raise RunError(f"{error.filename}: cannot be removed: {error.strerror}") from error

    def take_over(self, other: RunFolder) -> None:
        """Write what training has written into another folder."""
        for path in (path for name in TRAINED if (path := other.path / name).is_file()):
            self._write(path.name, path.read_bytes())

    def write_config(self, text: str) -> None:
        """Write the complete resolved config, which can be passed to ``train`` again."""
        self._write("config.yaml", text.encode())

    def read_config(self) -> bytes:
        """Return the content of the config file."""
        return self._read("config.yaml", LARGEST_TEXT)

    def config(self, overrides: Sequence[str] = ()) -> Config:
        """Return the config with ``key=value`` overrides. Raises `ConfigError` if it is invalid."""
        return parse_config(self.read_config(), str(self.path / "config.yaml"), overrides)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write metrics.csv with a row for each evaluation point."""
        self._write("metrics.csv", rows_as_csv(rows).encode())

    def read_metrics(self) -> list[dict[str, float]]:
        """Return the rows of metrics.csv. Raises `RunError` if one lacks a column or has an infinite or NaN value."""
        text = self._read("metrics.csv").decode(errors="replace")
        try:
            return evaluations_of_csv(text)
        except ValueError as error:
            raise RunError(f"{self.path / 'metrics.csv'}: {error}") from error

    def write_steps(self, losses: Sequence[float]) -> None:
        """Write steps.csv with the training loss of every batch, before its update."""
        self._write("steps.csv", losses_as_csv(losses).encode())

    def read_steps(self) -> list[float]:
        """Return the batch losses in order; empty without steps.csv. Raises `RunError` if the file is damaged."""
        if not (self.path / "steps.csv").exists():
            return []
        try:
            return losses_of_csv(self._read("steps.csv").decode())
        except ValueError as error:
            raise RunError(f"{self.path / 'steps.csv'}: damaged: {error}") from error

    def write_model(self, model: StoredModel, best: bool = False) -> None:
        """Write a model with the last weights, or the best ones. Equal models give equal bytes."""
        self._write_arrays(_MODEL[best], model.arrays())

    def read_model(self, best: bool = False) -> StoredModel:
        """Return the model with the last weights, or the best ones.

        Raises:
            RunError: if the file is missing or damaged, or contains pickled objects.
        """
        name = _MODEL[best]
        if best and self.is_run() and not (self.path / name).exists() and self.read_record().best is None:
            raise RunError(f"{self.path}: no best_model.npz: runs without early_stopping have none; leave out --best")
        return self._read_model(name)

    def write_certificate(self, certificate: Certificate, optimum: StoredModel) -> None:
        """Bounds of the lowest cost, and weights that have the upper one."""
        self._write_arrays(_OPTIMUM, optimum.arrays())
        self._write_entry(_CERTIFICATE, certificate)

    def read_certificate(self) -> Certificate | None:
        """What `write_certificate` wrote; None if nothing was. Raises `RunError` for any other content."""
        return self._read_entry(_CERTIFICATE, Certificate, "certify again")

    def write_calibration(self, calibration: Calibration) -> None:
        """How honest the probabilities of the finished classifier are."""
        self._write_entry(_CALIBRATION, calibration)

    def read_calibration(self) -> Calibration | None:
        """What `write_calibration` wrote; None if nothing was. Raises `RunError` for any other content."""
        return self._read_entry(_CALIBRATION, Calibration, "remove the file, which nothing else needs")

    def write_sensitivity(self, sensitivity: Sensitivity) -> None:
        """How far the run parts from one with other rounding."""
        self._write_entry(_SENSITIVITY, sensitivity)

    def read_sensitivity(self) -> Sensitivity | None:
        """What `write_sensitivity` wrote; None if nothing was. Raises `RunError` for any other content."""
        return self._read_entry(_SENSITIVITY, Sensitivity, "diagnose with --sensitivity again")

    def read_optimum(self) -> StoredModel:
        """The weights of the certificate. Raises `RunError` if there are none."""
        if not (self.path / _OPTIMUM).exists():
            raise RunError(
                f"{self.path}: no {_OPTIMUM}: certify makes it; leave out --optimum, or certify the run first"
            )
        return self._read_model(_OPTIMUM)

    def _read_model(self, name: str) -> StoredModel:
        arrays = self._read_arrays(name)
        arrays.setdefault("unit", np.array(PIXELS))  # files of earlier versions are of pixels
        if missing := next((fact for fact in MODEL_FACTS if fact not in arrays), None):
            raise RunError(f"{self.path / name}: damaged, or not a file of this program: it has no array {missing}")
        mean, std, unit, class_names, image_shape = (arrays.pop(fact) for fact in MODEL_FACTS)
        if unit.shape or unit.dtype.kind != "f":
            raise RunError(f"{self.path / name}: damaged: unit must be a number")
        if class_names.dtype.kind != "U" or image_shape.dtype.kind != "i":
            raise RunError(f"{self.path / name}: damaged: class names must be text, the image's shape integers")
        shape = tuple(image_shape.ravel().tolist())
        model = StoredModel(arrays, mean, std, tuple(class_names.flat), shape, float(unit))
        if problem := model.problem():
            raise RunError(f"{self.path / name}: damaged: {problem}")
        return model

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint as a single file, so that weights and history always belong together."""
        self._write_arrays("checkpoint.npz", checkpoint.stored())

    def read_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint; None if none was saved yet. Raises `RunError` if it is damaged or has been removed."""
        if not (self.path / "checkpoint.npz").exists():
            if (self.path / "metrics.csv").exists():  # It is written after the checkpoint.
                what = "missing: the run can neither be resumed nor verified; train a new one"
                raise RunError(f"{self.path / 'checkpoint.npz'}: {what}")
            return None
        return Checkpoint.of_stored(self._read_arrays("checkpoint.npz"))

    def write_predictions(self, predictions: Predictions) -> None:
        """Write the predictions on the test set."""
        self._write_arrays("predictions.npz", predictions._asdict())

    def read_predictions(self, model: StoredModel) -> Predictions | None:
        """Return the predictions on the test set; None if there are none.

        Args:
            model: the model of the run, whose classes and images the predictions must fit.

        Raises:
            RunError: if the file is damaged.
        """
        if not (self.path / "predictions.npz").exists():
            return None
        arrays = self._read_arrays("predictions.npz")
        if "predicted" not in arrays and "probabilities" in arrays:  # as before version 0.2
            arrays["predicted"] = arrays["probabilities"].argmax(axis=-1)
        try:
            predictions = Predictions(**arrays)
        except TypeError as error:
            raise RunError(f"{self.path / 'predictions.npz'}: damaged: it has other arrays than expected") from error
        if problem := predictions.problem(model):
            raise RunError(f"{self.path / 'predictions.npz'}: damaged: {problem}")
        return predictions

    def write_introspection(self, introspection: Introspection) -> None:
        """What the finished network does with some test images."""
        self._write_arrays("introspection.npz", introspection.arrays())

    def read_introspection(self, network: Network, test_images: int) -> Introspection | None:
        """What `write_introspection` wrote for a run with this network; None if there is no such file.

        Args:
            network: of the run's config.
            test_images: how many it was evaluated on.
        """
        path = self.path / "introspection.npz"
        if not path.exists():
            return None
        try:
            introspection = Introspection.of_arrays(self._read_arrays(path.name))
        except TypeError as error:
            raise RunError(f"{path}: damaged: wrong arrays in it") from error
        if problem := introspection.problem(network, test_images):
            raise RunError(f"{path}: damaged: {problem}")
        return introspection


@contextmanager
def all_locked(folders: Sequence[RunFolder], lease: Lease | None = None) -> Iterator[Callable[[], None]]:
    """Hold all folders during the block, and yield a function that raises once another process has taken one over.

    Raises `RunError` if another process trains in one of them.

    Args:
        folders: of the runs that are trained together.
        lease: one that is held already and covers them all; None for one each.
    """
    with ExitStack() as held:
        leases = {held.enter_context(folder.locked(lease)) for folder in folders}

        def check() -> None:
            for each in leases:
                each.check()

        yield check
