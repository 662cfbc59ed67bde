"""Train several groups at once, each in its own process with its share of the BLAS threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

from cifar_linear.sweep.tasks import Outcome, Task
from cifar_linear.training.threads import cores

_LOOK_UP = 0.05
"""Seconds between two looks at the processes."""


class Workers:
    """Performs each task in a process of its own.

    Args:
        workers: maximum number of processes.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._running: list[tuple[Task, Child]] = []

    def free(self) -> bool:
        """Return whether fewer processes run than may."""
        return len(self._running) < self._workers

    def submit(self, task: Task) -> None:
        """Start a process for a task."""
        self._running.append((task, Child(task.to_json(), max(1, cores() // self._workers))))

    def as_completed(self) -> Iterator[tuple[Task, Outcome]]:
        """Wait a moment, and yield the tasks whose processes have ended."""
        time.sleep(_LOOK_UP)
        for task, child in [each for each in self._running if each[1].has_ended()]:
            self._running.remove((task, child))
            yield task, child.outcome()

    def abandon(self, task: Task) -> None:
        """Kill the process of a task."""
        for each in [each for each in self._running if each[0] is task]:
            self._running.remove(each)
            each[1].kill()

    def close(self) -> None:
        """Ask all processes to save and end, and wait for them."""
        for _, child in self._running:
            child.terminate()
        for _, child in self._running:
            child.outcome()


class Child:
    """The process that performs one task; see `cifar_linear.sweep.child`.

    Args:
        task: the task as JSON.
        threads: for BLAS.
        environment: its variables; None for those of this process.
    """

    def __init__(self, task: str, threads: int, environment: Mapping[str, str] | None = None) -> None:
        words = [sys.executable, "-m", "cifar_linear.sweep.child", str(threads), str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603  # our own words
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdin  # noqa: S101  # a pipe
        self._process.stdin.write(task + "\n")
        self._process.stdin.close()

    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self._process.poll() is not None

    def terminate(self) -> None:
        """Ask the process to save and end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process, also one that is stopped."""
        self._process.kill()
        self._process.communicate()

    def outcome(self) -> Outcome:
        """Wait for the process and return what became of its task."""
        assert self._process.stdout  # noqa: S101  # a pipe
        line = self._process.stdout.read()
        self._process.stdout.close()
        code = self._process.wait()
        return Outcome(**json.loads(line)) if line else Outcome("failed", f"its process ended with {code}")
