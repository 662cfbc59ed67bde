"""What a trained network looks for: first filters, the pixels that excite them, and the pixels that a score depends on.

Parameters of one run have a run axis of length 1 where a network computes with them, and none where they are looked at.
"""

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Images, Labels
from cifar_linear.nn.metrics import ranks
from cifar_linear.nn.network import Field, Network
from cifar_linear.nn.parameters import Parameters, dtype_of

SQUARE = 4
"""Rows and columns of the squares that `occlusion` covers."""
STEP = 2
"""Pixels from one of them to the next."""


def first_filters(network: Network, parameters: Parameters) -> Floats | None:
    """The weights of the first layer that has any as small images.

    Args:
        network: whose layer it is.
        parameters: of one run, without a run axis.

    Returns:
        (F, C, h, w): of a convolution its kernels, of a linear layer on a flattened image a whole image for each
        output; None for a layer that sees no image.
    """
    index = network.first_with_weights
    W = parameters[f"{network.names[index]}.W"]
    if W.ndim == 4:
        return W
    flattened = index > 0 and network.layers[index - 1].kind == "flatten"
    before = network.shapes[index - 1]
    return W.reshape(len(W), *before) if flattened and len(before) == 3 else None


def patch_field(network: Network) -> Field:
    """The pixels that an output of the first layer with weights depends on; the whole image if it is flat."""
    index = network.first_with_weights
    if len(network.shapes[index + 1]) != 3:
        return Field(0, 1, max(network.shape[1:]))
    return network.receptive_field(index)


def peaks(y: Floats) -> tuple[Floats, Labels]:
    """The strongest response of each channel in each image, and where it is.

    Args:
        y: outputs of a layer, (F, H, W, n) or (F, n).

    Returns:
        The responses, (F, n), and the index of each among the H W places, (F, n); 0 for flat outputs.
    """
    flat = y.reshape(len(y), -1, y.shape[-1])
    return flat.max(axis=1), flat.argmax(axis=1)


def patch(image: Images, row: int, column: int, size: int, outside: Images) -> Images:
    """A square of an image, (C, size, size), from a row and a column that may lie outside of it.

    Args:
        image: (C, H, W).
        row: the first of the square.
        column: the first of the square.
        size: rows and columns of the square.
        outside: the colour of what is not in the image, (C,).
    """
    channels, height, width = image.shape
    square = np.empty((channels, size, size), image.dtype)
    square[...] = outside[:, None, None]
    top, left, bottom, right = max(row, 0), max(column, 0), min(row + size, height), min(column + size, width)
    square[:, top - row : bottom - row, left - column : right - column] = image[:, top:bottom, left:right]
    return square


def saliency(network: Network, pixels: Floats, classes: Labels, parameters: Parameters) -> Floats:
    """|d score / d pixel|, the largest of the channels, (n, H, W) (K. Simonyan et al., arXiv 1312.6034, 2013).

    Args:
        network: that gives the scores.
        pixels: raw images, 0 to 255, (n, d).
        classes: of each image the class whose score it is, (n,).
        parameters: of one run, with a run axis.
    """
    scores, trace = network.forward(pixels, parameters)
    G = np.zeros_like(scores)
    G[np.arange(len(pixels)), 0, classes] = 1
    gradient = network.pixel_gradient(G, trace, parameters)[0]
    of_images: Floats = np.abs(gradient.T.reshape(-1, *network.shape)).max(axis=1)
    return of_images


def occlusion(network: Network, pixels: Floats, classes: Labels, parameters: Parameters, mean: Doubles) -> Floats:
    """How much a score falls when a square of the image is covered, for squares all over it, (n, H', W').

    Unlike a gradient, which holds for small changes only, this is what the network does (M. Zeiler and R. Fergus,
    ECCV 2014). The squares have `SQUARE` rows and columns and are `STEP` pixels apart.

    Args:
        network: that gives the scores.
        pixels: raw images, 0 to 255, (n, d).
        classes: of each image the class whose score it is, (n,).
        parameters: of one run, with a run axis.
        mean: the raw pixels that cover, (d,).
    """
    _, height, width = network.shape
    rows, columns = (range(0, side - SQUARE + 1, STEP) for side in (height, width))
    cover = mean.astype(dtype_of(parameters)).reshape(network.shape)
    falls = []
    for image, k in zip(pixels, classes, strict=True):
        covered = np.tile(image.reshape(network.shape), (len(rows) * len(columns), 1, 1, 1))
        for i, (top, left) in enumerate((top, left) for top in rows for left in columns):
            square = (slice(None), slice(top, top + SQUARE), slice(left, left + SQUARE))
            covered[i][square] = cover[square]
        scores = network.scores([image[None], covered.reshape(len(covered), -1)], parameters)[:, 0, k]
        falls.append((scores[0] - scores[1:]).reshape(len(rows), len(columns)))
    return np.stack(falls)


def agreement(of_pixels: Floats, of_squares: Floats) -> float:
    """The rank correlation of saliency, summed over each square, with what covering the square changes.

    Args:
        of_pixels: saliency of one image, (H, W).
        of_squares: its occlusion, (H', W'); the sign does not count.

    Returns:
        Spearman's coefficient, -1 to 1; NaN where either is the same everywhere.
    """
    windows = np.lib.stride_tricks.sliding_window_view(of_pixels, (SQUARE, SQUARE))[::STEP, ::STEP]
    ours, theirs = ranks(windows.sum(axis=(2, 3))), ranks(np.abs(of_squares))
    if not (ours.std() and theirs.std()):
        return float("nan")
    return float(np.corrcoef(ours, theirs)[0, 1])
