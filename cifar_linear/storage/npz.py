"""Arrays as the bytes of an .npz file: never pickled, and never compressed, which rules out decompression bombs."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

_ENTRY = b"PK\x01\x02"
"""The signature of a file's entry in the directory of a zip archive; an .npz file is one."""
_MOST_ARRAYS = 100


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays as the bytes of an .npz file; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{key: np.asarray(value) for key, value in arrays.items()})
    return buffer.getvalue()


def unpacked(content: bytes, most: int = _MOST_ARRAYS) -> dict[str, Any]:
    """Return all arrays. Raises ValueError, with the reason, if the content is invalid.

    Args:
        content: content of the file.
        most: largest number of arrays that a file may have.
    """
    try:
        if content.count(_ENTRY) > most:
            raise ValueError(f"it has more than {most} arrays")
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > len(content):
                raise ValueError("it claims to unpack to more bytes than it has")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except Exception as error:  # NumPy and zipfile document no common exception for a damaged archive
        raise ValueError(str(error)) from error
