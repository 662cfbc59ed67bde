"""What a sweep would train, and how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifar_linear.config.sweeps import Sweep
from cifar_linear.sweep.folder import SweepFolder, missing
from cifar_linear.sweep.groups import Cells, DatasetCache, estimate, groups_of


@dataclass(frozen=True)
class Plan:
    """What is left of a sweep.

    Attributes:
        folder: of the sweep.
        groups: cells that train in one pass, with the seconds that they will take.
        there: how many cells are trained already.
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
    """What `run_sweep` would train; a part of each group is trained to estimate the time.

    Args:
        sweep: its cells.
        folder: what there is of them.
        images: where the images come from.
        retry_failed: whether failed cells are trained again.
    """
    wanted = missing(sweep.cells, folder.runs(), retry_failed)
    groups = [(group, estimate(group, images.of(group[0].config))) for group in groups_of(wanted)]
    return Plan(folder.path, groups, len(sweep.cells) - len(wanted))
