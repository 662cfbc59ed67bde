"""A process that trains one group: it reads a task from its input and writes what became of it, both in JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TextIO

from threadpoolctl import threadpool_limits

from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.runs.provenance import environment_record
from cifar_linear.signals import Interrupted, SafeStop
from cifar_linear.sweep.tasks import Outcome, Task


def main(source: TextIO, out: TextIO, threads: int, parent: int) -> None:
    """Perform the task, and end the process with the code of an interrupt.

    Ctrl-C reaches all processes of a terminal, but only the parent handles it.

    Args:
        source: a task.
        out: where the outcome is written.
        threads: for BLAS.
        parent: the process that waits for the outcome; without it nothing is trained.
    """

    def check() -> None:
        stop.check()
        if os.getppid() != parent:
            raise Interrupted(signal.SIGTERM)

    with threadpool_limits(threads), SafeStop() as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            task = Task.of_json(source.readline())
            outcome = task.perform(DatasetCache(task.data_dir), lambda _: None, check)
        except Interrupted as interrupted:
            sys.exit(interrupted.exit_code)
        except Exception as error:
            outcome = Outcome.of_error(error)
        out.write(json.dumps(outcome._replace(where=_where())._asdict()) + "\n")


def _where() -> str:
    environment = environment_record()
    blas = [f"{library.architecture} x {library.num_threads}" for library in environment.blas]
    return ", ".join([environment.host, *blas[:1]])


if __name__ == "__main__":
    main(sys.stdin, sys.stdout, int(sys.argv[1]), int(sys.argv[2]))
