"""``cifar-linear train``: a config becomes a run folder."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import (
    PATH,
    Output,
    config_option,
    data_dir_option,
    debug_option,
    output_options,
    runs_dir_option,
    seeds_option,
    set_option,
)
from cifar_linear.cli.sweep import sweep_and_tell
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.config.models import Config
    from cifar_linear.data.dataset import SplitName
    from cifar_linear.experiments.run import Watch
    from cifar_linear.figures.style import Format
    from cifar_linear.runs.folder import RunFolder
    from cifar_linear.runs.record import Record, SplitMetrics
    from cifar_linear.training.evaluation import Evaluation


@click.command()
@config_option(required=False)
@click.option(
    "--resume", type=PATH, metavar="RUN", help="Go on with a run that was stopped; --set epochs=N lengthens it."
)
@set_option
@data_dir_option
@runs_dir_option
@click.option("--name", help="Name of the run, part of its folder's name.  [default: the config file's]")
@seeds_option
@click.option("--float64", is_flag=True, help="Compute in double precision, like --set dtype=float64.")
@output_options("Print run.json and the folder's path as JSON; with --seeds a table.")
@debug_option
def train(
    config_path: Path | None,
    resume: Path | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    seeds: int | None,
    float64: bool,
    output: Output,
) -> None:
    """Train one classifier and write its run folder, or go on with one."""
    overrides = (*overrides, "dtype=float64") if float64 else overrides
    if resume is not None:
        if any(option is not None for option in (config_path, name, seeds)):
            raise click.UsageError("--resume has config and name from the run; leave out --config, --name and --seeds")
        _go_on(resume, overrides, data_dir, output)
    elif config_path is None:
        raise click.UsageError("--config FILE trains a new run, --resume RUN goes on with one; give one of them")
    elif seeds is None:
        _begin(config_path, overrides, data_dir, runs_dir, name, output)
    else:
        _repeat(config_path, overrides, data_dir, runs_dir, name, seeds, output)


def _begin(
    config_path: Path,
    overrides: Sequence[str],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    output: Output,
) -> None:
    """A new run."""
    from cifar_linear.config.reading import read_config
    from cifar_linear.experiments.assembly import load_dataset
    from cifar_linear.experiments.run import run_group
    from cifar_linear.runs.folder import RunFolder, checked_name, name_from

    config = read_config(config_path, overrides)
    name = checked_name(name) if name is not None else name_from(config_path)
    dataset = load_dataset(config, data_dir)

    def run(folder: RunFolder, watch: Watch, check: Callable[[], None]) -> Record:
        (record,) = run_group([config], [folder], dataset, watch, check)
        return record

    _train_and_tell(config, lambda: RunFolder.create(runs_dir, name), run, data_dir, output)


def _go_on(resume: Path, overrides: Sequence[str], data_dir: Path | None, output: Output) -> None:
    """A run that was stopped."""
    from cifar_linear.experiments.assembly import load_dataset
    from cifar_linear.experiments.resume import resume_run, resumed_config
    from cifar_linear.runs.folder import RunFolder

    folder = RunFolder(resume)
    folder.read_record()  # What is no run shall be told so before anything is written there.
    with folder.locked():
        config = resumed_config(folder, overrides)
        dataset = load_dataset(config, data_dir)

        def run(folder: RunFolder, watch: Watch, check: Callable[[], None]) -> Record:
            return resume_run(folder, config, dataset, watch, check)

        _train_and_tell(config, lambda: folder, run, data_dir, output)


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
    from cifar_linear.runs.folder import SWEEP_FILE, RunFolder, checked_name, name_from
    from cifar_linear.sweep.groups import DatasetCache

    sweep, images = sweep_over_seeds(config_path, overrides, seeds), DatasetCache(data_dir)
    images.of(sweep.cells[0].config)  # Without images there shall be no folder.
    path = RunFolder.create(runs_dir, checked_name(name) if name is not None else name_from(config_path)).path
    again = f"cifar-linear sweep --config {path / SWEEP_FILE} --runs-dir {runs_dir} --name {path.name} --with-test"
    sweep_and_tell(sweep, path, images, output, again, with_test=True)


def _train_and_tell(
    config: Config,
    folder_of: Callable[[], RunFolder],
    run: Callable[[RunFolder, Watch, Callable[[], None]], Record],
    data_dir: Path | None,
    output: Output,
) -> None:
    """Train one run, print what came of it and draw it."""
    from cifar_linear.cli.progress import Progress
    from cifar_linear.errors import DivergedError

    told = set[int]()
    with Progress(config.epochs, output.quiet) as progress, SafeStop() as stop:

        def watch(evaluation: Evaluation) -> None:
            train_cost, accuracy = evaluation.train.cost[0], evaluation.validation.accuracy[0]
            text = f"training cost {train_cost:.4f}, validation accuracy {100 * accuracy:.2f} %"
            if not progress.show(evaluation.epoch, text) and not output.quiet and evaluation.epoch not in told:
                told.add(evaluation.epoch)
                progress.say(f"epoch {evaluation.epoch:3d}/{config.epochs}: {text}")

        folder = folder_of()  # Not before a signal can be told to wait: a new folder is never left empty.
        try:
            record = run(folder, watch, stop.check)
        except KeyboardInterrupt:
            progress.say(f"stopped; the run up to its last evaluation is kept in {folder.path}")
            again = ["cifar-linear", "train", "--resume", str(folder.path)]
            again += ["--data-dir", str(data_dir)] if data_dir else []
            progress.say(f"to go on: {shlex.join(again)}")
            raise
    if output.as_json:
        click.echo(json.dumps({"folder": str(folder.path), **record.to_tree()}, indent=2))
    else:
        click.echo(_summary(record))
        click.echo(f"run folder: {folder.path}")
    if not output.no_figures and record.epoch is not None:
        _draw(folder, output.form)
    if record.status == "diverged":
        raise DivergedError(record.error)


def _draw(folder: RunFolder, form: Format) -> None:
    """Write the report of a run that was trained."""
    from cifar_linear.errors import RunError
    from cifar_linear.report.collecting import collect
    from cifar_linear.report.writing import write_report

    try:
        write_report(collect([folder.path]), folder.path, form)
    except RunError as error:
        again = shlex.join(["cifar-linear", "report", str(folder.path)])
        raise RunError(f"{error}\n  the run itself is saved; to draw it again: {again}") from error


def _summary(record: Record) -> str:
    """The table of final metrics."""
    lines = [f"{'':10}{'images':>10}{'loss':>10}{'cost':>10}{'accuracy':>11}", *_lines(record, record.metrics)]
    if record.best:
        lines += [f"best weights, after epoch {record.best.epoch}:", *_lines(record, record.best.metrics)]
    if record.data.synthetic:
        lines.append("data: synthetic, generated images; these figures say nothing about CIFAR-10")
    if record.stopped_early and record.config.early_stopping:
        lines.append(f"stopped early: {record.config.early_stopping.patience} evaluations without a new minimum")
    return "\n".join([*lines, f"{record.status} after {record.epoch} epochs in {record.seconds:.1f} s"])


def _lines(record: Record, metrics: Mapping[SplitName, SplitMetrics]) -> Iterator[str]:
    for split, of in metrics.items():
        figures = f"{_nats(of.loss):>9} {_nats(of.cost):>9} {100 * of.accuracy:8.2f} %"
        yield f"{split:10} {record.data.images[split]:9d} {figures}"


def _nats(value: float) -> str:
    return f"{value:.4f}" if value < 1e4 else f"{value:.2e}"
