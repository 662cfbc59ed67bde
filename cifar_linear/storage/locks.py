"""One process at a time in a folder. The lock goes with the process that holds it, however that ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cifar_linear.errors import RunError

if sys.platform != "win32":
    import fcntl

LOCK = ".lock"
"""The file that is locked; it is empty and stays."""

_PATIENCE = 1.0
"""Seconds: longer than it takes others to look whether a folder is locked."""


@contextmanager
def locked(folder: Path, busy: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep other processes out of a folder; in this one, a block may stand within another.

    If one has it already, ``waiting`` is told ``busy`` and the end of the other awaited; without it `RunError` says so.
    """
    lock = FileLock(folder / LOCK, is_singleton=True)
    try:
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout as error:
            if waiting is None:
                raise RunError(f"{folder}: {busy}") from error
            waiting(f"{folder}: {busy}")
            lock.acquire()
    except OSError as error:
        raise RunError(f"{folder / LOCK}: cannot be locked: {error.strerror}; is the folder yours to write?") from error
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process has the folder, this one included; it need not be ours to write."""
    try:
        with (folder / LOCK).open("rb") as file:
            if sys.platform == "win32":  # where a locked file cannot be opened for writing
                (folder / LOCK).open("ab").close()
            else:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
