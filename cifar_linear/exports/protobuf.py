"""Messages of Protocol Buffers as bytes: as much of the format as ONNX models and TensorBoard's events need.

https://protobuf.dev/programming-guides/encoding
"""

import struct
from collections.abc import Iterable

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def integer(field: int, value: int) -> bytes:
    """An int32, int64 or enum, from 0.

    >>> integer(1, 150).hex()
    '089601'
    """
    return _key(field, _VARINT) + _varint(value)


def double(field: int, value: float) -> bytes:
    """A number of eight bytes."""
    return _key(field, _EIGHT_BYTES) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """A number of four bytes."""
    return _key(field, _FOUR_BYTES) + struct.pack("<f", value)


def text(field: int, value: str) -> bytes:
    """A string.

    >>> text(2, "testing").hex()
    '120774657374696e67'
    """
    return message(field, value.encode())


def message(field: int, *parts: bytes) -> bytes:
    """A message within a message, from its fields; or bytes."""
    content = b"".join(parts)
    return _key(field, _BYTES) + _varint(len(content)) + content


def repeated(field: int, messages: Iterable[bytes]) -> bytes:
    """Several messages in the same field."""
    return b"".join(message(field, content) for content in messages)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    """Seven bits in each byte, the lowest first; all but the last have their highest bit set."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    groups.append(value)
    return bytes(groups)
