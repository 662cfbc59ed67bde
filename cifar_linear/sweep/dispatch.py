"""Hand the groups of a sweep to an executor, while others may work on the same sweep."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from cifar_linear.storage.leases import DURATION, Lease
from cifar_linear.sweep.executors import Executor
from cifar_linear.sweep.folder import Runs, SweepFolder
from cifar_linear.sweep.groups import Cells, left_to_train
from cifar_linear.sweep.tasks import Outcome, Task

_LOOK_UP = 1.0
"""Seconds between two looks at what others have done."""
_PAUSE = 0.1
_STARTS = 3
"""How often a group is started whose process falls silent, or whose workers die."""


class Dispatch:
    """The groups that are left, and who trains them.

    Args:
        folder: of the sweep.
        runs: what there is in it.
        executor: trains groups.
        task_of: makes the task of a group.
        retry_failed: whether failed cells are trained again.
        ended: called with each group that has ended, here or elsewhere, and what became of it.
        check: called often; may raise to stop everything.
    """

    def __init__(
        self,
        folder: SweepFolder,
        runs: Runs,
        executor: Executor,
        task_of: Callable[[Cells], Task],
        retry_failed: bool,
        ended: Callable[[Cells, Outcome], None],
        check: Callable[[], None],
    ) -> None:
        self._folder, self.runs, self._executor, self._task_of = folder, dict(runs), executor, task_of
        self._retry_failed, self._ended, self._check = retry_failed, ended, check
        self._waiting: list[Cells] = []
        self._running: list[Task] = []
        self._claims: dict[int, Lease] = {}
        self._busy = set[int]()
        self._lost = Counter[int]()
        self._looked = self._moved = time.monotonic()

    def train(self, groups: Sequence[Cells], until_the_end: bool) -> None:
        """Train groups in order, without those that another process trains.

        Args:
            groups: all cells of each group.
            until_the_end: whether to wait for groups that others train. If not, this waits only as long as it takes to
                see whether those others are alive.
        """
        self._waiting = list(groups)
        while self._waiting or self._running:
            self._check()
            self._look()
            self._submit()
            for task, outcome in self._executor.as_completed():
                self._note(task, outcome)
            if not self._running:
                if not until_the_end and time.monotonic() - self._moved > 1.2 * DURATION:
                    return
                if self._busy:
                    time.sleep(_PAUSE)

    def _look(self) -> None:
        """See what others have finished, and which processes are silent."""
        if time.monotonic() - self._looked < _LOOK_UP:
            return
        self._busy.clear()
        cells = [cell for group in self._waiting for cell in group]
        self.runs |= self._folder.runs_of(cells, self.runs)
        for group in [group for group in self._waiting if not self._is_left(group)]:
            self._waiting.remove(group)
            self._finish(group, Outcome("there"))
        for task in [task for task in self._running if self._is_silent(task.group)]:
            self._running.remove(task)
            self._executor.abandon(task)
            self._put_back(task.group, "its process fell silent")
        self._looked = time.monotonic()

    def _is_left(self, group: Cells) -> bool:
        return bool(left_to_train(group, self.runs, self._retry_failed))

    def _submit(self) -> None:
        for group in list(self._waiting):
            if not self._executor.free():
                return
            if id(group) not in self._busy and self._is_free(group):
                self._waiting.remove(group)
                task = self._task_of(group)
                self._running.append(task)
                self._executor.submit(task)

    def _is_free(self, group: Cells) -> bool:
        """Return whether no process has the group, or none that is alive."""
        claim = self._claim(group)
        free = claim.holder() is None or self._can_be_taken(claim)
        if not free:
            self._busy.add(id(group))
        return free

    def _is_silent(self, group: Cells) -> bool:
        """Return whether the process that trains the group has lost its claim, and has not finished."""
        claim = self._claim(group)
        if claim.holder() is None or not self._can_be_taken(claim):
            return False
        self.runs |= self._folder.runs_of(group, self.runs)
        return self._is_left(group)

    def _claim(self, group: Cells) -> Lease:
        """Return the claim on a group, always the same object: it knows how long the holder has been silent."""
        return self._claims.setdefault(id(group), self._folder.claim(group))

    @staticmethod
    def _can_be_taken(claim: Lease) -> bool:
        taken = claim.acquire()
        if taken:
            claim.release()
        return taken

    def _note(self, task: Task, outcome: Outcome) -> None:
        if task not in self._running:
            return
        self._running.remove(task)
        if outcome.kind == "busy":
            self._busy.add(id(task.group))
            self._waiting.insert(0, task.group)
        elif outcome.kind == "lost":
            self._put_back(task.group, outcome.text)
        else:
            self._finish(task.group, outcome)

    def _put_back(self, group: Cells, why: str) -> None:
        self._lost[id(group)] += 1
        if self._lost[id(group)] < _STARTS:
            self._waiting.insert(0, group)
        else:
            self._finish(group, Outcome("failed", f"{_STARTS} attempts: {why}"))

    def _finish(self, group: Cells, outcome: Outcome) -> None:
        self._moved = time.monotonic()
        self._ended(group, outcome)
