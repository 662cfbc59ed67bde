"""What weights make of the images: the figures of an evaluation point, computed beside the training that goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels
from cifar_linear.data.batches import parts, pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.nn.linear import scores_of_parts
from cifar_linear.nn.metrics import Metrics, count_correct
from cifar_linear.nn.objective import Objective
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.state import State, Weights

overflow_is_looked_for = np.errstate(over="ignore", invalid="ignore")
"""Overflow is what a diverging run does; training looks for it, so NumPy need not warn of it."""


@overflow_is_looked_for
def evaluate(weights: Weights, split: Split, objective: Objective) -> Metrics:
    """Loss, cost and accuracy of each run on all images of a split, each (R,)."""
    W, b = objective.standardization.fold(*weights)
    total_loss, total_correct = np.zeros(len(W)), np.zeros(len(W))
    for part in parts(split):
        scores = scores_of_parts(pixel_chunks(part, W.dtype), W, b)
        total_loss += objective.loss.values(scores, part.labels).sum(axis=0, dtype=np.float64)
        total_correct += count_correct(objective.loss.predicted(scores), part.labels)
    loss = total_loss / len(split)
    return Metrics(loss, loss + objective.lam * objective.penalized(*weights), total_correct / len(split))


def predict(weights: Weights, split: Split, objective: Objective) -> tuple[Floats, Labels]:
    """Class probabilities (n, R, K) and predicted classes (n, R) of every image of a split for every run."""
    W, b = objective.standardization.fold(*weights)
    loss = objective.loss
    scores = [scores_of_parts(pixel_chunks(part, W.dtype), W, b) for part in parts(split)]
    return np.concatenate(list(map(loss.probabilities, scores))), np.concatenate(list(map(loss.predicted, scores)))


class Evaluation(NamedTuple):
    """What is known of an evaluation point.

    ``valid`` tells which runs the figures are of, (R,): those that had neither diverged nor been stopped before.
    ``extra`` holds what belongs to options of the training, by the names of columns; ``step_losses`` (s, R) are the
    losses of the batches since the last evaluation, if they are recorded. ``state`` is that of the point, which
    nobody changes any more.
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
        """Updates made before."""
        return self.state.step

    def columns(self) -> dict[str, ArrayLike]:
        """What ``metrics.csv`` tells of the point, by the names of its columns."""
        columns: dict[str, ArrayLike] = {"epoch": self.epoch, "step": self.step, "eta": self.eta}
        for split, metrics in (("train", self.train), ("validation", self.validation)):
            columns |= {f"{split}_{name}": figure for name, figure in metrics._asdict().items()}
        return columns | self.extra


class _Begun(NamedTuple):
    """An evaluation point whose figures are being computed."""

    epoch: int
    eta: Doubles
    state: State
    step_losses: Sequence[Doubles] | None
    figures: Future[tuple[Metrics, Metrics]]


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
        average_from: int | None,
        patience: int | None,
        synchronous: bool,
    ) -> None:
        """``past`` are the points before; ``synchronous`` lets each point be concluded where it is reached.

        The other arguments are those of `train`.
        """
        self.past = list(past)
        self.kept = state.copy()
        """The runs at the last point, each with finite figures."""
        self._state, self._objective, self._splits = state, objective, (training, validation)
        self._average_from, self._patience, self._waits = average_from, patience, synchronous
        self._thread = ThreadPoolExecutor(1, "evaluation")
        self._begun: _Begun | None = None

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def submit(self, epoch: int, eta: Doubles, step_losses: Sequence[Doubles] | None) -> Iterator[Evaluation]:
        """Begin to evaluate the state of this moment; tells of the point before, if nobody has yet."""
        yield from self.collect()
        moment = self._state.copy()
        self._begun = _Begun(epoch, eta, moment, step_losses, self._thread.submit(self._figures, moment.outcome()))
        if self._waits:
            yield from self.collect()

    def poll(self) -> Iterator[Evaluation]:
        """The point that was reached, if its figures are there by now."""
        if self._begun is not None and self._begun.figures.done():
            yield from self.collect()

    def collect(self) -> Iterator[Evaluation]:
        """The point that was reached, as soon as its figures are there; nothing if it was told or no run has any.

        Runs whose figures are not finite go back to the point before. So far the training went on with them; since
        nothing but the point before counts for them now, it makes no difference when that is found.
        """
        if self._begun is None:
            return
        (epoch, eta, moment, step_losses, figures), self._begun = self._begun, None
        on_training, on_validation = figures.result()
        diverged: Bools = ~(np.isfinite(on_training.cost) & np.isfinite(on_validation.cost))
        moment.mark_diverged(diverged, self.kept)
        valid = moment.active
        extra = {}
        if self._average_from is not None:
            none_yet = np.zeros(len(valid), np.int64)
            extra["averaged"] = none_yet if moment.mean is None else moment.mean.summed
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

    def _figures(self, weights: Weights) -> tuple[Metrics, Metrics]:
        training, validation = (evaluate(weights, split, self._objective) for split in self._splits)
        return training, validation
