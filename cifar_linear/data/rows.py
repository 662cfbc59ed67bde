"""Rows of an array, often mapped from a file, that are chosen now and read when they are used."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

from cifar_linear.arrays import Bools, Examples, Floats, Labels
from cifar_linear.data.array_files import Stored


class Rows:
    """Some rows of a stored array (n, d), which stand wherever examples do: `numpy.asarray` reads them.

    Indexing by a slice, a mask or integers chooses rows and reads nothing, so that a part of a file larger than memory
    costs no memory.

    Args:
        stored: the array and the file that it is mapped from.
        sha256: of the content of the whole array.
        chosen: indices of the rows; None for all.
        unit_length: whether each row is divided by its Euclidean norm; rows of zeros stay as they are.
    """

    ndim = 2

    def __init__(
        self, stored: Stored, sha256: str, chosen: range | Labels | None = None, unit_length: bool = False
    ) -> None:
        self._stored, self._sha256, self._unit_length = stored, sha256, unit_length
        self._chosen = range(len(stored.array)) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d) of the chosen rows."""
        return len(self._chosen), self._stored.array.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the rows when they are read."""
        own = self._stored.array.dtype
        return np.result_type(own, np.float32) if self._unit_length else own

    @cached_property
    def fingerprint(self) -> bytes:
        """What the rows are: the SHA-256 of the stored array and of the indices that are chosen of it."""
        return hashlib.sha256(self._sha256.encode() + self._indices.astype(np.int64).tobytes()).digest()

    def __getitem__(self, rows: int | slice | Bools | Labels) -> Any:
        """Choose among these rows; a single one is read."""
        if isinstance(rows, (int, np.integer)):
            return np.asarray(self[slice(rows, int(rows) + 1)])[0]
        if isinstance(rows, slice) and rows.step in (None, 1):
            return Rows(self._stored, self._sha256, self._chosen[rows], self._unit_length)
        chosen = self._indices[rows]
        return Rows(self._stored, self._sha256, chosen, self._unit_length)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Examples:
        """Read the rows; those of a large file are copied, so that its pages need not stay in memory."""
        self._stored.check()
        chosen = self._chosen
        read = self._scaled(
            self._stored.array[slice(chosen.start, chosen.stop) if isinstance(chosen, range) else chosen]
        )
        if self._stored.is_large:
            read = np.array(read)
            self.release()
        return np.array(read, dtype=dtype, copy=copy)

    def astype(self, dtype: DTypeLike) -> Examples:
        """The rows in a dtype, as a new array."""
        return np.asarray(self).astype(dtype)

    def take(self, rows: Labels, axis: int = 0, out: Examples | None = None, mode: str = "raise") -> Examples:
        """Read some of the rows, as `numpy.take` does with axis 0."""
        self._stored.check()
        stored = rows + self._chosen.start if isinstance(self._chosen, range) else self._chosen[rows]
        if not self._unit_length:
            return self._stored.array.take(stored, axis, out, mode)  # type: ignore[call-overload, no-any-return]
        return self._scaled(self._stored.array.take(stored, axis), out)

    def will_need(self) -> None:
        """Ask the system to read the pages of these rows in one go, if they are mapped from a large file."""
        self._stored.advise("MADV_WILLNEED", *self._extent)

    def release(self) -> None:
        """Let the system drop the pages of these rows, if they are mapped from a large file."""
        self._stored.advise("MADV_DONTNEED", *self._extent)

    @property
    def _extent(self) -> tuple[int, int]:
        """From the first of the chosen rows to behind the last, as they are stored."""
        if isinstance(self._chosen, range) or not len(self._chosen):
            return (self._chosen.start, self._chosen.stop) if isinstance(self._chosen, range) else (0, 0)
        return int(self._chosen.min()), int(self._chosen.max()) + 1

    @cached_property
    def _indices(self) -> Labels:
        chosen = self._chosen
        return np.arange(chosen.start, chosen.stop) if isinstance(chosen, range) else chosen

    def _scaled(self, rows: Examples, out: Examples | None = None) -> Examples:
        if not self._unit_length:
            return rows
        norms: Floats = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
        norms[norms == 0] = 1
        return np.divide(rows, norms[:, None], out=out, dtype=self.dtype, casting="unsafe")


def rows_of(stored: Stored, sha256: str, unit_length: bool = False) -> Examples:
    """All rows of a stored array as examples that are read when they are used."""
    return cast(Examples, Rows(stored, sha256, unit_length=unit_length))
