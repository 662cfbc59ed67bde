"""Training a run again: its start always, the whole of it for a sample, and what rounding alone would change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles
from cifar_linear.config.models import Config
from cifar_linear.config.networks import NetworkModel
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.metrics import evaluated, measure
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.data.dataset import Dataset, SplitName
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.experiments.verify import recorded_run, verify_run
from cifar_linear.nn.parameters import of_run
from cifar_linear.runs.record import SplitMetrics
from cifar_linear.training.evaluation import Evaluation

_BOTH: Sequence[SplitName] = ("train", "validation")
_LOSSES = ("train_loss", "validation_loss")
_OTHER_MACHINES = 10
_NUMERIC = 1e-5
_MOST_IN_A_PASS = 32
_CHAOS = 1e-3
"""Where rounding moves the weights by more than this part of their norm, it grows from step to step, as at a learning
rate that is too large. Nothing can be said then: the losses may be near each other by chance."""

Check = Callable[[], None]


class Twins(NamedTuple):
    """A training in single and in double precision.

    Attributes:
        again: losses of training and validation images at each evaluation, in the precision of the config, (m, 2).
        exact: the same in double precision.
        moved: how far rounding has moved the weights so far, as a part of their norm, (m,).
        weights: the last ones in double precision, flat.
    """

    again: Doubles
    exact: Doubles
    moved: Doubles
    weights: Doubles


def start_flags(run: HandedRun, dataset: Dataset, check: Check) -> Iterator[Flag]:
    """Yield where the run does not begin as training with its config on these images does.

    Args:
        run: the run.
        dataset: the images of its config.
        check: called before every update; may raise to stop.
    """
    group = Group.of([run.config], dataset)
    if problem := _first_metrics(run, group):
        yield Flag("start", f"before the first update: {problem}")
    elif not isinstance(run.config.model, NetworkModel) and len(run.rows) > 1 and run.rows[1]["step"] > 0:
        problem = _misfit(run, dataset, run.rows[:2], check, None)
        yield from [Flag("start", problem)] if problem else []


def again_flags(run: HandedRun, dataset: Dataset, check: Check) -> Iterator[Flag]:
    """Train a run again and yield whether that gives another one, beyond what rounding changes.

    A run that is reproduced bit for bit is confirmed. For another the config is trained in double precision as well:
    how far single precision is from that is the size of rounding here.

    Args:
        run: the run.
        dataset: the images of its config.
        check: called before every update; may raise to stop.
    """
    record = run.record
    if not record.place_in_pass < record.runs_in_pass <= _MOST_IN_A_PASS:
        yield Flag("again", f"run {record.place_in_pass} of {record.runs_in_pass} in a pass, which no sweep trains")
        return
    try:
        verified = verify_run(recorded_run(run.folder), dataset, lambda _: None, check)
    except RunError as error:
        yield Flag("again", str(error))
        return
    if not verified.confirmed:
        last = run.models["last"].parameters
        problem = _misfit(run, dataset, run.rows, check, np.concatenate([part.ravel() for part in last.values()]))
        yield from [Flag("again", problem)] if problem else []


def _first_metrics(run: HandedRun, group: Group) -> str | None:
    """Return what is wrong with the metrics of the untrained weights, which seed and images decide."""
    parameters = group.first_state().parameters
    names, shape = group.dataset.class_names, group.dataset.image_shape
    classifier = Classifier(run.config, parameters, group.objective, names, shape)
    splits = evaluated(run.config, group.dataset)
    # All training images would take a network minutes.
    wanted: Sequence[SplitName] = ("validation",) if isinstance(run.config.model, NetworkModel) else _BOTH
    for split in wanted:
        row = {name: run.rows[0][f"{split}_{name}"] for name in SplitMetrics.model_fields}
        misfit = measure(classifier, splits[split]).misfit(row)
        if misfit:
            return f"{split}: {misfit.replace('these weights', 'the first weights of this seed')}"
    return None


def _misfit(
    run: HandedRun, dataset: Dataset, rows: Sequence[Mapping[str, float]], check: Check, weights: Doubles | None
) -> str | None:
    """Return how recorded rows, and weights if given, differ from those of training again; None within rounding."""
    recorded = np.array([[row[name] for name in _LOSSES] for row in rows])
    if weights is None and np.array_equal(_losses_again(run.config, dataset, len(rows), check), recorded):
        return None
    twins = _trained_twice(run.config, dataset, len(rows), check)
    problem = _misfit_of_losses(recorded, twins, [row["epoch"] for row in rows])
    return problem or (None if weights is None else _misfit_of_weights(weights, twins))


def _misfit_of_losses(recorded: Doubles, twins: Twins, epochs: Sequence[float]) -> str | None:
    count, sizes = len(twins.exact), np.abs(twins.exact)
    rounding = np.maximum(np.abs(twins.again - twins.exact), twins.moved[:, None] * sizes)
    allowed = _OTHER_MACHINES * rounding + _NUMERIC * sizes
    differs = np.abs(recorded[:count] - twins.exact) > allowed
    for place, column in np.argwhere(differs & (twins.moved < _CHAOS)[:, None])[:1]:
        found, expected = recorded[place, column], twins.exact[place, column]
        return (
            f"epoch {epochs[place]:.0f}: {_LOSSES[column].replace('_', ' ')} {found:.6g} is recorded, training again "
            f"gives {expected:.6g}; rounding changes it by up to {allowed[place, column]:.1g}"
        )
    return None


def _misfit_of_weights(recorded: Doubles, twins: Twins) -> str | None:
    if twins.moved[-1] >= _CHAOS or recorded.shape != twins.weights.shape:
        return None
    distance, rounding = _relative(recorded, twins.weights), _OTHER_MACHINES * twins.moved[-1] + _NUMERIC
    if distance <= rounding:
        return None
    return (
        f"the last weights differ by {100 * distance:.2g} % of their norm from those of training again; rounding "
        f"changes them by up to {100 * rounding:.1g} %"
    )


def _losses_again(config: Config, dataset: Dataset, evaluations: int, check: Check) -> Doubles:
    """Train a config up to an evaluation and return its losses, (m, 2)."""
    with blas_threads(config):
        return np.array([_losses(point) for point in islice(_evaluations(config, dataset, check), evaluations)])


def _trained_twice(config: Config, dataset: Dataset, evaluations: int, check: Check) -> Twins:
    """Train a config up to an evaluation in its own and in double precision, side by side."""
    again, exact, moved, last = [], [], [], np.empty(0)
    with blas_threads(config):
        ours = _evaluations(config, dataset, check)
        precise = _evaluations(config.model_copy(update={"dtype": "float64"}), dataset, check)
        for one, other in islice(zip(ours, precise, strict=False), evaluations):
            last = _flat(other)
            again.append(_losses(one))
            exact.append(_losses(other))
            moved.append(_relative(_flat(one), last))
    return Twins(np.array(again), np.array(exact), np.maximum.accumulate(moved), last)


def _evaluations(config: Config, dataset: Dataset, check: Check) -> Iterator[Evaluation]:
    group = Group.of([config], dataset)
    return group.evaluations(group.first_state(), group.batches(), check)


def _losses(point: Evaluation) -> list[float]:
    return [float(metrics.loss[0]) for metrics in (point.train, point.validation)]


def _flat(point: Evaluation) -> Doubles:
    parameters = of_run(point.state.outcome(), 0)
    return np.concatenate([array.ravel() for array in parameters.values()]).astype(np.float64)


def _relative(ours: Doubles, exact: Doubles) -> float:
    """Return the distance of weights as a part of the norm of the exact ones."""
    size = float(np.linalg.norm(exact)) or 1.0
    return float(np.linalg.norm(ours - exact)) / size
