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
from cifar_linear.errors import LeaseLostError, RunError
from cifar_linear.experiments.run import Watch
from cifar_linear.runs.folder import RunFolder
from cifar_linear.sweep.folder import Runs, SweepFolder, existing_folders
from cifar_linear.sweep.groups import Cells, DatasetCache, left_to_train, run_cells


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
