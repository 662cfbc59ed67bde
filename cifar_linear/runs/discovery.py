"""Which runs there are in a folder, and which is meant by a name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from cifar_linear.errors import RunError
from cifar_linear.runs.folder import SWEEP_FILE, RunFolder

LAST = "last"
"""Means the run that was begun last."""

_MADE = re.compile(r"(\d{8}T\d{6}Z)_(.+)")
_FILES = ("config.yaml", "metrics.csv", "checkpoint.npz", "model.npz")
_MOST_NAMES = 6


def run_folders(path: Path) -> Iterator[Path]:
    """The folder itself if it is a run, else the folders in it that are runs, or were to become one."""
    if not path.is_dir():
        raise RunError(f"{path}: not a folder; train first, or name a run folder or a folder of run folders")
    if RunFolder(path).is_run():
        yield path
    else:
        yield from (child for child in sorted(_children(path)) if _looks_like_a_run(child))


def sweeps(path: Path) -> list[Path]:
    """The folders of sweeps in a folder."""
    return sorted(file.parent for file in path.glob(f"*/{SWEEP_FILE}"))


def find(runs_dir: Path, text: str) -> Path:
    """The folder that ``text`` means: a path, else a name in ``runs_dir`` as `named` knows it.

    A path that is neither a run nor a sweep is returned as it is: its reader says what it lacks. Raises `RunError` for
    a name that is not there, or that two have.
    """
    path = Path(text)
    if _is_run_or_sweep(path):
        return path
    try:
        return named(runs_dir, text)
    except RunError:
        names_a_place = len(path.parts) > 1 and not (runs_dir / path.parts[0]).exists()
        if path.is_absolute() or names_a_place or _is_folder(path):
            return path
        raise


def find_run(runs_dir: Path, text: str) -> Path:
    """`find` for a single run. Raises `RunError`, with the names of its runs, for a sweep."""
    path = find(runs_dir, text)
    if not RunFolder(path).is_run() and (path / SWEEP_FILE).is_file():
        cells = [f"{path.name}/{name}" for name in names(path)]
        raise RunError(f"{path}: the folder of a sweep; name one of its runs{_listed(cells)}")
    return path


def named(runs_dir: Path, name: str) -> Path:
    """The folder of a name: ``last``, a run or the newest of that name, a sweep, or ``sweep/cell``.

    Raises `RunError` for a name that is not there, or that two have, with the names that are near.
    """
    if name == LAST:
        return _last(runs_dir)
    parts = name.split("/")
    if len(parts) > 2 or not all(map(_is_file_name, parts)):
        raise RunError(f"{name!r}: not the name of a run; a name is like mine, or sweep/cell for a run of a sweep")
    path = runs_dir
    for part in parts:
        path = _newest(path, part)
    return path


def newest_runs(runs_dir: Path, name: str) -> list[Path]:
    """The newest run of a name, or all runs of the sweep; see `named`."""
    return list(run_folders(named(runs_dir, name)))


def names(folder: Path) -> list[str]:
    """What the runs and sweeps in a folder are called: without the time at which they were made."""
    found = [path for path in _children(folder) if _is_run_or_sweep(path)]
    return sorted({match[2] if (match := _MADE.fullmatch(path.name)) else path.name for path in found})


def _newest(folder: Path, name: str) -> Path:
    """What is called just that, as sweeps are; else what `RunFolder.create` made last for the name."""
    made = re.compile(rf"(\d{{8}}T\d{{6}}Z)_{re.escape(name)}(?:_(\d+))?")
    found = [
        (match[1], int(match[2] or 1), path)
        for path in _children(folder)
        if (match := made.fullmatch(path.name)) and _is_run_or_sweep(path)
    ]
    exact = folder / name
    if _is_run_or_sweep(exact):
        if found:
            raise RunError(f"{name}: there are {exact} and {max(found)[2]}; name one of them by its path")
        return exact
    if found:
        return max(found)[2]
    known = names(folder)
    near = difflib.get_close_matches(name, known, n=_MOST_NAMES, cutoff=0.5) or known
    raise RunError(
        f"{exact}: no run and no sweep of that name{_listed(near)}; train it first, or choose another --runs-dir"
    )


def _last(runs_dir: Path) -> Path:
    """The run that was begun last, those of sweeps apart."""
    found = []
    for path in _children(runs_dir):
        try:
            found.append((RunFolder(path).read_record().created, path))
        except RunError:
            continue  # A sweep, or damaged: what it says of its time cannot be relied on.
    if not found:
        raise RunError(f"{runs_dir}: no run in there; train one first, or choose another --runs-dir")
    return max(found)[1]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # For one, a name longer than any file's.
        return False


def _is_file_name(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part and Path(part).name == part


def _children(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror}") from error


def _is_run_or_sweep(path: Path) -> bool:
    try:
        return RunFolder(path).is_run() or (path / SWEEP_FILE).is_file()
    except OSError:
        return False


def _looks_like_a_run(path: Path) -> bool:
    """Whether a folder is a run, or is left of one; sweeps have a list of their own."""
    if RunFolder(path).is_run():
        return True
    is_left = _MADE.fullmatch(path.name) is not None or any((path / name).is_file() for name in _FILES)
    return is_left and not (path / SWEEP_FILE).is_file()


def _listed(known: list[str]) -> str:
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"; there are: {', '.join(known[:_MOST_NAMES])}{more}" if known else ""
