"""From configs and a dataset to finished run folders."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np

from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.final_evaluation import calibrate, evaluate_on_test
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.nn.memory import keep_freed_memory
from cifar_linear.runs.artifacts import Checkpoint
from cifar_linear.runs.folder import RunFolder, all_locked
from cifar_linear.runs.provenance import data_record, environment_record
from cifar_linear.runs.record import Record
from cifar_linear.runs.recorder import Recorder
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.history import History
from cifar_linear.training.state import State

Watch = Callable[[Evaluation], None]
"""Called with each evaluation point."""


def run_group(
    configs: Sequence[Config],
    folders: Sequence[RunFolder],
    dataset: Dataset,
    watch: Watch,
    check: Callable[[], None] = lambda: None,
    checkpoints: Sequence[Checkpoint] = (),
    test: bool = True,
) -> list[Record]:
    """Train runs in one pass over the data and return their records.

    The folders are locked meanwhile. However training ends, each contains its status - finished, diverged, interrupted
    or failed - and the weights and metrics of the last evaluation point. Interrupts and failures are raised again.

    Args:
        configs: config of each run; they may differ in lambda, eta, decay and momentum only.
        folders: folder of each run; existing contents are replaced.
        dataset: images of the configs.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop training.
        checkpoints: checkpoint of each run, all at the same step, to resume training; empty to start it.
        test: whether to evaluate finished runs on the test set, if there is one.
    """
    with all_locked(folders) as still_ours, blas_threads(configs[0], len(configs)):

        def both() -> None:
            check()
            still_ours()

        records = _train(configs, folders, dataset, watch, both, checkpoints)
        if not (dataset.test and test):
            for folder in folders if test else ():
                calibrate(folder, dataset.validation)
            return records
        both()
        return [evaluate_on_test(folder, dataset.test, dataset.validation) for folder in folders]


def _train(
    configs: Sequence[Config],
    folders: Sequence[RunFolder],
    dataset: Dataset,
    watch: Watch,
    check: Callable[[], None],
    checkpoints: Sequence[Checkpoint],
) -> list[Record]:
    """Train without the evaluation on the test set."""
    # The images are hashed while the group is prepared.
    with ThreadPoolExecutor(1) as beside:
        of_facts = beside.submit(_facts, configs, dataset)
        group = Group.of(configs, dataset)
    facts = of_facts.result()
    if configs[0].model.kind == "network":
        keep_freed_memory()
    nothing = [()] * len(configs)
    history = History(
        [checkpoint.rows for checkpoint in checkpoints] or nothing,
        [checkpoint.steps for checkpoint in checkpoints] or nothing,
    )
    state = State.restore([checkpoint.arrays for checkpoint in checkpoints]) if checkpoints else group.first_state()
    batches = group.batches()
    for config, folder in zip(configs, folders, strict=True):
        folder.write_config(config.to_yaml())
    recorder = Recorder(folders, state, history, group.model, facts)
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
        with suppress(RunError):  # If the disk is full, the original error is the more useful one.
            recorder.stopped("failed", f"{type(error).__name__}: {error}")
        raise


def _facts(configs: Sequence[Config], dataset: Dataset) -> list[dict[str, Any]]:
    """Return the fields of each run's record that are known before training."""
    data, environment = data_record(dataset, configs[0].data.dataset), environment_record()
    shared = {"data": data, "environment": environment, "runs_in_pass": len(configs)}
    return [{"config": config, **shared, "place_in_pass": place} for place, config in enumerate(configs)]


def _advice(configs: Sequence[Config], state: State) -> dict[int, tuple[int, str]]:
    """Return for each run that diverged, by its index, at which step, and a message with it and what to try."""
    advice = {}
    for run in np.flatnonzero(~state.finite).tolist():
        eta, lam, step = configs[run].eta, configs[run].lam, int(state.end.diverged[run])
        message = f"training diverged at step {step} with eta {eta:g}: weights or cost are no longer finite; "
        if eta * lam > 1:
            # Without any data a step multiplies W by 1 - 2 eta lambda.
            message += f"eta * lambda is {eta * lam:g}, above 1 the penalty alone makes W grow: lower one of them"
        else:
            message += f"try eta {eta / 10:g} or less"
        advice[run] = step, message
    return advice
