"""Mini-batch gradient descent as a generator, independent of configs, files and output."""

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
    """The mini-batches of each epoch."""

    @property
    def steps(self) -> int:
        """The number of batches in an epoch."""

    def __call__(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, starting at batch ``first``."""


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
    """Train R runs at once and yield each evaluation point.

    The first is before the first update; then one follows each epoch, or as ``evaluate_after`` says.

    Args:
        state: state of the runs, which is updated in place.
        objective: the objective to minimise.
        batches: the mini-batches of each epoch.
        training: training images to evaluate on.
        validation: validation images to evaluate on; ``training`` itself where there are none.
        eta: learning rates (R,) of an epoch, from its number, counted from 1, and all evaluations before it.
        updates: total number of updates, including those that the state has already made.
        eta_follows: whether ``eta`` depends on the evaluations.
        eta_factor: additional factor (R,) on the rates, from the number of the update, counted from 0; None for 1.
        momentum: mu of each run, (R,); None for plain gradient descent. Requires a state with a velocity.
        evaluate_after: whether to evaluate after an update, from its number, counted from 1; None to evaluate after
            each epoch. The last update is always followed by an evaluation.
        average_from: the first epoch of averaging: from then on the running mean of the parameters is evaluated
            (B. Polyak and A. Juditsky, SIAM J. Control Optim. 30, 1992); None to evaluate the last parameters. Requires
            a state with a mean.
        average_decay: factor on the weight of all earlier parameters in the mean at each update; 1 for a plain mean,
            less for an exponential one.
        patience: number of evaluations in a row without a new minimum of the validation loss after which a run stops;
            None for no early stopping. Requires a state with best parameters.
        record_steps: whether evaluations contain the loss of each batch since the last one, before its update.
        past: the evaluations so far, for a resumed training.
        check: called before every update; may raise to stop training. Points reached before are yielded first.

    Yields:
        The evaluation points in order. Training continues while a point is evaluated, unless ``patience`` or
        ``eta_follows`` makes it depend on the metrics: the evaluation contains the state at its point, and ``state``
        may be further.

    A run whose parameters, loss or cost are no longer finite returns to its parameters at the last evaluation and
    stops; the other runs are not affected. Training ends early when no run is active.
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
            # A training resumed within an epoch may know evaluations that followed the beginning of the epoch.
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
                    step_losses.append(mean_loss(batch.examples, batch.labels, state.parameters, batch.weights))
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
    """Make one update and return which runs are still finite, (R,). Runs with a rate of 0 do not change."""
    finite = np.ones(len(eta), np.bool_)
    factor = eta if momentum is None else 1 - momentum
    gradients = objective.loss_gradients(batch.examples, batch.labels, state.parameters, factor, batch.weights)
    for run, step in enumerate(gradients):
        if eta[run]:
            parameters = of_run(state.parameters, run)
            if momentum is not None and state.velocity is not None:
                smooth(of_run(state.velocity, run), step, momentum[run], eta[run])
            objective.add_penalty(step, parameters, run, eta[run])
            finite[run] = descend(parameters, step)
    state.step += 1
    return finite
