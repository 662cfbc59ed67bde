"""A look at the images of a data set, as they are and as augmentation makes them."""

import numpy as np
from matplotlib.figure import Figure

from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import ConfigError
from cifar_linear.figures.images import image_figure
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.unpacking import make_augmentation

_COLUMNS = 10


def draw_images(config: Config, dataset: Dataset, split: str, count: int, at_random: bool, augment: bool) -> Figure:
    """The first or random ``count`` images of a split below their classes; augmented ones below the originals.

    Raises `ConfigError` if augmented images are wanted of a config that augments nothing.
    """
    shown = dataset.splits[split]
    indices = np.arange(min(count, len(shown)))
    if at_random:
        indices = rng_for(config.seed, Purpose.SHOWN_IMAGES).permutation(len(shown))[: len(indices)]
    images = shown.images[indices]
    titles = [dataset.class_names[label] for label in shown.labels[indices]]
    if not augment:
        return image_figure(list(images), titles, dataset.image_shape)
    augmentation = make_augmentation(config, dataset)
    if augmentation is None:
        raise ConfigError("the config augments nothing; try --set augmentation.flip=1 or --set augmentation.shift=2")
    flipped, moved = augmentation.draw(1, len(shown))
    changed = images.copy()
    augmentation.apply(changed, flipped[indices], moved[:, indices])
    pictures, captions = [], []
    for start in range(0, len(images), _COLUMNS):
        line = slice(start, start + _COLUMNS)
        pictures += [*images[line], *changed[line]]
        captions += [*titles[line], *_changes(flipped[indices[line]], moved[:, indices[line]])]
    return image_figure(pictures, captions, dataset.image_shape, columns=min(_COLUMNS, len(images)))


def _changes(flipped: np.ndarray, moved: np.ndarray) -> list[str]:
    """What was done to each image, in a few words."""
    return [
        ("flipped" if flip else "") + (f" {down:+d} {right:+d}" if down or right else "") or "as it was"
        for flip, down, right in zip(flipped, *moved, strict=True)
    ]
