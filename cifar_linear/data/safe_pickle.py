"""Reading pickled NumPy arrays from files of unknown origin, without running code that they name.

A pickle names functions for the reader to call. Here the names of NumPy's array constructors lead to inert
stand-ins that only store their arguments, and any other name is refused.
"""

import math
import pickle
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from cifar_linear.arrays import Images

_READS, _READS_PER_IMAGE = 1000, 20
"""At most, for a batch as such and for each image in it; published ones need less than 100, and 7 or 9."""


class PickleError(Exception):
    """A pickle that is damaged or needs more than arrays."""


class _Marker:
    """Stands for ``numpy.ndarray``, which pickles name but need not call."""


class _PickledDtype:
    """Stands for ``numpy.dtype(code, ...)``."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment: they mean nothing for bytes, the only dtype that is read."""


class PickledArray:
    """Stands for an array under construction; `as_bytes_array` returns it if it is a complete one of uint8."""

    def __init__(self, *_: object) -> None:
        self._state: object = None

    def __setstate__(self, state: object) -> None:
        self._state = state

    def as_bytes_array(self) -> Images:
        """The array, sharing memory with the unpickled bytes. Raises `PickleError` for any other kind of array."""
        match self._state:
            case (int(), tuple(shape), _PickledDtype(code=b"u1" | "u1"), False | 0, bytes(content)) if all(
                isinstance(length, int) and length >= 0 for length in shape
            ) and math.prod(shape) == len(content):
                return np.frombuffer(content, np.uint8).reshape(shape)
        raise PickleError("an array in it is not uint8 in C order, or not complete")


_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("numpy", "ndarray"): _Marker,
    ("numpy", "dtype"): _PickledDtype,
}


_NEEDLESS = (
    *(pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4),
    *(pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX),
    *(pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
)
"""Instructions that make objects in other ways, or reserve memory before there is anything to put into it."""


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler, not the one in C: its memo is a dictionary, so no instruction can ask for gigabytes."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise PickleError(f"it asks for {module}.{name}, which no image batch needs; refused") from None

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], PickledArray | _PickledDtype):
            raise PickleError("it sets the state of something that is not an array; refused")
        self.stack[-1].__setstate__(state)

    def refuse(self) -> None:
        raise PickleError("it has an instruction that no image batch needs; refused")

    dispatch[pickle.BUILD[0]] = load_build
    dispatch |= dict.fromkeys((instruction[0] for instruction in _NEEDLESS), refuse)


class _Metered:
    """A file with a limited number of reads: a small pickle can be a long program."""

    def __init__(self, file: BinaryIO, size: int, most_reads: int) -> None:
        self._file, self._size, self._left = file, size, most_reads

    def read(self, size: int) -> bytes:
        self._count()
        if size > self._size:
            raise PickleError("the pickle is damaged: it promises more than the file holds")
        return self._file.read(size)

    def readline(self) -> bytes:
        self._count()
        return self._file.readline()

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise PickleError("it has far more parts than an image batch; refused")


def load_pickle(path: Path, images: int) -> dict[bytes, Any]:
    """The dictionary in a pickle, with `PickledArray` in place of arrays. Text of Python 2 stays bytes.

    Args:
        path: of the file.
        images: the number of images that it should hold; a pickle with far more parts is refused.

    Raises:
        PickleError: the file holds anything but a dictionary of plain data and arrays; nothing in it is run.
    """
    with path.open("rb") as file:
        metered = _Metered(file, path.stat().st_size, _READS + _READS_PER_IMAGE * images)
        try:
            content = _Unpickler(metered, encoding="bytes").load()
        except (PickleError, OSError):
            raise
        except Exception as error:  # a damaged pickle raises nearly anything: EOFError, IndexError, MemoryError ...
            raise PickleError(f"the pickle is damaged ({error or type(error).__name__})") from error
    if not isinstance(content, dict):
        raise PickleError(f"it holds a {type(content).__name__}, not a dictionary")
    return content
