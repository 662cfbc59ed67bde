"""Dask clusters of real processes on the loopback interface."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from distributed import Client

SHORT_LEASES = str(Path(__file__).with_name("short_leases"))


class Processes:
    """A scheduler and workers, each a process of its own.

    Args:
        root: an empty folder, for what they note.
        security: options of both, such as certificates.
    """

    def __init__(self, root, *security):
        self._root, self._security = root, security
        self._environment = {**os.environ, "PYTHONPATH": SHORT_LEASES, "OPENBLAS_NUM_THREADS": "1"}
        self.workers = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    @property
    def address(self):
        """The address of the scheduler, once it is there."""
        file = self._root / "scheduler.json"
        for _ in range(400):
            if file.is_file() and (text := file.read_text()):
                return json.loads(text)["address"]
            time.sleep(0.05)
        raise AssertionError("no scheduler")

    def add_worker(self, *words, command=(sys.executable,), nanny=True):
        """Start a worker that performs one task at a time."""
        options = ("--nthreads", "1", "--memory-limit", "0", "--host", "127.0.0.1", *([] if nanny else ["--no-nanny"]))
        where = ("--local-directory", str(self._root))
        known = len(pids_of_workers(self.address))
        self.workers.append(self._start("worker", *options, *where, *words, command=command))
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(known + 1, timeout=30)
        return self.workers[-1]

    def _start(self, kind, *words, command=(sys.executable,)):
        file = ("--scheduler-file", str(self._root / "scheduler.json"), "--no-dashboard")
        return subprocess.Popen(
            [*command, "-m", f"distributed.cli.dask_{kind}", *words, *file, *self._security],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def pids_of_workers(address):
    """The processes that perform tasks; their nannies start them anew."""
    with Client(address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())
