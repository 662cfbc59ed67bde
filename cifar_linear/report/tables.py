"""The tables of a report: a row for each run, settings that differ, and what the numbers depend on."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.config.formatting import LAYER_COLUMNS, layer_rows
from cifar_linear.nn.metrics import Proportion, class_metrics, confusion
from cifar_linear.report.collecting import Run
from cifar_linear.report.naming import some
from cifar_linear.report.settings import settings_label
from cifar_linear.runs.record import Calibration, SplitCalibration
from cifar_linear.wording import counted, percent


class Column(NamedTuple):
    """A column: its title, how a value is written, and where it comes from; None is a dash.

    ``words`` write it where that takes more of the run than the value.
    """

    title: str
    written: Callable[[float], str]
    value: Callable[[Run], float | None]
    words: Callable[[Run], str] | None = None


class Cell(NamedTuple):
    """What is shown, and what is sorted by."""

    text: str
    key: float | str


class Table(NamedTuple):
    """Titles of the columns, and the cells of each run."""

    columns: Sequence[str]
    rows: Mapping[str, Sequence[Cell]]


_TEST = Column("test accuracy", percent, lambda run: run.outcome("test"))
_VALIDATION = Column("validation accuracy", percent, lambda run: run.outcome("validation"))
_TRAINING = Column("training accuracy", percent, lambda run: run.judged["train_accuracy"])
_COST = Column("training cost", "{:.4f}".format, lambda run: run.judged["train_cost"])
_ABOVE = Column("above optimum", percent, lambda run: run.certificate.above if run.certificate else None)
_DETAILS = (
    Column("gap in points", "{:.2f}".format, lambda run: 100 * run.gap),
    Column(
        "lowest validation loss",
        str,
        lambda run: run.lowest_loss["step"],
        lambda run: run.place(run.lowest_loss) if run.lowest_loss["step"] else "the start",
    ),
    Column("|W|", "{:.3f}".format, lambda run: run.weight_norm),
    Column("seconds", "{:.1f}".format, lambda run: run.record.seconds),
)
RESULTS = (_TEST, _VALIDATION, _TRAINING, _COST, _ABOVE, *_DETAILS)
"""Columns of a report of several runs."""
_CALIBRATION: Sequence[tuple[str, str, Callable[[Calibration, SplitCalibration], float | None]]] = (
    ("NLL", ".4f", lambda _, test: test.plain.nll),
    ("Brier score", ".4f", lambda _, test: test.plain.brier),
    ("ECE", ".3f", lambda _, test: test.plain.ece),
    ("ECE by chance", ".3f", lambda _, test: test.plain.ece_if_calibrated),
    ("temperature", ".3g", lambda calibration, _: calibration.temperature),
    ("NLL with the temperature", ".4f", lambda _, test: test.tempered.nll if test.tempered else None),
    ("ECE with the temperature", ".3f", lambda _, test: test.tempered.ece if test.tempered else None),
    ("top-5 accuracy in %", ".2f", lambda _, test: None if test.top_5 is None else 100 * test.top_5),
)
ANSWERS = (
    _VALIDATION,
    _TRAINING,
    Column("validation loss", "{:.4f}".format, lambda run: run.judged["validation_loss"]),
    Column("training loss", "{:.4f}".format, lambda run: run.judged["train_loss"]),
    Column("trained for", str, lambda run: run.last["step"], lambda run: run.length),
    Column("|W|²", "{:.3f}".format, lambda run: run.weight_norm**2),
)
"""Columns of the tables that answer questions."""


def results(runs: Mapping[str, Run], columns: Sequence[Column]) -> Table:
    """Return a row for each run, with its status where not all have finished.

    The first column names the weights where not all runs are judged by their last.

    How far above the optimum they are is left out where no run has a certificate.
    """
    if not any(run.certificate for run in runs.values()):
        columns = [column for column in columns if column != _ABOVE]
    titles = [column.title for column in columns]
    rows = {label: [_cell(column, run) for column in columns] for label, run in runs.items()}
    if any(run.record.best for run in runs.values()):
        titles = ["weights", *titles]
        rows = {label: [_weights(runs[label]), *cells] for label, cells in rows.items()}
    if not all(run.finished for run in runs.values()):
        titles = [*titles, "status"]
        rows = {
            label: [*cells, Cell(runs[label].record.status, runs[label].record.status)] for label, cells in rows.items()
        }
    return Table(titles, rows)


def calibration(runs: Mapping[str, Run]) -> Table | None:
    """Return how far the probabilities of test images can be relied on, of the runs that know it; None if none does."""
    rows: dict[str, list[Cell]] = {}
    for label, run in runs.items():
        if run.calibration and (test := run.calibration.test):
            values = [(form, value(run.calibration, test)) for _, form, value in _CALIBRATION]
            rows[label] = [Cell("-", "") if value is None else Cell(f"{value:{form}}", value) for form, value in values]
    return Table([title for title, _, _ in _CALIBRATION], rows) if rows else None


def details(run: Run) -> dict[str, Cell]:
    """Return what the page of a single run says besides its metrics."""
    weights = {"weights": _weights(run)} if run.record.best else {}
    columns = [_ABOVE, *_DETAILS] if run.certificate else _DETAILS
    return {**weights, **{column.title: _cell(column, run) for column in columns}}


def _weights(run: Run) -> Cell:
    return Cell(run.weights, run.weights)


def _cell(column: Column, run: Run) -> Cell:
    value = column.value(run)
    return Cell("-", "") if value is None else Cell(column.words(run) if column.words else column.written(value), value)


class Settings(NamedTuple):
    """The settings in which runs differ: a row for each run, or for each setting where there are more of them."""

    head: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[str]]


def settings_table(runs: Mapping[str, Run], keys: Sequence[str], most: int) -> Settings | None:
    """Return each run's values of ``keys``; None for more than ``most`` runs whose labels hold all of them."""
    if not keys or (len(runs) > most and all(label == settings_label(run, keys) for label, run in runs.items())):
        return None
    values = {label: [run.settings.get(key, "-") for key in keys] for label, run in runs.items()}
    if len(keys) > len(runs):
        return Settings("setting", list(runs), dict(zip(keys, zip(*values.values(), strict=True), strict=True)))
    return Settings("run", keys, values)


def layers(run: Run) -> dict[str, Any] | None:
    """Return the layers of a network as a table; None for a linear model."""
    return {"columns": LAYER_COLUMNS, "rows": layer_rows(run.network)} if run.network else None


def classes(run: Run) -> list[list[str]]:
    """Return for each class its number of test images, precision, recall and F1, from the run's test predictions."""
    if run.predictions is None:
        return []
    counts = confusion(run.predictions.predicted, run.predictions.labels, len(run.model.class_names))
    metrics = class_metrics(counts)
    return [
        [name, str(counts[k].sum()), *(_with_interval(part, k) for part in metrics)]
        for k, name in enumerate(run.model.class_names)
    ]


def _with_interval(part: Proportion, k: int) -> str:
    if np.isnan(part.value[k]):
        return "-"
    value, low, high = (f"{100 * values[k]:.1f}" for values in part)
    return f"{value} % ({low} to {high})"


def environments(runs: Mapping[str, Run]) -> list[tuple[str, dict[str, str]]]:
    """Return what the numbers of runs depend on, once for all runs that share it, with their labels."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for label, run in runs.items():
        groups[tuple(environment(run).items())].append(label)
    created = {label: run.record.created for label, run in runs.items()}
    return [
        (
            f"All {len(labels)} runs" if len(labels) == len(runs) > 1 else some(labels),
            {"created": " to ".join(dict.fromkeys([min(times), max(times)])), **dict(facts)},
        )
        for facts, labels in groups.items()
        if (times := [created[label] for label in labels])
    ]


def environment(run: Run) -> dict[str, str]:
    """Return what the numbers of a run depend on, in words."""
    environment, data = run.record.environment, run.record.data
    return {
        "data": ", ".join(f"{split} {count} images" for split, count in data.images.items()),
        **{f"SHA-256 of {split}": digest for split, digest in data.sha256.items()},
        "versions": ", ".join(f"{name} {version}" for name, version in environment.versions.items()),
        "BLAS": "; ".join(
            f"{blas.internal_api} {blas.version} ({blas.architecture}), {counted(blas.num_threads, 'thread')}"
            for blas in environment.blas
        ),
        "commit": environment.commit or "not a checkout",
        "platform": environment.platform,
    }
