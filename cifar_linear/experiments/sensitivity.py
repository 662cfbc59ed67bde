"""How much of a result is rounding: the same training twice, with one bit of one first weight changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.nn.parameters import Parameters, dtype_of
from cifar_linear.runs.record import Sensitivity
from cifar_linear.training.evaluation import Evaluation, evaluate

_IMAGES = 1000


def sensitivity(
    config: Config, dataset: Dataset, watch: Callable[[Evaluation], None], check: Callable[[], None]
) -> Sensitivity:
    """Train a config and its twin side by side, and compare how they end.

    In the twin, one first weight is the next number that its dtype has.

    Args:
        config: of the training.
        dataset: its images.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop.
    """
    group = Group.of([config, config], dataset)
    state = group.first_state()
    _change_one_bit(group, state.parameters)
    with blas_threads(config):
        for evaluation in group.evaluations(state, group.batches(), check):
            watch(evaluation)
        last = state.best.parameters if state.best else state.outcome()
        train, validation = (evaluate(last, split, group.objective) for split in (dataset.train, dataset.validation))
    return Sensitivity(
        apart=_apart(last),
        train_cost=(float(train.cost[0]), float(train.cost[1])),
        validation_accuracy=(float(validation.accuracy[0]), float(validation.accuracy[1])),
    )


def _change_one_bit(group: Group, parameters: Parameters) -> None:
    """Change one weight of the second run by one unit in its last place: the one that changes the cost most by that."""
    train, dtype = group.dataset.train, dtype_of(parameters)
    gradient = next(group.objective.gradients(train.images[:_IMAGES], train.labels[:_IMAGES], parameters))
    effect = {name: np.abs(slope * parameters[name][0]) for name, slope in gradient.items()}
    name = max(effect, key=lambda each: float(effect[each].max()))
    place = np.unravel_index(int(effect[name].argmax()), effect[name].shape)
    weights = parameters[name][1]
    weights[place] = np.nextafter(weights[place], dtype.type(np.inf))


def _apart(parameters: Parameters) -> float:
    """The distance of two runs, as a part of the length of the first."""
    pairs = [array.astype(np.float64) for array in parameters.values()]
    distance = np.sqrt(sum(float(np.square(first - second).sum()) for first, second in pairs))
    length = np.sqrt(sum(float(np.square(first).sum()) for first, _ in pairs))
    return float(distance / length) if length else 0.0
