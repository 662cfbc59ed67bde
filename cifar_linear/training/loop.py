"""Mini-batch gradient descent as a generator that knows no disk, screen or config."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Labels
from cifar_linear.data.dataset import Split
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.sgd import descend
from cifar_linear.training.evaluation import Evaluation, Evaluator, overflow_is_looked_for
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.state import State

Rates = Callable[[int, Sequence[EvaluatedPoint]], Doubles]


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
    eta_follows: bool = False,
    evaluate_every: int | None = None,
    average_from: int | None = None,
    patience: int | None = None,
    record_steps: bool = False,
    past: Sequence[EvaluatedPoint] = (),
    check: Callable[[], None] = lambda: None,
) -> Iterator[Evaluation]:
    """Train R runs side by side, yielding each evaluation point: before the first update, then after each epoch's.

    Args:
        state: updated in place.
        objective: what is minimised.
        batches: the batches of an epoch.
        training: the split to train and to evaluate on.
        validation: the split to evaluate on besides.
        eta: the learning rates (R,) of an epoch, from its number and all evaluations before it.
        epochs: passes over the training images.
        eta_follows: whether ``eta`` looks at the evaluations.
        evaluate_every: evaluate instead after each update whose number, counted from 0 over all epochs, is a multiple
            of this, and after the last one.
        average_from: the epoch from whose first update on the mean of the weights after each update is what is
            evaluated; None for the last weights (B. Polyak and A. Juditsky, SIAM J. Control Optim. 30, 1992).
        patience: after how many evaluations in a row without a new minimum of the validation loss a run stops; None
            for never. The best weights are kept in the state.
        record_steps: whether evaluations tell the loss of every batch, before its update, since the last one.
        past: the evaluations so far, where a training goes on.
        check: is called before every update, and may raise to stop there.

    Training goes on while a point is evaluated, unless ``patience`` or ``eta_follows`` let it depend on the figures:
    the state of a point is in the evaluation, ``state`` is ahead of it. What ``check`` raises comes after the points
    that were reached.

    A run whose weights, loss or cost stop being finite goes back to its weights at the last evaluation and stays
    there, without touching the others. Training ends early when no run learns any more.
    """
    last_step = epochs * batches.steps
    mean_loss = overflow_is_looked_for(objective.mean_loss)
    step_losses: list[Doubles] = []
    workspace = np.empty((2, *state.weights.W.shape), state.weights.W.dtype)
    synchronous = eta_follows or patience is not None
    with Evaluator(state, objective, training, validation, past, average_from, patience, synchronous) as evaluator:
        if not past:
            yield from evaluator.submit(0, eta(1, ()), [] if record_steps else None)
        for epoch in range(state.step // batches.steps + 1, epochs + 1):
            begin = (epoch - 1) * batches.steps
            # Only a training that goes on within an epoch knows more than it did at the epoch's beginning.
            past = evaluator.past
            rates = eta(epoch, past if state.step == begin else [known for known in past if known.step <= begin])
            averaging = average_from is not None and epoch >= average_from
            for pixels, labels in batches(epoch, state.step - begin):
                yield from evaluator.poll()
                active = state.active
                if not active.any():
                    return
                try:
                    check()
                except BaseException:
                    yield from evaluator.collect()
                    raise
                if record_steps:
                    step_losses.append(mean_loss(pixels, labels, *state.weights))
                finite = _update(state, objective, pixels, labels, np.where(active, rates, 0), workspace)
                if not finite.all():
                    yield from evaluator.collect()
                    state.mark_diverged(~finite, evaluator.kept)
                if averaging:
                    state.add_to_mean()
                if evaluate_every is None:
                    due = state.step % batches.steps == 0
                else:
                    due = (state.step - 1) % evaluate_every == 0 or state.step == last_step
                if due:
                    yield from evaluator.submit(epoch, rates, step_losses if record_steps else None)
                    step_losses = []
        yield from evaluator.collect()


@overflow_is_looked_for
def _update(
    state: State, objective: Objective, pixels: Floats, labels: Labels, eta: Doubles, workspace: Floats
) -> Bools:
    """One update; returns which runs are still finite, (R,)."""
    gradients = objective.gradients(pixels, labels, *state.weights, workspace)
    runs = zip(*state.weights, gradients, eta, strict=True)
    finite = [descend(W, b, grad_W, grad_b, rate) for W, b, (grad_W, grad_b), rate in runs]
    state.step += 1
    return np.array(finite)
