"""How the metrics of a setting developed: of one run, or means over its seeds."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from cifar_linear.figures.curves import Rows
from cifar_linear.report.collecting import Run


def course_of(runs: Sequence[Run]) -> Rows:
    """Return the evaluation points of a setting: means over its seeds at the steps that all of them have.

    The lowest and the highest seed of a column are in columns of their own, with ``_low`` and ``_high`` after its name.
    """
    first, *others = runs
    by_step = [{row["step"]: row for row in run.rows} for run in others]
    shared = [
        (row, [row, *(rows[row["step"]] for rows in by_step)])
        for row in first.rows
        if others and all(row["step"] in rows for rows in by_step)
    ]
    return [_over_seeds(row, seeds) for row, seeds in shared] or first.rows


def _over_seeds(row: Mapping[str, float], seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return an evaluation point of several seeds: the mean of each column, its lowest and its highest value."""
    values = {column: [of_seed[column] for of_seed in seeds] for column in row}
    return {
        **{column: fmean(found) for column, found in values.items()},
        **{f"{column}_low": min(found) for column, found in values.items()},
        **{f"{column}_high": max(found) for column, found in values.items()},
    }
