"""Writing files whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from cifar_linear.errors import RunError

_UNFINISHED = ".new"


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the file, sync, rename: a reader or a crash finds the old content or the new, never half.

    Makes the folder if it is not there. Raises `RunError` with path and cause.
    """
    beside = path.with_name(f".{path.name}{_UNFINISHED}")
    try:
        _write(path, beside, content)
    except OSError as error:
        kept = "; what was there before is unharmed" if path.exists() else ""
        raise RunError(f"{path}: cannot be written: {error.strerror}{kept}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def is_unfinished(path: Path) -> bool:
    """Whether a file is what a kill has left of a writing."""
    return path.name.startswith(".") and path.name.endswith(_UNFINISHED)


def _write(path: Path, beside: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Make a rename last through a power cut, where the system allows to open folders."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
