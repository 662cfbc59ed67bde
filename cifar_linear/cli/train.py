"""``cifar-linear train``: a config becomes a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import (
    config_option,
    data_dir_option,
    debug_option,
    format_option,
    no_figures_option,
    quiet_option,
    runs_dir_option,
    seeds_option,
    set_option,
)
from cifar_linear.cli.sweep import sweep_and_tell
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName
    from cifar_linear.figures.style import Format
    from cifar_linear.records import Figures, Record
    from cifar_linear.training import Evaluation


@click.command()
@config_option(required=True)
@set_option
@data_dir_option
@runs_dir_option
@click.option("--name", help="Name of the run, part of its folder's name.  [default: the config file's]")
@seeds_option
@click.option("--float64", is_flag=True, help="Compute in double precision, like --set dtype=float64.")
@no_figures_option
@format_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print run.json and the folder's path as JSON; with --seeds a table."
)
@quiet_option
@debug_option
def train(
    config_path: Path,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    seeds: int | None,
    float64: bool,
    no_figures: bool,
    form: Format,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train one classifier and write its run folder."""
    from cifar_linear.cli.progress import Progress
    from cifar_linear.config.reading import read_config
    from cifar_linear.config.sweeps import sweep_over_seeds
    from cifar_linear.errors import DivergedError
    from cifar_linear.experiment import run_group
    from cifar_linear.runs import SWEEP_FILE, RunFolder, checked_name, name_from
    from cifar_linear.unpacking import load_dataset

    overrides = (*overrides, "dtype=float64") if float64 else overrides
    config = read_config(config_path, overrides)
    name = checked_name(name) if name is not None else name_from(config_path)
    dataset = load_dataset(config, data_dir)
    if seeds is not None:
        sweep = sweep_over_seeds(config_path, overrides, seeds)
        path = RunFolder.create(runs_dir, name).path
        again = f"cifar-linear sweep --config {path / SWEEP_FILE} --runs-dir {runs_dir} --name {path.name} --with-test"
        sweep_and_tell(sweep, path, data_dir, form, quiet, as_json, no_figures, again, with_test=True)
        return
    with Progress(config.epochs, quiet) as progress, SafeStop() as stop:

        def watch(evaluation: Evaluation) -> None:
            train_cost, accuracy = evaluation.train.cost[0], evaluation.validation.accuracy[0]
            text = f"training cost {train_cost:.4f}, validation accuracy {100 * accuracy:.2f} %"
            if not progress.show(evaluation.epoch, text) and not quiet:
                progress.say(f"epoch {evaluation.epoch:3d}/{config.epochs}: {text}")

        folder = RunFolder.create(runs_dir, name)
        try:
            (record,) = run_group([config], [folder], dataset, watch, stop.check)
        except KeyboardInterrupt:
            progress.say(f"stopped; the run up to its last evaluation is kept in {folder.path}")
            raise
    if as_json:
        click.echo(json.dumps({"folder": str(folder.path), **record.to_tree()}, indent=2))
    else:
        click.echo(_summary(record))
        click.echo(f"run folder: {folder.path}")
    if not no_figures and record.epoch is not None:
        from cifar_linear.report.collecting import collect
        from cifar_linear.report.writing import write_report

        write_report(collect([folder.path]), folder.path, form)
    if record.status == "diverged":
        raise DivergedError(record.error)


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


def _lines(record: Record, metrics: Mapping[SplitName, Figures]) -> Iterator[str]:
    for split, of in metrics.items():
        figures = f"{_nats(of.loss):>9} {_nats(of.cost):>9} {100 * of.accuracy:8.2f} %"
        yield f"{split:10} {record.data.images[split]:9d} {figures}"


def _nats(value: float) -> str:
    return f"{value:.4f}" if value < 1e4 else f"{value:.2e}"
