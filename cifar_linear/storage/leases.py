"""Leases on a shared disk: one process at a time, also on other machines and where the file system locks nothing.

A lease is a file that names its holder, who renews it again and again. A holder that stays silent for `DURATION` loses
it, measured by the clock of the one who waits; a dead process of the same machine loses it at once. A holder that was
only paused goes on all the same, so it must ask before it writes.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

from cifar_linear.errors import LeaseLostError, RunError

LEASE = ".lease"
"""The lease of a folder. It is there only while it is held, or after a crash."""
DURATION = 60.0
"""Seconds of silence after which a lease is lost."""
_HEARTBEAT = 15.0
_SKEW = 60.0
"""Seconds that the clocks of two machines may be apart."""
_PAUSE = 0.1


class Lease:
    """The right to work on something in a folder, as long as its holder shows signs of life.

    Args:
        path: the file, in an existing folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SoftFileLease(path, lease_duration=DURATION, heartbeat_interval=_HEARTBEAT, thread_local=False)
        self._looked = time.monotonic()

    def acquire(self) -> bool:
        """Take the lease; return False if another process holds it.

        Call it again on the same object to see how long the holder has been silent.

        Raises:
            RunError: if the file cannot be written.
        """
        if self._file.is_locked:
            return False
        try:
            self._file.acquire(blocking=False)
        except Timeout:
            return False
        except LeaseSettingsMismatch as error:
            raise RunError(f"{self.path}: held by another version of this program: {error}") from error
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}; is the folder writable?") from error
        return True

    def release(self) -> None:
        """Give the lease back. Only what is still held is removed."""
        self._file.release()

    def holder(self) -> str | None:
        """Return who holds the lease, for messages; None if it is free."""
        owner = self._file.owner
        return f"process {owner.pid} on {owner.hostname}" if owner else None

    def is_ours(self) -> bool:
        """Return whether this process holds the lease, by this object or another."""
        return self._file.is_lock_held_by_us

    def is_held_by(self, process: int, host: str) -> bool:
        """Return whether this process of another machine holds the lease, and has renewed it lately."""
        owner = self._file.owner
        if owner is None or (owner.pid, owner.hostname) != (process, host) or host == platform.node():
            return False
        try:
            return time.time() - self.path.stat().st_mtime < DURATION + _SKEW
        except OSError:
            return False

    def check(self) -> None:
        """Raise `LeaseLostError` if another process has taken the lease; looks at the disk once a second."""
        if time.monotonic() - self._looked > 1:
            self.confirm()

    def confirm(self) -> None:
        """Look at the disk and raise `LeaseLostError` if another process has taken the lease."""
        self._looked = time.monotonic()
        if not self._is_current():
            time.sleep(_PAUSE)  # Another process that looks for silent holders may have moved the file for a moment.
            if not self._is_current():
                raise LeaseLostError(
                    f"{self.path.parent}: {self.holder() or 'another process'} has taken over, "
                    f"since this one was silent for more than {DURATION:g} s; nothing more is written here"
                )

    def _is_current(self) -> bool:
        owner = self._file.owner
        return owner is not None and owner.token == self._file.token


@contextmanager
def leased(path: Path, busy: str, waiting: Callable[[], None] | None = None) -> Iterator[Lease]:
    """Hold a lease during the block.

    Args:
        path: its file.
        busy: message for the case that another process holds it.
        waiting: called again and again while another process holds it, and may raise; None to raise an error instead.

    Raises:
        RunError: if another process holds the lease and ``waiting`` is None, or the file cannot be written.
    """
    lease = Lease(path)
    while not lease.acquire():
        if waiting is None:
            raise RunError(f"{path.parent}: {busy}")
        waiting()
        time.sleep(_PAUSE)
    try:
        yield lease
    finally:
        lease.release()
