"""How training tells of itself on stderr: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from contextlib import suppress

import click


class Progress:
    """A bar that counts epochs where somebody can see it move, and lines of text."""

    def __init__(self, epochs: int, quiet: bool) -> None:
        from tqdm import tqdm

        on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar = tqdm(total=epochs, unit="epoch", leave=False) if on_terminal and not quiet else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, epoch: int, text: str) -> bool:
        """Move the bar to an epoch; False where there is no bar."""
        if self._bar is None:
            return False
        self._bar.update(epoch - self._bar.n)
        self._bar.set_postfix_str(text)
        return True

    def say(self, text: str) -> None:
        """A line, also when quiet; that nobody listens any more does not end a training."""
        with suppress(OSError):
            if self._bar is None:
                click.echo(text, err=True)
            else:
                self._bar.write(text, file=sys.stderr)
