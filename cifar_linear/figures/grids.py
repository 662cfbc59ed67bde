"""A grid of settings as heat maps."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cifar_linear.arrays import Doubles
from cifar_linear.figures.style import COLOURS, new_figure, styled


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
