"""The folder of a sweep. Its run folders are the only record of progress: a cell is identified by its config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cifar_linear.config.datasets import SyntheticData
from cifar_linear.config.models import Config
from cifar_linear.config.sweeps import Cell, Sweep
from cifar_linear.errors import RunError
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.places import SWEEP_FILE
from cifar_linear.runs.record import Record
from cifar_linear.storage.atomic import is_unfinished, remove_unfinished, write_whole
from cifar_linear.storage.locks import LOCK, locked

Runs = Mapping[Config, tuple[RunFolder, Record]]
"""What there is of each config, by `key_of` it."""


class SweepFolder:
    """The folder of a sweep: its file, and the run folders of its cells."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder and hold its lock during the block. Raises `RunError` if another process holds it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{self.path}: cannot hold a sweep: {error.strerror}") from error
        with locked(self.path, "another process is at work on this sweep; wait or use --name"):
            yield

    def prepare(self, sweep: Sweep) -> None:
        """Write the sweep's file, and remove folders of runs that were killed before they started.

        Raises `RunError` if the folder contains anything other than a sweep.
        """
        ours = (self.path / SWEEP_FILE).is_file()
        if not ours and any(path.name != LOCK and not is_unfinished(path) for path in self.path.iterdir()):
            raise RunError(f"{self.path}: there already, and not the folder of a sweep; use --name")
        remove_unfinished(self.path)
        write_whole(self.path / SWEEP_FILE, sweep.text.encode())
        for path in self.path.iterdir():
            if path.is_dir() and not RunFolder(path).is_run():
                RunFolder(path).remove_if_not_begun()

    def runs(self) -> Runs:
        """What there is of each config, by `key_of` it. Raises `RunError` for a damaged record."""
        found: dict[Config, tuple[RunFolder, Record]] = {}
        for path in sorted(self.path.iterdir()) if self.path.is_dir() else ():
            folder = RunFolder(path)
            if folder.is_run():
                try:
                    record = folder.read_record()
                except RunError as error:
                    raise RunError(f"{error}; delete {path} to have its cell run again") from error
                found[key_of(record.config)] = folder, record
        return found


def missing(cells: Sequence[Cell], runs: Runs, retry_failed: bool) -> list[Cell]:
    """Return the cells without a finished or diverged run; failed ones are included if ``retry_failed``."""
    done = {"finished", "diverged"} if retry_failed else {"finished", "diverged", "failed"}
    return [cell for cell in cells if not (run := runs.get(key_of(cell.config))) or run[1].status not in done]


def existing_folders(cells: Sequence[Cell], runs: Runs) -> list[RunFolder | None]:
    """Return the folder of each cell, whatever its status; None if it has none."""
    return [run[0] if (run := runs.get(key_of(cell.config))) else None for cell in cells]


def key_of(config: Config) -> Config:
    """Return a key that is equal for configs of the same run: the folder of the images does not matter."""
    if isinstance(config.data, SyntheticData):
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"folder": None})})
