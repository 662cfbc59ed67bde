"""Conditions on the metrics of runs, as answers to questions have them."""

import re

METRICS = (
    "test accuracy",
    "validation accuracy",
    "training accuracy",
    "training loss",
    "validation loss",
    "training cost",
    "first cost",
    "highest late cost",
    "largest fall",
    "gap",
    "norm",
    "epochs",
    "roughness",
)
"""What a condition may compare. Late is the second half of the evaluations; a fall is one of the validation accuracy
from one evaluation to the next; accuracies and gaps are fractions. Roughness is the mean square of the difference of
neighbouring weights of a linear model as a part of what independent weights have, 1 for noise."""
TERM = re.compile(rf"(?:{'|'.join(METRICS)}) of [\w./-]*\w|\d+(?:\.\d+)?")
"""A metric of a run, or a number."""
_SIDE = rf"({TERM.pattern})(?: ([*+-]) (\d+(?:\.\d+)?))?"
CONDITION = re.compile(rf"{_SIDE} ([<>]) {_SIDE}")
"""Two sides, with < or > between them."""


def compared(condition: str) -> tuple[tuple[str, float, float], tuple[str, float, float]]:
    """Return the larger and the smaller side of a condition if it holds, each as term, factor and summand.

    >>> compared("gap of a < gap of b * 0.5")
    (('gap of b', 0.5, 0.0), ('gap of a', 1.0, 0.0))
    """
    match = CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"{condition!r} is no condition")
    left, right = (_side(*match.groups()[start : start + 3]) for start in (0, 4))
    return (left, right) if match[4] == ">" else (right, left)


def _side(term: str, sign: str | None, number: str | None) -> tuple[str, float, float]:
    by = float(number or 0)
    return term, by if sign == "*" else 1.0, {"+": by, "-": -by}.get(sign or "", 0.0)


def terms_of(term: str) -> tuple[str, str | None]:
    """Return metric and run of a term; for a number, its text and None."""
    metric, _, run = term.partition(" of ")
    return metric, run or None
