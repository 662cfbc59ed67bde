"""Mini-batch gradient descent as a generator that knows no disk, screen or config."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Labels
from cifar_linear.data.batches import pixel_chunks
from cifar_linear.data.dataset import Split, Standardization
from cifar_linear.metrics import Metrics, correct
from cifar_linear.nn.linear import gradients, penalty, scores
from cifar_linear.nn.losses import Loss
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


def evaluate(state: State, split: Split, standardization: Standardization, lam: Doubles, loss: Loss) -> Metrics:
    """Loss, cost and accuracy of each run on all images of a split, each (R,)."""
    # The same scores from raw pixels, standardisation folded into the weights: half the work per image.
    W, b = standardization.fold(state.W, state.b)
    total_loss, total_correct = np.zeros(len(W)), np.zeros(len(W))
    for pixels, labels in pixel_chunks(split, W.dtype):
        chunk_scores = scores(pixels, W, b)
        total_loss += loss.values(chunk_scores, labels).sum(axis=0, dtype=np.float64)
        total_correct += correct(chunk_scores, labels)
    mean_loss = total_loss / len(split)
    return Metrics(mean_loss, mean_loss + lam * penalty(state.W), total_correct / len(split))


def train(
    state: State,
    batches: Callable[[int], Iterable[tuple[Floats, Labels]]],
    evaluate_splits: Callable[[State], tuple[Metrics, Metrics]],
    *,
    loss: Loss,
    lam: Doubles,
    eta: Doubles,
    epochs: range,
) -> Iterator[Evaluation]:
    """Train R runs side by side, yielding after each epoch's updates.

    Args:
        state: updated in place.
        batches: the training batches X (n, d), labels (n,) of an epoch.
        evaluate_splits: metrics on the training and on the validation images.
        loss: which loss is minimised.
        lam: penalty strength of each run, (R,).
        eta: learning rate of each run, (R,).
        epochs: which epochs to go through. Epoch 0 is the state before any update: it has no batches.

    A run whose weights, loss or cost stop being finite goes back to its weights at the last evaluation and stays
    there, without touching the others. Training ends early when no run is left.
    """
    kept = state.copy()
    for epoch in epochs:
        if epoch > 0:
            _one_epoch(state, kept, batches(epoch), loss, lam, eta)
        with np.errstate(over="ignore", invalid="ignore"):
            train_metrics, validation_metrics = evaluate_splits(state)
        finite = np.isfinite([train_metrics.cost, validation_metrics.cost]).all(axis=0)
        if not finite.all():
            state.retire(~finite, kept)
        if not state.alive.any():
            return
        kept = state.copy()
        yield Evaluation(epoch, state.step, eta, train_metrics, validation_metrics, state.alive)


def _one_epoch(
    state: State,
    kept: State,
    batches: Iterable[tuple[Floats, Labels]],
    loss: Loss,
    lam: Doubles,
    eta: Doubles,
) -> None:
    """Update the state batch by batch; runs that leave the finite numbers go back to ``kept``."""
    # Overflow is what a diverging run does; it is looked for below rather than warned of.
    with np.errstate(over="ignore", invalid="ignore"):
        for X, labels in batches:
            grad_W, grad_b = gradients(X, labels, state.W, state.b, lam, loss)
            finite = descend(state.W, state.b, grad_W, grad_b, np.where(state.alive, eta, 0))
            state.step += 1
            if not finite.all():
                state.retire(~finite, kept)
                if not state.alive.any():
                    return
