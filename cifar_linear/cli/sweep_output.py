"""Running a sweep with what it prints: lines on the way, the table, the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cifar_linear.cli.command_lines import command
from cifar_linear.cli.options import Output
from cifar_linear.errors import ConfigError, DivergedError, RunError
from cifar_linear.signals import SafeStop
from cifar_linear.wording import counted

if TYPE_CHECKING:
    from cifar_linear.cli.progress import Progress
    from cifar_linear.config.sweeps import Sweep
    from cifar_linear.experiments.dataset_cache import DatasetCache
    from cifar_linear.sweep.executors import Executor
    from cifar_linear.sweep.groups import Cells
    from cifar_linear.sweep.shards import Shard
    from cifar_linear.sweep.table import Row
    from cifar_linear.sweep.tasks import Outcome
    from cifar_linear.training.evaluation import Evaluation


class ClusterOptions(NamedTuple):
    """Which dask cluster trains a sweep, as options of the command line."""

    scheduler: str
    insecure: bool


class Conclusion(NamedTuple):
    """What is said of the selected setting, after the table: keys of the JSON document, or lines.

    As text the table has ``most_rows`` rows at most.
    """

    tree: Mapping[str, Any]
    lines: Sequence[str]
    most_rows: int | None = None


def run_and_print(
    sweep: Sweep,
    path: Path,
    images: DatasetCache,
    output: Output,
    workers: int | None = None,
    cluster: ClusterOptions | None = None,
    shard: Shard | None = None,
    retry_failed: bool = False,
    with_test: bool = False,
    conclude: Callable[[Row], Conclusion] | None = None,
) -> None:
    """Run a sweep, print its table and draw its report.

    Args:
        sweep: its cells.
        path: its folder.
        images: where the images come from.
        output: what is printed and drawn.
        workers: processes that train groups at once; None for one, or all cores of a local cluster.
        cluster: the dask cluster that trains; None for none.
        shard: the share of this process, of several that train the sweep together; None for all.
        retry_failed: train cells again that failed.
        with_test: evaluate all settings on the test set.
        conclude: called with the selected setting, before anything is printed.
    """
    from cifar_linear.cli.progress import Progress
    from cifar_linear.runs.places import SWEEP_FILE
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.run import SweepListener, run_sweep

    # The sweep's own file, since the one that was given may have been standard input, or be another by now.
    where = {"config": path / SWEEP_FILE, "runs_dir": path.parent, "name": path.name, "data_dir": images.data_dir}
    how = {"workers": workers, "shard": shard, "with_test": with_test, **(cluster._asdict() if cluster else {})}
    again = command("sweep", **where, **how)
    total = sum(cell.config.length for cell in sweep.cells)
    with Progress(total, output.quiet, sweep.cells[0].config.unit) as progress, SafeStop() as stop:
        lines = _GroupLines(progress, output.quiet, len(sweep.cells))
        listener = SweepListener(lines.planned, lines.watch, lines.ended, stop.check)
        try:
            rows = run_sweep(
                sweep,
                SweepFolder(path),
                images,
                listener,
                several=_several(workers, cluster, sweep, path, images, progress.say),
                shard=shard,
                retry_failed=retry_failed,
                with_test=with_test,
            )
        except KeyboardInterrupt:
            progress.say(f"stopped; what has been done is kept in {path}, the folder of a sweep. To continue: {again}")
            raise
    left = sum(not row.complete for row in rows) if (others := SweepFolder(path).others()) else 0
    conclusion = conclude(rows[0]) if conclude and rows[0].selected else Conclusion({}, [])
    try:
        _print_table(rows, sweep, path, output, conclusion)
    finally:  # Also if stdout cannot be written: the report is a file.
        if not output.no_figures and any(row.folders for row in rows) and not left:
            _draw(sweep, path, output)
    if left and not output.quiet:
        click.echo(f"{_at_work(others)} on what is left; the last one evaluates on the test set", err=True)
    if failed := sum(row.failed for row in rows):
        raise RunError(
            f"{path}: {counted(failed, 'cell')} failed, the reasons are in their run.json. "
            f"To train them again: {again} --retry-failed"
        )
    if lines.failures:
        raise RunError(f"{path}: {counted(lines.failures, 'group')} did not finish. To continue: {again}")
    if all(row.status == "diverged" for row in rows):
        raise DivergedError(f"{path}: every cell diverged; try lower values of eta")


def _several(
    workers: int | None,
    cluster: ClusterOptions | None,
    sweep: Sweep,
    path: Path,
    images: DatasetCache,
    say: Callable[[str], None],
) -> AbstractContextManager[Executor] | None:
    """What trains several groups at once, if that is asked for."""
    from cifar_linear.sweep.workers import Workers
    from cifar_linear.training.threads import cores

    if cluster is None:
        return closing(Workers(workers)) if workers and workers > 1 else None
    try:
        from cifar_linear.sweep.cluster import on_cluster
    except ImportError as error:
        raise ConfigError("--scheduler needs dask.distributed: pip install 'cifar-linear[cluster]'") from error
    from cifar_linear.sweep.image_files import needed

    files = needed((cell.config for cell in sweep.cells), images.data_dir)
    return on_cluster(cluster.scheduler, workers or cores(), cluster.insecure, path, files, say)


def _print_table(rows: Sequence[Row], sweep: Sweep, path: Path, output: Output, conclusion: Conclusion) -> None:
    from cifar_linear.sweep.table import as_lines

    if output.as_json:
        document = {"folder": str(path), "rows": [row.to_tree() for row in rows], **conclusion.tree}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo("\n".join(as_lines(rows, sweep.select_by, conclusion.most_rows)))
        click.echo("\n".join([*conclusion.lines, f"sweep folder: {path}"]))


def _draw(sweep: Sweep, path: Path, output: Output) -> None:
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.reporting import report_on

    page = report_on(SweepFolder(path), sweep, None, output.form)
    if not output.as_json:
        click.echo(f"report: {page}")


class _GroupLines:
    """What happens in a sweep, as lines and as a bar."""

    def __init__(self, progress: Progress, quiet: bool, cells: int) -> None:
        self._progress, self._quiet, self._cells = progress, quiet, cells
        self._groups: Sequence[Cells] = ()
        self._done = 0
        self._length = 0
        self._started = perf_counter()
        self.failures = 0

    def planned(self, groups: Sequence[Cells], others: Sequence[str]) -> None:
        self._groups = groups
        if others:
            self._progress.say(f"{_at_work(others)} on this sweep as well")
        there = self._cells - sum(map(len, groups))
        if there and not self._quiet:
            self._progress.say(f"{there} of {self._cells} cells are already done")

    def watch(self, evaluation: Evaluation) -> None:
        runs = len(evaluation.valid)
        text = f"group {self._done + 1}/{len(self._groups)}, {counted(runs, 'run')}"
        unit = self._groups[self._done][0].config.unit
        self._progress.show(self._length + runs * evaluation.reached(unit), text)

    def ended(self, cells: Cells, outcome: Outcome) -> None:
        self._done += 1
        self._length += len(cells) * cells[0].config.length
        group = f"group {self._done}/{len(self._groups)}"
        self._progress.show(self._length, group)
        runs, where = counted(len(cells), "run"), f" on {outcome.where}" if outcome.where else ""
        if outcome.kind == "failed":
            self.failures += 1
            self._progress.say(f"{group}: {runs} failed{where}: {outcome.text}")
        elif not self._quiet:
            seconds = perf_counter() - self._started
            done = "done elsewhere" if outcome.kind == "there" else "done"
            self._progress.say(f"{group}: {runs} {done}{where}, {seconds:.1f} s since the start")


def _at_work(others: Sequence[str]) -> str:
    return f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} at work"
