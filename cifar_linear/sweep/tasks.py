"""A group of a sweep as a task: claim it, train what is missing, and say what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from cifar_linear import __version__
from cifar_linear.config.models import Config
from cifar_linear.config.sweeps import Cell
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import CifarLinearError, LeaseLostError, RunError, not_enough_memory
from cifar_linear.experiments.assembly import read_checkpoint
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.folder import RunFolder, all_locked
from cifar_linear.runs.record import Record
from cifar_linear.storage.leases import Lease
from cifar_linear.sweep.folder import Runs, SweepFolder, existing_folders
from cifar_linear.sweep.groups import Cells, is_one_pass, left_to_train


class Outcome(NamedTuple):
    """What became of a group.

    Attributes:
        kind: ``trained``; ``there``, if nothing was missing any more; ``busy``, if another process trains it;
            ``lost``, if its process or machine has gone; or ``failed``.
        text: which process trains it, or why it failed.
        where: host, kind of processor and number of threads; empty in this process.
    """

    kind: Literal["trained", "there", "busy", "lost", "failed"]
    text: str = ""
    where: str = ""

    @classmethod
    def of_error(cls, error: Exception) -> Outcome:
        """Return the outcome of a group that failed with an error."""
        if isinstance(error, MemoryError):
            return cls("failed", not_enough_memory(error))
        return cls("failed", str(error) if isinstance(error, CifarLinearError) else f"{type(error).__name__}: {error}")


@dataclass(frozen=True, eq=False)
class Task:
    """A group that is to be trained, with all that a process needs to know for it.

    Attributes:
        group: all cells of the group, those as well that have been trained.
        folder: of the sweep.
        folders: known run folders of the cells; younger ones are found.
        data_dir: folder of the images; None for that of the config.
        retry_failed: whether failed cells are trained again.
    """

    group: Cells
    folder: Path
    folders: Sequence[Path] = field(default=())
    data_dir: Path | None = None
    retry_failed: bool = False

    @classmethod
    def of(cls, group: Cells, folder: SweepFolder, runs: Runs, data_dir: Path | None, retry_failed: bool) -> Task:
        """Return the task for a group, of which there are some runs."""
        folders = [run.path for run in existing_folders(group, runs) if run]
        return cls(group, folder.path, folders, data_dir, retry_failed)

    def perform(self, images: DatasetCache, watch: Watch, check: Callable[[], None]) -> Outcome:
        """Train what is missing of the group, unless another process does.

        Args:
            images: loads the images.
            watch: called with each evaluation point.
            check: called before every update; may raise to stop.
        """
        sweep = SweepFolder(self.folder)
        claim = sweep.claim(self.group)
        if not claim.acquire():
            return Outcome("busy", claim.holder() or "")
        try:
            runs = sweep.runs_of(self.group, sweep.read(map(RunFolder, self.folders)))
            if not (cells := left_to_train(self.group, runs, self.retry_failed)):
                return Outcome("there")
            sweep.remove_not_begun(cells)
            dataset = images.of(cells[0].config)
            run_cells(cells, existing_folders(cells, runs), self.folder, dataset, watch, check, claim)
            return Outcome("trained")
        except LeaseLostError:
            return Outcome("busy", claim.holder() or "")
        finally:
            claim.release()

    def to_json(self) -> str:
        """Return the task as one line of JSON."""
        cells = [
            {"settings": dict(cell.settings), "config": cell.config.model_dump(mode="json", by_alias=True)}
            for cell in self.group
        ]
        tree = {
            "version": __version__,
            "cells": cells,
            "folder": str(self.folder.resolve()),
            "folders": [str(path.resolve()) for path in self.folders],
            "data_dir": str(self.data_dir.resolve()) if self.data_dir else None,
            "retry_failed": self.retry_failed,
        }
        return json.dumps(tree)

    @classmethod
    def of_json(cls, text: str) -> Task:
        """Return the task that `to_json` wrote. Raises `RunError` for one of another version."""
        tree = json.loads(text)
        if tree["version"] != __version__:
            raise RunError(f"has cifar_linear {__version__}, the sweep {tree['version']}; install the same there")
        return cls(
            [Cell(cell["settings"], Config.model_validate(cell["config"])) for cell in tree["cells"]],
            Path(tree["folder"]),
            [Path(path) for path in tree["folders"]],
            Path(tree["data_dir"]) if tree["data_dir"] else None,
            tree["retry_failed"],
        )


def run_cells(
    cells: Cells,
    folders_before: Sequence[RunFolder | None],
    path: Path,
    dataset: Dataset,
    watch: Watch,
    check: Callable[[], None],
    claim: Lease | None = None,
) -> list[Record]:
    """Train cells that share a pass, without evaluating them on the test set.

    Args:
        cells: cells of a group.
        folders_before: folder of each cell to resume; None where a new one is created.
        path: where new folders are created.
        dataset: images of the cells.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop training.
        claim: the lease of their group, which is held; None for one in each folder.
    """
    folders = [folder or RunFolder.create(path, cell.name) for folder, cell in zip(folders_before, cells, strict=True)]
    configs = [cell.config for cell in cells]
    with all_locked(folders, claim):  # Before the checkpoints are read: no other process must resume a cell meanwhile.
        checkpoints = _checkpoints(folders, configs, dataset)
        return run_group(configs, folders, dataset, watch, check, checkpoints, test=False)


def _checkpoints(folders: Sequence[RunFolder], configs: Sequence[Config], dataset: Dataset) -> list[Checkpoint]:
    """Return the checkpoints to resume a group from; empty, to start again, unless it is the same group at one step.

    A run that ended before the others was still saved together with them. A group that has lost a run cannot be
    resumed, since matrix products of fewer runs may sum in another order.
    """
    try:
        found = [read_checkpoint(folder, config, dataset) for folder, config in zip(folders, configs, strict=True)]
        checkpoints = list(filter(None, found))
        same_group = is_one_pass([folder.read_record() for folder in folders])
    except RunError:
        return []
    moments = {int(checkpoint.arrays["step"]) for checkpoint in checkpoints}
    return checkpoints if same_group and len(checkpoints) == len(folders) and len(moments) == 1 else []
