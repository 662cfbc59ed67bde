"""Names beside the ends of lines, where the eye is when it asks which line it follows."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_LONGEST = 26
"""Characters of a name beside a line; longer ones need a legend below."""
_LEGEND_WIDTH = 60
_SIZE = 8
_LETTER = 0.072
"""The width of a letter, in inches."""
_AXES_PART = 0.7
"""The part of a panel's height that its axes take."""


def label_ends(figure: Figure, axes: Axes, names: Sequence[str], panels: int = 1) -> tuple[float, float]:
    """Write the name of each line beside its end, moved apart where they would touch.

    Long names stand below the figure in a legend instead, broken into lines.

    Args:
        figure: where the axes are; it becomes higher if a legend is needed.
        axes: what has exactly these lines, and its final limits.
        names: one for each of the lines, in their order.
        panels: how many panels the figure has one below the other.

    Returns:
        The room that the names need at the right of the axes and below the figure, in inches.
    """
    lines = axes.get_lines()[: len(names)]
    longest = max(map(len, names))
    if longest > _LONGEST:
        broken = [fill(name, _LEGEND_WIDTH) for name in names]
        below = 0.15 + 0.155 * sum(len(name.splitlines()) for name in broken)
        figure.set_figheight(figure.get_figheight() + below)
        figure.legend(lines, broken, loc="lower center", borderaxespad=0.2)
        return 0.15, below
    axes.get_ylim()  # Matplotlib finds the limits when they are asked for
    ends = np.array([[line.get_xdata()[-1], line.get_ydata()[-1]] for line in lines], np.float64)  # type: ignore[index]
    heights = axes.transAxes.inverted().transform(axes.transData.transform(ends))[:, 1]
    apart = _SIZE * 1.3 / 72 / (_AXES_PART * figure.get_figheight() / panels)
    for line, name, height in zip(lines, names, spread(heights.tolist(), apart), strict=True):
        look: Any = {"color": line.get_color(), "fontsize": _SIZE, "va": "center"}
        beside: Any = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(name, (1, height), (5, 0), **beside, **look)
    return 0.15 + _LETTER * longest, 0.0


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Return places near the given ones, in the same order from low to high and at least ``gap`` apart.

    >>> spread([0.5, 0.5, 0.0], 0.25)
    [0.375, 0.625, 0.0]
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    # Neighbours that are too close become one block around the mean of where they want to be.
    blocks: list[tuple[float, int]] = []
    for i in order:
        middle, size = places[i], 1
        while blocks and middle - blocks[-1][0] < gap * (size + blocks[-1][1]) / 2:
            other, others = blocks.pop()
            middle, size = (middle * size + other * others) / (size + others), size + others
        blocks.append((middle, size))
    moved = [middle + gap * (i - (size - 1) / 2) for middle, size in blocks for i in range(size)]
    return [place for _, place in sorted(zip(order, moved, strict=True))]
