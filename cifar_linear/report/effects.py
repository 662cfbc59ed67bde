"""What lambda and eta did, in sentences. A change of the accuracy is claimed only where a test supports it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from cifar_linear.data.dataset import SplitName
from cifar_linear.report.collecting import Run
from cifar_linear.report.comparing import discordant
from cifar_linear.report.naming import MOST_NAMED
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
        between: the runs with these seeds at the values in between, of those that all of them have.
    """

    key: str
    ends: tuple[str, str]
    where: str
    pairs: Sequence[tuple[Run, Run]]
    between: Mapping[str, Sequence[Run]]


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
        seeds = [seed for seed in first if seed in last]
        pairs = [(first[seed], last[seed]) for seed in seeds]
        if len(values) > 1 and pairs:
            between = {
                value: [by_value[value][seed] for seed in seeds]
                for value in values[1:-1]
                if all(seed in by_value[value] for seed in seeds)
            }
            yield Contrast(key, (values[0], values[-1]), _where(setting, pairs[0]), pairs, between)


def _where(setting: Setting, pair: tuple[Run, Run]) -> str:
    """Name the other settings, or, in a report of runs that differ in many, two of the runs."""
    label = as_label(setting)
    return label if len(label) <= _LONGEST else " and ".join(run.given_name for run in pair)


def _sentence(contrast: Contrast, p: float | None) -> str:
    key, ends, where, pairs, between = contrast
    context = f" ({where})" if where else ""
    seeds = f", means of {len(pairs)} seeds" if len(pairs) > 1 else ""
    gap, norm = (_means(pairs, quantity) for quantity in (lambda run: 100 * run.gap, lambda run: run.weight_norm))
    return (
        f"{key} from {ends[0]} to {ends[1]}{context}{seeds}: {_accuracy(pairs, p)}{_in_between(between, pairs)}; "
        f"the accuracy gap {_moved(*gap)} points, |W| {_moved(*norm)}."
    )


def _accuracy(pairs: Sequence[tuple[Run, Run]], p: float | None) -> str:
    """Say how the accuracy changed, and whether the seeds or the test images support that it did."""
    split = _split(run for pair in pairs for run in pair)
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
        return f"test accuracy {_changed(after - before)} points ({ends}), more than chance by McNemar's test"
    return f"test accuracy {ends}, a difference that may be chance on these test images"


def _in_between(between: Mapping[str, Sequence[Run]], pairs: Sequence[tuple[Run, Run]]) -> str:
    """Add the accuracies at the values in between, of many the highest, on the split that those at the ends are of."""
    split = _split(run for pair in pairs for run in pair)
    known = {value: runs for value, runs in between.items() if all(run.outcome(split) is not None for run in runs)}
    means = {value: fmean(run.outcome(split) or 0.0 for run in runs) for value, runs in known.items()}
    if not means:
        return ""
    highest = max(means, key=means.__getitem__)
    if len(means) > MOST_NAMED:
        return f"; in between at most {percent(means[highest])}, at {highest}"
    return f"; in between {', '.join(f'{percent(mean)} at {value}' for value, mean in means.items())}"


def _split(runs: Iterable[Run]) -> SplitName:
    """Return the test split if all runs were evaluated on it."""
    return "test" if all(run.outcome("test") is not None for run in runs) else "validation"


def _means(pairs: Sequence[tuple[Run, Run]], quantity: Callable[[Run], float]) -> tuple[float, float]:
    """Return the mean of a quantity at each end."""
    return fmean(quantity(first) for first, _ in pairs), fmean(quantity(last) for _, last in pairs)


def _moved(before: float, after: float) -> str:
    first, last = f"{before:.2f}", f"{after:.2f}"
    if first == last:
        return f"stays at {first}"
    return f"{'rises' if after > before else 'falls'} from {first} to {last}"


def _changed(difference: float) -> str:
    return f"{'rose' if difference > 0 else 'fell'} by {100 * abs(difference):.2f}"
