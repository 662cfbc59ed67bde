"""The images of a split that a file lists, by their numbers."""

import csv
import io
from pathlib import Path

import numpy as np

from cifar_linear.arrays import Bools
from cifar_linear.data.dataset import SplitName
from cifar_linear.errors import DataError
from cifar_linear.experiments.classifier import Scored

_LARGEST = 2**24


def listed_images(path: Path, split: SplitName, count: int) -> Bools:
    """Read which images of a split a file lists, (count,).

    Args:
        path: a table with a column that has the name of the split, as `data duplicates` and `data doubts` write it, or
            a text with a number in each line, from 0.
        split: whose images they are.
        count: how many images it has.

    Raises `DataError` if the file cannot be read, lists nothing, or something else than images of this split.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode()
        numbers = np.array(numbers_of_csv(text, split), np.intp)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        what = "no text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise DataError(
            f"{path}: {what}; a list has a column {split}, or the number of an image in each line"
        ) from error
    if not len(numbers):
        raise DataError(f"{path}: lists no images")
    if numbers.max() >= count:
        raise DataError(f"{path}: lists image {numbers.max()}, but the {split} images are numbered 0 to {count - 1}")
    listed = np.zeros(count, np.bool_)
    listed[numbers] = True
    if listed.all():
        raise DataError(f"{path}: lists all {count} {split} images; nothing would be left")
    return listed


def numbers_of_csv(text: str, column: str) -> list[int]:
    """Return the whole numbers of a column of a table, or of a list without a header, a number in each line.

    Args:
        text: the table or list.
        column: its name in the table's header.

    Raises:
        ValueError: if the table has no such column, or a cell is no whole number from 0; the message says where.
    """
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"no table: {error}") from error
    head = lines[0] if lines else []
    has_header = not all(cell.strip().isdecimal() for cell in head)
    if has_header and column not in head:
        raise ValueError(f"there is no column {column} in it, only {', '.join(head)}")
    place = head.index(column) if has_header else 0
    numbers = []
    for count, line in enumerate(lines, start=1):
        if line and not (has_header and count == 1):
            cell = line[place].strip() if len(line) > place else ""
            if not (cell.isascii() and cell.isdecimal() and len(cell) < 10):
                raise ValueError(f"line {count}: {cell!r} is not the number of an image")
            numbers.append(int(cell))
    return numbers


def parted(scored: Scored, path: Path, split: SplitName) -> dict[str, Scored]:
    """The scores of the images that a file does not list, and of those that it lists. Raises what `listed_images` does.

    Args:
        scored: of all images of the split.
        path: the file.
        split: whose images it lists.
    """
    listed = listed_images(path, split, len(scored.split))
    return {"not_listed": scored.part(~listed), "listed": scored.part(listed)}
