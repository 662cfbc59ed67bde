"""The cells of a sweep, in groups that share a pass over the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from cifar_linear.config.models import Config, HeldOut
from cifar_linear.config.sweeps import Cell
from cifar_linear.data.dataset import Dataset, Split, first_images
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import Group, blas_threads, load_dataset, read_checkpoint, shared_part
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.folder import RunFolder, all_locked
from cifar_linear.runs.record import Record

_MOST_RUNS = 32
"""Runs that share a pass; more of them do not make it cheaper."""
_TIMED_IMAGES = 2000

Cells = Sequence[Cell]


def groups_of(cells: Cells) -> list[Cells]:
    """The cells that can share a pass over the data, together; in their order."""
    alike: dict[Config, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[shared_part(cell.config)].append(cell)
    return [group[start : start + _MOST_RUNS] for group in alike.values() for start in range(0, len(group), _MOST_RUNS)]


class DatasetCache:
    """The images of one config after another; those of the last are kept, since the next may want them too."""

    def __init__(self, data_dir: Path | None) -> None:
        self.data_dir = data_dir
        self._last: tuple[object, Dataset] | None = None

    def of(self, config: Config) -> Dataset:
        """What the config asks for. Raises `DataError`."""
        wanted = config.data, config.seed if isinstance(config.data.validation, HeldOut) else None
        if self._last is None or self._last[0] != wanted:
            self._last = None
            self._last = wanted, load_dataset(config, self.data_dir)
        return self._last[1]


def run_cells(
    cells: Cells,
    folders_before: Sequence[RunFolder | None],
    path: Path,
    dataset: Dataset,
    watch: Watch,
    check: Callable[[], None],
) -> list[Record]:
    """Train cells that share a pass; none meets the test images.

    ``folders_before`` are the folders that an earlier call has left of each, to go on from there; others are made in
    ``path``.
    """
    folders = [folder or RunFolder.create(path, cell.name) for folder, cell in zip(folders_before, cells, strict=True)]
    configs = [cell.config for cell in cells]
    with all_locked(folders):  # From before the checkpoints are read: nobody shall go on with a cell meanwhile.
        checkpoints = _checkpoints(folders, configs, dataset)
        return run_group(configs, folders, dataset, watch, check, checkpoints, test=False)


def _checkpoints(folders: Sequence[RunFolder], configs: Sequence[Config], dataset: Dataset) -> list[Checkpoint]:
    """From where a group goes on; nothing, for a start from the beginning, unless it is the same group at one moment.

    A run that came to its end before the others was still saved with them. Products of fewer runs add in another
    order, so that a group which has lost a run is another group.
    """
    try:
        found = [read_checkpoint(folder, config, dataset) for folder, config in zip(folders, configs, strict=True)]
        checkpoints = list(filter(None, found))
        places = [(record.place_in_pass, record.runs_in_pass) for record in map(RunFolder.read_record, folders)]
    except RunError:
        return []
    moments = {int(checkpoint.arrays["step"]) for checkpoint in checkpoints}
    same_group = places == [(place, len(folders)) for place in range(len(folders))]
    return checkpoints if same_group and len(checkpoints) == len(folders) and len(moments) == 1 else []


def estimate(cells: Cells, dataset: Dataset) -> float:
    """Seconds that a group will take, from an epoch on a part of its images."""
    configs = [cell.config.model_copy(update={"epochs": 1}) for cell in cells]
    share = min(1.0, max(_TIMED_IMAGES, configs[0].n_batch) / len(dataset.train))

    def part(split: Split) -> Split:
        return first_images(split, max(1, round(share * len(split))))

    few = replace(dataset, train=part(dataset.train), validation=part(dataset.validation))
    group = Group.of(configs, few)
    with blas_threads(configs[0]):
        evaluations = group.evaluations(group.first_state(), group.batches())
        next(evaluations)
        started = perf_counter()
        for _ in evaluations:
            pass
        return (perf_counter() - started) / share * cells[0].config.epochs
