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
from cifar_linear.experiments.assembly import Group, blas_threads
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.verify import recorded_run, verify_run
from cifar_linear.nn.parameters import of_run
from cifar_linear.runs.record import SplitMetrics
from cifar_linear.training.evaluation import Evaluation

_LOSSES = ("train_loss", "validation_loss")
_OTHER_MACHINES = 10
_NUMERIC = 1e-5
_CHAOS = 0.2
"""Where rounding moves a loss, or the weights, by more than this part of them, nothing can be said."""

Check = Callable[[], None]


class Path(NamedTuple):
    """A training: the losses (m, 2) after each evaluation, and the last weights, flat."""

    losses: Doubles
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
        where = f"after step {run.rows[1]['step']:.0f}"
        problem = _misfit(run, dataset, run.rows[:2], check, None)
        yield from [Flag("start", f"{where}: {problem}")] if problem else []


def again_flags(run: HandedRun, dataset: Dataset, check: Check) -> Iterator[Flag]:
    """Train a run again and yield whether that gives another one, beyond what rounding changes.

    A run that is reproduced bit for bit is confirmed. For another the config is trained in double precision as well:
    how far single precision is from that is the size of rounding here.

    Args:
        run: the run.
        dataset: the images of its config.
        check: called before every update; may raise to stop.
    """
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


_BOTH: Sequence[SplitName] = ("train", "validation")


def _misfit(
    run: HandedRun, dataset: Dataset, rows: Sequence[Mapping[str, float]], check: Check, weights: Doubles | None
) -> str | None:
    """Return how recorded rows, and weights if given, differ from those of training again; None within rounding."""
    recorded = np.array([[row[name] for name in _LOSSES] for row in rows])
    again = _trained(run.config, dataset, len(rows), check)
    if weights is None and np.array_equal(again.losses, recorded):
        return None
    exact = _trained(run.config.model_copy(update={"dtype": "float64"}), dataset, len(rows), check)
    count = min(len(again.losses), len(exact.losses), len(recorded))
    allowed = np.maximum.accumulate(np.abs(again.losses - exact.losses)[:count])
    distance = np.abs(recorded[:count] - exact.losses[:count])
    allowed = _OTHER_MACHINES * allowed + _NUMERIC * np.abs(exact.losses[:count])
    settled = allowed < _CHAOS * np.abs(exact.losses[:count])
    for place, column in np.argwhere((distance > allowed) & settled)[:1]:
        found, expected = recorded[place, column], exact.losses[place, column]
        name = _LOSSES[column].replace("_", " ")
        return (
            f"epoch {rows[place]['epoch']:.0f}: {name} {found:.6g} is recorded, training again gives {expected:.6g}; "
            f"rounding changes it by up to {allowed[place, column]:.1g}"
        )
    return None if weights is None else _misfit_of_weights(weights, again.weights, exact.weights)


def _misfit_of_weights(recorded: Doubles, again: Doubles, exact: Doubles) -> str | None:
    size = float(np.linalg.norm(exact))
    if recorded.shape != exact.shape or not size:
        return None
    rounding = _OTHER_MACHINES * float(np.linalg.norm(again - exact)) / size + _NUMERIC
    distance = float(np.linalg.norm(recorded - exact)) / size
    if distance <= rounding or rounding > _CHAOS:
        return None
    return (
        f"the last weights differ by {100 * distance:.2g} % of their norm from those of training again; rounding "
        f"changes them by up to {100 * rounding:.1g} %"
    )


def _trained(config: Config, dataset: Dataset, evaluations: int, check: Check) -> Path:
    """Train a config up to an evaluation."""
    group = Group.of([config], dataset)
    with blas_threads(config):
        points = list(islice(group.evaluations(group.first_state(), group.batches(), check), evaluations))
    return Path(np.array([_losses(point) for point in points]), _flat(points[-1]))


def _losses(point: Evaluation) -> list[float]:
    return [float(metrics.loss[0]) for metrics in (point.train, point.validation)]


def _flat(point: Evaluation) -> Doubles:
    parameters = of_run(point.state.outcome(), 0)
    return np.concatenate([array.ravel() for array in parameters.values()]).astype(np.float64)
