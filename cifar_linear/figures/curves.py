"""Loss, cost and accuracy over the epochs."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, PercentFormatter

from cifar_linear.figures.labels import label_ends
from cifar_linear.figures.style import COLOURS, FAR_APART, Look, fix_margins, logarithmic, looks_of, new_figure, styled

Rows = Sequence[Mapping[str, Any]]
"""The evaluation points of one run, as in metrics.csv."""

SAME = "lambda = 0: loss and cost are the same"
AXES = {"epoch": "epoch", "step": "update step"}
"""What stands at an axis of epochs or of steps."""
_MOST_BLOCKS = 100
_OPTIMUM = "0.6"
_SPLITS = {"train": ("training", "-"), "validation": ("validation", "--")}


@styled
def cost_figure(
    rows: Rows,
    lam: float,
    steps: Sequence[float] = (),
    ylim: tuple[float, float] | None = None,
    optimum: tuple[float, float] | None = None,
    penalty: bool = False,
) -> Figure:
    """Draw the cost of one run, and the loss where a penalty makes the two differ, on training and validation images.

    Args:
        rows: the evaluation points.
        lam: the strength of the penalty; at 0 loss and cost are one line.
        steps: losses of single batches, in nats. If there are any, they replace the curves of the training images: as
            their mean in blocks, with the standard deviation within each block as a band.
        ylim: the ends of the y axis, in nats; by default it fits the curves.
        optimum: bounds of the lowest training cost, drawn as a band, if they are known.
        penalty: whether the penalty has a curve of its own, cost minus loss.
    """
    figure = new_figure()
    axes = figure.subplots()
    axis = axis_of([rows], steps)
    for split, colour in zip(_SPLITS, COLOURS, strict=False):
        name, _ = _SPLITS[split]
        marker = "o" if split == "validation" else ""
        if split == "train" and steps:
            _blocks(axes, steps, colour)
            continue
        cost_name = f"{name} cost" if lam else f"{name} loss = cost"
        _line(axes, rows, axis, f"{split}_cost", cost_name, color=colour, linestyle="-", marker=marker)
        if lam:
            _line(axes, rows, axis, f"{split}_loss", f"{name} loss", color=colour, linestyle="--", marker=marker)
    if optimum is not None:
        axes.axhspan(*optimum, color=_OPTIMUM, linewidth=1, label="lowest training cost")
    if penalty and lam:
        of_rows = [{axis: row[axis], "penalty": row["train_cost"] - row["train_loss"]} for row in rows]
        _line(axes, of_rows, axis, "penalty", "penalty = cost - loss", color=COLOURS[2], linestyle="-.")
    axes.set_ylabel("nats")
    if ylim is not None:
        axes.set_ylim(ylim)
    if not lam:
        axes.set_title(SAME, fontsize=8)
    _finish(axes, rows, axis)
    fix_margins(figure, 0.7, 0.2, 0.5, 0.7)
    return figure


@styled
def accuracy_figure(rows: Rows, ylim: tuple[float, float] | None = None) -> Figure:
    """Draw the accuracy of one run on training and validation images; ``ylim``, the ends of the axis, are fractions."""
    figure = new_figure()
    axes = figure.subplots()
    axis = axis_of([rows])
    for (split, (name, dash)), colour in zip(_SPLITS.items(), COLOURS, strict=False):
        _line(axes, rows, axis, f"{split}_accuracy", name, color=colour, linestyle=dash)
    axes.set_ylabel("accuracy")
    if ylim is not None:
        axes.set_ylim(ylim)
    _percent_axis(axes)
    _finish(axes, rows, axis)
    fix_margins(figure, 0.7, 0.2, 0.5, 0.7)
    return figure


@styled
def overlaid_figure(
    panels: Mapping[str, Mapping[str, Rows]],
    quantity: str,
    ylim: tuple[float, float] | None = None,
    looks: Mapping[str, Look] | None = None,
) -> Figure:
    """Draw the curves of several runs, on training images at the left and on validation images at the right.

    Args:
        panels: by a name the evaluation points of each run, by its name, with a band where columns with ``_low`` and
            ``_high`` after their name give one; each panel has a line of panels with an axis of its
            own, for runs that cannot be compared, such as those on other images.
        quantity: cost or accuracy.
        ylim: the ends of the y axes, in nats or fractions; by default they fit the curves, and are logarithmic for
            costs that are far apart.
        looks: how the line of each run is drawn; each in a colour of its own by default.
    """
    known = looks_of([run for runs in panels.values() for run in runs], looks)
    figure = new_figure(9, 0.3 + 2.9 * len(panels))
    grid = figure.subplots(len(panels), 2, sharey="row", squeeze=False)
    for both, (panel, runs) in zip(grid, panels.items(), strict=True):
        axis = axis_of(list(runs.values()))
        for axes, (split, (name, _)) in zip(both, _SPLITS.items(), strict=True):
            for run, rows in runs.items():
                _line(axes, rows, axis, f"{split}_{quantity}", run, **known[run].line)
            axes.set_title(f"{panel}, {name}" if panel else name)
            axes.set_xlabel(AXES[axis])
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _quantity_axis(both[0], quantity, ylim)
    rooms = [
        label_ends(figure, both[1], list(runs), len(panels)) for both, runs in zip(grid, panels.values(), strict=True)
    ]
    right, below = max(room for room, _ in rooms), sum(room for _, room in rooms)
    fix_margins(figure, 0.7, right, 0.5 + below, 0.3)
    return figure


def _quantity_axis(axes: Axes, quantity: str, ylim: tuple[float, float] | None) -> None:
    """Label the y axis; make it logarithmic for costs that are far apart, and say so."""
    unit = "" if quantity == "accuracy" else " in nats"
    if ylim is not None:
        axes.set_ylim(ylim)
    if quantity == "accuracy":
        _percent_axis(axes)
    elif ylim is None and axes.dataLim.y1 > FAR_APART * axes.dataLim.y0 > 0:
        logarithmic(axes, subs=(1, 2, 5))
        unit += ", logarithmic"
    axes.set_ylabel(quantity + unit)


@styled
def distance_figure(
    runs: Mapping[str, Rows], bounds: Mapping[str, tuple[float, float]], looks: Mapping[str, Look] | None = None
) -> Figure:
    """Draw the training cost minus its optimum, on a logarithmic axis, a line for each run.

    Args:
        runs: the evaluation points of each run, by its name.
        bounds: of each run's lowest cost. The lower one is subtracted, so that no distance is too small; a band shows
            how far apart the two are at most, where a line comes so near.
        looks: how the line of each run is drawn; each in a colour of its own by default.
    """
    figure = new_figure(6 if len(runs) > 1 else 4.5)
    axes = figure.subplots()
    axis = axis_of(list(runs.values()))
    for run, look in looks_of(runs, looks).items():
        distances = [(row[axis], row["train_cost"] - bounds[run][0]) for row in runs[run]]
        shown = [{axis: place, "distance": distance} for place, distance in distances if distance > 0]
        _line(axes, shown, axis, "distance", run, **look.line)
    unknown = max(upper - lower for lower, upper in bounds.values())
    logarithmic(axes)
    low, high = axes.get_ylim()
    axes.axhspan(min(low, unknown), unknown, color=_OPTIMUM, alpha=0.3, linewidth=0)
    axes.set_ylim(low, high)
    axes.set_ylabel("cost minus optimum in nats, logarithmic")
    axes.set_xlabel(AXES[axis])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    right, below = label_ends(figure, axes, list(runs)) if len(runs) > 1 else (0.15, 0.0)
    fix_margins(figure, 0.8, right, 0.5 + below, 0.15)
    return figure


@styled
def norm_figure(runs: Mapping[str, Mapping[float, float]]) -> Figure:
    """Draw |W|² of the weights over lambda as points, joined by thin lines; long names stand below, broken into lines.

    Args:
        runs: for each name |W|² by lambda. A single line with the name "" needs no legend.
    """
    figure = new_figure(6 if any(runs) else 4.5)
    axes = figure.subplots()
    for run, look in looks_of(runs).items():
        points = zip(*sorted(runs[run].items()), strict=True)
        axes.plot(*points, **(look.line | {"linewidth": 0.8}), marker="o", markersize=5)
    _lambda_axis(axes, sorted({lam for line in runs.values() for lam in line}))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("|W|²")
    right, below = label_ends(figure, axes, list(runs)) if any(runs) else (0.2, 0.0)
    fix_margins(figure, 0.7, right, 0.5 + below, 0.15)
    return figure


def _lambda_axis(axes: Axes, ticks: Sequence[float]) -> None:
    """Make the x axis logarithmic, with a linear part for a lambda of 0, and say so."""
    smallest = next((lam for lam in ticks if lam > 0), 1.0)
    if 0 in ticks:
        axes.set_xscale("symlog", linthresh=smallest, linscale=0.5)
        axes.set_xlabel(f"lambda (logarithmic above {smallest:g}, linear below)")
    else:
        axes.set_xscale("log")
        axes.set_xlabel("lambda (logarithmic)")
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(lambda lam, _: f"{lam:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())


def axis_of(runs: Sequence[Rows], steps: Sequence[float] = ()) -> Literal["epoch", "step"]:
    """Return steps if losses of single steps or evaluations within an epoch are to be shown, else epochs."""
    within = any(before["epoch"] == after["epoch"] for rows in runs for before, after in pairwise(rows))
    return "step" if within or steps else "epoch"


def _blocks(axes: Axes, steps: Sequence[float], colour: str) -> None:
    """Draw the mean of single losses in blocks, with their standard deviation as a band."""
    size = -(-len(steps) // _MOST_BLOCKS)
    blocks = [steps[start : start + size] for start in range(0, len(steps), size)]
    ends = [min((i + 1) * size, len(steps)) for i in range(len(blocks))]
    mean, spread = (np.array([function(block) for block in blocks]) for function in (np.mean, np.std))
    axes.plot(ends, mean, label=f"training loss, mean of {size} batches", color=colour, linewidth=1.5)
    axes.fill_between(ends, mean - spread, mean + spread, color=colour, alpha=0.25, linewidth=0)


def _line(axes: Axes, rows: Rows, axis: str, column: str, label: str, **look: Any) -> None:
    points = [(row[axis], row[column]) for row in rows if row.get(column) is not None]
    every = max(1, len(points) // 8)
    if len(points) == 1:
        look["marker"] = "o"
    axes.plot(*zip(*points, strict=True), label=label, linewidth=1.5, markersize=3, markevery=every, **look)
    band = [(row[axis], row[f"{column}_low"], row[f"{column}_high"]) for row in rows if f"{column}_low" in row]
    if band:
        places, low, high = zip(*band, strict=True)
        axes.fill_between(places, low, high, color=look["color"], alpha=0.2, linewidth=0)


def _percent_axis(axes: Axes) -> None:
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if high - low > 0.08 else 1, symbol=" %"))


def _finish(axes: Axes, rows: Rows, axis: str) -> None:
    """Label the x axis, with update steps above where it counts epochs, and add the legend."""
    axes.set_xlabel(AXES[axis])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    last = rows[-1]
    if last["epoch"] and axis == "epoch":
        steps = last["step"] / last["epoch"]
        above = axes.secondary_xaxis("top", functions=(lambda epoch: epoch * steps, lambda step: step / steps))
        above.set_xlabel("update step")
    axes.legend()
