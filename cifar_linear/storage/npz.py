"""Arrays as the bytes of an .npz file and back: nothing pickled, nothing compressed, so that no bomb hides in them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_ENTRY = b"PK\x01\x02"
"""What each file in a zip archive, which .npz is, has in its table of contents."""
_MOST_ARRAYS = 100


def packed(arrays: Mapping[str, Any]) -> bytes:
    """The same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{key: np.asarray(value) for key, value in arrays.items()})
    return buffer.getvalue()


def unpacked(content: bytes, keys: Sequence[str] | None = None, most: int = _MOST_ARRAYS) -> dict[str, Any]:
    """The arrays called ``keys``, else all. Raises ValueError, with the reason, for what `packed` cannot have made.

    Args:
        content: of the file.
        keys: names of the arrays to read; all by default.
        most: how many arrays a file may hold.
    """
    try:
        if content.count(_ENTRY) > most:
            raise ValueError(f"more than {most} arrays in it")
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > len(content):
                raise ValueError("it unpacks to more than it holds")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in (arrays.files if keys is None else keys)}
    except Exception as error:  # NumPy and zipfile document no common exception for a damaged archive
        raise ValueError(str(error)) from error
