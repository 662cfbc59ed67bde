"""Why a setting is worse than the best, as far as the numbers of its runs show a reason."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

from cifar_linear.report.bars import bar_of
from cifar_linear.report.collecting import Run
from cifar_linear.report.naming import MOST_NAMED, some, spoken
from cifar_linear.report.notes import restless
from cifar_linear.report.settings import by_setting

_SAME = 0.005
"""Points that two decimals do not show."""


def lost(runs: Mapping[str, Run]) -> Iterator[str]:
    """Say how the runs ended that have not finished, in a line for each setting, or in one for many."""
    ends = []
    for label, group in by_setting(runs).items():
        if ended := [run for run in group if not run.finished]:
            seeds = f" ({len(ended)} of {len(group)} seeds)" if len(group) > 1 else ""
            ends.append(f"{spoken(label)}{seeds}: {', '.join(dict.fromkeys(run.end for run in ended))}")
    if len(ends) <= MOST_NAMED:
        yield from (f"{end}." for end in ends)
    else:
        yield f"{len(ends)} have not finished. {some(ends)}."


def reason(label: str, runs: Sequence[Run], best: str, best_runs: Sequence[Run]) -> str | None:
    """Say why a setting is worse than the best, as far as the means of its runs show a reason."""

    def both_means(quantity: Callable[[Run], float]) -> tuple[float, float]:
        return fmean(map(quantity, runs)), fmean(map(quantity, best_runs))

    name = spoken(label)
    if jump := restless(*runs):
        return f"{name}: the steps are too long: {jump}."
    train, validation = (
        100 * (one - other)
        for one, other in (
            both_means(lambda run: run.judged["train_accuracy"]),
            both_means(lambda run: run.judged["validation_accuracy"]),
        )
    )
    if validation > -_noticeable(runs):
        return None
    if abs(train) < _SAME:
        fewer = f"{-validation:.2f} points fewer on validation images"
        return f"{name}: as good on training images as {spoken(best)}, {fewer}."
    if train > 0:
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
