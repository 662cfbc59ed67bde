"""A child process for untrusted code, with limits on its resources and its time.

These are guards against accidents and curiosity. Which of them a system grants is asked before any code is run.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from cifar_linear.errors import CifarLinearError, ConfigError
from cifar_linear.storage.npz import packed, unpacked

_HERE = Path(__file__).parent
NEEDED = ("no network", "no other processes", "no files", "memory", "processor time", "number of processes")
"""What --require-sandbox insists on."""
_FLAGS = ("-I", "-B", "-X", "utf8")
_MOST_OUTPUT = 20_000
_MOST_ANSWER = 64 * 2**20
_MOST_ARRAYS = 400


class Limits(NamedTuple):
    """What student code may use.

    Attributes:
        seconds: of wall-clock time.
        cpu_seconds: of processor time, each process.
        memory: bytes of address space, each process.
        file_size: bytes of a file.
        processes: and threads, at a time.
    """

    seconds: float = 25
    cpu_seconds: int = 20
    memory: int = 768 * 2**20
    file_size: int = 32 * 2**20
    processes: int = 4


class Answer(NamedTuple):
    """What a child left.

    Attributes:
        arrays: by name; empty if it ended without an answer.
        output: what it printed, as far as that is kept. It is shown and never interpreted.
        ending: why there is no answer, else empty.
    """

    arrays: dict[str, Any]
    output: str
    ending: str


def guards(python: str, limits: Limits | None = None) -> list[str]:
    """Names of the guards that this system grants a child process. No student code is run for that."""
    words = [python, *_FLAGS, str(_HERE / "child.py"), json.dumps({**_numbers(limits or Limits()), "probe": 1})]
    with tempfile.TemporaryDirectory(prefix="student-") as folder:
        said = _said(words, folder)
    granted: list[str] = json.loads(said)
    return ["wall-clock time", *granted]


def require(granted: list[str]) -> None:
    """Raise unless a system grants every guard that strangers' code needs."""
    missing = [name for name in NEEDED if name not in granted]
    if missing:
        raise CifarLinearError(
            f"--require-sandbox: this system does not grant: {', '.join(missing)}; nothing was run. Use Linux 5.13 or "
            "later with user namespaces, or a container without --require-sandbox"
        )


def description(python: str, path: Path) -> dict[str, Any]:
    """What a student's file defines, read by a Python: see `definitions.describe`. Nothing of the file is run."""
    found: dict[str, Any] = json.loads(
        _said([python, *_FLAGS, str(_HERE / "definitions.py"), str(path.absolute())], None)
    )
    if "error" in found:
        hint = "; --python PATH reads it with another Python" if "no Python" in found["error"] else ""
        raise ConfigError(f"{path}: {found['error']}{hint}")
    return found


def run(python: str, arrays: Mapping[str, Any], limits: Limits) -> Answer:
    """Run the child on a request and return what it left within its limits.

    Args:
        python: the Python to run it with; it needs NumPy.
        arrays: the request, with the ``plan`` as JSON: see `child`.
        limits: what the child may use.
    """
    words = [python, *_FLAGS, str(_HERE / "child.py"), json.dumps(_numbers(limits))]
    with tempfile.TemporaryDirectory(prefix="student-") as folder, tempfile.TemporaryFile() as request:
        request.write(packed(arrays))
        request.seek(0)
        child = _started(words, folder, request)
        output = _Output(child)
        try:
            child.wait(limits.seconds)
            ending = "" if child.returncode == 0 else _ending(child.returncode)
        except subprocess.TimeoutExpired:
            ending = f"it was still running after {limits.seconds:g} seconds"
        finally:
            _kill(child)
            text = output.text()
        try:
            found = _answer(Path(folder) / "answer.npz")
        except (OSError, ValueError):
            return Answer({}, text, ending or "it ended the process without an answer")
        return Answer(found, text, "")


def _numbers(limits: Limits) -> dict[str, int]:
    return {name: int(value) for name, value in limits._asdict().items()}


def _environment(folder: str) -> dict[str, str]:
    """Nothing of our own; one thread, since each would take address space."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    needed = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return {**threads, **needed, "HOME": folder, "LANG": "C.UTF-8"}


def _started(words: list[str], folder: str, stdin: IO[bytes] | int) -> subprocess.Popen[bytes]:
    program = shutil.which(words[0]) or words[0]
    try:
        return subprocess.Popen(  # noqa: S603  # the words are our own
            [str(Path(program).absolute()), *words[1:]],
            cwd=folder,
            env=_environment(folder),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ConfigError(f"--python {words[0]}: cannot be started: {error.strerror}") from error


def _said(words: list[str], folder: str | None) -> str:
    """What a script of our own prints."""
    with tempfile.TemporaryDirectory(prefix="student-") as other:
        child = _started(words, folder or other, subprocess.DEVNULL)
        try:
            said, _ = child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            _kill(child)
            said = b""
    if child.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise ConfigError(f"--python {words[0]}: cannot be used: {' '.join(last) or 'it does not end'}")
    return said.decode()


class _Output:
    """The first characters of what a child prints; the rest is read as well, so that it can go on, and dropped."""

    def __init__(self, child: subprocess.Popen[bytes]):
        assert child.stdout is not None  # noqa: S101
        self._stream, self._kept, self._dropped = child.stdout, bytearray(), 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._stream:
            while part := os.read(self._stream.fileno(), 2**16):
                room = max(_MOST_OUTPUT - len(self._kept), 0)
                self._kept += part[:room]
                self._dropped += len(part[room:])

    def text(self) -> str:
        """All that was kept. A process that has escaped may hold the stream open: it is not waited for."""
        self._reader.join(1)
        end = f"\n(and {self._dropped} bytes more)" if self._dropped else ""
        return self._kept.decode(errors="replace") + end


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a child and all of its group. The first process of its own numbering dies with it, and takes all others."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _ending(code: int) -> str:
    number = code - 128 if code > 128 else -code
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"the process ended with exit code {code}"
    why = {"SIGKILL": ": out of processor time or memory?", "SIGXCPU": ": out of processor time"}.get(name, "")
    return f"{name} ended the process{why}"


def _answer(path: Path) -> dict[str, Any]:
    """The arrays of an answer, if it is a file of allowed size and no link to another."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= _MOST_ANSWER:
            raise ValueError("no answer")
        return unpacked(file.read(_MOST_ANSWER), most=_MOST_ARRAYS)
