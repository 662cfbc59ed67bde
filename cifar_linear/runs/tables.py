"""The tables of a run folder: metrics of each evaluation, losses of each batch."""

import csv
import io
import math
from collections.abc import Sequence

COLUMNS = (
    "epoch",
    "step",
    "eta",
    "train_loss",
    "train_cost",
    "train_accuracy",
    "validation_loss",
    "validation_cost",
    "validation_accuracy",
    "seconds",
)
"""The columns of every evaluation; optional columns follow them."""

_STEPS = "step,train_loss"


def evaluations_of_csv(text: str) -> list[dict[str, float]]:
    """Return the rows that `rows_as_csv` wrote for a run.

    Raises:
        ValueError: if a row lacks a column, has a number that is not finite, or a step that does not increase; the
            message contains the line number.
    """
    rows: list[dict[str, float]] = []
    lines = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for line in lines:
            rows.append({name: float(metric) for name, metric in line.items() if metric})
            if not all(math.isfinite(rows[-1][name]) for name in COLUMNS):
                raise ValueError("metrics must be finite")
            if len(rows) > 1 and rows[-1]["step"] <= rows[-2]["step"]:
                raise ValueError("steps must increase")
    except KeyError as error:
        raise ValueError(f"line {lines.line_num}: no {error}") from error
    except (TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"line {lines.line_num}: {error}") from error
    return rows


def losses_as_csv(losses: Sequence[float]) -> str:
    """Return a header and a line for each batch, counted from 1."""
    lines = (f"{step},{loss!r}\n" for step, loss in enumerate(losses, start=1))
    return f"{_STEPS}\n" + "".join(lines)


def losses_of_csv(text: str) -> list[float]:
    """Return the losses of `losses_as_csv` in order. Raises ValueError for any other content."""
    lines = iter(io.StringIO(text))
    if next(lines, "").rstrip() != _STEPS:
        raise ValueError(f"the first line must be {_STEPS}")
    losses = []
    for count, line in enumerate(lines, start=1):
        step, loss = line.split(",")
        if int(step) != count:
            raise ValueError("steps must be counted from 1")
        losses.append(float(loss))
    return losses
