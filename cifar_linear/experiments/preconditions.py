"""What a run must be before something is made of it: at rest, with its own config, on its own images."""

from __future__ import annotations

from cifar_linear.config.formatting import differing
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import CheckError, ConfigError, RunError
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import other_images
from cifar_linear.runs.record import Record


def refuse_running(folder: RunFolder, what: str) -> None:
    """Raise `RunError` if a process is training in the folder.

    Args:
        folder: of a run.
        what: the verb of what is to be done with it, for the message.
    """
    if folder.is_at_work():
        raise RunError(f"{folder.path}: still under way; {what} it when it has ended")


def refuse_edited(folder: RunFolder, record: Record) -> None:
    """Raise `ConfigError` if the config of a folder is not that of its run."""
    if edited := differing(record.config, folder.config()):
        key, was, now = edited[0]
        raise ConfigError(f"{folder.path}: config.yaml has {key} {now}, the run was trained with {was}")


def refuse_other_images(folder: RunFolder, record: Record, dataset: Dataset) -> None:
    """Raise `CheckError` if the images are not those that a run was trained with."""
    if other := other_images(record.data, dataset):
        raise CheckError(f"{folder.path}: was trained with other {' and '.join(other)} images than these")
