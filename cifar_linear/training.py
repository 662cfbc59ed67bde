"""Mini-batch gradient descent as a generator that knows no disk, screen or config."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels
from cifar_linear.data.batches import pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.history import Past
from cifar_linear.metrics import Metrics, correct
from cifar_linear.nn.linear import scores
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.sgd import descend
from cifar_linear.state import State, Weights


class Evaluation(NamedTuple):
    """What is known after an epoch.

    ``valid`` tells which runs the figures are of, (R,): those that had neither diverged nor been stopped before.
    ``further`` holds what belongs to options of the training, by the names of columns; ``step_losses`` (s, R) are the
    losses of the batches since the last evaluation, if they are recorded.
    """

    epoch: int
    step: int
    eta: Doubles
    train: Metrics
    validation: Metrics
    valid: Bools
    further: dict[str, Integers]
    step_losses: Doubles | None = None

    def figures(self) -> dict[str, ArrayLike]:
        """Everything but ``valid`` and single steps, by the names of the columns in ``metrics.csv``."""
        columns: dict[str, ArrayLike] = {"epoch": self.epoch, "step": self.step, "eta": self.eta}
        for split, metrics in (("train", self.train), ("validation", self.validation)):
            columns |= {f"{split}_{name}": figure for name, figure in metrics._asdict().items()}
        return columns | self.further


Rates = Callable[[int, Sequence[Past]], Doubles]

# Overflow is what a diverging run does; `train` looks for it, so NumPy need not warn of it.
_overflow_is_looked_for = np.errstate(over="ignore", invalid="ignore")


@_overflow_is_looked_for
def evaluate(weights: Weights, split: Split, objective: Objective) -> Metrics:
    """Loss, cost and accuracy of each run on all images of a split, each (R,)."""
    W, b = objective.standardization.fold(*weights)
    total_loss, total_correct = np.zeros(len(W)), np.zeros(len(W))
    for pixels, labels in pixel_chunks(split, W.dtype):
        chunk_scores = scores(pixels, W, b)
        total_loss += objective.loss.values(chunk_scores, labels).sum(axis=0, dtype=np.float64)
        total_correct += correct(objective.loss.predicted(chunk_scores), labels)
    loss = total_loss / len(split)
    return Metrics(loss, loss + objective.lam * objective.penalized(*weights), total_correct / len(split))


def predict(weights: Weights, split: Split, objective: Objective) -> Floats:
    """Class probabilities of every image of a split for every run, (n, R, K)."""
    W, b = objective.standardization.fold(*weights)
    chunks = [objective.loss.probabilities(scores(pixels, W, b)) for pixels, _ in pixel_chunks(split, W.dtype)]
    return np.concatenate(chunks)


class BatchesOf(Protocol):
    """The mini-batches of an epoch from the one numbered ``first`` on: raw pixels (n, d) and labels (n,)."""

    @property
    def steps(self) -> int:
        """Batches in an epoch."""

    def __call__(self, epoch: int, first: int = 0) -> Iterator[tuple[Floats, Labels]]:
        """Yield them."""


def train(
    state: State,
    objective: Objective,
    batches: BatchesOf,
    training: Split,
    validation: Split,
    *,
    eta: Rates,
    epochs: int,
    evaluate_every: int | None = None,
    average_from: int | None = None,
    patience: int | None = None,
    record_steps: bool = False,
    past: Sequence[Past] = (),
    check: Callable[[], None] = lambda: None,
) -> Iterator[Evaluation]:
    """Train R runs side by side, yielding at each evaluation point: before the first update, then after each epoch's.

    Args:
        state: updated in place.
        objective: what is minimised.
        batches: the batches of an epoch.
        training: the split to train and to evaluate on.
        validation: the split to evaluate on besides.
        eta: the learning rates (R,) of an epoch, from its number and all evaluations before it.
        epochs: passes over the training images.
        evaluate_every: evaluate instead after each update whose number, counted from 0 over all epochs, is a multiple
            of this, and after the last one.
        average_from: the epoch from whose first update on the mean of the weights after each update is what is
            evaluated; None for the last weights (B. Polyak and A. Juditsky, SIAM J. Control Optim. 30, 1992).
        patience: after how many evaluations in a row without a new minimum of the validation loss a run stops; None
            for never. The best weights are kept in the state.
        record_steps: whether evaluations tell the loss of every batch, before its update, since the last one.
        past: the evaluations so far, where a training goes on.
        check: is called before every update, and may raise to stop there.

    A run whose weights, loss or cost stop being finite goes back to its weights at the last evaluation and stays
    there, without touching the others. Training ends early when no run learns any more.
    """
    kept = state.copy()
    past, step_losses = list(past), list[Doubles]()
    last_step = epochs * batches.steps
    mean_loss = _overflow_is_looked_for(objective.mean_loss)

    def evaluated(epoch: int, rates: Doubles) -> Evaluation | None:
        """The evaluation of this moment; None if no run's figures are finite any more."""
        nonlocal kept
        weights = state.outcome()
        on_training, on_validation = (evaluate(weights, split, objective) for split in (training, validation))
        finite: Bools = np.isfinite(on_training.cost) & np.isfinite(on_validation.cost)
        state.retire(~finite, kept)
        valid = state.learning
        if not valid.any():
            return None
        past.append(Past(state.step, on_validation.loss))
        further = {}
        if average_from is not None:
            further["averaged"] = np.zeros(len(valid), np.int64) if state.mean is None else state.mean.summed.copy()
        if patience is not None:
            waited = state.keep_best(on_validation.loss)
            further["waited"] = waited.copy()
            state.stop(valid & (waited >= patience))
        kept = state.copy()
        steps = np.array(step_losses).reshape(-1, len(valid)) if record_steps else None
        step_losses.clear()
        return Evaluation(epoch, state.step, rates, on_training, on_validation, valid, further, steps)

    if not past and (first := evaluated(0, eta(1, ()))):
        yield first
    for epoch in range(state.step // batches.steps + 1, epochs + 1):
        begin = (epoch - 1) * batches.steps
        # Only a training that goes on within an epoch knows more than it did at the epoch's beginning.
        rates = eta(epoch, past if state.step == begin else [known for known in past if known.step <= begin])
        averaging = average_from is not None and epoch >= average_from
        for pixels, labels in batches(epoch, state.step - begin):
            if not state.learning.any():
                return
            check()
            if record_steps:
                step_losses.append(mean_loss(pixels, labels, *state.weights))
            _update(state, kept, objective, pixels, labels, rates, averaging)
            if evaluate_every is None:
                due = state.step % batches.steps == 0
            else:
                due = (state.step - 1) % evaluate_every == 0 or state.step == last_step
            if due and (evaluation := evaluated(epoch, rates)):
                yield evaluation


@_overflow_is_looked_for
def _update(
    state: State, kept: State, objective: Objective, pixels: Floats, labels: Labels, eta: Doubles, averaging: bool
) -> None:
    """One update; runs that leave the finite numbers go back to ``kept``."""
    gradients = objective.gradients(pixels, labels, *state.weights)
    finite = descend(*state.weights, *gradients, np.where(state.learning, eta, 0))
    state.step += 1
    if not finite.all():
        state.retire(~finite, kept)
    if averaging:
        state.add_to_mean()
