"""Plan a sweep: the cells that are left to train, and the estimated time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from cifar_linear.config.sweeps import Sweep
from cifar_linear.data.dataset import Dataset, Split, first_images
from cifar_linear.experiments.assembly import Group, updates_of
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.groups import Cells, groups_of, left_to_train

_TIMED_IMAGES = 2000


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


def estimate(cells: Cells, dataset: Dataset) -> float:
    """Estimate the seconds that a group takes from one epoch on a part of its images.

    Args:
        cells: of the group.
        dataset: their images.
    """
    configs = [cell.config.model_copy(update={"epochs": 1, "steps": None}) for cell in cells]
    share = min(1.0, max(_TIMED_IMAGES, configs[0].n_batch) / len(dataset.train))

    def part(split: Split) -> Split:
        return first_images(split, max(1, round(share * len(split))))

    few = replace(dataset, train=part(dataset.train), validation=part(dataset.validation))
    group = Group.of(configs, few)
    with blas_threads(configs[0], len(configs)):
        evaluations = group.evaluations(group.first_state(), group.batches())
        next(evaluations)
        started = perf_counter()
        for _ in evaluations:
            pass
        an_epoch = (perf_counter() - started) / share
    config = cells[0].config
    steps = -(-len(dataset.train) // config.n_batch)
    return an_epoch * updates_of(config, steps) / steps
