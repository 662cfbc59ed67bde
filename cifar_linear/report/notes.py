"""What a reader must know before reading the tables, in a line each."""

from collections.abc import Iterator, Mapping
from statistics import fmean

from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import BEST_DRAWN, MOST_DRAWN, by_setting

_MEANS = "Compare means over seeds, not single runs."


def notes(runs: Mapping[str, Run]) -> Iterator[str]:
    """Yield what limits a comparison of these runs."""
    losses = sorted({run.record.config.loss for run in runs.values()})
    if len(losses) > 1:
        yield f"costs and losses of {' and '.join(losses)} are on different scales and cannot be compared"
    finished = [run for run in runs.values() if run.finished]
    tested = sum(run.outcome("test") is not None for run in finished)
    if tested < len(finished):
        yield (
            f"{tested} of {len(finished)} runs {'was' if tested == 1 else 'were'} evaluated on the test set; "
            "in a sweep only the selected setting is, unless asked otherwise"
        )
    settings = by_setting(runs)
    if len(settings) > MOST_DRAWN:
        what, worst = "runs" if len(settings) == len(runs) else "settings", MOST_DRAWN - BEST_DRAWN
        yield (
            "curves, templates, filters and histograms show the "
            f"{BEST_DRAWN} {what} with the highest validation accuracy and the {worst} with the lowest"
        )
    yield from early_stops(runs)
    yield from unsettled(runs)


def unsettled(runs: Mapping[str, Run]) -> Iterator[str]:
    """Yield the runs whose metrics depend on rounding.

    That is measured, if `diagnose --sensitivity` was called for the run. If not, it is assumed of a run whose training
    cost still exceeds that of its first weights in the second half of training.
    """
    for label, group in by_setting(runs).items():
        means = "" if len(group) > 1 else f" {_MEANS}"
        if measured := [run.sensitivity for run in group if run.sensitivity and run.sensitivity.depends_on_rounding]:
            yield f"{label}: {measured[0].in_words()}.{means}"
        elif jump := restless(*(run for run in group if not run.sensitivity)):
            yield (
                f"{label}: {jump}. At such a learning rate rounding alone changes the result (BLAS kernel, threads, "
                f"runs in the pass).{means}"
            )


def restless(*runs: Run) -> str | None:
    """Say how high the training cost is in the second half of training, if the first weights have a lower one.

    Of several seeds the highest counts, and the mean of their first costs.
    """
    found = []
    for run in runs:
        first, *others = (row["train_cost"] for row in run.rows)
        late = max(others[(len(others) - 1) // 2 :], default=first)
        if late > first:
            found.append((late, first))
    if not found:
        return None
    late, first = max(late for late, _ in found), fmean(first for _, first in found)
    return (
        f"in the second half of training its cost is as high as {late:.3f}, against {first:.3f} before the first update"
    )


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
                f"{label}: stopped early {run.when(run.last)}{_of(run)}; "
                f"the validation loss was lowest {run.when(run.judged)}"
            )


def _of(run: Run) -> str:
    epochs = run.record.config.epochs
    return f" of {epochs}" if epochs is not None and run.place(run.last).startswith("epoch") else ""


def synthetic(runs: Mapping[str, Run]) -> str | None:
    """Return which of the runs were trained on generated images; None if none was."""
    labels = [label for label, run in runs.items() if run.record.data.synthetic]
    if not labels:
        return None
    return "all runs" if len(labels) == len(runs) else "; ".join(labels)
