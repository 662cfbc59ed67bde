"""Text from and for a terminal: encodings, numbers as people read them."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def as_unicode(text: str) -> str:
    """An argument of the command line as text, also if the locale's encoding could not read it: it is UTF-8 then."""
    return os.fsencode(text).decode(errors="replace")


def accept_all_text() -> None:
    """Let no character end a command: what stdout cannot encode is escaped, and names of files keep their bytes.

    A stream that is not a file, as in tests, stays as it is.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        is_utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def can_print(text: str) -> bool:
    """Whether stdout has these characters; `accept_all_text` would escape them otherwise."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


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


def duration(seconds: float) -> str:
    """A time as people read it.

    >>> duration(1.26), duration(42.3), duration(90), duration(3000), duration(7200)
    ('1.3 s', '42 s', '1 min 30 s', '50 min 0 s', '2 h 0 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 120:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{seconds:.1f} s" if seconds < 20 else f"{rest} s" if not minutes else f"{minutes} min {rest} s"
