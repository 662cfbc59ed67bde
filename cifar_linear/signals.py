"""Ctrl-C and its like while a run folder is being written: stop at a safe point, once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""Signals that ask a process to end, besides Ctrl-C."""


def handled() -> tuple[int, ...]:
    """The signals that stop this process: Ctrl-C and `ENDING`, but for those that its caller ignores.

    nohup ignores SIGHUP for what it starts, and a shell SIGINT for jobs in the background of a script.
    """
    return tuple(number for number in (signal.SIGINT, *ENDING) if signal.getsignal(number) is not signal.SIG_IGN)


class Interrupted(KeyboardInterrupt):
    """A signal asked to stop; the exit code follows from its number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def terminate(number: int, _frame: FrameType | None) -> None:
    """Handle a signal at once, for where nothing needs to be finished first."""
    raise Interrupted(number)


class SafeStop:
    """While it is open, a first signal stops the work when it calls `check`, a second one at once.

    After that, whatever is saved is saved undisturbed: further signals are ignored until the end.
    """

    def __init__(self) -> None:
        self._asked: int | None = None
        self._stopping = False

    def __enter__(self) -> SafeStop:
        self._before = {number: signal.signal(number, self._handle) for number in handled()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None:
            self.check()  # A signal after the last safe point must not be lost.

    def check(self) -> None:
        """A safe point: raises `Interrupted` if a signal has come."""
        if self._asked is not None and not self._stopping:
            self._stop(self._asked)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._stopping:
            return
        if self._asked is not None:
            self._stop(number)
        self._asked = number

    def _stop(self, number: int) -> None:
        self._stopping = True
        raise Interrupted(number)
