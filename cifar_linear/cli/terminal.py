"""Text on its way to a terminal: names that strangers have chosen, and streams with another encoding."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def printable(text: str, *, keep: str = "") -> str:
    r"""Text in which each character that does not print is replaced by its escape sequence in Python.

    Control characters could recolour, retitle or overwrite a terminal; others reverse the direction of writing.

    Args:
        text: names or messages that may come from a file, a folder or a server.
        keep: characters to leave as they are, such as line breaks.

    >>> print(printable("\x1b[31mred"))
    \x1b[31mred
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def as_unicode(text: str) -> str:
    """An argument of the command line as text, also if the locale's encoding could not read it: it is UTF-8 then."""
    return os.fsencode(text).decode(errors="replace")


def accept_all_text() -> None:
    """Let no character end a command: what stdout and stderr cannot encode is escaped, names of files keep their bytes.

    Streams that are no files, as in tests, stay as they are.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def give_up_on(stream: TextIO | None) -> None:
    """Drop what a stream could not write, so that Python does not try again when the process ends."""
    try:
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except OSError:
        pass


def percent(fraction: float | None) -> str:
    """An accuracy as people read it; a dash for none.

    >>> percent(0.83136), percent(None)
    ('83.14 %', '-')
    """
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def counted(count: int, what: str) -> str:
    """A count with its noun.

    >>> counted(1, "epoch"), counted(3, "epoch")
    ('1 epoch', '3 epochs')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"
