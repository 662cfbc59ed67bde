"""What runs inside the workers of a dask cluster: looking around, and training groups in processes of their own."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import Status, Worker, get_worker

from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.parcels import pack, unpack
from cifar_linear.runs.provenance import environment_record
from cifar_linear.sweep.image_files import folder_with
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


def images_here(sums: Mapping[str, str], data_dir: str | None) -> str | None:
    """Return the folder of this machine that has these image files; None if there is none.

    Args:
        sums: SHA-256 of each file, by its name in the folder.
        data_dir: where to look first.
    """
    folder = folder_with(sums, Path(data_dir) if data_dir else None)
    return str(folder) if folder else None


def perform(task: str, client: str, slots: Mapping[str, int], images: Mapping[str, str]) -> str:
    """Perform a task in a process of its own, and return what became of it as one line of JSON.

    A task of dask is not on the main thread, which signals need, and must not start processes by ``multiprocessing``.

    Args:
        task: a task as JSON.
        client: who sent it, and may stop it.
        slots: how many tasks each host performs at once, which share its cores.
        images: the data folder of each host that has one of its own.
    """
    if folder := images.get(platform.node()):
        task = json.dumps({**json.loads(task), "data_dir": folder})
    worker = get_worker()
    threads = max(1, cores() // slots.get(platform.node(), worker.state.nthreads))
    # The nanny of dask sets these for its workers: one thread, and memory that goes back to the system at every step,
    # which makes training more than twice as slow.
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_TRIM_THRESHOLD_"}
    child = Child(task, threads, environment | limits)
    while not child.has_ended():
        if client in _stopped or worker.status not in (Status.running, Status.paused):
            child.terminate()
            child.outcome()
            return json.dumps(Outcome("lost", "stopped")._asdict())
        time.sleep(_LOOK_UP)
    return json.dumps(child.outcome()._asdict())


def perform_away(
    task: str, runs: bytes, client: str, slots: Mapping[str, int], images: Mapping[str, str]
) -> tuple[str, bytes]:
    """Perform a task of which only this machine's scratch folder is needed, and return its runs as well.

    Args:
        task: a task as JSON.
        runs: what there is of its runs, as an archive.
        client: who sent it, and may stop it.
        slots: how many tasks each host performs at once, which share its cores.
        images: the data folder of each host that has one of its own.
    """
    with TemporaryDirectory(prefix="cifar-linear-") as scratch:
        folders = [str(folder.path) for folder in unpack(runs, Path(scratch))]
        task = json.dumps({**json.loads(task), "folder": scratch, "folders": folders})
        line = perform(task, client, slots, images)
        found = [folder for path in sorted(Path(scratch).iterdir()) if (folder := RunFolder(path)).is_run()]
        return line, pack(found)
