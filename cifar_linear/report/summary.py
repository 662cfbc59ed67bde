"""The beginning of a report: which run or setting is best, how sure that is, and why the others are not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from cifar_linear.nn.metrics import wilson
from cifar_linear.report.collecting import Run
from cifar_linear.report.comparing import Repeated, paired, repeated, seed_by_seed
from cifar_linear.report.curves import validation_loss_of
from cifar_linear.report.notes import restless
from cifar_linear.report.settings import MOST_NAMED, both, by_data, by_setting, differences, either, some, spoken
from cifar_linear.report.statistics import CONFIDENCE, Interval, percent, significance, thousands

_MOST_BARS = 8
_MOST_TIED = 3
_MOST_TICKS = 6


class Bar(NamedTuple):
    """An accuracy with its 95 % interval, as fractions; ``places`` are value and ends on the scale of its summary.

    ``leads`` is whether no other is known to be better.
    """

    label: str
    value: float
    low: float
    high: float
    places: tuple[float, float, float] = (0.0, 0.0, 0.0)
    leads: bool = False

    @property
    def shown(self) -> str:
        """The value, as a percentage."""
        return percent(self.value)

    @property
    def ends(self) -> str:
        """Its interval, in percent."""
        return f"{100 * self.low:.2f} to {100 * self.high:.2f}"


class Summary(NamedTuple):
    """What runs on the same images say.

    Attributes:
        images: what the images are called.
        which: the best by validation accuracy, with those that are not known to be worse.
        accuracy: how good it is, or they are.
        sure: which of the others differ from it by more than chance.
        why: a sentence about each of the others, where the numbers give a reason.
        bars: the best settings, or runs, with their intervals.
        bars_are: what the bars show.
        ticks: numbers of the scale of the bars, each with its place.
    """

    images: str
    which: str
    accuracy: str
    sure: str
    why: Sequence[str]
    bars: Sequence[Bar] = ()
    bars_are: str = ""
    ticks: Sequence[tuple[str, float]] = ()


def subject(runs: Mapping[str, Run]) -> str:
    """Say what was run, in a sentence."""
    all_runs = list(runs.values())
    models = sorted({"networks" if run.network else "linear classifiers" for run in all_runs})
    losses = sorted({run.record.config.loss for run in all_runs})
    images = ", ".join(f"{kind} ({_counts(of)})" for kind, of in by_data(runs).items())
    keys = differences(all_runs)
    apart = (
        f", which differ in {_listed(keys)}"
        if 0 < len(keys) <= MOST_NAMED
        else f", which differ in {len(keys)} settings"
        if keys
        else ""
    )
    many = (
        f"{len(runs)} {' and '.join(models)}"
        if len(runs) > 1
        else f"A {models[0][:-1]}".replace("A linear", "A linear")
    )
    return f"{many} with {' or '.join(losses)} loss on {images}{apart}."


def heading(runs: Mapping[str, Run]) -> str:
    """Return the heading of a page: what is compared, on which images."""
    first, keys = next(iter(runs.values())), [key for key in differences(list(runs.values())) if key != "seed"]
    if len(runs) == 1:
        return first.given_name
    (images, *more), count = by_data(runs), f"{len(runs)} runs"
    return count if more or not 0 < len(keys) < MOST_NAMED else f"{_listed(keys)} on {images}: {count}"


def _counts(runs: Mapping[str, Run]) -> str:
    counts = {run.record.data.images.get("train", 0) for run in runs.values()}
    low, high = min(counts), max(counts)
    few, many = thousands(low), thousands(high)
    return f"{few} training images" if low == high else f"{few} to {many} training images"


def summaries(runs: Mapping[str, Run]) -> list[Summary]:
    """Return a summary for each kind of images."""
    return [_summary(kind, shown) for kind, shown in by_data(runs).items()]


def _summary(kind: str, runs: Mapping[str, Run]) -> Summary:
    finished = {label: run for label, run in runs.items() if run.finished and run.outcome("validation") is not None}
    lost = list(_lost({label: run for label, run in runs.items() if not run.finished}))
    if not finished:
        return Summary(kind, "No run has finished", "", "There is nothing to compare.", lost)
    found = _over_seeds(kind, finished) or _single(kind, finished)
    return found._replace(why=[*found.why, *lost])


def _lost(runs: Mapping[str, Run]) -> Iterator[str]:
    """Say how the runs ended that did not finish."""
    if len(runs) <= MOST_NAMED:
        yield from (f"{spoken(label)}: {run.end}." for label, run in runs.items())
    else:
        ends = [f"{spoken(label)} ({run.end})" for label, run in runs.items()]
        yield f"{len(runs)} runs did not finish: {some(ends)}."


def _over_seeds(kind: str, runs: Mapping[str, Run]) -> Summary | None:
    """Return a summary of settings some of which were trained with several seeds; None if there are none."""
    rows = [row for row in repeated(runs) if row.validation]
    if not rows:
        return None
    settings = by_setting(runs)
    best, *others = (row.setting for row in rows)
    apart = {label: seed_by_seed(settings[best], settings[label]) for label in others}
    worse = {label: of for label, of in apart.items() if of and of.mean > 0 and of.excludes_zero}
    tied = [best, *(label for label in others if apart[label] and label not in worse)]
    why = (_reason(label, settings[label], best, settings[best]) for label in others if label in worse)
    bars, ticks = _placed(
        [Bar(row.setting, *_ends(row.validation)) for row in rows[:_MOST_BARS] if row.validation], tied
    )
    return Summary(
        kind,
        _named(tied),
        _means(rows, tied),
        _seeds_tell(tied, apart),
        [reason for reason in why if reason][:MOST_NAMED],
        bars,
        "mean over seeds, 95 % interval",
        ticks,
    )


def _ends(of: Interval) -> tuple[float, float, float]:
    reach = of.half_width or 0.0
    return of.mean, of.mean - reach, of.mean + reach


def _named(tied: Sequence[str]) -> str:
    """Name the best, and what is not known to be worse."""
    best, *others = tied
    if not others:
        return spoken(best)
    if len(tied) > _MOST_TIED:
        return f"{spoken(best)}: a tie with {len(others)} others"
    return f"{either(tied)}: a tie"


def _means(rows: Sequence[Repeated], tied: Sequence[str]) -> str:
    """Say what the best settings have reached, on average over their seeds."""
    shown = [row for row in rows if row.setting in tied[:_MOST_TIED]] if len(tied) <= _MOST_TIED else rows[:1]
    seeds = sorted({row.seeds for row in shown})
    validation = _listed([str(row.validation) for row in shown])
    said = f"{validation} of the validation images are classified correctly"
    tests = [str(row.test) for row in shown if row.test]
    if len(tests) == len(shown):
        said += f", {_listed(tests)} of the test images"
    said += f" (means of {' or '.join(map(str, seeds))} seed{'s' if seeds != [1] else ''} with 95 % intervals)."
    if shown[0].test and len(tests) < len(shown):
        said += f" {spoken(shown[0].setting)}: {shown[0].test} of the test images."
    return said


def _seeds_tell(tied: Sequence[str], apart: Mapping[str, Interval | None]) -> str:
    """Say which settings are worse by more than chance, from the differences that the same seeds show."""
    if not apart:
        return "There is no other setting to compare it with."
    alike = {label: found for label, found in apart.items() if found and label in tied}
    worse = [f"{spoken(label)} (by {_points(found)})" for label, found in apart.items() if found and label not in tied]
    unknown = [label for label, found in apart.items() if found is None]
    said = []
    if len(alike) == 1:
        (lead,) = alike.values()
        said.append(
            f"Seed by seed, on validation images, {_difference(tied, list(alike))} may be chance ({_points(lead)}): "
            "only more seeds can separate them."
        )
    elif alike:
        said.append(
            f"Seed by seed, on validation images, {_difference(tied, list(alike))} may be chance: only more seeds can "
            "separate them."
        )
    if worse:
        where = "Worse" if alike else "Seed by seed, on validation images, worse"
        said.append(f"{where} by more than chance: {both(worse)}.")
    if unknown:
        said.append(f"Not compared with {both(unknown)}: that takes two seeds that both have.")
    return " ".join(said)


def _points(of: Interval) -> str:
    return f"{100 * of.mean:.2f} ± {100 * (of.half_width or 0.0):.2f} points"


def _single(kind: str, runs: Mapping[str, Run]) -> Summary:
    """Return a summary of single runs."""
    ranked = sorted(runs, key=lambda label: -(runs[label].outcome("validation") or 0.0))
    best, *others = ranked
    sure, tied = _tests_tell(runs, ranked) if others else ("There is no other finished run to compare it with.", ranked)
    why = (_reason(label, [runs[label]], best, [runs[best]]) for label in others)
    bars, ticks = _placed([bar_of(label, runs[label]) for label in ranked[:_MOST_BARS]], tied)
    return Summary(
        kind,
        _named(tied),
        _accuracies(runs[best]) if len(tied) != 2 else _accuracies_of_both([runs[label] for label in tied]),
        sure,
        [reason for reason in why if reason][:MOST_NAMED],
        bars,
        "single runs, Wilson's 95 % interval",
        ticks,
    )


def _accuracies(run: Run) -> str:
    bar, test = bar_of("", run), run.outcome("test")
    tested = f", {percent(test)} of the test images" if test is not None else ""
    interval = f"95 % interval {100 * bar.low:.2f} to {100 * bar.high:.2f}"
    return f"{percent(bar.value)} of the validation images are classified correctly ({interval}){tested}."


def _accuracies_of_both(runs: Sequence[Run]) -> str:
    validation, test = ([run.outcome(split) for run in runs] for split in ("validation", "test"))
    said = f"{_percents(validation)} of the validation images are classified correctly"
    return f"{said}, {_percents(test)} of the test images." if None not in test else f"{said}."


def _percents(fractions: Sequence[float | None]) -> str:
    return f"{' and '.join(f'{100 * (fraction or 0.0):.2f}' for fraction in fractions)} %"


def bar_of(label: str, run: Run) -> Bar:
    """Return the validation accuracy of a run with Wilson's interval."""
    accuracy, images = run.outcome("validation") or 0.0, run.record.data.images["validation"]
    interval = wilson(np.array([round(accuracy * images)]), np.array([images]))
    return Bar(label, accuracy, float(interval.low[0]), float(interval.high[0]))


def _placed(bars: Sequence[Bar], tied: Sequence[str]) -> tuple[list[Bar], list[tuple[str, float]]]:
    """Return the bars with their places, as percentages of a scale with room for all of them, and its numbers."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    room = 0.05 * ((high - low) or 1.0)
    low, high = max(0.0, low - room), min(1.0, high + room)

    def place(x: float) -> float:
        return round(100 * (x - low) / (high - low), 2)

    power = 10.0 ** np.floor(np.log10((high - low) / _MOST_TICKS))
    step = next(size for size in (power, 2 * power, 5 * power, 10 * power) if (high - low) / size <= _MOST_TICKS)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    placed = [
        bar._replace(places=(place(bar.value), place(bar.low), place(bar.high)), leads=bar.label in tied)
        for bar in bars
    ]
    return placed, [(f"{100 * tick:.6g} %", place(float(tick))) for tick in ticks]


def _tests_tell(runs: Mapping[str, Run], ranked: Sequence[str]) -> tuple[str, list[str]]:
    """Say from which others the best differs by more than chance; and return it with those that may be as good.

    That is asked of the test images that two runs share, and of their intervals on validation images where they do not.
    """
    best, *others = ranked
    found = paired(runs)
    pairs = {pair.label: pair for pair in found.pairs} if found and found.reference == best else {}
    apart = {label: pair for label, pair in pairs.items() if pair.p <= 1 - CONFIDENCE}
    alike = [label for label in pairs if label not in apart]
    worse = [label for label, pair in apart.items() if pair.points < 0]
    better = [label for label in apart if label not in worse]
    lowest = bar_of(best, runs[best]).low
    untested = [label for label in others if label not in pairs]
    near = [label for label in untested if bar_of(label, runs[label]).high >= lowest]
    far = [label for label in untested if label not in near]
    tied = [label for label in ranked if label == best or label in {*alike, *better, *near}]
    said = []
    if alike:
        p = min(pairs[label].p for label in alike)
        value = f"p {significance(p)}" if len(alike) == 1 else f"p ≥ {p:.2g}"
        said.append(f"On the same test images {_difference(tied, alike)} may be chance (McNemar's test, {value}).")
    if worse:
        p = max(apart[label].p for label in worse)
        where, test = ("Worse", "") if alike else ("On the same test images, worse", "McNemar's test, ")
        said.append(f"{where} by more than chance: {both(worse)} ({test}p {_at_most(p)}).")
    if better:
        said.append(f"On test images {both(better)} {_is(better)} better: validation and test images disagree.")
    if near:
        said.append(
            f"On validation images {_difference(tied, near)} may be chance: the intervals overlap, and no test on "
            "shared test images separates them."
        )
    if far:
        said.append(f"Worse, with intervals on validation images that do not overlap: {both(far)}.")
    luck = "Each is one run with one seed: train with --seeds 5 to see how much of a difference is luck."
    return " ".join([*said, luck]), tied


def _difference(tied: Sequence[str], others: Sequence[str]) -> str:
    """Name the difference of the best from others; those that the headline has named need no names again."""
    if len(tied) == len(others) + 1 <= _MOST_TIED:
        return "the difference of the two" if len(tied) == 2 else f"the differences of the {len(tied)}"
    return f"the difference from {both(others)}"


def _at_most(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"≤ {p:.2g}"


def _is(labels: Sequence[str]) -> str:
    return "is" if len(labels) == 1 else "are"


def _reason(label: str, runs: Sequence[Run], best: str, best_runs: Sequence[Run]) -> str | None:
    """Say why a setting is worse than the best, as far as the means of its runs show a reason."""

    def both_means(quantity: Callable[[Run], float]) -> tuple[float, float]:
        return fmean(map(quantity, runs)), fmean(map(quantity, best_runs))

    name, jumps = spoken(label), [jump for run in runs if (jump := restless(run)) is not None]
    if jumps:
        first = fmean(run.rows[0]["train_cost"] for run in runs)
        return (
            f"{name}: the steps are too long. In the second half of training its cost is as high as {max(jumps):.2f}, "
            f"against {first:.2f} before the first update."
        )
    train, validation = (
        100 * (one - other)
        for one, other in (
            both_means(lambda run: run.judged["train_accuracy"]),
            both_means(lambda run: run.judged["validation_accuracy"]),
        )
    )
    if validation > -_noticeable(runs):
        return None
    if train >= 0:
        return (
            f"{name}: over-fitting. {train:.2f} points more on training images than {spoken(best)}, {-validation:.2f} "
            "fewer on validation images."
        )
    gap, of_best = both_means(lambda run: 100 * run.gap)
    fewer = f"{-train:.2f} points fewer on training images than {spoken(best)}"
    if gap >= of_best:
        return f"{name}: {fewer}, and {-validation:.2f} fewer on validation images."
    norm, norm_of_best = both_means(lambda run: run.weight_norm)
    smaller = f", and its weights are small: |W|, their length, is {norm:.2f} against {norm_of_best:.2f}"
    return (
        f"{name}: under-fitting. {fewer}; its gap to validation images is {gap:.2f} points against "
        f"{of_best:.2f}{smaller if norm < norm_of_best else ''}."
    )


def _noticeable(runs: Sequence[Run]) -> float:
    """Return how many points of validation accuracy may be chance: half the width of the interval of a single run."""
    if len(runs) > 1:
        return 0.0  # The seeds have decided already.
    bar = bar_of("", runs[0])
    return 100 * (bar.high - bar.low) / 2


def _listed(keys: Sequence[str]) -> str:
    *most, last = keys
    return f"{', '.join(most)} and {last}" if most else last


def outcome_of_one(run: Run) -> Iterator[tuple[str, str]]:
    """Yield question and answer about a single run."""
    yield "Result", _accuracies(run)
    yield "Training", validation_loss_of(run)
    if run.certificate:
        yield "Optimum", f"The cost is {percent(run.certificate.above)} above the lowest that is possible."
    if (jump := restless(run)) is not None:
        yield (
            "Caution",
            (
                f"The steps are too long: in the second half of training the cost is as high as {jump:.2f}, "
                f"against {run.rows[0]['train_cost']:.2f} before the first update."
            ),
        )
