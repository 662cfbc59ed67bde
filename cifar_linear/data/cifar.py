"""CIFAR-10 and CIFAR-100 in their three published layouts, recognised by the files; all give the same arrays.

Source of the formats and names: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Images, Labels
from cifar_linear.data.dataset import Source, not_found
from cifar_linear.data.safe_pickle import PickledArray, PickleError, load_pickle
from cifar_linear.errors import DataError

IMAGE_SHAPE = (3, 32, 32)
_FEATURES = 3 * 32 * 32
_SLACK = 32 * 2**20
"""Bytes that a file may have more than a binary one."""


class LabelKind(NamedTuple):
    """A label that each image has.

    Attributes:
        key: its name in the Python and MATLAB files.
        class_names: one name for each label, as published.
    """

    key: str
    class_names: tuple[str, ...]


class Wanted(NamedTuple):
    """What a batch must hold.

    Attributes:
        title: of the data set.
        images: the number of images.
        key: of the labels to read.
        keys: of all labels, in the order of their bytes in a binary file.
        remedy: what to do about a damaged file.
    """

    title: str
    images: int
    key: str
    keys: tuple[str, ...]
    remedy: str

    @property
    def size(self) -> int:
        """Bytes of a binary file."""
        return self.images * (len(self.keys) + _FEATURES)


class Layout(NamedTuple):
    """A published form: the folder that it unpacks to, the ending of its batch files, and the function to read one."""

    folder: str
    ending: str
    read: Callable[[Path, Wanted], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Cifar:
    """One of the two data sets.

    Attributes:
        name: in configs.
        title: in messages.
        images: the number of images of each batch, by its name.
        labels: the kinds of labels, by their names in configs, in the order of their bytes in a binary file.
        layouts: its published forms.
    """

    name: str
    title: str
    images: Mapping[str, int]
    labels: Mapping[str, LabelKind]
    layouts: Sequence[Layout]

    def source(self, data_dir: Path, labels: str | None = None) -> Source:
        """The batches in a data folder, or in the unpacked folder of one layout itself.

        Args:
            data_dir: the folder.
            labels: the kind of labels; None for the last one, the finest.

        Raises:
            DataError: the folder holds none of the layouts; the message names it.
        """
        kind = self.labels[labels or [*self.labels][-1]]
        keys = tuple(each.key for each in self.labels.values())
        try:
            folder, layout = self._find(data_dir)
        except OSError as error:
            raise DataError(f"{data_dir}: cannot be read: {error.strerror}") from error

        def files(name: str) -> tuple[Path, ...]:
            return (folder / (name + layout.ending),)

        def read(name: str) -> tuple[Images, Labels]:
            (path,) = files(name)
            wanted = Wanted(self.title, self.images[name], kind.key, keys, self._remedy)
            if not path.is_file():
                raise DataError(f"{path}: missing, though {folder} holds other {self.title} batches; {self._remedy}")
            try:
                if path.stat().st_size > wanted.size + _SLACK:
                    raise DataError(f"{path}: holds {path.stat().st_size} bytes, far more than a batch; {self._remedy}")
                images, found = layout.read(path, wanted)
            except OSError as error:
                raise DataError(f"{path}: cannot be read: {error.strerror}") from error
            return _checked(path, images, found, wanted, len(kind.class_names))

        return Source(read, self.images.__getitem__, kind.class_names, IMAGE_SHAPE, tuple(self.images), files)

    @property
    def _remedy(self) -> str:
        return f"unpack the publisher's archive again, or: cifar-linear data download {self.name}"

    def _find(self, data_dir: Path) -> tuple[Path, Layout]:
        """The folder with the batch files, and their layout."""
        for layout in self.layouts:
            for folder in (data_dir / layout.folder, data_dir):
                if any((folder / (name + layout.ending)).is_file() for name in self.images):
                    return folder, layout
        folders = ", ".join(layout.folder for layout in self.layouts)
        generated = "to train on generated images: --set data.dataset=synthetic"
        raise not_found(data_dir, self.title, self.name, f"{folders}, or the files in them", generated)


def _read_python(path: Path, wanted: Wanted) -> tuple[np.ndarray, np.ndarray]:
    key = wanted.key
    try:
        batch = load_pickle(path, wanted.images)
        data, labels = batch[b"data"], batch[key.encode()]
        if not isinstance(data, PickledArray) or not isinstance(labels, list):
            raise PickleError(f"'data' is not an array or '{key}' is not a list")
        return data.as_bytes_array(), np.array(labels)
    except (PickleError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no entry {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path}: not a {wanted.title} batch in Python's format: {reason}; {wanted.remedy}") from error


def _read_binary(path: Path, wanted: Wanted) -> tuple[np.ndarray, np.ndarray]:
    content = np.fromfile(path, np.uint8)
    images, record = wanted.images, wanted.size // wanted.images
    if content.size != wanted.size:
        raise DataError(
            f"{path}: holds {content.size} bytes, a batch has {wanted.size} "
            f"({images} records of {record}); {wanted.remedy}"
        )
    records = content.reshape(images, record)
    return records[:, len(wanted.keys) :], records[:, wanted.keys.index(wanted.key)]


def _read_matlab(path: Path, wanted: Wanted) -> tuple[np.ndarray, np.ndarray]:
    try:
        from scipy.io import loadmat, whosmat  # noqa: PLC0415  # an extra that few need
    except ImportError:
        raise DataError(
            f"{path}: MATLAB files need SciPy: pip install scipy; or take the Python or binary files"
        ) from None
    packed, names = BytesIO(path.read_bytes()), ["data", wanted.key]
    try:
        # Before anything is unpacked: a small file may declare arrays of any size.
        for name, shape, kind in whosmat(packed):
            if name in names and (kind != "uint8" or math.prod(shape) > wanted.images * _FEATURES):
                raise ValueError(f"{name} is {kind} {shape}")
        content = loadmat(packed, variable_names=names)
        return content["data"], content[wanted.key].ravel()
    except Exception as error:  # loadmat documents no exception for a damaged file and raises many kinds
        reason = f"no entry {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path}: not a {wanted.title} batch in MATLAB's format: {reason}; {wanted.remedy}") from error


def _checked(path: Path, images: np.ndarray, labels: np.ndarray, wanted: Wanted, classes: int) -> tuple[Images, Labels]:
    """Check the arrays of a batch and convert them to the package's types."""
    n = wanted.images
    if images.dtype != np.uint8 or images.shape != (n, _FEATURES):
        raise DataError(
            f"{path}: images are {images.dtype} {images.shape}, expected uint8 {(n, _FEATURES)}; {wanted.remedy}"
        )
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise DataError(f"{path}: labels are {labels.dtype} {labels.shape}, expected {n} integers; {wanted.remedy}")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise DataError(
            f"{path}: label {labels[wrong[0]]} at image {wrong[0]} (and {wrong.size - 1} more out of range); "
            f"labels are 0 to {classes - 1}; {wanted.remedy}"
        )
    return np.ascontiguousarray(images), labels.astype(np.intp)


def _layouts(python: str, binary: str, matlab: str) -> tuple[Layout, ...]:
    """The three forms, from the names of their folders."""
    return (
        Layout(python, "", _read_python),
        Layout(binary, ".bin", _read_binary),
        Layout(matlab, ".mat", _read_matlab),
    )


CIFAR10 = Cifar(
    name="cifar10",
    title="CIFAR-10",
    images=dict.fromkeys([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], 10_000),
    labels={
        "labels": LabelKind(
            "labels", ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
        )
    },
    layouts=_layouts("cifar-10-batches-py", "cifar-10-batches-bin", "cifar-10-batches-mat"),
)

_FINE = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"""
_COARSE = """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture
    insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
    medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2"""

CIFAR100 = Cifar(
    name="cifar100",
    title="CIFAR-100",
    images={"train": 50_000, "test": 10_000},
    labels={
        "coarse": LabelKind("coarse_labels", tuple(_COARSE.split())),
        "fine": LabelKind("fine_labels", tuple(_FINE.split())),
    },
    layouts=_layouts("cifar-100-python", "cifar-100-binary", "cifar-100-matlab"),
)
