"""The figures of many settings: heat maps of a grid, lines through the values of each."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from math import prod
from statistics import fmean

import numpy as np

from cifar_linear.figures.grids import heat_figure, parallel_figure
from cifar_linear.report.captions import Drawing
from cifar_linear.report.charts import Numbers
from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import as_label, factors, in_order

_LONGEST_TICK = 40
_FEWEST_AXES, _MOST_AXES = 3, 7
_FEWEST_LINES = 12


def heat_maps(runs: Sequence[Run]) -> Iterator[Drawing]:
    """Yield validation accuracy over the two settings with the most values, a map for each choice of the others."""
    settings = [{key: value for key, value in of_run.items() if key != "seed"} for of_run in factors(runs)]
    values = {key: in_order({of_run[key] for of_run in settings}) for key in settings[0]}
    if len(values) < 2 or any(len(value) > _LONGEST_TICK for key in values for value in values[key]):
        return  # No grid, or values so long that they would leave no room for the numbers.
    keys = sorted(values, key=lambda key: -len(values[key]))
    cells = [tuple(of_run[key] for key in keys) for of_run in settings]
    known = _mean_accuracies(cells, runs)
    if len(known) < 4 or 4 * len(set(cells)) < 3 * prod(map(len, values.values())):
        return  # Scattered runs are not a grid.
    down, across, *others = keys
    maps = {}
    for choice in product(*(values[key] for key in others)):
        means = [[known.get((row, column, *choice), np.nan) for column in values[across]] for row in values[down]]
        maps[as_label(tuple(zip(others, choice, strict=True)))] = np.array(means)
    best, worst = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    at, low = (as_label(tuple(zip(keys, cell, strict=True))) for cell in (best, worst))
    alt = f"Validation accuracy over {', '.join(values)}; the highest, {known[best]:.2f} %, at {at}."
    caption = f"Highest, framed: {known[best]:.2f} % at {at}. Lowest: {known[worst]:.2f} % at {low}."
    figure = partial(heat_figure, maps, (down, across), (values[down], values[across]), "validation accuracy in %")
    yield Drawing("grid", "Validation accuracy over the grid", alt, caption, figure, numbers=_listed(keys, known))


def parallel(runs: Sequence[Run]) -> Iterator[Drawing]:
    """Yield every setting as a line through its values, where there are many settings of more than two keys."""
    settings = [{key: value for key, value in of_run.items() if key != "seed"} for of_run in factors(runs)]
    keys = list(settings[0])
    if not _FEWEST_AXES <= len(keys) <= _MOST_AXES:
        return
    cells = [tuple(of_run[key] for key in keys) for of_run in settings]
    known = _mean_accuracies(cells, runs)
    if len(known) < _FEWEST_LINES:
        return
    axes = {key: in_order({cell[i] for cell in known}) for i, key in enumerate(keys)}
    best, worst = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    at, low = (as_label(tuple(zip(keys, cell, strict=True))) for cell in (best, worst))
    alt = f"{len(known)} settings as lines through their values of {', '.join(keys)} to their validation accuracy."
    caption = f"Best, drawn thick: {known[best]:.2f} % at {at}. Worst: {known[worst]:.2f} % at {low}."
    figure = partial(parallel_figure, list(known.items()), axes, "validation accuracy in %")
    yield Drawing("parallel", "All settings, each a line", alt, caption, figure, numbers=_listed(keys, known))


def _listed(keys: Sequence[str], known: Mapping[tuple[str, ...], float]) -> Numbers:
    """Return a row for each setting, the best first."""
    best_first = sorted(known.items(), key=lambda item: -item[1])
    rows = [(cell[0], [*cell[1:], f"{accuracy:.2f}"]) for cell, accuracy in best_first]
    return Numbers(keys[0], [*keys[1:], "validation accuracy in %"], rows)


def _mean_accuracies(cells: Sequence[tuple[str, ...]], runs: Sequence[Run]) -> dict[tuple[str, ...], float]:
    """Return the mean validation accuracy of the finished runs of each cell, in percent."""
    accuracies: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for cell, run in zip(cells, runs, strict=True):
        if run.finished and (accuracy := run.outcome("validation")) is not None:
            accuracies[cell].append(100 * accuracy)
    return {cell: fmean(found) for cell, found in accuracies.items()}
