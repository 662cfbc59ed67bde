"""Plan a sweep: the cells that are left to train, and the estimated time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifar_linear.config.sweeps import Sweep
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.groups import Cells, DatasetCache, estimate, groups_of, left_to_train


@dataclass(frozen=True)
class Plan:
    """The cells of a sweep that are left to train.

    Attributes:
        folder: folder of the sweep.
        groups: groups of cells that share a pass, each with its estimated seconds.
        there: number of cells that are trained already.
    """

    folder: Path
    groups: Sequence[tuple[Cells, float]]
    there: int

    def to_tree(self) -> dict[str, Any]:
        """As plain values for JSON."""
        groups = [
            {
                "cells": [dict(cell.settings) for cell in group],
                f"{group[0].config.unit}s": group[0].config.length,
                "seconds": seconds,
            }
            for group, seconds in self.groups
        ]
        return {"folder": str(self.folder), "cells_there": self.there, "groups": groups}


def plan_sweep(sweep: Sweep, folder: SweepFolder, images: DatasetCache, retry_failed: bool) -> Plan:
    """Return the plan of a sweep; a part of each group is trained to estimate the time.

    Args:
        sweep: the sweep.
        folder: its folder.
        images: loads the images.
        retry_failed: whether failed cells are trained again.
    """
    runs = folder.runs()
    left = [cells for group in groups_of(sweep.cells, images) if (cells := left_to_train(group, runs, retry_failed))]
    groups = [(cells, estimate(cells, images.of(cells[0].config))) for cells in left]
    return Plan(folder.path, groups, len(sweep.cells) - sum(map(len, left)))
