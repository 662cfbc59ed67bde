"""``cifar-linear report``: figures, tables and sentences from run folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import PATH, debug_option, format_option, runs_dir_option

if TYPE_CHECKING:
    from cifar_linear.figures.style import Format


@click.command()
@click.argument("runs", nargs=-1, type=PATH, metavar="[RUN]...")
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="DIR",
    help="Where the report is written.  [default: the run's folder; report in a sweep's; for several runs, report]",
)
@runs_dir_option
@format_option
@click.option("--questions", type=PATH, metavar="FILE", help="Answer the questions of a YAML file with named runs.")
@click.option("--title", help="Heading of the report.  [default: the run's name, or how many there are]")
@click.option(
    "--ylim",
    type=(click.Choice(["cost", "accuracy"]), float, float),
    multiple=True,
    metavar="QUANTITY LOW HIGH",
    help="Ends of an axis, as in --ylim accuracy 0.9 1. May be repeated.",
)
@debug_option
def report(
    runs: tuple[Path, ...],
    output: Path | None,
    runs_dir: Path,
    form: Format,
    questions: Path | None,
    title: str | None,
    ylim: tuple[tuple[str, float, float], ...],
) -> None:
    """Draw one run, or lay several side by side, as report.md and a report.html that is one file.

    RUN is a run folder, the folder of a sweep, or a folder of run folders; without any, all runs of --runs-dir are
    reported.
    """
    from cifar_linear.config.questions import problem_of_limits, read_questions
    from cifar_linear.config.sweeps import read_sweep
    from cifar_linear.report.answers import write_answers
    from cifar_linear.report.collecting import collect
    from cifar_linear.report.writing import write_report
    from cifar_linear.runs.discovery import newest_runs
    from cifar_linear.runs.folder import SWEEP_FILE
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.reporting import report_on

    limits = {quantity: (low, high) for quantity, low, high in ylim}
    for quantity, ends in limits.items():
        if problem := problem_of_limits(quantity, ends):
            raise click.BadParameter(problem, param_hint="--ylim")
    if questions is not None:
        if runs or ylim or title is not None:
            raise click.UsageError(
                "--questions has runs, title and ylim in its file; leave out RUN, --title and --ylim"
            )
        find = partial(newest_runs, runs_dir)
        click.echo(f"report: {write_answers(read_questions(questions), find, output or Path('report'), form)}")
        return
    if len(runs) == 1 and (file := runs[0] / SWEEP_FILE).is_file():
        folder = SweepFolder(runs[0])
        click.echo(f"report: {report_on(folder, read_sweep(file), output, form, title, limits)}")
        return
    found = collect(runs or [runs_dir])
    for note in found.notes:
        click.echo(note, err=True)
    alone = found.runs[0].folder.path if len(found.runs) == 1 else Path("report")
    click.echo(f"report: {write_report(found, output or alone, form, title, limits)}")
