"""Mini-batch gradient descent as a generator that knows no disk, screen or config."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels
from cifar_linear.data.batches import pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.metrics import Metrics, correct
from cifar_linear.nn.linear import penalty, scores
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.sgd import descend
from cifar_linear.state import State, Weights


class Evaluation(NamedTuple):
    """What is known after an epoch.

    ``valid`` tells which runs the figures are of, (R,): those that had neither diverged nor been stopped before.
    ``further`` holds what belongs to options of the training, by the names of columns.
    """

    epoch: int
    step: int
    eta: Doubles
    train: Metrics
    validation: Metrics
    valid: Bools
    further: dict[str, Integers]

    def figures(self) -> dict[str, ArrayLike]:
        """Everything but ``valid``, by the names of the columns in ``metrics.csv``."""
        columns: dict[str, ArrayLike] = {"epoch": self.epoch, "step": self.step, "eta": self.eta}
        for split, metrics in (("train", self.train), ("validation", self.validation)):
            columns |= {f"{split}_{name}": figure for name, figure in metrics._asdict().items()}
        return columns | self.further


Rates = Callable[[int, Sequence[Doubles]], Doubles]

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
        total_correct += correct(chunk_scores, labels)
    loss = total_loss / len(split)
    return Metrics(loss, loss + objective.lam * penalty(weights.W), total_correct / len(split))


def predict(weights: Weights, split: Split, objective: Objective) -> Floats:
    """Class probabilities of every image of a split for every run, (n, R, K)."""
    W, b = objective.standardization.fold(*weights)
    chunks = [objective.loss.probabilities(scores(pixels, W, b)) for pixels, _ in pixel_chunks(split, W.dtype)]
    return np.concatenate(chunks)


def train(
    state: State,
    objective: Objective,
    batches: Callable[[int], Iterable[tuple[Floats, Labels]]],
    training: Split,
    validation: Split,
    *,
    eta: Rates,
    epochs: range,
    average_from: int | None = None,
    patience: int | None = None,
    losses: Sequence[Doubles] = (),
) -> Iterator[Evaluation]:
    """Train R runs side by side, yielding after each epoch's updates.

    Args:
        state: updated in place.
        objective: what is minimised.
        batches: the batches of an epoch: raw pixels (n, d) and labels (n,).
        training: the split to train and to evaluate on.
        validation: the split to evaluate on besides.
        eta: the learning rates (R,) of an epoch, from its number and the validation losses (R,) of all evaluations.
        epochs: which epochs to go through. Epoch 0 is the state before any update: it has no batches.
        average_from: the epoch from whose first update on the mean of the weights after each update is what is
            evaluated; None for the last weights (B. Polyak and A. Juditsky, SIAM J. Control Optim. 30, 1992).
        patience: after how many evaluations in a row without a new minimum of the validation loss a run stops; None
            for never. The best weights are kept in the state.
        losses: validation losses (R,) of evaluations before ``epochs``, where a training goes on.

    A run whose weights, loss or cost stop being finite goes back to its weights at the last evaluation and stays
    there, without touching the others. Training ends early when no run learns any more.
    """
    kept = state.copy()
    losses = list(losses)
    for epoch in epochs:
        if not state.learning.any():
            return
        rates = eta(epoch, losses)
        averaging = average_from is not None and epoch >= average_from
        if epoch > 0:
            _update(state, kept, objective, batches(epoch), rates, averaging)
        weights = state.outcome()
        on_training, on_validation = (evaluate(weights, split, objective) for split in (training, validation))
        finite: Bools = np.isfinite(on_training.cost) & np.isfinite(on_validation.cost)
        state.retire(~finite, kept)
        valid = state.learning
        if not valid.any():
            return
        losses.append(on_validation.loss)
        further = {}
        if average_from is not None:
            further["averaged"] = np.zeros(len(valid), np.int64) if state.mean is None else state.mean.summed.copy()
        if patience is not None:
            waited = state.keep_best(on_validation.loss)
            further["waited"] = waited.copy()
            state.stop(waited >= patience)
        kept = state.copy()
        yield Evaluation(epoch, state.step, rates, on_training, on_validation, valid, further)


@_overflow_is_looked_for
def _update(
    state: State,
    kept: State,
    objective: Objective,
    batches: Iterable[tuple[Floats, Labels]],
    eta: Doubles,
    averaging: bool,
) -> None:
    """One update per batch; runs that leave the finite numbers go back to ``kept``."""
    rates = np.where(state.learning, eta, 0)
    for pixels, labels in batches:
        gradients = objective.gradients(pixels, labels, *state.weights)
        finite = descend(*state.weights, *gradients, rates)
        state.step += 1
        if not finite.all():
            state.retire(~finite, kept)
            rates = np.where(state.learning, eta, 0)
            if not state.learning.any():
                return
        if averaging:
            state.add_to_mean()
