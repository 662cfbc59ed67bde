"""Repeat a run from its folder and compare the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from cifar_linear.config.formatting import differing
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import read_checkpoint
from cifar_linear.experiments.final_evaluation import calibrate, evaluate_on_test
from cifar_linear.experiments.preconditions import refuse_other_images, refuse_running
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.file_names import (
    CALIBRATION_FILE,
    INTROSPECTION_FILE,
    METRICS_FILE,
    MODEL_FILES,
    PREDICTIONS_FILE,
)
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import changes_since
from cifar_linear.runs.record import Record
from cifar_linear.training.evaluation import Evaluation

_NOT_IN_EARLIER_VERSIONS = (CALIBRATION_FILE, INTROSPECTION_FILE)


class Comparison(NamedTuple):
    """The comparison of one part of a run; ``difference`` is None if both are bit-identical."""

    part: str
    difference: str | None


class Verification(NamedTuple):
    """The result of a verification.

    Attributes:
        epoch: epoch of the last compared evaluation.
        comparisons: comparison of each part of the run.
        changes: changes of versions, BLAS, code and config since the run, which may explain differences.
    """

    epoch: float
    comparisons: list[Comparison]
    changes: list[str]

    @property
    def confirmed(self) -> bool:
        """Whether there is no difference."""
        return all(comparison.difference is None for comparison in self.comparisons)


class Recorded(NamedTuple):
    """The recorded run that is verified."""

    folder: RunFolder
    config: Config
    record: Record
    checkpoint: Checkpoint


def recorded_run(folder: RunFolder) -> Recorded:
    """Read a run to verify. Raises `RunError` if it is still running or has no saved evaluation."""
    record = folder.read_record()
    refuse_running(folder, "verify")
    checkpoint = folder.read_checkpoint()
    if checkpoint is None or not checkpoint.rows:
        raise RunError(f"{folder.path}: ended before its first evaluation was saved; there is nothing to compare")
    return Recorded(folder, folder.config(), record, checkpoint)


def verify_run(recorded: Recorded, dataset: Dataset, watch: Watch, check: Callable[[], None]) -> Verification:
    """Repeat a run up to the same evaluation and compare weights and metrics.

    The number of BLAS threads is that of the original run. A run that shared a pass with others is trained together
    with as many copies of itself, since matrix products of another shape may sum in another order.

    Args:
        recorded: the run to repeat.
        dataset: images of its config.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop.

    Raises:
        CheckError: before training, if the images differ from the original ones.
        RunError: if the checkpoint does not belong to the run.
    """
    refuse_other_images(recorded.folder, recorded.record, dataset)
    checkpoint = read_checkpoint(recorded.folder, recorded.record.config, dataset)
    threads = max((library.num_threads for library in recorded.record.environment.blas), default=None)
    with TemporaryDirectory() as path, threadpool_limits(threads, user_api="blas"):
        copies = [RunFolder.create(Path(path), "again") for _ in range(recorded.record.runs_in_pass)]
        again = copies[recorded.record.place_in_pass]
        try:
            run_group([recorded.config] * len(copies), copies, dataset, _until(recorded, watch), check, test=False)
            if "test" in recorded.record.metrics and dataset.test:
                evaluate_on_test(again, dataset.test, dataset.validation)
            elif recorded.folder.read_calibration():
                calibrate(again, dataset.validation)
        except _FarEnoughError:
            pass
        # Of a killed run only the checkpoint is compared: the other files may belong to other evaluations.
        whole = recorded.record.status != "running"
        then, now = _parts(recorded.folder, checkpoint, whole), _parts(again, again.read_checkpoint(), whole)
        parts = [part for part in {**then, **now} if part in then or part not in _NOT_IN_EARLIER_VERSIONS]
        comparisons = [Comparison(part, _difference(then.get(part, {}), now.get(part, {}))) for part in parts]
        changes = changes_since(recorded.record.environment, again.read_record().environment)
    changes += [
        f"{key} was {was}, config.yaml has {now}"
        for key, was, now in differing(recorded.record.config, recorded.config)
    ]
    return Verification(recorded.checkpoint.rows[-1]["epoch"], comparisons, changes)


class _FarEnoughError(Exception):
    """Raised at the evaluation at which the original run ended."""


def _until(recorded: Recorded, watch: Watch) -> Watch:
    """Return a watch that stops training where the original run was interrupted, if it was."""
    ended = recorded.record.status in ("finished", "diverged")
    last = recorded.checkpoint.rows[-1]["step"]

    def watch_until_end(evaluation: Evaluation) -> None:
        watch(evaluation)
        if not ended and evaluation.step >= last:
            raise _FarEnoughError

    return watch_until_end


def _parts(folder: RunFolder, checkpoint: Checkpoint | None, whole: bool) -> dict[str, Mapping[str, Any]]:
    """Return all results by part and name: those of the checkpoint and, if ``whole``, those of the other files."""
    checkpoint = checkpoint or Checkpoint({}, [], [])
    # Other runs of the pass may have continued after this one; its own end is compared by its metrics.
    of_pass = ("step", "end.diverged", "end.stopped")
    state = {name: array for name, array in checkpoint.arrays.items() if name not in of_pass}
    parts: dict[str, Mapping[str, Any]] = {
        "state of the training": state,
        "metrics of all evaluations": _columns(checkpoint.rows),
        "losses of all batches": {"loss": checkpoint.steps},
    }
    if whole:
        record = folder.read_record()
        for best in (False, True) if record.best else (False,):
            model = folder.read_model(best)
            parts[MODEL_FILES[best]] = model.arrays()
        parts[METRICS_FILE] = _columns(folder.read_metrics())
        parts["where it ended"] = {"epoch": record.epoch, "step": record.step}
        parts |= {f"final metrics, {split}": metrics.model_dump() for split, metrics in record.metrics.items()}
        if predictions := folder.read_predictions(model):
            parts[PREDICTIONS_FILE] = predictions._asdict()
        if calibration := folder.read_calibration():
            parts[CALIBRATION_FILE] = dict(_numbers(calibration.model_dump()))
        if (network := record.config.network()) and predictions:
            inside = folder.read_introspection(network, len(predictions.labels))
            parts |= {INTROSPECTION_FILE: inside.arrays()} if inside else {}
    return parts


def _numbers(entries: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number of a tree with its dotted name."""
    for key, value in entries.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield from _numbers(dict(enumerate(value)), f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows as columns, without the time."""
    return {name: [row[name] for row in rows] for name in next(iter(rows), ()) if name != "seconds"}


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Describe which arrays of two collections differ, and by how much; None if none does."""
    differences = []
    for name in {**then, **now}:
        ours, theirs = (np.asarray(arrays.get(name, ())) for arrays in (then, now))
        if ours.shape != theirs.shape:
            differences.append(f"{name} has {ours.size} values then, {theirs.size} now")
        elif ours.dtype != theirs.dtype:
            differences.append(f"{name} has {ours.dtype} values then, {theirs.dtype} now")
        elif ours.dtype.kind not in "fiu":
            differences += [f"{name} differs"] * bool((ours != theirs).any())
        elif not np.array_equal(ours, theirs, equal_nan=True):
            differences.append(f"{name} differs by up to {np.nanmax(np.abs(ours - theirs.astype(float))):.2g}")
    return ", ".join(differences) or None
