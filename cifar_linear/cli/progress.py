"""Progress on stderr: a bar on a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import sys
from contextlib import suppress

import click

from cifar_linear.cli.printing import printable


class Progress:
    """A bar, if stderr is a terminal, and lines of text.

    Args:
        total: the count at which the bar is full.
        quiet: show no bar.
        unit: of the count; ``B`` for bytes.
    """

    def __init__(self, total: int, quiet: bool, unit: str) -> None:
        from tqdm import tqdm

        on_terminal = sys.stderr is not None and sys.stderr.isatty()
        wanted = on_terminal and not quiet
        self._bar = tqdm(total=total, unit=unit, unit_scale=unit == "B", leave=False) if wanted else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, text: str) -> bool:
        """Move the bar to a count, with a text behind it; returns False if there is no bar."""
        if self._bar is None:
            return False
        self._bar.update(done - self._bar.n)
        self._bar.set_postfix_str(text)
        return True

    def say(self, text: str) -> None:
        """Print a line, also with --quiet. A stderr that cannot be written does not end a training."""
        text = printable(text, keep="\n")
        with suppress(OSError):
            if self._bar is None:
                click.echo(text, err=True)
            else:
                self._bar.write(text, file=sys.stderr)
