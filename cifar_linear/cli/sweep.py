"""``cifar-linear sweep``: a grid becomes run folders, a table, and a choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from cifar_linear.cli.options import (
    Output,
    config_option,
    data_dir_option,
    debug_option,
    output_options,
    runs_dir_option,
    seeds_option,
    set_option,
)
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.cli.progress import Progress
    from cifar_linear.config.sweeps import Sweep
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.groups import Cells, DatasetCache
    from cifar_linear.sweep.table import Row
    from cifar_linear.training.evaluation import Evaluation


@click.command()
@config_option(required=True, text="The sweep, a YAML file with base and grid.")
@set_option
@data_dir_option
@runs_dir_option
@click.option("--name", help="Name of the sweep's folder; the same name goes on with it.  [default: the file's]")
@seeds_option
@click.option("--plan", is_flag=True, help="Say what would run and how long it would take; run nothing.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Groups to train at once.")
@click.option("--retry-failed", is_flag=True, help="Run cells again that have failed.")
@click.option("--with-test", is_flag=True, help="Let every setting meet the test images, not the selected one alone.")
@output_options("Print one JSON document.")
@debug_option
def sweep(
    config_path: Path,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    seeds: int | None,
    plan: bool,
    workers: int,
    retry_failed: bool,
    with_test: bool,
    output: Output,
) -> None:
    """Train all cells of a grid, those that can share it in one pass, and choose one by its validation figure.

    A second call runs only what is missing.
    """
    from cifar_linear.config.sweeps import read_sweep
    from cifar_linear.runs.folder import checked_name, name_from
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.groups import DatasetCache

    wanted, images = read_sweep(config_path, overrides, seeds), DatasetCache(data_dir)
    path = runs_dir / (checked_name(name) if name is not None else name_from(config_path))
    if plan:
        _tell_plan(wanted, SweepFolder(path), images, retry_failed, output.as_json)
    else:
        options = {"with_test": with_test, "workers": workers, "retry_failed": retry_failed}
        sweep_and_tell(wanted, path, images, output, again="the same command", **options)


def sweep_and_tell(sweep: Sweep, path: Path, images: DatasetCache, output: Output, again: str, **options: Any) -> None:
    """Run a sweep, print its table and draw its report; ``options`` are those of `run_sweep`.

    ``again`` is the command that goes on with it, should it not come to its end.
    """
    from cifar_linear.cli.progress import Progress
    from cifar_linear.errors import DivergedError, RunError
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.run import SweepListener, run_sweep

    retry = f"{again} --retry-failed"
    folder = SweepFolder(path)
    epochs = len(sweep.cells) * max(cell.config.epochs for cell in sweep.cells)
    with Progress(epochs, output.quiet) as progress, SafeStop() as stop:
        telling = _Telling(progress, output.quiet, len(sweep.cells))
        listener = SweepListener(telling.planned, telling.watch, telling.ended, stop.check)
        try:
            rows = run_sweep(sweep, folder, images, listener, **options)
        except KeyboardInterrupt:
            progress.say(f"stopped; what has been done is kept in {path}. To go on: {again}")
            raise
    if output.as_json:
        click.echo(json.dumps({"folder": str(path), "rows": [row.to_tree() for row in rows]}, indent=2))
    else:
        click.echo(_table(rows, sweep.select_by))
        click.echo(f"sweep folder: {path}")
    if not output.no_figures and any(row.folders for row in rows):
        from cifar_linear.sweep.reporting import report_on

        page = report_on(folder, sweep, None, output.form)
        if not output.as_json:
            click.echo(f"report: {page}")
    failed = sum(row.failed for row in rows)
    if failed:
        raise RunError(f"{path}: {failed} cells have failed, the reasons are in their run.json. Again: {retry}")
    if telling.failures:
        raise RunError(f"{path}: {telling.failures} groups did not come to their end. To go on: {again}")
    if all(row.status == "diverged" for row in rows):
        raise DivergedError(f"{path}: every cell diverged; try lower values of eta")


class _Telling:
    """What happens in a sweep, as lines and as a bar."""

    def __init__(self, progress: Progress, quiet: bool, cells: int) -> None:
        self._progress, self._quiet, self._cells = progress, quiet, cells
        self._groups: Sequence[Cells] = ()
        self._done = 0
        self._epochs = 0
        self._started = perf_counter()
        self.failures = 0

    def planned(self, groups: Sequence[Cells]) -> None:
        self._groups = groups
        there = self._cells - sum(map(len, groups))
        if there and not self._quiet:
            self._progress.say(f"{there} of {self._cells} cells are there already")

    def watch(self, evaluation: Evaluation) -> None:
        runs = len(evaluation.valid)
        text = f"group {self._done + 1}/{len(self._groups)}, {runs} runs"
        self._progress.show(self._epochs + runs * evaluation.epoch, text)

    def ended(self, cells: Cells, problem: str | None) -> None:
        self._done += 1
        self._epochs += len(cells) * cells[0].config.epochs
        self._progress.show(self._epochs, f"group {self._done}/{len(self._groups)}")
        runs = f"{len(cells)} run{'s' if len(cells) > 1 else ''}"
        if problem:
            self.failures += 1
            self._progress.say(f"group {self._done}/{len(self._groups)}: {runs} failed: {problem}")
        elif not self._quiet:
            seconds = perf_counter() - self._started
            self._progress.say(f"group {self._done}/{len(self._groups)}: {runs} done, {seconds:.1f} s since the start")


def _tell_plan(sweep: Sweep, folder: SweepFolder, images: DatasetCache, retry_failed: bool, as_json: bool) -> None:
    from cifar_linear.config.formatting import as_text
    from cifar_linear.sweep.folder import missing
    from cifar_linear.sweep.groups import estimate, groups_of

    wanted = missing(sweep.cells, folder.runs(), retry_failed)
    there = len(sweep.cells) - len(wanted)
    groups = [(group, estimate(group, images.of(group[0].config))) for group in groups_of(wanted)]
    if as_json:
        planned = [
            {"cells": [dict(cell.settings) for cell in group], "epochs": group[0].config.epochs, "seconds": seconds}
            for group, seconds in groups
        ]
        click.echo(json.dumps({"folder": str(folder.path), "cells_there": there, "groups": planned}, indent=2))
        return
    for number, (group, seconds) in enumerate(groups, start=1):
        click.echo(f"group {number}: {len(group)} runs, {group[0].config.epochs} epochs, about {_duration(seconds)}")
        for cell in group:
            click.echo(f"  {as_text(cell.settings) or 'the base as it is'}")
    total = _duration(sum(seconds for _, seconds in groups))
    click.echo(f"{len(sweep.cells)} cells, {there} of them there already")
    click.echo(f"{len(wanted)} to run; groups: {len(groups)}, one after another about {total}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{seconds:.1f} s" if seconds < 20 else f"{rest} s" if not minutes else f"{minutes} min {rest} s"


def _table(rows: Sequence[Row], select_by: str) -> str:
    """Settings, figures and status, the selected row first."""
    from cifar_linear.config.formatting import as_text

    keys = list(rows[0].settings)
    lines = [[*keys, "validation accuracy", "validation loss", "test accuracy", "status"]]
    for row in rows:
        loss = "-" if row.loss is None else f"{row.loss.mean:.4f}"
        chosen = f", selected by {select_by.replace('_', ' ')}" if row.selected and len(rows) > 1 else ""
        figures = [str(row.validation or "-"), loss, str(row.test or "-"), row.status + chosen]
        lines.append([*(as_text(row.settings[key]) for key in keys), *figures])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths[-1] = 0
    padded = ([word.rjust(width) for word, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join(map("  ".join, padded))
