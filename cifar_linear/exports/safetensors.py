"""Arrays as a .safetensors file: a table of contents in JSON, then the bytes of the arrays.

https://github.com/huggingface/safetensors
"""

import json
from collections.abc import Mapping

import numpy as np

from cifar_linear.arrays import Floats

_NAMES = {"float32": "F32", "float64": "F64"}
_ALIGNED = 8


def safetensors(arrays: Mapping[str, Floats], facts: Mapping[str, str]) -> bytes:
    """The content of a file; the same arrays give the same bytes.

    Args:
        arrays: of float32 or float64, by name.
        facts: are kept in the file as text.
    """
    contents: dict[str, object] = {"__metadata__": dict(facts)}
    parts: list[bytes] = []
    end = 0
    # The widest numbers first: all are then aligned.
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        parts.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        start, end = end, end + len(parts[-1])
        contents[name] = {"dtype": _NAMES[array.dtype.name], "shape": array.shape, "data_offsets": [start, end]}
    header = json.dumps(contents, separators=(",", ":")).encode()
    header += b" " * (-len(header) % _ALIGNED)
    return b"".join([len(header).to_bytes(8, "little"), header, *parts])
