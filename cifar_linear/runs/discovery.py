"""Which runs there are in a folder, and which is meant by a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cifar_linear.errors import RunError
from cifar_linear.runs.folder import SWEEP_FILE, RunFolder


def run_folders(path: Path) -> Iterator[Path]:
    """The folder itself if it is a run, else the folders in it, but for those of `sweeps` and reports."""
    if not path.is_dir():
        raise RunError(f"{path}: not a folder; train first, or name a run folder or a folder of run folders")
    if RunFolder(path).is_run():
        yield path
    else:
        others = SWEEP_FILE, "report.html"
        for child in sorted(child for child in path.iterdir() if child.is_dir()):
            if RunFolder(child).is_run() or not any((child / name).is_file() for name in others):
                yield child


def sweeps(path: Path) -> list[Path]:
    """The folders of sweeps in a folder."""
    return sorted(file.parent for file in path.glob(f"*/{SWEEP_FILE}"))


def newest_runs(runs_dir: Path, name: str) -> list[Path]:
    """The newest run called ``name``, or all runs of the newest sweep; ``sweep/cell`` is one of its runs.

    Raises `RunError` if there is none.
    """
    path = runs_dir
    for part in Path(name).parts:
        path = _newest(path, part)
        if not path.is_dir():
            raise RunError(f"{path}: no run and no sweep of that name; train it first, or choose another --runs-dir")
    return list(run_folders(path))


def _newest(folder: Path, name: str) -> Path:
    """What `RunFolder.create` made last for a name; else what is called just that, as sweeps are."""
    made = re.compile(rf"(\d{{8}}T\d{{6}}Z)_{re.escape(name)}(?:_(\d+))?")
    found = [
        (match[1], int(match[2] or 1), path)
        for path in folder.glob(f"*{name}*")
        if (match := made.fullmatch(path.name))
    ]
    return max(found)[2] if found else folder / name
