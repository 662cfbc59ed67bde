"""Hand-ins in a folder, and their runs, read as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cifar_linear.config.models import Config
from cifar_linear.course.handins.unpacking import unpack
from cifar_linear.errors import RunError
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.runs.artifacts import Checkpoint, Predictions, StoredModel
from cifar_linear.runs.file_names import FILES
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Record

_MOST_LEVELS = 4
_MOST_FOLDERS = 5000


@dataclass(frozen=True)
class HandedRun:
    """A run of a hand-in.

    Attributes:
        name: of the hand-in and, where it has several, the run.
        folder: of the run.
        config: of config.yaml, which the other files are held against.
        record: of run.json.
        rows: of metrics.csv, one for each evaluation point, at least one.
        checkpoint: None if there is none.
        models: the last weights and, with early stopping, the best.
        predictions: on the test set; None if there are none.
    """

    name: str
    folder: RunFolder
    config: Config
    record: Record
    rows: Sequence[Mapping[str, float]]
    checkpoint: Checkpoint | None
    models: Mapping[str, StoredModel]
    predictions: Predictions | None

    @classmethod
    def read(cls, path: Path, name: str) -> HandedRun:
        """Read a run folder. Raises `RunError` or `ConfigError` if it is not a whole run with an evaluation."""
        if links := [file for file in FILES if (path / file).is_symlink()]:
            raise RunError(f"{', '.join(links)}: a symbolic link, which is not followed")
        folder = RunFolder(path)
        config = folder.config()
        if config.data.dataset == "features":
            raise RunError(f"{path}: trained on files of its author, which are not read; nothing can be computed")
        record, rows = folder.read_record(), folder.read_metrics()
        if not rows:
            raise RunError(f"{path}: stopped before its first evaluation")
        models = {"last": folder.read_model()} | ({"best": folder.read_model(best=True)} if record.best else {})
        judged = models.get("best", models["last"])
        shape, classes = config.data.image_shape, config.data.class_count
        if any(model.image_shape != shape or len(model.class_names) != classes for model in models.values()):
            raise RunError(f"{path}: its model is not for {classes} classes of images {shape}, as its config")
        return cls(
            name,
            folder,
            config,
            record,
            rows,
            folder.read_checkpoint(),
            models,
            folder.read_predictions(judged),
        )

    def classifier(self, weights: str) -> Classifier:
        """The last or best weights with the model of the config. Raises `RunError` if they do not fit."""
        return Classifier.made(self.folder, self.models[weights])

    @property
    def is_whole(self) -> bool:
        """Whether all files belong to one moment; those of a killed run need not."""
        return self.record.status != "running"


def hand_ins(folder: Path) -> list[Path]:
    """The hand-ins of a folder: each a folder or a zip archive in it. Links and hidden names are left out.

    Raises:
        RunError: if there is none, or the folder cannot be read.
    """
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror}; name the folder of all hand-ins") from error
    if RunFolder(folder).is_run():
        raise RunError(f"{folder}: a run folder; name the folder that holds the hand-ins")
    found = [path for path in children if _is_hand_in(path)]
    if not found:
        raise RunError(f"{folder}: no hand-ins: it should hold run folders, folders of them, or zip archives of them")
    return found


def _is_hand_in(path: Path) -> bool:
    if path.is_symlink() or path.name.startswith((".", "__")):
        return False
    return path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip")


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder of a hand-in during the block; that of an archive is removed after it. Raises `RunError`."""
    if path.is_dir():
        yield path
        return
    with TemporaryDirectory(prefix="hand-in-") as folder:
        unpack(path, Path(folder))
        yield Path(folder)


def run_paths(folder: Path) -> list[Path]:
    """All run folders at and below a folder, not through links.

    Raises:
        RunError: if there is none, or there are too many folders.
    """
    found = []
    for count, (path, inner, _) in enumerate(os.walk(folder)):
        if count > _MOST_FOLDERS:
            raise RunError(f"more than {_MOST_FOLDERS} folders")
        here = Path(path)
        is_run = RunFolder(here).is_run()
        found += [here] * is_run
        deep = is_run or len(here.relative_to(folder).parts) >= _MOST_LEVELS
        inner[:] = [] if deep else sorted(name for name in inner if not name.startswith((".", "__")))
    if not found:
        raise RunError("no run in it: there is no run.json")
    return found


def name_of(path: Path) -> str:
    """The name of a hand-in as text in any case: of an archive without .zip, unless a folder is called so."""
    is_archive = path.is_file() and not path.with_suffix("").exists()
    return os.fsencode(path.stem if is_archive else path.name).decode(errors="replace")


def plain(error: Exception, folder: Path) -> str:
    """The message of an error without the path of a folder, which may be a temporary one."""
    return str(error).replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
