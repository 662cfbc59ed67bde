"""A single training, prepared up to its start: a new run, or one that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cifar_linear.config.models import Config
from cifar_linear.config.reading import read_config
from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.assembly import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.runs.folder import RunFolder, checked_name, name_from
from cifar_linear.runs.record import Record


@dataclass(frozen=True)
class Job:
    """A training that can start.

    Attributes:
        config: what is trained.
        dataset: the images that it asks for.
        open_folder: makes the folder of a new run, or returns that of an earlier one.
        is_new: whether the run begins here.
    """

    config: Config
    dataset: Dataset
    open_folder: Callable[[], RunFolder]
    is_new: bool

    def train(self, folder: RunFolder, watch: Watch, check: Callable[[], None]) -> Record:
        """Train and evaluate the run; the arguments are those of `run_group`."""
        if not self.is_new:
            return resume_run(folder, self.config, self.dataset, watch, check)
        (record,) = run_group([self.config], [folder], self.dataset, watch, check)
        return record


def chosen_name(name: str | None, config_path: Path) -> str:
    """The name of a run or sweep, by default from the name of its file. Raises `ConfigError` for a bad one."""
    return checked_name(name) if name is not None else name_from(config_path)


def new_run(
    config_path: Path, overrides: Sequence[str], data_dir: Path | None, runs_dir: Path, name: str | None
) -> Job:
    """A run that begins. Nothing is written before its folder is opened.

    Args:
        config_path: a YAML file, or ``-`` for standard input.
        overrides: ``key=value``.
        data_dir: the folder of the images, if it is given.
        runs_dir: where the run folder will be made.
        name: part of the folder's name; None for that of the config file.

    Raises:
        ConfigError: for a bad config or name.
        DataError: if the images are missing or damaged.
    """
    config, name = read_config(config_path, overrides), chosen_name(name, config_path)
    return Job(config, load_dataset(config, data_dir), lambda: RunFolder.create(runs_dir, name), is_new=True)


@contextmanager
def continued_run(folder: RunFolder, overrides: Sequence[str], data_dir: Path | None) -> Iterator[Job]:
    """A run that was stopped, and goes on; its folder is locked until the block ends.

    Args:
        folder: of the run.
        overrides: ``epochs=N``, to lengthen it.
        data_dir: the folder of the images, if it is given.

    Raises:
        ConfigError: for an override that would change the run.
        RunError: if the folder holds no run, or one that cannot go on.
        DataError: if the images are missing or damaged.
    """
    folder.read_record()  # What is no run is refused before anything is written there.
    with folder.locked():
        config = resumed_config(folder, overrides)
        yield Job(config, load_dataset(config, data_dir), lambda: folder, is_new=False)
