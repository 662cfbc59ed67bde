"""The result of a sweep: one row for each setting, and which of them is selected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cifar_linear.config.formatting import as_text
from cifar_linear.config.sweeps import Cell, Sweep
from cifar_linear.data.dataset import Split, SplitName
from cifar_linear.experiments.final_evaluation import evaluate_on_test
from cifar_linear.experiments.loading import load_split
from cifar_linear.report.statistics import Interval
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Record
from cifar_linear.sweep.folder import Runs


@dataclass(frozen=True)
class Row:
    """One line of a sweep's table: a setting with all its seeds.

    Attributes:
        settings: values of the grid's keys, except the seed.
        status: the status of all its runs; if they differ, how many have finished.
        validation, test: accuracies as fractions; None if no run has finished, or not all finished runs were evaluated.
        loss: validation loss, in nats.
        folders: folders of its finished runs.
        failed: number of failed runs.
        complete: whether all of its runs have finished; only complete rows can be selected.
        selected: whether this is the selected setting.
    """

    settings: Mapping[str, Any]
    status: str
    validation: Interval | None
    loss: Interval | None
    test: Interval | None
    folders: Sequence[RunFolder]
    failed: int
    complete: bool
    selected: bool = False

    def to_tree(self) -> dict[str, Any]:
        """Return the row as plain values for JSON."""
        metrics = {"validation_accuracy": self.validation, "validation_loss": self.loss, "test_accuracy": self.test}
        return {
            "settings": dict(self.settings),
            "status": self.status,
            **{name: metric._asdict() if metric else None for name, metric in metrics.items()},
            "folders": [str(folder.path) for folder in self.folders],
            "selected": self.selected,
        }


def table_of(sweep: Sweep, runs: Runs) -> list[Row]:
    """Return a row for each setting: the selected one first, by the sweep's metric; those without a result last.

    Among settings of the same accuracy the one with the lower loss comes first.
    """
    by_setting: dict[str, list[Cell]] = defaultdict(list)
    for cell in sweep.cells:
        by_setting[str({key: value for key, value in cell.settings.items() if key != "seed"})].append(cell)
    rows = [_row(cells, [runs.get(cell.key) for cell in cells]) for cells in by_setting.values()]

    def order(row: Row) -> tuple[bool, float, float]:
        if row.validation is None or row.loss is None:
            return True, float("inf"), float("inf")
        # A mean over the successful seeds only would favour settings with which other seeds failed.
        by_loss = sweep.select_by == "validation_loss"
        return not row.complete, 0 if by_loss else -row.validation.mean, row.loss.mean

    rows.sort(key=order)
    return [replace(rows[0], selected=rows[0].complete), *rows[1:]]


def _row(cells: Sequence[Cell], runs: Sequence[tuple[RunFolder, Record] | None]) -> Row:
    statuses = [run[0].status(run[1]) if run else "missing" for run in runs]
    finished = [run for run in runs if run and run[1].status == "finished"]

    def interval(split: SplitName, metric: str) -> Interval | None:
        outcomes = [record.outcome.get(split) for _, record in finished]
        values = [getattr(outcome, metric) for outcome in outcomes if outcome]
        return Interval.of(values) if values and len(values) == len(finished) else None

    return Row(
        {key: value for key, value in cells[0].settings.items() if key != "seed"},
        statuses[0] if len(set(statuses)) == 1 else f"{len(finished)} of {len(runs)} finished",
        interval("validation", "accuracy"),
        interval("validation", "loss"),
        interval("test", "accuracy"),
        [found for found, _ in finished],
        statuses.count("failed"),
        len(finished) == len(runs),
    )


def evaluate_rows_on_test(rows: Sequence[Row], data_dir: Path | None) -> None:
    """Evaluate the finished runs of some rows on the test set, unless they have been already.

    Args:
        rows: rows whose runs are evaluated.
        data_dir: folder of the images; None for that of the config.
    """
    splits: dict[object, Split] = {}
    for folder in (folder for row in rows for folder in row.folders):
        record = folder.read_record()
        if record.config.data.test and "test" not in record.metrics:
            # The test images depend on no other key, so that a sweep over anything else reads them once.
            wanted = record.config.data.model_copy(update={"train": (), "validation": ()})
            if wanted not in splits:
                splits[wanted] = load_split(record.config, "test", data_dir)
            # Held-out images depend on the seed as well.
            beside = record.config.data, record.config.seed
            if beside not in splits:
                splits[beside] = load_split(record.config, "validation", data_dir)
            evaluate_on_test(folder, splits[wanted], splits[beside])


def as_lines(rows: Sequence[Row], select_by: str, most: int | None = None) -> list[str]:
    """Return the table as text: a header, then a line for each row with settings, metrics and status.

    Args:
        rows: at least one.
        select_by: the metric that selected.
        most: rows that are shown; None for all.
    """
    left_out = len(rows[most:]) if most is not None else 0
    rows = rows[:most]
    keys = list(rows[0].settings)
    lines = [[*keys, "validation accuracy", "validation loss", "test accuracy", "status"]]
    for row in rows:
        loss = "-" if row.loss is None else f"{row.loss.mean:.4f}"
        chosen = f", selected by {select_by.replace('_', ' ')}" if row.selected and len(rows) > 1 else ""
        metrics = [str(row.validation or "-"), loss, str(row.test or "-"), row.status + chosen]
        lines.append([*(as_text(row.settings[key]) for key in keys), *metrics])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths[-1] = 0
    text = ["  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)) for line in lines]
    return [*text, f"and {left_out} more"] if left_out else text
