"""What `watch` shows: a snapshot as lines of text, and a screen on which they are renewed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from cifar_linear.cli.braille import curve
from cifar_linear.cli.printing import printable
from cifar_linear.cli.terminal import can_print
from cifar_linear.wording import counted, duration, percent

if TYPE_CHECKING:
    from cifar_linear.sweep.watching import Seen, Snapshot

_ORDER = ("finished", "diverged", "failed", "running", "killed", "interrupted", "waiting")
_MOST_CURVES = 4
_CURVE = 40
_MOST_NOTES = 3


def lines(snapshot: Snapshot) -> Iterator[str]:
    """A snapshot as text: counts, progress, speed, the best run, and curves of the validation loss."""
    yield f"{snapshot.path}"
    yield f"  {_counts(snapshot)}"
    if snapshot.runs:
        yield f"  {100 * snapshot.progress:.0f} % done{_rest(snapshot)}"
    if snapshot.speed is not None:
        yield f"  {_speed(snapshot.speed, snapshot.unit)}"
    for dataset, run in snapshot.best.items():
        where = f" on {dataset}" if len(snapshot.best) > 1 else ""
        yield f"  best so far{where}: {percent(run.accuracy)}, loss {run.loss:.4f}: {run.label}"
    for run in _with_curves(snapshot):
        yield from _curve_lines(run, snapshot.unit)
    yield from (f"  {note}" for note in snapshot.notes[:_MOST_NOTES])
    if more := len(snapshot.notes) - _MOST_NOTES:
        yield from [f"  and {more} more that cannot be read"] * (more > 0)


def tree(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values for JSON."""
    return {
        "folder": str(snapshot.path),
        "cells": snapshot.cells,
        **{status: snapshot.counts.get(status, 0) for status in _ORDER},
        "progress": snapshot.progress,
        f"{snapshot.unit}s_per_second": snapshot.speed,
        "seconds_left": snapshot.rest,
        "best": {dataset: run.label for dataset, run in snapshot.best.items()},
        "runs": [{**run._asdict(), "curve": list(run.curve)} for run in snapshot.runs],
        "notes": list(snapshot.notes),
    }


def _counts(snapshot: Snapshot) -> str:
    what = "cell" if snapshot.kind == "sweep" else "run"
    counts = [f"{snapshot.counts[status]} {status}" for status in _ORDER if snapshot.counts.get(status)]
    return f"{counted(snapshot.cells, what)}: {', '.join(counts) or 'nothing there yet'}"


def _rest(snapshot: Snapshot) -> str:
    if snapshot.rest is not None:
        return f", about {duration(snapshot.rest)} left"
    return "" if snapshot.ended or snapshot.counts["running"] else "; nothing is running"


def _speed(speed: float, unit: str) -> str:
    return f"{speed:.3g} {unit}s a second" if speed >= 1 else f"{duration(1 / speed)} for {unit}"


def _with_curves(snapshot: Snapshot) -> Sequence[Seen]:
    """The runs that are running, those with the lowest loss first; otherwise the best ones."""
    running = [run for run in snapshot.runs if run.status == "running" and run.curve]
    running.sort(key=lambda run: run.curve[-1])
    return running[:_MOST_CURVES] or [run for run in snapshot.best.values() if run.curve][:_MOST_CURVES]


def _curve_lines(run: Seen, unit: str) -> Iterator[str]:
    yield ""
    yield f"  {run.label}: validation loss {run.curve[-1]:.4f} after {unit} {run.done} of {run.length}"
    upper, lower = curve(run.curve, _CURVE)
    if can_print(upper + lower):
        yield f"  {upper:{_CURVE}} {max(run.curve):.4g}"
        yield f"  {lower:{_CURVE}} {min(run.curve):.4g}"


class Screen:
    """Lines on a terminal, renewed in place."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, wanted: Sequence[str]) -> None:
        """Show these lines where the last ones were; what does not fit on the terminal is cut off."""
        columns, rows = shutil.get_terminal_size()
        fitting = [printable(line)[: columns - 1] for line in wanted[: rows - 1]]
        back = f"\x1b[{self._shown}F\x1b[J" if self._shown else ""
        click.echo(back + "\n".join(fitting))
        self._shown = len(fitting)
