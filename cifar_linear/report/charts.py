"""The numbers behind a figure, as tables that a page shows and its script draws."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from cifar_linear.figures.curves import AXES, Rows, axis_of
from cifar_linear.figures.style import Look
from cifar_linear.report.collecting import Run

MOST_POINTS = 250
"""Points of a line in a page; more would not be seen, and all are in metrics.csv."""
Limits = Mapping[str, tuple[float, float]]
"""The ends of the axes of cost and accuracy; what is left out fits the curves."""
NO_LIMITS: Limits = {}
SPLITS: Mapping[Literal["train", "validation"], str] = {"train": "training", "validation": "validation"}


class Series(NamedTuple):
    """One line of a chart.

    Attributes:
        panel: the panel that it belongs to; "" where a chart has one only.
        name: what is written beside it, the same in all panels.
        look: how it is drawn.
        points: (x, y), or (x, y, low, high) with an interval; at least one.
        scale: panels with the same word share both axes.
        form: a line, a line with a mark at each point, steps with an area below, or a reference that is not data.
    """

    panel: str
    name: str
    look: Look
    points: Sequence[tuple[float, ...]]
    scale: str = ""
    form: Literal["line", "marks", "steps", "reference"] = "line"


class Numbers(NamedTuple):
    """The numbers of a figure as a table: what the rows are, titles of the columns, and the cells of each row."""

    head: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


class Chart(NamedTuple):
    """A figure as numbers.

    Attributes:
        x, y: what the axes show, with units.
        series: its lines.
        logarithmic: whether the y axis begins as a logarithmic one; a reader can change that.
        x_logarithmic: whether the x axis is; 0 has a place of its own there.
        smooth: whether a reader may want its lines smoothed.
        from_zero: whether the y axis begins at 0.
        limits: the ends of the y axis; None fits the lines.
    """

    x: str
    y: str
    series: Sequence[Series]
    logarithmic: bool = False
    x_logarithmic: bool = False
    smooth: bool = False
    from_zero: bool = False
    limits: tuple[float, float] | None = None

    @property
    def intervals(self) -> bool:
        """Whether points have an interval."""
        return any(len(point) > 2 for series in self.series for point in series.points)

    @property
    def tables(self) -> Iterator[tuple[Series, list[list[str]]]]:
        """Yield each line with its points as text."""
        for series in self.series:
            yield series, [[f"{value:.6g}" for value in point] for point in series.points]


def over_time(
    panels: Mapping[str, Mapping[str, Rows]], quantity: str, looks: Mapping[str, Look], logarithmic: bool, ylim: Limits
) -> Chart:
    """Return cost or accuracy of several lines over their epochs.

    Args:
        panels: the evaluation points by label of the lines that share axes, by what is written above them.
        quantity: cost or accuracy.
        looks: how each line is drawn.
        logarithmic: whether the y axis is.
        ylim: the ends of the y axes that are set.
    """
    factor, unit = (100, "accuracy in %") if quantity == "accuracy" else (1, "cost in nats")
    axis = axis_of([rows for lines in panels.values() for rows in lines.values()])
    series = [
        Series(
            f"{panel}, {name}" if panel else name,
            label,
            looks[label],
            thinned([_point(row, axis, f"{split}_{quantity}", factor) for row in rows]),
            panel,
        )
        for panel, lines in panels.items()
        for split, name in SPLITS.items()
        for label, rows in lines.items()
    ]
    limits = ends_of(ylim, quantity, factor)
    return Chart(AXES[axis], unit, series, logarithmic and not limits, limits=limits)


def _point(row: Mapping[str, float], axis: str, column: str, factor: float) -> tuple[float, ...]:
    """Return a point of a line, with its interval if it has one."""
    names = (column, f"{column}_low", f"{column}_high")
    return (row[axis], *(factor * row[name] for name in names if name in row))


def ends_of(ylim: Limits, quantity: str, factor: float) -> tuple[float, float] | None:
    """Return the ends of an axis in its unit, if they are set."""
    ends = ylim.get(quantity)
    return (factor * ends[0], factor * ends[1]) if ends else None


def of_one(run: Run, quantity: str, columns: Mapping[str, tuple[str, Look]], ylim: Limits) -> Chart:
    """Return columns of one run's metrics over its epochs, by what is written beside them; with losses of batches.

    Args:
        run: the run.
        quantity: cost or accuracy.
        columns: for each name a column of metrics.csv and how its line is drawn.
        ylim: the ends of the y axes that are set.
    """
    factor, unit = (100, "accuracy in %") if quantity == "accuracy" else (1, "nats")
    steps = run.steps if quantity == "cost" else ()
    axis = axis_of([run.rows], steps)
    series = [
        Series("", name, look, thinned([(row[axis], factor * row[column]) for row in run.rows]))
        for name, (column, look) in columns.items()
    ]
    if steps:
        name, points = batches(steps)
        series.insert(0, Series("", name, Look(3), points))
    limits = ends_of(ylim, quantity, factor)
    return Chart(AXES[axis], unit, series, smooth=bool(steps), limits=limits)


def batches(steps: Sequence[float]) -> tuple[str, list[tuple[float, ...]]]:
    """Return a name and points for losses of single batches, or, of very many, for means of a few in a row."""
    size = -(-len(steps) // (4 * MOST_POINTS))
    blocks = [steps[i : i + size] for i in range(0, len(steps), size)]
    points = [(float(min((i + 1) * size, len(steps))), sum(block) / len(block)) for i, block in enumerate(blocks)]
    return "loss of each batch" if size == 1 else f"loss, mean of {size} batches", list(points)


def thinned(points: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Return every k-th point and the last.

    >>> len(thinned([(float(i), 0.0) for i in range(1000)]))
    251
    """
    every = -(-len(points) // MOST_POINTS)
    kept = list(points[::every])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
