"""Mini-batch gradient descent as a generator that knows no disk, screen or config."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Labels
from cifar_linear.data.batches import pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.metrics import Metrics, correct
from cifar_linear.nn.linear import penalty, scores
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.sgd import descend
from cifar_linear.state import State


class Evaluation(NamedTuple):
    """What is known after an epoch; ``alive`` tells which runs the figures are valid for, (R,)."""

    epoch: int
    step: int
    eta: Doubles
    train: Metrics
    validation: Metrics
    alive: Bools

    def figures(self) -> dict[str, int | Doubles]:
        """Everything but ``alive``, by the names of the columns in ``metrics.csv``."""
        columns: dict[str, int | Doubles] = {"epoch": self.epoch, "step": self.step, "eta": self.eta}
        for split, metrics in (("train", self.train), ("validation", self.validation)):
            columns |= {f"{split}_{name}": figure for name, figure in metrics._asdict().items()}
        return columns


Rates = Callable[[int, Sequence[Doubles]], Doubles]

# Overflow is what a diverging run does; `train` looks for it, so NumPy need not warn of it.
_overflow_is_looked_for = np.errstate(over="ignore", invalid="ignore")


@_overflow_is_looked_for
def evaluate(state: State, split: Split, objective: Objective) -> Metrics:
    """Loss, cost and accuracy of each run on all images of a split, each (R,)."""
    W, b = objective.standardization.fold(state.W, state.b)
    total_loss, total_correct = np.zeros(len(W)), np.zeros(len(W))
    for pixels, labels in pixel_chunks(split, W.dtype):
        chunk_scores = scores(pixels, W, b)
        total_loss += objective.loss.values(chunk_scores, labels).sum(axis=0, dtype=np.float64)
        total_correct += correct(chunk_scores, labels)
    loss = total_loss / len(split)
    return Metrics(loss, loss + objective.lam * penalty(state.W), total_correct / len(split))


def predict(state: State, split: Split, objective: Objective) -> Floats:
    """Class probabilities of every image of a split for every run, (n, R, K)."""
    W, b = objective.standardization.fold(state.W, state.b)
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

    A run whose weights, loss or cost stop being finite goes back to its weights at the last evaluation and stays
    there, without touching the others. Training ends early when no run is left.
    """
    kept = state.copy()
    losses: list[Doubles] = []
    for epoch in epochs:
        rates = eta(epoch, losses)
        if epoch > 0:
            _update(state, kept, objective, batches(epoch), rates)
        on_training, on_validation = (evaluate(state, split, objective) for split in (training, validation))
        finite: Bools = np.isfinite(on_training.cost) & np.isfinite(on_validation.cost)
        state.retire(~finite, kept)
        if not state.alive.any():
            return
        kept = state.copy()
        losses.append(on_validation.loss)
        yield Evaluation(epoch, state.step, rates, on_training, on_validation, state.alive)


@_overflow_is_looked_for
def _update(
    state: State, kept: State, objective: Objective, batches: Iterable[tuple[Floats, Labels]], eta: Doubles
) -> None:
    """One update per batch; runs that leave the finite numbers go back to ``kept``."""
    for pixels, labels in batches:
        gradients = objective.gradients(pixels, labels, state.W, state.b)
        finite = descend(state.W, state.b, *gradients, np.where(state.alive, eta, 0))
        state.step += 1
        if not finite.all():
            state.retire(~finite, kept)
            if not state.alive.any():
                return
