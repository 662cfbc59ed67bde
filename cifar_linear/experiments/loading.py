"""Read the data set of a config: its splits, and how their examples are standardised and augmented."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from cifar_linear.config.datasets import BatchedData, Centering, Cifar100Data, HeldOut, SyntheticData
from cifar_linear.config.features import FeatureFiles, FeaturesData
from cifar_linear.config.models import Config
from cifar_linear.data import synthetic
from cifar_linear.data.augment import Augmentation
from cifar_linear.data.cifar import CIFAR100
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
from cifar_linear.data.features import Files, Splits, is_constant, open_splits
from cifar_linear.data.label_files import read_names
from cifar_linear.data.sources import SOURCES, default_folder
from cifar_linear.errors import ConfigError, DataError
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
    if isinstance(config.data, FeaturesData):
        return _of_files(config, config.data, data_dir)
    source = _source(config.data, data_dir)
    # Reading leaves the interpreter free, so the splits are read side by side.
    with ThreadPoolExecutor() as threads:
        of_test = threads.submit(_split, config.data, source, config.data.test) if config.data.test else None
        training, validation = _train_and_validation(config.data, config.seed, source, threads)
        test = of_test.result() if of_test else None
    _check_sizes(config, training, validation)
    names = tuple(source.class_names[label] for label in config.data.classes or range(len(source.class_names)))
    return Dataset(training, validation, test, names, source.image_shape)


def load_split(config: Config, name: SplitName, data_dir: Path | None = None) -> Split:
    """Load one split only, as in `load_dataset`. Raises `ConfigError` if it has no images."""
    if name == "test" and not config.data.test:
        raise ConfigError("data.test is empty: this config has no test images; use --split validation")
    if isinstance(config.data, FeaturesData):
        return load_dataset(config, data_dir).splits[name]
    source = _source(config.data, data_dir)
    if name == "test":
        return _split(config.data, source, config.data.test)
    if name == "train" and not isinstance(config.data.validation, HeldOut):
        return _split(config.data, source, config.data.train)
    with ThreadPoolExecutor() as threads:
        training, validation = _train_and_validation(config.data, config.seed, source, threads)
    return training if name == "train" else validation


def _train_and_validation(data: BatchedData, seed: int, source: Source, threads: Executor) -> tuple[Split, Split]:
    if isinstance(data.validation, HeldOut):
        training = _split(data, source, data.train)
        return hold_out(training, data.validation.size, rng_for(seed, Purpose.HELD_OUT))
    of_validation = threads.submit(_split, data, source, data.validation)
    return _split(data, source, data.train), of_validation.result()


def _split(data: BatchedData, source: Source, batches: Sequence[str]) -> Split:
    """Load batches, limited to the number of images and the classes of a config."""
    return only_classes(first_images(join_batches(source, batches), data.limit), data.classes)


def _check_sizes(config: Config, training: Split, validation: Split) -> None:
    """Raise `ConfigError` if there is not a batch to train on, or nothing to validate with."""
    if len(training) < config.n_batch or not len(validation):
        what = "there are" if isinstance(config.data, FeaturesData) else "data.limit and data.classes leave"
        raise ConfigError(
            f"{what} {len(training)} images for training and {len(validation)} for validation; "
            f"n_batch is {config.n_batch}"
        )


def _of_files(config: Config, data: FeaturesData, data_dir: Path | None) -> Dataset:
    """Open the files of a data set of one's own."""
    opened = _opened(data, data_dir or Path(data.folder or "").expanduser())
    splits = {name: first_images(split, data.limit) for name, split in opened.splits.items()}
    if isinstance(data.validation, HeldOut):
        n, size = len(splits["train"]), data.validation.size
        if size >= n:
            raise ConfigError(f"data.validation: size must be below {n}, the number of rows to train on")
        parts = hold_out(splits["train"], size, rng_for(config.seed, Purpose.HELD_OUT))
        splits["train"], splits["validation"] = parts
    dataset = Dataset(splits["train"], splits["validation"], splits.get("test"), opened.class_names, opened.image_shape)
    _check_features(config, data, dataset)
    return dataset


def _opened(data: FeaturesData, root: Path) -> Splits:
    """All files of a data set; relative paths begin at ``root``."""
    files = {
        name: Files(root / part.features, root / (part.labels or part.features), part.features_key, part.labels_key)
        for name, part in (("train", data.train), ("validation", data.validation), ("test", data.test))
        if isinstance(part, FeatureFiles)
    }
    names = read_names(root / data.class_names) if isinstance(data.class_names, str) else data.class_names
    return open_splits(files, names, data.image_shape, unit_length=data.normalize == "l2")


def _check_features(config: Config, data: FeaturesData, dataset: Dataset) -> None:
    """Raise `ConfigError` or `DataError` for examples that nothing can be learnt from with this config."""
    _check_sizes(config, dataset.train, dataset.validation)
    if config.loss == "logistic" and len(dataset.class_names) != 2:
        raise ConfigError(f"loss: logistic needs exactly two classes; these are {len(dataset.class_names)}")
    if is_constant(dataset.train.images):
        raise DataError(f"{data.train.features}: all {len(dataset.train)} rows to train on are the same")


def _source(data: BatchedData, data_dir: Path | None) -> Source:
    """Return the source of the batches."""
    if isinstance(data, SyntheticData):
        return synthetic.source(data.images_per_batch, data.seed)
    folder = _data_folder(data, data_dir)
    if isinstance(data, Cifar100Data):
        return CIFAR100.source(folder, data.labels)
    return SOURCES[data.dataset](folder)


def _data_folder(data: BatchedData, data_dir: Path | None) -> Path:
    folder = None if isinstance(data, SyntheticData) else data.folder
    return data_dir or (Path(folder).expanduser() if folder else default_folder())


def files_of(config: Config, data_dir: Path | None) -> set[tuple[Path, Path]]:
    """Return the data folder with each published file in it that a config reads; none for other data.

    Args:
        config: config of a run.
        data_dir: folder of published images; None for the config's.

    Raises:
        DataError: if there are no such images.
    """
    data = config.data
    if isinstance(data, SyntheticData | FeaturesData):
        return set()
    source = _source(data, data_dir)
    batches = {*data.train, *(() if isinstance(data.validation, HeldOut) else data.validation), *data.test}
    return {(_data_folder(data, data_dir), path) for name in batches for path in source.files(name)}


def make_standardization(config: Config, training: Split) -> Standardization:
    """Return the standardisation of a config, computed from the training images.

    Raises `DataError` for features that have no mean and standard deviation.
    """
    if isinstance(config.data, FeaturesData):
        return _standardization_of_features(config.data, training)
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


def _standardization_of_features(data: FeaturesData, training: Split) -> Standardization:
    features = training.images.shape[1]
    if data.normalize in ("l2", "none"):
        unit = 255 if training.images.dtype == np.uint8 else 1
        return Standardization.same_for_all(features, mean=0, std=1, unit=unit)
    try:
        standardization = Standardization.of(training.images)
    except ValueError as error:
        raise DataError(f"{data.train.features}: {error}") from error
    return standardization if data.normalize == "standardize" else standardization.centred(groups=features)


def make_augmentation(config: Config, dataset: Dataset) -> Augmentation | None:
    """Return the augmentation of the training images; None if there is none."""
    wanted = config.augmentation
    if not (wanted.flip or wanted.shift):
        return None
    if dataset.train.images.dtype != np.uint8:
        raise ConfigError(f"augmentation is for uint8 images; these are {dataset.train.images.dtype}")
    return Augmentation(dataset.image_shape, flip=wanted.flip, shift=wanted.shift, seed=config.seed)
