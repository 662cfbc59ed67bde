"""Labels from users' files, as integers or names, and the classes that they stand for."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifar_linear.arrays import Labels
from cifar_linear.data.array_files import ENDINGS, open_array, refuse_pickle
from cifar_linear.errors import DataError

_TEXT = (".csv", ".tsv", ".txt")
_HEADERS = ("label", "labels", "class", "target", "y")
"""First lines of a single column that are not a label."""


def read_labels(path: Path, key: str | None = None) -> NDArray[Any]:
    """Read labels: int64 or text, (n,).

    Args:
        path: of an array file, or of text with a label in each line.
        key: of the array in a file of several, or the title of a column.

    Raises:
        DataError: if there are no labels in it, or they are neither integers nor names.
    """
    labels = _from_text(path, key) if path.suffix in _TEXT else _from_array(path, key)
    if labels.ndim != 1:
        hint = "; of one-hot rows take y.argmax(axis=1)" if labels.ndim == 2 and labels.shape[1] > 1 else ""
        raise DataError(f"{path}: labels have the shape {labels.shape}, expected (n,){hint}")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if labels.dtype.kind not in "iubU":
        raise DataError(f"{path}: labels are {labels.dtype}; expected integers or names. Whole numbers: y.astype(int)")
    return labels if labels.dtype.kind == "U" else labels.astype(np.int64)


def read_names(path: Path) -> tuple[str, ...]:
    """Read names of classes, one in each line. Raises `DataError`."""
    names = tuple(line.strip() for line in _text_of(path).splitlines() if line.strip())
    if len(names) < 2:
        raise DataError(f"{path}: holds {len(names)} names of classes, one in a line; at least two are needed")
    return names


def classes_of(labels: NDArray[Any], path: Path, named: bool = False) -> tuple[str, ...]:
    """The classes of training labels: names in alphabetical order, or every integer from 0.

    Raises `DataError` for a single class, and for integers that leave a class out, unless the classes are ``named``.
    """
    found = np.unique(labels)
    if len(found) < 2:
        only = f"only the class {found[0]}" if len(found) else "no labels"
        raise DataError(f"{path}: {only}; a classifier needs two classes at least")
    if labels.dtype.kind == "U":
        return tuple(map(str, found))
    if not named and (found[0] < 0 or len(found) <= found[-1]):
        gap = next((i for i, label in enumerate(found.tolist()) if label != i), len(found))
        raise DataError(
            f"{path}: integers must be 0 to K - 1, each of them there; found {found[0]} to {found[-1]} without {gap}. "
            "numpy.unique(y, return_inverse=True)[1] renumbers them; or name all classes in data.class_names"
        )
    return tuple(map(str, found.tolist()))


def numbered(labels: NDArray[Any], names: Sequence[str], path: Path) -> Labels:
    """Labels as indices of class names, (n,). Raises `DataError` for the first that is none of them."""
    if labels.dtype.kind != "U":
        wrong = np.flatnonzero((labels < 0) | (labels >= len(names)))
        if wrong.size:
            raise DataError(
                f"{path}: label {labels[wrong[0]]} in row {wrong[0]} ({wrong.size} such rows); "
                f"there are {len(names)} classes, 0 to {len(names) - 1}"
            )
        return labels.astype(np.intp)
    index = {name: k for k, name in enumerate(names)}
    found, inverse = np.unique(labels, return_inverse=True)
    for k, name in enumerate(found.tolist()):
        if name not in index:
            rows = np.flatnonzero(inverse == k)
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{path}: label {name!r} in row {rows[0]} ({rows.size} such rows) is not a known class{hint}"
            )
    numbers: Labels = np.array([index[name] for name in found.tolist()], np.intp)[inverse]
    return numbers


def _from_array(path: Path, key: str | None) -> NDArray[Any]:
    refuse_pickle(path)
    if path.suffix not in ENDINGS:
        raise DataError(f"{path}: labels are read from {', '.join((*ENDINGS, *_TEXT))}")
    return np.array(open_array(path, key, preferred="labels").array)


def _from_text(path: Path, key: str | None) -> NDArray[Any]:
    """A column of text: as integers if all of them are."""
    separator = "\t" if path.suffix == ".tsv" else ","
    lines = _text_of(path).splitlines()
    rows = list(csv.reader(lines, delimiter=separator)) if path.suffix != ".txt" else [[line] for line in lines]
    cells = _column([[cell.strip() for cell in row] for row in rows if row], path, key)
    if (empty := next((i for i, cell in enumerate(cells) if not cell), None)) is not None:
        raise DataError(f"{path}: label {empty} is empty")
    try:
        return np.array([int(cell) for cell in cells], np.int64)
    except (ValueError, OverflowError):
        if all(map(_is_number, cells)):
            raise DataError(f"{path}: labels are numbers such as {cells[0]}; expected integers or names") from None
        return np.array(cells, np.str_)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _column(rows: list[list[str]], path: Path, key: str | None) -> list[str]:
    if not rows:
        raise DataError(f"{path}: is empty; expected a label in each line")
    if key is not None:
        if key not in rows[0]:
            raise DataError(f"{path}: has no column {key!r}; its first line: {', '.join(rows[0])}")
        place, rows = rows[0].index(key), rows[1:]
    else:
        if len(rows[0]) > 1:
            raise DataError(f"{path}: has {len(rows[0])} columns; name that of the labels in labels_key")
        place, rows = 0, rows[rows[0][0].lower() in _HEADERS :]
    short = next((i for i, row in enumerate(rows) if len(row) <= place), None)
    if short is not None:
        raise DataError(f"{path}: row {short} has no label")
    return [row[place] for row in rows]


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text in UTF-8") from error
