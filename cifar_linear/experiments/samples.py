"""A look at the images of a data set, as they are and as augmentation makes them."""

import numpy as np
from matplotlib.figure import Figure

from cifar_linear.arrays import Bools, Images, Integers
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset, SplitName
from cifar_linear.errors import ConfigError
from cifar_linear.experiments.assembly import make_augmentation
from cifar_linear.figures.images import image_figure
from cifar_linear.randomness import Purpose, rng_for

_COLUMNS = 10


def draw_images(
    config: Config, dataset: Dataset, split: SplitName, count: int, at_random: bool, augment: bool
) -> Figure:
    """The first or random ``count`` images of a split below their classes; augmented ones below the originals.

    Raises `ConfigError` if augmented images are wanted of a config that augments nothing.
    """
    if split not in dataset.splits:
        raise ConfigError(f"the config has no {split} images; choose another --split")
    shown = dataset.splits[split]
    indices = np.arange(min(count, len(shown)))
    if at_random:
        indices = rng_for(config.seed, Purpose.SHOWN_IMAGES).permutation(len(shown))[: len(indices)]
    images = shown.images[indices]
    titles = [dataset.class_names[label] for label in shown.labels[indices]]
    if not augment:
        return image_figure(list(images), titles, dataset.image_shape)
    if split != "train":
        raise ConfigError(f"only training images are augmented; leave out --augment or --split {split}")
    augmentation = make_augmentation(config, dataset)
    if augmentation is None:
        raise ConfigError("the config augments nothing; try --set augmentation.flip=1 or --set augmentation.shift=2")
    flipped, moved = augmentation.draw(1, len(shown))
    changed = images.copy()
    augmentation.apply(changed, flipped[indices], moved[:, indices])
    captions = _changes(flipped[indices], moved[:, indices])
    columns = min(_COLUMNS, len(images))
    pictures: list[Images | None] = []
    texts: list[str] = []
    for start in range(0, len(images), columns):
        line = slice(start, start + columns)
        for row, words in ((images[line], titles[line]), (changed[line], captions[line])):
            empty = columns - len(row)
            pictures += [*row, *[None] * empty]
            texts += [*words, *[""] * empty]
    return image_figure(pictures, texts, dataset.image_shape, columns)


def _changes(flipped: Bools, moved: Integers) -> list[str]:
    """What was done to each image: flipped, and by how many pixels it moved which way."""
    captions = []
    for flip, down, right in zip(flipped, *moved, strict=True):
        words = ["flipped"] if flip else []
        words += [f"{'↓' if down > 0 else '↑'}{abs(down)}"] if down else []
        words += [f"{'→' if right > 0 else '←'}{abs(right)}"] if right else []
        captions.append(" ".join(words) or "as it was")
    return captions
