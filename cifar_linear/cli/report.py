"""``cifar-linear report``: figures, tables and sentences from run folders."""

from __future__ import annotations

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
@debug_option
def report(runs: tuple[Path, ...], output: Path | None, runs_dir: Path, form: Format) -> None:
    """Draw one run, or lay several side by side, as report.md and a report.html that is one file.

    RUN is a run folder, the folder of a sweep, or a folder of run folders; without any, all runs of --runs-dir are
    reported.
    """
    from cifar_linear.config.sweeps import read_sweep
    from cifar_linear.report.collecting import collect
    from cifar_linear.report.writing import write_report
    from cifar_linear.runs import SWEEP_FILE
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.reporting import report_on

    if len(runs) == 1 and (file := runs[0] / SWEEP_FILE).is_file():
        folder = SweepFolder(runs[0])
        click.echo(f"report: {report_on(folder, read_sweep(file), output or runs[0] / 'report', form)}")
        return
    found = collect(runs or [runs_dir])
    for note in found.notes:
        click.echo(note, err=True)
    alone = found.runs[0].folder.path if len(found.runs) == 1 else Path("report")
    click.echo(f"report: {write_report(found, output or alone, form)}")
