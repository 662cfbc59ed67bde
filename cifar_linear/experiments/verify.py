"""A run again, from its folder alone, and what differs from the first time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from cifar_linear.config.formatting import differing
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import CheckError, RunError
from cifar_linear.experiments.assembly import read_checkpoint
from cifar_linear.experiments.final_evaluation import judge
from cifar_linear.experiments.run import Watch, run_group
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import changes_since, other_images
from cifar_linear.runs.record import Record
from cifar_linear.training.evaluation import Evaluation


class Comparison(NamedTuple):
    """One part of a run, then and now: ``difference`` is None where both are the same to the last bit."""

    part: str
    difference: str | None


class Verification(NamedTuple):
    """What was compared, and where anything differs, what of data, versions, BLAS and code is not as it was."""

    epoch: float
    comparisons: list[Comparison]
    changes: list[str]

    @property
    def confirmed(self) -> bool:
        """Whether everything is the same."""
        return all(comparison.difference is None for comparison in self.comparisons)


class Recorded(NamedTuple):
    """What a run folder says of itself."""

    folder: RunFolder
    config: Config
    record: Record
    checkpoint: Checkpoint


def recorded_run(folder: RunFolder) -> Recorded:
    """What there is to verify. Raises `RunError` for a run under way, or one that has not come to an evaluation."""
    record = folder.read_record()
    if folder.is_at_work():
        raise RunError(f"{folder.path}: still under way; what it gives is compared when it has ended")
    checkpoint = folder.read_checkpoint()
    if checkpoint is None or not checkpoint.rows:
        raise RunError(f"{folder.path}: ended before its first evaluation was saved; there is nothing to compare")
    return Recorded(folder, folder.config(), record, checkpoint)


def verify_run(recorded: Recorded, dataset: Dataset, watch: Watch, check: Callable[[], None]) -> Verification:
    """Train a run anew, up to the same evaluation, and compare weights and figures.

    As many BLAS threads compute as the first time. For a run that was trained in one pass with others there are as many
    copies of it: products of another shape may add in another order.
    Raises `CheckError`, before anything is computed, if the images are others; `RunError` for a checkpoint that no such
    run can have saved.
    """
    if other := other_images(recorded.record.data, dataset):
        raise CheckError(f"{recorded.folder.path}: was trained with other {' and '.join(other)} images than these")
    checkpoint = read_checkpoint(recorded.folder, recorded.record.config, dataset)
    threads = max((library.num_threads for library in recorded.record.environment.blas), default=None)
    with TemporaryDirectory() as path, threadpool_limits(threads, user_api="blas"):
        copies = [RunFolder.create(Path(path), "again") for _ in range(recorded.record.runs_in_pass)]
        again = copies[recorded.record.place_in_pass]
        try:
            run_group([recorded.config] * len(copies), copies, dataset, _until(recorded, watch), check, test=False)
            if "test" in recorded.record.metrics and dataset.test:
                judge(again, dataset.test, dataset.validation)
        except _FarEnoughError:
            pass
        # Of a killed run only the checkpoint counts: its other files may be of other moments.
        whole = recorded.record.status != "running"
        then, now = _parts(recorded.folder, checkpoint, whole), _parts(again, again.read_checkpoint(), whole)
        comparisons = [Comparison(part, _difference(then.get(part, {}), now.get(part, {}))) for part in {**then, **now}]
        changes = changes_since(recorded.record.environment, again.read_record().environment)
    changes += [
        f"{key} was {was}, config.yaml has {now}"
        for key, was, now in differing(recorded.record.config, recorded.config)
    ]
    return Verification(recorded.checkpoint.rows[-1]["epoch"], comparisons, changes)


class _FarEnoughError(Exception):
    """The evaluation at which the run ended is reached."""


def _until(recorded: Recorded, watch: Watch) -> Watch:
    """Ends a training where the run has ended that did not come to an end of its own."""
    ended = recorded.record.status in ("finished", "diverged")
    last = recorded.checkpoint.rows[-1]["step"]

    def told(evaluation: Evaluation) -> None:
        watch(evaluation)
        if not ended and evaluation.step >= last:
            raise _FarEnoughError

    return told


def _parts(folder: RunFolder, checkpoint: Checkpoint | None, whole: bool) -> dict[str, Mapping[str, Any]]:
    """Numbers by part and name: what the checkpoint holds and, of the ``whole`` folder, what the other files hold."""
    checkpoint = checkpoint or Checkpoint({}, [], [])
    # Where the pass ended is not the run's: the others may have gone on. The figures tell where it ended itself.
    of_pass = ("step", "end.diverged", "end.stopped")
    state = {name: array for name, array in checkpoint.arrays.items() if name not in of_pass}
    parts: dict[str, Mapping[str, Any]] = {
        "state of the training": state,
        "figures of all evaluations": _columns(checkpoint.rows),
        "losses of all batches": {"loss": checkpoint.steps},
    }
    if whole:
        record = folder.read_record()
        for best in (False, True) if record.best else (False,):
            model = folder.read_model(best)
            parts["best_model.npz" if best else "model.npz"] = model.arrays()
        parts["metrics.csv"] = _columns(folder.read_metrics())
        parts["where it ended"] = {"epoch": record.epoch, "step": record.step}
        parts |= {f"final figures, {split}": figures.model_dump() for split, figures in record.metrics.items()}
        if predictions := folder.read_predictions(model):
            parts["predictions.npz"] = predictions._asdict()
    return parts


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """A table by columns; the clock does not count."""
    return {name: [row[name] for row in rows] for name in next(iter(rows), ()) if name != "seconds"}


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """In which arrays two collections differ, and by how much; None if in none."""
    said = []
    for name in {**then, **now}:
        ours, theirs = (np.asarray(of.get(name, ())) for of in (then, now))
        if ours.shape != theirs.shape:
            said.append(f"{name} has {ours.size} values then, {theirs.size} now")
        elif ours.dtype != theirs.dtype:
            said.append(f"{name} has {ours.dtype} values then, {theirs.dtype} now")
        elif ours.dtype.kind not in "fiu":
            said += [f"{name} differs"] * bool((ours != theirs).any())
        elif not np.array_equal(ours, theirs, equal_nan=True):
            said.append(f"{name} differs by up to {np.nanmax(np.abs(ours - theirs.astype(float))):.2g}")
    return ", ".join(said) or None
