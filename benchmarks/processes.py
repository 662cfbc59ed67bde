"""Measures the time, work and memory of whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """The cost of one process: seconds from start to end, CPU seconds on all cores, and peak memory in bytes."""

    wall: float
    work: float
    memory: int


def measured(command: Sequence[str]) -> Cost:
    """Run a command to its end. Raises `RuntimeError` with its output if it fails."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:  # noqa: S603  # our own words
        assert process.stdout is not None  # noqa: S101  # for the type checker
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said.decode()[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
