"""MNIST and Fashion-MNIST, each from its four published IDX files, plain or gzipped.

Sources: Y. LeCun, C. Cortes and C. Burges, http://yann.lecun.com/exdb/mnist/ (the format); H. Xiao, K. Rasul and
R. Vollgraf, https://github.com/zalandoresearch/fashion-mnist (the same format and names of files).
"""

import gzip
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cifar_linear.arrays import Images, Labels
from cifar_linear.data.dataset import Source, not_found
from cifar_linear.data.registry import published_as
from cifar_linear.errors import DataError

IMAGE_SHAPE = (1, 28, 28)

_UINT8 = 0x08


@dataclass(frozen=True)
class Mnist:
    """One of the two data sets.

    Attributes:
        name: in configs.
        title: in messages.
        folder: where its files are in a data folder.
        class_names: one name for each label.
        images: the number of images of each pair of files, by the beginning of their names.
    """

    name: str
    title: str
    folder: str
    class_names: tuple[str, ...]
    images: Mapping[str, int]

    def source(self, data_dir: Path) -> Source:
        """The two published parts, from `folder` in a data folder or from the folder with the files itself.

        Raises `DataError` naming the folder, if it holds none of the files.
        """
        folder = self._find(data_dir)

        def plain(name: str) -> tuple[Path, Path]:
            return folder / f"{name}-images-idx3-ubyte", folder / f"{name}-labels-idx1-ubyte"

        def files(name: str) -> tuple[Path, ...]:
            return tuple(path for file in plain(name) if (path := _published(file)))

        def read(name: str) -> tuple[Images, Labels]:
            count = self.images[name]
            of_images, of_labels = plain(name)
            images = self._read_idx(of_images, (count, *IMAGE_SHAPE[1:]))
            return images.reshape(count, -1), self._labels(of_labels, count)

        return Source(read, self.images.__getitem__, self.class_names, IMAGE_SHAPE, tuple(self.images), files)

    def _labels(self, plain: Path, count: int) -> Labels:
        labels = self._read_idx(plain, (count,))
        wrong = np.flatnonzero(labels >= len(self.class_names))
        if wrong.size:
            raise DataError(
                f"{plain}: label {labels[wrong[0]]} at image {wrong[0]}; labels are 0 to {len(self.class_names) - 1}; "
                f"{self._remedy}"
            )
        # The files of both data sets have the same names and forms; only their contents differ.
        other = published_as(self._existing(plain))
        if other not in (None, self.name):
            raise DataError(
                f"{plain}: the labels of {other}, not of {self.name}: "
                f"set data.dataset to {other}, or name another folder"
            )
        return labels.astype(np.intp)

    @property
    def _remedy(self) -> str:
        return f"get the published file again, or: cifar-linear data download {self.name}"

    def _find(self, data_dir: Path) -> Path:
        """The folder with the files."""
        try:
            for folder in (data_dir / self.folder, data_dir / "raw", data_dir):
                if any(_published(folder / f"{name}-images-idx3-ubyte") for name in self.images):
                    return folder
            wanted = f"the four files, such as train-images-idx3-ubyte, plain or .gz, also in {self.folder}"
            raise not_found(data_dir, self.title, self.name, wanted)
        except OSError as error:
            raise DataError(f"{data_dir}: cannot be read: {error.strerror}") from error

    def _existing(self, plain: Path) -> Path:
        if path := _published(plain):
            return path
        raise DataError(
            f"{plain}: missing, also as .gz, though {plain.parent} holds other {self.title} files; {self._remedy}"
        )

    def _read_idx(self, plain: Path, shape: tuple[int, ...]) -> Images:
        """Read an IDX file of unsigned bytes that must hold an array of this shape."""
        path = self._existing(plain)
        header = struct.Struct(f">HBB{len(shape)}I")
        size = header.size + int(np.prod(shape))
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                content = file.read(size + 1)  # One byte more reveals a longer file; a bomb is never unpacked.
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{path}: cannot be read: {reason}; {self._remedy}") from error
        if len(content) < header.size:
            raise DataError(f"{path}: holds {len(content)} bytes, not even the header of an IDX file; {self._remedy}")
        zero, kind, dimensions, *found = header.unpack_from(content)
        if (zero, kind, dimensions) != (0, _UINT8, len(shape)):
            expected = header.pack(0, _UINT8, len(shape), *shape)[:4].hex()
            raise DataError(
                f"{path}: begins with {content[:4].hex()}, an IDX file of this kind with {expected}; {self._remedy}"
            )
        if tuple(found) != shape:
            raise DataError(f"{path}: says it holds {tuple(found)}, the published file holds {shape}; {self._remedy}")
        if len(content) != size:
            more = "more than" if len(content) > size else f"only {len(content)} of"
            raise DataError(f"{path}: holds {more} the {size} bytes that its header promises; {self._remedy}")
        return np.frombuffer(content, np.uint8, offset=header.size).reshape(shape)


def _published(path: Path) -> Path | None:
    """The plain file, else the gzipped one, else None."""
    packed = path.with_name(f"{path.name}.gz")
    return path if path.is_file() else packed if packed.is_file() else None


MNIST = Mnist(
    name="mnist",
    title="MNIST",
    folder="MNIST/raw",
    class_names=tuple("0123456789"),
    images={"train": 60_000, "t10k": 10_000},
)
FASHION_MNIST = Mnist(
    name="fashion_mnist",
    title="Fashion-MNIST",
    folder="FashionMNIST/raw",
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    images={"train": 60_000, "t10k": 10_000},
)
