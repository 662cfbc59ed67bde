"""Who trains the groups of a sweep: this process, or others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.experiments.run import Watch
from cifar_linear.sweep.tasks import Outcome, Task


class Executor(Protocol):
    """Performs tasks, several at once or one after another."""

    def free(self) -> bool:
        """Return whether another task would begin soon."""

    def submit(self, task: Task) -> None:
        """Take a task."""

    def as_completed(self) -> Iterator[tuple[Task, Outcome]]:
        """Wait a moment, and yield the tasks that have ended."""

    def abandon(self, task: Task) -> None:
        """Give up a task whose process is silent; it is not yielded any more."""

    def close(self) -> None:
        """End the processes of all tasks that have not been yielded; they save their runs."""


class Here:
    """Performs one task at a time in this process.

    Args:
        images: loads the images.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop.
    """

    def __init__(self, images: DatasetCache, watch: Watch, check: Callable[[], None]) -> None:
        self._images, self._watch, self._check = images, watch, check
        self._task: Task | None = None

    def free(self) -> bool:
        """Return whether there is no task."""
        return self._task is None

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._task = task

    def as_completed(self) -> Iterator[tuple[Task, Outcome]]:
        """Perform the task."""
        if task := self._task:
            self._task = None
            try:
                outcome = task.perform(self._images, self._watch, self._check)
            except Exception as error:
                outcome = Outcome.of_error(error)
            yield task, outcome

    def abandon(self, task: Task) -> None:
        """Do nothing: this process cannot miss its own silence."""

    def close(self) -> None:
        """Do nothing."""
