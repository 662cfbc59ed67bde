"""Tables as CSV: metrics of each evaluation, losses of each batch, numbers of images. Numbers are read back exactly."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

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


def rows_as_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Return a header and a line for each row; None becomes an empty cell.

    Args:
        rows: cells by column.
        columns: for a header where there may be no rows; those of the first row if left out.
    """
    text = io.StringIO(newline="")
    if columns or rows:
        writer = csv.DictWriter(text, fieldnames=columns or list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


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


def numbers_of_csv(text: str, column: str) -> list[int]:
    """Return the whole numbers of a column of a table, or of a list without a header, a number in each line.

    Raises:
        ValueError: if the table has no such column, or a cell is not a whole number from 0; the message says where.
    """
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"no table: {error}") from error
    head = lines[0] if lines else []
    has_header = not all(cell.strip().isdecimal() for cell in head)
    if has_header and column not in head:
        raise ValueError(f"there is no column {column} in it, only {', '.join(head)}")
    place = head.index(column) if has_header else 0
    numbers = []
    for count, line in enumerate(lines, start=1):
        if line and not (has_header and count == 1):
            cell = line[place].strip() if len(line) > place else ""
            if not (cell.isascii() and cell.isdecimal() and len(cell) < 10):
                raise ValueError(f"line {count}: {cell!r} is not the number of an image")
            numbers.append(int(cell))
    return numbers
