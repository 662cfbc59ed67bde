"""Which folders are runs and sweeps, by the files that are in them; nothing is read, so that completion is quick."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cifar_linear.errors import RunError
from cifar_linear.runs.file_names import RECORD_FILE, TRAINED

SWEEP_FILE = "sweep.yaml"
"""The file that identifies a folder as that of a sweep."""
CLAIM = ".claim"
"""How the names of the leases end that a sweep has in its folder, one for each group that is trained."""
WITHOUT_RECORD = "damaged: there is no run.json; copy it back, or train again with the config.yaml in this folder"
"""What is said of the remains of a run."""
LAST = "last"
"""Name of the run that started last."""
_MADE = re.compile(r"(?P<when>\d{8}T\d{6}Z)_(?P<rest>(?P<name>.+?)(?:_(?P<count>\d+))?)")


class MadeName(NamedTuple):
    """The name of a folder that a command has made.

    Attributes:
        when: the start of the run, as text that sorts by time.
        name: all that follows the time.
        numbers: the names that the run may have, each with the folder's number among those of that name and time:
            ``x_2`` may be the first run ``x_2`` or the second run ``x``.
    """

    when: str
    name: str
    numbers: Mapping[str, int]


def made_name(started: datetime, name: str, count: int = 1) -> str:
    """Return the name of the folder of a run.

    Args:
        started: the start of the run, in UTC.
        name: of the run.
        count: which folder of this name and time it is, from 1.
    """
    return f"{started:%Y%m%dT%H%M%SZ}_{name}" + (f"_{count}" if count > 1 else "")


def parsed_name(folder_name: str) -> MadeName | None:
    """Return what the name of a folder says; None if `made_name` cannot have made it."""
    match = _MADE.fullmatch(folder_name)
    if match is None:
        return None
    numbers = {match["rest"]: 1}
    if match["count"]:
        numbers[match["name"]] = int(match["count"])
    return MadeName(match["when"], match["rest"], numbers)


def is_run(path: Path) -> bool:
    """Return whether a folder has the record of a run."""
    return (path / RECORD_FILE).is_file()


def has_remains(path: Path) -> bool:
    """Return whether a folder has files of a run, but not its record."""
    return not is_run(path) and not is_sweep(path) and any((path / name).is_file() for name in TRAINED)


def is_sweep(path: Path) -> bool:
    """Return whether a folder is that of a sweep."""
    return (path / SWEEP_FILE).is_file()


def is_run_or_sweep(path: Path) -> bool:
    """Return whether a folder is either; False if the system refuses to look at it."""
    try:
        return is_run(path) or is_sweep(path)
    except OSError:
        return False


def children(folder: Path) -> list[Path]:
    """Return the folders in a folder; none if it is missing. Raises `RunError` if it cannot be read."""
    try:
        return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror}") from error


def names(folder: Path) -> list[str]:
    """Return the names of the runs and sweeps in a folder, without the time of their start."""
    found = [path for path in children(folder) if is_run_or_sweep(path)]
    return sorted({made.name if (made := parsed_name(path.name)) else path.name for path in found})


def written_last(runs_dir: Path) -> Path:
    """Return the run or sweep that was written last. Raises `RunError` if there is none."""
    found = [(_written(path), path) for path in children(runs_dir) if is_run_or_sweep(path)]
    if not found:
        raise no_runs_in(runs_dir)
    return max(found)[1]


def no_runs_in(runs_dir: Path) -> RunError:
    """Return the error for a folder without runs."""
    return RunError(f"{runs_dir}: no runs in this folder; train one first, or choose another --runs-dir")


def _written(path: Path) -> float:
    """When a run, or the file or any run of a sweep, was written; 0 for what has been removed meanwhile."""
    files = [path / RECORD_FILE, path / SWEEP_FILE, *path.glob(f"*/{RECORD_FILE}")]
    return max(map(_modified, files))


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
