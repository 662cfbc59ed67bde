"""A single training that is ready to start: a new run or a resumed one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cifar_linear.config.models import Config
from cifar_linear.config.reading import read_config
from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.names import checked_name, name_from
from cifar_linear.runs.record import Record


@dataclass(frozen=True)
class Job:
    """A training that is ready to start.

    Attributes:
        config: config of the run.
        dataset: images of the config.
        open_folder: creates the folder of a new run, or returns that of a resumed one.
        is_new: whether the run is new.
    """

    config: Config
    dataset: Dataset
    open_folder: Callable[[], RunFolder]
    is_new: bool

    def train(self, folder: RunFolder, watch: Watch, check: Callable[[], None]) -> Record:
        """Train the run and evaluate it on the test set.

        Args:
            folder: folder from `open_folder`.
            watch: called with each evaluation point.
            check: called before every update; may raise to stop training.
        """
        if not self.is_new:
            return resume_run(folder, self.config, self.dataset, watch, check)
        (record,) = run_group([self.config], [folder], self.dataset, watch, check)
        return record


def chosen_name(name: str | None, config_path: Path) -> str:
    """Return the name of a run or sweep, by default from its config file. Raises `ConfigError` if it is invalid."""
    return checked_name(name) if name is not None else name_from(config_path)


def new_run(
    config_path: Path, overrides: Sequence[str], data_dir: Path | None, runs_dir: Path, name: str | None
) -> Job:
    """Prepare a new run. Nothing is written before its folder is opened.

    Args:
        config_path: a YAML file, or ``-`` for standard input.
        overrides: ``key=value``.
        data_dir: folder of the images; None for that of the config.
        runs_dir: where the run folder will be created.
        name: name of the run; None for that of the config file.

    Raises:
        ConfigError: for a bad config or name.
        DataError: if the images are missing or damaged.
    """
    config, name = read_config(config_path, overrides), chosen_name(name, config_path)
    return Job(config, load_dataset(config, data_dir), lambda: RunFolder.create(runs_dir, name), is_new=True)


@contextmanager
def continued_run(folder: RunFolder, overrides: Sequence[str], data_dir: Path | None) -> Iterator[Job]:
    """Prepare a run to resume; its folder is locked until the block ends.

    Args:
        folder: folder of the run.
        overrides: ``epochs=N`` or ``steps=N``, to train longer.
        data_dir: folder of the images; None for that of the config.

    Raises:
        ConfigError: if an override would change the run.
        RunError: if the folder contains no run, or one that cannot be resumed.
        DataError: if the images are missing or damaged.
    """
    folder.read_record()  # Raises for other folders, before a lock file is written there.
    with folder.locked():
        config = resumed_config(folder, overrides)
        yield Job(config, load_dataset(config, data_dir), lambda: folder, is_new=False)
