"""``cifar-linear report``: figures, tables and sentences from run folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import FOLDER, PATH, debug_option, example, format_option, runs_argument, runs_dir_option
from cifar_linear.cli.printing import printable
from cifar_linear.cli.terminal import as_unicode

if TYPE_CHECKING:
    from cifar_linear.figures.style import Format


@click.command(short_help="Report one run, or compare several.", epilog=example("report mine --ylim accuracy 0.2 1"))
@runs_argument
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    metavar="DIR",
    help="The folder of the report.  [default: the run's own; for a sweep, report in its folder; else report]",
)
@runs_dir_option
@format_option
@click.option(
    "--questions", type=PATH, metavar="FILE", help="Answer the questions in a YAML file with the runs that it names."
)
@click.option(
    "--title",
    callback=lambda _ctx, _parameter, value: value and as_unicode(value),
    help="Heading of the report.  [default: the run's name, or the number of runs]",
)
@click.option(
    "--ylim",
    type=(click.Choice(["cost", "accuracy"]), float, float),
    multiple=True,
    metavar="QUANTITY LOW HIGH",
    help="Limits of an axis, as in --ylim accuracy 0.9 1. May be repeated.",
)
@click.option("--pdf", is_flag=True, help="Write report.pdf as well, printed by Chromium or Chrome.")
@debug_option
def report(
    runs: tuple[str, ...],
    output: Path | None,
    runs_dir: Path,
    form: Format,
    questions: Path | None,
    title: str | None,
    ylim: tuple[tuple[str, float, float], ...],
    pdf: bool,
) -> None:
    """Report one run, or compare several, in report.md and in a report.html that is a single file.

    RUN is the path of a run, a sweep or a folder of runs, the name of a run or a sweep in --runs-dir, or last; without
    any, all runs of --runs-dir are reported.
    """
    from cifar_linear.report.collecting import collect
    from cifar_linear.report.writing import write_report
    from cifar_linear.runs.discovery import find, newest_runs
    from cifar_linear.runs.places import SWEEP_FILE

    limits = {quantity: (low, high) for quantity, low, high in ylim}
    if limits:
        from cifar_linear.config.questions import problem_of_limits
    for quantity, ends in limits.items():
        if problem := problem_of_limits(quantity, ends):
            raise click.BadParameter(problem, param_hint="--ylim")
    if questions is not None:
        if runs or ylim or title is not None:
            raise click.UsageError(
                "--questions has runs, title and ylim in its file; leave out RUN, --title and --ylim"
            )
        from cifar_linear.config.questions import read_questions
        from cifar_linear.report.answers import write_answers

        of_name = partial(newest_runs, runs_dir)
        page = write_answers(read_questions(questions), of_name, output or Path("report"), form)
        _announce(page, pdf)
        return
    paths = [find(runs_dir, run) for run in runs]
    if len(paths) == 1 and (file := paths[0] / SWEEP_FILE).is_file():
        from cifar_linear.config.sweeps import read_sweep
        from cifar_linear.sweep.folder import SweepFolder
        from cifar_linear.sweep.reporting import report_on

        folder = SweepFolder(paths[0])
        _announce(report_on(folder, read_sweep(file), output, form, title, limits), pdf)
        return
    found = collect(paths or [runs_dir])
    for note in found.notes:
        click.echo(printable(note), err=True)
    alone = found.runs[0].folder.path if len(found.runs) == 1 else Path("report")
    _announce(write_report(found, output or alone, form, title, limits), pdf)


def _announce(page: Path, pdf: bool) -> None:
    """Say where a report is, and print it if that is wanted."""
    from cifar_linear.report.pdf import print_page

    click.echo(f"report: {page}")
    if pdf:
        click.echo(f"report: {print_page(page)}")
