"""The run folder: the only place that knows its file names. Every file is written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Images, Labels
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.files import write_whole

FORMAT = 1
"""Version of the folder's layout, noted in every record."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Model(NamedTuple):
    """A trained classifier and what is needed to use it: W (K, d), b (K,), mean and std (d,) on the [0, 1] scale."""

    W: Floats
    b: Floats
    mean: Doubles
    std: Doubles
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]


class Predictions(NamedTuple):
    """What a classifier makes of the test images.

    probabilities (n, K), labels (n,); ``mistakes`` (m,) are the indices of its most confident mistakes, surest first,
    with their images (m, d) of 0 to 255: enough to show them without the data set.
    """

    probabilities: Floats
    labels: Labels
    mistakes: Labels
    mistake_images: Images


class RunFolder:
    """One run on disk: what was asked (config), what happened (record, metrics), what came out (model, predictions)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, runs_dir: Path, name: str) -> RunFolder:
        """A new folder ``<UTC time>_<name>``; never one that exists, also when two start in the same second.

        Raises `ConfigError` for a name that is no file name, `RunError` if the folder cannot be made.
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
        raise RunError(f"{runs_dir / stem}: ten thousand runs of that name in one second; choose another")

    def is_run(self) -> bool:
        """Whether the folder looks like a run's, complete or not."""
        return (self.path / "run.json").is_file()

    def write_config(self, text: str) -> None:
        """The complete resolved config; the file runs as it is."""
        self._write("config.yaml", text.encode())

    def read_config(self) -> bytes:
        """The content of the config file."""
        return self._read("config.yaml")

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Status, final metrics and provenance."""
        self._write("run.json", (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())

    def read_record(self) -> dict[str, Any]:
        """What `write_record` wrote."""
        try:
            record = json.loads(self._read("run.json"))
        except ValueError as error:
            raise RunError(f"{self.path / 'run.json'}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise RunError(f"{self.path / 'run.json'}: not a record of a run")
        return record

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """One row per evaluation point; every number is written so that it reads back exactly."""
        text = io.StringIO(newline="")
        if rows:
            writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        self._write("metrics.csv", text.getvalue().encode())

    def read_metrics(self) -> list[dict[str, float | None]]:
        """What `write_metrics` wrote; an empty figure is None."""
        lines = csv.DictReader(io.StringIO(self._read("metrics.csv").decode()))
        try:
            return [{name: float(figure) if figure else None for name, figure in row.items()} for row in lines]
        except (TypeError, ValueError) as error:
            raise RunError(f"{self.path / 'metrics.csv'}: line {lines.line_num}: {error}") from error

    def write_model(self, model: Model) -> None:
        """The weights with what is needed to use them. The same model gives the same bytes."""
        self._write_arrays("model.npz", model._asdict())

    def read_model(self) -> Model:
        """What `write_model` wrote. Pickled content is refused."""
        arrays = self._read_arrays("model.npz", Model._fields)
        class_names, image_shape = arrays.pop("class_names").tolist(), arrays.pop("image_shape").tolist()
        return Model(**arrays, class_names=tuple(class_names), image_shape=tuple(image_shape))

    def write_predictions(self, predictions: Predictions) -> None:
        """What the finished classifier makes of the test images."""
        self._write_arrays("predictions.npz", predictions._asdict())

    def read_predictions(self) -> Predictions | None:
        """What `write_predictions` wrote; None for a run that did not finish."""
        if not (self.path / "predictions.npz").exists():
            return None
        return Predictions(**self._read_arrays("predictions.npz", Predictions._fields))

    def _write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{key: np.asarray(value) for key, value in arrays.items()})
        self._write(name, buffer.getvalue())

    def _read_arrays(self, name: str, keys: Sequence[str]) -> dict[str, Any]:
        content = self._read(name)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {key: arrays[key] for key in keys}
        except Exception as error:  # NumPy and zipfile document no common exception for a damaged archive
            raise RunError(f"{self.path / name}: not a file of this program: {error}") from error

    def _read(self, name: str) -> bytes:
        path = self.path / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise RunError(f"{path}: cannot be read: {error.strerror}") from error

    def _write(self, name: str, content: bytes) -> None:
        write_whole(self.path / name, content)


def checked_name(name: str) -> str:
    """The name, if it can be part of a folder's name everywhere. Raises `ConfigError`."""
    if _NAME.fullmatch(name):
        return name
    raise ConfigError(
        f"run name {name!r}: must be 1 to 100 letters, digits, dots, dashes and underscores, "
        "the first a letter or digit; choose one with --name"
    )


def name_from(path: Path) -> str:
    """A run name from a config's file name, with what a name may not hold replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-")[:100] or "run"


def run_folders(path: Path) -> Iterator[Path]:
    """The folder itself if it is a run, else the folders in it."""
    if not path.is_dir():
        raise RunError(f"{path}: not a folder; name a run folder, or a folder of run folders")
    if RunFolder(path).is_run():
        yield path
    else:
        yield from sorted(child for child in path.iterdir() if child.is_dir())
