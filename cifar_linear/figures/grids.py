"""A grid of settings as heat maps; settings of any kind as lines through their values."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cifar_linear.arrays import Doubles
from cifar_linear.figures.style import COLOURS, fix_margins, new_figure, styled

_MOST_MARKS = 12


@styled
def heat_figure(
    maps: Mapping[str, Doubles], names: tuple[str, str], ticks: tuple[Sequence[str], Sequence[str]], unit: str
) -> Figure:
    """Draw maps on one colour scale, and frame the largest value.

    Args:
        maps: values (rows, columns) by title, NaN where nothing is known; at least one number.
        names: what the rows and what the columns stand for.
        ticks: the labels of the rows and those of the columns.
        unit: what the numbers are.
    """
    rows, columns = map(len, ticks)
    across = min(len(maps), max(1, int(9 / (0.9 + 0.62 * columns))))
    down = -(-len(maps) // across)
    figure = new_figure(1.3 + across * (0.5 + 0.62 * columns), 1.0 + down * (0.75 + 0.4 * rows))
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    known = np.concatenate([values[np.isfinite(values)] for values in maps.values()])
    low, high = known.min(), known.max()
    for axes, (title, values) in zip(grid, maps.items(), strict=False):
        picture = axes.imshow(values, cmap="viridis", vmin=low, vmax=high, aspect="auto")
        _write_values(axes, values, low, high)
        axes.set_title(fill(title, 11 * columns))
        axes.set_xticks(range(columns), [fill(tick, 9) for tick in ticks[1]])
        axes.set_yticks(range(rows), [fill(tick, 24) for tick in ticks[0]])
        axes.tick_params(length=0, labelbottom=True)
    for axes in grid[len(maps) :]:
        axes.set_axis_off()
    figure.supylabel(names[0], fontsize=9)
    figure.supxlabel(names[1], fontsize=9)
    figure.colorbar(picture, ax=list(grid), label=unit)
    return figure


def _write_values(axes: Axes, values: Doubles, low: float, high: float) -> None:
    """Write each value into its cell, in ink that stands out on a scale from low to high, and frame the highest."""
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        ink = "white" if value < (low + high) / 2 else "black"
        text = f"{value:.2f}" if np.isfinite(value) else "-"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
        if value == high:
            corner = column - 0.5, row - 0.5
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=COLOURS[1], linewidth=2.5))


@styled
def parallel_figure(
    lines: Sequence[tuple[Sequence[str], float]], axes_of: Mapping[str, Sequence[str]], unit: str
) -> Figure:
    """Draw each setting as a line through its values, with its result at the right; the best is drawn thick, on top.

    Args:
        lines: the values of each setting, in the order of the axes, and its result.
        axes_of: for each axis, by its name, all of its values from the lowest place to the highest.
        unit: what the results are.
    """
    results = np.array([result for _, result in lines])
    low, high = results.min(), results.max()
    heights = [
        [_place(value, axes_of[key]) for value, key in zip(values, axes_of, strict=True)]
        + [(result - low) / ((high - low) or 1)]
        for values, result in lines
    ]
    figure = new_figure(9, 3.6)
    axes = figure.subplots()
    order = np.argsort(results)
    segments = [list(enumerate(heights[i])) for i in order]
    widths = np.where(order == results.argmax(), 2.5, 0.8)
    axes.add_collection(LineCollection(segments, cmap="viridis_r", array=results[order], linewidths=widths))
    axes.set(xlim=(0, len(axes_of)), ylim=(-0.05, 1.05), yticks=[])
    axes.set_xticks(range(len(axes_of) + 1), [fill(name, 16) for name in (*axes_of, unit)])
    for i, values in enumerate(axes_of.values()):
        _mark_axis(axes, i, {value: _place(value, values) for value in values})
    _mark_axis(axes, len(axes_of), {f"{low:.2f}": 0, f"{high:.2f}": 1})
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    fix_margins(figure, 0.7, 0.8, 0.45, 0.15)
    return figure


def _place(value: str, values: Sequence[str]) -> float:
    """Return the height of a value on its axis, 0 to 1: by its rank."""
    return values.index(value) / (len(values) - 1) if len(values) > 1 else 0.5


def _mark_axis(axes: Axes, x: int, places: Mapping[str, float]) -> None:
    """Draw a vertical axis with its values, of many only some."""
    axes.axvline(x, color="0.6", linewidth=0.8, zorder=0)
    every = -(-len(places) // _MOST_MARKS)
    for value, height in list(places.items())[::every]:
        ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
        axes.annotate(value, (x, height), (3, 0), textcoords="offset points", va="center", fontsize=7, bbox=ground)
