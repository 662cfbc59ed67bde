"""Splits of images that stay uint8 in memory, and the standardisation that makes them numbers around zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Images, Labels

ReadBatch = Callable[[str], tuple[Images, Labels]]
"""A source of published batches: name -> images (n, d) and labels (n,). All batches of a source are of one size."""

_CHUNK = 500


@dataclass(frozen=True)
class Split:
    """Images (n, d), channel-major rows of 0 to 255, and their labels (n,), integers from 0."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """The three splits of an experiment and what their numbers mean.

    Attributes:
        train, validation, test: disjoint splits of one kind of image.
        class_names: one name for each of the K labels.
        image_shape: (channels, height, width), whose product is d.
    """

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by their names in configs and reports."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def join_batches(read: ReadBatch, names: Sequence[str]) -> Split:
    """The named batches one after another as one split."""
    images, labels = read(names[0])
    if len(names) == 1:
        return Split(images, labels)
    size = len(labels)
    # Filled batch by batch: joining a list of them would hold everything twice.
    all_images = np.empty((size * len(names), images.shape[1]), np.uint8)
    all_labels = np.empty(size * len(names), np.intp)
    for i, name in enumerate(names):
        if i > 0:
            images, labels = read(name)
        all_images[i * size : (i + 1) * size] = images
        all_labels[i * size : (i + 1) * size] = labels
    return Split(all_images, all_labels)


def hold_out(split: Split, size: int, rng: np.random.Generator) -> tuple[Split, Split]:
    """Draw ``size`` images at random; returns (the rest, the drawn), both in the order of ``split``.

    Class balance is kept: each class gives its share of the drawn images, to within one image.
    """
    shuffled = rng.permutation(len(split))
    by_class = shuffled[np.argsort(split.labels[shuffled], kind="stable")]
    # Evenly spaced places in a list sorted by class: proportional without counting classes.
    drawn = np.zeros(len(split), np.bool_)
    drawn[by_class[np.arange(size) * len(split) // size]] = True
    return (
        Split(split.images[~drawn], split.labels[~drawn]),
        Split(split.images[drawn], split.labels[drawn]),
    )


@dataclass(frozen=True)
class Standardization:
    """x -> (x / 255 - mean) / std in each of the d dimensions; where std is 0 the result is 0.

    Attributes:
        mean: of the training images scaled to [0, 1], (d,).
        std: their standard deviation with n - 1 in the denominator, as in the course notes, (d,).
    """

    mean: Doubles
    std: Doubles

    @classmethod
    def of(cls, images: Images) -> Standardization:
        """The statistics of uint8 images (n, d); exact up to the last division and root."""
        n = len(images)
        total = np.zeros(images.shape[1], np.int64)
        total_of_squares = np.zeros_like(total)
        for start in range(0, n, _CHUNK):
            chunk = images[start : start + _CHUNK]
            total += chunk.sum(axis=0, dtype=np.uint32)
            total_of_squares += np.square(chunk, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
        # n * sum(x^2) - sum(x)^2 in integers: no cancellation, and exactly 0 for a constant dimension.
        variance = (n * total_of_squares - total**2) / (n * max(n - 1, 1))
        return cls(total / n / 255, np.sqrt(variance) / 255)

    @property
    def rate(self) -> Doubles:
        """1 / std, and 0 where std is 0, (d,)."""
        return np.divide(1, self.std, out=np.zeros_like(self.std), where=self.std > 0)

    def apply(self, pixels: Images, out: Floats) -> Floats:
        """Standardise pixels (n, d) of 0 to 255 into ``out`` (n, d), which is returned."""
        # A cast, then arithmetic within one dtype: twice as fast as mixed arithmetic.
        np.copyto(out, pixels)
        out -= (255 * self.mean).astype(out.dtype)
        out *= (self.rate / 255).astype(out.dtype)
        return out

    def fold(self, W: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Weights (R, K, d) and biases (R, K) that give raw pixels the scores of standardised images."""
        folded_W = W * (self.rate / 255)
        folded_b = b - folded_W @ (255 * self.mean)
        return folded_W.astype(W.dtype), folded_b.astype(b.dtype)
