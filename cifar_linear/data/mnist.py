"""MNIST from its four published IDX files, plain or gzipped.

Source of the format: Y. LeCun, C. Cortes and C. Burges, http://yann.lecun.com/exdb/mnist/
"""

import gzip
import shlex
import struct
import zlib
from pathlib import Path

import numpy as np

from cifar_linear.arrays import Images, Labels
from cifar_linear.data.dataset import Source
from cifar_linear.errors import DataError

CLASS_NAMES = tuple("0123456789")
IMAGE_SHAPE = (1, 28, 28)
IMAGES = {"train": 60_000, "t10k": 10_000}
"""Images of each published pair of files, by the beginning of their names."""

_UINT8 = 0x08
_REMEDY = "get the published file again, or: cifar-linear data download mnist"


def source(data_dir: Path) -> Source:
    """The two published parts, from ``MNIST/raw`` in a data folder or from the folder with the files itself.

    Raises `DataError` naming the folder, if it holds none of the files.
    """
    folder = _find(data_dir)

    def plain(name: str) -> tuple[Path, Path]:
        return folder / f"{name}-images-idx3-ubyte", folder / f"{name}-labels-idx1-ubyte"

    def files(name: str) -> tuple[Path, ...]:
        return tuple(path for file in plain(name) if (path := _published(file)))

    def read(name: str) -> tuple[Images, Labels]:
        count = IMAGES[name]
        of_images, of_labels = plain(name)
        images = _read_idx(of_images, (count, *IMAGE_SHAPE[1:]))
        labels = _read_idx(of_labels, (count,))
        wrong = np.flatnonzero(labels >= len(CLASS_NAMES))
        if wrong.size:
            raise DataError(f"{of_labels}: label {labels[wrong[0]]} at image {wrong[0]}; labels are 0 to 9; {_REMEDY}")
        return images.reshape(count, -1), labels.astype(np.intp)

    return Source(read, IMAGES.__getitem__, CLASS_NAMES, IMAGE_SHAPE, tuple(IMAGES), files)


def _find(data_dir: Path) -> Path:
    """The folder with the files."""
    try:
        for folder in (data_dir, data_dir / "MNIST" / "raw", data_dir / "raw"):
            if any(_published(folder / f"{name}-images-idx3-ubyte") for name in IMAGES):
                return folder
        state = "holds no MNIST" if data_dir.is_dir() else "not a folder" if data_dir.exists() else "does not exist"
    except OSError as error:
        raise DataError(f"{data_dir}: cannot be read: {error.strerror}") from error
    raise DataError(
        f"{data_dir}: {state}: looked there and in MNIST/raw for the four files, such as train-images-idx3-ubyte, "
        f"plain or .gz. To install it there: cifar-linear data download mnist --data-dir {shlex.quote(str(data_dir))}. "
        "If it is elsewhere, name that folder with --data-dir or CIFAR_LINEAR_DATA"
    )


def _published(path: Path) -> Path | None:
    """The plain file, else the gzipped one, else None."""
    packed = path.with_name(f"{path.name}.gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _read_idx(plain: Path, shape: tuple[int, ...]) -> Images:
    """Read an IDX file of unsigned bytes that must hold an array of this shape."""
    path = _published(plain)
    if path is None:
        raise DataError(f"{plain}: missing, also as .gz, though {plain.parent} holds other MNIST files; {_REMEDY}")
    header = struct.Struct(f">HBB{len(shape)}I")
    size = header.size + int(np.prod(shape))
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(size + 1)  # One byte more reveals a longer file; a bomb is never unpacked.
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {reason}; {_REMEDY}") from error
    if len(content) < header.size:
        raise DataError(f"{path}: holds {len(content)} bytes, not even the header of an IDX file; {_REMEDY}")
    zero, kind, dimensions, *found = header.unpack_from(content)
    if (zero, kind, dimensions) != (0, _UINT8, len(shape)):
        expected = header.pack(0, _UINT8, len(shape), *shape)[:4].hex()
        raise DataError(f"{path}: begins with {content[:4].hex()}, an IDX file of this kind with {expected}; {_REMEDY}")
    if tuple(found) != shape:
        raise DataError(f"{path}: says it holds {tuple(found)}, the published file holds {shape}; {_REMEDY}")
    if len(content) != size:
        more = "more than" if len(content) > size else f"only {len(content)} of"
        raise DataError(f"{path}: holds {more} the {size} bytes that its header promises; {_REMEDY}")
    return np.frombuffer(content, np.uint8, offset=header.size).reshape(shape)
