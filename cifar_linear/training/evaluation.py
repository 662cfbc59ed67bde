"""Metrics at an evaluation point, computed in a second thread while training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels
from cifar_linear.data.batches import parts, pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.nn.metrics import Metrics, count_correct, weighted_sum
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, dtype_of
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.state import State

overflow_is_looked_for = np.errstate(over="ignore", invalid="ignore")
"""Overflow is what a diverging run does; training looks for it, so NumPy need not warn of it."""


@overflow_is_looked_for
def evaluate(parameters: Parameters, split: Split, objective: Objective) -> Metrics:
    """Loss, cost and accuracy of each run on all images of a split, each (R,); weighted means if they have weights."""
    total_loss, total_correct = np.zeros(len(objective.lam)), np.zeros(len(objective.lam))
    for scores, part in _scored_parts(parameters, split, objective):
        total_loss += weighted_sum(objective.loss.values(scores, part.labels), part.weights)
        total_correct += count_correct(objective.loss.predicted(scores), part.labels, part.weights)
    total = len(split) if split.weights is None else split.weights.sum(dtype=np.float64)
    loss = total_loss / total
    return Metrics(loss, loss + objective.lam * objective.squares(parameters), total_correct / total)


def predict(parameters: Parameters, split: Split, objective: Objective) -> tuple[Floats, Labels]:
    """Class probabilities (n, R, K) and predicted classes (n, R) of every image of a split for every run."""
    loss, scores = objective.loss, [scores for scores, _ in _scored_parts(parameters, split, objective)]
    return np.concatenate(list(map(loss.probabilities, scores))), np.concatenate(list(map(loss.predicted, scores)))


def _scored_parts(parameters: Parameters, split: Split, objective: Objective) -> Iterator[tuple[Floats, Split]]:
    """The scores (m, R, K) of a few thousand images at a time, and these images."""
    dtype = dtype_of(parameters)
    for part in parts(split):
        yield objective.model.scores(pixel_chunks(part, dtype), parameters), part


class Evaluation(NamedTuple):
    """An evaluation point of R runs.

    Attributes:
        epoch: in which it is; 0 before the first update.
        eta: the learning rates of the last update, or of the first at epoch 0, (R,).
        train: metrics on the training images.
        validation: metrics on the validation images.
        valid: the runs that the metrics are of, (R,): those that had neither diverged nor been stopped before.
        extra: columns that belong to options of the training, by name, each (R,).
        state: the state at this point, which does not change any more.
        step_losses: losses of the batches since the last evaluation, (s, R), if they are recorded.
    """

    epoch: int
    eta: Doubles
    train: Metrics
    validation: Metrics
    valid: Bools
    extra: dict[str, Integers]
    state: State
    step_losses: Doubles | None = None

    @property
    def step(self) -> int:
        """The number of updates made before."""
        return self.state.step

    def columns(self) -> dict[str, ArrayLike]:
        """The columns of ``metrics.csv`` at this point, by name: one number for all runs, or (R,)."""
        columns: dict[str, ArrayLike] = {"epoch": self.epoch, "step": self.step, "eta": self.eta}
        for split, metrics in (("train", self.train), ("validation", self.validation)):
            columns |= {f"{split}_{name}": figure for name, figure in metrics._asdict().items()}
        return columns | self.extra


class _Pending(NamedTuple):
    """An evaluation point whose metrics are being computed."""

    epoch: int
    eta: Doubles
    state: State
    step_losses: Sequence[Doubles] | None
    metrics: Future[tuple[Metrics, Metrics]]


class Evaluator:
    """Evaluates a training, one point at a time, in a thread of its own, while the training goes on.

    Its matrix products and those of the training take a processor each, which is faster than each of them on two.
    """

    def __init__(
        self,
        state: State,
        objective: Objective,
        training: Split,
        validation: Split,
        past: Sequence[EvaluatedPoint],
        patience: int | None,
        synchronous: bool,
    ) -> None:
        """Start with no evaluation pending.

        Args:
            state: the training's, which goes on changing; runs whose metrics are not finite are restored in it.
            objective: what the runs minimise.
            training: the split that they train on.
            validation: the other split to evaluate on; ``training`` itself where there is none.
            past: the evaluation points before, where a training goes on.
            patience: after how many evaluations without a new minimum of the validation loss a run stops; None for
                never.
            synchronous: whether `submit` waits for the metrics.
        """
        self.past = list(past)
        self.kept = state.copy()
        """The runs at the last point, each with finite metrics."""
        self._state, self._objective, self._splits = state, objective, (training, validation)
        self._patience, self._synchronous = patience, synchronous
        self._thread = ThreadPoolExecutor(1, "evaluation")
        self._pending: _Pending | None = None

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def submit(self, epoch: int, eta: Doubles, step_losses: Sequence[Doubles] | None) -> Iterator[Evaluation]:
        """Start evaluating a snapshot of the state; first yield the previous evaluation if it is still pending."""
        yield from self.collect()
        moment = self._state.copy()
        self._pending = _Pending(epoch, eta, moment, step_losses, self._thread.submit(self._metrics, moment.outcome()))
        if self._synchronous:
            yield from self.collect()

    def poll(self) -> Iterator[Evaluation]:
        """Yield the pending evaluation if its metrics are there by now."""
        if self._pending is not None and self._pending.metrics.done():
            yield from self.collect()

    def collect(self) -> Iterator[Evaluation]:
        """Wait for the pending evaluation and yield it; yield nothing if none is pending or no run is left.

        Runs whose metrics are not finite return to the point before. Training went on with them meanwhile; since
        only the point before counts for them now, it makes no difference when that is found.
        """
        if self._pending is None:
            return
        (epoch, eta, moment, step_losses, metrics), self._pending = self._pending, None
        on_training, on_validation = metrics.result()
        diverged: Bools = ~(np.isfinite(on_training.cost) & np.isfinite(on_validation.cost))
        moment.mark_diverged(diverged, self.kept)
        valid = moment.active
        extra = {}
        if moment.mean is not None:
            extra["averaged"] = moment.mean.summed
        if self._patience is not None and valid.any():
            waited = moment.keep_best(on_validation.loss)
            extra["waited"] = waited.copy()
            moment.stop(valid & (waited >= self._patience))
        self._state.adopt(moment, diverged)
        self.kept = moment
        if valid.any():
            self.past.append(EvaluatedPoint(moment.step, on_validation.loss))
            steps = np.array(step_losses).reshape(-1, len(valid)) if step_losses is not None else None
            yield Evaluation(epoch, eta, on_training, on_validation, valid, extra, moment, steps)

    def _metrics(self, parameters: Parameters) -> tuple[Metrics, Metrics]:
        training, validation = self._splits
        on_training = evaluate(parameters, training, self._objective)
        return on_training, on_training if validation is training else evaluate(parameters, validation, self._objective)
