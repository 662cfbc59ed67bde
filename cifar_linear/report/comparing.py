"""Runs compared: with one setting changed, over seeds, and on the test images that they share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from cifar_linear.data.dataset import SplitName
from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import Setting, by_setting, factors, in_order
from cifar_linear.report.statistics import CONFIDENCE, Interval, holm, mcnemar, significance


class Change(NamedTuple):
    """One setting changed between runs that are equal in all else.

    Attributes:
        key: the setting.
        before, after: its values.
        pairs: the number of pairs of runs.
        validation, test: differences in accuracy over all pairs, in points: mean, lowest, highest.
    """

    key: str
    before: str
    after: str
    pairs: int
    validation: tuple[float, float, float]
    test: tuple[float, float, float] | None


def changes(runs: Sequence[Run]) -> list[Change]:
    """Return the gain of each change of a single setting from its first value to another, the largest first."""
    finished = [run for run in runs if run.finished]
    settings = factors(finished)
    found = []
    for key in (key for key in dict.fromkeys(key for of_run in settings for key in of_run) if key != "seed"):
        by_rest: dict[Setting, dict[str, Run]] = defaultdict(dict)
        for run, of_run in zip(finished, settings, strict=True):
            rest = tuple((other, value) for other, value in of_run.items() if other != key)
            by_rest[rest].setdefault(of_run[key], run)
        first, *others = in_order({of_run[key] for of_run in settings})
        for other in others:
            pairs = [(group[first], group[other]) for group in by_rest.values() if {first, other} <= group.keys()]
            if pairs:
                found.append(_change(key, first, other, pairs))
    return sorted(found, key=lambda change: -change.validation[0])


def _change(key: str, before: str, after: str, pairs: Sequence[tuple[Run, Run]]) -> Change:
    def gains(split: SplitName) -> tuple[float, float, float] | None:
        both = [(a.outcome(split), b.outcome(split)) for a, b in pairs]
        points = [100 * (b - a) for a, b in both if a is not None and b is not None]
        return (fmean(points), min(points), max(points)) if len(points) == len(pairs) else None

    return Change(key, before, after, len(pairs), gains("validation") or (0.0, 0.0, 0.0), gains("test"))


class Repeated(NamedTuple):
    """A setting of runs some of which were repeated with other seeds."""

    setting: str
    seeds: int
    validation: Interval | None
    test: Interval | None


def repeated(runs: Mapping[str, Run]) -> list[Repeated]:
    """Return means and intervals of the settings, the best on validation images first; none if no seed was repeated."""
    settings = by_setting({label: run for label, run in runs.items() if run.finished})
    if all(len(group) == 1 for group in settings.values()):
        return []
    rows = [
        Repeated(label, len(group), _interval(group, "validation"), _interval(group, "test"))
        for label, group in settings.items()
    ]
    return sorted(rows, key=lambda row: -row.validation.mean if row.validation else 0.0)


def _interval(runs: Sequence[Run], split: SplitName) -> Interval | None:
    """Return the interval of the accuracy; None if some of the runs were not evaluated on the split."""
    accuracies = [accuracy for run in runs if (accuracy := run.outcome(split)) is not None]
    return Interval.of(accuracies) if len(accuracies) == len(runs) else None


def seed_by_seed(first: Sequence[Run], second: Sequence[Run]) -> Interval | None:
    """Return by how much the validation accuracy of a setting exceeds that of another, over the seeds that both have.

    None for fewer than two seeds.
    """
    others = {run.settings["seed"]: run.outcome("validation") or 0.0 for run in second}
    found = [
        (run.outcome("validation") or 0.0) - others[run.settings["seed"]]
        for run in first
        if run.settings["seed"] in others
    ]
    return Interval.of(found) if len(found) > 1 else None


class Pair(NamedTuple):
    """A run against the reference.

    Attributes:
        label: the run.
        only_here: the number of test images that the run classifies correctly and the reference does not.
        only_reference: the opposite.
        points: the difference in test accuracy.
        p: of McNemar's test, corrected for the number of comparisons.
    """

    label: str
    only_here: int
    only_reference: int
    points: float
    p: float

    @property
    def p_value(self) -> str:
        """In digits that mean something."""
        return significance(self.p).removeprefix("= ")

    @property
    def verdict(self) -> str:
        """In words."""
        if self.p > 1 - CONFIDENCE:
            return "may be chance"
        return "better" if self.points > 0 else "worse"


class Paired(NamedTuple):
    """Every run with test predictions against ``reference``, the one with the highest validation accuracy."""

    reference: str
    pairs: Sequence[Pair]


def paired(runs: Mapping[str, Run]) -> Paired | None:
    """Compare runs by McNemar's test on shared test images, corrected after Holm; None where no two share them."""
    predicted = {label: run for label, run in runs.items() if run.predictions is not None}
    if not predicted:
        return None
    reference = max(predicted, key=lambda label: predicted[label].outcome("validation") or 0.0)
    best = predicted.pop(reference)
    counts = {label: found for label, run in predicted.items() if (found := discordant(run, best))}
    p_values = holm([mcnemar(*count) for count in counts.values()])
    images = len(best.predictions.labels) if best.predictions else 0
    pairs = [
        Pair(label, here, there, 100 * (here - there) / images, p)
        for (label, (here, there)), p in zip(counts.items(), p_values, strict=True)
    ]
    return Paired(reference, pairs) if pairs else None


def discordant(first: Run, second: Run) -> tuple[int, int] | None:
    """Return how many test images only the first and only the second run classifies correctly.

    None if they do not share their test images, or one of them was not evaluated on any.
    """
    ours, theirs = first.predictions, second.predictions
    if ours is None or theirs is None or not np.array_equal(ours.labels, theirs.labels):
        return None
    if first.record.data.sha256.get("test") != second.record.data.sha256.get("test"):
        return None
    a, b = (predictions.correct for predictions in (ours, theirs))
    return int((a & ~b).sum()), int((b & ~a).sum())
