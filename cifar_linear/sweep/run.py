"""Run a sweep: train the missing cells, select a setting, evaluate it on the test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cifar_linear.config.sweeps import Sweep
from cifar_linear.errors import not_enough_memory
from cifar_linear.experiments.run import Watch
from cifar_linear.sweep.folder import Runs, SweepFolder, existing_folders, missing
from cifar_linear.sweep.groups import Cells, DatasetCache, groups_of, run_cells
from cifar_linear.sweep.table import Row, evaluate_rows_on_test, table_of
from cifar_linear.sweep.workers import run_in_workers


@dataclass(frozen=True)
class SweepListener:
    """Functions that are called while a sweep runs.

    Attributes:
        planned: with the groups that will be trained.
        watch: with each evaluation point; not when workers train.
        ended: with a group, and the reason if it failed.
        check: often; may raise to stop everything.
    """

    planned: Callable[[Sequence[Cells]], None]
    watch: Watch
    ended: Callable[[Cells, str | None], None]
    check: Callable[[], None]


def run_sweep(
    sweep: Sweep,
    folder: SweepFolder,
    images: DatasetCache,
    listener: SweepListener,
    *,
    workers: int = 1,
    retry_failed: bool = False,
    with_test: bool = False,
) -> list[Row]:
    """Complete a sweep, from wherever an earlier call has left it, and return its table.

    A group that fails does not end the sweep. Once no cell is missing, the selected setting is evaluated on the test
    set.

    Args:
        sweep: the sweep.
        folder: its folder.
        images: loads the images.
        listener: called during the sweep.
        workers: number of processes that train groups at once.
        retry_failed: whether to train failed cells again.
        with_test: whether to evaluate all settings on the test set.

    Raises:
        RunError: if the folder cannot be used.
        DataError: if there are no images.
    """
    with folder.locked():
        folder.prepare(sweep)
        runs = folder.runs()
        groups = groups_of(missing(sweep.cells, runs, retry_failed), images, workers)
        listener.planned(groups)
        if groups:
            images.of(groups[0][0].config)  # Without images nothing can be trained: that is no failure of a cell.
        if workers > 1:
            run_in_workers(groups, runs, folder.path, images.data_dir, workers, listener.ended, listener.check)
        else:
            _run_here(groups, runs, folder.path, images, listener)
        runs = folder.runs()
        ended = not missing(sweep.cells, runs, retry_failed=True)
        rows = [row for row in table_of(sweep, runs) if with_test or (row.selected and ended)]
        evaluate_rows_on_test(rows, images.data_dir)
        return table_of(sweep, folder.runs())


def _run_here(groups: Sequence[Cells], runs: Runs, path: Path, images: DatasetCache, listener: SweepListener) -> None:
    for cells in groups:
        try:
            dataset = images.of(cells[0].config)
            run_cells(cells, existing_folders(cells, runs), path, dataset, listener.watch, listener.check)
        except Exception as error:
            listener.ended(cells, _reason(error))
        else:
            listener.ended(cells, None)


def _reason(error: Exception) -> str:
    return not_enough_memory(error) if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
