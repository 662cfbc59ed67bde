"""What a network has learnt: its first filters, what excites them, feature maps, and what a score depends on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cifar_linear.arrays import Bools, Doubles, Floats, Images
from cifar_linear.figures.images import as_pictures, sheet, show
from cifar_linear.figures.style import COLOURS, new_figure, styled
from cifar_linear.nn.introspection import STEP

_ACROSS = 16
"""Filters in a row."""
_SIGNED = "RdBu_r"
"""Blue below zero, white at zero, red above."""
_DEAD = COLOURS[1]


@styled
def filter_figure(moments: Mapping[str, Floats], dead: Bools) -> Figure:
    """Draw filters as images, each on one symmetric scale of its own: zero is grey in every channel.

    Args:
        moments: by a name such as "before training" the same filters, (F, C, h, w), C being 1 or 3.
        dead: which filters are framed and called dead, (F,).
    """
    filters = len(dead)
    across, lines = min(_ACROSS, filters), -(-filters // _ACROSS)
    pitch = 1.35
    figure = new_figure(max(4.5, 0.75 * across), 0.3 + (0.75 * pitch * lines + 0.25) * len(moments))
    parts = figure.subplots(len(moments), 1, squeeze=False).ravel()
    for part, (name, weights) in zip(parts, moments.items(), strict=True):
        axes = sheet(part, across, lines, pitch)
        axes.set_title(name)
        for f, picture in enumerate(_symmetric(weights)):
            line, column = divmod(f, across)
            show(axes, picture, column, line * pitch)
            _number(axes, f, column, line * pitch, bool(dead[f]))
    return figure


@styled
def patch_figure(filters: Floats, patches: Images, dead: Bools) -> Figure:
    """Draw beside each filter the parts of images that excite it most, the strongest at the left.

    Args:
        filters: (F, C, h, w), C being 1 or 3.
        patches: of 0 to 255, (F, p, C, r, r).
        dead: which filters are called dead, (F,).
    """
    blocks = 2 if len(filters) > 1 else 1
    lines, width = -(-len(filters) // blocks), patches.shape[1] + 2.2
    pitch = 1.06
    figure = new_figure(0.42 * blocks * width, 0.4 + 0.42 * pitch * lines)
    axes = sheet(figure.subplots(), 1, lines, pitch)
    axes.set_xlim(-1, blocks * width - 1.4)
    for f, picture in enumerate(_symmetric(filters)):
        block, line = divmod(f, lines)
        left, y = block * width, line * pitch
        show(axes, picture, left, y)
        for i, square in enumerate(patches[f]):
            show(axes, as_pictures(square.reshape(1, -1), square.shape)[0] / 255, left + 1.25 + i, y)
            _frame(axes, left + 1.25 + i, y, "0.7", 0.5)  # white patches would have no end on white paper
        colour = _DEAD if dead[f] else "black"
        axes.text(left - 0.55, y, str(f + 1), ha="right", va="center", fontsize=7, color=colour)
    return figure


@styled
def map_figure(
    pictures: Images, titles: Sequence[str], image_shape: tuple[int, ...], maps: Floats, dead: Bools
) -> Figure:
    """Draw the outputs of a layer for some images: a row for each image, a column for each channel.

    Each channel has one symmetric scale for all images: blue is below zero, white zero, red above.

    Args:
        pictures: the images, (m, d) of 0 to 255.
        titles: one for each of them.
        image_shape: channels, height, width.
        maps: (m, F, H, W).
        dead: which channels are called dead, (F,).
    """
    images, channels = maps.shape[:2]
    size = max(0.24, min(0.55, 9 / (channels + 1.5)))
    figure = new_figure(1.2 + size * (channels + 1.5), 0.5 + size * images)
    axes = figure.subplots()
    axes.set(xlim=(-2, channels - 0.5), ylim=(images - 0.5, -0.5), aspect="equal")
    axes.set_autoscale_on(False)
    peak = np.abs(maps).max(axis=(0, 2, 3), keepdims=True)
    tiles = maps / np.where(peak > 0, peak, 1)
    axes.imshow(
        tiles.transpose(0, 2, 1, 3).reshape(images * maps.shape[2], -1),
        extent=(-0.5, channels - 0.5, images - 0.5, -0.5),
        cmap=_SIGNED,
        vmin=-1,
        vmax=1,
        interpolation="nearest",
    )
    for line in range(images):
        show(axes, as_pictures(pictures[line : line + 1], image_shape)[0] / 255, -1.4, line)
    axes.vlines(np.arange(channels + 1) - 0.5, -0.5, images - 0.5, color="0.6", linewidth=0.7)
    axes.hlines(np.arange(images + 1) - 0.5, -0.5, channels - 0.5, color="0.6", linewidth=0.7)
    _bare(axes)
    axes.set_yticks(range(images), titles)
    axes.xaxis.tick_top()
    axes.set_xticks(range(channels), ["dead" if dead[f] else str(f + 1) for f in range(channels)], fontsize=7)
    for f in np.flatnonzero(dead):
        axes.get_xticklabels()[f].set(color=_DEAD, rotation=90)
    return figure


@styled
def saliency_figure(
    pictures: Images,
    titles: Sequence[str],
    image_shape: tuple[int, ...],
    saliency: Floats,
    occlusion: Floats,
    agreement: Sequence[float],
) -> Figure:
    """Draw which pixels a score depends on: by its gradient, and by covering squares of the image.

    Each map has a scale of its own: saliency from black, 0, to yellow, its largest; occlusion symmetric around 0, which
    is white, with red where the score falls.

    Args:
        pictures: the images, (m, d) of 0 to 255.
        titles: one for each of them.
        image_shape: channels, height, width.
        saliency: (m, H, W).
        occlusion: (m, H', W').
        agreement: the rank correlation of the two, (m,); NaN where there is none.
    """
    images = len(pictures)
    figure = new_figure(1.0 + 0.95 * images, 3.7)
    axes = sheet(figure.subplots(), images, 3)
    axes.set_ylim(2.85, -0.55)
    for i, (picture, gradient, falls) in enumerate(zip(pictures, saliency, occlusion, strict=True)):
        show(axes, as_pictures(picture[None], image_shape)[0] / 255, i, 0)
        _map(axes, gradient, i, 1, cmap="inferno", vmin=0, vmax=gradient.max() or 1)
        # The squares overlap: each is shown as what is nearest to its middle, so that the map stays on the image.
        seen = STEP * len(falls) / len(gradient)
        _map(axes, falls, i, 2, seen, cmap=_SIGNED, norm=CenteredNorm(halfrange=np.abs(falls).max() or 1))
        text = "-" if np.isnan(agreement[i]) else f"{agreement[i]:.2f}"
        axes.text(i, 2.7, text, ha="center", va="center", fontsize=8)
    axes.set_yticks([0, 1, 2, 2.7], ["image", "saliency", "occlusion", "rank correlation"])
    axes.xaxis.tick_top()
    axes.set_xticks(range(images), titles, fontsize=7)
    return figure


def _map(axes: Axes, values: Floats, x: float, y: float, seen: float = 1, **look: Any) -> None:
    """Draw a map that covers a part ``seen`` of the image's height and width, around a point."""
    reach = 0.46 * seen
    axes.imshow(values, extent=(x - reach, x + reach, y + reach, y - reach), interpolation="nearest", **look)


def _symmetric(weights: Floats) -> Doubles:
    """Filters (F, C, h, w) as pictures (F, h, w, C): 0.5 is zero, 0 or 1 the largest magnitude of each."""
    peak = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    scaled = 0.5 + 0.5 * weights / np.where(peak > 0, peak, 1)
    return as_pictures(scaled, weights.shape[1:])


def _number(axes: Axes, f: int, x: float, y: float, dead: bool) -> None:
    """Write the number of a filter above it, and frame one that is dead."""
    text, colour = (f"{f + 1} dead", _DEAD) if dead else (str(f + 1), "black")
    axes.text(x, y - 0.5, text, ha="center", va="bottom", fontsize=7, color=colour, in_layout=False)
    if dead:
        _frame(axes, x, y, _DEAD, 1.5)


def _frame(axes: Axes, x: float, y: float, colour: str, width: float) -> None:
    axes.add_patch(Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, fill=False, edgecolor=colour, linewidth=width))


def _bare(axes: Axes) -> None:
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
