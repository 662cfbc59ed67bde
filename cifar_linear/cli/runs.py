"""``cifar-linear runs``: what has been trained."""

import json
from collections.abc import Callable
from typing import Any

import click

from cifar_linear.cli.options import debug_option, runs_dir_option

_Record = dict[str, Any]


def _accuracy(split: str) -> Callable[[_Record], float | None]:
    def of(record: _Record) -> float | None:
        figures = record["metrics"].get(split)
        return None if figures is None else figures["accuracy"]

    return of


_COLUMNS: dict[str, Callable[[_Record], Any]] = {
    "name": lambda record: record["name"],
    "status": lambda record: record["status"],
    "loss": lambda record: record["config"]["loss"],
    "lambda": lambda record: record["config"]["lambda"],
    "eta": lambda record: record["config"]["eta"],
    "validation": _accuracy("validation"),
    "test": _accuracy("test"),
    "seconds": lambda record: record["seconds"],
}


@click.command()
@runs_dir_option
@click.option(
    "--sort",
    type=click.Choice(list(_COLUMNS)),
    default="name",
    show_default=True,
    help="By which column; accuracies and times from the highest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
def runs(runs_dir: Any, sort: str, as_json: bool) -> None:
    """List the runs of a folder: status, settings, accuracies, time."""
    from cifar_linear.errors import RunError
    from cifar_linear.runs import RunFolder, run_folders

    table = []
    for path in run_folders(runs_dir):
        try:
            record = {**RunFolder(path).read_record(), "name": path.name}
            table.append({name: column(record) for name, column in _COLUMNS.items()})
        except (RunError, KeyError, TypeError) as error:
            click.echo(f"left out: {path}: {error}", err=True)
    falling = sort in ("validation", "test", "seconds")
    table.sort(key=lambda row: (row[sort] is None, -(row[sort] or 0) if falling else row[sort]))
    if as_json:
        click.echo(json.dumps(table, indent=2))
        return
    width = max([len(row["name"]) for row in table], default=4)
    settings = f"{'status':12}{'loss':12}{'lambda':>8}{'eta':>8}"
    click.echo(f"{'name':{width}}  {settings}{'validation':>12}{'test':>9}{'seconds':>9}")
    for row in table:
        accuracies = f"{_percent(row['validation']):>12}{_percent(row['test']):>9}"
        settings = f"{row['loss']:12}{row['lambda']:8g}{row['eta']:8g}"
        click.echo(f"{row['name']:{width}}  {row['status']:12}{settings}{accuracies}{row['seconds']:9.1f}")


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
