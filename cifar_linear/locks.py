"""One process at a time in a folder. The lock goes with the process that holds it, however that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cifar_linear.errors import RunError

LOCK = ".lock"
"""The file that is locked; it is empty and stays."""

_PATIENCE = 1.0
"""Seconds: longer than it takes others to look whether a folder is locked."""


@contextmanager
def locked(folder: Path, busy: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep other processes out of a folder.

    If one has it already, ``waiting`` is told ``busy`` and the end of the other awaited; without it `RunError` says so.
    """
    lock = FileLock(folder / LOCK, timeout=_PATIENCE)
    try:
        try:
            lock.acquire()
        except Timeout as error:
            if waiting is None:
                raise RunError(f"{folder}: {busy}") from error
            waiting(f"{folder}: {busy}")
            lock.acquire(timeout=-1)
    except OSError as error:
        raise RunError(f"{folder}: cannot be locked: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process has the folder; where that cannot be asked, it is taken to be so."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return True
    lock.release()
    return False
