"""Text from and for a terminal: encodings."""

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
