"""The runs of a folder, a line each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cifar_linear.data.dataset import SplitName
from cifar_linear.errors import RunError
from cifar_linear.runs.discovery import run_folders
from cifar_linear.runs.folder import RunFolder

_FROM_THE_HIGHEST = ("created", "validation", "test", "seconds")


class Summary(NamedTuple):
    """One line of a list: a run, or a sweep, which has no settings of its own.

    Attributes:
        kind: what the line is about.
        name: of the folder.
        status: of a run; of a sweep, how many of its cells have finished.
        created: when it was begun, in ISO 8601 and UTC; of a sweep, its first run.
        loss, lam, eta: settings.
        validation, test: accuracies, as fractions, of the weights that a run is judged by; None if it did not get that
            far.
        seconds: of training; of a sweep, of all its runs.
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
        """The values by the names of the columns."""
        return {"lambda" if name == "lam" else name: value for name, value in self._asdict().items()}


def list_runs(runs_dir: Path) -> tuple[list[Summary], list[str]]:
    """The runs of a folder, and a note on each that cannot be read. Raises `RunError` if there is no folder."""
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
    """The lines in order.

    Args:
        rows: in any order.
        sort: the column; accuracies, times and dates from the highest, all else from the lowest, unknown values last.
        statuses: of runs that are kept; sweeps are left out then. All lines, if there are none.
        limit: keep only so many lines from the beginning.
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
