"""Train several groups at once, each in its own process with its share of the BLAS threads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from threadpoolctl import threadpool_limits

from cifar_linear.runs.folder import RunFolder
from cifar_linear.signals import Interrupted, SafeStop
from cifar_linear.sweep.folder import Runs, existing_folders
from cifar_linear.sweep.groups import Cells, DatasetCache, run_cells
from cifar_linear.training.threads import cores

_LOOK_UP = 0.1
"""Seconds between two calls of ``check``."""


def run_in_workers(
    groups: Sequence[Cells],
    runs: Runs,
    path: Path,
    data_dir: Path | None,
    workers: int,
    ended: Callable[[Cells, str | None], None],
    check: Callable[[], None],
) -> None:
    """Train groups in worker processes; the results are in their run folders.

    Args:
        groups: cells of each group.
        runs: existing runs, which are resumed.
        path: where new run folders are created.
        data_dir: folder of the images; None for that of the config.
        workers: maximum number of processes.
        ended: called with each group, and the reason if it failed.
        check: called regularly; may raise to stop everything. The processes then save their runs and end.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, cores() // workers)
    waiting, running = deque(groups), dict[object, tuple[SpawnProcess, Cells]]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                cells = waiting.popleft()
                work = cells, existing_folders(cells, runs), path, data_dir, threads, os.getpid()
                process = context.Process(target=_work, args=work)
                process.start()
                running[process.sentinel] = process, cells
            sentinels = [process.sentinel for process, _ in running.values()]
            for sentinel in wait(sentinels, timeout=_LOOK_UP):
                process, cells = running.pop(sentinel)
                process.join()
                ended(cells, None if process.exitcode == 0 else f"its process ended with {process.exitcode}")
            check()
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()


def _work(
    cells: Cells,
    folders_before: Sequence[RunFolder | None],
    path: Path,
    data_dir: Path | None,
    threads: int,
    parent: int,
) -> None:
    """Train one group. Ctrl-C reaches all processes of a terminal, but only the parent handles it."""

    def check() -> None:
        stop.check()
        if os.getppid() != parent:
            raise Interrupted(signal.SIGTERM)

    with threadpool_limits(threads), SafeStop() as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            dataset = DatasetCache(data_dir).of(cells[0].config)
            run_cells(cells, folders_before, path, dataset, lambda _: None, check)
        except Interrupted as interrupted:
            sys.exit(interrupted.exit_code)
        except Exception as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201  # a worker has no other output
            sys.exit(1)
