"""Groups of the cells of a sweep that share a pass over the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from time import perf_counter

import numpy as np

from cifar_linear.config.datasets import HeldOut
from cifar_linear.config.models import Config
from cifar_linear.config.sweeps import Cell
from cifar_linear.data.dataset import Dataset, Split, first_images
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import Group, read_checkpoint, shared_part, updates_of
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.folder import RunFolder, all_locked
from cifar_linear.runs.record import Record
from cifar_linear.storage.leases import Lease
from cifar_linear.sweep.folder import Runs, missing

_MEMORY = 2**28
"""Bytes that the arrays of a group may take, about; the data set comes to that."""
_COPIES = 8
"""Arrays of a group in the shape of its parameters: weights, gradients, best weights, snapshots."""
_SCORED = 10_000
"""The number of images whose scores are in memory at once while a group is evaluated."""
_WORTH_SHARING = 32
"""Runs that are not spread over several processes: they gain more from one pass."""
_TIMED_IMAGES = 2000

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


class DatasetCache:
    """Loads the images of configs; the last ones are kept, since the next config may use them too."""

    def __init__(self, data_dir: Path | None) -> None:
        self.data_dir = data_dir
        self._last: tuple[object, Dataset] | None = None

    def of(self, config: Config) -> Dataset:
        """Return the images of a config. Raises `DataError` if they are missing or damaged."""
        wanted = config.data, config.seed if isinstance(config.data.validation, HeldOut) else None
        if self._last is None or self._last[0] != wanted:
            self._last = None
            self._last = wanted, load_dataset(config, self.data_dir)
        return self._last[1]

    def sizes(self, config: Config) -> tuple[int, int]:
        """Return the number of features and of classes, d and K; images are loaded if the config does not say it."""
        shape, classes = config.data.image_shape, config.data.class_count
        if shape is not None and classes is not None:
            return prod(shape), classes
        dataset = self.of(config)
        return prod(dataset.image_shape), len(dataset.class_names)


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


def estimate(cells: Cells, dataset: Dataset) -> float:
    """Estimate the seconds that a group takes from one epoch on a part of its images."""
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
