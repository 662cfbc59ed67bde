"""Grids of images: class templates, mistakes, and images of a split."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cifar_linear.arrays import Doubles, Floats, Images
from cifar_linear.figures.style import new_figure, styled


@styled
def template_figure(
    weights: Mapping[str, Floats], class_names: Sequence[str], image_shape: tuple[int, ...], common_scale: bool = False
) -> Figure:
    """The rows of W as images, one row of images for each run; W is (K, d).

    Each template is scaled from its own smallest to its own largest weight, or, with ``common_scale``, all of a run
    from the smallest to the largest of the run: then one sees which of its classes are strong.
    """
    figure = new_figure(max(4.5, 0.9 * len(class_names)), 0.3 + 0.9 * len(weights))
    grid = figure.subplots(len(weights), len(class_names), squeeze=False)
    for line, (run, W) in zip(grid, weights.items(), strict=True):
        templates = as_pictures(W, image_shape)
        low, high = (f(templates, axis=None if common_scale else (1, 2, 3), keepdims=True) for f in (np.min, np.max))
        span = np.where(high > low, high - low, 1)
        for axes, picture, name in zip(line, (templates - low) / span, class_names, strict=True):
            _show(axes, picture)
            if axes in grid[0]:
                axes.set_title(name, fontsize=8)
        if len(weights) > 1:
            line[0].set_ylabel(run.replace(", ", "\n"), rotation=0, ha="right", va="center", fontsize=8)
    return figure


@styled
def image_figure(
    pictures: Sequence[Images | None], titles: Sequence[str], image_shape: tuple[int, ...], columns: int = 10
) -> Figure:
    """Images (d,) of 0 to 255 in rows of up to ``columns``, each below its title; None leaves a place empty."""
    columns = min(columns, len(pictures))
    lines = -(-len(pictures) // columns)
    figure = new_figure(0.95 * columns, (0.85 + 0.16 * (1 + titles[0].count("\n"))) * lines)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(pictures) :]:
        axes.set_axis_off()
    for axes, picture, title in zip(grid, pictures, titles, strict=False):
        if picture is None:
            axes.set_axis_off()
            continue
        _show(axes, as_pictures(picture[None], image_shape)[0] / 255)
        axes.set_title(title, fontsize=7, pad=2)
    return figure


def as_pictures(rows: Floats | Images, image_shape: tuple[int, ...]) -> Doubles:
    """Channel-major rows (n, d) as pictures (n, height, width, channels), the top row of pixels first."""
    channels, height, width = image_shape
    return rows.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).astype(np.float64)


def _show(axes: Axes, picture: Any) -> None:
    """A picture (height, width, channels) with values from 0 to 1; one channel is grey."""
    axes.imshow(picture if picture.shape[-1] == 3 else picture[..., 0], cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
