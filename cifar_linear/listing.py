"""The runs of a folder, a line each."""

from pathlib import Path
from typing import NamedTuple

from cifar_linear.errors import RunError
from cifar_linear.records import Record, Split
from cifar_linear.runs import RunFolder, run_folders


class Line(NamedTuple):
    """What is told of a run; accuracies are None where the run did not get that far."""

    name: str
    status: str
    loss: str
    lam: float
    eta: float
    validation: float | None
    test: float | None
    seconds: float


def list_runs(runs_dir: Path, sort: str) -> tuple[list[Line], list[str]]:
    """The runs by a column of `Line`, and a note on each folder that is none.

    ``sort`` is a column's name, "lambda" for ``lam``. Accuracies and times are sorted from the highest, unknown ones
    last; all else from the lowest.
    """
    lines, notes = [], []
    for path in run_folders(runs_dir):
        try:
            lines.append(_line(path.name, RunFolder(path).read_record()))
        except RunError as error:
            notes.append(f"left out: {error}")
    column = "lam" if sort == "lambda" else sort
    known = [line for line in lines if getattr(line, column) is not None]
    known.sort(key=lambda line: getattr(line, column), reverse=sort in ("validation", "test", "seconds"))
    return known + [line for line in lines if getattr(line, column) is None], notes


def _line(name: str, record: Record) -> Line:
    config = record.config

    def accuracy(split: Split) -> float | None:
        return record.metrics[split].accuracy if split in record.metrics else None

    return Line(
        name,
        record.status,
        config.loss,
        config.lam,
        config.eta,
        accuracy("validation"),
        accuracy("test"),
        record.seconds,
    )
