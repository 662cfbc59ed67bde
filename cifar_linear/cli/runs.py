"""``cifar-linear runs``: what has been trained."""

import json
from pathlib import Path

import click

from cifar_linear.cli.options import debug_option, runs_dir_option
from cifar_linear.cli.printing import printable

_KEYS = ("name", "status", "loss", "lambda", "eta", "validation", "test", "seconds")


@click.command()
@runs_dir_option
@click.option(
    "--sort",
    type=click.Choice(_KEYS),
    default="name",
    show_default=True,
    help="By which column; accuracies and times from the highest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
def runs(runs_dir: Path, sort: str, as_json: bool) -> None:
    """List the runs of a folder: status, settings, accuracies, time."""
    from cifar_linear.runs.listing import list_runs

    table, notes = list_runs(runs_dir, sort)
    for note in notes:
        click.echo(printable(note), err=True)
    if as_json:
        click.echo(json.dumps([row.by_column() for row in table], indent=2))
        return
    names = [printable(row.name) for row in table]
    width = max(map(len, names), default=4)
    settings = f"{'status':12}{'loss':12}{'lambda':>8}{'eta':>8}"
    click.echo(f"{'name':{width}}  {settings}{'validation':>12}{'test':>9}{'seconds':>9}")
    for name, row in zip(names, table, strict=True):
        settings = f"{row.status:12}{row.loss:12}{row.lam:8g}{row.eta:8g}"
        accuracies = f"{_percent(row.validation):>12}{_percent(row.test):>9}"
        click.echo(f"{name:{width}}  {settings}{accuracies}{row.seconds:9.1f}")


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
