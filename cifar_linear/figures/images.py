"""Grids of images: class templates, mistakes, and images of a split."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cifar_linear.arrays import Doubles, Floats, Images
from cifar_linear.figures.style import LONGEST_NAME, fix_margins, new_figure, shortened, styled, text_width

_WIDEST = 12
"""Classes that stand side by side; more of them stand in lines of ten."""
_NAME = 1 / 3
"""Room for a name above an image, in heights of an image."""


@styled
def template_figure(
    weights: Mapping[str, Floats], class_names: Sequence[str], image_shape: tuple[int, ...], common_scale: bool = False
) -> Figure:
    """Draw the weights of each class as an image below the class's name, in a row for each run.

    Args:
        weights: W (K, d) of each run, by its name.
        class_names: K names.
        image_shape: channels, height, width.
        common_scale: scale all templates of a run from the run's smallest to its largest weight, so that strong classes
            stand out; by default each is scaled from its own smallest to its own largest.
    """
    classes = len(class_names)
    columns, pitch = classes if classes <= _WIDEST else 10, len(weights) + _NAME
    lines = -(-classes // columns)
    figure = new_figure(max(4.5, 0.9 * columns), 0.9 * pitch * lines)
    axes = sheet(figure.subplots(), columns, lines)
    axes.set_ylim((lines - 1) * pitch + len(weights) - 0.5, -0.5 - _NAME)
    for run, W in enumerate(weights.values()):
        templates = as_pictures(W, image_shape)
        low, high = (f(templates, axis=None if common_scale else (1, 2, 3), keepdims=True) for f in (np.min, np.max))
        span = np.where(high > low, high - low, 1)
        for k, picture in enumerate((templates - low) / span):
            show(axes, picture, k % columns, k // columns * pitch + run)
    most = LONGEST_NAME if classes > 1 else 3 * LONGEST_NAME
    for k, name in enumerate(class_names):
        axes.text(k % columns, k // columns * pitch - 0.5, shortened(name, most), ha="center", va="bottom", fontsize=8)
    names = [run.replace(", ", "\n") for run in weights] if len(weights) > 1 else []
    axes.set_yticks([line * pitch + run for line in range(lines) for run in range(len(names))], names * lines)
    fix_margins(figure, text_width("", *names), 0.05, 0.05, 0.05)
    return figure


@styled
def image_figure(
    pictures: Sequence[Images | None],
    titles: Sequence[str],
    image_shape: tuple[int, ...],
    columns: int = 10,
    size: float = 0.95,
) -> Figure:
    """Draw images in rows, each below its title.

    Args:
        pictures: images (d,) of 0 to 255; None leaves a place empty.
        titles: one for each image, all with the same number of lines.
        image_shape: channels, height, width.
        columns: the most images in a row.
        size: the width of a place, in inches.
    """
    columns = min(columns, len(pictures))
    lines = -(-len(pictures) // columns)
    pitch = 1 + 0.18 / size * (1 + titles[0].count("\n"))
    figure = new_figure(size * columns, 1.02 * size * pitch * lines)
    axes = sheet(figure.subplots(), columns, lines, pitch)
    for place, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        if picture is not None:
            line, column = divmod(place, columns)
            show(axes, as_pictures(picture[None], image_shape)[0] / 255, column, line * pitch)
            axes.text(column, line * pitch - 0.5, title, ha="center", va="bottom", fontsize=7, in_layout=False)
    fix_margins(figure, 0.02, 0.02, 0.02, 0.02)
    return figure


def as_pictures(rows: Floats | Images, image_shape: tuple[int, ...]) -> Doubles:
    """Return channel-major rows (n, d) as pictures (n, height, width, channels), the top row of pixels first."""
    channels, height, width = image_shape
    return rows.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).astype(np.float64)


def sheet(axes: Axes, columns: int, lines: int, pitch: float = 1) -> Axes:
    """Make axes with a place of size 1 for each image; the lines are ``pitch`` apart.

    All images share them: axes for each would take most of the drawing time.
    """
    axes.set(aspect="equal", xlim=(-0.5, columns - 0.5), ylim=(lines * pitch - pitch + 0.5, 0.5 - pitch), yticks=[])
    axes.set(xticks=[])
    axes.set_autoscale_on(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def show(axes: Axes, picture: Any, x: float, y: float) -> None:
    """Draw a picture (height, width, channels) of 0 to 1 around a point; a single channel is grey."""
    height, width, channels = picture.shape
    right, down = (0.46 * size / max(height, width) for size in (width, height))
    axes.imshow(
        picture if channels == 3 else picture[..., 0],
        extent=(x - right, x + right, y + down, y - down),
        cmap="gray",
        vmin=0,
        vmax=1,
    )
