"""Read the data set of a config: its splits, and how their examples are standardised and augmented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cifar_linear.config.datasets import Centering, HeldOut, SyntheticData
from cifar_linear.config.models import Config
from cifar_linear.data import synthetic
from cifar_linear.data.augment import Augmentation
from cifar_linear.data.dataset import (
    Dataset,
    Source,
    Split,
    SplitName,
    first_images,
    hold_out,
    join_batches,
    only_classes,
)
from cifar_linear.data.sources import SOURCES, default_folder
from cifar_linear.errors import ConfigError
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for


def load_dataset(config: Config, data_dir: Path | None = None) -> Dataset:
    """Load the images of a config.

    Args:
        config: config of a run.
        data_dir: folder of published images; None for the config's ``data.folder``, or else the platform's cache.

    Raises:
        DataError: if the images are missing or damaged.
        ConfigError: if the config leaves too few images.
    """
    source = _source(config, data_dir)
    training, validation = _train_and_validation(config, source)
    test = _split(config, source, config.data.test) if config.data.test else None
    if len(training) < config.n_batch or not len(validation):
        raise ConfigError(
            f"data.limit and data.classes leave {len(training)} images for training and {len(validation)} for "
            f"validation; n_batch is {config.n_batch}"
        )
    names = tuple(source.class_names[label] for label in config.data.classes or range(len(source.class_names)))
    return Dataset(training, validation, test, names, source.image_shape)


def load_split(config: Config, name: SplitName, data_dir: Path | None = None) -> Split:
    """Load one split only, as in `load_dataset`. Raises `ConfigError` if it has no images."""
    source = _source(config, data_dir)
    if name == "test":
        if not config.data.test:
            raise ConfigError("data.test is empty: this config has no test images; use --split validation")
        return _split(config, source, config.data.test)
    if name == "train" and not isinstance(config.data.validation, HeldOut):
        return _split(config, source, config.data.train)
    training, validation = _train_and_validation(config, source)
    return training if name == "train" else validation


def _train_and_validation(config: Config, source: Source) -> tuple[Split, Split]:
    data = config.data
    training = _split(config, source, data.train)
    if isinstance(data.validation, HeldOut):
        return hold_out(training, data.validation.size, rng_for(config.seed, Purpose.HELD_OUT))
    return training, _split(config, source, data.validation)


def _split(config: Config, source: Source, batches: Sequence[str]) -> Split:
    """Load batches, limited to the number of images and the classes of a config."""
    data = config.data
    return only_classes(first_images(join_batches(source, batches), data.limit), data.classes)


def _source(config: Config, data_dir: Path | None) -> Source:
    """Return the source of the batches."""
    data = config.data
    if isinstance(data, SyntheticData):
        return synthetic.source(data.images_per_batch, data.seed)
    own_folder = Path(data.folder).expanduser() if data.folder else default_folder()
    return SOURCES[data.dataset](data_dir or own_folder)


def make_standardization(config: Config, training: Split) -> Standardization:
    """Return the standardisation of a config, computed from the training images."""
    match config.data.normalize:
        case "minus_one_one":
            return Standardization.same_for_all(training.images.shape[1], mean=0.5, std=0.5)
        case "center":
            return Standardization.of(training.images).centred(groups=1)
        case Centering(center=center, scale=scale):
            groups = config.data.image_shape[0] if center == "channel" else 1
            return Standardization.of(training.images).centred(groups, std=1 / 255 if scale == "raw" else 1)
        case _:
            return Standardization.of(training.images)


def make_augmentation(config: Config, dataset: Dataset) -> Augmentation | None:
    """Return the augmentation of the training images; None if there is none."""
    wanted = config.augmentation
    if not (wanted.flip or wanted.shift):
        return None
    return Augmentation(dataset.image_shape, flip=wanted.flip, shift=wanted.shift, seed=config.seed)
