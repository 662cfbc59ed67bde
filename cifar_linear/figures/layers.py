"""A figure in two layers, so that a dark page can turn its ink around and leave its photographs as they are."""

import numpy as np
from matplotlib.figure import Figure

from cifar_linear.arrays import Bools
from cifar_linear.figures.style import DPI, as_png, painted


def split_layers(figure: Figure) -> tuple[bytes, bytes, bytes]:
    """Return a figure, the images in it on nothing, and its ink with white in their place, each as a PNG."""
    pixels = painted(figure)
    shown = _covered(figure, pixels.shape[:2])
    images, ink = pixels.copy(), pixels[..., :3].copy()
    images[~shown], ink[shown] = 0, 255
    return as_png(pixels), as_png(images), as_png(ink)


def _covered(figure: Figure, shape: tuple[int, ...]) -> Bools:
    """Which pixels, (height, width), belong to an image."""
    shown = np.zeros(shape, np.bool_)
    scale, height = DPI / figure.dpi, shape[0]
    for image in (image for axes in figure.axes for image in axes.get_images()):
        box = image.get_window_extent()
        left, right, low, high = (scale * end for end in (box.x0, box.x1, box.y0, box.y1))
        shown[max(0, round(height - high)) : round(height - low), max(0, round(left)) : round(right)] = True
    return shown
