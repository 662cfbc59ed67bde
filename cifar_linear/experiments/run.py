"""From configs and a dataset to finished run folders."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import Group, blas_threads
from cifar_linear.experiments.calibration import calibrate
from cifar_linear.experiments.final_evaluation import judge
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.folder import RunFolder, all_locked
from cifar_linear.runs.provenance import data_record, environment_record
from cifar_linear.runs.record import Record
from cifar_linear.runs.recorder import Recorder
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.history import History
from cifar_linear.training.state import State

Watch = Callable[[Evaluation], None]
"""Is told of each evaluation point as it is reached."""


def run_group(
    configs: Sequence[Config],
    folders: Sequence[RunFolder],
    dataset: Dataset,
    watch: Watch,
    check: Callable[[], None] = lambda: None,
    checkpoints: Sequence[Checkpoint] = (),
    test: bool = True,
) -> list[Record]:
    """Train runs that may differ in lambda, eta and decay only, in one pass over the data; returns their records.

    Args:
        configs: one for each run.
        folders: one for each run; what they hold already is replaced.
        dataset: what the configs ask for.
        watch: is told of each evaluation point.
        check: is called before every update and may raise to stop there.
        checkpoints: one for each run, all of the same moment, to go on from there; none to begin.
        test: whether the runs meet the test images, if there are any, when they have finished.

    The folders are locked meanwhile. However training ends, each gets its status - finished, diverged, interrupted or
    failed - and weights and figures of the last evaluation point. Interrupts and failures are raised again.
    """
    with all_locked(folders), blas_threads(configs[0]):
        records = _train(configs, folders, dataset, watch, check, checkpoints)
        if not (dataset.test and test):
            if test:
                _calibrate(folders, records, dataset)
            return records
        check()
        return [judge(folder, dataset.test, dataset.validation) for folder in folders]


def _calibrate(folders: Sequence[RunFolder], records: Sequence[Record], dataset: Dataset) -> None:
    """Fit the temperatures of runs that have no test images."""
    for folder, record in zip(folders, records, strict=True):
        if record.status == "finished":
            calibrate(folder, dataset.validation, None)


def _train(
    configs: Sequence[Config],
    folders: Sequence[RunFolder],
    dataset: Dataset,
    watch: Watch,
    check: Callable[[], None],
    checkpoints: Sequence[Checkpoint],
) -> list[Record]:
    """All but the test images."""
    group = Group.of(configs, dataset)
    nothing = [()] * len(configs)
    history = History(
        [checkpoint.rows for checkpoint in checkpoints] or nothing,
        [checkpoint.steps for checkpoint in checkpoints] or nothing,
    )
    state = State.restore([checkpoint.arrays for checkpoint in checkpoints]) if checkpoints else group.first_state()
    batches = group.batches()
    for config, folder in zip(configs, folders, strict=True):
        folder.write_config(config.to_yaml())
    recorder = Recorder(folders, state, history, group.model, _facts(configs, dataset))
    try:
        for folder in folders:
            folder.remove_outdated()
        for evaluation in group.evaluations(state, batches, check, history.past()):
            recorder.evaluated(evaluation)
            watch(evaluation)
        return recorder.finished(_advice(configs, state), group.updates(batches))
    except KeyboardInterrupt:
        recorder.stopped("interrupted")
        raise
    except BaseException as error:
        with suppress(RunError):  # A disk that is full for this as well: the first failure tells more.
            recorder.stopped("failed", f"{type(error).__name__}: {error}")
        raise


def _facts(configs: Sequence[Config], dataset: Dataset) -> list[dict[str, Any]]:
    """What is known of each run before it starts."""
    data, environment = data_record(dataset, configs[0].data.dataset), environment_record()
    shared = {"data": data, "environment": environment, "runs_in_pass": len(configs)}
    return [{"config": config, **shared, "place_in_pass": place} for place, config in enumerate(configs)]


def _advice(configs: Sequence[Config], state: State) -> dict[int, str]:
    """For each run that diverged: where, and what to try."""
    advice = {}
    for run in np.flatnonzero(~state.finite).tolist():
        eta, lam, step = configs[run].eta, configs[run].lam, int(state.end.diverged[run])
        message = f"training diverged at step {step} with eta {eta:g}: weights or cost are no longer finite; "
        if eta * lam > 1:
            # Without any data a step multiplies W by 1 - 2 eta lambda.
            message += f"eta * lambda is {eta * lam:g}, above 1 the penalty alone makes W grow: lower one of them"
        else:
            message += f"try eta {eta / 10:g} or less"
        advice[run] = message
    return advice
