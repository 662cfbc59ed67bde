"""Train the groups of a sweep on a dask cluster."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import TYPE_CHECKING

from distributed import KilledWorker
from distributed import wait as wait_for

from cifar_linear.errors import RunError
from cifar_linear.sweep.comparing import differences, facts_of, slots_of
from cifar_linear.sweep.connecting import connected
from cifar_linear.sweep.remote import perform, stop
from cifar_linear.sweep.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from distributed import Client, Future

_LOOK_UP = 0.1
_AHEAD = 2
"""Tasks in the cluster for each that it can perform at once, so that no worker waits for the next one."""
_PATIENCE = 10.0
"""Seconds for workers to save and end, and for a scheduler to be there again."""


@contextmanager
def on_cluster(
    address: str, workers: int, insecure: bool, folder: Path, say: Callable[[str], None]
) -> Iterator[Cluster]:
    """Connect to a cluster and compare its workers.

    Args:
        address: of its scheduler; ``local`` starts one here.
        workers: number of processes that it then has.
        insecure: whether a connection without encryption may leave this machine.
        folder: of the sweep, which exists.
        say: called with what differs between the workers.

    Raises:
        ConfigError: if the address or the certificates do not serve.
        RunError: if there is no scheduler, or no worker that would train as this process does.
    """
    with connected(address, workers, insecure) as client:
        found = facts_of(client, folder, address)
        for line in differences(found):
            say(line)
        with closing(Cluster(client, slots_of(found))) as cluster:
            yield cluster


class Cluster:
    """Performs tasks on the workers of a dask cluster; the folders of the runs are the only record of what is done.

    Args:
        client: a connection to the cluster.
        slots: how many tasks each host performs at once.
    """

    def __init__(self, client: Client, slots: Mapping[str, int]) -> None:
        self._client, self._slots = client, slots
        self._futures: dict[Future[str], Task] = {}
        self._news = threading.Event()
        self._numbers = count()
        self._most, self._counted = 0, float("-inf")
        self._silent = set[str]()
        self._connected = time.monotonic()

    def free(self) -> bool:
        """Return whether a worker waits for a task, or soon will."""
        now = time.monotonic()
        if now - self._counted > 1 and self._client.status == "running":
            threads = self._client.nthreads()
            self._most = _AHEAD * sum(number for worker, number in threads.items() if worker not in self._silent)
            self._counted = now
        return len(self._futures) < self._most

    def submit(self, task: Task) -> None:
        """Send a task to the cluster."""
        key = f"cifar-linear-{self._client.id}-{next(self._numbers)}"
        # Dask takes a worker that is stopped for a free one, once its task is cancelled.
        workers = sorted({*self._client.nthreads()} - self._silent) if self._silent else None
        work = task.to_json(), self._client.id, self._slots
        future = self._client.submit(perform, *work, key=key, pure=False, workers=workers)
        future.add_done_callback(lambda _: self._news.set())
        self._futures[future] = task

    def as_completed(self) -> Iterator[tuple[Task, Outcome]]:
        """Wait a moment, and yield the tasks that have ended.

        A result is released at once: if a worker dies, dask would perform again what it still held there.

        Raises:
            RunError: if the scheduler has gone.
        """
        self._news.wait(_LOOK_UP)
        self._news.clear()
        self._check_connection()
        for future in [future for future in self._futures if future.done()]:
            task = self._futures.pop(future)
            outcome = _outcome_of(future)
            future.release()
            yield task, outcome

    def abandon(self, task: Task) -> None:
        """Forget a task and its worker; its process has lost its claim, and stops when it goes on."""
        for future in [future for future, own in self._futures.items() if own is task]:
            processing = self._client.processing()
            self._silent |= {worker for worker, keys in processing.items() if future.key in keys}
            self._counted = float("-inf")
            del self._futures[future]
            future.cancel()

    def close(self) -> None:
        """Let the processes of all tasks save and end, as far as the workers answer."""
        if self._futures and self._client.status == "running":
            asking = threading.Thread(target=self._ask_to_stop, daemon=True)
            asking.start()
            asking.join(_PATIENCE)
        self._futures.clear()

    def _ask_to_stop(self) -> None:
        self._client.run(stop, self._client.id, on_error="ignore")
        try:
            wait_for(list(self._futures), timeout=_PATIENCE)
        except TimeoutError:
            return

    def _check_connection(self) -> None:
        if self._client.status == "running":
            self._connected = time.monotonic()
        elif time.monotonic() - self._connected > _PATIENCE:
            raise RunError("the dask scheduler has gone; what has been trained is kept")


def _outcome_of(future: Future[str]) -> Outcome:
    if future.status == "finished":
        return Outcome(**json.loads(future.result()))
    if future.status == "error" and not isinstance(error := future.exception(), KilledWorker):
        return Outcome("failed", f"{type(error).__name__}: {error}")
    return Outcome("lost", "its workers died")
