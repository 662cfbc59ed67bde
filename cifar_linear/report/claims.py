"""Answers that depend on what the runs show: paragraphs with conditions, and numbers in their text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from cifar_linear.config.conditions import TERM, compared, terms_of
from cifar_linear.config.questions import Claim
from cifar_linear.errors import RunError
from cifar_linear.report.collecting import Run
from cifar_linear.wording import percent

_NUMBER = re.compile(r"\{(" + TERM.pattern + r")\}")


def _late(run: Run, column: str) -> list[float]:
    """A column of the second half of the evaluations."""
    return [row[column] for row in run.rows[len(run.rows) // 2 :]]


def _largest_fall(run: Run) -> float:
    """The largest fall of the validation accuracy from one evaluation to the next, in their second half."""
    return max((before - after for before, after in pairwise(_late(run, "validation_accuracy"))), default=0.0)


def _roughness(run: Run) -> float | None:
    """The mean square of the difference of neighbouring weights, as a part of twice their mean square."""
    if not run.model.is_linear:
        return None
    W = run.model.W.reshape(-1, *run.model.image_shape).astype(np.float64)
    squares = [np.square(np.diff(W, axis=axis)).mean() for axis in (2, 3)]
    return float(np.mean(squares) / (2 * np.square(W).mean())) if W.any() else 0.0


_VALUES: Mapping[str, tuple[Callable[[Run], float | None], Callable[[float], str]]] = {
    "test accuracy": (lambda run: run.outcome("test"), percent),
    "validation accuracy": (lambda run: run.outcome("validation"), percent),
    "training accuracy": (lambda run: run.judged["train_accuracy"], percent),
    "training loss": (lambda run: run.judged["train_loss"], "{:.4f}".format),
    "validation loss": (lambda run: run.judged["validation_loss"], "{:.4f}".format),
    "training cost": (lambda run: run.judged["train_cost"], "{:.4f}".format),
    "first cost": (lambda run: run.rows[0]["train_cost"], "{:.4f}".format),
    "highest late cost": (lambda run: max(_late(run, "train_cost")), "{:.4f}".format),
    "largest fall": (_largest_fall, percent),
    "gap": (lambda run: run.gap, lambda gap: f"{100 * gap:.2f} points"),
    "norm": (lambda run: run.weight_norm, "{:.3f}".format),
    "roughness": (_roughness, percent),
    "epochs": (lambda run: run.last["epoch"], "{:.0f}".format),
}
"""What each of `METRICS` is, and how it is written."""


def answer(paragraphs: Sequence[str | Claim], runs: Sequence[Run]) -> Iterator[str]:
    """Yield the paragraphs that hold for some runs, with numbers for ``{metric of run}``.

    Args:
        paragraphs: texts, and claims with a condition.
        runs: of the question; conditions name them as they were named when they were trained.

    Raises:
        RunError: if a condition or a text names a run that is not there, or a metric that it does not have.
    """
    for paragraph in paragraphs:
        text = paragraph if isinstance(paragraph, str) else _chosen(paragraph, runs)
        if text:
            yield " ".join(_NUMBER.sub(lambda match: _written(match[1], runs), text).split())


def _chosen(claim: Claim, runs: Sequence[Run]) -> str:
    left, right = (_value(term, runs) * factor + more for term, factor, more in compared(claim.condition))
    return claim.then if left > right else claim.otherwise


def _value(term: str, runs: Sequence[Run]) -> float:
    metric, name = terms_of(term)
    if name is None:
        return float(metric)
    value = _VALUES[metric][0](_named(name, runs))
    if value is None:
        raise RunError(f"answer: {name} has no {metric}")
    return value


def _written(term: str, runs: Sequence[Run]) -> str:
    return _VALUES[terms_of(term)[0]][1](_value(term, runs))


def _named(name: str, runs: Sequence[Run]) -> Run:
    found = [run for run in runs if run.given_name == name]
    if len(found) != 1:
        there = ", ".join(sorted({run.given_name for run in runs}))
        raise RunError(f"answer: {'several runs are' if found else 'no run is'} called {name}; there are {there}")
    return found[0]
