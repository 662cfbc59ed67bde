"""What lambda and eta did, in sentences. A change of the accuracy is claimed only where a test supports it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from cifar_linear.data.dataset import SplitName
from cifar_linear.report.collecting import Run
from cifar_linear.report.comparing import discordant
from cifar_linear.report.settings import Setting, as_label, grouped, in_order
from cifar_linear.report.statistics import CONFIDENCE, Interval, holm, mcnemar
from cifar_linear.wording import percent

_FOCUS = ("lambda", "eta")
_MOST = 6
_LONGEST = 60


class Contrast(NamedTuple):
    """Runs at the smallest and at the largest value of one setting, in pairs that differ in nothing else.

    Attributes:
        key: the setting.
        ends: its smallest and its largest value.
        where: which runs: the other settings, where they distinguish groups of runs, or two names.
        pairs: a pair for each seed that both values were trained with; at least one.
    """

    key: str
    ends: tuple[str, str]
    where: str
    pairs: Sequence[tuple[Run, Run]]


def effects(runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each setting and each set of finished runs that differ in it alone; none for a large grid.

    One pair of runs is compared by McNemar's test on shared test images, corrected after Holm for the number of
    sentences; several seeds by the interval of their differences.
    """
    finished = [run for run in runs if run.finished]
    contrasts = [contrast for key in _FOCUS for contrast in _contrasts(key, finished)]
    if len(contrasts) > _MOST:
        return []
    single = [i for i, contrast in enumerate(contrasts) if len(contrast.pairs) == 1]
    counts = {i: found for i in single if (found := discordant(*contrasts[i].pairs[0]))}
    p_values = dict(zip(counts, holm([mcnemar(*count) for count in counts.values()]), strict=True))
    return [_sentence(contrast, p_values.get(i)) for i, contrast in enumerate(contrasts)]


def _contrasts(key: str, runs: Sequence[Run]) -> Iterator[Contrast]:
    for setting, group in grouped(runs, (key, "seed")).items():
        by_value: dict[str, dict[str, Run]] = defaultdict(dict)
        for run in group:
            by_value[run.settings[key]].setdefault(run.settings["seed"], run)
        values = in_order(by_value)
        first, last = by_value[values[0]], by_value[values[-1]]
        pairs = [(first[seed], last[seed]) for seed in first if seed in last]
        if len(values) > 1 and pairs:
            yield Contrast(key, (values[0], values[-1]), _where(setting, pairs[0]), pairs)


def _where(setting: Setting, pair: tuple[Run, Run]) -> str:
    """Name the other settings, or, in a report of runs that differ in many, two of the runs."""
    label = as_label(setting)
    return label if len(label) <= _LONGEST else " and ".join(run.given_name for run in pair)


def _sentence(contrast: Contrast, p: float | None) -> str:
    key, ends, where, pairs = contrast
    context = f" ({where})" if where else ""
    seeds = f", means of {len(pairs)} seeds" if len(pairs) > 1 else ""
    gap, norm = (_means(pairs, quantity) for quantity in (lambda run: 100 * run.gap, lambda run: run.weight_norm))
    return (
        f"{key} from {ends[0]} to {ends[1]}{context}{seeds}: {_accuracy(pairs, p)}; "
        f"the accuracy gap is {gap[0]:.2f} and {gap[1]:.2f} points, |W| {norm[0]:.2f} and {norm[1]:.2f}."
    )


def _accuracy(pairs: Sequence[tuple[Run, Run]], p: float | None) -> str:
    """Say how the accuracy changed, and whether the seeds or the test images support that it did."""
    tested = all(run.outcome("test") is not None for pair in pairs for run in pair)
    split: SplitName = "test" if tested else "validation"
    before, after = _means(pairs, lambda run: run.outcome(split) or 0.0)
    ends = f"{percent(before)} and {percent(after)}"
    if len(pairs) > 1:
        change = Interval.of([(b.outcome(split) or 0.0) - (a.outcome(split) or 0.0) for a, b in pairs])
        if change.excludes_zero:
            return f"{split} accuracy {_changed(change.mean)} ± {100 * (change.half_width or 0):.2f} points ({ends})"
        return f"{split} accuracy {ends}, a difference that may be chance with {len(pairs)} seeds"
    if p is None:
        return f"{split} accuracy {ends}, untested: that takes shared test images or several seeds"
    if p <= 1 - CONFIDENCE:
        return f"test accuracy {_changed(after - before)} points ({ends}; McNemar's test, p = {p:.2g})"
    return f"test accuracy {ends}, a difference that may be chance on these test images"


def _means(pairs: Sequence[tuple[Run, Run]], quantity: Callable[[Run], float]) -> tuple[float, float]:
    """Return the mean of a quantity at each end."""
    return fmean(quantity(first) for first, _ in pairs), fmean(quantity(last) for _, last in pairs)


def _changed(difference: float) -> str:
    return f"{'rose' if difference > 0 else 'fell'} by {100 * abs(difference):.2f}"
