"""Train the groups of a sweep on a dask cluster."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker
from distributed import wait as wait_for

from cifar_linear.config.sweeps import key_of
from cifar_linear.errors import CifarLinearError, LeaseLostError, RunError
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.parcels import install, pack, unpack
from cifar_linear.sweep.comparing import differences, facts_of, slots_of
from cifar_linear.sweep.connecting import connected
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.remote import perform, perform_away, stop
from cifar_linear.sweep.sending import send_images
from cifar_linear.sweep.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed import Client, Future

    from cifar_linear.storage.leases import Lease

_LOOK_UP = 0.1
_AHEAD = 2
"""Tasks in the cluster for each that it can perform at once, so that no worker waits for the next one."""
_PATIENCE = 10.0
"""Seconds for workers to save and end, and for a scheduler to be there again."""


@contextmanager
def on_cluster(
    address: str,
    workers: int,
    insecure: bool,
    folder: Path,
    files: Mapping[str, Path],
    say: Callable[[str], None],
) -> Iterator[Cluster]:
    """Connect to a cluster and compare its workers.

    Args:
        address: of its scheduler; ``local`` starts one here.
        workers: number of processes that it then has.
        insecure: whether a connection without encryption may leave this machine.
        folder: of the sweep, which exists.
        files: the image files that the sweep needs, by their names in the data folder.
        say: called with what differs between the workers, and what is sent to them.

    Raises:
        ConfigError: if the address or the certificates do not serve.
        RunError: if there is no scheduler, or no worker that would train as this process does.
    """
    with connected(address, workers, insecure) as client:
        found = facts_of(client, folder, address)
        for line in differences(found):
            say(line)
        images = send_images(client, found, files, say)
        kind = Cluster if found[0]["sees"] else AwayCluster
        with closing(kind(client, slots_of(found), images)) as cluster:
            yield cluster


class Cluster:
    """Performs tasks on the workers of a dask cluster; the folders of the runs are the only record of what is done.

    Args:
        client: a connection to the cluster.
        slots: how many tasks each host performs at once.
        images: the data folder of each host that has one of its own.
    """

    def __init__(self, client: Client, slots: Mapping[str, int], images: Mapping[str, str]) -> None:
        self._client, self._slots, self._images = client, slots, images
        self._futures: dict[Future[Any], Task] = {}
        self._news = threading.Event()
        self._numbers = count()
        self._most, self._counted = 0, float("-inf")
        self._silent = set[str]()
        self._connected = time.monotonic()

    def free(self) -> bool:
        """Return whether a worker waits for a task, or soon will."""
        now = time.monotonic()
        if self._client.status != "running":
            return False
        if now - self._counted > 1:
            threads = self._threads()
            self._most = _AHEAD * sum(number for worker, number in threads.items() if worker not in self._silent)
            self._counted = now
        return len(self._futures) < self._most

    def submit(self, task: Task) -> None:
        """Send a task to the cluster."""
        key = f"cifar-linear-{self._client.id}-{next(self._numbers)}"
        # Dask takes a worker that is stopped for a free one, once its task is cancelled.
        workers = sorted({*self._threads()} - self._silent) if self._silent else None
        function, *work = self._call(task)
        future = self._client.submit(function, *work, key=key, pure=False, workers=workers)
        future.add_done_callback(lambda _: self._news.set())
        self._futures[future] = task

    def _threads(self) -> Mapping[str, int]:
        """Return the number of threads of each worker; none if the scheduler has just gone."""
        try:
            threads: Mapping[str, int] = self._client.nthreads()
        except OSError:  # Its end may be seen here before the client knows.
            return {}
        return threads

    def as_completed(self) -> Iterator[tuple[Task, Outcome]]:
        """Wait a moment, and yield the tasks that have ended.

        A result is released at once: if a worker dies, dask would perform again what it still held there.

        Raises:
            RunError: if the scheduler has gone.
        """
        self._news.wait(_LOOK_UP)
        self._news.clear()
        if not self._is_connected():
            return
        for future in [future for future in self._futures if future.done()]:
            task = self._futures.pop(future)
            outcome = self._outcome_of(task, future)
            future.release()
            yield task, outcome

    def _call(self, task: Task) -> tuple[Any, ...]:
        """Return the function that performs a task in a worker, and its arguments."""
        return perform, task.to_json(), self._client.id, self._slots, self._images

    def _read(self, _task: Task, result: Any) -> Outcome:
        """Return the outcome from what the function returned."""
        return Outcome(**json.loads(result))

    def _outcome_of(self, task: Task, future: Future[Any]) -> Outcome:
        if future.status == "finished":
            return self._read(task, future.result())
        if future.status == "error" and not isinstance(error := future.exception(), KilledWorker):
            return Outcome.of_error(error)
        return Outcome("lost", "its workers died")

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

    def _is_connected(self) -> bool:
        if self._client.status == "running":
            self._connected = time.monotonic()
            return True
        if time.monotonic() - self._connected > _PATIENCE:
            raise RunError("the dask scheduler has gone; what has been trained is kept")
        return False


class AwayCluster(Cluster):
    """A cluster whose workers do not see the folder of the sweep: this process claims groups, and runs travel."""

    def __init__(self, client: Client, slots: Mapping[str, int], images: Mapping[str, str]) -> None:
        super().__init__(client, slots, images)
        self._claims: dict[int, Lease] = {}
        self._refused: list[tuple[Task, Outcome]] = []

    def submit(self, task: Task) -> None:
        """Claim the group of a task, and send it with what there is of its runs."""
        claim = SweepFolder(task.folder).claim(task.group)
        if claim.acquire():
            self._claims[id(task)] = claim
            super().submit(task)
        else:
            self._refused.append((task, Outcome("busy", claim.holder() or "")))

    def as_completed(self) -> Iterator[tuple[Task, Outcome]]:
        """Wait a moment, and yield the tasks that have ended, whose runs are in the sweep's folder."""
        while self._refused:
            yield self._refused.pop()
        for task, outcome in super().as_completed():
            self._give_back(task)
            yield task, outcome

    def abandon(self, task: Task) -> None:
        """Forget a task."""
        super().abandon(task)
        self._give_back(task)

    def close(self) -> None:
        """Let the processes of all tasks save and end, and keep what they have."""
        under_way = dict(self._futures)
        super().close()
        for future, task in under_way.items():
            if future.done():
                self._outcome_of(task, future)
            self._give_back(task)

    def _give_back(self, task: Task) -> None:
        if claim := self._claims.pop(id(task), None):
            claim.release()

    def _call(self, task: Task) -> tuple[Any, ...]:
        runs = pack([RunFolder(path) for path in task.folders])
        return perform_away, task.to_json(), runs, self._client.id, self._slots, self._images

    def _read(self, task: Task, result: Any) -> Outcome:
        line, runs = result
        outcome = super()._read(task, line)
        try:
            with TemporaryDirectory() as scratch:
                for run in unpack(runs, Path(scratch)):
                    if key_of(run.config()) not in {cell.key for cell in task.group}:
                        raise RunError(f"{run.path.name} is not a run of this group")
                    install(run, task.folder, self._claims[id(task)])
        except LeaseLostError:
            return Outcome("busy")
        except CifarLinearError as error:
            # A run that failed there may be incomplete: why it failed says more than what is missing.
            return outcome if outcome.kind == "failed" else Outcome("failed", str(error), outcome.where)
        return outcome
