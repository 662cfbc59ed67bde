"""See what goes on in the folder of a sweep, of a run or of several runs: nothing is written, nothing is held up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from cifar_linear.config.formatting import as_text
from cifar_linear.config.sweeps import SelectBy, Sweep, key_of, read_sweep
from cifar_linear.errors import RunError
from cifar_linear.runs.discovery import run_folders
from cifar_linear.runs.file_names import RECORD_FILE
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.places import SWEEP_FILE, is_run, is_sweep
from cifar_linear.runs.record import ENDED, Record

_FRESH = 5.0
"""Seconds after its last save in which a run counts as running; only after that is its lock looked at."""


Kind = Literal["run", "runs", "sweep"]
_Found = tuple[Record, Sequence[float]]
"""A run's record, and its validation losses."""


class Seen(NamedTuple):
    """A run as it was when its folder was last written.

    Attributes:
        label: its settings in the sweep, or the name of its folder.
        status: as `RunFolder.status` has it.
        done, length: epochs or updates so far, and in all.
        seconds: of training so far, of all runs in its pass together.
        runs_in_pass: how many runs share its pass over the data.
        accuracy, loss: on the validation images, as fraction and in nats, of the weights that count; None before the
            first save.
        curve: the validation loss of every evaluation but the one before training, which would flatten the rest.
        dataset: the name of its images.
    """

    label: str
    status: str
    done: int
    length: int
    seconds: float
    runs_in_pass: int
    accuracy: float | None
    loss: float | None
    curve: Sequence[float]
    dataset: str


@dataclass(frozen=True)
class Snapshot:
    """All cells of a sweep, or all runs of a folder, at one moment.

    Attributes:
        path: the folder.
        kind: whether it is that of a run, of several, or of a sweep.
        cells: how many there are to train in all.
        left: epochs or updates of the cells that have no folder yet.
        unit: what is counted: ``epoch`` or ``step``.
        runs: the cells that have a folder.
        select_by: the metric that makes a run the best.
        notes: what could not be read.
    """

    path: Path
    kind: Kind
    cells: int
    left: int
    unit: str
    runs: Sequence[Seen]
    select_by: SelectBy
    notes: Sequence[str]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many cells have which status; those without a folder are ``waiting``."""
        return Counter([run.status for run in self.runs] + ["waiting"] * (self.cells - len(self.runs)))

    @property
    def ended(self) -> bool:
        """Whether nothing is running, and of a sweep nothing is left to train."""
        unfinished = {status for status, count in self.counts.items() if count} - ENDED
        return not unfinished if self.kind == "sweep" else "running" not in unfinished

    @property
    def progress(self) -> float:
        """The part of all epochs that is done; a run that has ended has no more to do."""
        done = sum(run.length if run.status in ENDED else run.done for run in self.runs)
        return done / max(1, sum(run.length for run in self.runs) + self.left)

    @property
    def speed(self) -> float | None:
        """Epochs per second of all runs together, with as many passes at once as now; None before the first save.

        Each run counts for its share of the time of its pass, so that a pass of nine is not nine times as slow.
        """
        seconds = sum(run.seconds / run.runs_in_pass for run in self.runs if run.done)
        done = sum(run.done for run in self.runs)
        passes = sum(1 / run.runs_in_pass for run in self.runs if run.status == "running")
        return done / seconds * max(1, round(passes)) if seconds > 0 else None

    @property
    def rest(self) -> float | None:
        """The seconds that are left at this speed; None if that is unknown, or nothing is running."""
        if self.speed is None or not self.counts["running"]:
            return None
        return (self.left + sum(run.length - run.done for run in self.runs if run.status not in ENDED)) / self.speed

    @property
    def best(self) -> Mapping[str, Seen]:
        """The best run so far on each data set; a run that diverged or failed is none."""
        best: dict[str, Seen] = {}
        for run in self.runs:
            if run.accuracy is not None and run.status not in ("diverged", "failed"):
                best[run.dataset] = max(best.get(run.dataset, run), run, key=self._merit)
        return best

    def _merit(self, run: Seen) -> float:
        merit = run.accuracy if self.select_by == "validation_accuracy" else -(run.loss or 0.0)
        return merit or 0.0


class Watcher:
    """Looks at a folder again and again; a run is read again only when it was written since.

    Args:
        path: the folder of a run, of a sweep, or of runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[Path, tuple[object, _Found]] = {}
        self._sweep: tuple[object, Sweep] | None = None

    def look(self) -> Snapshot:
        """Return what is there now. Raises `RunError` if the folder is gone, `ConfigError` for a bad sweep.yaml."""
        sweep = self.sweep()
        found, notes = self._found()
        if sweep is None:
            kind: Kind = "run" if is_run(self.path) else "runs"
            seen = [_seen(path, path.name, *what) for path, what in found.items()]
            unit = next(iter(found.values()))[0].config.unit if found else "epoch"
            return Snapshot(self.path, kind, len(seen), 0, unit, seen, "validation_accuracy", notes)
        of_cell = {key_of(what[0].config): (path, what) for path, what in found.items()}
        labels = {cell.key: as_text(cell.settings) or "the base as it is" for cell in sweep.cells}
        seen = [_seen(of_cell[key][0], label, *of_cell[key][1]) for key, label in labels.items() if key in of_cell]
        left = sum(key.length for key in labels if key not in of_cell)
        unit = sweep.cells[0].config.unit
        return Snapshot(self.path, "sweep", len(labels), left, unit, seen, sweep.select_by, notes)

    def sweep(self) -> Sweep | None:
        """Return the sweep whose folder this is; None for other folders. Raises `ConfigError` if its file is bad."""
        if not is_sweep(self.path):
            return None
        file = self.path / SWEEP_FILE
        if self._sweep is None or self._sweep[0] != _stamp(file):
            self._sweep = _stamp(file), read_sweep(file)
        return self._sweep[1]

    def _found(self) -> tuple[dict[Path, _Found], list[str]]:
        """The runs of the folder, and a note on each that cannot be read."""
        found, notes = {}, []
        for path in run_folders(self.path):
            try:
                found[path] = self._read(RunFolder(path))
            except RunError as error:
                if is_run(path):  # Otherwise it has only just been made, or has just been removed.
                    notes.append(f"left out: {error}")
        return found, notes

    def _read(self, folder: RunFolder) -> _Found:
        stamp = _stamp(folder.path / RECORD_FILE)
        if folder.path not in self._known or self._known[folder.path][0] != stamp:
            record = folder.read_record()
            rows = folder.read_metrics() if record.epoch is not None else []
            curve = [row["validation_loss"] for row in rows if row["step"] > 0]
            self._known[folder.path] = stamp, (record, curve)
        return self._known[folder.path][1]


def _stamp(file: Path) -> object:
    """What changes when a file is replaced; None if it is not there."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _seen(path: Path, label: str, record: Record, curve: Sequence[float]) -> Seen:
    validation = record.outcome.get("validation")
    return Seen(
        label,
        _status(RunFolder(path), record),
        record.done,
        record.config.length,
        record.seconds,
        record.runs_in_pass,
        validation.accuracy if validation else None,
        validation.loss if validation else None,
        curve,
        record.config.data.dataset,
    )


def _status(folder: RunFolder, record: Record) -> str:
    """As `RunFolder.status`, which looks at the lock; not while the run is written every second anyway."""
    try:
        fresh = time.time() - (folder.path / RECORD_FILE).stat().st_mtime < _FRESH
    except OSError:
        fresh = False
    return record.status if fresh else folder.status(record)
