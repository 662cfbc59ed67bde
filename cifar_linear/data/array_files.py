"""Arrays from users' files: ``.npy`` and ``.safetensors`` mapped, ``.npz`` read; nothing that can run code."""

from __future__ import annotations

import json
import math
import mmap
import shlex
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from cifar_linear.arrays import Examples
from cifar_linear.errors import DataError

ENDINGS = (".npy", ".npz", ".safetensors")
_LARGE = 2**29
"""Bytes; of a larger file no more pages stay in memory than are in use."""
_LONGEST_HEADER = 2**20
_SAFETENSORS = {
    "F16": "<f2", "F32": "<f4", "F64": "<f8", "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?",
}  # fmt: skip
_PICKLES = {
    ".pt": "import numpy, torch; numpy.save({out}, torch.load({path}, weights_only=True).numpy())",
    ".pkl": "import numpy, pickle; numpy.save({out}, numpy.asarray(pickle.load(open({path}, 'rb'))))",
    ".joblib": "import joblib, numpy; numpy.save({out}, numpy.asarray(joblib.load({path})))",
}
_PICKLES |= {".pth": _PICKLES[".pt"], ".pickle": _PICKLES[".pkl"]}


class _Place(NamedTuple):
    """Where an array is in its file, and what it is."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    by_columns: bool = False


@dataclass(frozen=True)
class Stored:
    """An array, and the file that it is mapped from.

    Attributes:
        path: of the file.
        key: of the array in the file; None for the only one.
        array: read-only if it is mapped.
        map: of the whole file; None for an array that was read into memory.
        offset: where the array begins in the file, in bytes.
    """

    path: Path
    key: str | None
    array: Examples
    map: mmap.mmap | None = None
    offset: int = 0

    @property
    def is_large(self) -> bool:
        """Whether it is mapped from a file so large that its pages are released after use."""
        return self.map is not None and self.array.nbytes > _LARGE and self.array.flags.c_contiguous

    def check(self) -> None:
        """Raise `DataError` if the file has become shorter, before reading it would end the process."""
        if self.map is not None and self.map.size() < self.offset + self.array.nbytes:
            raise DataError(f"{self.path}: became shorter while it was read; write a new file, and then rename it")

    def advise(self, advice: str, first: int, end: int) -> None:
        """Tell the system about the rows from ``first`` to before ``end``, where it can be told."""
        if self.map is None or not self.is_large or not hasattr(mmap, advice) or end <= first:
            return
        row = self.array.strides[0]
        start = (self.offset + first * row) // mmap.PAGESIZE * mmap.PAGESIZE
        self.map.madvise(getattr(mmap, advice), start, self.offset + end * row - start)


def open_array(path: Path, key: str | None = None, preferred: str | None = None) -> Stored:
    """Open an array without reading it, except from ``.npz``, where arrays may be compressed.

    Args:
        path: of an ``.npy``, ``.npz`` or ``.safetensors`` file.
        key: of the array, in a file of several; None for the only one.
        preferred: the key where none is given and there are several.

    Raises:
        DataError: if the file or the array is missing, damaged, or of a kind that is not read; a pickle among them,
            with a line that converts it.
    """
    refuse_pickle(path)
    if path.suffix not in ENDINGS:
        raise DataError(f"{path}: arrays are read from {', '.join(ENDINGS)}; convert it with numpy.save")
    if path.suffix == ".npy" and key is not None:
        raise DataError(f"{path}: an .npy file has a single array and no keys; leave out {key!r}")
    try:
        if path.suffix == ".npz":
            return _read_npz(path, key, preferred)
        with path.open("rb") as file:
            place = _place_in_npy(path, file) if path.suffix == ".npy" else _place_by_key(path, file, key, preferred)
            return _mapped(path, key, file, place)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _mapped(path: Path, key: str | None, file: Any, place: _Place) -> Stored:
    count = math.prod(place.shape)
    file.seek(0, 2)
    wanted, found = place.offset + count * place.dtype.itemsize, file.tell()
    if found < wanted:
        raise DataError(f"{path}: cut off: {found} bytes of the {wanted} that its header promises; copy it again")
    if not count:
        raise DataError(f"{path}: an array of the shape {place.shape}: there is nothing in it")
    whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    flat: Examples = np.frombuffer(whole, place.dtype, count, place.offset)
    array = flat.reshape(place.shape[::-1]).T if place.by_columns else flat.reshape(place.shape)
    return Stored(path, key, array, whole, place.offset)


def _place_in_npy(path: Path, file: Any) -> _Place:
    try:
        major, _ = npy.read_magic(file)
        read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        shape, by_columns, dtype = read(file)
        if min(shape, default=0) < 0:
            raise ValueError(f"it has the shape {shape}")
    except (ValueError, EOFError, TypeError, SyntaxError, OverflowError, RecursionError, tokenize.TokenError) as error:
        raise DataError(f"{path}: not an array as numpy.save writes it: {_first_line(error)}") from error
    if dtype.hasobject:
        raise DataError(
            f"{path}: an array of Python objects is a pickle, which is not read; save numbers or text: "
            "numpy.save(file, array.astype(float)) or .astype(str)"
        )
    return _Place(dtype, shape, file.tell(), by_columns)


def _place_by_key(path: Path, file: Any, key: str | None, preferred: str | None) -> _Place:
    """Of a tensor in a safetensors file: https://github.com/huggingface/safetensors."""
    length = int.from_bytes(file.read(8), "little")
    if length > _LONGEST_HEADER:
        raise DataError(f"{path}: not a safetensors file: its header would have {length} bytes")
    try:
        contents = json.loads(file.read(length))
        contents.pop("__metadata__", None)
        key = _key_in(path, list(contents), key, preferred)
        entry = contents[key]
        kind, shape, (start, end) = entry["dtype"], tuple(map(int, entry["shape"])), map(int, entry["data_offsets"])
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: not a safetensors file: {_first_line(error)}") from error
    if kind not in _SAFETENSORS:
        raise DataError(f"{path}: {key} is {kind}, which NumPy does not have; store it as float32: tensor.float()")
    dtype = np.dtype(_SAFETENSORS[kind])
    if start < 0 or min(shape, default=0) < 0 or end - start != math.prod(shape) * dtype.itemsize:
        raise DataError(f"{path}: damaged: {key} of {kind} {shape} does not have {end - start} bytes")
    return _Place(dtype, shape, 8 + length + start)


def _read_npz(path: Path, key: str | None, preferred: str | None) -> Stored:
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file) as arrays:
            key = _key_in(path, arrays.files, key, preferred)
            return Stored(path, key, arrays[key])
    except (DataError, OSError):
        raise
    except Exception as error:  # NumPy and zipfile document no common exception for a damaged archive
        raise DataError(f"{path}: not arrays as numpy.savez writes them: {_first_line(error)}") from error


def _key_in(path: Path, keys: list[str], key: str | None, preferred: str | None) -> str:
    """The key that is meant. Raises `DataError` with the keys that there are."""
    listed = ", ".join(keys) or "none"
    if key is not None and key not in keys:
        raise DataError(f"{path}: has no array {key!r}; its arrays: {listed}")
    found = key or (preferred if preferred in keys else keys[0] if len(keys) == 1 else None)
    if found is None:
        raise DataError(f"{path}: which array? its arrays: {listed}; name one by its key, features_key or labels_key")
    return found


def refuse_pickle(path: Path) -> None:
    """Raise `DataError` for the name of a pickle, with a line that converts it."""
    if path.suffix in _PICKLES:
        names = {"path": repr(str(path)), "out": repr(str(path.with_suffix(".npy")))}
        line = shlex.quote(_PICKLES[path.suffix].format(**names))
        raise DataError(
            f"{path}: a pickle can run any code when it is read, so it is not; "
            f"if you trust it, convert it once: python -c {line}"
        )


def _first_line(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return f"no entry {text}" if isinstance(error, KeyError) else text
