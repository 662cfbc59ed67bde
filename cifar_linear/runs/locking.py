"""Who may write into a run folder: one process at a time, here and on other machines that share the disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from cifar_linear.errors import RunError
from cifar_linear.runs.file_names import RECORD_FILE
from cifar_linear.runs.files import LARGEST_TEXT, RunFiles
from cifar_linear.runs.places import CLAIM, WITHOUT_RECORD, has_remains
from cifar_linear.runs.record import Record
from cifar_linear.runs.record_text import parse_record
from cifar_linear.storage.leases import DURATION, LEASE, Lease, leased
from cifar_linear.storage.locks import is_locked, locked, locked_if_free


class HeldFolder(RunFiles):
    """A run folder as far as its record says who writes there."""

    def write_record(self, record: Record) -> None:
        """Write status, final metrics and provenance to run.json."""
        self._write(RECORD_FILE, (json.dumps(record.to_tree(), indent=2, allow_nan=False) + "\n").encode())

    def read_record(self) -> Record:
        """Return the record. Raises `RunError` if it is missing, damaged or of an unsupported version."""
        if not self.is_run():
            state = WITHOUT_RECORD if has_remains(self.path) else "not a run folder: there is no run.json"
            raise RunError(f"{self.path}: {self._no_run(state)}")
        content = self._read(RECORD_FILE, LARGEST_TEXT)
        return parse_record(content, self.path / RECORD_FILE)

    @contextmanager
    def locked(self, lease: Lease | None = None) -> Iterator[Lease]:
        """Hold the folder during the block, and yield the lease without which nothing is written there.

        Blocks may be nested. Raises `RunError` if another process trains in the folder, here or on another machine.

        Args:
            lease: one that is held already and covers the folder, as a group of a sweep has; None for the folder's own.
        """
        busy = "another process is training in this folder; wait for it or stop it first"
        if self.is_run():
            environment = (record := self.read_record()).environment
            running = f"still running (process {environment.process} on {environment.host})"
            busy = f"{running}; wait for it or stop it first"
            if self._is_held_elsewhere(record):
                raise RunError(f"{self.path}: {busy}")
        # A process that was paused until its group was taken over has the lock still. One that resumes this run alone
        # has the folder's own lease as well.
        as_a_sign = self._lease or (lease and not (self.path / LEASE).exists())
        with locked_if_free(self.path) if as_a_sign else locked(self.path, busy), self._holding(lease, busy) as held:
            yield held

    @contextmanager
    def _holding(self, lease: Lease | None, busy: str) -> Iterator[Lease]:
        if self._lease:
            yield self._lease
            return
        with nullcontext(lease) if lease else leased(self.path / LEASE, busy, _patience(self.path, busy)) as held:
            self._lease = held
            try:
                yield held
            finally:
                self._lease = None

    def is_at_work(self) -> bool:
        """Return whether a process is training in the folder, regardless of the recorded status."""
        return is_locked(self.path) or (self.is_run() and self._is_held_elsewhere(self.read_record()))

    def _is_held_elsewhere(self, record: Record) -> bool:
        """Return whether the process of the record, on another machine, has a lease on the folder or on its group."""
        leases = (self.path / LEASE, *self.path.parent.glob(f".*{CLAIM}"))
        process, host = record.environment.process, record.environment.host
        return record.status == "running" and any(Lease(path).is_held_by(process, host) for path in leases)

    def status(self, record: Record) -> str:
        """Return the recorded status, or ``killed`` if that is ``running`` but no process is training."""
        return "killed" if record.status == "running" and not self.is_at_work() else record.status


def _patience(path: Path, busy: str) -> Callable[[], None]:
    """Return a function that raises `RunError` once a silent holder must have lost its lease."""
    end = time.monotonic() + 1.1 * DURATION

    def wait() -> None:
        if time.monotonic() > end:
            raise RunError(f"{path}: {busy}")

    return wait
