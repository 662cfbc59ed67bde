"""Groups of the cells of a sweep that share a pass over the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import prod

import numpy as np

from cifar_linear.config.models import Config
from cifar_linear.config.sweeps import Cell
from cifar_linear.experiments.assembly import shared_part
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.runs.record import Record
from cifar_linear.sweep.folder import Runs, missing

_MEMORY = 2**28
"""Bytes that the arrays of a group may take, about; the data set comes to that."""
_COPIES = 8
"""Arrays of a group in the shape of its parameters: weights, gradients, best weights, snapshots."""
_SCORED = 10_000
"""The number of images whose scores are in memory at once while a group is evaluated."""
_WORTH_SHARING = 32
"""Runs that are not spread over several processes: they gain more from one pass."""

Cells = Sequence[Cell]


def groups_of(cells: Cells, images: DatasetCache, workers: int = 1) -> list[Cells]:
    """Return the cells in groups that can share a pass over the data, in their order.

    Args:
        cells: to be trained.
        images: knows how large the examples of a data set of one's own are.
        workers: processes among which many cells are shared.
    """
    alike: dict[Config, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[shared_part(cell.config)].append(cell)
    groups: list[Cells] = []
    for config, group in alike.items():
        share = max(_WORTH_SHARING, -(-len(group) // workers))
        size = min(share, runs_that_fit(config, *images.sizes(config)))
        groups += [group[start : start + size] for start in range(0, len(group), size)]
    return groups


def runs_that_fit(config: Config, features: int, classes: int) -> int:
    """Return how many runs of a config fit into memory together, at least 1.

    Args:
        config: of the runs.
        features: d.
        classes: K.
    """
    network = config.network()
    parameters, batch = classes * features, 0
    if network is not None:
        parameters = sum(prod(shape) for shape in network.parameter_shapes.values())
        batch = 2 * config.n_batch * sum(map(prod, network.shapes))
    numbers = _COPIES * parameters + _SCORED * classes + batch
    return max(1, _MEMORY // (np.dtype(config.dtype).itemsize * numbers))


def left_to_train(group: Cells, runs: Runs, retry_failed: bool) -> Cells:
    """Return the cells of a group that are to be trained; empty if none is missing.

    They are all of them, if a process was killed while it wrote that they had finished: the same group goes on from its
    last moment, whereas fewer runs would sum in another order.

    Args:
        group: all cells of the group.
        runs: what there is of them.
        retry_failed: whether failed cells are trained again.
    """
    cells = missing(group, runs, retry_failed)
    records = [run[1] if (run := runs.get(cell.key)) else None for cell in group]
    return group if cells and is_one_pass(records) else cells


def is_one_pass(records: Sequence[Record | None]) -> bool:
    """Return whether these are all runs of one pass over the data in their order; None stands for a missing one."""
    places = [record and (record.place_in_pass, record.runs_in_pass) for record in records]
    return places == [(place, len(records)) for place in range(len(records))]
