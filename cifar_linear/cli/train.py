"""``cifar-linear train``: a config becomes a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.again import command
from cifar_linear.cli.options import (
    Output,
    config_source,
    data_dir_option,
    debug_option,
    name_option,
    output_options,
    resume_option,
    runs_dir_option,
    seeds_option,
    set_option,
)
from cifar_linear.cli.sweep import run_and_print
from cifar_linear.cli.terminal import counted, percent
from cifar_linear.errors import CifarLinearError, DivergedError, RunError, not_enough_memory
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.cli.progress import Progress
    from cifar_linear.data.dataset import SplitName
    from cifar_linear.experiments.jobs import Job
    from cifar_linear.runs.folder import RunFolder
    from cifar_linear.runs.record import Record, SplitMetrics
    from cifar_linear.training.evaluation import Evaluation


@click.command(short_help="Train a classifier, or continue a run.")
@config_source("The experiment, a YAML file; - for standard input. Also as an argument.")
@resume_option
@set_option
@data_dir_option
@runs_dir_option
@name_option("Name of the run, part of its folder's name.  [default: the config file's]")
@seeds_option
@click.option("--float64", is_flag=True, help="Compute in double precision, like --set dtype=float64.")
@output_options("Print run.json and the folder's path as JSON; with --seeds a table.")
@debug_option
def train(
    config_path: Path | None,
    resume: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    seeds: int | None,
    float64: bool,
    output: Output,
) -> None:
    """Train one classifier and write its run folder, or continue a run that was stopped.

    CONFIG is a YAML file; `cifar-linear config new` writes one to begin with.
    """
    from cifar_linear.experiments.jobs import continued_run, new_run
    from cifar_linear.runs.discovery import find_run
    from cifar_linear.runs.folder import RunFolder

    overrides = (*overrides, "dtype=float64") if float64 else overrides
    if resume is not None:
        if any(option is not None for option in (config_path, name, seeds)):
            raise click.UsageError("--resume has config and name from the run; leave out CONFIG, --name and --seeds")
        with continued_run(RunFolder(find_run(runs_dir, resume)), overrides, data_dir) as job:
            _train(job, data_dir, output)
    elif config_path is None:
        raise click.UsageError("CONFIG trains a new run, --resume RUN continues one; give one of them")
    elif seeds is None:
        _train(new_run(config_path, overrides, data_dir, runs_dir, name), data_dir, output)
    else:
        _repeat(config_path, overrides, data_dir, runs_dir, name, seeds, output)


def _repeat(
    config_path: Path,
    overrides: Sequence[str],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    seeds: int,
    output: Output,
) -> None:
    """The same with several seeds: a sweep over nothing else."""
    from cifar_linear.config.sweeps import sweep_over_seeds
    from cifar_linear.experiments.jobs import chosen_name
    from cifar_linear.runs.folder import RunFolder
    from cifar_linear.sweep.groups import DatasetCache

    sweep, images = sweep_over_seeds(config_path, overrides, seeds), DatasetCache(data_dir)
    images.of(sweep.cells[0].config)  # Without images no folder is made.
    path = RunFolder.create(runs_dir, chosen_name(name, config_path)).path
    run_and_print(sweep, path, images, output, with_test=True)


def _train(job: Job, data_dir: Path | None, output: Output) -> None:
    """Train one run, print the result and draw it."""
    from cifar_linear.cli.progress import Progress

    with Progress(job.config.epochs, output.quiet) as progress, SafeStop() as stop:
        folder = job.open_folder()  # Not before a signal can be told to wait: a new folder is never left empty.
        again = command("train", resume=folder.path, data_dir=data_dir)
        try:
            record = job.train(folder, _EpochLines(progress, output.quiet, job.config.epochs), stop.check)
        except KeyboardInterrupt:
            progress.say(f"stopped; the run up to its last evaluation is kept in {folder.path}")
            progress.say(f"to go on: {again}")
            raise
        except MemoryError as error:
            raise RunError(_out_of_memory(error, folder, again)) from error
    if output.as_json:
        click.echo(json.dumps({"folder": str(folder.path), **record.to_tree()}, indent=2))
    else:
        click.echo(_summary(record))
        click.echo(f"run folder: {folder.path}")
    if not output.no_figures and record.epoch is not None:
        _draw(folder, output)
    if record.status == "diverged":
        raise DivergedError(record.error)


class _EpochLines:
    """Shows each evaluation: on the bar, or where there is none as a line for each epoch."""

    def __init__(self, progress: Progress, quiet: bool, epochs: int) -> None:
        self._progress, self._quiet, self._epochs = progress, quiet, epochs
        self._printed = set[int]()

    def __call__(self, evaluation: Evaluation) -> None:
        cost, accuracy = evaluation.train.cost[0], evaluation.validation.accuracy[0]
        text = f"training cost {cost:.4f}, validation accuracy {percent(accuracy)}"
        epoch = evaluation.epoch
        if not self._progress.show(epoch, text) and not self._quiet and epoch not in self._printed:
            self._printed.add(epoch)
            self._progress.say(f"epoch {epoch:3d}/{self._epochs}: {text}")


def _out_of_memory(error: MemoryError, folder: RunFolder, again: str) -> str:
    """What is left of a run that memory did not suffice for, and how it goes on."""
    trained = False
    with suppress(CifarLinearError):
        trained = folder.read_record().status == "finished"
    what = "the run is trained, but not evaluated on the test set: " if trained else ""
    return f"{folder.path}: {what}{not_enough_memory(error)}. To go on: {again}"


def _draw(folder: RunFolder, output: Output) -> None:
    """The figures and the report. Raises `RunError` if they cannot be written, with the word that the run is safe."""
    from cifar_linear.report.collecting import collect
    from cifar_linear.report.writing import write_report

    try:
        write_report(collect([folder.path]), folder.path, output.form)
    except RunError as error:
        again = command("report", folder.path)
        raise RunError(f"{error}\n  the run itself is saved; to draw it again: {again}") from error


def _summary(record: Record) -> str:
    """The table of final metrics."""
    lines = [f"{'':10}{'images':>10}{'loss':>10}{'cost':>10}{'accuracy':>11}", *_lines(record, record.metrics)]
    if record.best:
        lines += [f"best weights, after epoch {record.best.epoch}:", *_lines(record, record.best.metrics)]
    if record.data.synthetic:
        lines.append("data: synthetic, generated images; these metrics say nothing about CIFAR-10")
    if record.stopped_early and record.config.early_stopping:
        lines.append(f"stopped early: {record.config.early_stopping.patience} evaluations without a new minimum")
    return "\n".join([*lines, f"{record.status} after {counted(record.epoch or 0, 'epoch')} in {record.seconds:.1f} s"])


def _lines(record: Record, metrics: Mapping[SplitName, SplitMetrics]) -> Iterator[str]:
    for split, of in metrics.items():
        row = f"{_nats(of.loss):>9} {_nats(of.cost):>9} {percent(of.accuracy):>10}"
        yield f"{split:10} {record.data.images[split]:9d} {row}"


def _nats(value: float) -> str:
    return f"{value:.4f}" if value < 1e4 else f"{value:.2e}"
