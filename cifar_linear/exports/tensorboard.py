"""Metrics as an event file of TensorBoard."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from cifar_linear.exports.protobuf import double, integer, message, repeated, single, text

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, bits reversed (RFC 3720, appendix B.4)."""
_MASK = 0xA282EAD8
_PLACES = ("epoch", "step", "seconds")


def events(rows: Sequence[Mapping[str, float]], started: float) -> bytes:
    """The content of an event file: a scalar for each metric and evaluation, at its update step.

    Metrics of several splits are named like ``loss/train``, so that TensorBoard draws them side by side.

    Args:
        rows: those of ``metrics.csv``.
        started: when training began, in seconds since 1970.
    """
    return b"".join(map(_record, _events(rows, started)))


def _events(rows: Sequence[Mapping[str, float]], started: float) -> Iterator[bytes]:
    """Yield Event messages, the first with the version of the format."""
    yield double(1, started) + text(3, "brain.Event:2")
    for row in rows:
        values = [text(1, _tag(name)) + single(2, value) for name, value in row.items() if name not in _PLACES]
        yield double(1, started + row["seconds"]) + integer(2, int(row["step"])) + message(5, repeated(1, values))


def _tag(column: str) -> str:
    """A column's name in TensorBoard: the quantity, then the split.

    >>> _tag("train_loss"), _tag("eta")
    ('loss/train', 'eta')
    """
    split, _, quantity = column.partition("_")
    return f"{quantity}/{split}" if split in ("train", "validation") else column


def _record(content: bytes) -> bytes:
    """A record of a TFRecord file: length and content, each with its checksum."""
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    """CRC-32C, rotated and shifted: a checksum of data that holds checksums would else be weak."""
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """The checksum of RFC 3720.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    table, crc = _table(), 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ table[crc & 255 ^ byte]
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> list[int]:
    """What each byte does to the checksum."""
    table = list(range(256))
    for _bit in range(8):
        table = [crc >> 1 ^ _POLYNOMIAL * (crc & 1) for crc in table]
    return table
