"""CIFAR-10 in its three published layouts, recognised by the files in the folder; all give the same arrays.

Source of the formats: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html
"""

import math
import shlex
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Images, Labels
from cifar_linear.data.dataset import Source
from cifar_linear.data.safe_pickle import PickledArray, PickleError, load_pickle
from cifar_linear.errors import DataError

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGE_SHAPE = (3, 32, 32)
IMAGES_PER_BATCH = 10_000

_FEATURES = 3 * 32 * 32
_LARGEST_FILE = 64 * 2**20
_REMEDY = "unpack the publisher's archive again, or: cifar-linear data download cifar10"


def _read_python(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = load_pickle(path)
        data, labels = batch[b"data"], batch[b"labels"]
        if not isinstance(data, PickledArray) or not isinstance(labels, list):
            raise PickleError("'data' is not an array or 'labels' is not a list")
        return data.as_bytes_array(), np.array(labels)
    except (PickleError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no entry {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path}: not a CIFAR-10 batch in Python's format: {reason}; {_REMEDY}") from error


def _read_binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    content = np.fromfile(path, np.uint8)
    record = 1 + _FEATURES
    if content.size != IMAGES_PER_BATCH * record:
        raise DataError(
            f"{path}: holds {content.size} bytes, a batch has {IMAGES_PER_BATCH * record} "
            f"({IMAGES_PER_BATCH} records of {record}); {_REMEDY}"
        )
    records = content.reshape(IMAGES_PER_BATCH, record)
    return records[:, 1:], records[:, 0]


def _read_matlab(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        from scipy.io import loadmat, whosmat  # noqa: PLC0415  # an extra that few need
    except ImportError:
        raise DataError(
            f"{path}: MATLAB files need SciPy: pip install scipy; or take the Python or binary files"
        ) from None
    packed = BytesIO(path.read_bytes())
    try:
        # Before anything is unpacked: a small file may declare arrays of any size.
        for name, shape, kind in whosmat(packed):
            if name in ("data", "labels") and (kind != "uint8" or math.prod(shape) > IMAGES_PER_BATCH * _FEATURES):
                raise ValueError(f"{name} is {kind} {shape}")
        content = loadmat(packed, variable_names=["data", "labels"])
        return content["data"], content["labels"].ravel()
    except Exception as error:  # loadmat documents no exception for a damaged file and raises many kinds
        reason = f"no entry {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path}: not a CIFAR-10 batch in MATLAB's format: {reason}; {_REMEDY}") from error


class Layout(NamedTuple):
    """A published form: the folder that it unpacks to, the ending of its batch files, and the function to read one."""

    folder: str
    ending: str
    read: Callable[[Path], tuple[np.ndarray, np.ndarray]]


LAYOUTS = (
    Layout("cifar-10-batches-py", "", _read_python),
    Layout("cifar-10-batches-bin", ".bin", _read_binary),
    Layout("cifar-10-batches-mat", ".mat", _read_matlab),
)


def source(data_dir: Path) -> Source:
    """The batches in a data folder, or in the unpacked folder of one layout itself.

    Raises `DataError` naming the folder, if it holds none of the layouts.
    """
    try:
        folder, layout = _find(data_dir)
    except OSError as error:
        raise DataError(f"{data_dir}: cannot be read: {error.strerror}") from error

    def files(name: str) -> tuple[Path, ...]:
        return (folder / (name + layout.ending),)

    def read(name: str) -> tuple[Images, Labels]:
        (path,) = files(name)
        if not path.is_file():
            raise DataError(f"{path}: missing, though {folder} holds other CIFAR-10 batches; {_REMEDY}")
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise DataError(f"{path}: holds {path.stat().st_size} bytes, far more than a batch; {_REMEDY}")
            images, labels = layout.read(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        return _checked(path, images, labels)

    return Source(read, lambda _name: IMAGES_PER_BATCH, CLASS_NAMES, IMAGE_SHAPE, BATCHES, files)


def _find(data_dir: Path) -> tuple[Path, Layout]:
    """The folder with the batch files, and their layout."""
    for layout in LAYOUTS:
        for folder in (data_dir, data_dir / layout.folder):
            if any((folder / (name + layout.ending)).is_file() for name in BATCHES):
                return folder, layout
    state = "holds no CIFAR-10" if data_dir.is_dir() else "not a folder" if data_dir.exists() else "does not exist"
    raise DataError(
        f"{data_dir}: {state}: looked there for {', '.join(layout.folder for layout in LAYOUTS)} or their files. "
        f"To install it there: cifar-linear data download cifar10 --data-dir {shlex.quote(str(data_dir))}. "
        "If it is elsewhere, name that folder with --data-dir or CIFAR_LINEAR_DATA; or train on generated images with "
        "--set data.dataset=synthetic"
    )


def _checked(path: Path, images: np.ndarray, labels: np.ndarray) -> tuple[Images, Labels]:
    """Check the arrays of a batch and convert them to the package's types."""
    if images.dtype != np.uint8 or images.shape != (IMAGES_PER_BATCH, _FEATURES):
        raise DataError(
            f"{path}: images are {images.dtype} {images.shape}, "
            f"expected uint8 {(IMAGES_PER_BATCH, _FEATURES)}; {_REMEDY}"
        )
    if labels.shape != (IMAGES_PER_BATCH,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: labels are {labels.dtype} {labels.shape}, expected {IMAGES_PER_BATCH} integers; {_REMEDY}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= len(CLASS_NAMES)))
    if wrong.size:
        raise DataError(
            f"{path}: label {labels[wrong[0]]} at image {wrong[0]} (and {wrong.size - 1} more out of range); "
            f"labels are 0 to {len(CLASS_NAMES) - 1}; {_REMEDY}"
        )
    return np.ascontiguousarray(images), labels.astype(np.intp)
