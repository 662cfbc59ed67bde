"""Pictures in folders, one for each class, become an array file with labels beside it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Images
from cifar_linear.data.image_files import picture_size, read_pictures
from cifar_linear.errors import DataError
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.storage.atomic import whole_folder
from cifar_linear.storage.npy import npy_rows

IMAGES, LABELS, FILES = "images.npy", "labels.npy", "files.csv"
"""What an import writes: uint8 (n, channels, height, width); the names of their classes, (n,); the file of each row."""

_ENDINGS = (".png", ".jpg", ".jpeg")
_AT_ONCE = 256
_MEMORY = 2**25
"""Bytes of pictures that are read at once, at most."""


class Picture(NamedTuple):
    """A file and the class in whose folder it is."""

    path: Path
    label: str


class Found(NamedTuple):
    """The pictures of a folder, and how many other files there are, by their endings."""

    pictures: list[Picture]
    others: Counter[str]


class Imported(NamedTuple):
    """What an import has written.

    Attributes:
        images: the number of images of each class.
        image_shape: (channels, height, width).
        left_out: the number of pictures that cannot be read.
    """

    images: Mapping[str, int]
    image_shape: tuple[int, int, int]
    left_out: int


class ImportListener(NamedTuple):
    """Functions that are called during an import.

    Attributes:
        say: with a line of text for the user.
        done: with the number of pictures dealt with so far.
    """

    say: Callable[[str], None]
    done: Callable[[int], object]


def find_pictures(folder: Path) -> Found:
    """Find the PNG and JPEG files in the folders of a folder, one for each class, which is named after it.

    Hidden files and folders are passed over. The order is random, but always the same: so every part of it has all
    classes.

    Raises `DataError` if there are not at least two classes, each with a picture.
    """
    try:
        return _found(folder)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error


def import_folder(
    found: Found,
    out: Path,
    size: tuple[int, int] | None,
    listener: ImportListener,
    *,
    grey: bool = False,
    skip_broken: bool = False,
) -> Imported:
    """Write pictures into a new folder as arrays, in one pass that holds a few of them in memory.

    Args:
        found: the result of `find_pictures`.
        out: the folder to write, with the files `IMAGES`, `LABELS` and `FILES`.
        size: width and height of the images, to which all pictures are squeezed; None if all have one size already.
        listener: is told of progress, and of each picture that cannot be read.
        grey: whether images have one channel, not three.
        skip_broken: whether pictures that cannot be read are left out, not refused.

    Raises:
        DataError: pictures cannot be read; nothing is written.
        ConfigError: pictures differ in size, and none is given; or the folder exists.
        RunError: the folder cannot be written.
    """
    width, height = size or _first_size(found.pictures)
    shape = (1 if grey else 3, height, width)
    written: list[Picture] = []
    with whole_folder(out) as folder:
        with npy_rows(folder / IMAGES, shape, np.uint8) as append:
            for picture, row in _rows(found.pictures, shape, listener, squeeze=size is not None):
                append(row)
                written.append(picture)
        broken, counts = len(found.pictures) - len(written), Counter(picture.label for picture in written)
        if broken and not skip_broken:
            raise DataError(
                f"{broken} of {len(found.pictures)} pictures cannot be read, as listed above, and nothing is written; "
                "repair or remove them, or leave them out with --skip-broken"
            )
        _check_each_class(found.pictures, counts)
        np.save(folder / LABELS, np.array([picture.label for picture in written]))
        _write_files(folder / FILES, written)
    return Imported(dict(sorted(counts.items())), shape, broken)


def _found(folder: Path) -> Found:
    entries = sorted(_visible(folder))
    classes = [entry for entry in entries if entry.is_dir()]
    if len(classes) < 2:
        only = f"only one folder, {classes[0].name}" if classes else "no folders"
        raise DataError(
            f"{folder}: {only} in it; there must be one for each class, with its pictures, and two at least"
        )
    files = {entry: sorted(path for path in _visible(entry) if path.is_file()) for entry in classes}
    pictures = {entry: [path for path in paths if _is_picture(path)] for entry, paths in files.items()}
    if empty := [entry for entry, paths in pictures.items() if not paths]:
        names = ", ".join(entry.name for entry in empty)
        hint = " (if its folders are classes, import it by itself)" if any(map(Path.is_dir, _visible(empty[0]))) else ""
        raise DataError(f"{folder}: no PNG or JPEG picture in {names}; remove the folder or fill it{hint}")
    others = Counter(path.suffix.lower() for paths in files.values() for path in paths if not _is_picture(path))
    ordered = [Picture(path, entry.name) for entry, paths in pictures.items() for path in paths]
    return Found([ordered[i] for i in rng_for(0, Purpose.IMPORTED_PICTURES).permutation(len(ordered))], others)


def _visible(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS


def _first_size(pictures: Sequence[Picture]) -> tuple[int, int]:
    """Width and height of the first picture that has them. Raises `DataError` if none has."""
    for picture in pictures:
        try:
            return picture_size(picture.path)
        except DataError as error:
            problem = error
    raise problem


def _rows(
    pictures: Sequence[Picture], shape: tuple[int, ...], listener: ImportListener, *, squeeze: bool
) -> Iterator[tuple[Picture, Images]]:
    """Each picture that can be read, with its pixels (d,)."""
    step = max(1, min(_AT_ONCE, _MEMORY // prod(shape)))
    for start in range(0, len(pictures), step):
        part = pictures[start : start + step]
        for picture, row in zip(part, read_pictures([each.path for each in part], shape, squeeze=squeeze), strict=True):
            if isinstance(row, DataError):
                listener.say(str(row))
            else:
                yield picture, row
        listener.done(start + len(part))


def _check_each_class(pictures: Sequence[Picture], counts: Mapping[str, int]) -> None:
    for picture in pictures:
        if not counts.get(picture.label):
            raise DataError(f"{picture.path.parent}: none of its pictures can be read; nothing is written")


def _write_files(path: Path, pictures: Sequence[Picture]) -> None:
    """The file of each row, from the folder of classes on."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(["row", "class", "file"])
        table.writerows([i, each.label, f"{each.label}/{each.path.name}"] for i, each in enumerate(pictures))
