"""Whether the files of a run folder, which are written together, agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cifar_linear.config.formatting import differing
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.record import SplitMetrics
from cifar_linear.training.state import State

_COLUMNS = tuple(SplitMetrics.model_fields)


def file_flags(run: HandedRun) -> Iterator[Flag]:
    """Yield where two files of a run have different numbers. Those of a killed run may be of different moments."""
    for key, was, now in differing(run.record.config, run.config):
        yield Flag("files", f"{key} is {now} in config.yaml, {was} in run.json")
    if not run.is_whole:
        return
    yield from _of_record(run)
    if run.checkpoint is None:
        yield Flag("files", "there are metrics, but no checkpoint.npz, which is written before them")
    else:
        yield from _of_checkpoint(run, run.checkpoint)


def _of_record(run: HandedRun) -> Iterator[Flag]:
    last = run.rows[-1]
    if (run.record.epoch, run.record.step) != (last["epoch"], last["step"]):
        where = f"epoch {last['epoch']:.0f}, step {last['step']:.0f}"
        yield Flag("files", f"metrics.csv ends at {where}, run.json at {run.record.epoch}, {run.record.step}")
    yield from _of_metrics("the last row of metrics.csv", last, run.record.metrics)
    if run.record.best:
        lowest = min(run.rows, key=lambda row: row["validation_loss"])
        yield from _of_metrics("the row of metrics.csv with the lowest loss", lowest, run.record.best.metrics)
    stored, outcome = run.predictions, run.record.outcome
    if stored is not None and "test" in outcome:
        accuracy = float(stored.correct.mean())
        if abs(accuracy - outcome["test"].accuracy) > 0.5 / len(stored.labels):
            recorded = f"run.json has test accuracy {outcome['test'].accuracy:.4f}"
            yield Flag("files", f"predictions.npz has {accuracy:.4f} right, {recorded}")


def _of_metrics(where: str, row: Mapping[str, float], metrics: Mapping[Any, SplitMetrics]) -> Iterator[Flag]:
    for split in ("train", "validation"):
        for name in _COLUMNS if split in metrics else ():
            ours, theirs = row[f"{split}_{name}"], getattr(metrics[split], name)
            if ours != theirs:
                yield Flag("files", f"{split} {name} is {theirs:.6g} in run.json, {ours:.6g} in {where}")


def _of_checkpoint(run: HandedRun, checkpoint: Checkpoint) -> Iterator[Flag]:
    if len(checkpoint.rows) != len(run.rows):
        yield Flag("files", f"checkpoint.npz has {len(checkpoint.rows)} evaluations, metrics.csv {len(run.rows)}")
    for ours, theirs in zip(run.rows, checkpoint.rows, strict=False):
        if changed := next((name for name in theirs if ours.get(name) != theirs[name]), None):
            where = f"after step {ours['step']:.0f} {changed}"
            yield Flag("files", f"{where} is {ours.get(changed)} in metrics.csv, {theirs[changed]} in checkpoint.npz")
            break
    state = State.restore([checkpoint.arrays])
    for weights, parameters in (("last", state.outcome()), ("best", state.best.parameters if state.best else None)):
        if weights in run.models and parameters is not None:
            yield from _of_weights(weights, parameters, run.models[weights].parameters)


def _of_weights(weights: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Flag]:
    for name, array in ours.items():
        stored = theirs.get(name, np.empty(0))
        if stored.shape != array[0].shape:
            yield Flag("files", f"{name} of the {weights} weights has another shape than in checkpoint.npz")
        elif count := int((stored != array[0]).sum()):
            where = "the model's file and in checkpoint.npz"
            yield Flag("files", f"{count} of {stored.size} numbers of {name}, {weights} weights, differ in {where}")
