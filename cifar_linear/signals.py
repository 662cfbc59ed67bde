"""Ctrl-C and termination signals: stop at a safe point, so that a run folder is complete."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""Signals other than Ctrl-C that ask a process to end."""


def handled() -> tuple[int, ...]:
    """Return the signals that stop this process: SIGINT and `ENDING`, except those that are ignored already.

    A process inherits ignored signals: nohup ignores SIGHUP, a shell script ignores SIGINT for its background jobs.
    """
    return tuple(number for number in (signal.SIGINT, *ENDING) if signal.getsignal(number) is not signal.SIG_IGN)


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to stop; ``exit_code`` is 128 plus its number."""

    def __init__(self, number: int) -> None:
        by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        super().__init__(f"stopped by {by}")
        self.exit_code = 128 + number


def terminate(number: int, _frame: FrameType | None) -> None:
    """Raise `Interrupted` at once: the handler for code that has nothing to save."""
    raise Interrupted(number)


class SafeStop:
    """Context manager that delays the first signal to the next call of `check`; a second signal stops at once.

    Once stopping has begun, further signals are ignored until the block ends, so that results are saved completely.
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
        """Raise `Interrupted` if a signal has arrived; call this where stopping is safe."""
        if self._asked is not None and not self._stopping:
            self._stop(self._asked)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            return
        if self._asked is not None and not _in_finalizer(frame):
            self._stop(number)
        self._asked = number

    def _stop(self, number: int) -> None:
        self._stopping = True
        raise Interrupted(number)


def _in_finalizer(frame: FrameType | None) -> bool:
    """Return whether a `__del__` is running: Python swallows what is raised there, and the stop would be lost."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
