"""A data set of one's own: features or images in array files, with labels beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifar_linear.data.array_files import Stored, open_array
from cifar_linear.data.dataset import Split
from cifar_linear.data.inspection import inspect
from cifar_linear.data.label_files import classes_of, numbered, read_labels
from cifar_linear.data.rows import rows_of
from cifar_linear.errors import DataError

_KINDS = ("float16", "float32", "float64", "uint8")
_CHANNELS = (1, 3)
_CHUNK = 500
_LARGEST = float(np.finfo(np.float32).max)


class Files(NamedTuple):
    """The files of one split.

    Attributes:
        features: an array file.
        labels: an array or text file.
        features_key, labels_key: names of the arrays in files of several; None for the only one.
    """

    features: Path
    labels: Path
    features_key: str | None = None
    labels_key: str | None = None


class OpenedSplit(NamedTuple):
    """Features and labels as they are in their files.

    Attributes:
        files: where they come from.
        stored: features (n, d).
        labels: integers or names, (n,).
        image_shape: (channels, height, width) of images; (d,) of features.
    """

    files: Files
    stored: Stored
    labels: NDArray[Any]
    image_shape: tuple[int, ...]

    def split(self, class_names: Sequence[str], unit_length: bool) -> Split:
        """The examples with labels as indices of the class names, each row divided by its norm if ``unit_length``.

        Raises `DataError` for a label that is not a class, and for rows without a norm.
        """
        facts = inspect(self.stored)
        if facts.largest > _LARGEST:
            raise DataError(f"{self.stored.path}: holds {facts.largest:.3g}, too large for float32; scale the features")
        if unit_length and facts.zero_rows:
            raise DataError(
                f"{self.stored.path}: {facts.zero_rows} of {len(self.labels)} rows are all zero and have no direction "
                f"(the first is row {facts.first_zero_row}); leave them out, or use another normalize than l2"
            )
        labels = numbered(self.labels, class_names, self.files.labels)
        return Split(rows_of(self.stored, facts.sha256, unit_length), labels)


class Splits(NamedTuple):
    """Splits by their names, the names of their classes, and the shape of a row; (d,) if it is not an image."""

    splits: Mapping[str, Split]
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]


def open_split(files: Files, image_shape: tuple[int, ...] | None) -> OpenedSplit:
    """Open the files of a split; of features that are mapped only the header is read.

    Args:
        files: of the split.
        image_shape: (channels, height, width) if rows are images; None if they are not, or the array says so itself.

    Raises:
        DataError: if the files are not features and labels of the same examples.
    """
    stored, found = _as_rows(open_array(files.features, files.features_key, preferred="features"), image_shape)
    labels = read_labels(files.labels, files.labels_key)
    if len(labels) != len(stored.array):
        raise DataError(f"{files.labels}: {len(labels)} labels, but {files.features} has {len(stored.array)} rows")
    return OpenedSplit(files, stored, labels, found)


def open_splits(
    files: Mapping[str, Files],
    class_names: tuple[str, ...] | None,
    image_shape: tuple[int, ...] | None,
    unit_length: bool,
) -> Splits:
    """Open all splits of a data set; each array is looked through once, and then known by its size and time.

    Args:
        files: of each split; ``train`` is one of them.
        class_names: a name for each label; None for the classes of the training examples.
        image_shape: (channels, height, width) if rows are images; None if they are not, or the arrays say so.
        unit_length: whether each row is divided by its Euclidean norm.

    Raises:
        DataError: for files that are not features and labels, and splits that do not belong together.
    """
    opened = {name: open_split(of_split, image_shape) for name, of_split in files.items()}
    training = opened["train"]
    found = classes_of(training.labels, training.files.labels, named=class_names is not None)
    names = class_names or found
    for other in opened.values():
        _check_alike(training.stored, other.stored)
    splits = {name: of_split.split(names, unit_length) for name, of_split in opened.items()}
    return Splits(splits, names, training.image_shape)


def is_constant(examples: Any) -> bool:
    """Whether all rows (n, d) are the same; rows that differ are found in the first of them as a rule."""
    first = np.asarray(examples[0])
    chunks = (np.asarray(examples[start : start + _CHUNK]) for start in range(0, len(examples), _CHUNK))
    return all((chunk == first).all() for chunk in chunks)


def _check_alike(ours: Stored, theirs: Stored) -> None:
    """Raise `DataError` if two splits do not hold the same kind of examples."""
    if ours.array.shape[1] != theirs.array.shape[1]:
        raise DataError(
            f"{theirs.path}: {theirs.array.shape[1]} features in a row, but {ours.path} has {ours.array.shape[1]}"
        )
    if (ours.array.dtype == np.uint8) != (theirs.array.dtype == np.uint8):
        raise DataError(f"{theirs.path}: {theirs.array.dtype}, but {ours.path} is {ours.array.dtype}; convert one")


def _as_rows(stored: Stored, image_shape: tuple[int, ...] | None) -> tuple[Stored, tuple[int, ...]]:
    """Features as (n, d), channel-major if they are images, and the shape of a row."""
    array, path = stored.array, stored.path
    if array.dtype.name not in _KINDS:
        raise DataError(f"{path}: features are {array.dtype}; expected {', '.join(_KINDS)}")
    if array.ndim not in (2, 4):
        raise DataError(f"{path}: features have the shape {array.shape}; expected (n, d), (n, C, H, W) or (n, H, W, C)")
    if not array.size:
        raise DataError(f"{path}: features have the shape {array.shape}: there is nothing in it")
    if image_shape and math.prod(array.shape[1:]) != math.prod(image_shape):
        raise DataError(f"{path}: rows of shape {array.shape[1:]} do not make images {image_shape}, data.image_shape")
    if array.ndim == 2:
        return stored, image_shape or (array.shape[1],)
    if _channels_last(array.shape[1:], image_shape):
        array = array.transpose(0, 3, 1, 2)
        stored = Stored(path, stored.key, np.ascontiguousarray(array))
    shape = array.shape[1:]
    rows = replace(stored, array=stored.array.reshape(len(array), -1))
    return rows, shape if shape[0] in _CHANNELS else (math.prod(shape),)


def _channels_last(found: tuple[int, ...], image_shape: tuple[int, ...] | None) -> bool:
    """Whether images of this shape are (H, W, C); (C, H, W) is meant where both are possible."""
    if image_shape:
        return found != image_shape
    return found[0] not in _CHANNELS and found[2] in _CHANNELS
