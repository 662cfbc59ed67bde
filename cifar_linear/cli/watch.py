"""``cifar-linear watch``: how a sweep or a run is getting on."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import PATH, complete_run, debug_option, example, runs_dir_option
from cifar_linear.cli.printing import printable

if TYPE_CHECKING:
    from cifar_linear.sweep.watching import Snapshot, Watcher

_EVERY = 1.0
"""Seconds between two looks."""


@click.command(short_help="See how a sweep or a run is getting on.", epilog=example("watch grid"))
@click.argument("folder", metavar="[FOLDER]", required=False, shell_complete=complete_run)
@runs_dir_option
@click.option("--html", type=PATH, metavar="FILE", help="Keep a report in one file up to date until all has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
def watch(folder: str | None, runs_dir: Path, html: Path | None, as_json: bool) -> None:
    """Show cells done, running and waiting, the time that is left, the best so far, and validation losses.

    FOLDER is the path or the name of a sweep or a run, or a folder of runs; without it, the sweep or run of --runs-dir
    that was written last. On a terminal the view is renewed every second until all has ended, or Ctrl-C; elsewhere it
    is printed once. Only run folders are read, so this works on any machine that sees the folder.
    """
    from cifar_linear.cli.watch_output import tree
    from cifar_linear.runs.discovery import find
    from cifar_linear.runs.places import written_last
    from cifar_linear.sweep.watching import Watcher

    watcher = Watcher(find(runs_dir, folder) if folder else written_last(runs_dir))
    if as_json:
        click.echo(json.dumps(tree(watcher.look()), indent=2))
    elif html is None and not sys.stdout.isatty():
        _print(watcher.look())
    else:
        try:
            _follow(watcher, html)
        except KeyboardInterrupt:
            return


def _follow(watcher: Watcher, html: Path | None) -> None:
    """Look once a second, show it on a terminal, and keep the page, until all has ended."""
    from cifar_linear.cli.watch_output import Screen, lines
    from cifar_linear.sweep.live_page import LivePage

    screen = Screen() if sys.stdout.isatty() else None
    page = LivePage(watcher, html) if html is not None else None
    while True:
        snapshot = watcher.look()
        if screen:
            screen.show(list(lines(snapshot)))
        if page and page.follow(snapshot) and not screen:
            click.echo(f"page: {html}, {100 * snapshot.progress:.0f} % done", err=True)
        if snapshot.ended:
            break
        time.sleep(_EVERY)
    if not screen:
        _print(snapshot)


def _print(snapshot: Snapshot) -> None:
    from cifar_linear.cli.watch_output import lines

    click.echo("\n".join(map(printable, lines(snapshot))))
