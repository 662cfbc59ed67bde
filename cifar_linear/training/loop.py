"""Mini-batch gradient descent as a generator that knows no disk, screen or config."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from cifar_linear.arrays import Bools, Doubles
from cifar_linear.data.batches import Batch
from cifar_linear.data.dataset import Split
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import of_run
from cifar_linear.nn.sgd import descend, smooth
from cifar_linear.training.evaluation import Evaluation, Evaluator, overflow_is_looked_for
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.state import State

Rates = Callable[[int, Sequence[EvaluatedPoint]], Doubles]


class BatchesOf(Protocol):
    """The mini-batches of an epoch from the one numbered ``first`` on."""

    @property
    def steps(self) -> int:
        """Batches in an epoch."""

    def __call__(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield them."""


def train(
    state: State,
    objective: Objective,
    batches: BatchesOf,
    training: Split,
    validation: Split,
    *,
    eta: Rates,
    updates: int,
    eta_follows: bool = False,
    eta_factor: Callable[[int], Doubles] | None = None,
    momentum: Doubles | None = None,
    evaluate_after: Callable[[int], bool] | None = None,
    average_from: int | None = None,
    average_decay: float = 1.0,
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
        validation: the other split to evaluate on; ``training`` itself where there is none.
        eta: the learning rates (R,) of an epoch, from its number and all evaluations before it.
        updates: how many updates to make in all, over as many epochs as that takes.
        eta_follows: whether ``eta`` looks at the evaluations.
        eta_factor: the factor on the rates, (R,), of the update with a number counted from 0; None for 1.
        momentum: mu of each run, (R,); None for plain gradient descent. The state must have a velocity with it.
        evaluate_after: whether to evaluate after so many updates, counted from 1; None for after each epoch. After the
            last update there is always an evaluation.
        average_from: the epoch from whose first update on the mean of the parameters after each update is what is
            evaluated; None for the last parameters (B. Polyak and A. Juditsky, SIAM J. Control Optim. 30, 1992). The
            state must have a mean with it.
        average_decay: what the weight of all earlier parameters in the mean is multiplied with at each update; 1 for a
            plain mean, less for an exponential one.
        patience: after how many evaluations in a row without a new minimum of the validation loss a run stops; None
            for never. The best parameters are kept in the state.
        record_steps: whether evaluations hold the loss of every batch, before its update, since the last one.
        past: the evaluations so far, where a training goes on.
        check: is called before every update, and may raise to stop there.

    Training goes on while a point is evaluated, unless ``patience`` or ``eta_follows`` let it depend on the metrics:
    the state of a point is in the evaluation, ``state`` is ahead of it. What ``check`` raises comes after the points
    that were reached.

    A run whose parameters, loss or cost stop being finite returns to its parameters at the last evaluation and stays
    there, without touching the others. Training ends early when no run is active any more.
    """
    epochs = -(-updates // batches.steps)
    mean_loss = overflow_is_looked_for(objective.mean_loss)
    step_losses: list[Doubles] = []
    synchronous = eta_follows or patience is not None
    with Evaluator(state, objective, training, validation, past, patience, synchronous) as evaluator:
        if not past:
            first = eta(1, ()) if eta_factor is None else eta(1, ()) * eta_factor(0)
            yield from evaluator.submit(0, first, [] if record_steps else None)
        for epoch in range(state.step // batches.steps + 1, epochs + 1):
            begin = (epoch - 1) * batches.steps
            # Only a training that goes on within an epoch knows more than it did at the epoch's beginning.
            past = evaluator.past
            of_epoch = eta(epoch, past if state.step == begin else [known for known in past if known.step <= begin])
            averaging = average_from is not None and epoch >= average_from
            for batch in batches(epoch, state.step - begin):
                if state.step == updates:
                    break
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
                    pixels, labels, *weights = batch
                    step_losses.append(mean_loss(pixels, labels, state.parameters, *weights))
                rates = of_epoch if eta_factor is None else of_epoch * eta_factor(state.step)
                finite = _update(state, objective, batch, np.where(active, rates, 0), momentum)
                if not finite.all():
                    yield from evaluator.collect()
                    state.mark_diverged(~finite, evaluator.kept)
                if averaging:
                    state.add_to_mean(average_decay)
                due = evaluate_after(state.step) if evaluate_after else state.step % batches.steps == 0
                if due or state.step == updates:
                    yield from evaluator.submit(epoch, rates, step_losses if record_steps else None)
                    step_losses = []
        yield from evaluator.collect()


@overflow_is_looked_for
def _update(state: State, objective: Objective, batch: Batch, eta: Doubles, momentum: Doubles | None) -> Bools:
    """Make one update; returns which runs are still finite, (R,). Runs with a rate of 0 stay as they are."""
    finite = np.ones(len(eta), np.bool_)
    pixels, labels, *weights = batch
    for run, gradient in enumerate(objective.loss_gradients(pixels, labels, state.parameters, *weights)):
        if eta[run]:
            parameters = of_run(state.parameters, run)
            if momentum is not None and state.velocity is not None:
                smooth(of_run(state.velocity, run), gradient, momentum[run])
            objective.add_penalty(gradient, parameters, run)
            finite[run] = descend(parameters, gradient, eta[run])
    state.step += 1
    return finite
