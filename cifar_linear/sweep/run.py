"""Run a sweep: train the missing cells, select a setting, evaluate it on the test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass

from cifar_linear.config.sweeps import Sweep
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.experiments.run import Watch
from cifar_linear.sweep.dispatch import Dispatch
from cifar_linear.sweep.executors import Executor, Here
from cifar_linear.sweep.folder import SweepFolder, missing
from cifar_linear.sweep.groups import Cells, groups_of, left_to_train
from cifar_linear.sweep.shards import Shard
from cifar_linear.sweep.table import Row, evaluate_rows_on_test, table_of
from cifar_linear.sweep.tasks import Outcome, Task

_PARTS = 8
"""Groups into which many alike cells are divided, if several processes train: the same for all of them."""


@dataclass(frozen=True)
class SweepListener:
    """Functions that are called while a sweep runs.

    Attributes:
        planned: with the cells of each group that will be trained, and who else is at work on the sweep.
        watch: with each evaluation point; not when workers train.
        ended: with a group, and what became of it.
        check: often; may raise to stop everything.
    """

    planned: Callable[[Sequence[Cells], Sequence[str]], None]
    watch: Watch
    ended: Callable[[Cells, Outcome], None]
    check: Callable[[], None]


def run_sweep(
    sweep: Sweep,
    folder: SweepFolder,
    images: DatasetCache,
    listener: SweepListener,
    *,
    several: AbstractContextManager[Executor] | None = None,
    shard: Shard | None = None,
    retry_failed: bool = False,
    with_test: bool = False,
) -> list[Row]:
    """Complete a sweep, from wherever others have left it or are, and return its table.

    Other processes may work on the sweep at the same time, also on other machines. A group that fails does not end the
    sweep. Once no cell is missing, the selected setting is evaluated on the test set.

    Args:
        sweep: the sweep.
        folder: its folder.
        images: loads the images.
        listener: called during the sweep.
        several: what trains several groups at once, entered while there is work; None to train them here, one by one.
        shard: the share to begin with; this call then ends when others train all that is left. None to wait for them.
        retry_failed: whether to train failed cells again.
        with_test: whether to evaluate all settings on the test set.

    Raises:
        RunError: if the folder cannot be used.
        DataError: if there are no images.
    """
    folder.create()
    with folder.locked(listener.check):
        folder.prepare(sweep)
        everything = groups_of(sweep.cells, images, _PARTS if several or shard else 1)
        folder.check_claims(everything)
        runs, others = folder.runs(), folder.others()
    groups = [group for group in everything if left_to_train(group, runs, retry_failed)]
    listener.planned([left_to_train(group, runs, retry_failed) for group in groups], others)
    if groups:
        images.of(groups[0][0].config)  # Without images nothing can be trained, which is not the failure of a cell.
    if several:
        groups.sort(key=_work, reverse=True)  # A long group that begins last is waited for by all.
    one = Here(images, listener.watch, listener.check)
    with several if groups and several else closing(one) as executor:

        def task_of(group: Cells) -> Task:
            return Task.of(group, folder, dispatch.runs, images.data_dir, retry_failed)

        dispatch = Dispatch(folder, runs, executor, task_of, retry_failed, listener.ended, listener.check)
        dispatch.train(shard.ordered(groups) if shard else groups, until_the_end=shard is None)
    return _evaluated(sweep, folder, images, listener.check, with_test)


def _work(group: Cells) -> int:
    """Return a measure of how long a group takes."""
    return sum(cell.config.length for cell in group)


def _evaluated(
    sweep: Sweep, folder: SweepFolder, images: DatasetCache, check: Callable[[], None], with_test: bool
) -> list[Row]:
    """Evaluate on the test set what is to be evaluated by now, and return the table."""
    with folder.locked(check):
        runs = folder.runs()
        ended = not missing(sweep.cells, runs, retry_failed=True)
        rows = [row for row in table_of(sweep, runs) if with_test or (row.selected and ended)]
        evaluate_rows_on_test(rows, images.data_dir)
        return table_of(sweep, folder.runs())
