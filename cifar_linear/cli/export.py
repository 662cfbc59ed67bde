"""``cifar-linear export``: runs in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import FOLDER, debug_option, example, runs_argument, runs_dir_option
from cifar_linear.cli.printing import printable

if TYPE_CHECKING:
    from cifar_linear.exports.writing import ExportFormat


@click.command(short_help="Export runs for other programs.", epilog=example("export csv mine"))
@click.argument("form", type=click.Choice(["onnx", "safetensors", "tensorboard", "csv"]), metavar="FORMAT")
@runs_argument
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    default="export",
    show_default=True,
    metavar="DIR",
    help="The folder that is written into.",
)
@runs_dir_option
@debug_option
def export(form: ExportFormat, runs: tuple[str, ...], output: Path, runs_dir: Path) -> None:
    """Write runs in the format of another program.

    FORMAT is onnx or safetensors, the weights, a file for each run; tensorboard, the metrics, a folder of events for
    each run; or csv, the metrics of all runs in one table. With early stopping the weights are the best ones.

    RUN is the path of a run or of a folder of runs, the name of a run or a sweep in --runs-dir, or last; without any,
    all runs of --runs-dir are exported.
    """
    from cifar_linear.exports.writing import export as write
    from cifar_linear.report.collecting import collect
    from cifar_linear.runs.discovery import find

    found = collect([find(runs_dir, run) for run in runs] or [runs_dir])
    for note in found.notes:
        click.echo(printable(note), err=True)
    for path in write(form, found.runs, output):
        click.echo(printable(str(path)))
