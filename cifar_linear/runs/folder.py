"""The run folder: the only place that knows its file names. Every file is written whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from cifar_linear.config.models import Config
from cifar_linear.config.problems import path_in_file
from cifar_linear.config.reading import parse_config
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.nn.network import Network
from cifar_linear.runs.artifacts import MODEL_FACTS, Checkpoint, Predictions, StoredModel
from cifar_linear.runs.format_1 import from_format_1, is_format_1
from cifar_linear.runs.introspection import Introspection
from cifar_linear.runs.record import FORMATS, Record
from cifar_linear.runs.report_files import FIGURES, PAGES, drawn_in
from cifar_linear.storage.atomic import is_unfinished, remove_unfinished, write_whole
from cifar_linear.storage.csv_tables import evaluations_as_csv, evaluations_of_csv, losses_as_csv, losses_of_csv
from cifar_linear.storage.locks import LOCK, is_locked, locked
from cifar_linear.storage.npz import packed, unpacked

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)
_MODEL = {False: "model.npz", True: "best_model.npz"}
"""The file of the last weights, and of the best."""

_LARGEST_TEXT = 2**20

SWEEP_FILE = "sweep.yaml"
"""What a folder of the runs of a sweep is known by."""


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

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in the folder. Raises `RunError` if one does already."""
        at_work = "another process trains here"
        if self.is_run():
            environment = self.read_record().environment
            at_work = f"still under way (process {environment.process} on {environment.host})"
        with locked(self.path, f"{at_work}; wait for it or stop it first"):
            yield

    def is_at_work(self) -> bool:
        """Whether a process trains in the folder now; a record that says so may be that of a killed one."""
        return is_locked(self.path)

    def status(self, record: Record) -> str:
        """What the record says, or killed, if it says that the run is under way and no process is."""
        return "killed" if record.status == "running" and not self.is_at_work() else record.status

    def remove_if_not_begun(self) -> None:
        """Remove a folder that was made for a run of which nothing but its config came to be written."""
        files = list(self.path.iterdir())
        if all(path.name in ("config.yaml", LOCK) or is_unfinished(path) for path in files):
            for path in files:
                path.unlink()
            self.path.rmdir()

    def remove_outdated(self) -> None:
        """Remove what describes the run before it goes on: report, figures, predictions; and what killed writers left.

        The folder must be locked. Raises `RunError` if something cannot be removed.
        """
        figures = self.path / FIGURES
        try:
            for path in (
                *(self.path / name for name in (*PAGES, "predictions.npz", "introspection.npz")),
                *drawn_in(figures),
            ):
                path.unlink(missing_ok=True)
            remove_unfinished(self.path)
            if figures.is_dir() and not figures.is_symlink():
                remove_unfinished(figures)
        except OSError as error:
            raise RunError(f"{error.filename}: cannot be removed: {error.strerror}") from error

    def write_config(self, text: str) -> None:
        """The complete resolved config; the file runs as it is."""
        self._write("config.yaml", text.encode())

    def read_config(self) -> bytes:
        """The content of the config file."""
        return self._read("config.yaml", _LARGEST_TEXT)

    def config(self, overrides: Sequence[str] = ()) -> Config:
        """The config in that file, with overrides. Raises `ConfigError`."""
        return parse_config(self.read_config(), str(self.path / "config.yaml"), overrides)

    def write_record(self, record: Record) -> None:
        """Status, final metrics and provenance."""
        self._write("run.json", (json.dumps(record.to_tree(), indent=2, allow_nan=False) + "\n").encode())

    def read_record(self) -> Record:
        """What `write_record` wrote. Raises `RunError` for any other content, or another version's."""
        if not self.is_run():
            raise RunError(f"{self.path}: {self._no_run('not a run folder: there is no run.json')}")
        content = self._read("run.json", _LARGEST_TEXT)
        try:
            tree = json.loads(content)
            version = tree["format"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RunError(f"{self.path / 'run.json'}: not the record of a run") from error
        if version not in FORMATS:
            raise RunError(
                f"{self.path / 'run.json'}: written by another version "
                f"(format {version}, this one reads {' and '.join(map(str, FORMATS))})"
            )
        try:
            return Record.model_validate_json(content)
        except ValidationError as error:
            path = self.path / "run.json"
            extra = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
            if unknown := sorted(".".join(map(str, path_in_file(location, tree)[1:])) for location in extra):
                keys = f"key{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}"
                raise RunError(f"{path}: written by a later version: config has the unknown {keys}") from error
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise RunError(f"{path}: damaged: {key}: {first['msg']}") from error

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """One row per evaluation point."""
        self._write("metrics.csv", evaluations_as_csv(rows).encode())

    def read_metrics(self) -> list[dict[str, float]]:
        """What `write_metrics` wrote. Raises `RunError` if a row lacks a column or a finite number in it."""
        text = self._read("metrics.csv").decode(errors="replace")
        try:
            return evaluations_of_csv(text)
        except ValueError as error:
            raise RunError(f"{self.path / 'metrics.csv'}: {error}") from error

    def write_steps(self, losses: Sequence[float]) -> None:
        """The training loss of every batch, before its update."""
        self._write("steps.csv", losses_as_csv(losses).encode())

    def read_steps(self) -> list[float]:
        """What `write_steps` wrote, in order; nothing if nothing was. Raises `RunError` for anything but that."""
        if not (self.path / "steps.csv").exists():
            return []
        try:
            return losses_of_csv(self._read("steps.csv").decode())
        except ValueError as error:
            raise RunError(f"{self.path / 'steps.csv'}: damaged: {error}") from error

    def write_model(self, model: StoredModel, best: bool = False) -> None:
        """The last or the best weights with what is needed to use them. The same model gives the same bytes."""
        self._write_arrays(_MODEL[best], model.arrays())

    def read_model(self, best: bool = False) -> StoredModel:
        """What `write_model` wrote. Pickled content is refused."""
        name = _MODEL[best]
        if best and self.is_run() and not (self.path / name).exists() and self.read_record().best is None:
            raise RunError(f"{self.path}: no best_model.npz: runs without early_stopping have none; leave out --best")
        arrays = self._read_arrays(name)
        if missing := next((fact for fact in MODEL_FACTS if fact not in arrays), None):
            raise RunError(f"{self.path / name}: damaged, or not a file of this program: no array {missing} in it")
        mean, std, class_names, image_shape = (arrays.pop(fact) for fact in MODEL_FACTS)
        if class_names.dtype.kind != "U" or image_shape.dtype.kind != "i":
            raise RunError(f"{self.path / name}: damaged: class names must be text, the image's shape integers")
        model = StoredModel(arrays, mean, std, tuple(class_names.flat), tuple(image_shape.ravel().tolist()))
        if problem := model.problem():
            raise RunError(f"{self.path / name}: damaged: {problem}")
        return model

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """From where the run can go on: one file, so that weights and history are always of the same moment."""
        columns = {name: np.array([row[name] for row in checkpoint.rows]) for name in next(iter(checkpoint.rows), ())}
        stored = {"state": checkpoint.arrays, "row": columns, "step": {"train_loss": np.array(checkpoint.steps)}}
        parts = {f"{part}.{name}": array for part, arrays in stored.items() for name, array in arrays.items()}
        self._write_arrays("checkpoint.npz", parts)

    def read_checkpoint(self) -> Checkpoint | None:
        """What `write_checkpoint` wrote; None if nothing was ever saved. Raises `RunError` if it has gone since."""
        if not (self.path / "checkpoint.npz").exists():
            if (self.path / "metrics.csv").exists():  # which is written after it
                what = "missing: the run can neither be resumed nor verified; train a new one"
                raise RunError(f"{self.path / 'checkpoint.npz'}: {what}")
            return None
        stored: dict[str, dict[str, Any]] = {"state": {}, "row": {}}
        for key, array in self._read_arrays("checkpoint.npz").items():
            part, _, name = key.partition(".")
            stored.setdefault(part, {})[name] = array
        if is_format_1(stored["state"]):
            stored["state"] = from_format_1(stored["state"])
        columns = {name: array.tolist() for name, array in stored["row"].items()}
        rows = [dict(zip(columns, figures, strict=True)) for figures in zip(*columns.values(), strict=True)]
        steps = stored.get("step", {}).get("train_loss", np.empty(0))
        return Checkpoint(stored["state"], rows, steps.tolist())

    def write_predictions(self, predictions: Predictions) -> None:
        """What the finished classifier makes of the test images."""
        self._write_arrays("predictions.npz", predictions._asdict())

    def read_predictions(self, model: StoredModel) -> Predictions | None:
        """What `write_predictions` wrote for the run with this model; None for a run that did not finish."""
        if not (self.path / "predictions.npz").exists():
            return None
        arrays = self._read_arrays("predictions.npz")
        if "predicted" not in arrays and "probabilities" in arrays:  # as before version 0.2
            arrays["predicted"] = arrays["probabilities"].argmax(axis=-1)
        try:
            predictions = Predictions(**arrays)
        except TypeError as error:
            raise RunError(f"{self.path / 'predictions.npz'}: damaged: wrong arrays in it") from error
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

    def _write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        self._write(name, packed(arrays))

    def _read_arrays(self, name: str, keys: Sequence[str] | None = None) -> dict[str, Any]:
        """The arrays of a file, those called ``keys``, else all."""
        content = self._read(name)
        try:
            return unpacked(content, keys)
        except ValueError as error:
            raise RunError(f"{self.path / name}: damaged, or not a file of this program: {error}") from error

    def _read(self, name: str, limit: int = 256 * 2**20) -> bytes:
        """The content of a file of at most ``limit`` bytes, more than the longest run writes."""
        path = self.path / name
        try:
            with path.open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise RunError(f"{path}: {self._no_run(f'cannot be read: {error.strerror}')}") from error
        if len(content) > limit:
            raise RunError(f"{path}: larger than the {limit} bytes that are read; not a file of this program")
        return content

    def _no_run(self, otherwise: str) -> str:
        """What to say of a folder that lacks a run's file."""
        is_sweep = (self.path / SWEEP_FILE).is_file()
        return "the folder of a sweep; name one of its runs" if is_sweep else otherwise

    def _write(self, name: str, content: bytes) -> None:
        if not self.path.is_dir():
            raise RunError(f"{self.path}: the run folder is gone; somebody has removed it")
        write_whole(self.path / name, content)


@contextmanager
def all_locked(folders: Sequence[RunFolder]) -> Iterator[None]:
    """Keep other processes from training in any of the folders. Raises `RunError` if one does already."""
    with ExitStack() as held:
        for folder in folders:
            held.enter_context(folder.locked())
        yield


def checked_name(name: str) -> str:
    """The name, if it can be part of a folder's name everywhere. Raises `ConfigError`."""
    if _NAME.fullmatch(name) and not _is_reserved(name):
        return name
    raise ConfigError(
        f"run name {name!r}: must be 1 to 100 letters, digits, dots, dashes and underscores, "
        "the first a letter or digit, the last no dot, and no name that Windows reserves; choose one with --name"
    )


def _is_reserved(name: str) -> bool:
    """Whether Windows would take the name for a device, or drop its last character."""
    return _DEVICE.fullmatch(name.partition(".")[0]) is not None or name.endswith(".")


def name_from(path: Path) -> str:
    """A run name from a config's file name, with what a name may not hold replaced."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-")[:100].rstrip(".") or "run"
    return f"run-{name}"[:100].rstrip(".") if _is_reserved(name) else name
