"""Arrays as ``.npy`` files that are written row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from numpy.typing import DTypeLike, NDArray


@contextmanager
def npy_rows(path: Path, row_shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Write an array whose number of rows is not known before; no more than a row of it is in memory.

    Args:
        path: of a new file.
        row_shape: shape of a row, all that follows n in the shape of the array.
        dtype: of the numbers.

    Yields:
        A function that appends a row of any shape with as many numbers.
    """
    rows = 0

    def append(row: NDArray[Any]) -> None:
        nonlocal rows
        file.write(np.ascontiguousarray(row, dtype).reshape(row_shape).data)
        rows += 1

    with path.open("xb") as file:
        _write_header(file, (rows, *row_shape), dtype)
        yield append
        # NumPy leaves room for a longer first number, so that this header is as long as the first.
        file.seek(0)
        _write_header(file, (rows, *row_shape), dtype)


def _write_header(file: BinaryIO, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    descr = dtype_to_descr(np.dtype(dtype))
    write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
