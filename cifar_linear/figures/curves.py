"""Loss, cost and accuracy over the epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter, ScalarFormatter

from cifar_linear.figures.style import COLOURS, DASHES, FAR_APART, new_figure, styled

Rows = Sequence[Mapping[str, Any]]
"""The evaluation points of one run, as in metrics.csv."""

SAME = "lambda = 0: loss and cost are the same"
_SPLITS = {"train": ("training", "-"), "validation": ("validation", "--")}


@styled
def cost_figure(rows: Rows, lam: float) -> Figure:
    """One run: cost, and loss where the penalty makes it another line, on training and validation images."""
    figure = new_figure()
    axes = figure.subplots()
    for split, colour in zip(_SPLITS, COLOURS, strict=False):
        name, _ = _SPLITS[split]
        marker = "o" if split == "validation" else ""
        cost_name = f"{name} cost" if lam else f"{name} loss = cost"
        _line(axes, rows, f"{split}_cost", cost_name, color=colour, linestyle="-", marker=marker)
        if lam:
            _line(axes, rows, f"{split}_loss", f"{name} loss", color=colour, linestyle="--", marker=marker)
    axes.set_ylabel("nats")
    if not lam:
        axes.set_title(SAME, fontsize=8)
    _finish(axes, rows)
    return figure


@styled
def accuracy_figure(rows: Rows) -> Figure:
    """One run: accuracy on training and validation images."""
    figure = new_figure()
    axes = figure.subplots()
    for (split, (name, dash)), colour in zip(_SPLITS.items(), COLOURS, strict=False):
        _line(axes, rows, f"{split}_accuracy", name, color=colour, linestyle=dash)
    axes.set_ylabel("accuracy")
    _percent_axis(axes)
    _finish(axes, rows)
    return figure


@styled
def overlaid_figure(runs: Mapping[str, Rows], quantity: str) -> Figure:
    """Several runs: ``quantity`` (cost or accuracy), training on the left, validation on the right."""
    figure = new_figure(9, 3.2 + 0.2 * -(-len(runs) // 2))
    both = figure.subplots(1, 2, sharey=True)
    for axes, (split, (name, _)) in zip(both, _SPLITS.items(), strict=True):
        for i, (run, rows) in enumerate(runs.items()):
            look = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}
            _line(axes, rows, f"{split}_{quantity}", run, **look)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    both[0].set_ylabel(quantity if quantity == "accuracy" else f"{quantity} in nats")
    if quantity == "accuracy":
        _percent_axis(both[0])
    elif both[0].dataLim.y1 > FAR_APART * both[0].dataLim.y0 > 0:
        both[0].set_yscale("log")
        both[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        both[0].yaxis.set_major_formatter(ScalarFormatter())
        both[0].yaxis.set_minor_formatter(NullFormatter())
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _line(axes: Axes, rows: Rows, column: str, label: str, **look: Any) -> None:
    points = [(row["epoch"], row[column]) for row in rows if row.get(column) is not None]
    every = max(1, len(points) // 8)
    if len(points) == 1:
        look["marker"] = "o"
    axes.plot(*zip(*points, strict=True), label=label, linewidth=1.5, markersize=3, markevery=every, **look)


def _percent_axis(axes: Axes) -> None:
    low, high = axes.dataLim.y0, axes.dataLim.y1
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if high - low > 0.08 else 1))


def _finish(axes: Axes, rows: Rows) -> None:
    """Epochs below, update steps above, and the legend."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    last = rows[-1]
    if last["epoch"]:
        steps = last["step"] / last["epoch"]
        above = axes.secondary_xaxis("top", functions=(lambda epoch: epoch * steps, lambda step: step / steps))
        above.set_xlabel("update step")
    axes.legend()
