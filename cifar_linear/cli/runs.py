"""``cifar-linear runs``: what has been trained."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import debug_option, example, runs_dir_option
from cifar_linear.cli.printing import printable
from cifar_linear.wording import percent

if TYPE_CHECKING:
    from cifar_linear.runs.listing import Summary

_KEYS = ("name", "status", "created", "loss", "lambda", "eta", "validation", "test", "seconds")
_STATUSES = ("running", "killed", "interrupted", "finished", "diverged", "failed")


@click.command(short_help="List runs and sweeps.", epilog=example("runs --limit 5"))
@runs_dir_option
@click.option(
    "--sort",
    type=click.Choice(_KEYS),
    default="name",
    show_default=True,
    help="By which column; dates, accuracies and times from the highest.",
)
@click.option("--status", "statuses", type=click.Choice(_STATUSES), multiple=True, help="Only runs with this status.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N lines.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@debug_option
def runs(runs_dir: Path, sort: str, statuses: tuple[str, ...], limit: int | None, as_json: bool, as_csv: bool) -> None:
    """List the runs of a folder with status, settings, accuracies and time, and a line for each sweep.

    The runs of a sweep are listed with --runs-dir and its folder. Dates are in local time; in JSON and CSV they are in
    UTC, and accuracies are fractions.
    """
    from cifar_linear.sweep.listing import list_all

    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of one list; leave out one of them")
    rows, notes = list_all(runs_dir, sort, statuses, limit)
    for note in notes:
        click.echo(printable(note), err=True)
    if as_json:
        click.echo(json.dumps([row.by_column() for row in rows], indent=2))
    elif as_csv:
        click.echo(_as_csv(rows), nl=False)
    else:
        _print_table(rows)


def _as_csv(rows: Sequence[Summary]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["kind", *_KEYS], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row.by_column(), "name": printable(row.name)} for row in rows)
    return text.getvalue()


def _print_table(rows: Sequence[Summary]) -> None:
    names = [printable(row.name) for row in rows]
    width = max(map(len, names), default=4)
    states = max([len(row.status) for row in rows] + [10]) + 2
    head = f"{'status':{states}}{'created':18}{'loss':12}{'lambda':>8}{'eta':>8}"
    click.echo(f"{'name':{width}}  {head}{'validation':>12}{'test':>9}{'seconds':>9}")
    for row, name in zip(rows, names, strict=True):
        settings = (
            f"{row.status:{states}}{_date(row.created):18}{row.loss or '-':12}{_number(row.lam)}{_number(row.eta)}"
        )
        accuracies = f"{percent(row.validation):>12}{percent(row.test):>9}"
        click.echo(f"{name:{width}}  {settings}{accuracies}{row.seconds:9.1f}")


def _number(value: float | None) -> str:
    return f"{'-':>8}" if value is None else f"{value:8g}"


def _date(created: str | None) -> str:
    """In local time, to the minute; what is not a date is left as it is."""
    try:
        return f"{datetime.fromisoformat(created or '').astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        return printable(created or "-")[:16]
