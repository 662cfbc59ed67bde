"""Answers that depend on what the runs show."""

from collections.abc import Callable, Mapping
from itertools import pairwise

from cifar_linear.config.conditions import Better, Comparison, Quantity, numbers_in, parse_condition
from cifar_linear.config.questions import Answer
from cifar_linear.errors import RunError
from cifar_linear.report.collecting import Run
from cifar_linear.report.comparing import discordant
from cifar_linear.report.statistics import CONFIDENCE, mcnemar
from cifar_linear.report.summary import bar_of
from cifar_linear.report.weights import neighbour_correlation

_VALUES: Mapping[str, Callable[[Run], float | None]] = {
    "validation accuracy": lambda run: _percent(run.outcome("validation")),
    "test accuracy": lambda run: _percent(run.outcome("test")),
    "training accuracy": lambda run: _percent(run.judged["train_accuracy"]),
    "gap": lambda run: 100 * run.gap,
    "largest drop": lambda run: _largest_drop([row["validation_accuracy"] for row in run.rows]),
    "unrest": lambda run: _unrest([row["train_cost"] for row in run.rows]),
    "norm": lambda run: run.weight_norm,
    "likeness": lambda run: neighbour_correlation(run.model) if run.model.is_linear else None,
}


def answered(answer: Answer, runs: Callable[[str], Run]) -> str | None:
    """Return what an answer says about these runs; None if it says nothing about them.

    Args:
        answer: a text, perhaps under a condition.
        runs: returns the run of a name. Raises `RunError` if there is none.

    Raises `RunError` if a run does not have a number that is asked for.
    """
    holds = all(_holds(part, runs) for part in parse_condition(answer.when)) if answer.when else True
    text = answer.text if holds else answer.otherwise
    for gap, quantity in numbers_in(text):
        text = text.replace(gap, f"{_value(quantity, runs):.2f}")
    return text or None


def _holds(part: Comparison | Better, runs: Callable[[str], Run]) -> bool:
    if isinstance(part, Better):
        return _is_better(runs(part.run), runs(part.other))
    bound = part.factor * (_value(part.right, runs) if part.right else 1)
    left = _value(part.left, runs)
    return left > bound if part.sign == ">" else left < bound


def _is_better(run: Run, other: Run) -> bool:
    """Whether a run is better: by McNemar's test on shared test images, else by intervals that do not overlap."""
    if counts := discordant(run, other):
        return counts[0] > counts[1] and mcnemar(*counts) <= 1 - CONFIDENCE
    return bar_of("", run).low > bar_of("", other).high


def _value(quantity: Quantity, runs: Callable[[str], Run]) -> float:
    value = _VALUES[quantity.name](runs(quantity.run))
    if value is None:
        raise RunError(f"{quantity.run}: this run has no {quantity.name}")
    return value


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _largest_drop(accuracies: list[float]) -> float:
    """Return by how many points the accuracy fell most from one evaluation to the next, in the second half."""
    late = accuracies[len(accuracies) // 2 :]
    return 100 * max((before - after for before, after in pairwise(late)), default=0.0)


def _unrest(costs: list[float]) -> float:
    """Return the highest cost of the second half as a part of that before the first update."""
    return max(costs[len(costs) // 2 :]) / costs[0]
