"""What is in a stored array: its SHA-256, and whether it holds numbers to train on; remembered by size and time."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.data.array_files import Stored
from cifar_linear.data.sources import default_folder
from cifar_linear.errors import DataError, RunError
from cifar_linear.storage.atomic import write_whole

_CHUNK = 2**22
"""Bytes that are looked at at once: they stay in the processor's cache."""
_MEMORY = "inspected.json"
_MOST = 200
"""Files that are remembered, the last ones."""
_TOO_NEW = 2.0
"""Seconds after a change within which another one may leave the time as it is."""
_NAMED = 5


class ArrayFacts(NamedTuple):
    """What one pass through an array (n, d) of numbers finds.

    Attributes:
        sha256: of the content row by row, in hexadecimal.
        largest: the largest absolute value.
        zero_rows: how many rows hold nothing but zeros.
        first_zero_row: the index of the first of them; -1 for none.
    """

    sha256: str
    largest: float
    zero_rows: int
    first_zero_row: int


def inspect(stored: Stored) -> ArrayFacts:
    """Return the facts about an array (n, d), from memory if its file has the size and the time that it had then.

    Raises:
        DataError: if a number is not finite; the message has the first rows of them and their count.
    """
    key, state = _key(stored), _state(stored.path)
    remembered = _remembered()
    known = remembered.get(key)
    if known and known["state"] == state:
        return ArrayFacts(**known["facts"])
    facts = _pass_through(stored)
    if time.time() - state[1] / 1e9 > _TOO_NEW and state == _state(stored.path):
        others = {other: entry for other, entry in remembered.items() if other != key}
        kept = dict(list(others.items())[-_MOST + 1 :]) | {key: {"state": state, "facts": facts._asdict()}}
        _remember(kept)
    return facts


def _pass_through(stored: Stored) -> ArrayFacts:
    digest, largest, zeros, first_zero = hashlib.sha256(), 0.0, 0, -1
    array = stored.array
    rows = max(1, _CHUNK // max(1, array.shape[1] * array.itemsize))
    for start in range(0, len(array), rows):
        stored.check()
        chunk = np.ascontiguousarray(array[start : start + rows])
        digest.update(chunk.data)
        peak = float(max(chunk.max(), -float(chunk.min()))) if chunk.size else 0.0
        if not np.isfinite(peak):
            raise DataError(_not_finite(stored, rows))
        largest = max(largest, peak)
        empty = np.flatnonzero(~chunk.any(axis=1))
        if empty.size and first_zero < 0:
            first_zero = start + int(empty[0])
        zeros += len(empty)
        stored.advise("MADV_DONTNEED", start, start + len(chunk))
    return ArrayFacts(digest.hexdigest(), largest, zeros, first_zero)


def _not_finite(stored: Stored, rows: int) -> str:
    """Name the first rows that hold NaN or infinity, and count all."""
    array = stored.array
    chunks = range(0, len(array), rows)
    wrong = np.concatenate(
        [start + np.flatnonzero(~np.isfinite(array[start : start + rows]).all(axis=1)) for start in chunks]
    )
    named = ", ".join(map(str, wrong[:_NAMED])) + (", ..." if len(wrong) > _NAMED else "")
    return f"{stored.path}: {len(wrong)} of {len(array)} rows hold NaN or infinity (rows {named}); leave them out"


def _key(stored: Stored) -> str:
    return f"{stored.path.resolve()}:{stored.key or ''}:{stored.array.shape}"


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _remembered() -> dict[str, Any]:
    """What was written; nothing if that cannot be read, since all of it can be found again."""
    try:
        content = json.loads((default_folder() / _MEMORY).read_bytes())
        return content if all(ArrayFacts(**entry["facts"]) and entry["state"] for entry in content.values()) else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _remember(entries: dict[str, Any]) -> None:
    """Write them, if there is a place: a read-only home costs time, nothing else."""
    try:
        write_whole(default_folder() / _MEMORY, json.dumps(entries, indent=1).encode())
    except RunError:
        return
