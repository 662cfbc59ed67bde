"""Resume a run that was stopped or killed from its last evaluation point."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cifar_linear.config.formatting import differing
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import ConfigError, DataError, RunError
from cifar_linear.experiments.assembly import Group, evaluate_after, read_checkpoint, updates_of
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import other_images
from cifar_linear.runs.record import Record


def resumed_config(folder: RunFolder, overrides: Sequence[str]) -> Config:
    """Return the config of a run to resume.

    Hold the lock of the folder from before this call until the run has ended: another process may resume it as well.

    Args:
        folder: folder of the run.
        overrides: ``epochs=N`` or ``steps=N``, to train longer.

    Raises:
        ConfigError: if the overrides change anything else.
        RunError: if the run cannot be resumed.
    """
    record = folder.read_record()
    config = folder.config(overrides)
    # Users may edit config.yaml; the original config is in run.json as well.
    changed = [key for key, _, _ in differing(record.config, config)]
    unit = f"{record.config.unit}s"
    if others := ", ".join(sorted({*changed} - {unit})):
        raise ConfigError(f"{folder.path}: {others} cannot change when resuming; train a new run instead")
    if changed and config.decay.kind == "cosine":
        raise ConfigError(
            f"{folder.path}: with decay.kind cosine, {unit} decides eta from the first {record.config.unit} on, so it "
            f"stays {record.config.length}: train a new run instead"
        )
    if config.length < record.done:
        trained = f"has already trained {record.done} {unit}; {unit} must be at least {record.done}"
        raise ConfigError(f"{folder.path}: {trained}, found {config.length}")
    if record.status == "diverged":
        raise RunError(f"{folder.path}: the run diverged and cannot be resumed")
    needs_test = config.data.test and "test" not in record.metrics  # It was stopped between training and test.
    if record.status == "finished" and (record.stopped_early or config.length == record.done) and not needs_test:
        raise RunError(f"{folder.path}: already finished; to train longer, add --set {unit}=N")
    return config


def _check_last_evaluation(folder: RunFolder, config: Config, checkpoint: Checkpoint, steps: int) -> None:
    """Raise `ConfigError` if the evaluation after a run's last update would not exist in the longer run.

    With ``evaluate.per_epoch`` it is an additional evaluation. Early stopping has counted it, and a run that diverges
    returns to it, so the longer run would differ from one that was trained without a break.
    """
    last = checkpoint.rows[-1]["step"] if checkpoint.rows else 0
    if last and not evaluate_after(config, steps)(last) and last < updates_of(config, steps):
        raise ConfigError(
            f"{folder.path}: the evaluation after its last update would not be one of the longer run: "
            "train a new run instead"
        )


def resume_run(folder: RunFolder, config: Config, dataset: Dataset, watch: Watch, check: Callable[[], None]) -> Record:
    """Train the rest of a run and return its record.

    On the same machine with the same number of BLAS threads, the weights are bit-identical to those of a run that was
    never stopped.

    Args:
        folder: folder of the run, which must be locked.
        config: config from `resumed_config`.
        dataset: images of the config.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop training.

    Raises:
        DataError: if the images differ from those that the run started with.
        RunError: if the checkpoint is damaged or does not belong to the run.
    """
    if other := other_images(folder.read_record().data, dataset):
        raise DataError(f"{folder.path}: began with other {' and '.join(other)} images; name their folder, --data-dir")
    checkpoint = read_checkpoint(folder, config, dataset)
    if checkpoint:
        _check_last_evaluation(folder, config, checkpoint, Group.of([config], dataset).batches().steps)
    (record,) = run_group([config], [folder], dataset, watch, check, [checkpoint] if checkpoint else [])
    return record
