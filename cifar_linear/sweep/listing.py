"""List the runs and sweeps of a folder."""

from collections.abc import Sequence
from pathlib import Path

from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import CifarLinearError
from cifar_linear.runs.discovery import sweeps
from cifar_linear.runs.listing import Summary, arranged, list_runs
from cifar_linear.runs.places import SWEEP_FILE
from cifar_linear.sweep.folder import SweepFolder


def list_all(
    runs_dir: Path, sort: str, statuses: Sequence[str] = (), limit: int | None = None
) -> tuple[list[Summary], list[str]]:
    """Return the runs and sweeps of a folder, and a note on each that cannot be read.

    Args:
        runs_dir: the folder.
        sort: column to sort by; see `arranged`.
        statuses: keep only runs with one of these statuses, and no sweeps; empty to keep all lines.
        limit: maximum number of lines; None for all.

    Raises:
        RunError: if there is no such folder.
    """
    rows, notes = list_runs(runs_dir)
    for path in sweeps(runs_dir):
        try:
            rows.append(_summary(path))
        except CifarLinearError as error:
            notes.append(f"left out: {error}")
    return arranged(rows, sort, statuses, limit), notes


def _summary(path: Path) -> Summary:
    cells, runs = read_sweep(path / SWEEP_FILE).cells, SweepFolder(path).runs()
    records = [runs[key][1] for cell in cells if (key := cell.key) in runs]
    finished = sum(record.status == "finished" for record in records)
    began = min((record.created for record in records), default=None)
    seconds = sum(record.seconds / record.runs_in_pass for record in records)
    status = f"{finished} of {len(cells)} finished"
    return Summary("sweep", path.name, status, began, None, None, None, None, None, seconds)
