"""Commands that are printed for a user to run next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def command(*words: object, **options: object) -> str:
    """A command line that a shell understands, whatever is in the words.

    Args:
        words: the command and its arguments.
        options: by name, with underscores for dashes; None and False leave an option out, True makes it a flag.

    >>> command("train", "--resume", "my runs/a", data_dir=None, no_figures=True)
    "cifar-linear train --resume 'my runs/a' --no-figures"
    """
    return shlex.join(["cifar-linear", *map(str, words), *written(options)])


def written(options: Mapping[str, object]) -> list[str]:
    """Options as words; None and False leave an option out, True makes it a flag."""
    written = []
    for name, value in options.items():
        if value is not None and value is not False:
            written.append(f"--{name.replace('_', '-')}")
            written += [] if value is True else [str(value)]
    return written
