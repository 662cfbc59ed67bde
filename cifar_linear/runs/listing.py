"""The runs of a folder, a line each."""

from pathlib import Path
from typing import Any, NamedTuple

from cifar_linear.data.dataset import SplitName
from cifar_linear.errors import RunError
from cifar_linear.runs.discovery import run_folders, sweeps
from cifar_linear.runs.folder import RunFolder


class RunSummary(NamedTuple):
    """What is listed of a run; accuracies are of the weights that it is judged by, None if it did not get that far."""

    name: str
    status: str
    loss: str
    lam: float
    eta: float
    validation: float | None
    test: float | None
    seconds: float

    def by_column(self) -> dict[str, Any]:
        """The values by the names of the columns."""
        return {"lambda" if name == "lam" else name: value for name, value in self._asdict().items()}


def list_runs(runs_dir: Path, sort: str) -> tuple[list[RunSummary], list[str]]:
    """The runs by the column ``sort``, and a note on each folder that is none.

    Accuracies and times are sorted from the highest, unknown ones
    last; all else from the lowest.
    """
    lines, notes = [], []
    for path in run_folders(runs_dir):
        try:
            lines.append(_summary(RunFolder(path)))
        except RunError as error:
            notes.append(f"left out: {error}")
    notes += [f"a sweep: list its runs with --runs-dir {path}" for path in sweeps(runs_dir)]
    known = [line for line in lines if line.by_column()[sort] is not None]
    known.sort(key=lambda line: line.by_column()[sort], reverse=sort in ("validation", "test", "seconds"))
    return known + [line for line in lines if line.by_column()[sort] is None], notes


def _summary(folder: RunFolder) -> RunSummary:
    record = folder.read_record()
    config = record.config

    def accuracy(split: SplitName) -> float | None:
        metrics = record.outcome.get(split)
        return metrics.accuracy if metrics else None

    return RunSummary(
        folder.path.name,
        folder.status(record),
        config.loss,
        config.lam,
        config.eta,
        accuracy("validation"),
        accuracy("test"),
        record.seconds,
    )
