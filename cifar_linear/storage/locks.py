"""Locks on folders. The system releases a lock when its process ends, for whatever reason."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cifar_linear.errors import RunError

if sys.platform != "win32":
    import fcntl

LOCK = ".lock"
"""The file that is locked; it is empty and never removed."""

_PATIENCE = 1.0
"""Seconds to wait for a lock: longer than another process holds it in `is_locked`."""


@contextmanager
def locked(folder: Path, busy: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of a folder during the block; blocks of the same process may be nested.

    Args:
        folder: an existing folder.
        busy: message for the case that another process holds the lock.
        waiting: called with that message before waiting for the lock; None to raise an error instead.

    Raises:
        RunError: if another process holds the lock and ``waiting`` is None, or the folder cannot be locked.
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
        raise RunError(f"{folder / LOCK}: cannot be locked: {error.strerror}; is the folder writable?") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_if_free(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder during the block, unless another process does; for those who need it only as a sign.

    Args:
        folder: an existing folder.
    """
    lock = FileLock(folder / LOCK, is_singleton=True)
    with suppress(Timeout, OSError):
        lock.acquire(blocking=False)
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Return whether a process, possibly this one, holds the lock; the folder need not be writable."""
    try:
        with (folder / LOCK).open("rb") as file:
            if sys.platform == "win32":  # a locked file cannot be opened for writing there
                (folder / LOCK).open("ab").close()
            else:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
