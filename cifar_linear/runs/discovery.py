"""Find the runs in a folder, and the run that a name refers to."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from cifar_linear.errors import RunError
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.places import (
    LAST,
    SWEEP_FILE,
    WITHOUT_RECORD,
    children,
    has_remains,
    is_run,
    is_run_or_sweep,
    is_sweep,
    names,
    no_runs_in,
    parsed_name,
)

_MOST_NAMES = 6


def run_folders(path: Path) -> Iterator[Path]:
    """Yield the folder itself if it is a run, otherwise the run folders in it, including incomplete ones.

    Raises `RunError` if there is no such folder, or if its runs are in a folder ``runs`` below it.
    """
    if not path.is_dir():
        state = "not a folder" if path.exists() else "there is no such folder"
        raise RunError(f"{path}: {state}; train first, or name a run folder or a folder of run folders")
    found = [path] if is_run(path) else sorted(filter(_looks_like_a_run, children(path)))
    below = path / "runs"
    if not found and not sweeps(path) and any(map(is_run_or_sweep, children(below))):
        raise RunError(f"{path}: no runs in this folder; did you mean {below}?")
    yield from found or ([path] if has_remains(path) else [])


def sweeps(path: Path) -> list[Path]:
    """Return the sweep folders in a folder."""
    return sorted(file.parent for file in path.glob(f"*/{SWEEP_FILE}"))


def find(runs_dir: Path, text: str) -> Path:
    """Return the folder that a path or a name refers to.

    A path that is neither a run nor a sweep is returned unchanged; reading it raises the appropriate error.

    Args:
        runs_dir: where names are looked up.
        text: a path, or a name as in `named`.

    Raises:
        RunError: if a name is unknown or ambiguous.
    """
    path = Path(text)
    if is_run_or_sweep(path):
        return path
    try:
        return named(runs_dir, text)
    except RunError:
        names_a_place = len(path.parts) > 1 and not (runs_dir / path.parts[0]).exists()
        if path.is_absolute() or names_a_place or _is_folder(path):
            return path
        raise


def find_run(runs_dir: Path, text: str) -> Path:
    """Return the folder of a single run, as `find` does. Raises `RunError`, with the names of its runs, for a sweep."""
    path = find(runs_dir, text)
    if not is_run(path) and is_sweep(path):
        cells = [f"{path.name}/{name}" for name in names(path)]
        raise RunError(f"{path}: the folder of a sweep; name one of its runs{_listed(cells)}")
    return path


def named(runs_dir: Path, name: str) -> Path:
    """Return the folder of a name.

    Args:
        runs_dir: where the name is looked up.
        name: ``last``, the name of a run (the newest one of several), of a sweep, or ``sweep/cell``.

    Raises:
        RunError: if the name is unknown or ambiguous; the message contains similar names.
    """
    if name == LAST:
        return _last(runs_dir)
    parts = name.split("/")
    if len(parts) > 2 or not all(map(_is_file_name, parts)):
        raise RunError(f"{name!r}: not the name of a run; use a name, or sweep/cell for a run of a sweep")
    path = runs_dir
    for part in parts:
        path = _newest(path, part)
    return path


def newest_runs(runs_dir: Path, name: str) -> list[Path]:
    """Return the newest run of a name, or all runs of a sweep; see `named`."""
    return list(run_folders(named(runs_dir, name)))


def _newest(folder: Path, name: str) -> Path:
    """Return the folder with exactly this name, such as a sweep, or the newest one that `RunFolder.create` made."""
    found = [
        (made.when, made.numbers[name], path)
        for path in children(folder)
        if (made := parsed_name(path.name)) and name in made.numbers and is_run_or_sweep(path)
    ]
    exact = folder / name
    if is_run_or_sweep(exact):
        if found:
            raise RunError(f"{name}: there are {exact} and {max(found)[2]}; name one of them by its path")
        return exact
    if found:
        return max(found)[2]
    for path in children(folder):
        made = parsed_name(path.name)
        if (path == exact or (made and name in made.numbers)) and has_remains(path):
            raise RunError(f"{path}: {WITHOUT_RECORD}")
    known = names(folder)
    near = difflib.get_close_matches(name, known, n=_MOST_NAMES, cutoff=0.5)
    listed = f"; near it: {', '.join(near)}" if near else _listed(known)
    raise RunError(f"{exact}: no run or sweep has this name{listed}; train it first, or choose another --runs-dir")


def _last(runs_dir: Path) -> Path:
    """Return the run that started last; runs of sweeps do not count."""
    found = []
    for path in children(runs_dir):
        try:
            found.append((RunFolder(path).read_record().created, path))
        except RunError:
            continue  # A sweep, or a damaged run, whose start is unknown.
    if not found:
        raise no_runs_in(runs_dir)
    return max(found)[1]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # For example, a name that is too long for a file.
        return False


def _is_file_name(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part and Path(part).name == part


def _looks_like_a_run(path: Path) -> bool:
    """Return whether a folder is a run or the remains of one, but not a sweep."""
    if is_run(path):
        return True
    return has_remains(path) or (parsed_name(path.name) is not None and not is_sweep(path))


def _listed(known: list[str]) -> str:
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"; there are: {', '.join(known[:_MOST_NAMES])}{more}" if known else ""
