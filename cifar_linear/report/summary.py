"""The beginning of a report: which run or setting is best, how sure that is, and why the others are not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cifar_linear.nn.metrics import wilson
from cifar_linear.report.collecting import Run
from cifar_linear.report.comparing import Repeated, paired, repeated
from cifar_linear.report.curves import validation_loss_of
from cifar_linear.report.notes import restless
from cifar_linear.report.settings import MOST_NAMED, by_data, differences, grouped, some
from cifar_linear.report.statistics import CONFIDENCE, Interval
from cifar_linear.wording import percent

_MOST_BARS = 8


class Bar(NamedTuple):
    """An accuracy with its 95 % interval, as fractions; ``places`` are value and ends on the scale of its summary."""

    label: str
    value: float
    low: float
    high: float
    places: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __str__(self) -> str:
        """The value and its interval, as a percentage."""
        return f"{percent(self.value)} ({100 * self.low:.2f} to {100 * self.high:.2f})"


class Summary(NamedTuple):
    """What runs on the same images say.

    Attributes:
        images: what the images are called.
        which: the best by validation accuracy, with its interval.
        sure: which of the other runs differ from it by more than chance.
        why: a sentence about each of the others, where the numbers give a reason.
        bars: the best settings, or runs, with their intervals.
        bars_are: what the bars show.
    """

    images: str
    which: str
    sure: str
    why: Sequence[str]
    bars: Sequence[Bar]
    bars_are: str


def subject(runs: Mapping[str, Run]) -> str:
    """Say what was run, in a sentence."""
    all_runs = list(runs.values())
    models = sorted({"networks" if run.network else "linear classifiers" for run in all_runs})
    losses = sorted({run.record.config.loss for run in all_runs})
    images = ", ".join(f"{kind} ({_counts(group)})" for kind, group in by_data(runs).items())
    keys = differences(all_runs)
    apart = (
        f", which differ in {_listed(keys)}"
        if 0 < len(keys) <= MOST_NAMED
        else f", which differ in {len(keys)} settings"
        if keys
        else ""
    )
    many = f"{len(runs)} {' and '.join(models)}" if len(runs) > 1 else f"A {models[0][:-1]}"
    return f"{many} with {' or '.join(losses)} loss on {images}{apart}."


def _counts(runs: Mapping[str, Run]) -> str:
    counts = {run.record.data.images.get("train", 0) for run in runs.values()}
    low, high = min(counts), max(counts)
    return f"{low} training images" if low == high else f"{low} to {high} training images"


def summaries(runs: Mapping[str, Run]) -> list[Summary]:
    """Return a summary for each kind of images with finished runs."""
    kinds = by_data({label: run for label, run in runs.items() if run.finished})
    return [_over_seeds(kind, group) or _single(kind, group) for kind, group in kinds.items()]


def _over_seeds(kind: str, runs: Mapping[str, Run]) -> Summary | None:
    """Return a summary of settings that were trained with several seeds each; None if there are none."""
    rows = [row for row in repeated(list(runs.values())) if row.validation]
    groups = grouped(list(runs.values()), ("seed",))
    if not rows or len(rows) < len(groups):
        return None
    bars = [Bar(row.setting, *_ends(row.validation)) for row in rows[:_MOST_BARS] if row.validation]
    best = rows[0]
    test = f", {best.test} of the test images" if best.test else ""
    which = f"{best.setting}: {best.validation} of the validation images{test}, means of {best.seeds} seeds"
    return Summary(kind, which, _seeds_tell(rows), [], _placed(bars), "mean over seeds, 95 % interval")


def _ends(interval: Interval) -> tuple[float, float, float]:
    mean, reach = interval.mean, interval.half_width or 0.0
    return mean, mean - reach, mean + reach


def _seeds_tell(rows: Sequence[Repeated]) -> str:
    """Say which settings have means whose intervals reach that of the best."""
    ends = {row.setting: _ends(row.validation) for row in rows if row.validation}
    (_, (_, lowest, _)), *others = ends.items()
    if not others:
        return "There is no other setting to compare it with."
    near = [setting for setting, (_, _, highest) in others if highest >= lowest]
    if not near:
        return f"Its interval lies above those of all {len(others)} other settings."
    return (
        f"The intervals of {len(near)} of the {len(others)} other settings reach its own ({some(near)}): "
        "between them more seeds would have to decide."
    )


def _single(kind: str, runs: Mapping[str, Run]) -> Summary:
    """Return a summary of single runs."""
    known = {label: run for label, run in runs.items() if run.outcome("validation") is not None}
    ranked = sorted(known, key=lambda label: -(known[label].outcome("validation") or 0.0))
    bars = [bar_of(label, known[label]) for label in ranked[:_MOST_BARS]]
    best = runs[ranked[0]]
    test = best.outcome("test")
    tied = [label for label in ranked if known[label].outcome("validation") == best.outcome("validation")]
    which = f"{' and '.join(tied[:MOST_NAMED])}: {_accuracies(bars[0], test)}"
    others = {label: known[label] for label in ranked[1:]}
    sure = _tests_tell(known, ranked) if others else "There is no other run to compare it with."
    why = [reason for label, run in others.items() if (reason := _reason(label, run, best))]
    return Summary(kind, which, sure, why[:MOST_NAMED], _placed(bars), "single runs, Wilson's 95 % interval")


def _accuracies(bar: Bar, test: float | None) -> str:
    tested = f", {percent(test)} of the test images" if test is not None else ""
    interval = f"95 % interval {100 * bar.low:.2f} to {100 * bar.high:.2f}"
    return f"{percent(bar.value)} of the validation images ({interval}){tested}"


def bar_of(label: str, run: Run) -> Bar:
    """Return the validation accuracy of a run with Wilson's interval."""
    accuracy, images = run.outcome("validation") or 0.0, run.record.data.images["validation"]
    interval = wilson(np.array([round(accuracy * images)]), np.array([images]))
    return Bar(label, accuracy, float(interval.low[0]), float(interval.high[0]))


def _placed(bars: Sequence[Bar]) -> list[Bar]:
    """Return the bars with their places, as percentages of a scale that fits all of them."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    span = (high - low) or 1.0
    return [
        bar._replace(places=tuple(round(100 * (x - low) / span, 2) for x in (bar.value, bar.low, bar.high)))  # type: ignore[arg-type]
        for bar in bars
    ]


def _tests_tell(runs: Mapping[str, Run], ranked: Sequence[str]) -> str:
    """Say from which others the best differs by more than chance, on shared test images."""
    found = paired(runs)
    if found is None or found.reference != ranked[0]:
        return (
            "Not tested: that takes test images that the runs share, or several seeds. "
            "Where the intervals below overlap, the validation images do not decide."
        )
    apart = {pair.label: pair for pair in found.pairs if pair.p <= 1 - CONFIDENCE}
    alike = [pair.label for pair in found.pairs if pair.label not in apart]
    worse = [label for label, pair in apart.items() if pair.points < 0]
    better = [label for label in apart if label not in worse]
    said = []
    if worse:
        p = max(apart[label].p for label in worse)
        said.append(f"On the same test images it is better than {some(worse)} (McNemar's test, p ≤ {p:.2g}).")
    if better:
        said.append(f"On test images {some(better)} is better: validation and test images disagree.")
    if alike:
        said.append(f"The difference from {some(alike)} may be chance.")
    return " ".join(said)


def _reason(label: str, run: Run, best: Run) -> str | None:
    """Say why a run is worse than the best, as far as its numbers show a reason."""
    train, validation = (
        100 * (run.judged[f"{split}_accuracy"] - best.judged[f"{split}_accuracy"]) for split in ("train", "validation")
    )
    if jump := restless(run):
        return f"{label}: the steps are too long: {jump}."
    if validation > -_noticeable(run):
        return None
    if train >= 0:
        return (
            f"{label}: over-fitting. {train:.2f} points more on training images, {-validation:.2f} fewer on validation "
            "images."
        )
    if run.gap >= best.gap:
        return f"{label}: {-train:.2f} points fewer on training images and {-validation:.2f} on validation images."
    smaller = f", |W| {run.weight_norm:.2f}, not {best.weight_norm:.2f}" if run.weight_norm < best.weight_norm else ""
    return (
        f"{label}: under-fitting. {-train:.2f} points fewer on training images already; the gap to validation images "
        f"is {100 * run.gap:.2f} points, not {100 * best.gap:.2f}{smaller}."
    )


def _noticeable(run: Run) -> float:
    """Return how many points of validation accuracy may be chance: half the width of the interval."""
    bar = bar_of("", run)
    return 100 * (bar.high - bar.low) / 2


def _listed(keys: Sequence[str]) -> str:
    *most, last = keys
    return f"{', '.join(most)} and {last}" if most else last


def outcome_of_one(run: Run) -> Iterator[tuple[str, str]]:
    """Yield question and answer about a single run."""
    yield "Result", _accuracies(bar_of(run.name, run), run.outcome("test"))
    yield "Training", validation_loss_of(run)
    if run.certificate:
        yield "Optimum", f"The cost is {percent(run.certificate.above)} above the lowest that is possible."
    if jump := restless(run):
        yield "Caution", f"The steps are too long: {jump}."
