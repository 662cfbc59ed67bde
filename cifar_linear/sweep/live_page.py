"""A report in one file that is written again as its runs go on."""

from __future__ import annotations

import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cifar_linear.errors import RunError
from cifar_linear.report.collecting import collect
from cifar_linear.report.writing import write_report
from cifar_linear.storage.atomic import write_whole
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.reporting import report_on
from cifar_linear.sweep.watching import Snapshot, Watcher

_PAUSE = 5.0
"""Least seconds between two reports."""
_SHARE = 4
"""The pause is at least this many times as long as it takes to write a report: training has the machine to itself."""


class LivePage:
    """The page of a folder that is being watched.

    Args:
        watcher: looks at the folder.
        file: the page, replaced as a whole each time; the browser loads it again by itself until all runs have ended.
    """

    def __init__(self, watcher: Watcher, file: Path) -> None:
        self._watcher, self._file = watcher, file
        self._written: Snapshot | None = None
        self._next = 0.0

    def follow(self, snapshot: Snapshot) -> bool:
        """Write the page if there is something new and it is time, or if all runs have ended; return whether.

        Raises `RunError` if the page cannot be written. A run that cannot be read now is left for the next time.
        """
        started = time.monotonic()
        if not snapshot.runs or snapshot == self._written or (started < self._next and not snapshot.ended):
            return False
        try:
            text = self._report()
        except RunError:
            if snapshot.ended:
                raise
            return False
        write_whole(self._file, (text if snapshot.ended else reloading(text, _PAUSE)).encode())
        self._written = snapshot
        now = time.monotonic()
        self._next = now + max(_PAUSE, _SHARE * (now - started))
        return True

    def _report(self) -> str:
        sweep, path = self._watcher.sweep(), self._watcher.path
        place = self._file.parent
        with TemporaryDirectory() as folder:
            if sweep is not None:
                return report_on(SweepFolder(path), sweep, Path(folder), "png", place=place).read_text(encoding="utf-8")
            return write_report(collect([path]), Path(folder), place=place).read_text(encoding="utf-8")


def reloading(page: str, seconds: float) -> str:
    """Return an HTML page that its browser loads again after some seconds."""
    return re.sub("<head>", f'<head>\n<meta http-equiv="refresh" content="{seconds:g}">', page, count=1)
