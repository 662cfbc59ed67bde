"""Metrics at an evaluation point, computed in a second thread while training goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels
from cifar_linear.data.batches import parts, pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.metrics import Metrics, count_correct, weighted_sum
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, dtype_of
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.state import State

overflow_is_looked_for = np.errstate(over="ignore", invalid="ignore")
"""Suppresses NumPy's overflow warnings: training detects runs that diverge itself."""


def evaluate(parameters: Parameters, split: Split, objective: Objective) -> Metrics:
    """Return loss, cost and accuracy of each run on all images of a split, each (R,); weighted means with weights.

    Args:
        parameters: parameters of R runs.
        split: the images and their labels.
        objective: the loss, the penalty and the model of the runs.
    """
    return metrics_of(scored_parts(parameters, split, objective), parameters, split, objective)


@overflow_is_looked_for
def metrics_of(scored: Iterable[Floats], parameters: Parameters, split: Split, objective: Objective) -> Metrics:
    """Return the same from the result of `scored_parts` for these arguments."""
    total_loss, total_correct = np.zeros(len(objective.lam)), np.zeros(len(objective.lam))
    for scores, part in zip(scored, parts(split), strict=True):
        total_loss += weighted_sum(objective.loss.values(scores, part.labels), part.weights)
        total_correct += count_correct(objective.loss.predicted(scores), part.labels, part.weights)
    total = len(split) if split.weights is None else split.weights.sum(axis=0, dtype=np.float64)
    loss = total_loss / total
    return Metrics(loss, loss + objective.lam * objective.squares(parameters), total_correct / total)


def predict(parameters: Parameters, split: Split, objective: Objective) -> tuple[Floats, Labels]:
    """Return the class probabilities (n, R, K) and the predicted classes (n, R) of all images of a split.

    Args:
        parameters: parameters of R runs.
        split: the images; their labels are not used.
        objective: the loss and the model of the runs.
    """
    return predictions_of(list(scored_parts(parameters, split, objective)), objective.loss)


def predictions_of(scored: Sequence[Floats], loss: Loss) -> tuple[Floats, Labels]:
    """Return the same from the result of `scored_parts`."""
    return np.concatenate(list(map(loss.probabilities, scored))), np.concatenate(list(map(loss.predicted, scored)))


def scored_parts(parameters: Parameters, split: Split, objective: Objective) -> Iterator[Floats]:
    """Yield the scores (m, R, K) of the `parts` of a split."""
    for part in parts(split):
        yield objective.model.scores(pixel_chunks(part, dtype_of(parameters)), parameters)


class Evaluation(NamedTuple):
    """An evaluation point of R runs.

    Attributes:
        epoch: the current epoch; 0 before the first update.
        eta: learning rates of the last update, at epoch 0 those of the first update, (R,).
        train: metrics on the training images.
        validation: metrics on the validation images.
        valid: mask of the runs that the metrics hold for, (R,): those that have neither diverged nor stopped earlier.
        extra: additional columns of averaging and early stopping, by name, each (R,).
        state: a snapshot of the state at this point.
        step_losses: losses of the batches since the last evaluation, (s, R); None if they are not recorded.
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
        """The number of updates so far."""
        return self.state.step

    def reached(self, unit: Literal["epoch", "step"]) -> int:
        """Return the progress of the training, in epochs or steps."""
        return self.epoch if unit == "epoch" else self.step

    def columns(self) -> dict[str, ArrayLike]:
        """Return the columns of ``metrics.csv`` at this point, by name: one number for all runs, or (R,)."""
        columns: dict[str, ArrayLike] = {"epoch": self.epoch, "step": self.step, "eta": self.eta}
        for split, metrics in (("train", self.train), ("validation", self.validation)):
            columns |= {f"{split}_{name}": values for name, values in metrics._asdict().items()}
        return columns | self.extra


class _Pending(NamedTuple):
    """An evaluation point whose metrics are being computed."""

    epoch: int
    eta: Doubles
    state: State
    step_losses: Sequence[Doubles] | None
    metrics: Future[tuple[Metrics, Metrics]]


class Evaluator:
    """Evaluates one point of a training at a time, in a second thread, while training continues.

    Evaluation and training use one core each, which is faster than each of them in turn on two cores.
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
            state: state of the training, which changes meanwhile; runs whose metrics are not finite are restored in it.
            objective: objective of the runs.
            training: training images to evaluate on.
            validation: validation images to evaluate on; ``training`` itself where there are none.
            past: earlier evaluation points of a resumed training.
            patience: number of evaluations without a new minimum of the validation loss after which a run stops; None
                for no early stopping.
            synchronous: whether `submit` waits for the metrics.
        """
        self.past = list(past)
        self.kept = state.copy()
        """The state at the last evaluated point, with finite metrics in all runs."""
        self._state, self._objective, self._splits = state, objective, (training, validation)
        self._patience, self._synchronous = patience, synchronous
        self._thread = ThreadPoolExecutor(1, "evaluation")
        self._pending: _Pending | None = None

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def submit(self, epoch: int, eta: Doubles, step_losses: Sequence[Doubles] | None) -> Iterator[Evaluation]:
        """Start evaluating a snapshot of the state; first yield the previous evaluation if it is still pending.

        Args:
            epoch: the current epoch; 0 before the first update.
            eta: learning rates of the last update, (R,).
            step_losses: losses (R,) of each batch since the last evaluation; None if they are not recorded.
        """
        yield from self.collect()
        snapshot = self._state.copy()
        metrics = self._thread.submit(self._metrics, snapshot.outcome())
        self._pending = _Pending(epoch, eta, snapshot, step_losses, metrics)
        if self._synchronous:
            yield from self.collect()

    def poll(self) -> Iterator[Evaluation]:
        """Yield the pending evaluation if its metrics are ready."""
        if self._pending is not None and self._pending.metrics.done():
            yield from self.collect()

    def collect(self) -> Iterator[Evaluation]:
        """Wait for the pending evaluation and yield it; yield nothing if none is pending or no run is left.

        Runs whose metrics are not finite return to the previous point. They have been trained further meanwhile, but
        that is discarded, so the result does not depend on when the metrics are ready.
        """
        if self._pending is None:
            return
        (epoch, eta, snapshot, step_losses, metrics), self._pending = self._pending, None
        on_training, on_validation = metrics.result()
        diverged: Bools = ~(np.isfinite(on_training.cost) & np.isfinite(on_validation.cost))
        snapshot.mark_diverged(diverged, self.kept)
        valid = snapshot.active
        extra = {}
        if snapshot.mean is not None:
            extra["averaged"] = snapshot.mean.summed
        if self._patience is not None and valid.any():
            waited = snapshot.keep_best(on_validation.loss)
            extra["waited"] = waited.copy()
            snapshot.stop(valid & (waited >= self._patience))
        self._state.adopt(snapshot, diverged)
        self.kept = snapshot
        if valid.any():
            self.past.append(EvaluatedPoint(snapshot.step, on_validation.loss))
            steps = np.array(step_losses).reshape(-1, len(valid)) if step_losses is not None else None
            yield Evaluation(epoch, eta, on_training, on_validation, valid, extra, snapshot, steps)

    def _metrics(self, parameters: Parameters) -> tuple[Metrics, Metrics]:
        training, validation = self._splits
        on_training = evaluate(parameters, training, self._objective)
        return on_training, on_training if validation is training else evaluate(parameters, validation, self._objective)
