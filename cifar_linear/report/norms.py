"""The figure of what lambda leaves of the weights."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean

from cifar_linear.figures.curves import norm_figure
from cifar_linear.figures.style import Look
from cifar_linear.report.captions import Drawing
from cifar_linear.report.charts import Chart, Series
from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import MOST_DRAWN, Setting, as_label, grouped

_LONGEST_WHICH = 80


def norms(runs: Sequence[Run]) -> Iterator[Drawing]:
    """Yield |W|² over lambda, a line for each choice of the other settings with several lambdas; means over seeds."""
    finished = [run for run in runs if run.finished]
    groups = grouped(finished, ("lambda", "seed"))
    several = {setting: group for setting, group in groups.items() if len({run.record.config.lam for run in group}) > 1}
    shown = [run for group in several.values() for run in group]
    # Named by what sets the lines apart, not by what other runs differ in.
    lines = {as_label(setting): group for setting, group in grouped(shown, ("lambda", "seed")).items()}
    if not 0 < len(lines) <= MOST_DRAWN:
        return
    means = {name: _mean_norms(group) for name, group in lines.items()}
    courses = "; ".join(
        f"{name} {', '.join(f'{norm:.3g} at {lam:g}' for lam, norm in line.items())}".strip()
        for name, line in means.items()
    )
    alt = f"Sum of squared weights over lambda: {courses}."
    of = "" if len(shown) == len(finished) else f" Of the runs with {_which_of(list(several))}."
    caption = " ".join(_course(name, line) for name, line in means.items()) + of
    series = [
        Series("", name or "|W|²", Look(i, 0, i), list(line.items()), form="marks")
        for i, (name, line) in enumerate(means.items())
    ]
    chart = Chart("lambda", "|W|²", series, x_logarithmic=True, from_zero=True)
    figure = partial(norm_figure, means)
    yield Drawing("norms", "What lambda leaves of the weights", alt, caption, figure, chart=chart)


def _which_of(settings: Sequence[Setting]) -> str:
    """Name the settings of some runs, or count them."""
    names = "; or ".join(map(as_label, settings))
    return names if len(names) <= _LONGEST_WHICH else f"several lambdas in {len(settings)} settings"


def _course(name: str, line: Mapping[float, float]) -> str:
    """Say how |W|² changes from the smallest to the largest lambda."""
    (first, before), *_, (last, after) = line.items()
    changed = "falls" if after < before else "rises" if after > before else "stays"
    return (
        f"{name + ': ' if name else ''}|W|² {changed} from {before:.3g} at lambda {first:g} to {after:.3g} at {last:g}."
    )


def _mean_norms(runs: Sequence[Run]) -> dict[float, float]:
    """Return |W|² by lambda, from the smallest."""
    by_lambda: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        by_lambda[run.record.config.lam].append(run.weight_norm**2)
    return {lam: fmean(by_lambda[lam]) for lam in sorted(by_lambda)}
