"""Runs against each other: what each change brought, what seeds leave open, what shared test images can tell apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

import numpy as np

from cifar_linear.data.dataset import SplitName
from cifar_linear.nn.metrics import true_class_probability
from cifar_linear.report.collecting import Run, factors, in_order
from cifar_linear.report.statistics import CONFIDENCE, Interval, holm, mcnemar

Setting = tuple[tuple[str, str], ...]
"""Keys with their values as text."""


class Change(NamedTuple):
    """One setting changed from ``before`` to ``after`` between runs that are equal in all else.

    ``validation`` and ``test`` are the differences in accuracy of all ``pairs`` in points: mean, lowest, highest.
    """

    key: str
    before: str
    after: str
    pairs: int
    validation: tuple[float, float, float]
    test: tuple[float, float, float] | None


def changes(runs: Sequence[Run]) -> list[Change]:
    """What each change of a single setting brought, from the first value of each key, the largest gain first."""
    finished = [run for run in runs if run.record.status == "finished"]
    settings = factors(finished)
    found = []
    for key in (key for key in dict.fromkeys(key for of_run in settings for key in of_run) if key != "seed"):
        by_rest: dict[Setting, dict[str, Run]] = defaultdict(dict)
        for run, of_run in zip(finished, settings, strict=True):
            rest = tuple((other, value) for other, value in of_run.items() if other != key)
            by_rest[rest].setdefault(of_run[key], run)
        first, *others = in_order({of_run[key] for of_run in settings})
        for other in others:
            pairs = [(of[first], of[other]) for of in by_rest.values() if first in of and other in of]
            if pairs:
                found.append(_change(key, first, other, pairs))
    return sorted(found, key=lambda change: -change.validation[0])


def _change(key: str, before: str, after: str, pairs: Sequence[tuple[Run, Run]]) -> Change:
    def gains(split: str) -> tuple[float, float, float] | None:
        both = [(a.outcome(split), b.outcome(split)) for a, b in pairs]  # type: ignore[arg-type]  # a split's name
        points = [100 * (b - a) for a, b in both if a is not None and b is not None]
        return (fmean(points), min(points), max(points)) if len(points) == len(pairs) else None

    return Change(key, before, after, len(pairs), gains("validation") or (0.0, 0.0, 0.0), gains("test"))


class Repeated(NamedTuple):
    """A setting that was run with several seeds."""

    setting: str
    seeds: int
    validation: Interval
    test: Interval | None


def repeated(runs: Sequence[Run]) -> list[Repeated]:
    """Means and intervals of the settings that differ in the seed alone; the best on validation images first."""
    finished = [run for run in runs if run.record.status == "finished"]
    by_setting: dict[str, list[Run]] = defaultdict(list)
    for run, settings in zip(finished, factors(finished), strict=True):
        by_setting[", ".join(f"{key} {value}" for key, value in settings.items() if key != "seed")].append(run)
    rows = []
    for setting, group in by_setting.items():
        if len(group) > 1 and len({run.record.config.seed for run in group}) == len(group):
            test = [accuracy for run in group if (accuracy := run.outcome("test")) is not None]
            rows.append(
                Repeated(
                    setting or "all runs",
                    len(group),
                    Interval.of([run.outcome("validation") or 0.0 for run in group]),
                    Interval.of(test) if len(test) == len(group) else None,
                )
            )
    return sorted(rows, key=lambda row: -row.validation.mean)


class Pair(NamedTuple):
    """A run against the reference: test images that only one of them has right, and the p-value of McNemar's test."""

    label: str
    only_here: int
    only_reference: int
    points: float
    p: float

    @property
    def verdict(self) -> str:
        """In words."""
        if self.p > 1 - CONFIDENCE:
            return "these test images cannot tell them apart"
        return "better" if self.points > 0 else "worse"


class Paired(NamedTuple):
    """Every run with predictions against ``reference``, the one with the highest validation accuracy."""

    reference: str
    pairs: Sequence[Pair]


def paired(runs: Mapping[str, Run]) -> Paired | None:
    """McNemar's test on shared test images, corrected for the number of comparisons; None where no two share them."""
    predicted = {label: run for label, run in runs.items() if run.predictions is not None}
    if len(predicted) < 2:
        return None
    reference = max(predicted, key=lambda label: predicted[label].outcome("validation") or 0.0)
    images = predicted[reference].record.data.sha256.get("test")
    right = {
        label: run.predictions.predicted == run.predictions.labels
        for label, run in predicted.items()
        if run.predictions is not None and run.record.data.sha256.get("test") == images
    }
    counts = {
        label: (int((ours & ~right[reference]).sum()), int((~ours & right[reference]).sum()))
        for label, ours in right.items()
        if label != reference
    }
    p_values = holm([mcnemar(*count) for count in counts.values()])
    pairs = [
        Pair(label, here, there, 100 * (here - there) / len(right[reference]), p)
        for (label, (here, there)), p in zip(counts.items(), p_values, strict=True)
    ]
    return Paired(reference, pairs) if pairs else None


def losses_compared(runs: Mapping[str, Run]) -> Iterator[str]:
    """Softmax against sigmoid, a sentence for each set of runs that are equal but for loss, eta, lambda and seed."""
    by_rest: dict[Setting, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    free = {"loss", "eta", "lambda", "seed"}
    for label, run in runs.items():
        if run.record.status == "finished":
            rest = tuple((key, value) for key, value in run.settings.items() if key not in free)
            by_rest[rest][run.record.config.loss].append(label)
    for by_loss in by_rest.values():
        best = [max(labels, key=lambda label: runs[label].outcome("validation") or 0) for labels in by_loss.values()]
        for a, b in combinations(best, 2):
            yield _losses_compared(a, runs[a], b, runs[b])


def _losses_compared(a: str, first: Run, b: str, second: Run) -> str:
    split: SplitName = "validation" if None in (first.outcome("test"), second.outcome("test")) else "test"

    def of(run: Run) -> str:
        last = run.last
        parts = [
            f"{split} accuracy {run.outcome(split):.2%}",
            f"accuracy gap {100 * run.gap:.2f} points",
            f"validation loss {last['validation_loss'] / last['train_loss']:.3f} times the training loss",
        ]
        if run.predictions is not None:
            probabilities, predicted, labels, *_ = run.predictions
            true, right = true_class_probability(probabilities, labels), predicted == labels
            halves = {"right": true[right], "wrong": true[~right]}
            medians = [f"{np.median(values):.3f} where {name}" for name, values in halves.items() if values.size]
            parts.append(f"median probability of the true class {' and '.join(medians)}")
        return ", ".join(parts).replace("%", " %")

    pair = [f"{run.record.config.loss} ({label}): {of(run)}" for label, run in ((a, first), (b, second))]
    return f"{'. '.join(pair)}. The losses are on different scales; their ratios can be compared."
