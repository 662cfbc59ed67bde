"""Sheets of images of a data set, as they are and augmented."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from cifar_linear.arrays import Bools, Images, Integers, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset, SplitName, as_pixels
from cifar_linear.errors import ConfigError
from cifar_linear.experiments.loading import make_augmentation
from cifar_linear.figures.images import image_figure
from cifar_linear.randomness import Purpose, rng_for

_COLUMNS = 10
_T = TypeVar("_T")
_U = TypeVar("_U")


def draw_images(
    config: Config, dataset: Dataset, split: SplitName, count: int, at_random: bool, augment: bool
) -> Figure:
    """Draw images of a split, each below its class.

    Args:
        config: of the experiment; its seed draws random images, its augmentation changes them.
        dataset: the experiment's images.
        split: which of the splits to show.
        count: the number of images; all of them if there are fewer.
        at_random: whether to draw random images instead of the first ones.
        augment: whether to draw, below each image, the image as training sees it in epoch 1.

    Returns:
        One sheet of up to ten images in a row.

    Raises:
        ConfigError: the config lacks the split, or has no augmentation of it to show.
    """
    if split not in dataset.splits:
        raise ConfigError(f"the config has no {split} images; choose another --split")
    shown = dataset.splits[split]
    order = rng_for(config.seed, Purpose.SHOWN_IMAGES).permutation(len(shown)) if at_random else np.arange(len(shown))
    indices = order[:count]
    if len(dataset.image_shape) != 3:
        raise ConfigError("these are features, not images; if the rows are images, give data.image_shape")
    images = as_pixels(shown.images[indices], dataset.image_shape)
    titles = [dataset.class_names[label] for label in shown.labels[indices]]
    if not augment:
        return image_figure(list(images), titles, dataset.image_shape)
    if split != "train":
        raise ConfigError(f"only training images are augmented; leave out --augment or --split {split}")
    augmented, captions = _augmented(config, dataset, indices)
    columns = min(_COLUMNS, len(images))
    pictures: list[Images | None] = _alternating(list(images), list(augmented), columns, None)
    return image_figure(pictures, _alternating(titles, captions, columns, ""), dataset.image_shape, columns)


def _augmented(config: Config, dataset: Dataset, indices: Labels) -> tuple[Images, list[str]]:
    """Some training images (n, d) as they are in epoch 1, and what has changed in each."""
    augmentation = make_augmentation(config, dataset)
    if augmentation is None:
        raise ConfigError("the config augments nothing; try --set augmentation.flip=1 or --set augmentation.shift=2")
    flipped, moved = augmentation.draw(1, len(dataset.train))
    images = np.array(dataset.train.images[indices])
    augmentation.apply(images, flipped[indices], moved[:, indices])
    return images, _changes(flipped[indices], moved[:, indices])


def _alternating(above: Sequence[_T], below: Sequence[_T], columns: int, empty: _U) -> list[_T | _U]:
    """Lines of ``columns`` items, one of each list in turn, the last ones filled up with ``empty``."""
    items: list[_T | _U] = []
    for start in range(0, len(above), columns):
        for line in (above[start : start + columns], below[start : start + columns]):
            items += [*line, *[empty] * (columns - len(line))]
    return items


def _changes(flipped: Bools, moved: Integers) -> list[str]:
    """What was done to each image: flipped, and by how many pixels it moved which way."""
    captions = []
    for flip, down, right in zip(flipped, *moved, strict=True):
        words = ["flipped"] if flip else []
        words += [f"{'↓' if down > 0 else '↑'}{abs(down)}"] if down else []
        words += [f"{'→' if right > 0 else '←'}{abs(right)}"] if right else []
        captions.append(" ".join(words) or "unchanged")
    return captions
