"""A figure in two layers, so that a dark page can turn its ink around and leave its photographs as they are."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave

from cifar_linear.arrays import Bools, Floats
from cifar_linear.figures.style import DPI, UNDATED


def split_layers(figure: Figure, png: bytes) -> tuple[bytes, bytes]:
    """Return the images in a drawn figure, on nothing, and its ink, with white in their place, each as a PNG.

    Args:
        figure: the figure, after it was drawn.
        png: its file.
    """
    pixels = np.array(imread(io.BytesIO(png)))[..., :3]
    shown = _covered(figure, pixels.shape[:2])
    images = np.dstack([np.where(shown[..., None], pixels, 0), shown.astype(pixels.dtype)])
    return _encoded(images), _encoded(np.where(shown[..., None], 1, pixels))


def _covered(figure: Figure, shape: tuple[int, ...]) -> Bools:
    """Which pixels, (height, width), belong to an image."""
    shown = np.zeros(shape, np.bool_)
    scale, height = DPI / figure.dpi, shape[0]
    for image in (image for axes in figure.axes for image in axes.get_images()):
        box = image.get_window_extent()
        left, right, low, high = (scale * end for end in (box.x0, box.x1, box.y0, box.y1))
        shown[max(0, round(height - high)) : round(height - low), max(0, round(left)) : round(right)] = True
    return shown


def _encoded(pixels: Floats) -> bytes:
    content = io.BytesIO()
    quick = {"compress_level": 2}
    imsave(content, np.ascontiguousarray(pixels), format="png", metadata=UNDATED["png"], pil_kwargs=quick)  # type: ignore[arg-type]
    return content.getvalue()
