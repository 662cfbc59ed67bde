"""What a reader must know before reading the tables, in a line each."""

from collections.abc import Iterator, Mapping

from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import BEST_DRAWN, MOST_DRAWN

_MEANS = "Compare means over seeds, not single runs"


def notes(runs: Mapping[str, Run]) -> Iterator[str]:
    """Yield what limits a comparison of these runs."""
    losses = sorted({run.record.config.loss for run in runs.values()})
    if len(losses) > 1:
        yield f"costs and losses of {' and '.join(losses)} are on different scales and cannot be compared"
    finished = [run for run in runs.values() if run.finished]
    tested = sum(run.outcome("test") is not None for run in finished)
    if tested < len(finished):
        yield (
            f"{tested} of {len(finished)} runs were evaluated on the test set; "
            "in a sweep only the selected setting is, unless asked otherwise"
        )
    if len(runs) > MOST_DRAWN:
        yield (
            "curves, templates, filters and histograms show the "
            f"{BEST_DRAWN} runs with the highest validation accuracy and the {MOST_DRAWN - BEST_DRAWN} with the lowest"
        )
    yield from early_stops(runs)
    yield from unsettled(runs)


def unsettled(runs: Mapping[str, Run]) -> Iterator[str]:
    """Yield the runs whose metrics depend on rounding.

    That is measured, if `diagnose --sensitivity` was called for the run. If not, it is assumed of a run whose training
    cost still exceeds that of its first weights in the second half of training.
    """
    for label, run in runs.items():
        if run.sensitivity:
            if run.sensitivity.depends_on_rounding:
                yield f"{label}: {run.sensitivity.in_words()}. {_MEANS}"
            continue
        if jump := restless(run):
            yield (
                f"{label}: {jump}. At such a learning rate rounding alone changes the result (BLAS kernel, threads, "
                f"runs in the pass). {_MEANS}"
            )


def restless(run: Run) -> str | None:
    """Say how high the training cost is in the second half of training, if the first weights have a lower one."""
    first, *others = (row["train_cost"] for row in run.rows)
    late = max(others[(len(others) - 1) // 2 :], default=first)
    jump = f"its cost is as high as {late:.3f}, against {first:.3f} before the first update"
    return f"in the second half of training {jump}" if late > first else None


def early_stops(runs: Mapping[str, Run]) -> Iterator[str]:
    """Yield which weights are shown of runs with early stopping, and after how many epochs they stopped."""
    if any(run.record.best for run in runs.values()):
        yield (
            "a run with early stopping is judged by its best weights, those with the lowest validation loss: "
            "all numbers and figures but the curves are of these"
        )
    for label, run in runs.items():
        if run.record.stopped_early and run.record.best:
            yield (
                f"{label}: stopped early after epoch {run.record.epoch}{_of(run)}; "
                f"the validation loss was lowest after epoch {run.record.best.epoch}"
            )


def _of(run: Run) -> str:
    epochs = run.record.config.epochs
    return f" of {epochs}" if epochs is not None else ""


def synthetic(runs: Mapping[str, Run]) -> str | None:
    """Return which of the runs were trained on generated images; None if none was."""
    labels = [label for label, run in runs.items() if run.record.data.synthetic]
    if not labels:
        return None
    return "all runs" if len(labels) == len(runs) else "; ".join(labels)
