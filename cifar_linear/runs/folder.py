"""Reading and writing the files of a run folder. All writes are atomic."""

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
from cifar_linear.runs.file_names import (
    CALIBRATION_FILE,
    CERTIFICATE_FILE,
    CHECKPOINT_FILE,
    CONFIG_FILE,
    INTROSPECTION_FILE,
    METRICS_FILE,
    MODEL_FILES,
    OF_THE_LAST_WEIGHTS,
    OPTIMUM_FILE,
    PREDICTIONS_FILE,
    SENSITIVITY_FILE,
    STEPS_FILE,
    TRAINED,
)
from cifar_linear.runs.files import LARGEST_TEXT
from cifar_linear.runs.introspection import Introspection
from cifar_linear.runs.locking import HeldFolder
from cifar_linear.runs.names import checked_name
from cifar_linear.runs.places import made_name
from cifar_linear.runs.record import Calibration, Certificate, Sensitivity
from cifar_linear.runs.report_files import FIGURES, PAGES, drawn_in
from cifar_linear.runs.tables import evaluations_of_csv, losses_as_csv, losses_of_csv
from cifar_linear.storage.atomic import is_unfinished, remove_unfinished
from cifar_linear.storage.csv_tables import rows_as_csv
from cifar_linear.storage.leases import LEASE, Lease
from cifar_linear.storage.locks import LOCK


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
        started, name = datetime.now(UTC), checked_name(name)
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            for count in range(1, 10_000):
                path = runs_dir / made_name(started, name, count)
                try:
                    path.mkdir()
                except FileExistsError:
                    continue
                return cls(path)
        except OSError as error:
            raise RunError(
                f"{runs_dir}: cannot create a run folder there: {error.strerror}; choose another with --runs-dir"
            ) from error
        raise RunError(
            f"{runs_dir / made_name(started, name)}: ten thousand runs have this name; choose another with --name"
        )

    def remove_if_not_begun(self) -> None:
        """Remove the folder if nothing but the config was written to it."""
        files = list(self.path.iterdir())
        if all(path.name in (CONFIG_FILE, LOCK, LEASE) or is_unfinished(path) for path in files):
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
            for path in (*(self.path / name for name in (*PAGES, *OF_THE_LAST_WEIGHTS)), *drawn_in(figures)):
                path.unlink(missing_ok=True)
            remove_unfinished(self.path)
            if figures.is_dir() and not figures.is_symlink():
                remove_unfinished(figures)
        except OSError as error:
            raise RunError(f"{error.filename}: cannot be removed: {error.strerror}") from error

    def trained_files(self) -> list[Path]:
        """Return the files that training has written, the record last."""
        return [path for name in TRAINED if (path := self.path / name).is_file()]

    def take_over(self, other: RunFolder) -> None:
        """Write what training has written into another folder."""
        for path in other.trained_files():
            self._write(path.name, path.read_bytes())

    def write_config(self, text: str) -> None:
        """Write the complete resolved config, which can be passed to ``train`` again."""
        self._write(CONFIG_FILE, text.encode())

    def read_config(self) -> bytes:
        """Return the content of the config file."""
        return self._read(CONFIG_FILE, LARGEST_TEXT)

    def config(self, overrides: Sequence[str] = ()) -> Config:
        """Return the config with ``key=value`` overrides. Raises `ConfigError` if it is invalid."""
        return parse_config(self.read_config(), str(self.path / CONFIG_FILE), overrides)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write metrics.csv with a row for each evaluation point."""
        self._write(METRICS_FILE, rows_as_csv(rows).encode())

    def read_metrics(self) -> list[dict[str, float]]:
        """Return the rows of metrics.csv. Raises `RunError` if one lacks a column or has an infinite or NaN value."""
        text = self._read(METRICS_FILE).decode(errors="replace")
        try:
            return evaluations_of_csv(text)
        except ValueError as error:
            raise RunError(f"{self.path / METRICS_FILE}: {error}") from error

    def write_steps(self, losses: Sequence[float]) -> None:
        """Write steps.csv with the training loss of every batch, before its update."""
        self._write(STEPS_FILE, losses_as_csv(losses).encode())

    def read_steps(self) -> list[float]:
        """Return the batch losses in order; empty without steps.csv. Raises `RunError` if the file is damaged."""
        if not (self.path / STEPS_FILE).exists():
            return []
        try:
            return losses_of_csv(self._read(STEPS_FILE).decode())
        except ValueError as error:
            raise RunError(f"{self.path / STEPS_FILE}: damaged: {error}") from error

    def write_model(self, model: StoredModel, best: bool = False) -> None:
        """Write a model with the last weights, or the best ones. Equal models give equal bytes."""
        self._write_arrays(MODEL_FILES[best], model.arrays())

    def read_model(self, best: bool = False) -> StoredModel:
        """Return the model with the last weights, or the best ones.

        Raises:
            RunError: if the file is missing or damaged, or contains pickled objects.
        """
        name = MODEL_FILES[best]
        if best and self.is_run() and not (self.path / name).exists() and self.read_record().best is None:
            raise RunError(f"{self.path}: no best_model.npz: runs without early_stopping have none; leave out --best")
        return self._read_model(name)

    def write_certificate(self, certificate: Certificate, optimum: StoredModel) -> None:
        """Bounds of the lowest cost, and weights that have the upper one."""
        self._write_arrays(OPTIMUM_FILE, optimum.arrays())
        self._write_entry(CERTIFICATE_FILE, certificate)

    def read_certificate(self) -> Certificate | None:
        """What `write_certificate` wrote; None if nothing was. Raises `RunError` for any other content."""
        return self._read_entry(CERTIFICATE_FILE, Certificate, "certify again")

    def write_calibration(self, calibration: Calibration) -> None:
        """How honest the probabilities of the finished classifier are."""
        self._write_entry(CALIBRATION_FILE, calibration)

    def read_calibration(self) -> Calibration | None:
        """What `write_calibration` wrote; None if nothing was. Raises `RunError` for any other content."""
        return self._read_entry(CALIBRATION_FILE, Calibration, "remove the file, which nothing else needs")

    def write_sensitivity(self, sensitivity: Sensitivity) -> None:
        """How far the run parts from one with other rounding."""
        self._write_entry(SENSITIVITY_FILE, sensitivity)

    def read_sensitivity(self) -> Sensitivity | None:
        """What `write_sensitivity` wrote; None if nothing was. Raises `RunError` for any other content."""
        return self._read_entry(SENSITIVITY_FILE, Sensitivity, "diagnose with --sensitivity again")

    def read_optimum(self) -> StoredModel:
        """The weights of the certificate. Raises `RunError` if there are none."""
        if not (self.path / OPTIMUM_FILE).exists():
            raise RunError(
                f"{self.path}: no {OPTIMUM_FILE}: certify makes it; leave out --optimum, or certify the run first"
            )
        return self._read_model(OPTIMUM_FILE)

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
        self._write_arrays(CHECKPOINT_FILE, checkpoint.stored())

    def read_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint; None if none was saved yet. Raises `RunError` if it is damaged or has been removed."""
        if not (self.path / CHECKPOINT_FILE).exists():
            if (self.path / METRICS_FILE).exists():  # It is written after the checkpoint.
                what = "missing: the run can neither be resumed nor verified; train a new one"
                raise RunError(f"{self.path / CHECKPOINT_FILE}: {what}")
            return None
        return Checkpoint.of_stored(self._read_arrays(CHECKPOINT_FILE))

    def write_predictions(self, predictions: Predictions) -> None:
        """Write the predictions on the test set."""
        self._write_arrays(PREDICTIONS_FILE, predictions._asdict())

    def read_predictions(self, model: StoredModel) -> Predictions | None:
        """Return the predictions on the test set; None if there are none.

        Args:
            model: the model of the run, whose classes and images the predictions must fit.

        Raises:
            RunError: if the file is damaged.
        """
        if not (self.path / PREDICTIONS_FILE).exists():
            return None
        arrays = self._read_arrays(PREDICTIONS_FILE)
        if "predicted" not in arrays and "probabilities" in arrays:  # as before version 0.2
            arrays["predicted"] = arrays["probabilities"].argmax(axis=-1)
        try:
            predictions = Predictions(**arrays)
        except TypeError as error:
            raise RunError(f"{self.path / PREDICTIONS_FILE}: damaged: it has other arrays than expected") from error
        if problem := predictions.problem(model):
            raise RunError(f"{self.path / PREDICTIONS_FILE}: damaged: {problem}")
        return predictions

    def write_introspection(self, introspection: Introspection) -> None:
        """What the finished network does with some test images."""
        self._write_arrays(INTROSPECTION_FILE, introspection.arrays())

    def read_introspection(self, network: Network, test_images: int) -> Introspection | None:
        """What `write_introspection` wrote for a run with this network; None if there is no such file.

        Args:
            network: of the run's config.
            test_images: how many it was evaluated on.
        """
        path = self.path / INTROSPECTION_FILE
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
