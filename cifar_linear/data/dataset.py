"""Splits of examples that stay in memory as they are: pixels uint8, features of any other dtype."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np

from cifar_linear.arrays import Bools, Examples, Floats, Images, Labels
from cifar_linear.errors import DataError

SplitName = Literal["train", "validation", "test"]
"""The splits by their names in configs and reports."""


@dataclass(frozen=True)
class Source:
    """A data set in batches, as it is published.

    Attributes:
        read: returns the images (n, d) and labels (n,) of a batch, by its name.
        images_in: returns the number of images of a batch, n, without reading it.
        class_names: one name for each label.
        image_shape: (channels, height, width), whose product is d.
        batches: the names of all published batches.
        files: returns the files of a batch that exist, by its name.
    """

    read: Callable[[str], tuple[Images, Labels]]
    images_in: Callable[[str], int]
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    batches: tuple[str, ...] = ()
    files: Callable[[str], tuple[Path, ...]] = lambda _name: ()


@dataclass(frozen=True)
class Split:
    """Examples and their classes.

    Attributes:
        images: uint8 pixels of 0 to 255, channel-major rows, or features of any other dtype, (n, d); `Rows` that are
            read when they are used stand for an array.
        labels: integers from 0, (n,).
        weights: how often each example counts, from 0, (n,), or (n, R) for each of R runs; None for once each.
    """

    images: Examples
    labels: Labels
    weights: Floats | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: slice | Bools | Labels) -> Split:
        """Some of the examples: those of a slice as views, those of a mask or of indices as copies."""
        return Split(self.images[rows], self.labels[rows], None if self.weights is None else self.weights[rows])


@dataclass(frozen=True)
class Dataset:
    """The three splits of an experiment, their class names and image shape.

    Attributes:
        train, validation, test: disjoint splits of one kind of image; there may be no test images.
        class_names: one name for each of the K labels.
        image_shape: (channels, height, width), whose product is d; (d,) of features that are not images.
    """

    train: Split
    validation: Split
    test: Split | None
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]

    @property
    def splits(self) -> dict[SplitName, Split]:
        """The splits by their names."""
        both: dict[SplitName, Split] = {"train": self.train, "validation": self.validation}
        return both if self.test is None else {**both, "test": self.test}


def join_batches(source: Source, names: Sequence[str]) -> Split:
    """The named batches one after another as one split."""
    if len(names) == 1:
        return Split(*source.read(names[0]))
    # Filled batch by batch: joining a list of them would hold everything twice.
    sizes = [source.images_in(name) for name in names]
    images = np.empty((sum(sizes), prod(source.image_shape)), np.uint8)
    labels = np.empty(sum(sizes), np.intp)
    end = 0
    for name, size in zip(names, sizes, strict=True):
        start, end = end, end + size
        images[start:end], labels[start:end] = source.read(name)
    return Split(images, labels)


def first_images(split: Split, limit: int | None) -> Split:
    """At most the first ``limit`` images; all of them for None."""
    return split.part(slice(limit))


def only_classes(split: Split, classes: Sequence[int] | None) -> Split:
    """The images of some classes, relabelled from 0 in the order of ``classes``; all images for None."""
    if classes is None:
        return split
    new_label = np.full(max(*classes, split.labels.max(initial=0)) + 1, -1)
    new_label[list(classes)] = np.arange(len(classes))
    labels = new_label[split.labels]
    return replace(split, labels=labels).part(labels >= 0)


def hold_out(split: Split, size: int, rng: np.random.Generator) -> tuple[Split, Split]:
    """Split off a random sample with the class balance of the whole.

    Args:
        split: of n images.
        size: the number of images to hold out, 0 to n.
        rng: draws them.

    Returns:
        The remaining and the held-out images, both in the order of ``split``. Each class has its share of the held-out
        ones, to within one image.
    """
    # Evenly spaced places in a list sorted by class: proportional without counting classes.
    drawn = np.zeros(len(split), np.bool_)
    drawn[_by_class(split.labels, rng)[np.arange(size) * len(split) // size]] = True
    return split.part(~drawn), split.part(drawn)


def folds(labels: Labels, count: int, rng: np.random.Generator) -> Labels:
    """The fold of each example, (n,), from 0 to ``count`` - 1: random, with the class balance of the whole.

    The sizes of two folds, and the numbers of images of one class in them, differ by one at most.

    Args:
        labels: of the examples, (n,).
        count: the number of folds, 1 to n.
        rng: draws them.
    """
    fold = np.empty(len(labels), np.intp)
    fold[_by_class(labels, rng)] = np.arange(len(labels)) % count
    return fold


def _by_class(labels: Labels, rng: np.random.Generator) -> Labels:
    """The indices of all examples sorted by class, in a random order within each, (n,)."""
    shuffled = rng.permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def as_pixels(examples: Examples, image_shape: tuple[int, ...]) -> Images:
    """Return examples (m, d) as pixels to show, (m, d); those that are not images as (m, 0).

    Pixels stay as they are. Other numbers are spread from the least, black, to the largest, white.
    """
    if len(image_shape) != 3:
        return np.empty((len(examples), 0), np.uint8)
    numbers = np.asarray(examples)
    if numbers.dtype == np.uint8 or not numbers.size:
        return numbers.astype(np.uint8)
    least, largest = float(numbers.min()), float(numbers.max())
    pixels: Images = np.rint(255 * (numbers.astype(np.float64) - least) / ((largest - least) or 1)).astype(np.uint8)
    return pixels


def not_found(data_dir: Path, title: str, name: str, wanted: str, *more: str) -> DataError:
    """The error for a data folder without a data set.

    Args:
        data_dir: the folder.
        title: of the data set, for people.
        name: of the data set, in configs.
        wanted: what was looked for.
        more: further lines of advice.
    """
    state = f"holds no {title}" if data_dir.is_dir() else "not a folder" if data_dir.exists() else "does not exist"
    lines = [
        f"{data_dir}: {state}",
        f"looked there for {title}: {wanted}",
        "to install it there:",
        f"  cifar-linear data download {name} --data-dir {shlex.quote(str(data_dir))}",
        "if it is elsewhere, name that folder with --data-dir or CIFAR_LINEAR_DATA",
    ]
    return DataError("\n  ".join([*lines, *more]))
