"""Near-duplicates of images among others: the same picture in other colours, moved by a pixel, or mirrored.

Candidates are found by one product of small, normalised images, block by block. A candidate is confirmed by its edges,
the differences of neighbouring pixels, since smooth pictures such as a plane in the sky are all alike without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Floats, Images, Integers, Labels

_CELL = 4
"""The side, in pixels, of the squares whose means are compared to find candidates; they change little in a shift."""
_LIKELY = 0.8
"""The least correlation of candidates."""
_MOST_CANDIDATES = 10
"""Candidates of an image, and as many of its mirror image, the most similar ones."""
_BLOCK = 500
_SHIFTS = tuple(product((-1, 0, 1), repeat=2))


class Pairs(NamedTuple):
    """Images that are nearly the same, each with the most similar one among the others.

    Attributes:
        image: the number of the image, increasing, (m,).
        other: the number of the other one, (m,).
        similarity: the correlation of their edges after the best alignment, (m,), up to 1.
        flipped: whether one is the other's mirror image, (m,).
        down, right: by how many pixels the other one is moved, -1 to 1, (m,).
    """

    image: Labels
    other: Labels
    similarity: Floats
    flipped: Bools
    down: Integers
    right: Integers


def near_duplicates(images: Images, others: Images, image_shape: tuple[int, ...], threshold: float) -> Pairs:
    """Find the images that are nearly the same as one of the others.

    Args:
        images: (n, d) of 0 to 255.
        others: (m, d) of 0 to 255.
        image_shape: channels, height, width.
        threshold: the least similarity of a pair, 0 to 1.
    """
    both = np.concatenate([images, mirrored(images, image_shape)])
    query, other = _candidates(_small(both, image_shape), _small(others, image_shape))
    similarity, shift = _compared(both[query], others[other], image_shape)
    order = np.lexsort((-similarity, query % len(images)))
    order = order[similarity[order] >= threshold]
    found, first = np.unique(query[order] % len(images), return_index=True)
    best = order[first]
    down, right = np.array(_SHIFTS)[shift[best]].T
    return Pairs(found, other[best], similarity[best], query[best] >= len(images), down, right)


def mirrored(images: Images, image_shape: tuple[int, ...]) -> Images:
    """The images (n, d) with left and right exchanged."""
    return images.reshape(-1, *image_shape)[..., ::-1].reshape(images.shape)


def _small(images: Images, image_shape: tuple[int, ...]) -> Floats:
    """Means of squares of pixels, minus the image's mean and divided by its length, (n, d')."""
    channels, height, width = image_shape
    rows, columns = height // _CELL, width // _CELL
    pixels = images.reshape(-1, *image_shape)[:, :, : rows * _CELL, : columns * _CELL]
    cells = pixels.reshape(-1, channels, rows, _CELL, columns, _CELL).mean(axis=(3, 5), dtype=np.float32)
    flat = cells.reshape(len(images), -1)
    return _unit(flat - flat.mean(axis=1, keepdims=True))


def _unit(rows: Floats) -> Floats:
    """Rows with length 1; those without any length stay 0."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.where(length > 1e-3, length, np.inf)
    return unit


def _candidates(queries: Floats, others: Floats) -> tuple[Labels, Labels]:
    """The pairs of rows with the highest products, a few for each query: the numbers of both, (p,) each."""
    query, other, value = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    least = np.full((len(queries), 1), _LIKELY, np.float32)
    for start in range(0, len(others), _BLOCK):
        products = queries @ others[start : start + _BLOCK].T
        more, column = np.nonzero(products > least)
        query = np.concatenate([query, more])
        other = np.concatenate([other, start + column])
        value = np.concatenate([value, products[more, column]])
        order = np.lexsort((-value, query))
        query, other, value = query[order], other[order], value[order]
        place = np.arange(len(query)) - np.searchsorted(query, query)
        kept = place < _MOST_CANDIDATES
        query, other, value, place = query[kept], other[kept], value[kept], place[kept]
        # From now on, only what is better than the last of a full list is of interest.
        full = place == _MOST_CANDIDATES - 1
        least[query[full], 0] = value[full]
    return query, other


def _compared(images: Images, others: Images, image_shape: tuple[int, ...]) -> tuple[Floats, Labels]:
    """The highest correlation of the edges of images and others, pair by pair (p,), and with which shift."""
    similarity = np.full(len(images), -1, np.float32)
    shift = np.zeros(len(images), np.intp)
    for part in _slices(len(images)):
        edges = _edges(images[part], image_shape, 0, 0)
        for number, (down, right) in enumerate(_SHIFTS):
            found = np.einsum("nd,nd->n", edges, _edges(others[part], image_shape, down, right))
            better = found > similarity[part]
            similarity[part][better], shift[part][better] = found[better], number
    return similarity, shift


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, start + _BLOCK)


def _edges(images: Images, image_shape: tuple[int, ...], down: int, right: int) -> Floats:
    """Differences of neighbouring pixels, without the rim, as rows of length 1, of images moved back by a shift."""
    _, height, width = image_shape
    inner = images.reshape(-1, *image_shape)[:, :, 1 + down : height - 1 + down, 1 + right : width - 1 + right]
    pixels = inner.astype(np.float32)
    vertical, horizontal = np.diff(pixels, axis=2)[..., :-1], np.diff(pixels, axis=3)[:, :, :-1]
    return _unit(np.concatenate([vertical, horizontal], axis=1).reshape(len(images), -1))
