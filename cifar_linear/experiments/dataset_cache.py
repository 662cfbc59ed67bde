"""Data sets that are kept, since the next config may use them too."""

from __future__ import annotations

from math import prod
from pathlib import Path

from cifar_linear.config.datasets import HeldOut
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.loading import load_dataset


class DatasetCache:
    """Loads the images of configs; the last ones are kept.

    Args:
        data_dir: folder of the images; None for that of each config.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self.data_dir = data_dir
        self._last: tuple[object, Dataset] | None = None

    def of(self, config: Config) -> Dataset:
        """Return the images of a config. Raises `DataError` if they are missing or damaged."""
        wanted = config.data, config.seed if isinstance(config.data.validation, HeldOut) else None
        if self._last is None or self._last[0] != wanted:
            self._last = None
            self._last = wanted, load_dataset(config, self.data_dir)
        return self._last[1]

    def sizes(self, config: Config) -> tuple[int, int]:
        """Return the number of features and of classes, d and K; images are loaded if the config does not say it."""
        shape, classes = config.data.image_shape, config.data.class_count
        if shape is not None and classes is not None:
            return prod(shape), classes
        dataset = self.of(config)
        return prod(dataset.image_shape), len(dataset.class_names)
