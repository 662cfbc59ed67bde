"""What runs inside the workers of a dask cluster: looking around, and training groups in processes of their own."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distributed import Status, Worker, get_worker

from cifar_linear.runs.provenance import environment_record
from cifar_linear.sweep.tasks import Outcome
from cifar_linear.sweep.workers import Child
from cifar_linear.training.threads import cores

_LOOK_UP = 0.02
_stopped = set[str]()
"""The clients that have asked for an end."""


def facts(folder: str, mark: str, dask_worker: Worker) -> dict[str, Any]:
    """Return what the results of this worker depend on, and whether it sees a folder.

    Args:
        folder: the folder of a sweep.
        mark: name of a file that has just been written there: another disk may have a folder of the same name.
        dask_worker: the worker, which dask passes under this name.
    """
    environment = environment_record()
    return {
        "host": platform.node(),
        "versions": environment.versions,
        "blas": [f"{library.architecture} {library.version}" for library in environment.blas],
        "cores": cores(),
        "slots": dask_worker.state.nthreads,
        "sees": (Path(folder) / mark).is_file(),
    }


def stop(client: str) -> None:
    """Let the tasks of a client save and end."""
    _stopped.add(client)


def perform(task: str, client: str, slots: Mapping[str, int]) -> str:
    """Perform a task in a process of its own, and return what became of it as one line of JSON.

    A task of dask is not on the main thread, which signals need, and must not start processes by ``multiprocessing``.

    Args:
        task: a task as JSON.
        client: who sent it, and may stop it.
        slots: how many tasks each host performs at once, which share its cores.
    """
    worker = get_worker()
    threads = max(1, cores() // slots.get(platform.node(), worker.state.nthreads))
    # The nanny of dask has set these to 1 for its workers.
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    child = Child(task, threads, {**os.environ, **limits})
    while not child.has_ended():
        if client in _stopped or worker.status not in (Status.running, Status.paused):
            child.terminate()
            child.outcome()
            return json.dumps(Outcome("lost", "stopped")._asdict())
        time.sleep(_LOOK_UP)
    return json.dumps(child.outcome()._asdict())
