"""List the runs of a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cifar_linear.data.dataset import SplitName
from cifar_linear.errors import RunError
from cifar_linear.runs.discovery import run_folders
from cifar_linear.runs.folder import RunFolder

_FROM_THE_HIGHEST = ("created", "validation", "test", "seconds")


class Summary(NamedTuple):
    """One line of a list: a run or a sweep.

    Attributes:
        kind: whether the line is a run or a sweep.
        name: name of the folder.
        status: status of a run; for a sweep, how many of its cells have finished.
        created: start of the run, or of the first run of a sweep, in ISO 8601 and UTC.
        loss, lam, eta: settings of a run; None for a sweep.
        validation, test: accuracies of a run's best weights if it kept them, otherwise of its last weights, as
            fractions; None if they were not evaluated.
        seconds: duration of the training; for a sweep of all its passes over the data, one after another.
    """

    kind: Literal["run", "sweep"]
    name: str
    status: str
    created: str | None
    loss: str | None
    lam: float | None
    eta: float | None
    validation: float | None
    test: float | None
    seconds: float

    def by_column(self) -> dict[str, Any]:
        """Return the values by column name."""
        return {"lambda" if name == "lam" else name: value for name, value in self._asdict().items()}


def list_runs(runs_dir: Path) -> tuple[list[Summary], list[str]]:
    """Return the runs of a folder, and a note on each that cannot be read. Raises `RunError` if there is no folder."""
    rows, notes = [], []
    for path in run_folders(runs_dir):
        try:
            rows.append(_summary(RunFolder(path)))
        except RunError as error:
            notes.append(f"left out: {error}")
    return rows, notes


def arranged(
    rows: Sequence[Summary], sort: str, statuses: Sequence[str] = (), limit: int | None = None
) -> list[Summary]:
    """Return the lines sorted and filtered.

    Args:
        rows: lines in any order.
        sort: column to sort by: accuracies, durations and dates in descending order, others in ascending order, unknown
            values last.
        statuses: keep only runs with one of these statuses, and no sweeps; empty to keep all lines.
        limit: maximum number of lines; None for all.
    """
    kept = [row for row in rows if not statuses or (row.kind == "run" and row.status in statuses)]
    known = [row for row in kept if row.by_column()[sort] is not None]
    known.sort(key=lambda row: row.by_column()[sort], reverse=sort in _FROM_THE_HIGHEST)
    return [*known, *(row for row in kept if row.by_column()[sort] is None)][:limit]


def _summary(folder: RunFolder) -> Summary:
    record = folder.read_record()
    config = record.config

    def accuracy(split: SplitName) -> float | None:
        metrics = record.outcome.get(split)
        return metrics.accuracy if metrics else None

    return Summary(
        "run",
        folder.path.name,
        folder.status(record),
        record.created,
        config.loss,
        config.lam,
        config.eta,
        accuracy("validation"),
        accuracy("test"),
        record.seconds,
    )
