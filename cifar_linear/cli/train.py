"""``cifar-linear train``: a config becomes a run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.command_lines import command
from cifar_linear.cli.options import (
    Output,
    config_source,
    data_dir_option,
    debug_option,
    example,
    name_option,
    output_options,
    resume_option,
    runs_dir_option,
    seeds_option,
    set_option,
)
from cifar_linear.cli.sweep_output import run_and_print
from cifar_linear.cli.train_output import EpochLines, out_of_memory, summary
from cifar_linear.errors import DivergedError, RunError
from cifar_linear.signals import SafeStop
from cifar_linear.wording import counted, duration

if TYPE_CHECKING:
    from cifar_linear.experiments.jobs import Job
    from cifar_linear.runs.folder import RunFolder


@click.command(
    short_help="Train a classifier, or continue a run.",
    epilog=example("train configs/quickstart.yaml -s epochs=20 -n mine -q"),
)
@config_source("The experiment, a YAML file; - for standard input. Also as an argument.")
@resume_option
@set_option
@data_dir_option
@runs_dir_option
@name_option("Name of the run, part of its folder's name.  [default: the config file's]")
@seeds_option
@click.option("--plan", is_flag=True, help="Print length, estimated time and what diagnose says; train nothing.")
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
    plan: bool,
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
    if plan:
        if config_path is None or seeds is not None:
            raise click.UsageError("--plan works for one new run: give CONFIG, without --resume or --seeds")
        _print_plan(config_path, overrides, data_dir, output.as_json)
    elif resume is not None:
        if any(option is not None for option in (config_path, name, seeds)):
            raise click.UsageError("--resume takes config and name from the run; leave out CONFIG, --name and --seeds")
        with continued_run(RunFolder(find_run(runs_dir, resume)), overrides, data_dir) as job:
            _train(job, data_dir, output)
    elif config_path is None:
        raise click.UsageError("CONFIG trains a new run, --resume RUN continues one; give one of them")
    elif seeds is None:
        _train(new_run(config_path, overrides, data_dir, runs_dir, name), data_dir, output)
    else:
        _repeat(config_path, overrides, data_dir, runs_dir, name, seeds, output)


def _print_plan(config_path: Path, overrides: Sequence[str], data_dir: Path | None, as_json: bool) -> None:
    """What is known of a run before it is trained."""
    from cifar_linear.cli.diagnose import plain, print_facts
    from cifar_linear.config.reading import read_config
    from cifar_linear.config.sweeps import Cell
    from cifar_linear.experiments.assembly import updates_of
    from cifar_linear.experiments.facts import facts_before
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.sweep.plan import estimate

    config = read_config(config_path, overrides)
    dataset = load_dataset(config, data_dir)
    updates = updates_of(config, -(-len(dataset.train) // config.n_batch))
    seconds, facts = estimate([Cell({}, config)], dataset), facts_before(config, dataset)
    if as_json:
        click.echo(json.dumps({"updates": updates, "seconds": seconds, "diagnosis": plain(facts)}, indent=2))
    else:
        click.echo(f"{counted(updates, 'update')}, about {duration(seconds)}")
        print_facts(facts, as_json=False)


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
    from cifar_linear.experiments.dataset_cache import DatasetCache
    from cifar_linear.experiments.jobs import chosen_name
    from cifar_linear.runs.folder import RunFolder

    sweep, images = sweep_over_seeds(config_path, overrides, seeds), DatasetCache(data_dir)
    images.of(sweep.cells[0].config)  # Without images no folder is made.
    path = RunFolder.create(runs_dir, chosen_name(name, config_path)).path
    run_and_print(sweep, path, images, output, with_test=True)


def _train(job: Job, data_dir: Path | None, output: Output) -> None:
    """Train one run, print the result and draw it."""
    from cifar_linear.cli.progress import Progress

    with Progress(job.config.length, output.quiet, job.config.unit) as progress, SafeStop() as stop:
        folder = job.open_folder()  # Not before a signal can be told to wait: a new folder is never left empty.
        again = command("train", resume=folder.path, data_dir=data_dir)
        try:
            record = job.train(folder, EpochLines(progress, output.quiet, job.config), stop.check)
        except KeyboardInterrupt:
            progress.say(f"stopped; the run up to its last evaluation is kept in {folder.path}")
            progress.say(f"to continue: {again}")
            raise
        except MemoryError as error:
            raise RunError(out_of_memory(error, folder, again)) from error
    try:
        if output.as_json:
            click.echo(json.dumps({"folder": str(folder.path), **record.to_tree()}, indent=2))
        else:
            click.echo(summary(record))
            click.echo(f"run folder: {folder.path}")
    finally:  # Also if stdout cannot be written: the report is a file.
        if not output.no_figures and record.epoch is not None:
            _draw(folder, output)
    if record.status == "diverged":
        raise DivergedError(record.error)


def _draw(folder: RunFolder, output: Output) -> None:
    """The figures and the report. Raises `RunError` if they cannot be written, which says that the run is safe."""
    from cifar_linear.report.collecting import collect
    from cifar_linear.report.writing import write_report

    try:
        write_report(collect([folder.path]), folder.path, output.form)
    except RunError as error:
        again = command("report", folder.path)
        raise RunError(f"{error}\n  the run itself is saved; to draw it again: {again}") from error
