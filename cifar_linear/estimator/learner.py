"""The weights of an estimator, and how they are trained further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Examples, Floats
from cifar_linear.data.batches import Batches, pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.errors import DivergedError
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import LOSSES, Loss
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import copied, dtype_of, of_run, stacked
from cifar_linear.nn.safe_rate import largest_safe_eta
from cifar_linear.nn.schedules import Schedule
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.loop import train
from cifar_linear.training.state import State
from cifar_linear.training.threads import with_a_core_for_evaluation

Row = Mapping[str, float]
"""An evaluation after an epoch: numbers by the names of the columns of ``metrics.csv``."""

_TOO_LARGE = "X holds numbers so large that their squares are not finite: scale the features"


class Descent(NamedTuple):
    """How weights are trained: the arguments of `LinearSGDClassifier` of the same names, but for two.

    Attributes:
        lam, momentum, n_batch, shuffle: as there.
        eta: the learning rate before ``factor``.
        factor: on eta, in the epochs counted from the first of this training.
        patience: epochs without a new minimum of the validation loss after which training stops, and the best weights
            are kept; None for no such stop.
    """

    lam: float
    momentum: float
    n_batch: int
    shuffle: bool
    eta: float
    factor: Schedule
    patience: int | None


@dataclass(eq=False)
class Learner:
    """Weights of a linear classifier, and all that training them further needs.

    Attributes:
        loss_name: as in `LOSSES`.
        classes: K.
        seed: of the order of the examples.
        mean: of the features, (d,), which is subtracted from them: biases are then learned as fast as weights.
        parameters: with one run: W (1, K, d) and b (1, K); a single row for the logistic loss.
        velocity: of the parameters, if there is momentum; None at the start.
        epochs: how many it has been trained for.
    """

    loss_name: str
    classes: int
    seed: int
    mean: Doubles
    parameters: dict[str, Floats]
    velocity: dict[str, Floats] | None = None
    epochs: int = 0

    @classmethod
    def begin(cls, training: Split, loss_name: str, classes: int, seed: int) -> Learner:
        """Start with all weights at 0. Raises ValueError if the features are too large to be added up."""
        learner = cls(loss_name, classes, seed, _mean(training), {})
        dtype = "float64" if training.images.dtype == np.float64 else "float32"
        learner.parameters = stacked([learner.model.initial(rng_for(seed, Purpose.WEIGHTS))], dtype)
        return learner

    @property
    def loss(self) -> Loss:
        """The loss, with what follows from its scores."""
        return LOSSES[self.loss_name]

    @property
    def model(self) -> Linear:
        """The model, which sees the features minus their mean."""
        standardization = Standardization(self.mean, np.ones(len(self.mean)), unit=1)
        return Linear(self.loss.scores_for(self.classes), standardization, init_std=0)

    def scores(self, examples: Examples) -> Floats:
        """Scores of examples (n, d): (n, K), or (n, 1) for the logistic loss."""
        split = Split(examples, np.zeros(len(examples), np.intp))
        return self.model.scores(pixel_chunks(split, self.parameters["W"].dtype), self.parameters)[:, 0]

    def raw_parameters(self) -> dict[str, Floats]:
        """Weights (K, d) and biases (K,) for the features as they are."""
        folded = self.model.standardization.fold(**self.parameters)
        return {name: array[0] for name, array in zip(self.parameters, folded, strict=True)}

    def safe_eta(self, training: Split, lam: float, n_batch: int, momentum: float) -> float:
        """A learning rate that suits the scale of the features. Raises ValueError if they are too large for any."""
        curvature = self.loss.curvature(self.classes)
        standardization = self.model.standardization
        rate = largest_safe_eta(training.images, training.weights, standardization, curvature, lam, n_batch, momentum)
        if not rate:
            raise ValueError(_TOO_LARGE)
        return rate

    def train(self, training: Split, validation: Split | None, epochs: int, how: Descent) -> Iterator[Row]:
        """Train for some more epochs, and yield the metrics after each.

        Args:
            training: examples to train on.
            validation: examples to evaluate on as well; None for none.
            epochs: how many.
            how: the descent.

        Raises:
            DivergedError: weights or loss are no longer finite; the last finite weights are kept.
        """
        before = self.epochs
        state = self._state(how)
        batches = Batches(training, n_batch=min(how.n_batch, len(training)), shuffle=how.shuffle, seed=self.seed)
        state.step = before * batches.steps
        evaluations = train(
            state,
            Objective(self.model, self.loss, np.array([how.lam], float)),
            batches,
            training,
            training if validation is None else validation,
            eta=lambda epoch, _past: np.array([how.eta * how.factor(epoch - before, ())]),
            updates=(before + epochs) * batches.steps,
            momentum=np.array([how.momentum], float) if how.momentum else None,
            patience=how.patience,
            # The epochs before count as one evaluation, so that there is none before the first update.
            past=[EvaluatedPoint(state.step, np.full(1, inf))],
        )
        for evaluation in with_a_core_for_evaluation(evaluations):
            self._keep(evaluation.state)
            yield _row(evaluation, validated=validation is not None)
        if not state.finite.all():
            raise DivergedError(
                f"training diverged in epoch {self.epochs + 1} with eta {how.eta:g}: weights or loss are no longer "
                f"finite; the last finite weights are kept; try eta={how.eta / 10:g} or less, or eta='auto'"
            )

    def _state(self, how: Descent) -> State:
        """The weights as a state to train from, with the velocity that they had."""
        moving, dtype = how.momentum > 0, str(dtype_of(self.parameters))
        keep_best = how.patience is not None
        state = State.first([of_run(self.parameters, 0)], dtype, momentum=moving, keep_best=keep_best)
        if moving and self.velocity is not None:
            state.velocity = copied(self.velocity)
        return state

    def _keep(self, state: State) -> None:
        """Keep the weights of an evaluation, or the best so far, which start without velocity."""
        self.epochs += 1
        if state.best is None:
            self.parameters, self.velocity = state.parameters, state.velocity
        else:
            self.parameters, self.velocity = state.best.parameters, None


def _mean(split: Split) -> Doubles:
    """The weighted mean of each feature, (d,)."""
    weights = np.ones(len(split)) if split.weights is None else split.weights
    sums, start = np.zeros(split.images.shape[1]), 0
    with np.errstate(over="ignore", invalid="ignore"):
        for chunk in pixel_chunks(split, np.float64):
            sums += weights[start : start + len(chunk)] @ chunk
            start += len(chunk)
    if not np.isfinite(sums).all():
        raise ValueError(_TOO_LARGE)
    mean: Doubles = sums / weights.sum()
    return mean


def _row(evaluation: Evaluation, validated: bool) -> Row:
    """An evaluation of one run as plain numbers."""
    columns = {name: np.asarray(column).item() for name, column in evaluation.columns().items()}
    return {name: number for name, number in columns.items() if validated or not name.startswith("validation_")}
