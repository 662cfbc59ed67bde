"""Splits of images that stay uint8 in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cifar_linear.arrays import Images, Labels

SplitName = Literal["train", "validation", "test"]
"""The splits by their names in configs and reports."""

ReadBatch = Callable[[str], tuple[Images, Labels]]
"""A source of published batches: name -> images (n, d) and labels (n,). All batches of a source are of one size."""


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
    def splits(self) -> dict[SplitName, Split]:
        """The splits by their names."""
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
