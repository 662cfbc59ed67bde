"""From configs and a dataset to run folders that tell what happened."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.metrics import most_confident_mistakes
from cifar_linear.provenance import data_record, environment_record
from cifar_linear.recorder import Recorder, Result
from cifar_linear.records import Figures, Record
from cifar_linear.runs import Predictions, RunFolder
from cifar_linear.state import State
from cifar_linear.training import Evaluation, evaluate, predict
from cifar_linear.unpacking import Group

Watch = Callable[[Evaluation], None]
"""Is told of each evaluation point as it is reached."""

_MISTAKES = 25
"""How many of a run's most confident mistakes are kept as images."""


def run_group(
    configs: Sequence[Config],
    folders: Sequence[RunFolder],
    dataset: Dataset,
    watch: Watch,
    check: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Train runs that may differ in lambda, eta and decay only, in one pass over the data; returns their records.

    ``check`` is called before every update and may raise to stop there. However training ends, each folder gets its
    status - finished, diverged, interrupted or failed - and weights and figures of the last evaluation point.
    Interrupts and failures are raised again.
    """
    group = Group.of(configs, dataset)
    state = group.first_state()
    for config, folder in zip(configs, folders, strict=True):
        folder.write_config(config.to_yaml())
    recorder = Recorder(folders, state, group.model, _facts(configs, dataset))
    try:
        for evaluation in group.evaluations(state, check):
            recorder.evaluated(evaluation, state)
            watch(evaluation)
        return recorder.finished(_results(group, state), _advice(configs, state))
    except KeyboardInterrupt:
        recorder.stopped("interrupted")
        raise
    except BaseException as error:
        recorder.stopped("failed", f"{type(error).__name__}: {error}")
        raise


def _facts(configs: Sequence[Config], dataset: Dataset) -> list[dict[str, Any]]:
    """What is known of each run before it starts."""
    shared = {"data": data_record(dataset, configs[0].data.dataset), "environment": environment_record()}
    return [{"config": config, **shared} for config in configs]


def _results(group: Group, state: State) -> dict[int, Result]:
    """What each run that did not diverge makes of the test images, which are looked at here and nowhere else."""
    alive = np.flatnonzero(state.alive).tolist()
    if not alive:
        return {}
    test = group.dataset.test
    metrics, probabilities = evaluate(state, test, group.objective), predict(state, test, group.objective)
    results = {}
    for run in alive:
        mistakes = most_confident_mistakes(probabilities[:, run], test.labels, _MISTAKES)
        predictions = Predictions(probabilities[:, run], test.labels, mistakes, test.images[mistakes])
        results[run] = Result(Figures.of(metrics, run), predictions)
    return results


def _advice(configs: Sequence[Config], state: State) -> dict[int, str]:
    """For each run that diverged: where, and what to try."""
    advice = {}
    for run in np.flatnonzero(~state.alive).tolist():
        eta, lam, step = configs[run].eta, configs[run].lam, int(state.diverged_at[run])
        message = f"training diverged at step {step} with eta {eta:g}: weights or cost are no longer finite; "
        if eta * lam > 1:
            # Without any data a step multiplies W by 1 - 2 eta lambda.
            message += f"eta * lambda is {eta * lam:g}, above 1 the penalty alone makes W grow: lower one of them"
        else:
            message += f"try eta {eta / 10:g} or less"
        advice[run] = message
    return advice
